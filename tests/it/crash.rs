//! The crash table: for every test point in the sources, a process crashes there. Afterwards, each event
//! must have taken effect exactly once, and no process or file may be left.
//!
//! Hooks crash by SIGKILL, because they handle an abort and print a reply. Workers and recovery abort.

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

/// The scenario in which a process reaches a test point.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scenario {
    /// A hook writes its event to the spool, because there is no worker.
    Spooling,
    /// A hook sends its event to a live worker.
    Sending,
    /// A worker drains a spool, receives more events, distills them, lingers and exits.
    Turn,
    /// The same with a model as the memory agent.
    WithModel,
    /// A worker finds the socket of a dead one.
    StaleSocket,
    /// The first batch of a worker fails.
    Failing,
    /// A worker receives SIGTERM while it has claimed a batch.
    Terminated,
    /// `memctl recover` runs with each kind of work.
    Recovery,
    /// `memctl queue` drains the spool of a session that has no worker.
    Queue,
}

use Scenario::{
    Failing, Queue, Recovery, Sending, Spooling, StaleSocket, Terminated, Turn, WithModel,
};

/// All test points, in the order in which an event reaches them. A point with two scenarios is listed
/// twice.
const TABLE: &[(&str, Scenario)] = &[
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

/// Points that these scenarios do not reach. They have tests of their own.
const ELSEWHERE: &[&str] = &[
    "capture.redact",
    "edit.changed",
    "edit.read",
    "forget.removed",
    "forget.replaced",
    "project.changing",
    "project.changed",
    "project.moved",
    "words.rebuilt",
    "undo.restored",
    "import.committing",
    "import.committed",
    "import.stored",
    "resume.piece",
    "resume.imported",
    "starter.answered",
    "starter.waiting",
];

/// Number of rows that run in parallel. They mostly wait for processes.
const PARALLEL: usize = 4;

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
    assert_eq!(of_sources, twice, "a name occurs twice");
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
fn no_event_is_lost_if_a_hook_crashes() {
    run_rows(&[Spooling, Sending]);
}

#[test]
fn no_event_is_lost_if_a_worker_crashes() {
    run_rows(&[Turn, WithModel, StaleSocket, Failing, Terminated]);
}

#[test]
fn recovery_can_be_repeated_if_it_crashes() {
    run_rows(&[Recovery, Queue]);
}

/// Runs the rows of these scenarios and prints the outcome of each.
#[track_caller]
fn run_rows(scenarios: &[Scenario]) {
    let rows: VecDeque<_> =
        TABLE.iter().filter(|(_, scenario)| scenarios.contains(scenario)).collect();
    let (waiting, outcomes) = (Mutex::new(rows.clone()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                while let Some((point, scenario)) = next(&waiting) {
                    let outcome = catch_unwind(AssertUnwindSafe(|| run_row(point, *scenario)));
                    let index = rows.iter().position(|row| **row == (point, *scenario)).unwrap();
                    outcomes.lock().unwrap().insert(index, outcome.map_err(drop));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    println!("{:<22} {:<12} outcome", "crashed at", "scenario");
    for (row, outcome) in rows.iter().zip(outcomes.values()) {
        let outcome = outcome.as_deref().unwrap_or("FAILED, see above");
        println!("{:<22} {:<12} {outcome}", row.0, format!("{:?}", row.1));
    }
    let failed: Vec<_> = rows.iter().zip(outcomes.values()).filter(|(_, o)| o.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn next<'a>(
    waiting: &Mutex<VecDeque<&'a (&'static str, Scenario)>>,
) -> Option<(&'a str, &'a Scenario)> {
    waiting.lock().unwrap().pop_front().map(|(point, scenario)| (*point, scenario))
}

/// A row of the table, with the world in which it runs. A file named `mark` shows that the point was
/// reached.
struct Row {
    world: World,
    point: &'static str,
    scenario: Scenario,
}

fn run_row(point: &'static str, scenario: Scenario) -> String {
    let mut row = Row { world: World::new(), point, scenario };
    row.world.set("MEMCTL_WORKER_HANG_TIMEOUT", "2s");
    match scenario {
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
    /// Returns a value of `MEMCTL_TESTPOINT` that crashes the processes that reach the point.
    fn crash_point(&self, how: &str) -> String {
        let (point, mark) = (self.point, self.world.path("mark"));
        format!("{point}=mark:{},{point}={how}", mark.display())
    }

    fn reached(&self) -> bool {
        self.world.path("mark").exists()
    }

    /// Waits until the point was reached and no process is left.
    fn wait_for_crashes(&self) {
        until(self.point, || match (self.reached(), &self.world.processes()[..]) {
            (true, []) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Removes the test point, and makes the temporary files of the spool old enough for removal.
    fn disarm(&mut self) {
        self.world.set("MEMCTL_TESTPOINT", "");
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

    /// The hook of one tool use crashes. Those before and after it do not.
    fn hook(mut self) -> String {
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("s");
        if self.scenario == Spooling {
            self.world.kill(pid);
        }
        let crashed = self.world.hook_at(&tool_use("u1"), &self.crash_point("kill"));
        assert_eq!((crashed.code, crashed.out.as_str()), (None, ""), "{}", self.point);
        assert!(self.reached(), "{}", self.point);
        self.disarm();
        self.world.hooks(&[tool_use("u2"), stop("s", "t", "All pass."), end("s")]);
        let is_stored = match self.point {
            "hook.read" | "hook.captured" | "hook.prepared" | "hook.marked" => false,
            // Written, but only to a temporary file, which is not drained.
            "spool.written" => false,
            _ => true,
        };
        let uses = if is_stored { &["u1", "u2"][..] } else { &["u2"] };
        let text =
            if is_stored { "event stored once" } else { "event not acknowledged and not stored" };
        format!("{text}; {}", self.check(&["go"], uses))
    }

    /// Workers crash at the point until none of them is left. Then the session continues.
    fn turn(mut self, before: &str) -> String {
        self.world.set("MEMCTL_TESTPOINT", &format!("{before}{}", self.crash_point("abort")));
        self.world.hook(&prompt("s", "t", "go"));
        until("a worker listens or has crashed", || {
            let serves = self.world.spools().is_empty() && self.world.processes().len() == 1;
            (serves || self.reached()).then_some(()).ok_or_else(|| self.point.to_owned())
        });
        self.world.hook(&tool_use("u1"));
        self.world.hook(&stop("s", "t", "All pass."));
        self.wait_for_crashes();
        self.disarm();
        self.world.hooks(&[
            prompt("s", "t2", "go on"),
            tool_use_in("t2", "u2"),
            stop("s", "t2", "Went on."),
            end("s"),
        ]);
        self.check(&["go", "go on"], &["u1", "u2"])
    }

    /// The same with a model. A worker whose predecessor crashed during a call repeats the call.
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
        self.world.set("MEMCTL_TESTPOINT", &self.crash_point("abort"));
        self.world.hook(&tool_use("u1"));
        self.wait_for_crashes();
        self.disarm();
        self.world.hooks(&[tool_use("u2"), stop("s", "t", "All pass."), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    fn terminated(mut self) -> String {
        let claimed = self.world.path("claimed");
        let pause =
            format!("distill.begun=pause:{},{}", claimed.display(), self.crash_point("abort"));
        self.world.set("MEMCTL_TESTPOINT", &pause);
        self.world.hooks(&[prompt("s", "t", "go"), tool_use("u1"), stop("s", "t", "All pass.")]);
        until("a batch is claimed", || claimed.exists().then_some(()).ok_or(String::new()));
        let pid = self.world.worker();
        self.world.signal(pid, Signal::SIGTERM);
        self.wait_for_crashes();
        self.disarm();
        self.world.hooks(&[tool_use("u2"), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    /// Recovery finds a spool, the files of a dead worker, and an inactive session.
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
        for event in
            [prompt("s", "t", "go"), tool_use("u1"), tool_use("u2"), stop("s", "t", "Done.")]
        {
            self.world.spool(&event);
        }
        self.world.execute_sql(
            "INSERT INTO sessions (uuid, client, content_session_id, started_at_epoch,
               last_event_epoch) VALUES ('u', 'claude-code', 'silent', 1, 1);
             UPDATE sessions SET status = 'completed', end_reason = 'other'
             WHERE content_session_id = 'done'",
        );
        self.world.set("MEMCTL_WORKER_LINGER", "100ms");
        self.world.set("MEMCTL_TESTPOINT", &self.crash_point("abort"));
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
        assert_eq!(self.world.count(ends), 1, "number of ends");
        self.world.hook(&end("s"));
        self.check(&["go"], &["u1", "u2"])
    }

    fn queue(mut self) -> String {
        self.world.set("MEMCTL_WORKER_LINGER", "60s");
        let pid = self.world.worker_of("s");
        self.world.kill(pid);
        for event in [tool_use("u1"), tool_use("u2")] {
            self.world.spool(&event);
        }
        self.world.set("MEMCTL_TESTPOINT", &self.crash_point("abort"));
        let crashed = self.world.memctl(&["queue", "retry", "s"]);
        assert_eq!(crashed.code, None, "{crashed:?}");
        assert!(self.reached());
        self.disarm();
        let _ = self.world.memctl(&["queue", "retry", "s"]).ok();
        self.world.hooks(&[stop("s", "t", "All pass."), end("s")]);
        self.check(&["go"], &["u1", "u2"])
    }

    /// Checks that each event of session `s` has taken effect once, and that nothing is left.
    fn check(&self, prompts: &[&str], uses: &[&str]) -> String {
        let w = &self.world;
        w.settle();
        let point = self.point;
        let is_s = "content_session_id = 's'";
        assert_eq!(
            w.rows(&format!(
                "SELECT prompt_text FROM user_prompts p JOIN sessions s ON s.id = p.session_id
                 WHERE {is_s} ORDER BY prompt_number"
            )),
            prompts,
            "{point}"
        );
        let stored = format!(
            "SELECT tool_use_id FROM pending_messages
             WHERE {is_s} AND message_type = 'observation' ORDER BY id"
        );
        assert_eq!(w.rows(&stored), uses, "{point}");
        let stops =
            format!("SELECT count(*) FROM pending_messages WHERE {is_s} AND event = 'stop'");
        assert_eq!(w.count(&stops), prompts.len() as i64, "{point}");
        assert_eq!(
            w.rows(&format!(
                "SELECT prompt_number FROM session_summaries y
                 JOIN sessions s ON s.id = y.session_id WHERE {is_s} ORDER BY prompt_number"
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
        assert_eq!(w.count(observed), uses.len() as i64, "{point}: tool uses with an observation");
        let tmp = fs::read_dir(w.data().join("spool/tmp")).unwrap().count();
        let dead = fs::read_dir(w.data().join("spool/dead")).into_iter().flatten().count();
        assert_eq!((w.socket_files().len(), tmp, dead), (0, 0, 0), "{point}");
        let workers = w.count(&format!("SELECT generation FROM sessions WHERE {is_s}"));
        let n = prompts.len();
        format!("prompts {n}, uses {}, summaries {n}; workers {workers}", uses.len())
    }
}

fn tool_use(id: &str) -> serde_json::Value {
    tool_use_in("t", id)
}

/// An edit of a file of its own. The local agent makes an observation of it.
fn tool_use_in(turn: &str, id: &str) -> serde_json::Value {
    edit("s", turn, id, &format!("{id}.rs"))
}
