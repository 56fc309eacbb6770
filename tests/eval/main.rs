//! The evaluation of the memory: `make eval`.
//!
//! Each case in `cases` is a labelled project of one or more sessions. The harness plays its events
//! through the hooks of the built binary, in a home and a git repository of its own and at the
//! case's times, and scores the context that the next session receives. The scores must not fall below
//! those in `expected.toml`.
//!
//! Odd numbers in file names are the tune split. Even numbers are the test split: the report
//! contains its scores only, so that the rules are not fitted to its texts.
//!
//! - `EVAL_CASE=en-001` prints the contexts and failures of the cases of the tune split whose names
//!   begin so.
//! - `EVAL_RECORD=1` writes the scores to `expected.toml`.
//! - `target/eval/tune.txt` has the contexts and failures of all cases of the tune split.

/// The cases: events and labels.
mod case;
/// Decisions made three times over: pollution and current-first.
mod chains;
/// Decisions that users change in their own words.
mod changed_decisions;
/// What sentences of final messages become.
mod final_messages;
/// Compact events as the payloads of Claude Code's hooks.
mod payload;
/// The git repository of a case.
mod project;
/// What prompts receive while a session works.
mod recall;
/// What is recorded, and the comparison with it.
mod recorded;
/// Plays a case and reads what the memory holds then.
mod replay;
/// Tables and lists of failures.
mod report;
/// Search compared with bm25.
mod retrieval;
/// Figures, and the scores of a case.
mod score;
/// What is kept of the words of users.
mod statements;
#[expect(dead_code, unused_imports, reason = "shared with the integration tests")]
#[path = "../it/support/mod.rs"]
mod support;
/// The context, split into sections, items and titles.
mod told;

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use report::Scored;

#[test]
fn eval() {
    let mut cases = case::all();
    let wanted = variable("EVAL_CASE");
    if let Some(name) = &wanted {
        cases.retain(|case| case.is_tune && case.name.starts_with(name.as_str()));
        assert!(!cases.is_empty(), "no case of the tune split is named {name}");
    }
    let scored = score_all(&cases);
    if wanted.is_some() {
        scored.iter().for_each(|scored| println!("{}", report::case(scored)));
        return;
    }
    report::write_tune(&scored);
    let mut recorded = recorded::Recorded::read();
    print!("{}", report::tables(&scored, &recorded));
    if variable("EVAL_RECORD").is_some() {
        recorded.write(&scored);
        return;
    }
    let worse = recorded.worse(&scored);
    assert!(worse.is_empty(), "worse than tests/eval/expected.toml:\n{}", worse.join("\n"));
}

/// Plays and scores the cases in parallel. The results are in the order of the cases.
fn score_all(cases: &[Case]) -> Vec<Scored<'_>> {
    let next = AtomicUsize::new(0);
    let scored = Mutex::new(Vec::new());
    // A case mostly waits for processes to start and exit.
    let n_threads = 2 * std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let memory = replay::play(case);
                    let score = score::score(case, &memory);
                    scored.lock().unwrap().push(Scored { case, memory, score });
                }
            });
        }
    });
    let mut scored = scored.into_inner().unwrap();
    scored.sort_by_key(|scored| &scored.case.name);
    scored
}

#[expect(clippy::disallowed_methods, reason = "settings of the evaluation")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
