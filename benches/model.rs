//! Memory of a worker whose memory agent is a model behind HTTP. Measured after one turn, when the HTTP
//! client has been loaded.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::thread;

use serde_json::json;

use crate::Programs;
use crate::measure::{Result, wait_for};
use crate::report::{Report, Row, heading};
use crate::worker::{memory, wait_until_idle};
use crate::world::World;

pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    heading("A worker with a model");
    let fail = |e: std::io::Error| e.to_string();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    // The thread runs until the process exits.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    let world = World::with_own_account(&programs.memctl)?;
    let config = world.path("home/.config/memctl");
    DirBuilder::new().recursive(true).mode(0o700).create(&config).map_err(fail)?;
    let settings = format!(
        "[agent]\nbackend = 'openai'\nopenai.model = 'm'\nopenai.base_url = 'http://{address}/v1'\n"
    );
    let file = config.join("config.toml");
    fs::write(&file, settings).map_err(fail)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(fail)?;
    let session = world.start_session("model")?;
    world.hook("PostToolUse", &world.tool_use(&session.id, 1, 10_000))?;
    let last = json!({ "stop_hook_active": false, "last_assistant_message": "It is faster." });
    world.hook("Stop", &world.payload(&session.id, "Stop", last))?;
    wait_for("the model's summary", || {
        let command = &mut world.command(&programs.memctl, &["show", "s1", "--json"]);
        let (_, printed) = crate::measure::whole_process(command, b"").unwrap_or_default();
        Ok(printed.contains("By the model").then_some(()))
    })?;
    wait_until_idle(session.worker)?;
    let (resident, anonymous) = memory(session.worker)?;
    report.row(Row::single("after a turn: resident", resident, "MB").at_most(15.0));
    report.row(Row::single("after a turn: anonymous", anonymous, "MB"));
    Ok(())
}

/// Answers one request. The response is not a stream.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let line = line.to_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let text = "<observation><title>Faster</title></observation>\
        <summary><request>By the model</request></summary>";
    let body = json!({
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40},
    })
    .to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())
}
