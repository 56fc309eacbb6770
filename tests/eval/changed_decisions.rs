//! Decisions that users change twice in their own words, among facts that stay: what of them the next session
//! receives (`tests/data/recall/chains-*.json`). `EVAL_CHAIN=atlas` prints the contexts of the projects whose
//! names begin so.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::json;

use crate::recorded::Recorded;
use crate::replay::Clock;
use crate::score::Count;
use crate::support::World;
use crate::support::recordings::{end, prompt, stop};

const WORKERS: usize = 4;
const FIGURES: [(&str, bool); 3] =
    [("chains-pollution", false), ("chains-current-first", true), ("chains-kept", true)];

#[derive(Deserialize)]
struct File {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    name: String,
    sessions: Vec<Session>,
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
struct Session {
    at: String,
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    prompt: String,
    answer: String,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    /// Patterns, oldest first. They ignore case.
    statements: Vec<String>,
}

/// Figures in the order of `FIGURES`: earlier statements that are told; subjects whose last statement is told
/// before the others; facts that nothing changes and that are told.
#[derive(Default)]
struct Figures {
    counts: [Count; 3],
    failures: Vec<String>,
}

#[test]
fn changed_decisions() {
    let wanted = super::variable("EVAL_CHAIN");
    let projects = read(wanted.as_deref());
    let next = AtomicUsize::new(0);
    let figures = Mutex::new(Figures::default());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(project) = projects.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let context = play(project);
                    score(project, &context, &mut figures.lock().unwrap());
                    if wanted.is_some() {
                        println!("{}\n{context}", project.name);
                    }
                }
            });
        }
    });
    let figures = figures.into_inner().unwrap();
    figures.failures.iter().for_each(|failure| println!("{failure}"));
    let mut recorded = Recorded::read();
    for ((name, _), count) in FIGURES.iter().zip(figures.counts) {
        let share = recorded.recall(name).map_or("-".to_owned(), |share| format!("{share:.3}"));
        println!("{name:<22} {} of {} [{share}]", count.hits, count.of);
    }
    if wanted.is_some() {
        return;
    }
    if super::variable("EVAL_RECORD").is_some() {
        let shares = FIGURES.iter().zip(figures.counts);
        let shares: Vec<_> = shares.map(|((name, _), count)| (*name, count.share())).collect();
        recorded.write_recall(&shares);
        return;
    }
    let worse: Vec<String> = FIGURES
        .iter()
        .zip(figures.counts)
        .filter_map(|((name, is_better), count)| recorded.worse_recall(name, *is_better, count))
        .collect();
    assert!(worse.is_empty(), "worse than tests/eval/expected.toml:\n{}", worse.join("\n"));
}

fn read(wanted: Option<&str>) -> Vec<Project> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recall");
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_chains =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("chains-");
    let mut projects: Vec<Project> = paths
        .filter(is_chains)
        .flat_map(|path| {
            let file: File = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            file.projects
        })
        .collect();
    projects.retain(|project| wanted.is_none_or(|name| project.name.starts_with(name)));
    projects.sort_by(|a, b| a.name.cmp(&b.name));
    projects
}

/// Plays the sessions at their times and returns the context of the next one.
fn play(project: &Project) -> String {
    let mut w = World::with_prefix("mt");
    let clock = Clock::new(&w);
    w.set("MEMCTL_TESTCLOCK", &clock.file);
    let dir = w.path("home").join(&project.name);
    fs::create_dir(&dir).unwrap();
    for (n, session) in project.sessions.iter().enumerate() {
        let at: Timestamp = session.at.parse().expect("a time with an offset");
        clock.set(at);
        let id = format!("session-{n}");
        let here = |mut payload: serde_json::Value| {
            payload["cwd"] = json!(dir);
            payload
        };
        for (at, turn) in session.turns.iter().enumerate() {
            let turn_id = format!("t{at}");
            w.hook(&here(prompt(&id, &turn_id, &turn.prompt)));
            w.hook(&here(stop(&id, &turn_id, &turn.answer)));
        }
        w.hook(&here(end(&id)));
        w.settle();
    }
    w.memctl(&["context", "--project", dir.to_str().unwrap()]).ok()
}

fn score(project: &Project, context: &str, figures: &mut Figures) {
    let place = |pattern: &String| {
        let regex = Regex::new(&format!("(?i){pattern}")).expect("a pattern");
        regex.find(context).map(|found| found.start())
    };
    let one = |is_hit: bool| Count { hits: u32::from(is_hit), of: 1 };
    for Subject { name, statements } in &project.subjects {
        let places: Vec<Option<usize>> = statements.iter().map(place).collect();
        let Some((last, earlier)) = places.split_last() else { continue };
        let mut fail = |what: &str| {
            figures.failures.push(format!("{}: {name}: {what}", project.name));
        };
        if earlier.is_empty() {
            if last.is_none() {
                fail("is not told");
            }
            figures.counts[2] += one(last.is_some());
            continue;
        }
        if earlier.iter().any(Option::is_some) {
            fail("an earlier statement is told");
        }
        earlier.iter().for_each(|place| figures.counts[0] += one(place.is_some()));
        let is_first = last.is_some_and(|last| earlier.iter().flatten().all(|place| last < *place));
        if !is_first {
            fail("the last statement is not told first");
        }
        figures.counts[1] += one(is_first);
    }
}
