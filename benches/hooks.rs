//! Latency of hooks: with and without a worker, with large payloads, and with many observations.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::json;

use crate::measure::{Build, Case, Result, Samples, case, interleave, wait_for, whole_process};
use crate::report::{Report, Row, heading};
use crate::world::{World, kill_and_wait};
use crate::{Programs, fill};

/// Sizes of a payload in bytes.
pub const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;

const DURABLE: &str = "floor: hook, durable";
const THROUGH_PLUGIN: &str = "PostToolUse through the plugin";

/// The server that `floor hook` connects to.
pub struct Server {
    child: Child,
    socket: String,
}

impl Server {
    pub fn start(world: &World, floor: &Path, mode: &str) -> Result<Server> {
        Server::start_as(world, floor, mode, mode)
    }

    /// Starts one of several servers in a world, each with its own socket and file.
    pub fn start_as(world: &World, floor: &Path, mode: &str, name: &str) -> Result<Server> {
        let socket = world.socket_dir().join(name).display().to_string();
        let file = world.path(name).display().to_string();
        let mut command = Command::new(floor);
        let child = command
            .args(["serve", &socket, &file, mode])
            .spawn()
            .map_err(|e| format!("{}: {e}", floor.display()))?;
        wait_for("the floor's server", || Ok(Path::new(&socket).exists().then_some(())))?;
        Ok(Server { child, socket })
    }

    pub fn hook(&self, world: &World, floor: &Path, payload: &str) -> Result<Duration> {
        let command = &mut world.command(floor, &["hook", &self.socket]);
        Ok(whole_process(command, payload.as_bytes())?.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn small(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A 10 KB hook, worker alive");
    let worlds = worlds(programs)?;
    let (floor_world, floor) = (World::new(&programs.memctl)?, programs.floor.as_path());
    let durable = Server::start(&floor_world, floor, "durable")?;
    let volatile = Server::start(&floor_world, floor, "volatile")?;
    let payload = floor_world.tool_use("floor", 0, SMALL);
    let empty = || Ok(whole_process(&mut floor_world.command(floor, &["empty"]), b"")?.0);
    let mut cases = vec![
        case("floor: an empty process", empty),
        case(DURABLE, || durable.hook(&floor_world, floor, &payload)),
        case("floor: hook, not durable", || volatile.hook(&floor_world, floor, &payload)),
    ];
    for (build, world) in &worlds {
        if let Err(why) = world.start_session("small") {
            report.not_measured(format!("PostToolUse with a worker: {why}"));
            continue;
        }
        let mut number = 0;
        let hook = move || {
            number += 1;
            world.hook("PostToolUse", &world.tool_use("small", number, SMALL))
        };
        let mut plugin_number = 1_000_000;
        let plugin = move || {
            plugin_number += 1;
            world.plugin_hook("PostToolUse", &world.tool_use("small", plugin_number, SMALL))
        };
        cases.push(case("PostToolUse", hook).with_build(*build));
        cases.push(case(THROUGH_PLUGIN, plugin).with_build(*build));
    }
    report_hooks(report, programs.runs, cases, DURABLE, |row, floor| match row.name.as_str() {
        "PostToolUse" => row.at_most_times(1.3, floor),
        THROUGH_PLUGIN => row.at_most_above(1.2, floor),
        _ => row,
    });
    Ok(())
}

pub fn large(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A 1 MB hook, worker alive");
    let worlds = worlds(programs)?;
    let floor_world = World::new(&programs.memctl)?;
    let durable = Server::start(&floor_world, &programs.floor, "durable")?;
    let payload = floor_world.tool_use("floor", 0, LARGE);
    let mut cases = vec![case(DURABLE, || durable.hook(&floor_world, &programs.floor, &payload))];
    for (build, world) in &worlds {
        if let Err(why) = world.start_session("large") {
            report.not_measured(format!("PostToolUse, 1 MB: {why}"));
            continue;
        }
        let mut number = 0;
        let hook = move || {
            number += 1;
            world.hook("PostToolUse", &world.tool_use("large", number, LARGE))
        };
        cases.push(case("PostToolUse, 1 MB", hook).with_build(*build));
    }
    report_hooks(report, programs.runs, cases, DURABLE, |row, floor| row.at_most_times(1.5, floor));
    Ok(())
}

/// Measures a hook without a worker, which writes the event to the spool and starts a worker. Each run
/// uses a copy of a store without unfinished work, so that the hook starts no other worker.
pub fn alone(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A 10 KB hook, no worker alive");
    let worlds = worlds(programs)?;
    let floor_world = World::new(&programs.memctl)?;
    let durable = Server::start(&floor_world, &programs.floor, "durable")?;
    let payload = floor_world.tool_use("alone", 0, SMALL);
    let mut cases = vec![case(DURABLE, || durable.hook(&floor_world, &programs.floor, &payload))];
    for (build, world) in &worlds {
        if let Err(why) = world.run_one_session() {
            report.not_measured(format!("PostToolUse that starts a worker: {why}"));
            continue;
        }
        let hook = move || {
            let copy = world.copy()?;
            let took = copy.hook("PostToolUse", &copy.tool_use("alone", 0, SMALL))?;
            kill_and_wait(copy.worker()?)?;
            Ok(took)
        };
        cases.push(case("PostToolUse that starts a worker", hook).with_build(*build));
    }
    report_hooks(report, programs.runs, cases, DURABLE, |row, floor| row.at_most_times(2.0, floor));
    Ok(())
}

pub fn session_start(report: &mut Report, programs: &Programs) -> Result<()> {
    const FEW: &str = "SessionStart, 100 observations";
    const MANY: &str = "SessionStart, 100,000 observations";
    const PROGRAMS: &str = "SessionStart, 1,000 sessions of programs";
    heading("SessionStart");
    let mut worlds = Vec::new();
    for name in [FEW, MANY, PROGRAMS] {
        for (build, world) in self::worlds(programs)? {
            world.run_one_session()?;
            let database = world.data().join("memctl.db");
            let filled = match name {
                FEW => fill::observations(&database, 100),
                MANY => fill::observations(&database, 100_000),
                _ => fill::programs(&database, 1_000),
            };
            filled.map_err(|e| e.to_string())?;
            worlds.push((name, build, world));
        }
    }
    let mut cases = Vec::new();
    for (name, build, world) in &worlds {
        let hook = move || {
            let fields = json!({ "source": "startup" });
            world.hook("SessionStart", &world.payload("next", "SessionStart", fields))
        };
        cases.push(case(name, hook).with_build(*build));
    }
    report_hooks(report, programs.runs, cases, FEW, |row, few| row.at_most_times(3.0, few));
    Ok(())
}

/// The files of each directory that [`fill::observations`] names.
const FILES: usize = 97;

/// Measures hooks that read the store for memories after their event is delivered.
pub fn recall(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("Hooks with recall, 100,000 observations");
    let worlds = worlds(programs)?;
    let floor_world = World::new(&programs.memctl)?;
    let durable = Server::start(&floor_world, &programs.floor, "durable")?;
    let payload = floor_world.tool_use("floor", 0, 1_000);
    let mut cases = vec![case(DURABLE, || durable.hook(&floor_world, &programs.floor, &payload))];
    for (build, world) in &worlds {
        world.run_one_session()?;
        let database = world.data().join("memctl.db");
        fill::observations(&database, 100_000).map_err(|e| e.to_string())?;
        world.index("Why does the parser retry twice under load in case 123?")?;
        if let Err(why) = world.start_session("recall") {
            report.not_measured(format!("hooks with recall: {why}"));
            continue;
        }
        let mut number = 0;
        let prompt = move || {
            number += 1;
            let text = format!("Why does the parser retry twice under load in case {number}?");
            let fields = json!({ "prompt": text });
            world.hook("UserPromptSubmit", &world.payload("recall", "UserPromptSubmit", fields))
        };
        let mut part = 0;
        let read = move || {
            part += 1;
            // A session is told of a file once.
            let name = format!("src/{}/part_{}.rs", fill::PARTS[part % 8], part % FILES);
            let file = world.path("project").join(name);
            let fields = json!({
                "tool_name": "Read",
                "tool_input": { "file_path": file },
                "tool_use_id": format!("toolu_{part:024}"),
            });
            world.hook("PreToolUse", &world.payload("recall", "PreToolUse", fields))
        };
        cases.push(case("UserPromptSubmit with recall", prompt).with_build(*build));
        cases.push(case("PreToolUse of Read", read).with_build(*build));
    }
    report_hooks(report, programs.runs, cases, DURABLE, |row, floor| row.at_most_times(2.5, floor));
    Ok(())
}

/// Creates one world for each build under test: `--built`, then `--against`.
fn worlds(programs: &Programs) -> Result<Vec<(Build, World)>> {
    let mut worlds = vec![(Build::Current, World::new(&programs.memctl)?)];
    if let Some(memctl) = &programs.against {
        worlds.push((Build::Against, World::new(memctl)?));
    }
    Ok(worlds)
}

/// Measures the cases in turn and reports them: the current build with its budget relative to the case
/// named `floor`, floors without a budget, and a comparison with the `--against` build.
fn report_hooks(
    report: &mut Report,
    runs: usize,
    cases: Vec<Case<'_>>,
    floor: &str,
    budget: impl Fn(Row, &Samples) -> Row,
) {
    let samples: Vec<_> = interleave(runs, cases)
        .into_iter()
        .filter_map(|samples| report.samples_or_report(samples))
        .collect();
    let (current, against): (Vec<_>, Vec<_>) =
        samples.iter().partition(|samples| samples.build == Build::Current);
    let Some(floor) = current.iter().find(|samples| samples.name == floor) else { return };
    for samples in &current {
        let row = Row::time(samples);
        let is_floor = samples.name == floor.name || samples.name.starts_with("floor: ");
        report.row(if is_floor { row } else { budget(row, floor) });
    }
    for old in against {
        if let Some(new) = current.iter().find(|new| new.name == old.name) {
            report.row(Row::comparison(new, old));
        }
    }
}
