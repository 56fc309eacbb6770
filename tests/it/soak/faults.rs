//! Random faults until the calm phase.

use std::fs::{self, File};
use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;

use super::{DISK, Measure, Random, Run};
use crate::support::until;
use crate::support::wait::jitter;

/// The longest pause between two faults.
const PAUSE: Duration = Duration::from_millis(120);

/// The pause between two kills, when there are no other faults.
const KILLS: Duration = Duration::from_millis(50);

/// Longer than a hook waits for an answer (150 ms), shorter than its last deadline.
const HELD: Duration = Duration::from_millis(400);

const HOUR: u64 = 3_600_000;

pub fn until_calm(run: &Run) {
    let mut faults =
        Faults { run, random: Random(run.plan.seed), stopped: Vec::new(), starters: Vec::new() };
    let mut next = Instant::now();
    while !run.calm.load(Ordering::Relaxed) {
        match run.plan.measure {
            Measure::Sessions(_) => {
                next += KILLS;
                jitter(next.saturating_duration_since(Instant::now()));
                faults.kill_random();
            }
            Measure::Time(_) => {
                jitter(faults.random.moment(PAUSE));
                faults.inject_one();
            }
        }
    }
    faults.end();
}

struct Faults<'a> {
    run: &'a Run,
    random: Random,
    /// Stopped processes and when they continue: before or long after a timeout.
    stopped: Vec<(i32, Instant)>,
    starters: Vec<Child>,
}

impl Faults<'_> {
    fn inject_one(&mut self) {
        self.continue_stopped(Instant::now());
        let w = &self.run.world;
        match self.random.below(20) {
            0 | 1 => self.kill("hook", "killed a hook"),
            2..=5 => self.kill("worker", "killed a worker"),
            6 | 7 => self.kill("recover", "killed a recovery"),
            8 | 9 => self.stop_a_worker(),
            10 => self.remove(&w.socket_files(), "removed a socket"),
            11 => self.remove(&w.session_locks(), "removed a session's lock file"),
            12 => self.lock_the_database(),
            13 => self.hold_the_store_lock(),
            14 => self.fill_the_disk(),
            15 | 16 => self.kill_a_client(),
            17 => self.set_the_clock(),
            _ => self.start_second_worker(),
        }
    }

    fn signal(&self, pid: i32, signal: Signal, fault: &'static str) {
        if kill(Pid::from_raw(pid), signal).is_ok() {
            self.run.count(fault);
        }
    }

    fn kill_random(&mut self) {
        let all = self.run.world.processes();
        let Some(&pid) = self.random.of(&all) else { return };
        let fault = match role(pid).as_str() {
            "hook" => "killed a hook",
            "worker" => "killed a worker",
            "recover" => "killed a recovery",
            // It has just exited, or is about to exec.
            _ => "killed a starting or exiting process",
        };
        self.signal(pid, Signal::SIGKILL, fault);
    }

    fn of_role(&self, wanted: &str) -> Vec<i32> {
        let mut pids = self.run.world.processes();
        pids.retain(|pid| role(*pid) == wanted);
        pids
    }

    fn kill(&mut self, wanted: &str, fault: &'static str) {
        if let Some(&pid) = self.random.of(&self.of_role(wanted)) {
            self.signal(pid, Signal::SIGKILL, fault);
        }
    }

    fn stop_a_worker(&mut self) {
        if let Some(&pid) = self.random.of(&self.of_role("worker")) {
            self.signal(pid, Signal::SIGSTOP, "stopped a worker");
            let until = Instant::now() + self.random.moment(Duration::from_secs(6));
            self.stopped.push((pid, until));
        }
    }

    /// Continues the processes whose time has come. Their sessions may have new owners.
    fn continue_stopped(&mut self, now: Instant) {
        if self.stopped.iter().any(|(_, at)| *at <= now) {
            let alive = self.run.world.processes();
            self.stopped.retain(|(pid, at)| {
                if *at <= now && alive.contains(pid) {
                    let _ = kill(Pid::from_raw(*pid), Signal::SIGCONT);
                }
                *at > now
            });
        }
        self.starters.retain_mut(|starter| matches!(starter.try_wait(), Ok(None)));
    }

    fn remove(&mut self, files: &[std::path::PathBuf], fault: &'static str) {
        if self.random.of(files).is_some_and(|file| fs::remove_file(file).is_ok()) {
            self.run.count(fault);
        }
    }

    /// A writer that ignores our locks, such as a person with a tool.
    fn lock_the_database(&mut self) {
        let database = self.run.world.data().join("memctl.db");
        let Ok(conn) = Connection::open(database) else { return };
        conn.busy_timeout(Duration::from_secs(1)).unwrap();
        if conn.execute_batch("BEGIN IMMEDIATE").is_ok() {
            self.run.count("locked the database");
            jitter(HELD);
            conn.execute_batch("ROLLBACK").unwrap();
        }
    }

    fn hold_the_store_lock(&mut self) {
        let Ok(file) = File::open(self.run.world.data().join("run/store.lock")) else { return };
        file.lock().unwrap();
        self.run.count("held the store lock");
        jitter(HELD);
    }

    /// Keeps the disk full for longer than the startup of many workers takes.
    fn fill_the_disk(&mut self) {
        let w = &self.run.world;
        if self.run.disk && w.shrink_to_fit("data").is_ok() {
            self.run.count("filled the disk");
            jitter(HELD);
            until("the disk is as large as before", || w.remount("data", &format!("size={DISK}")));
        }
    }

    fn kill_a_client(&mut self) {
        let clients = self.run.clients.lock().unwrap();
        if let Some(&pid) = self.random.of(&clients) {
            // A killed client leaves the list before it is reaped.
            self.signal(pid, Signal::SIGKILL, "killed a client");
        }
    }

    /// Changes the clock by up to two hours in either direction, which is too little for a session
    /// to count as silent.
    fn set_the_clock(&mut self) {
        if cfg!(debug_assertions) {
            let offset = self.random.below(4 * HOUR) as i64 - 2 * HOUR as i64;
            fs::write(self.run.world.path("clock"), offset.to_string()).unwrap();
            self.run.count("set the clock");
        }
    }

    fn start_second_worker(&mut self) {
        let current = self.run.current.lock().unwrap().clone();
        let Some(session) = self.random.of(&current) else { return };
        let args = ["worker", "--client", "claude-code", "--session", session];
        self.starters.push(self.run.world.spawn(&args));
        self.run.count("started a second worker");
    }

    /// Stops all faults.
    fn end(&mut self) {
        self.continue_stopped(Instant::now() + Duration::from_secs(60));
        for mut starter in self.starters.drain(..) {
            until("the second worker exits", || match starter.try_wait() {
                Ok(None) => Err(format!("{} is alive", starter.id())),
                _ => Ok(()),
            });
        }
    }
}

/// The first argument of memctl, which identifies its role.
fn role(pid: i32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let role = arguments.split(|b| *b == 0).nth(1).unwrap_or_default();
    String::from_utf8_lossy(role).into_owned()
}
