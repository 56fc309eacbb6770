//! `memctl logs`: the lines of all workers, also while they are written.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

use crate::support::recordings::{end, prompt};
use crate::support::wait::DEADLINE;
use crate::support::{World, until};

/// Two finished sessions, one after the other.
fn world() -> World {
    let w = World::new();
    for session in ["session-one", "session-two"] {
        w.hook(&prompt(session, "t", "a secret of mine"));
        w.hook(&end(session));
        w.settle();
    }
    w
}

#[test]
fn logs_are_empty_before_the_first_session() {
    let w = World::new();
    let output = w.memctl(&["logs"]);
    assert_eq!((output.code, output.out.as_str()), (Some(0), ""));
    assert_eq!(output.err, "note: no log entries\n");
    assert!(!w.data().exists());
}

#[test]
fn sessions_are_merged_by_time_and_one_can_be_selected() {
    let w = world();
    let all = w.memctl(&["logs"]).ok();
    let times: Vec<&str> = all.lines().map(|l| l.split_whitespace().nth(1).unwrap()).collect();
    assert!(times.is_sorted() && times.len() >= 4, "{all}");
    assert!(
        all.lines().all(|l| l.starts_with("session-one  20") || l.starts_with("session-two  20"))
    );
    assert!(all.contains(" INFO ") && all.contains("serving"), "{all}");
    assert!(!all.contains("secret"), "{all}");

    let one = w.memctl(&["logs", "session-o"]).ok();
    let of_session = all.lines().filter_map(|l| l.strip_prefix("session-one  "));
    assert_eq!(one.lines().collect::<Vec<_>>(), of_session.collect::<Vec<_>>());
    assert_eq!(w.memctl(&["logs", "session-o", "-n", "1"]).ok().lines().last(), one.lines().last());
    assert_eq!(w.memctl(&["logs", "-n", "3"]).ok().lines().count(), 3);
    assert_eq!(w.memctl(&["logs", "-n", "0"]).ok(), "");
}

#[test]
fn control_characters_of_a_log_line_are_escaped() {
    let w = world();
    let log = std::fs::read_dir(w.data().join("logs")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&log, "\u{1b}]0;title\u{7}not a line of ours\n").unwrap();
    let text = w.memctl(&["logs"]).ok();
    assert!(text.contains("not a line of ours") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn follow_shows_new_sessions_and_exits_when_its_reader_is_gone() {
    let w = world();
    let mut command = w.program();
    let mut child =
        command.args(["logs", "--follow", "-n", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let (send, lines) = mpsc::channel();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // Reads until the test ends, then closes the pipe.
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|n| n > 0) && send.send(line.clone()).is_ok() {
            if line.contains("session-new") {
                return;
            }
            line.clear();
        }
    });
    let before = lines.recv_timeout(DEADLINE).expect("the last existing line");
    assert!(before.starts_with("session-two  "), "{before}");
    w.hook(&prompt("session-new", "t", "go"));
    let new = lines.recv_timeout(DEADLINE).expect("a line written after `logs` started");
    assert!(new.starts_with("session-new  ") && new.contains("serving"), "{new}");
    reader.join().unwrap();
    let status = until("logs exits", || child.try_wait().unwrap().ok_or_else(String::new));
    assert_eq!(status.code(), Some(0));
}
