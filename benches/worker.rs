//! Startup time, memory and wake-ups of a worker.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use memctl_proto::event::Tool;
use memctl_proto::{Event, Kind, Reply, Request, io};

use crate::Programs;
use crate::measure::{Result, Samples, case, interleave, pause, wait_within};
use crate::report::{Report, Row, heading};
use crate::world::{Session, World, kill_and_wait};

const EVENTS: usize = 10_000;
/// How long an idle worker is observed.
const OBSERVATION: Duration = Duration::from_secs(60);

pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A worker");
    if let Some(samples) = startup(programs).and_then(|s| report.samples_or_report(s)) {
        report.row(Row::time(&samples).at_most(5.0));
    }
    if !Path::new("/proc/self/status").exists() {
        return Err("memory and wake-ups of a worker need /proc".into());
    }
    let world = World::new(&programs.memctl)?;
    let session =
        world.start_session("worker").map_err(|why| format!("memory of a worker: {why}"))?;
    wait_until_idle(session.worker)?;
    let (resident, anonymous) = memory(session.worker)?;
    report.row(Row::single("idle: resident", resident, "MB").at_most(8.0));
    report.row(Row::single("idle: anonymous", anonymous, "MB").at_most(2.0));
    let before = wake_ups(session.worker)?;
    pause(OBSERVATION);
    let woken = (wake_ups(session.worker)? - before) as f64;
    report.row(Row::single("idle: wake-ups per minute", woken, "times").at_most(0.0));
    let took = send(&session, EVENTS)?;
    report.row(Row::single("10,000 events accepted, one at a time", took.as_secs_f64(), "s"));
    wait_until_idle(session.worker)?;
    let (resident, anonymous) = memory(session.worker)?;
    report.row(Row::single("after 10,000 events: resident", resident, "MB").at_most(12.0));
    report.row(Row::single("after 10,000 events: anonymous", anonymous, "MB").at_most(5.0));
    Ok(())
}

/// Measures from the spawn of `memctl worker` until its socket accepts a connection. The previous
/// worker is killed with one event unfinished, because a worker without work would exit at once.
fn startup(programs: &Programs) -> Option<std::result::Result<Samples, String>> {
    let once = || {
        let world = World::new(&programs.memctl)?;
        let session = world.start_session("started")?;
        world.hook("PostToolUse", &world.tool_use(&session.id, 1, 2_000))?;
        let socket = world.socket()?;
        kill_and_wait(session.worker)?;
        let args = ["worker", "--client", "claude-code", "--session", &session.id];
        let mut command = world.command(&programs.memctl, &args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        while UnixStream::connect(&socket).is_err() && start.elapsed() < Duration::from_secs(2) {
            std::hint::spin_loop();
        }
        let took = start.elapsed();
        let _ = child.kill();
        let _ = child.wait();
        match took {
            long if long >= Duration::from_secs(2) => Err("no socket within 2 s".into()),
            _ => Ok(took),
        }
    };
    interleave(programs.runs.min(200), vec![case("spawn to listening", once)]).pop()
}

/// Sends events like hooks do, but from this process, and returns the time.
fn send(session: &Session<'_>, n: usize) -> Result<Duration> {
    let socket = session.world.socket()?;
    let name = socket.file_stem().unwrap_or_default().to_string_lossy();
    let session_key = name[name.len().saturating_sub(16)..].to_owned();
    let start = Instant::now();
    for number in 0..n {
        let mut stream = UnixStream::connect(&socket).map_err(|e| e.to_string())?;
        let request =
            Request::Event { session_key: session_key.clone(), json: event(session, number) };
        match io::call(&mut stream, &request) {
            Ok(Reply::Accepted { .. }) => {}
            reply => return Err(format!("event {number} of {n}: {reply:?}")),
        }
    }
    Ok(start.elapsed())
}

fn event(session: &Session<'_>, number: usize) -> String {
    let at = 1_700_000_000_000 + number as i64;
    let mut event = Event::new(Kind::Tool, "claude-code", &session.id, at);
    event.turn = Some(format!("turn-of-{}", session.id));
    event.tool = Some(Tool {
        name: "Bash".into(),
        use_id: Some(format!("toolu_{number}")),
        input: Some(format!(r#"{{"command":"cargo test part-{number}"}}"#)),
        response: Some("test a_part_of_it ... ok\n".repeat(80)),
        files: Vec::new(),
    });
    event.to_json()
}

/// Waits until the process has not been scheduled for half a second.
pub fn wait_until_idle(pid: i32) -> Result<()> {
    let mut last = wake_ups(pid)?;
    let mut since = Instant::now();
    wait_within(Duration::from_secs(120), "the worker to become idle", || {
        let now = wake_ups(pid)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        Ok((since.elapsed() > Duration::from_millis(500)).then_some(()))
    })
}

/// Returns the resident memory and its anonymous part, in MB.
pub fn memory(pid: i32) -> Result<(f64, f64)> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let megabytes = |kilobytes: u64| kilobytes as f64 * 1024.0 / 1e6;
    let (resident, anonymous) = (number(&status, "VmRSS:")?, number(&status, "RssAnon:")?);
    Ok((megabytes(resident), megabytes(anonymous)))
}

/// Returns the number of voluntary context switches of all threads. A thread that sleeps makes one.
fn wake_ups(pid: i32) -> Result<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .map_err(|e| format!("worker {pid} is gone: {e}"))?;
    threads
        .flatten()
        .map(|thread| {
            let status = read(&thread.path().join("status").display().to_string())?;
            number(&status, "voluntary_ctxt_switches:")
        })
        .sum()
}

fn number(status: &str, key: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| format!("no {key} in /proc"))
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}
