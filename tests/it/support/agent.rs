//! Scripted memory agents: a server with the three APIs, and a program that speaks the JSON lines
//! of `claude`.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::World;

/// A received request.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The number of earlier requests.
    pub n: usize,
}

impl ApiRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The text for the model. Works for all three APIs.
    pub fn prompt(&self) -> String {
        let body = &self.body;
        let texts = [
            &body["messages"][0]["content"],
            &body["messages"][1]["content"],
            &body["contents"][0]["parts"][0]["text"],
        ];
        texts.iter().filter_map(|text| text.as_str()).next_back().unwrap_or_default().to_owned()
    }
}

/// The server's reaction to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Streams this text in the format of the API.
    Say(String),
    /// Sends this status, header and body.
    Status(u16, &'static str, String),
    /// Sends a body with this content type.
    Body(&'static str, String),
    /// Streams this text after a time.
    SayAfter(Duration, String),
    /// Sends no response until the test releases the request or ends.
    Hang,
    /// Sends a few bytes every 50 ms and never ends the response.
    Drip,
    /// Sends half a response and closes the connection.
    BreakOff,
}

/// Returns a reply with one observation of this title, and a summary if the prompt asks for one.
pub fn memory(prompt: &str, title: &str) -> String {
    let mut text = format!(
        "<observation><type>change</type><title>{title}</title>\
         <narrative>A narrative by the model.</narrative><facts><fact>one fact</fact></facts>\
         </observation>"
    );
    if prompt.contains("The turn is over") {
        text.push_str("<summary><request>By the model</request><completed>Done by the model");
        text.push_str("</completed></summary>");
    }
    text
}

type Script = Box<dyn FnMut(&ApiRequest) -> Reply + Send>;

struct Shared {
    script: Mutex<Script>,
    seen: Mutex<Vec<ApiRequest>>,
    /// Whether hanging requests may end.
    released: Mutex<bool>,
    release: Condvar,
    /// Whether the next connection stops the server.
    stopped: AtomicBool,
}

/// A server on loopback.
pub struct Api {
    pub url: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    pub fn start(script: impl FnMut(&ApiRequest) -> Reply + Send + 'static) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
            released: Mutex::new(false),
            release: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let server_shared = shared.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = server_shared.clone();
                let Ok(stream) = stream else { continue };
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Api { url, shared, thread: Some(thread) }
    }

    /// Starts a server that answers every batch with one observation with a numbered title.
    pub fn distilling() -> Api {
        Api::start(|request| {
            Reply::Say(memory(&request.prompt(), &format!("Told {}", request.n + 1)))
        })
    }

    pub fn requests(&self) -> Vec<ApiRequest> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Uses another script for later requests.
    pub fn set_script(&self, script: impl FnMut(&ApiRequest) -> Reply + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Ends hanging requests without a response.
    pub fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.release.notify_all();
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.release();
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, n)| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let request = {
        let mut seen = shared.seen.lock().unwrap();
        let request = ApiRequest { path, headers, body, n: seen.len() };
        seen.push(request.clone());
        request
    };
    let reply = (shared.script.lock().unwrap())(&request);
    let result = answer(&stream, &request, reply, shared);
    let _ = stream.shutdown(Shutdown::Both);
    result
}

fn answer(
    mut stream: &TcpStream,
    request: &ApiRequest,
    reply: Reply,
    shared: &Shared,
) -> std::io::Result<()> {
    const STREAM: &str = "text/event-stream; charset=utf-8";
    let head = |status: u16, header: &str, kind: &str| {
        format!("HTTP/1.1 {status} X\r\n{header}content-type: {kind}\r\nconnection: close\r\n\r\n")
    };
    match reply {
        Reply::Say(text) => {
            let text = head(200, "", STREAM) + &stream_of(&request.path, request, &text);
            stream.write_all(text.as_bytes())
        }
        Reply::SayAfter(time, text) => {
            let released = shared.released.lock().unwrap();
            drop(shared.release.wait_timeout_while(released, time, |released| !*released).unwrap());
            answer(stream, request, Reply::Say(text), shared)
        }
        Reply::Status(status, header, body) => {
            let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
            let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
            stream.write_all((head(status, &header, kind) + &body).as_bytes())
        }
        Reply::Body(kind, body) => stream.write_all((head(200, "", kind) + &body).as_bytes()),
        Reply::BreakOff => {
            let text = stream_of(&request.path, request, "<observation><title>half");
            let half = text.len() / 2;
            stream.write_all((head(200, "", STREAM) + &text[..half]).as_bytes())
        }
        Reply::Hang => {
            let released = shared.released.lock().unwrap();
            drop(shared.release.wait_while(released, |released| !*released).unwrap());
            Ok(())
        }
        Reply::Drip => {
            stream.write_all(head(200, "", STREAM).as_bytes())?;
            let mut released = shared.released.lock().unwrap();
            while !*released {
                stream.write_all(b":\n")?;
                released =
                    shared.release.wait_timeout(released, Duration::from_millis(50)).unwrap().0;
            }
            Ok(())
        }
    }
}

/// The text as a stream of the API, in pieces, with usage at 4 bytes per token.
fn stream_of(path: &str, request: &ApiRequest, text: &str) -> String {
    let input = request.body.to_string().len() / 4;
    let output = text.len().div_ceil(4);
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    let parts = [&text[..middle], &text[middle..]];
    let events: Vec<Value> = if path.ends_with("/v1/messages") {
        let start = json!({"type": "message_start",
            "message": {"usage": {"input_tokens": input, "output_tokens": 1}}});
        let piece = |part| json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": part}});
        let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": output}});
        vec![start, piece(parts[0]), piece(parts[1]), end, json!({"type": "message_stop"})]
    } else if path.contains(":streamGenerateContent") {
        let piece = |part| json!({"candidates": [{"content": {"parts": [{"text": part}]}}]});
        let mut last = piece(parts[1]);
        last["candidates"][0]["finishReason"] = "STOP".into();
        last["usageMetadata"] = json!({"promptTokenCount": input, "candidatesTokenCount": output});
        vec![piece(parts[0]), last]
    } else {
        let piece = |part| json!({"choices": [{"delta": {"content": part}}]});
        let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
        let usage = json!({"choices": [],
            "usage": {"prompt_tokens": input, "completion_tokens": output}});
        vec![piece(parts[0]), piece(parts[1]), end, usage]
    };
    events.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect()
}

/// A program in the world's `bin` that speaks `claude`'s lines and records its arguments,
/// environment and input.
pub struct FakeClaude {
    dir: PathBuf,
}

/// For each input line, the program sources `script.N` if it exists, or else `script`. `$line` contains
/// the line, and `$n` its number, counted over all processes.
const PROGRAM: &str = r#"#!/bin/sh
dir=DIR
echo $$ >>"$dir/pids"
printf '%s\n' "$@" >>"$dir/args"
env >>"$dir/env"
ls -A . >>"$dir/seen"
init() { echo '{"type":"system","subtype":"init","session_id":"x"}'; }
result() { # text, total input tokens, total output tokens
  printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","total_cost_usd":0.01,"modelUsage":{"m":{"inputTokens":%s,"outputTokens":%s}}}\n' "$1" "$2" "$3"
}
failed() { # word, status, text
  printf '{"type":"assistant","error":"%s"}\n' "$1"
  printf '{"type":"result","subtype":"success","is_error":true,"api_error_status":%s,"result":"%s"}\n' "$2" "$3"
}
remember() { # title
  case "$line" in *"The turn is over"*) s='<summary><request>By the model</request><completed>Done by the model</completed></summary>' ;; *) s= ;; esac
  result "<observation><type>change</type><title>$1</title><facts><fact>one</fact></facts></observation>$s" $((turn * 100)) $((turn * 10))
}
turn=0
while IFS= read -r line; do
  turn=$((turn + 1))
  printf '%s\n' "$line" >>"$dir/stdin"
  n=$(wc -l <"$dir/stdin")
  n=$((n))
  if [ -f "$dir/script.$n" ]; then . "$dir/script.$n"; else . "$dir/script"; fi
done
echo $$ >>"$dir/ended"
"#;

impl FakeClaude {
    /// Installs the program with this script for all lines.
    pub fn new(w: &World, script: &str) -> FakeClaude {
        let dir = w.path("bin");
        fs::create_dir(&dir).unwrap();
        let program = dir.join("claude");
        fs::write(&program, PROGRAM.replace("DIR", dir.to_str().unwrap())).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let fake = FakeClaude { dir };
        fake.set_script(script);
        fake
    }

    pub fn program(&self) -> PathBuf {
        self.dir.join("claude")
    }

    pub fn set_script(&self, script: &str) {
        fs::write(self.dir.join("script"), script).unwrap();
    }

    /// Sets the script for the `n`th line, counted from 1.
    pub fn set_script_at(&self, n: usize, script: &str) {
        fs::write(self.dir.join(format!("script.{n}")), script).unwrap();
    }

    pub fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Pids of the live processes.
    pub fn alive(&self) -> Vec<i32> {
        let pids = self.lines("pids");
        let pids = pids.iter().filter_map(|pid| pid.parse().ok());
        pids.filter(|pid| !super::world::is_gone(*pid)).collect()
    }
}

/// Writes the config file of the world.
pub fn configure(w: &World, text: &str) {
    let dir = w.path("home/.config/memctl");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}
