//! Who is who: whose socket, lock, process, session and tool use a thing is, when names come back,
//! are given twice or belong to strangers.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

const TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";

/// A worker that hangs between its lock and its first word: an empty lock file says nothing of it.
fn hung_newborn(w: &mut World) -> i32 {
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.locked=pause:{}", paused.display()));
    w.hook(&prompt("s", "t", "go"));
    let pid = until("it holds the lock", || {
        fs::read_to_string(&paused).ok().and_then(|pid| pid.parse().ok()).ok_or(String::new())
    });
    w.signal(pid, Signal::SIGSTOP);
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(fs::metadata(w.session_locks().remove(0)).unwrap().len(), 0);
    pid
}

#[test]
fn a_newborn_that_hangs_is_replaced_by_the_next_event() {
    let mut w = World::new().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = hung_newborn(&mut w);
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.until_count(TOOLS, 1);
    assert!(!w.processes().contains(&hung));
    w.hook(&end("s"));
    w.rest();
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["go"]);
    assert!(w.logs().contains("ending a worker that does not answer"), "{}", w.logs());
}

/// Its own session sends nothing more.
#[test]
fn a_newborn_that_hangs_is_replaced_when_another_session_starts() {
    let mut w = World::new().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = hung_newborn(&mut w);
    w.spooled(&stop("s", "t", "Done."));
    w.hook(&crate::support::recordings::start("other"));
    w.until_count("SELECT count(*) FROM session_summaries", 1);
    w.rest();
    assert!(!w.processes().contains(&hung));
}

#[test]
fn a_newborn_that_hangs_is_shown_and_ended_by_people() {
    let mut w = World::new();
    let hung = hung_newborn(&mut w);
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((&rows[0]["state"], rows[0]["pid"].as_i64()), (&"hung".into(), Some(hung.into())));
    let said = w.memctl(&["kill", "--stale"]).ok();
    assert!(said.contains("was killed"), "{said}");
    assert!(!w.processes().contains(&hung));
}
