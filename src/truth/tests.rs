//! The rules against chains of decisions and pairs of near-duplicates, which were written before them.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Chain {
    name: String,
    /// The subject of each statement, `None` if nothing replaces it, and its text. Oldest first.
    rows: Vec<(Option<String>, String)>,
}

#[derive(Deserialize)]
struct Pair {
    same: bool,
    a: String,
    b: String,
}

#[derive(Debug, Default)]
struct Score {
    right: usize,
    wrong: usize,
    missed: usize,
}

/// Plays a chain: each statement is compared with those that hold. Returns what was judged wrongly.
fn play(chain: &Chain, score: &mut Score) -> Vec<String> {
    let mut current: Vec<usize> = Vec::new();
    let mut failures = Vec::new();
    let read: Vec<Statement> = chain.rows.iter().map(|(_, text)| Statement::read(text)).collect();
    for (at, (subject, text)) in chain.rows.iter().enumerate() {
        let (mut out, mut kept) = (Vec::new(), Vec::new());
        for old in current {
            let is_replaced = judge(&read[at], &read[old]).is_some();
            if is_replaced {
                out.push(old)
            } else {
                kept.push(old)
            }
            let expected = subject.is_some() && chain.rows[old].0 == *subject;
            match (is_replaced, expected) {
                (true, true) => score.right += 1,
                (true, false) => score.wrong += 1,
                (false, true) => score.missed += 1,
                (false, false) => {}
            }
            if is_replaced != expected {
                let what = if expected { "missed" } else { "wrong" };
                failures.push(format!("{} {what}: {text} <- {}", chain.name, chain.rows[old].1));
            }
        }
        kept.push(at);
        current = kept;
    }
    failures
}

#[test]
fn decisions_made_three_times_over() {
    let chains: Vec<Chain> =
        serde_json::from_str(include_str!("../../tests/data/truth/chains.json")).unwrap();
    let number = |chain: &Chain| chain.name.split('-').nth(1).unwrap().parse::<u32>().unwrap();
    let part = |chain: &Chain| match number(chain) {
        33.. => "late",
        n if n % 2 == 1 => "tune",
        _ => "test",
    };
    for split in ["tune", "test", "late"] {
        let chains = chains.iter().filter(|chain| part(chain) == split);
        let mut score = Score::default();
        let failures: Vec<String> = chains.flat_map(|chain| play(chain, &mut score)).collect();
        println!("{split}: {score:?}");
        failures.iter().for_each(|failure| println!("{failure}"));
        assert_eq!(score.wrong, 0, "{split}");
        assert!(score.missed <= 1 && score.right > 20, "{split}: {score:?}");
    }
}

#[test]
fn copies_and_near_misses() {
    let pairs: Vec<Pair> =
        serde_json::from_str(include_str!("../../tests/data/truth/copies.json")).unwrap();
    let (mut found, mut all) = (0, 0);
    for (at, Pair { same, a, b }) in pairs.iter().enumerate() {
        let is_same = judge(&Statement::read(b), &Statement::read(a)) == Some(Verdict::Copies);
        assert!(!is_same || *same, "{a} = {b}");
        all += usize::from(*same);
        found += usize::from(is_same);
        if *same && !is_same {
            println!("{at} missed: {a} = {b}");
        }
    }
    println!("copies: {found} of {all}");
}

/// Statements in another order of words, and pairs in which a word, a name, a number or who does what differs.
#[test]
fn paraphrases_and_near_misses() {
    let pairs: Vec<Pair> =
        serde_json::from_str(include_str!("../../tests/data/truth/paraphrases.json")).unwrap();
    for Pair { same, a, b } in &pairs {
        let verdict = judge(&Statement::read(b), &Statement::read(a));
        assert_eq!(verdict == Some(Verdict::Copies), *same, "{a} = {b}");
        let turned = judge(&Statement::read(a), &Statement::read(b));
        assert_eq!(turned == Some(Verdict::Copies), *same, "{b} = {a}");
    }
}

#[test]
fn an_explanation_says_what_is_given_up() {
    let check = |title: &str, explanation: &str, older: &str, want| {
        let [explanation, newer, older] = [explanation, title, older].map(Statement::read);
        assert_eq!(gives_up(&explanation, &newer, &older), want, "{older:?}");
    };
    let moved = "Orders are delivered over the REST API";
    check(moved, "FTP is switched off in May.", "Orders are delivered by FTP at noon", true);
    check(moved, "FTP is switched off in May.", "Invoices are sent by FTP", false);
    check(moved, "FTP is slow.", "Orders are delivered by FTP at noon", false);
    check("Broker moved to Redis", "RabbitMQ is switched off.", "Broker is RabbitMQ", true);
    check("Broker moved to Redis", "RabbitMQ is switched off.", "Broker runs on port 5672", false);
}

#[test]
fn a_move_names_what_moves() {
    let check = |newer: &str, older: &str, expected| {
        let verdict = judge(&Statement::read(newer), &Statement::read(older));
        assert_eq!(verdict, expected, "{older} <- {newer}");
    };
    let back = "The job queue goes back to Postgres with SKIP LOCKED";
    check(back, "We decided to move the job queue to Redis Streams", Some(Verdict::Replaces));
    check(back, "Redis is also used as the session cache", None);
}

proptest::proptest! {
    /// Stored texts may be anything.
    #[test]
    fn no_text_fails(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "switch", "from", "to", "with", "replace", "instead of", "no longer", "not", "is gone", "back to",
            "the", "Redis", "port", "8080", "API", "ne", "plus", "nicht", "mehr", "de", "à", "l'", ";", ",", ":",
            "'", "`", "(", ")", "%", "Ansible", "使用", "不再", "é", "moved", "off", "is", "must", "10", "weeks",
        ]), 0..12),
        text in ".{0,40}",
        at in 0..12usize,
    ) {
        let statement = Statement::read(&words.join(" "));
        let other = Statement::read(&format!("{} {text}", words[at.min(words.len())..].join(" ")));
        judge(&statement, &other);
        judge(&other, &statement);
        judge(&statement, &statement);
    }
}
