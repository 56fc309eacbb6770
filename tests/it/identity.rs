//! Identity of workers, sessions and events: reused pids, replaced lock files, and session, turn
//! and tool ids that repeat.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::world::is_gone;
use crate::support::{World, until};

const TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";
const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";
const DUPLICATES: &str = "SELECT s.pending_message_id, o.title FROM observations o
    JOIN observation_sources s ON s.observation_id = o.id
    WHERE o.superseded_by IS NULL
    GROUP BY s.pending_message_id, o.type, o.title HAVING count(*) > 1";

/// A worker that hangs after it took the lock. Its lock file is still empty.
fn hung_starter(w: &mut World) -> i32 {
    let paused = w.path("paused");
    w.set("MEMCTL_TESTPOINT", &format!("worker.locked=pause:{}", paused.display()));
    w.hook(&prompt("s", "t", "go"));
    let pid = until("the starter holds the lock", || {
        fs::read_to_string(&paused).ok().and_then(|pid| pid.parse().ok()).ok_or(String::new())
    });
    w.signal(pid, Signal::SIGSTOP);
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(fs::metadata(w.session_locks().remove(0)).unwrap().len(), 0);
    pid
}

#[test]
fn a_starter_that_hangs_is_replaced_by_the_next_event() {
    let mut w = World::new().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = hung_starter(&mut w);
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.until_count(TOOLS, 1);
    assert!(!w.processes().contains(&hung));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["go"]);
    assert!(w.logs().contains("ending a worker that does not answer"), "{}", w.logs());
}

/// The hung starter's session sends no more events.
#[test]
fn a_starter_that_hangs_is_replaced_when_another_session_starts() {
    let mut w = World::new().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = hung_starter(&mut w);
    w.spool(&stop("s", "t", "Done."));
    w.hook(&start("other"));
    w.until_count(SUMMARIES, 1);
    w.settle();
    assert!(!w.processes().contains(&hung));
}

#[test]
fn a_starter_that_hangs_is_listed_and_can_be_killed() {
    let mut w = World::new();
    let hung = hung_starter(&mut w);
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((&rows[0]["state"], rows[0]["pid"].as_i64()), (&"hung".into(), Some(hung.into())));
    let output = w.memctl(&["kill", "--stale"]).ok();
    assert!(output.contains("killed"), "{output}");
    assert!(!w.processes().contains(&hung));
}

/// A process that is no worker.
struct Bystander(Child);

impl Bystander {
    fn new() -> Bystander {
        Bystander(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Its start time, in the kernel's clock ticks.
    fn start(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Changes fields of a session's lock file.
fn edit_lock_file(w: &World, changes: &[(&str, Value)]) {
    let path = w.session_locks().remove(0);
    let mut holder: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (name, value) in changes {
        holder[*name] = value.clone();
    }
    fs::write(path, format!("{holder}\n")).unwrap();
}

#[test]
fn a_process_that_reuses_the_pid_of_a_worker_is_never_killed() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "200ms");
    let mut bystander = Bystander::new();
    let pid = w.worker_of("s");
    w.kill(pid);
    // Simulates a reused pid: the lock file names the bystander.
    edit_lock_file(&w, &[("pid", bystander.0.id().into())]);
    assert_eq!(w.memctl(&["kill", "--all"]).ok(), "no worker is running\n");
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.until_count(TOOLS, 1);
    // The new worker hangs. Its lock file names the bystander's pid, first with a wrong start time,
    // then with the right one.
    let pid = w.worker();
    w.signal(pid, Signal::SIGSTOP);
    for start in [1, bystander.start()] {
        edit_lock_file(&w, &[("pid", bystander.0.id().into()), ("start", start.into())]);
        let output = w.memctl(&["kill", "s"]);
        assert!(bystander.is_alive(), "{output:?}");
        w.hook(&tool("s", "t", &format!("u-{start}"), "ls", "x"));
    }
    assert!(bystander.is_alive());
}

#[test]
fn two_workers_after_a_deleted_lock_file_store_each_event_once() {
    let mut w = World::new();
    let claimed = w.path("claimed");
    w.set("MEMCTL_WORKER_LINGER", "60s");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", claimed.display()));
    w.hooks(&[prompt("s", "t", "go"), edit("s", "t", "u1", "a.rs"), stop("s", "t", "Done.")]);
    until("the first worker claims a batch", || {
        claimed.exists().then_some(()).ok_or(String::new())
    });
    // The open prompt keeps both workers alive.
    w.hook(&prompt("s", "t2", "go on"));
    let first = w.worker();
    w.set("MEMCTL_TESTPOINT", "");
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = w.spawn(&["worker", "--client", "claude-code", "--session", "s"]);
    w.until_count(SUMMARIES, 1);
    assert!(w.processes().contains(&first), "both workers run");
    let (lock, socket) = (w.session_locks(), w.socket_files());
    let inode = |file: &PathBuf| fs::metadata(file).unwrap().ino();
    let second_files = (inode(&lock[0]), inode(&socket[0]));
    // The store rejects the first worker's result, because its fencing token is stale. The worker
    // exits and leaves the second worker's files.
    fs::remove_file(&claimed).unwrap();
    until("the first worker exits", || match w.processes()[..] {
        [only] if only == second.id().cast_signed() => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    assert_eq!((inode(&lock[0]), inode(&socket[0])), second_files);
    w.hooks(&[edit("s", "t2", "u2", "b.rs"), end("s")]);
    w.settle();
    second.wait().unwrap();
    assert_eq!(w.summarized_prompts(), [1, 2]);
    assert_eq!(w.rows(DUPLICATES), [""; 0]);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'tool'"), 2);
    assert!(w.logs().contains("lock file was deleted or replaced"), "{}", w.logs());
}

/// An idle worker notices the deleted lock file when it exits.
#[test]
fn an_idle_worker_whose_lock_file_was_deleted_leaves_the_new_owners_files() {
    let w = World::lingering();
    let first = w.worker_of("s");
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = w.spawn(&["worker", "--client", "claude-code", "--session", "s"]);
    w.until_count("SELECT generation FROM sessions", 2);
    w.signal(first, Signal::SIGTERM);
    until("the first worker exits", || match w.processes()[..] {
        [only] if only == second.id().cast_signed() => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    assert_eq!((w.session_locks().len(), w.socket_files().len()), (1, 1));
    // The event goes to the second worker's socket; no third worker starts.
    w.hooks(&[tool("s", "t", "u", "ls", "x"), end("s")]);
    w.settle();
    second.wait().unwrap();
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["2"]);
}

#[test]
fn a_zombie_worker_counts_as_dead() {
    let w = World::lingering();
    w.spool(&prompt("s", "t", "go"));
    let mut child = w.spawn(&["worker", "--client", "claude-code", "--session", "s"]);
    let pid = child.id().cast_signed();
    w.until_count("SELECT ifnull(max(generation), 0) FROM sessions", 1);
    w.signal(pid, Signal::SIGKILL);
    until("the worker is a zombie", || is_gone(pid).then_some(()).ok_or(String::new()));
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((&rows[0]["state"], &rows[0]["pid"]), (&"stale".into(), &Value::Null));
    w.hook(&tool("s", "t", "u", "ls", "x"));
    w.until_count(TOOLS, 1);
    w.hook(&end("s"));
    w.settle();
    child.wait().unwrap();
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["2"]);
}

#[test]
fn two_clients_with_the_same_session_id_are_two_sessions() {
    let w = World::lingering();
    for client in ["claude-code", "codex"] {
        let hook = |payload: Value| {
            w.hook_bytes(&["--client", client], payload.to_string().as_bytes()).json()
        };
        hook(prompt("s", "t", &format!("for {client}")));
        hook(tool("s", "t", "u", "ls", "x"));
    }
    w.until_count(TOOLS, 2);
    until("two workers", || match (w.processes().len(), w.socket_files().len()) {
        (2, 2) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(
        w.rows(
            "SELECT s.client, prompt_text FROM user_prompts p
             JOIN sessions s ON s.id = p.session_id ORDER BY s.client"
        ),
        ["claude-code|for claude-code", "codex|for codex"]
    );
}

#[test]
fn a_repeated_tool_id_is_a_duplicate_only_within_its_turn() {
    let w = World::new();
    for turn in ["t1", "t2", "t3"] {
        w.hook(&prompt("s", turn, &format!("do {turn}")));
        for id in ["call_1", "call_2", "call_1"] {
            w.hook(&edit("s", turn, id, &format!("{turn}-{id}.rs")));
        }
        w.hook(&stop("s", turn, "Done."));
    }
    w.hook(&end("s"));
    w.settle();
    assert_eq!(
        w.rows(
            "SELECT prompt_number, group_concat(tool_use_id, ' ') FROM (SELECT * FROM
             pending_messages WHERE event = 'tool' ORDER BY id) GROUP BY prompt_number"
        ),
        ["1|call_1 call_2", "2|call_1 call_2", "3|call_1 call_2"]
    );
    assert_eq!(w.count("SELECT count(*) FROM observation_files WHERE path LIKE '%call%'"), 6);
}

fn start_from(session: &str, source: &str, turn: Option<&str>) -> Value {
    let mut payload = start(session);
    payload["source"] = source.into();
    if let Some(turn) = turn {
        payload["prompt_id"] = turn.into();
    }
    payload
}

/// Both hooks are children of this process, so they belong to one client.
#[test]
fn a_session_that_continues_under_a_new_id_is_linked_to_its_parent() {
    let w = World::new();
    let mut ended = end("s");
    ended["reason"] = "resume".into();
    ended["prompt_id"] = "t".into();
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done."), ended]);
    w.settle();
    w.hooks(&[start_from("branch", "fork", Some("t")), start_from("no branch", "fork", Some("x"))]);
    for session in ["branch", "no branch"] {
        w.hooks(&[prompt(session, "t2", "go on"), end(session)]);
    }
    w.settle();
    assert_eq!(
        w.rows(
            "SELECT s.content_session_id, p.content_session_id FROM sessions s
             LEFT JOIN sessions p ON p.id = s.parent_session_id ORDER BY s.content_session_id"
        ),
        ["branch|s", "no branch|-", "s|-"]
    );
    assert_eq!(w.count("SELECT count(*) FROM user_prompts WHERE prompt_number = 1"), 3);
}

#[test]
fn a_session_resumed_in_a_second_terminal_is_the_same_session() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    w.hooks(&[stop("s", "t", "Done."), start_from("s", "resume", None)]);
    w.hooks(&[prompt("s", "t2", "from the other terminal"), prompt("s", "t3", "from this one")]);
    w.hooks(&[stop("s", "t2", "There."), stop("s", "t3", "Here.")]);
    w.until_count(SUMMARIES, 3);
    assert_eq!(w.worker(), pid);
    assert_eq!(w.rows("SELECT content_session_id, prompt_counter FROM sessions"), ["s|3"]);
}
