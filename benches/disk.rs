//! Disk space of distilled sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Programs;
use crate::measure::{Result, wait_within, whole_process};
use crate::report::{Report, Row, heading};
use crate::world::World;

/// How often each recorded session is sent, with a new id each time. The size of an empty database then
/// matters little.
const REPETITIONS: usize = 4;

pub fn recorded_sessions(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("Disk space");
    let world = World::new(&programs.memctl)?;
    match transcripts() {
        Some(dir) => replay(&world, programs, &dir)?,
        None => send_recorded(&world)?,
    }
    wait_within(Duration::from_secs(120), "the workers to exit", || {
        Ok(world.workers()?.is_empty().then_some(()))
    })?;
    let events = world.count(
        "SELECT (SELECT count(*) FROM user_prompts) + (SELECT count(*) FROM pending_messages)",
    )?;
    let unfinished =
        world.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'")?;
    if unfinished > 0 {
        return Err(format!("disk: {unfinished} of {events} events were not distilled"));
    }
    let megabytes = world.database_bytes() as f64 / 1e6;
    report.row(Row::single("recorded sessions, distilled", events as f64, "events"));
    let each = megabytes * 1000.0 / events as f64;
    report.row(Row::single("disk per 1,000 events", each, "MB").at_most(2.0));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the benchmark's own setting")]
fn transcripts() -> Option<PathBuf> {
    std::env::var_os("MEMCTL_BENCH_TRANSCRIPTS").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

fn replay(world: &World, programs: &Programs, dir: &Path) -> Result<()> {
    let fail = |e: std::io::Error| format!("{}: {e}", dir.display());
    for entry in fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            let args = ["replay", &path.display().to_string()];
            whole_process(&mut world.command(&programs.memctl, &args), b"")?;
        }
    }
    Ok(())
}

/// Sends the recorded sessions through the hooks.
fn send_recorded(world: &World) -> Result<()> {
    let dir =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude-code-2.1.329/sequences");
    let fail = |e: std::io::Error| format!("{}: {e}", dir.display());
    for (n, entry) in fs::read_dir(&dir).map_err(fail)?.enumerate() {
        let text = fs::read_to_string(entry.map_err(fail)?.path()).map_err(fail)?;
        let steps: Vec<Value> = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        for repetition in 0..REPETITIONS {
            let id = format!("recorded-{n}-{repetition}");
            for step in &steps {
                let mut payload = step["payload"].clone();
                payload["session_id"] = id.clone().into();
                let event = payload["hook_event_name"].as_str().unwrap_or_default().to_owned();
                world.hook(&event, &payload.to_string())?;
            }
            let end = world.payload(&id, "SessionEnd", json!({ "reason": "other" }));
            world.hook("SessionEnd", &end)?;
        }
    }
    Ok(())
}
