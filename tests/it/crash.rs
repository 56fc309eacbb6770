//! The crash table. At every test point of the sources a process dies there, and afterwards each
//! event has taken effect exactly once and nothing is left behind.
//!
//! Hooks are killed, because they handle an abort with a reply. Workers and recovery abort.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::support::agent::{Api, configure};
use crate::support::recordings::{edit, end, prompt, start, stop};
use crate::support::{World, until};

/// How a process reaches a test point.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scene {
    /// A hook without a worker: through the spool.
    Spooling,
    /// A hook with a live worker: through the socket.
    Sending,
    /// A worker that drains a spool, receives more events, distils them, lingers and exits.
    Turn,
    /// A worker whose memory agent is a model.
    WithModel,
    /// A worker that finds the socket of a dead one.
    StaleSocket,
    /// A worker whose first batch fails.
    Failing,
    /// A worker that gets SIGTERM while it holds a batch.
    Terminated,
    /// `memctl recover` with each kind of work.
    Recovery,
    /// `memctl queue`, which drains the spool of a session without a worker.
    Queue,
}

use Scene::{
    Failing, Queue, Recovery, Sending, Spooling, StaleSocket, Terminated, Turn, WithModel,
};

/// Every point in the order in which an event reaches them. A point with two scenes is listed
/// twice.
const TABLE: &[(&str, Scene)] = &[
    ("hook.read", Spooling),
    ("hook.read", Sending),
    ("hook.captured", Spooling),
    ("hook.captured", Sending),
    ("hook.prepared", Spooling),
    ("hook.prepared", Sending),
    ("hook.marked", Spooling),
    ("hook.marked", Sending),
    ("spool.written", Spooling),
    ("spool.linked", Spooling),
    ("spool.synced", Spooling),
    ("deliver.spooled", Spooling),
    ("deliver.rung", Spooling),
    ("hook.delivered", Spooling),
    ("hook.delivered", Sending),
    ("worker.born", Turn),
    ("worker.locked", Turn),
    ("worker.asked", Turn),
    ("worker.cleared", StaleSocket),
    ("worker.bound", Turn),
    ("worker.bound", StaleSocket),
    ("worker.named", Turn),
    ("take_in.read", Turn),
    ("take_in.committed", Turn),
    ("take_in.unlinked", Turn),
    ("take_in.removed", Turn),
    ("worker.accepting", Turn),
    ("worker.accepted", Turn),
    ("worker.replying", Turn),
    ("worker.claimed", Turn),
    ("distill.begun", Turn),
    ("agent.asking", WithModel),
    ("agent.answered", WithModel),
    ("worker.completing", Turn),
    ("worker.completing", WithModel),
    ("worker.completed", Turn),
    ("worker.failing", Failing),
    ("worker.failed", Failing),
    ("worker.giving_back", Terminated),
    ("worker.given_back", Terminated),
    ("worker.closing_turns", Turn),
    ("worker.closed_turns", Turn),
    ("worker.closed", Turn),
    ("worker.looked", Turn),
    ("worker.in_order", Turn),
    ("worker.unlinked", Turn),
    ("worker.gone", Turn),
    ("recover.begun", Recovery),
    ("tidy.ended", Recovery),
    ("tidy.locked", Recovery),
    ("tidy.cleared", Recovery),
    ("recover.started", Recovery),
    ("tidy.took_in", Queue),
    ("take_in.committed", Queue),
];

/// Points that no event reaches; they have their own tests.
const ELSEWHERE: &[&str] = &["resume.piece", "resume.imported"];

/// Rows at a time. They mostly wait for processes.
const AT_ONCE: usize = 4;

#[test]
fn every_test_point_is_in_the_table() {
    let mut of_sources = Vec::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => dirs.push(path),
                path => of_sources.extend(points(&fs::read_to_string(path).unwrap())),
            }
        }
    }
    of_sources.sort();
    let mut twice = of_sources.clone();
    twice.dedup();
    assert_eq!(of_sources, twice, "each name occurs at one place");
    let of_table = TABLE.iter().map(|(point, _)| *point).chain(ELSEWHERE.iter().copied());
    let mut of_table: Vec<&str> = of_table.collect();
    of_table.sort_unstable();
    of_table.dedup();
    assert_eq!(of_table, of_sources);
}

fn points(source: &str) -> Vec<String> {
    let named = source.split("testpoint::at(\"").skip(1);
    named.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_hook_that_dies_at_any_point_loses_no_event() {
    run_rows(&[Spooling, Sending]);
}

#[test]
fn a_worker_that_dies_at_any_point_loses_no_event() {
    run_rows(&[Turn, WithModel, StaleSocket, Failing, Terminated]);
}

#[test]
fn a_recovery_that_dies_at_any_point_can_be_repeated() {
    run_rows(&[Recovery, Queue]);
}

/// Runs the rows of these scenes and prints the outcome of each.
#[track_caller]
fn run_rows(scenes: &[Scene]) {
    let rows: VecDeque<_> = TABLE.iter().filter(|(_, scene)| scenes.contains(scene)).collect();
    let (left, found) = (Mutex::new(rows.clone()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((point, scene)) = next(&left) {
                    let outcome = catch_unwind(AssertUnwindSafe(|| row(point, *scene)));
                    let place = rows.iter().position(|row| **row == (point, *scene)).unwrap();
                    found.lock().unwrap().insert(place, outcome.map_err(drop));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!("{:<22} {:<12} found after going on", "died at", "scene");
    for (row, outcome) in rows.iter().zip(found.values()) {
        let outcome = outcome.as_deref().unwrap_or("FAILED, see above");
        println!("{:<22} {:<12} {outcome}", row.0, format!("{:?}", row.1));
    }
    let failed: Vec<_> = rows.iter().zip(found.values()).filter(|(_, o)| o.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn next<'a>(left: &Mutex<VecDeque<&'a (&'static str, Scene)>>) -> Option<(&'a str, &'a Scene)> {
    left.lock().unwrap().pop_front().map(|(point, scene)| (*point, scene))
}

/// A world in which a process dies at one point, and the file that shows that it did.
struct Row {
    world: World,
    point: &'static str,
    scene: Scene,
}

fn row(point: &'static str, scene: Scene) -> String {
    let mut row = Row { world: World::new(), point, scene };
    row.world.set("MEMCTL_WORKER_HANG_TIMEOUT", "2s");
    match scene {
        Spooling | Sending => row.hook(),
        Turn => row.turn(""),
        Failing => row.turn("distill.begun#1=panic,"),
        WithModel => row.with_model(),
        StaleSocket => row.stale_socket(),
        Terminated => row.terminated(),
        Recovery => row.recovery(),
        Queue => row.queue(),
    }
}

impl Row {
    fn dies(&self, how: &str) -> String {
        let (point, mark) = (self.point, self.world.path("mark"));
        format!("{point}=mark:{},{point}={how}", mark.display())
    }

    fn reached(&self) -> bool {
        self.world.path("mark").exists()
    }

    /// Waits until all processes that were to die are dead.
    fn wait_for_deaths(&self) {
        until(self.point, || match (self.reached(), &self.world.processes()[..]) {
            (true, []) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Removes the test point.
    fn disarm(&mut self) {
        self.world.set("MEMCTL_TESTPOINT", "");
        // The timeout of a batch is one minute.
        let then = SystemTime::now() - Duration::from_secs(120);
        for file in fs::read_dir(self.world.data().join("spool/tmp")).into_iter().flatten() {
            File::options()
                .write(true)
                .open(file.unwrap().path())
                .unwrap()
                .set_modified(then)
                .unwrap();
        }
    }

    /// The hook of one tool use dies; the hooks before and after it do not.
    fn hook(mut self) -> String {
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("s");
        if self.scene == Spooling {
            self.world.kill(pid);
        }
        let died = self.world.hook_at(&use_of("u1"), &self.dies("kill"));
        assert_eq!((died.code, died.out.as_str()), (None, ""), "{}", self.point);
        assert!(self.reached(), "{}", self.point);
        self.disarm();
        self.world.hooks(&[use_of("u2"), stop("s", "t", "All pass."), end("s")]);
        let kept = match self.point {
            "hook.read" | "hook.captured" | "hook.prepared" | "hook.marked" => false,
            // Written, but not under the name that a drain looks for.
            "spool.written" => false,
            _ => true,
        };
        let uses = if kept { &["u1", "u2"][..] } else { &["u2"] };
        let text = if kept { "its event once" } else { "its event unanswered and not kept" };
        format!("{text}; {}", self.check(&["go"], uses))
    }

    /// Workers die at the point until no worker of the turn is left; then the session continues.
    fn turn(mut self, before: &str) -> String {
        self.world.set("MEMCTL_TESTPOINT", &format!("{before}{}", self.dies("abort")));
        self.world.hook(&prompt("s", "t", "go"));
        until("a worker listens or has died", || {
            let serves = self.world.spools().is_empty() && self.world.processes().len() == 1;
            (serves || self.reached()).then_some(()).ok_or_else(|| self.point.to_owned())
        });
        self.world.hook(&use_of("u1"));
        self.world.hook(&stop("s", "t", "All pass."));
        self.wait_for_deaths();
        self.disarm();
        self.world.hooks(&[
            prompt("s", "t2", "go on"),
            use_of_turn("t2", "u2"),
            stop("s", "t2", "Went on."),
            end("s"),
        ]);
        self.check(&["go", "go on"], &["u1", "u2"])
    }

    /// The same with a model: a worker that died during a call repeats it.
    fn with_model(self) -> String {
        let api = Api::distilling();
        let settings = "[agent]\nbackend = 'openai'\n[agent.openai]\nmodel = 'm'\nbase_url = ";
        configure(&self.world, &format!("{settings}'{}/v1'", api.url));
        self.turn("")
    }

    fn stale_socket(mut self) -> String {
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("s");
        self.world.kill(pid);
        self.world.set("MEMCTL_TESTPOINT", &self.dies("abort"));
        self.world.hook(&use_of("u1"));
        self.wait_for_deaths();
        self.disarm();
        self.world.hooks(&[use_of("u2"), stop("s", "t", "All pass."), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    fn terminated(mut self) -> String {
        let in_hand = self.world.path("in hand");
        let pause = format!("distill.begun=pause:{},{}", in_hand.display(), self.dies("abort"));
        self.world.set("MEMCTL_TESTPOINT", &pause);
        self.world.hooks(&[prompt("s", "t", "go"), use_of("u1"), stop("s", "t", "All pass.")]);
        until("a batch is claimed", || in_hand.exists().then_some(()).ok_or(String::new()));
        let pid = self.world.worker();
        self.world.signal(pid, Signal::SIGTERM);
        self.wait_for_deaths();
        self.disarm();
        self.world.hooks(&[use_of("u2"), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    /// A spool, the files of a dead worker, and a silent session.
    fn recovery(mut self) -> String {
        self.world.set("MEMCTL_TESTPOINT", "recover.begun=exit");
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("done");
        self.world.hooks(&[stop("done", "t", "Done."), end("done")]);
        until("recovery has exited", || match self.world.processes()[..] {
            [] => Ok(()),
            ref left => Err(format!("{left:?}, {pid} was started")),
        });
        self.world.hook(&prompt("done", "t2", "once more"));
        let pid = self.world.worker();
        self.world.hook(&stop("done", "t2", "Done again."));
        self.world.until_count("SELECT count(*) FROM session_summaries", 2);
        self.world.kill(pid);
        for event in [prompt("s", "t", "go"), use_of("u1"), use_of("u2"), stop("s", "t", "Done.")] {
            self.world.spool(&event);
        }
        self.world.execute_sql(
            "INSERT INTO sessions (uuid, client, content_session_id, started_at_epoch,
               last_event_epoch) VALUES ('u', 'claude-code', 'silent', 1, 1);
             UPDATE sessions SET status = 'completed', end_reason = 'other'
             WHERE content_session_id = 'done'",
        );
        self.world.set("MEMCTL_WORKER_LINGER", "100ms");
        self.world.set("MEMCTL_TESTPOINT", &self.dies("abort"));
        self.world.hook(&start("other"));
        until(self.point, || self.reached().then_some(()).ok_or(String::new()));
        self.disarm();
        until("no worker is left", || match self.world.processes()[..] {
            [] => Ok(()),
            ref left => Err(format!("{left:?}")),
        });
        self.world.hook(&start("another"));
        self.world.settle();
        assert_eq!(
            self.world.rows("SELECT status, end_reason FROM sessions WHERE uuid = 'u'"),
            ["completed|stale"]
        );
        let ends = "SELECT count(*) FROM pending_messages m JOIN sessions s ON s.id = m.session_id
                    WHERE s.uuid = 'u'";
        assert_eq!(self.world.count(ends), 1, "ended once");
        self.world.hook(&end("s"));
        self.check(&["go"], &["u1", "u2"])
    }

    fn queue(mut self) -> String {
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("s");
        self.world.kill(pid);
        for event in [use_of("u1"), use_of("u2")] {
            self.world.spool(&event);
        }
        self.world.set("MEMCTL_TESTPOINT", &self.dies("abort"));
        let died = self.world.memctl(&["queue", "retry", "s"]);
        assert_eq!(died.code, None, "{died:?}");
        assert!(self.reached());
        self.disarm();
        let _ = self.world.memctl(&["queue", "retry", "s"]).ok();
        self.world.hooks(&[stop("s", "t", "All pass."), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    /// Each event of session `s` has taken effect once, and nothing is left.
    fn check(&self, prompts: &[&str], uses: &[&str]) -> String {
        let w = &self.world;
        w.settle();
        let point = self.point;
        let of_s = "content_session_id = 's'";
        assert_eq!(
            w.rows(&format!(
                "SELECT prompt_text FROM user_prompts p JOIN sessions s ON s.id = p.session_id
                 WHERE {of_s} ORDER BY prompt_number"
            )),
            prompts,
            "{point}"
        );
        let kept = format!(
            "SELECT tool_use_id FROM pending_messages
             WHERE {of_s} AND message_type = 'observation' ORDER BY id"
        );
        assert_eq!(w.rows(&kept), uses, "{point}");
        let stops =
            format!("SELECT count(*) FROM pending_messages WHERE {of_s} AND event = 'stop'");
        assert_eq!(w.count(&stops), prompts.len() as i64, "{point}");
        assert_eq!(
            w.rows(&format!(
                "SELECT prompt_number FROM session_summaries y
                 JOIN sessions s ON s.id = y.session_id WHERE {of_s} ORDER BY prompt_number"
            )),
            (1..=prompts.len()).map(|n| n.to_string()).collect::<Vec<_>>(),
            "{point}"
        );
        let undone = "SELECT id, event, status, error FROM pending_messages
                      WHERE status <> 'processed'";
        assert_eq!(w.rows(undone), [""; 0], "{point}");
        let twice = "SELECT count(*) FROM (SELECT 1 FROM observations o
                     JOIN observation_sources s ON s.observation_id = o.id
                     WHERE o.superseded_by IS NULL
                     GROUP BY s.pending_message_id, o.type, o.title HAVING count(*) > 1)";
        assert_eq!(w.count(twice), 0, "{point}");
        let observed = "SELECT count(DISTINCT m.id) FROM observation_sources s
                        JOIN pending_messages m ON m.id = s.pending_message_id
                        WHERE m.message_type = 'observation'";
        assert_eq!(w.count(observed), uses.len() as i64, "{point}: uses that were observed");
        let tmp = fs::read_dir(w.data().join("spool/tmp")).unwrap().count();
        let dead = fs::read_dir(w.data().join("spool/dead")).into_iter().flatten().count();
        assert_eq!((w.socket_files().len(), tmp, dead), (0, 0, 0), "{point}");
        let workers = w.count(&format!("SELECT generation FROM sessions WHERE {of_s}"));
        let n = prompts.len();
        format!("prompts {n}, uses {}, summaries {n}; workers {workers}, nothing left", uses.len())
    }
}

fn use_of(id: &str) -> serde_json::Value {
    use_of_turn("t", id)
}

/// An edit of its own file, which is worth an observation.
fn use_of_turn(turn: &str, id: &str) -> serde_json::Value {
    edit("s", turn, id, &format!("{id}.rs"))
}
