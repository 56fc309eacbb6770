//! The blocking side of a conversation: one request, one reply.

use std::io::{self, Read, Write};

use crate::frame::{self, HEADER};
use crate::{Reply, Request};

/// Sends `request` and reads its reply. Deadlines are the stream's own time-outs.
///
/// # Errors
/// `InvalidData` when the reply is no frame of a version we speak, else what the stream says.
pub fn ask(stream: &mut (impl Read + Write), request: &Request) -> io::Result<Reply> {
    stream.write_all(&frame::encode(request).map_err(invalid)?)?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; frame::body_len(&header).map_err(invalid)?];
    stream.read_exact(&mut body)?;
    frame::decode(&body).map_err(invalid)
}

fn invalid(e: frame::FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}
