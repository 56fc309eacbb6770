//! What a hook costs its client: alone, with a worker, with a large payload, with many memories.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::json;

use crate::measure::{Line, Result, interleave, line, wait_for, whole_process};
use crate::report::{Report, Row, heading};
use crate::world::{World, end};
use crate::{Programs, fill};

/// Of a payload on stdin.
pub const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;

/// A server of the floor's hook.
pub struct Server {
    child: Child,
    socket: String,
}

impl Server {
    pub fn start(world: &World, floor: &Path, promise: &str) -> Result<Server> {
        Server::start_as(world, floor, promise, promise)
    }

    /// One of several, by its name.
    pub fn start_as(world: &World, floor: &Path, promise: &str, name: &str) -> Result<Server> {
        let socket = world.socket_dir().join(name).display().to_string();
        let file = world.path(name).display().to_string();
        let mut command = Command::new(floor);
        let child = command
            .args(["serve", &socket, &file, promise])
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
    heading("A hook of 10 KB, its worker alive");
    let world = World::new(&programs.memctl)?;
    let floor = programs.floor.as_path();
    let durable = Server::start(&world, floor, "durable")?;
    let volatile = Server::start(&world, floor, "volatile")?;
    let payload = world.tool_use("floor", 0, SMALL);
    let mut number = 0;
    let mut tool_use = || {
        number += 1;
        world.tool_use("small", number, SMALL)
    };
    let mut plugin_number = 1_000_000;
    let mut plugin_use = || {
        plugin_number += 1;
        world.tool_use("small", plugin_number, SMALL)
    };
    let empty = || Ok(whole_process(&mut world.command(floor, &["empty"]), b"")?.0);
    let mut lines = vec![
        line("floor: an empty process", empty),
        line("floor: hook, durable", || durable.hook(&world, floor, &payload)),
        line("floor: hook, server promises nothing", || volatile.hook(&world, floor, &payload)),
    ];
    match world.begin("small") {
        Ok(_) => {
            lines.push(line("PostToolUse", || world.hook("PostToolUse", &tool_use())));
            lines.push(line("PostToolUse through hooks/run.sh", || {
                world.plugin_hook("PostToolUse", &plugin_use())
            }));
        }
        Err(why) => report.missing(format!("PostToolUse with a worker: {why}")),
    }
    let mut samples = interleave(programs.runs, lines).into_iter();
    let mut next = || samples.next().and_then(|s| report.take(s));
    let (empty, floor, volatile, hook, plugin) = (next(), next(), next(), next(), next());
    for floor in [&empty, &floor, &volatile].into_iter().flatten() {
        report.row(Row::time(floor));
    }
    let Some(floor) = floor else { return Ok(()) };
    if let Some(hook) = hook {
        report.row(Row::time(&hook).at_most_times(1.3, &floor));
    }
    if let Some(plugin) = plugin {
        report.row(Row::time(&plugin).at_most_above(1.2, &floor));
    }
    Ok(())
}

pub fn large(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A hook of 1 MB, its worker alive");
    let world = World::new(&programs.memctl)?;
    let durable = Server::start(&world, &programs.floor, "durable")?;
    let payload = world.tool_use("floor", 0, LARGE);
    let mut number = 0;
    let mut lines = vec![line("floor: hook, durable, 1 MB", || {
        durable.hook(&world, &programs.floor, &payload)
    })];
    match world.begin("large") {
        Ok(_) => lines.push(line("PostToolUse, 1 MB", || {
            number += 1;
            world.hook("PostToolUse", &world.tool_use("large", number, LARGE))
        })),
        Err(why) => report.missing(format!("PostToolUse, 1 MB: {why}")),
    }
    held_against_the_first(report, programs.runs, lines, 1.5);
    Ok(())
}

/// Nobody listens: the event goes to disk and a worker is started. Each run has a copy of a store
/// in which nothing is left to do, so that it starts this worker and nothing else.
pub fn alone(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A hook of 10 KB, no worker alive");
    let world = World::new(&programs.memctl)?;
    let durable = Server::start(&world, &programs.floor, "durable")?;
    let payload = world.tool_use("alone", 0, SMALL);
    let mut lines =
        vec![line("floor: hook, durable", || durable.hook(&world, &programs.floor, &payload))];
    match world.live_once() {
        Ok(()) => lines.push(line("PostToolUse that starts a worker", || {
            let copy = world.copy()?;
            let took = copy.hook("PostToolUse", &payload)?;
            end(copy.worker()?)?;
            Ok(took)
        })),
        Err(why) => report.missing(format!("PostToolUse that starts a worker: {why}")),
    }
    held_against_the_first(report, programs.runs, lines, 2.0);
    Ok(())
}

pub fn session_start(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("The start of a session");
    let filled = |n| -> Result<World> {
        let world = World::new(&programs.memctl)?;
        world.live_once()?;
        fill::observations(&world.data().join("memctl.db"), n).map_err(|e| e.to_string())?;
        Ok(world)
    };
    let (few, many) = match (filled(100), filled(100_000)) {
        (Ok(few), Ok(many)) => (few, many),
        (Err(why), _) | (_, Err(why)) => return Err(format!("SessionStart: {why}")),
    };
    let start = |world: &World| {
        let fields = json!({ "source": "startup" });
        world.hook("SessionStart", &world.payload("next", "SessionStart", fields))
    };
    let lines = vec![
        line("SessionStart, 100 observations", || start(&few)),
        line("SessionStart, 100,000 observations", || start(&many)),
    ];
    held_against_the_first(report, programs.runs, lines, 3.0);
    Ok(())
}

fn held_against_the_first(report: &mut Report, runs: usize, lines: Vec<Line<'_>>, most: f64) {
    let mut samples = interleave(runs, lines).into_iter();
    let Some(floor) = samples.next().and_then(|s| report.take(s)) else { return };
    report.row(Row::time(&floor));
    for line in samples {
        if let Some(line) = report.take(line) {
            report.row(Row::time(&line).at_most_times(most, &floor));
        }
    }
}
