//! Injects random faults while the sessions run.

use std::fs::{self, File};
use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;

use super::{DISK, Length, Random, Run};
use crate::support::until;
use crate::support::wait::jitter;

/// The longest pause between two faults.
const MAX_PAUSE: Duration = Duration::from_millis(120);

/// The time between two kills, if there are no other faults.
const KILL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a lock or a full disk lasts: longer than a hook waits for a reply (150 ms), shorter than
/// its last deadline.
const HOLD_TIME: Duration = Duration::from_millis(400);

const HOUR: u64 = 3_600_000;

/// Injects faults until all sessions have run.
pub fn inject(run: &Run) {
    let mut faults =
        Faults { run, random: Random(run.plan.seed), stopped: Vec::new(), started: Vec::new() };
    let mut next = Instant::now();
    while !run.faults_ended.load(Ordering::Relaxed) {
        match run.plan.length {
            Length::Sessions(_) => {
                next += KILL_INTERVAL;
                jitter(next.saturating_duration_since(Instant::now()));
                faults.kill_random();
            }
            Length::Time(_) => {
                jitter(faults.random.duration_below(MAX_PAUSE));
                faults.inject_one();
            }
        }
    }
    faults.end();
}

struct Faults<'a> {
    run: &'a Run,
    random: Random,
    /// Stopped processes, and when to continue them: before or long after the hang timeout.
    stopped: Vec<(i32, Instant)>,
    started: Vec<Child>,
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
        let Some(&pid) = self.random.choose(&all) else { return };
        let fault = match role(pid).as_str() {
            "hook" => "killed a hook",
            "worker" => "killed a worker",
            "recover" => "killed a recovery",
            // The process has just exited, or has not called exec yet.
            _ => "killed a starting or exiting process",
        };
        self.signal(pid, Signal::SIGKILL, fault);
    }

    fn with_role(&self, wanted: &str) -> Vec<i32> {
        let mut pids = self.run.world.processes();
        pids.retain(|pid| role(*pid) == wanted);
        pids
    }

    fn kill(&mut self, wanted: &str, fault: &'static str) {
        if let Some(&pid) = self.random.choose(&self.with_role(wanted)) {
            self.signal(pid, Signal::SIGKILL, fault);
        }
    }

    fn stop_a_worker(&mut self) {
        if let Some(&pid) = self.random.choose(&self.with_role("worker")) {
            self.signal(pid, Signal::SIGSTOP, "stopped a worker");
            let until = Instant::now() + self.random.duration_below(Duration::from_secs(6));
            self.stopped.push((pid, until));
        }
    }

    /// Continues the processes whose time has come. Their sessions may have new workers.
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
        self.started.retain_mut(|worker| matches!(worker.try_wait(), Ok(None)));
    }

    fn remove(&mut self, files: &[std::path::PathBuf], fault: &'static str) {
        if self.random.choose(files).is_some_and(|file| fs::remove_file(file).is_ok()) {
            self.run.count(fault);
        }
    }

    /// Acts as a program that writes to the database without taking the store lock.
    fn lock_the_database(&mut self) {
        let database = self.run.world.data().join("memctl.db");
        let Ok(conn) = Connection::open(database) else { return };
        conn.busy_timeout(Duration::from_secs(1)).unwrap();
        if conn.execute_batch("BEGIN IMMEDIATE").is_ok() {
            self.run.count("locked the database");
            jitter(HOLD_TIME);
            conn.execute_batch("ROLLBACK").unwrap();
        }
    }

    fn hold_the_store_lock(&mut self) {
        let Ok(file) = File::open(self.run.world.data().join("run/store.lock")) else { return };
        file.lock().unwrap();
        self.run.count("held the store lock");
        jitter(HOLD_TIME);
    }

    /// Keeps the disk full for longer than most workers need to start.
    fn fill_the_disk(&mut self) {
        let w = &self.run.world;
        if self.run.disk && w.shrink_to_fit("data").is_ok() {
            self.run.count("filled the disk");
            jitter(HOLD_TIME);
            until("the disk is as large as before", || w.remount("data", &format!("size={DISK}")));
        }
    }

    fn kill_a_client(&mut self) {
        let clients = self.run.clients.lock().unwrap();
        if let Some(&pid) = self.random.choose(&clients) {
            // The pid is still the client's: the driver removes it from the list before it reaps the
            // client.
            self.signal(pid, Signal::SIGKILL, "killed a client");
        }
    }

    /// Sets the clock up to two hours forward or back. Recovery then ends the sessions of killed clients.
    fn set_the_clock(&mut self) {
        if cfg!(debug_assertions) {
            let offset = self.random.below(4 * HOUR) as i64 - 2 * HOUR as i64;
            fs::write(self.run.world.path("clock"), offset.to_string()).unwrap();
            self.run.count("set the clock");
        }
    }

    fn start_second_worker(&mut self) {
        let current = self.run.current.lock().unwrap().clone();
        let Some(session) = self.random.choose(&current) else { return };
        let args = ["worker", "--client", "claude-code", "--session", session];
        self.started.push(self.run.world.spawn(&args));
        self.run.count("started a second worker");
    }

    /// Continues all stopped processes and waits for the second workers.
    fn end(&mut self) {
        self.continue_stopped(Instant::now() + Duration::from_secs(60));
        for mut worker in self.started.drain(..) {
            until("the second worker exits", || match worker.try_wait() {
                Ok(None) => Err(format!("{} is alive", worker.id())),
                _ => Ok(()),
            });
        }
    }
}

/// Returns the first argument of a memctl process, which is its role.
fn role(pid: i32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = arguments.split(|b| *b == 0).nth(1).unwrap_or_default();
    String::from_utf8_lossy(first).into_owned()
}
