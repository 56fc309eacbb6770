//! A script that talks to a worker in the JSON line dialect, as `nc -U` does.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::{World, until};

/// Sends the lines over one connection and returns the replies.
pub fn exchange(w: &World, lines: &[&str]) -> Vec<Value> {
    let mut stream = until("a socket that accepts", || {
        let socket = w.socket_files().pop().ok_or("none")?;
        UnixStream::connect(socket).map_err(|e| e.to_string())
    });
    for line in lines {
        writeln!(stream, "{line}").unwrap();
    }
    // The write half stays open: the worker closes the connection after its last reply.
    BufReader::new(stream)
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}
