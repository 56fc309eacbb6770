//! Decisions made three times over among other facts: whether the next session gets only the last one.
//!
//! The statements are those of `tests/data/truth/chains.json`. Each is said in a prompt, under a heading that
//! makes it a rule; the rows of a chain are spread over three sessions of a project. `EVAL_CHAIN=en-05` prints
//! the contexts of the chains whose names begin so.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{end, prompt, stop};

/// Sessions of a chain.
const SESSIONS: usize = 3;
const WORLDS: usize = 4;

#[derive(serde::Deserialize)]
struct Chain {
    name: String,
    /// The subject of each statement, `None` if nothing replaces it, and its text. Oldest first.
    rows: Vec<(Option<String>, String)>,
}

#[derive(Default)]
struct Figures {
    /// Statements that later ones replace, and those of them that the next session gets.
    superseded: usize,
    delivered: usize,
    /// Subjects of which a statement is told, and those of which the last one comes first.
    subjects: usize,
    current_first: usize,
    /// Statements that nothing replaces, and those of them that are out.
    lasting: usize,
    lost: usize,
    failures: Vec<String>,
}

#[test]
fn chains() {
    let text = include_str!("../data/truth/chains.json");
    let mut chains: Vec<Chain> = serde_json::from_str(text).unwrap();
    let wanted = super::variable("EVAL_CHAIN");
    if let Some(name) = &wanted {
        chains.retain(|chain| chain.name.starts_with(name.as_str()));
    }
    let next = AtomicUsize::new(0);
    let figures = Mutex::new(Figures::default());
    std::thread::scope(|scope| {
        for _ in 0..WORLDS {
            scope.spawn(|| {
                let w = World::with_prefix("mt");
                while let Some(chain) = chains.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let context = play(&w, chain);
                    score(&w, chain, &context, &mut figures.lock().unwrap());
                    if wanted.is_some() {
                        println!("{}\n{context}", chain.name);
                    }
                }
            });
        }
    });
    let f = figures.into_inner().unwrap();
    f.failures.iter().for_each(|failure| println!("{failure}"));
    println!("pollution      {} of {}", f.delivered, f.superseded);
    println!("current-first  {} of {}", f.current_first, f.subjects);
    println!("lost           {} of {}", f.lost, f.lasting);
    if wanted.is_some() {
        return;
    }
    assert!(f.superseded > 80 && f.subjects > 40, "the chains are not stored");
    // The local rules do not store one statement, and read another one as two.
    assert!(f.delivered <= 2, "superseded statements are told");
    assert!(f.subjects - f.current_first <= 2, "a superseded statement comes first");
    assert_eq!(f.lost, 0, "a statement is out that nothing replaces");
}

/// Plays a chain and returns the context of the next session.
fn play(w: &World, chain: &Chain) -> String {
    let heading = match &chain.name[..2] {
        "de" => "Regeln:",
        "fr" => "Règles :",
        "es" => "Reglas:",
        _ => "Rules:",
    };
    let dir = w.path("home").join(&chain.name);
    fs::create_dir(&dir).unwrap();
    let here = |mut payload: Value| {
        payload["cwd"] = json!(dir);
        payload
    };
    let size = chain.rows.len().div_ceil(SESSIONS);
    for (n, rows) in chain.rows.chunks(size).enumerate() {
        let session = format!("{}-{n}", chain.name);
        for (at, (_, text)) in rows.iter().enumerate() {
            let turn = format!("t{at}");
            w.hook(&here(prompt(&session, &turn, &format!("{heading}\n- {text}"))));
            w.hook(&here(stop(&session, &turn, "Noted.")));
        }
        w.hook(&here(end(&session)));
        w.settle();
    }
    w.memctl(&["context", "--project", dir.to_str().unwrap()]).ok()
}

fn score(w: &World, chain: &Chain, context: &str, f: &mut Figures) {
    let place = |text: &str| context.find(text.trim_end_matches('.'));
    for (at, (subject, text)) in chain.rows.iter().enumerate() {
        let is_last = || chain.rows[at + 1..].iter().all(|(later, _)| later != subject);
        if subject.is_some() && !is_last() {
            f.superseded += 1;
            if place(text).is_some() {
                f.delivered += 1;
                f.failures.push(format!("{} tells {text}", chain.name));
            }
            continue;
        }
        f.lasting += 1;
        let quoted = text.trim_end_matches('.').replace('\'', "''");
        let out = format!(
            "SELECT 1 FROM observations WHERE title LIKE '%{quoted}%' AND superseded_by NOTNULL
               AND session_id IN (SELECT id FROM sessions WHERE content_session_id LIKE '{}-%')",
            chain.name
        );
        if !w.rows(&out).is_empty() {
            f.lost += 1;
            f.failures.push(format!("{} has lost {text}", chain.name));
        }
        if subject.is_some() {
            f.subjects += 1;
            let of_subject = chain.rows.iter().filter(|(other, _)| other == subject);
            let first = of_subject.filter_map(|(_, text)| Some((place(text)?, text))).min();
            match first {
                Some((_, first)) if first == text => f.current_first += 1,
                other => f.failures.push(format!("{}: {text} is not first: {other:?}", chain.name)),
            }
        }
    }
}
