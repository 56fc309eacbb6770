//! A client of the MCP server that knows nothing but JSON-RPC: a line is a message.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::World;

pub struct McpClient {
    server: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    n_requests: u64,
    /// What `roots/list` answers. `None`: the client has no roots.
    pub roots: Option<Vec<PathBuf>>,
    /// How often it was asked.
    pub n_asked: usize,
}

impl McpClient {
    /// Starts a server without a word.
    pub fn start(w: &World, roots: Option<Vec<PathBuf>>) -> McpClient {
        let mut memctl = w.program();
        memctl.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = memctl.spawn().unwrap();
        let to = server.stdin.take();
        let from = BufReader::new(server.stdout.take().unwrap());
        McpClient { server, to, from, n_requests: 0, roots, n_asked: 0 }
    }

    /// Starts a server and greets it.
    pub fn new(w: &World, roots: Option<Vec<PathBuf>>) -> McpClient {
        let mut client = McpClient::start(w, roots);
        client.initialize("2025-06-18");
        client
    }

    pub fn initialize(&mut self, version: &str) -> Value {
        let roots = match self.roots {
            Some(_) => json!({"roots": {"listChanged": true}}),
            None => json!({}),
        };
        let params = json!({"protocolVersion": version, "capabilities": roots,
                            "clientInfo": {"name": "test", "version": "1"}});
        let answer = self.request("initialize", params);
        self.notify("notifications/initialized");
        answer["result"].clone()
    }

    pub fn send(&mut self, line: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(line).unwrap();
        to.write_all(b"\n").unwrap();
    }

    pub fn notify(&mut self, method: &str) {
        self.send(json!({"jsonrpc": "2.0", "method": method}).to_string().as_bytes());
    }

    /// Sends a request without waiting. Returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.n_requests += 1;
        let id = self.n_requests;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(request.to_string().as_bytes());
        id
    }

    /// The next message that is not a question for roots. `None` at the end.
    pub fn receive(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let message: Value = serde_json::from_str(&line).expect(&line);
            assert_eq!(message["jsonrpc"], "2.0", "{line}");
            if message["method"] != "roots/list" {
                return Some(message);
            }
            self.n_asked += 1;
            let root = |dir: &PathBuf| json!({"uri": format!("file://{}", dir.display())});
            let roots: Vec<Value> = self.roots.iter().flatten().map(root).collect();
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": {"roots": roots}});
            self.send(answer.to_string().as_bytes());
        }
    }

    /// The answer to a request.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        let answer = self.receive().expect("an answer");
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The text that a tool answers.
    pub fn call(&mut self, tool: &str, arguments: Value) -> String {
        self.called(tool, arguments).unwrap()
    }

    /// The text of a tool's error.
    pub fn refused(&mut self, tool: &str, arguments: Value) -> String {
        self.called(tool, arguments).unwrap_err()
    }

    fn called(&mut self, tool: &str, arguments: Value) -> Result<String, String> {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let result = &answer["result"];
        let Some(text) = result["content"][0]["text"].as_str().map(str::to_owned) else {
            panic!("{answer}");
        };
        if result["isError"] == true { Err(text) } else { Ok(text) }
    }

    /// Closes stdin. The server must end: returns what it still writes, and stderr.
    pub fn close(mut self) -> (Vec<Value>, String) {
        drop(self.to.take());
        let mut rest = Vec::new();
        while let Some(message) = self.receive() {
            rest.push(message);
        }
        let mut errors = String::new();
        self.server.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(self.server.wait().unwrap().success(), "{errors}");
        (rest, errors)
    }
}

impl Drop for McpClient {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
