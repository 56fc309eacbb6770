//! All of it at once: many sessions through the real hooks while processes die, hang and lose
//! their files at moments drawn by lot; then the store is checked against what was acknowledged.
//!
//! ```text
//! MEMCTL_SOAK_SEED      what is drawn; printed on every run
//! MEMCTL_SOAK_SECONDS   how long sessions are driven (20)
//! MEMCTL_SOAK_EVENTS    instead: so many events in a hundredth as many sessions, and nothing but
//!                       SIGKILL, every 50 ms, to a memctl process drawn by lot
//! ```
//!
//! Which moments a seed meets depends on the machine as well: it draws faults, not schedules. What
//! is asserted holds under every schedule.

mod check;
mod driver;
mod faults;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::World;
use crate::support::recordings::start;
use crate::support::wait::within;

/// Sessions at a time.
const AT_ONCE: usize = 20;

/// Events of a session when they are counted.
const EVENTS_EACH: usize = 100;

/// How long everything may take to come to rest once nothing is done to it any more, before
/// recovery is asked for again; and how often it is. Who was told to die at a step, and whom he
/// started, die of it after that too, and one recovery tries a session once.
const REST: Duration = Duration::from_secs(20);
const ASKED: u32 = 9;

/// The disk of the data dir, while it is not full. In memory, of which it takes what is on it.
const DISK: &str = "4g";

/// How much is driven.
#[derive(Clone, Copy, Debug)]
enum Measure {
    Time(Duration),
    /// Sessions of [`EVENTS_EACH`] events.
    Sessions(usize),
}

struct Plan {
    seed: u64,
    measure: Measure,
}

impl Plan {
    #[expect(clippy::disallowed_methods, reason = "the test's own settings")]
    fn from_env() -> Plan {
        let number = |name: &str| {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
            Some(text.parse::<u64>().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        Plan {
            seed: number("MEMCTL_SOAK_SEED").unwrap_or(now % 1_000_000),
            measure: match number("MEMCTL_SOAK_EVENTS") {
                Some(events) => Measure::Sessions((events as usize).div_ceil(EVENTS_EACH)),
                None => {
                    Measure::Time(Duration::from_secs(number("MEMCTL_SOAK_SECONDS").unwrap_or(20)))
                }
            },
        }
    }
}

/// Numbers drawn by lot (SplitMix64): the same ones for the same seed.
struct Lot(u64);

impl Lot {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn moment(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(most.as_micros() as u64))
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.below(all.len() as u64) as usize])
    }
}

/// What the threads of a run share.
struct Run {
    world: World,
    plan: Plan,
    begun: Instant,
    /// Numbers of the sessions that were begun.
    next: AtomicUsize,
    /// Faults have stopped.
    calm: AtomicBool,
    /// Sessions that are being driven.
    current: Mutex<Vec<String>>,
    /// Clients that may be killed.
    clients: Mutex<Vec<i32>>,
    /// The data dir has a disk of its own, which may be full.
    disk: bool,
    /// How often each kind of fault was done.
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl Run {
    fn count(&self, fault: &'static str) {
        *self.faults.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// The number of another session, while there are any.
    fn another(&self) -> Option<usize> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        match self.plan.measure {
            Measure::Time(time) => self.begun.elapsed() < time,
            Measure::Sessions(sessions) => n < sessions,
        }
        .then_some(n)
    }
}

#[test]
fn what_was_acknowledged_is_there_once_whatever_dies() {
    let plan = Plan::from_env();
    println!("MEMCTL_SOAK_SEED={} {:?}", plan.seed, plan.measure);
    let mut world = World::new()
        .with("MEMCTL_WORKER_LINGER", "300ms")
        .with("MEMCTL_WORKER_IDLE_TIMEOUT", "3s")
        .with("MEMCTL_WORKER_CLIENT_GRACE", "200ms")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "500ms");
    let disk = matches!(plan.measure, Measure::Time(_)) && world.mount("data", DISK);
    let clock = world.path("clock").display().to_string();
    world.set("MEMCTL_TESTCLOCK", &clock);
    let run = Run {
        world,
        plan,
        begun: Instant::now(),
        next: AtomicUsize::new(0),
        calm: AtomicBool::new(false),
        current: Mutex::default(),
        clients: Mutex::default(),
        disk,
        faults: Mutex::default(),
    };
    let mut sessions = thread::scope(|scope| {
        let faults = scope.spawn(|| faults::until_calm(&run));
        let drivers: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(|| driver::sessions(&run))).collect();
        let driven: Vec<_> = drivers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        run.calm.store(true, Ordering::Relaxed);
        faults.join().unwrap();
        driven.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>()
    });
    let driven = run.begun.elapsed();
    let share = sessions.len().div_ceil(4).max(1);
    thread::scope(|scope| {
        for some in sessions.chunks_mut(share) {
            let run = &run;
            scope.spawn(move || some.iter_mut().for_each(|s| s.end_for_good(run)));
        }
    });
    let asked = rest(&run.world);
    let found = check::check(&run.world, &sessions);
    let faults = run.faults.lock().unwrap();
    println!(
        "driven for {:.1} s, at rest after {:.1} s more, recovery asked for {asked} times",
        driven.as_secs_f64(),
        (run.begun.elapsed() - driven).as_secs_f64()
    );
    println!("{found}");
    println!("faults: {faults:?}");
    if !found.wrong.is_empty() {
        let kept = run.world.keep();
        let shown = &found.wrong[..found.wrong.len().min(50)];
        panic!(
            "seed {}: {} wrong, world kept in {}:\n{}",
            run.plan.seed,
            found.wrong.len(),
            kept.display(),
            shown.join("\n")
        );
    }
}

/// Lets all come to rest. How often a start of another session had to ask for recovery.
fn rest(w: &World) -> u32 {
    let left = || {
        let files = [w.session_locks(), w.socket_files(), w.spools()].concat();
        let alive = w.processes();
        match files.is_empty() && alive.is_empty() {
            true => Ok(()),
            false => Err(format!("{files:?}, processes {alive:?}")),
        }
    };
    let mut asked = 0;
    loop {
        asked += 1;
        let _ = w.hook_bytes(&[], start("the last one").to_string().as_bytes());
        match within(REST, left) {
            Ok(()) => return asked,
            // What is still there is found by the check.
            Err(state) if asked == ASKED => {
                println!("not at rest: {state}");
                return asked;
            }
            Err(state) => println!("not at rest after {REST:?}: {state}"),
        }
    }
}
