//! Load of 200 sessions at once: no event may be lost, and the slowest hooks must stay near the floor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::Programs;
use crate::hooks::{SMALL, Server};
use crate::measure::{Result, Samples, case, interleave, wait_within};
use crate::report::{Report, Row, heading};
use crate::world::World;

const SESSIONS: usize = 200;
const EVENTS: usize = 50;
/// Driver threads that keep two processors busy.
const FEW_DRIVERS: usize = 4;

const STORED: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";

fn session(n: usize) -> String {
    format!("storm-{n:03}")
}

/// Creates a world and starts a worker for each session.
fn start_workers(programs: &Programs) -> Result<World> {
    let world = World::new(&programs.memctl)?;
    for n in 0..SESSIONS {
        world.prompt(&session(n))?;
    }
    wait_within(Duration::from_secs(60), "a worker for each session", || {
        Ok((world.workers()?.len() == SESSIONS).then_some(()))
    })?;
    Ok(world)
}

/// Runs `once` for each number below `n` on `drivers` threads, without pauses.
pub fn run_parallel<T: Send>(
    n: usize,
    drivers: usize,
    once: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let drive = || {
        let mut done = Vec::new();
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < n => done.push(once(number)?),
                _ => return Ok(done),
            }
        }
    };
    thread::scope(|scope| {
        let drivers: Vec<_> = (0..drivers).map(|_| scope.spawn(drive)).collect();
        let done: Result<Vec<Vec<T>>> =
            drivers.into_iter().map(|d| d.join().map_err(|_| "a driver panicked")?).collect();
        Ok(done?.into_iter().flatten().collect())
    })
}

/// Sends tool use `number`. Consecutive numbers belong to different sessions.
fn tool_use(world: &World, number: usize) -> Result<Duration> {
    let name = session(number % SESSIONS);
    world.hook("PostToolUse", &world.tool_use(&name, number, SMALL))
}

/// Reports how many events are missing from the store, and how many of them hooks did not count as
/// lost.
fn report_lost(report: &mut Report, world: &World, name: &str, sent: usize) -> Result<()> {
    let stored = || world.count(STORED).map(|n| usize::try_from(n).unwrap_or(0));
    let all =
        wait_within(
            Duration::from_secs(60),
            "all events",
            || Ok((stored()? == sent).then_some(())),
        );
    let lost = if all.is_ok() { 0 } else { sent.abs_diff(stored()?) };
    report.row(Row::single(name, lost as f64, "events").at_most(0.0));
    let uncounted = lost.saturating_sub(world.counted_lost());
    report.row(Row::single("lost without being counted", uncounted as f64, "events").at_most(0.0));
    Ok(())
}

pub fn few_drivers(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("200 sessions × 50 events of 10 KB, 4 drivers, all workers alive");
    let world = start_workers(programs)?;
    let mut number = SESSIONS * EVENTS;
    let unloaded = case("one hook at a time, 200 workers", || {
        number += 1;
        tool_use(&world, number)
    });
    let unloaded =
        interleave(programs.runs, vec![unloaded]).pop().and_then(|s| report.samples_or_report(s));
    let Some(unloaded) = unloaded else { return Ok(()) };
    report.row(Row::time(&unloaded));
    let before = usize::try_from(world.count(STORED)?).unwrap_or(0);
    let took = run_parallel(SESSIONS * EVENTS, FEW_DRIVERS, |number| tool_use(&world, number))?;
    let loaded = Samples::new("PostToolUse under load", took);
    let row = Row::time(&loaded).p99_at_most_times(20.0, unloaded.median(), "one at a time");
    report.row(row);
    report_lost(report, &world, "events lost", before + SESSIONS * EVENTS)
}

pub fn many_drivers(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("200 sessions × 50 events of 10 KB, 200 drivers, all workers alive");
    let world = start_workers(programs)?;
    // As many servers as workers. Each server has its own file, while all workers share one database.
    let servers = (0..SESSIONS)
        .map(|n| Server::start_as(&world, &programs.floor, "durable", &session(n)))
        .collect::<Result<Vec<_>>>()?;
    let payload = world.tool_use("floor", 0, SMALL);
    let floors = run_parallel(SESSIONS * EVENTS, SESSIONS, |number| {
        servers[number % SESSIONS].hook(&world, &programs.floor, &payload)
    })?;
    drop(servers);
    let hooks = run_parallel(SESSIONS * EVENTS, SESSIONS, |number| tool_use(&world, number))?;
    let floor = Samples::new("floor: hook, durable, under load", floors);
    report.row(Row::time(&floor));
    let loaded = Samples::new("PostToolUse under load", hooks);
    let row = Row::time(&loaded).p99_at_most_times(3.0, floor.p99(), "the floor's");
    report.row(row);
    report_lost(report, &world, "events lost", SESSIONS * EVENTS)
}
