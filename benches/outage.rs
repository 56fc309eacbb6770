//! Hooks while the store is locked or the worker hangs. Each must stay within its deadline, and workers
//! that wait for the lock must use little CPU.

use std::fs::{self, File};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::Programs;
use crate::hooks::SMALL;
use crate::measure::{Result, Samples, case, interleave, wait_for};
use crate::report::{Report, Row, heading};
use crate::storm::run_parallel;
use crate::world::World;

const SESSIONS: usize = 20;
const EVENTS: usize = 20;
const DRIVERS: usize = 4;

pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("Hooks while the worker hangs");
    hung_worker(report, programs)?;
    heading("20 sessions while the store is locked, 4 drivers");
    locked_store(report, programs)
}

/// The budgets are `hook.deadline` (250 ms) and `hook.end_deadline` (1 s), plus the time to start and
/// end the process.
fn hung_worker(report: &mut Report, programs: &Programs) -> Result<()> {
    let runs = programs.runs.min(20);
    let world = World::new(&programs.memctl)?;
    let session = world.start_session("hung")?;
    stop(session.worker)?;
    let mut number = 0;
    let tool_use = case("PostToolUse, worker hung", || {
        number += 1;
        world.hook("PostToolUse", &world.tool_use("hung", number, SMALL))
    });
    let end = case("SessionEnd, worker hung", || {
        world.hook("SessionEnd", &world.payload("hung", "SessionEnd", json!({ "reason": "other" })))
    });
    for (samples, limit) in interleave(runs, vec![tool_use, end]).into_iter().zip([300.0, 1100.0]) {
        if let Some(samples) = report.samples_or_report(samples) {
            report.row(Row::time(&samples).at_most(limit));
        }
    }
    Ok(())
}

fn locked_store(report: &mut Report, programs: &Programs) -> Result<()> {
    let world = World::new(&programs.memctl)?;
    let name = |n: usize| format!("locked-{:02}", n % SESSIONS);
    for n in 0..SESSIONS {
        world.prompt(&name(n))?;
    }
    let workers = wait_for("a worker for each session", || {
        Ok(world.workers().ok().filter(|workers| workers.len() == SESSIONS))
    })?;
    wait_for("all prompts to be stored", || {
        let stored = world.count("SELECT count(*) FROM user_prompts")?;
        Ok((stored == SESSIONS as i64).then_some(()))
    })?;
    let lock = File::open(world.data().join("run/store.lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    let cpu = || workers.iter().map(|pid| cpu_time(*pid)).sum::<Result<Duration>>();
    let before = cpu()?;
    let times = run_parallel(SESSIONS * EVENTS, DRIVERS, |n| {
        world.hook("PostToolUse", &world.tool_use(&name(n), n, SMALL))
    })?;
    let used = (cpu()? - before).as_secs_f64() * 1e3 / times.len() as f64;
    drop(lock);
    let samples = Samples::new("PostToolUse, store locked", times);
    report.row(Row::time(&samples).at_most(300.0));
    report.row(Row::single("CPU of the workers per event", used, "ms").at_most(20.0));
    Ok(())
}

fn stop(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).map_err(|e| format!("kill {pid}: {e}"))
}

/// Returns the user and system time of a process.
fn cpu_time(pid: i32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
