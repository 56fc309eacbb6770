//! Texts that memctl deletes leave no bytes in any file: the outputs of distilled events, and the
//! texts of a turn that becomes private. A worker removes them while it runs, not at its exit.

use serde_json::Value;

use crate::support::agent::{Api, configure};
use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

/// A word for each number that occurs nowhere else.
fn word(n: usize) -> String {
    format!("Zyzzyva{n:04}x")
}

/// An output of about `size` bytes that repeats one word. An output may span several pages.
fn output(session: &str, n: usize, size: usize) -> Value {
    let text = format!("{} ", word(n)).repeat(size / 13 + 1);
    tool(session, "t", &format!("u{n}"), "cat notes", &text)
}

/// Waits until no file has one of the first `n` words.
#[track_caller]
fn until_no_file_has(w: &World, n: usize) {
    let words: Vec<String> = (0..n).map(word).collect();
    until("the words are in no file", || match w.files_with(&words) {
        found if found.is_empty() => Ok(()),
        found => Err(format!("{found:?}")),
    });
}

#[test]
fn outputs_of_distilled_events_are_in_no_file() {
    let w = World::lingering();
    let sessions = ["one", "two"];
    for session in sessions {
        w.hook(&prompt(session, "t", "read the notes"));
    }
    let sizes = [20, 150, 700, 2_500, 5_000, 9_000, 40_000];
    let n_events = 42;
    for n in 0..n_events {
        w.hook(&output(sessions[n % 2], n, sizes[n % sizes.len()]));
    }
    let words: Vec<String> = (0..n_events).map(word).collect();
    assert!(!w.files_with(&words).is_empty(), "the words reach a file");
    for session in sessions {
        w.hook(&stop(session, "t", "Read them."));
    }
    until_no_file_has(&w, n_events);
    assert_eq!(w.processes().len(), 2, "the workers are alive");
    let stored = w.count("SELECT count(*) FROM pending_messages WHERE tool_use_id NOT NULL");
    assert_eq!(stored, n_events as i64);
}

/// A model gets several batches per turn.
#[test]
fn outputs_are_removed_before_the_turn_ends() {
    let api = Api::distilling();
    let w = World::lingering();
    let base = &api.url;
    let settings = format!(
        "[agent]\nbackend = 'openai'\nbatch_quiet = '50ms'\n[agent.openai]\nbase_url = '{base}/v1'\nmodel = 'm-1'\n"
    );
    configure(&w, &settings);
    w.hook(&prompt("s", "t", "read the notes"));
    for n in 0..8 {
        w.hook(&output("s", n, 3_000));
    }
    w.until_count("SELECT count(*) FROM pending_messages WHERE status = 'processed'", 8);
    until_no_file_has(&w, 8);
    assert_eq!(w.prompts(), ["1|-"], "the turn is open");
}

#[test]
fn texts_of_a_turn_that_becomes_private_are_in_no_file() {
    // Nothing is distilled before the second prompt.
    let w = World::lingering().with("MEMCTL_AGENT_BATCH_QUIET", "60s");
    w.hook(&prompt("s", "t", &format!("look for {}", word(0))));
    for n in 1..5 {
        w.hook(&output("s", n, 5_000));
    }
    w.hook(&prompt("s", "t", "<private>never mind</private>"));
    until_no_file_has(&w, 5);
    w.worker();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages"), 4, "only ids are left");
}

/// Events of the turn, and the prompt that makes it private, arrive through the spool.
#[test]
fn spooled_texts_of_a_turn_that_becomes_private_are_in_no_file() {
    let w = World::lingering().with("MEMCTL_AGENT_BATCH_QUIET", "60s");
    w.spool(&prompt("s", "t", &format!("look for {}", word(0))));
    w.spool(&output("s", 1, 5_000));
    w.spool(&prompt("s", "t", "<private>never mind</private>"));
    w.hook(&output("s", 2, 5_000));
    until_no_file_has(&w, 3);
    w.worker();
}

/// Earlier releases did not overwrite deleted texts.
#[test]
fn texts_that_an_earlier_release_deleted_are_removed() {
    let w = World::new();
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done."), end("s")]);
    w.settle();
    let text = format!("{} ", word(0)).repeat(1_000);
    w.execute_sql(&format!(
        "PRAGMA secure_delete = OFF; DELETE FROM meta WHERE key = 'no_remnants';
         INSERT INTO meta VALUES ('old', '{text}'); DELETE FROM meta WHERE key = 'old';"
    ));
    assert!(!w.files_with(&[word(0)]).is_empty());
    w.hooks(&[prompt("s2", "t", "go"), stop("s2", "t", "Done."), end("s2")]);
    w.settle();
    assert_eq!(w.files_with(&[word(0)]), [] as [&str; 0]);
}
