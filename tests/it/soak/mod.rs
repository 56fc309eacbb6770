//! Runs many sessions through the real hooks, while processes are killed, hang and lose their files at
//! random moments. Then compares the store with the acknowledged events.
//!
//! ```text
//! MEMCTL_SOAK_SEED      seed of the random faults; printed on every run
//! MEMCTL_SOAK_SECONDS   time for which sessions run (20)
//! MEMCTL_SOAK_EVENTS    run this many events instead, 100 per session. The only fault is SIGKILL of
//!                       a random memctl process every 50 ms
//! ```
//!
//! A seed determines the faults but not the schedule, which also depends on the machine. The
//! assertions hold under every schedule.

mod check;
mod driver;
mod faults;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::World;
use crate::support::random::Random;
use crate::support::recordings::start;
use crate::support::wait::within;

/// Number of sessions that run in parallel.
const PARALLEL: usize = 20;

/// Events per session with MEMCTL_SOAK_EVENTS.
const EVENTS_EACH: usize = 100;

/// How long to wait for the system to become idle, before another SessionStart requests recovery, and
/// the maximum number of these starts. One is not enough: processes that inherited a test point may
/// still be killed by it, and a recovery tries each session only once.
const IDLE_LIMIT: Duration = Duration::from_secs(20);
const RECOVERIES: u32 = 9;

/// Size of the data directory's tmpfs. It uses only as much memory as it has content.
const DISK: &str = "4g";

/// The length of a run.
#[derive(Clone, Copy, Debug)]
enum Length {
    Time(Duration),
    /// Sessions of [`EVENTS_EACH`] events.
    Sessions(usize),
}

struct Plan {
    seed: u64,
    length: Length,
}

impl Plan {
    #[expect(clippy::disallowed_methods, reason = "settings of the test")]
    fn from_env() -> Plan {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        Plan {
            seed: number("MEMCTL_SOAK_SEED").unwrap_or(now % 1_000_000),
            length: match number("MEMCTL_SOAK_EVENTS") {
                Some(events) => Length::Sessions((events as usize).div_ceil(EVENTS_EACH)),
                None => {
                    Length::Time(Duration::from_secs(number("MEMCTL_SOAK_SECONDS").unwrap_or(20)))
                }
            },
        }
    }
}

/// The state that the threads of a run share.
struct Run {
    world: World,
    plan: Plan,
    started_at: Instant,
    /// The number of started sessions.
    next: AtomicUsize,
    /// Whether all sessions have run and no more faults are injected.
    faults_ended: AtomicBool,
    /// Sessions that are running.
    current: Mutex<Vec<String>>,
    /// Pids of the clients that may be killed.
    clients: Mutex<Vec<i32>>,
    /// Whether the data directory is a tmpfs, which can be filled.
    disk: bool,
    /// The number of faults of each kind.
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl Run {
    fn count(&self, fault: &'static str) {
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// Returns the number of the next session, or `None` at the end of the run.
    fn next_session(&self) -> Option<usize> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        match self.plan.length {
            Length::Time(time) => self.started_at.elapsed() < time,
            Length::Sessions(sessions) => n < sessions,
        }
        .then_some(n)
    }
}

#[test]
fn acknowledged_events_are_stored_once_under_random_faults() {
    let plan = Plan::from_env();
    println!("MEMCTL_SOAK_SEED={} {:?}", plan.seed, plan.length);
    let mut world = World::new()
        .with("MEMCTL_WORKER_LINGER", "300ms")
        .with("MEMCTL_WORKER_IDLE_TIMEOUT", "3s")
        .with("MEMCTL_WORKER_CLIENT_GRACE", "200ms")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "500ms");
    let disk = matches!(plan.length, Length::Time(_)) && world.mount("data", DISK);
    let clock = world.path("clock").display().to_string();
    world.set("MEMCTL_TESTCLOCK", &clock);
    let run = Run {
        world,
        plan,
        started_at: Instant::now(),
        next: AtomicUsize::new(0),
        faults_ended: AtomicBool::new(false),
        current: Mutex::default(),
        clients: Mutex::default(),
        disk,
        faults: Mutex::default(),
    };
    let mut sessions = thread::scope(|scope| {
        let faults = scope.spawn(|| faults::inject(&run));
        let drivers: Vec<_> =
            (0..PARALLEL).map(|_| scope.spawn(|| driver::sessions(&run))).collect();
        let driven: Vec<_> = drivers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        run.faults_ended.store(true, Ordering::Relaxed);
        faults.join().unwrap();
        driven.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>()
    });
    let driven = run.started_at.elapsed();
    let share = sessions.len().div_ceil(4).max(1);
    thread::scope(|scope| {
        for chunk in sessions.chunks_mut(share) {
            let run = &run;
            scope.spawn(move || chunk.iter_mut().for_each(|s| s.end_without_faults(run)));
        }
    });
    let starts = wait_until_idle(&run.world);
    let report = check::check(&run.world, &sessions);
    let faults = run.faults.lock().unwrap();
    println!(
        "ran for {:.1} s, idle after {:.1} s more, {starts} starts requested recovery",
        driven.as_secs_f64(),
        (run.started_at.elapsed() - driven).as_secs_f64()
    );
    println!("{report}");
    println!("faults: {faults:?}");
    if !report.violations.is_empty() {
        let kept = run.world.copy_to_tmp();
        let shown = &report.violations[..report.violations.len().min(50)];
        panic!(
            "seed {}: {} violations, world copied to {}:\n{}",
            run.plan.seed,
            report.violations.len(),
            kept.display(),
            shown.join("\n")
        );
    }
}

/// Waits until the system is idle. Returns the number of starts that requested recovery.
fn wait_until_idle(w: &World) -> u32 {
    let left = || {
        let files = [w.session_locks(), w.socket_files(), w.spools()].concat();
        let alive = [w.processes(), w.starting_processes()].concat();
        match files.is_empty() && alive.is_empty() {
            true => Ok(()),
            false => Err(format!("{files:?}, processes {alive:?}")),
        }
    };
    let mut starts = 0;
    loop {
        starts += 1;
        let _ = w.hook_bytes(&[], start("last").to_string().as_bytes());
        match within(IDLE_LIMIT, left) {
            Ok(()) => return starts,
            // The check reports what is left.
            Err(state) if starts == RECOVERIES => {
                println!("not idle: {state}");
                return starts;
            }
            Err(state) => println!("not idle after {IDLE_LIMIT:?}: {state}"),
        }
    }
}
