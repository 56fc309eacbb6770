//! JSON-RPC messages, one per line, over stdin and stdout.
//!
//! A thread reads stdin, so that nothing is assumed about what stdin is: pipe, socket or file. Lines
//! that are no message are answered with an error. A longer line than [`MAX_LINE`] is skipped without
//! being kept.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

/// Maximum bytes of a message.
const MAX_LINE: usize = 4 << 20;

/// How many lines wait to be read.
const MAX_WAITING: usize = 16;

/// How long the answers of a client that has closed stdin may take.
const LAST_ANSWERS: Duration = Duration::from_secs(15);

const STACK: usize = 128 << 10;

/// JSON-RPC's codes.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;

/// What stdin has.
#[derive(Debug, PartialEq)]
enum Line {
    Text(Vec<u8>),
    TooLong,
}

pub struct Stdio {
    lines: mpsc::Receiver<Line>,
    open: Arc<Open>,
}

/// Requests without an answer.
#[derive(Default)]
struct Open {
    count: AtomicUsize,
    answered: Notify,
}

impl Stdio {
    /// Starts to read stdin.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start() -> io::Result<Stdio> {
        let (sender, lines) = mpsc::channel(MAX_WAITING);
        let read = move || {
            let mut input = io::stdin().lock();
            while let Ok(Some(line)) = next_line(&mut input, MAX_LINE) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new().name("stdin".into()).stack_size(STACK).spawn(read)?;
        Ok(Stdio { lines, open: Arc::default() })
    }

    /// Waits until all requests are answered.
    async fn finish(&self) {
        let answered = async {
            while self.open.count.load(Ordering::Relaxed) > 0 {
                self.open.answered.notified().await;
            }
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, answered).await;
    }
}

impl Transport<RoleServer> for Stdio {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let is_answer = matches!(
            message,
            TxJsonRpcMessage::<RoleServer>::Response(_) | TxJsonRpcMessage::<RoleServer>::Error(_)
        );
        let written = write(&message);
        if is_answer {
            let less = |open: usize| Some(open.saturating_sub(1));
            let _ = self.open.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            self.open.answered.notify_one();
        }
        std::future::ready(written)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let refused = match self.lines.recv().await {
                Some(Line::Text(line)) if line.trim_ascii().is_empty() => continue,
                Some(Line::Text(line)) => match parse(&line) {
                    Ok(message) => {
                        if matches!(message, RxJsonRpcMessage::<RoleServer>::Request(_)) {
                            self.open.count.fetch_add(1, Ordering::Relaxed);
                        }
                        return Some(message);
                    }
                    Err(error) => error,
                },
                Some(Line::TooLong) => {
                    let why = format!("a message has at most {} MiB", MAX_LINE >> 20);
                    error(Value::Null, INVALID_REQUEST, &why)
                }
                None => {
                    self.finish().await;
                    return None;
                }
            };
            // The client is gone.
            write(&refused).ok()?;
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The message of a line, or the answer to a line that is none.
fn parse(line: &[u8]) -> Result<RxJsonRpcMessage<RoleServer>, Value> {
    let invalid = match serde_json::from_slice(line) {
        Ok(message) => return Ok(message),
        Err(invalid) => invalid,
    };
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => {
            let id = value.get("id").filter(|id| id.is_string() || id.is_number());
            let id = id.cloned().unwrap_or_default();
            Err(error(id, INVALID_REQUEST, "this is no request of the protocol"))
        }
        Err(_) => Err(error(Value::Null, PARSE_ERROR, &format!("this is no JSON: {invalid}"))),
    }
}

fn error(id: Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// Writes a line.
fn write(message: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The next line without its end. The bytes after the last line end are a line, too. `None` at the end.
fn next_line(input: &mut impl BufRead, max: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let bytes = match input.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let end = memchr::memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let is_end_of_input = bytes.is_empty();
        if line.len() + part.len() > max {
            too_long = true;
            line = Vec::new();
        } else if !too_long {
            line.extend_from_slice(part);
        }
        let n = part.len() + usize::from(end.is_some());
        input.consume(n);
        match (end.is_some() || is_end_of_input, too_long) {
            (false, _) => {}
            (true, true) => return Ok(Some(Line::TooLong)),
            (true, false) if is_end_of_input && line.is_empty() => return Ok(None),
            (true, false) => return Ok(Some(Line::Text(line))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &str, max: usize) -> Vec<Line> {
        // A small buffer, so that lines come in parts.
        let mut input = io::BufReader::with_capacity(3, input.as_bytes());
        std::iter::from_fn(|| next_line(&mut input, max).unwrap()).collect()
    }

    fn text(line: &str) -> Line {
        Line::Text(line.into())
    }

    #[test]
    fn lines_are_bounded_and_the_last_one_needs_no_end() {
        assert_eq!(lines("", 8), []);
        assert_eq!(lines("one\n\ntwo", 8), [text("one"), text(""), text("two")]);
        assert_eq!(
            lines("12345678\n123456789\nok\n", 8),
            [text("12345678"), Line::TooLong, text("ok")]
        );
        assert_eq!(lines("123456789012345", 8), [Line::TooLong]);
    }

    #[test]
    fn a_line_that_is_no_message_gets_an_answer_with_its_id() {
        let refused = |line: &str| {
            let error = parse(line.as_bytes()).unwrap_err();
            (error["error"]["code"].as_i64().unwrap(), error["id"].clone())
        };
        assert_eq!(refused("hello"), (-32700, Value::Null));
        assert_eq!(refused("\u{0}{"), (-32700, Value::Null));
        assert_eq!(refused("[]"), (-32600, Value::Null));
        assert_eq!(refused(r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#), (-32600, json!(7)));
        assert!(parse(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#).is_ok());
    }
}
