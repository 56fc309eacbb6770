//! What users say: whether the memory keeps what holds beyond the turn, and nothing else.
//!
//! `user_statements.jsonl` has prompts of users, each labelled span by span by an author who saw no rule.
//! Each is a session of a project of its own, taken in with `memctl import claude-code`. Odd numbers are the
//! tune split, even numbers the test split.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::recorded::Recorded;
use crate::score::Count;
use crate::support::World;
use crate::support::transcripts::Transcript;
use crate::variable;

const PROMPTS: &str = include_str!("user_statements.jsonl");

#[derive(Deserialize)]
struct Labelled {
    n: usize,
    /// The last words of the assistant.
    before: Option<String>,
    prompt: String,
    /// What the turn did.
    did: Option<String>,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    text: String,
    kind: String,
}

impl Span {
    /// Whether it holds beyond the turn.
    fn holds(&self) -> bool {
        matches!(self.kind.as_str(), "rule" | "decision" | "fact")
    }
}

/// The rows that are right, and the spans that are kept.
#[derive(Default)]
struct Kept {
    precision: Count,
    recall: Count,
    failures: Vec<String>,
}

#[test]
fn statements() {
    let prompts: Vec<Labelled> =
        PROMPTS.lines().map(|line| serde_json::from_str(line).expect("a prompt")).collect();
    let rows = imported(&prompts);
    let none = Vec::new();
    let mut halves = [("tune", Kept::default()), ("test", Kept::default())];
    for one in &prompts {
        let kept = &mut halves[usize::from(one.n % 2 == 0)].1;
        kept.add(one, rows.get(&one.n).unwrap_or(&none));
    }
    if variable("EVAL_STATEMENTS").is_some() {
        println!("{}", halves[0].1.failures.join("\n"));
    }
    let mut recorded = Recorded::read();
    let mut shares = Vec::new();
    let mut worse = Vec::new();
    for (half, kept) in &halves {
        for (figure, count) in [("precision", kept.precision), ("recall", kept.recall)] {
            let name = format!("{half}-{figure}");
            let share = count.share().unwrap_or_default() * 100.0;
            println!("{name:<16} {share:5.1} ({}/{})", count.hits, count.of);
            worse.extend(recorded.worse_statement(&name, count));
            shares.push((name, count.share()));
        }
    }
    if variable("EVAL_RECORD").is_some() {
        recorded.write_statements(&shares);
        return;
    }
    assert!(worse.is_empty(), "worse than tests/eval/expected.toml:\n{}", worse.join("\n"));
}

/// The user's rows of each prompt.
fn imported(prompts: &[Labelled]) -> BTreeMap<usize, Vec<String>> {
    let world = World::new();
    for one in prompts {
        let id = format!("s{}", one.n);
        let mut session = Transcript::new(&id, 1).in_dir(&format!("/gone/p{}", one.n));
        if let Some(before) = &one.before {
            session = session.turn("Go on with the next part of the plan.", 1, before);
        }
        session.turn(&one.prompt, usize::from(one.did.is_some()), "Understood.").write(&world);
    }
    world.memctl(&["import", "claude-code"]).ok();
    let rows = world.rows(
        "SELECT substr(s.content_session_id, 2) || ' ' || o.title
        FROM observations o JOIN sessions s ON s.id = o.session_id
        WHERE o.origin = 'user' AND o.type = 'decision'",
    );
    let mut all: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for row in rows {
        let (n, title) = row.split_once(' ').expect("a number");
        all.entry(n.parse().expect("a number")).or_default().push(title.to_owned());
    }
    all
}

impl Kept {
    fn add(&mut self, one: &Labelled, rows: &[String]) {
        let prompt = letters(&one.prompt);
        let place = |text: &str| place(&prompt, &letters(text));
        let rows: Vec<(&String, Range<usize>)> = rows.iter().map(|row| (row, place(row))).collect();
        let spans: Vec<(&Span, Range<usize>)> =
            one.spans.iter().map(|span| (span, place(&span.text))).collect();
        let lasting = || spans.iter().filter(|(span, _)| span.holds());
        for (row, at) in &rows {
            let is_right = is_half(at, lasting().map(|(_, span)| span));
            count(&mut self.precision, is_right);
            if !is_right {
                self.failures.push(format!("{} no statement: {row}", one.n));
            }
        }
        for (span, at) in lasting() {
            let is_kept = is_half(at, rows.iter().map(|(_, row)| row));
            count(&mut self.recall, is_kept);
            if !is_kept {
                self.failures.push(format!("{} lost {}: {}", one.n, span.kind, span.text));
            }
        }
    }
}

fn count(count: &mut Count, is_hit: bool) {
    *count += Count { hits: is_hit.into(), of: 1 };
}

/// Whether the parts cover at least half of a part.
fn is_half<'a>(part: &Range<usize>, parts: impl Iterator<Item = &'a Range<usize>>) -> bool {
    let common =
        |other: &Range<usize>| part.end.min(other.end).saturating_sub(part.start.max(other.start));
    !part.is_empty() && 2 * parts.map(common).sum::<usize>() >= part.len()
}

/// The letters and digits of a text, in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where a text stands in another one. Empty if it does not.
fn place(whole: &str, text: &str) -> Range<usize> {
    whole.find(text).map_or(0..0, |at| at..at + text.len())
}
