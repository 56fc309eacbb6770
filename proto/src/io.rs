//! The blocking client side: one request, one reply.

use std::io::{self, BufReader, Read, Write};

use crate::frame::{self, HEADER};
use crate::{Reply, Request};

/// A reply to an event has 39 bytes.
const USUAL_REPLY: usize = 128;

/// Sends `request` and reads its reply. The stream's timeouts apply.
///
/// # Errors
/// `InvalidData` if the reply is not a frame of a version that this program speaks, else the stream's
/// error.
pub fn call(stream: &mut (impl Read + Write), request: &Request) -> io::Result<Reply> {
    call_while(stream, request, || ())
}

/// As [`call`]. Does `work` after the request is sent, while the peer handles it.
///
/// # Errors
/// As [`call`]. Without the request sent, the work is not done.
pub fn call_while(
    stream: &mut (impl Read + Write),
    request: &Request,
    work: impl FnOnce(),
) -> io::Result<Reply> {
    stream.write_all(&frame::encode_as(request.version(), request).map_err(invalid)?)?;
    work();
    // Most replies are short, and arrive with their header. Nothing follows a reply.
    let mut stream = BufReader::with_capacity(USUAL_REPLY, stream);
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; frame::body_len(&header).map_err(invalid)?];
    stream.read_exact(&mut body)?;
    frame::decode(&body).map_err(invalid)
}

fn invalid(e: frame::FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::MAX_BODY;

    /// Sends `output` and records what it receives.
    struct Peer {
        output: Cursor<Vec<u8>>,
        received: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            // Short reads, as from a socket.
            let n = bytes.len().min(3);
            self.output.read(&mut bytes[..n])
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.received.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(output: Vec<u8>, expected: Result<Reply, io::ErrorKind>) {
        let mut peer = Peer { output: Cursor::new(output), received: Vec::new() };
        let reply = call(&mut peer, &Request::Ping).map_err(|e| e.kind());
        assert_eq!(reply, expected);
        assert_eq!(peer.received, frame::encode(&Request::Ping).unwrap());
    }

    #[test]
    fn a_reply_is_a_complete_frame() {
        let pong = Reply::Pong { version: "0.1.0".into(), pid: 7 };
        let bytes = frame::encode(&pong).unwrap();
        for n in 0..bytes.len() {
            check(bytes[..n].to_vec(), Err(io::ErrorKind::UnexpectedEof));
        }
        check(bytes, Ok(pong));
    }

    #[test]
    fn invalid_replies_are_errors() {
        check(frame::unsupported().to_vec(), Err(io::ErrorKind::InvalidData));
        check(b"{\"ok\":true}\n".to_vec(), Err(io::ErrorKind::InvalidData));
        let mut too_long = frame::encode(&Reply::Bye).unwrap();
        too_long[5..9].copy_from_slice(&(MAX_BODY as u32 + 1).to_le_bytes());
        check(too_long, Err(io::ErrorKind::InvalidData));
        let mut unknown = frame::encode(&Reply::Bye).unwrap();
        unknown[frame::HEADER] = 200;
        check(unknown, Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn a_request_that_is_too_long_is_not_sent() {
        let mut peer = Peer { output: Cursor::new(Vec::new()), received: Vec::new() };
        let request = Request::Event { session_key: String::new(), json: "x".repeat(MAX_BODY) };
        assert_eq!(call(&mut peer, &request).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(peer.received.is_empty());
    }
}
