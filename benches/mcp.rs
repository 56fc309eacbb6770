//! The MCP server of a store with many rows: the time until it answers, and its memory after calls.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::measure::{Result, Samples};
use crate::report::{Report, Row, heading};
use crate::worker::memory;
use crate::world::World;
use crate::{Programs, fill};

const CALLS: usize = 30;

pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("MCP server, 100,000 observations");
    let world = World::new(&programs.memctl)?;
    world.run_one_session()?;
    let database = world.data().join("memctl.db");
    fill::observations(&database, 100_000).map_err(|e| e.to_string())?;
    world.index("Why does the parser retry twice under load in case 123?")?;
    let starts: Result<Vec<Duration>> =
        (0..programs.runs.min(100)).map(|_| Ok(Server::start(&world)?.ready)).collect();
    report.row(Row::time(&Samples::new("ready", starts?)).at_most(10.0));
    let mut server = Server::start(&world)?;
    let project = world.path("project");
    let mut times = Vec::new();
    for n in 0..CALLS {
        let query = format!("Why does the parser retry twice in case {n}?");
        let begun = Instant::now();
        server.call("search", json!({ "project": project, "query": query }))?;
        times.push(begun.elapsed());
        server.call("status", json!({ "project": project }))?;
        server.call("timeline", json!({ "project": project }))?;
        server.call("get", json!({ "ids": ["o100", "o200", "s30"] }))?;
    }
    report.row(Row::time(&Samples::new("a search", times)));
    let (resident, anonymous) = memory(server.child.id() as i32)?;
    report.row(Row::single("after calls: resident", resident, "MB").at_most(8.0));
    report.row(Row::single("after calls: anonymous", anonymous, "MB"));
    Ok(())
}

struct Server {
    child: std::process::Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// From the start of the process to the answer to `initialize`.
    ready: Duration,
}

impl Server {
    fn start(world: &World) -> Result<Server> {
        let begun = Instant::now();
        let mut command = world.memctl(&["mcp"]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().map_err(|e| e.to_string())?;
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = Server { child, stdout, ready: Duration::ZERO };
        server.ask(
            "initialize",
            json!({ "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": { "name": "bench", "version": "1" } }),
        )?;
        server.ready = begun.elapsed();
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(server)
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Result<()> {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }))?;
        match answer["result"]["isError"].as_bool() {
            Some(true) => Err(format!("{tool}: {answer}")),
            _ if answer["result"].is_null() => Err(format!("{tool}: {answer}")),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).map_err(|e| e.to_string())?;
        serde_json::from_str(&line).map_err(|e| format!("{method}: {e}: {line}"))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{message}").map_err(|e| e.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when stdin is closed.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
