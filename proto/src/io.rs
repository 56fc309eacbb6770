//! The blocking side of a conversation: one request, one reply.

use std::io::{self, Read, Write};

use crate::frame::{self, HEADER};
use crate::{Reply, Request};

/// Sends `request` and reads its reply. Deadlines are the stream's own time-outs.
///
/// # Errors
/// `InvalidData` when the reply is no frame of a version we speak, else what the stream says.
pub fn call(stream: &mut (impl Read + Write), request: &Request) -> io::Result<Reply> {
    stream.write_all(&frame::encode_as(request.version(), request).map_err(invalid)?)?;
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

    /// Says `says` whatever it hears.
    struct Peer {
        says: Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            // In small pieces, as a socket may.
            let most = bytes.len().min(3);
            self.says.read(&mut bytes[..most])
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(says: Vec<u8>, expected: Result<Reply, io::ErrorKind>) {
        let mut peer = Peer { says: Cursor::new(says), heard: Vec::new() };
        let answer = call(&mut peer, &Request::Ping).map_err(|e| e.kind());
        assert_eq!(answer, expected);
        assert_eq!(peer.heard, frame::encode(&Request::Ping).unwrap());
    }

    #[test]
    fn an_answer_is_a_whole_frame() {
        let pong = Reply::Pong { version: "0.1.0".into(), pid: 7 };
        let bytes = frame::encode(&pong).unwrap();
        for n in 0..bytes.len() {
            check(bytes[..n].to_vec(), Err(io::ErrorKind::UnexpectedEof));
        }
        check(bytes, Ok(pong));
    }

    #[test]
    fn other_answers_are_refused() {
        check(frame::unsupported().to_vec(), Err(io::ErrorKind::InvalidData));
        check(b"{\"ok\":true}\n".to_vec(), Err(io::ErrorKind::InvalidData));
        let mut boast = frame::encode(&Reply::Bye).unwrap();
        boast[5..9].copy_from_slice(&(MAX_BODY as u32 + 1).to_le_bytes());
        check(boast, Err(io::ErrorKind::InvalidData));
        let mut unknown = frame::encode(&Reply::Bye).unwrap();
        unknown[frame::HEADER] = 200;
        check(unknown, Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let mut peer = Peer { says: Cursor::new(Vec::new()), heard: Vec::new() };
        let request = Request::Event { session_key: String::new(), json: "x".repeat(MAX_BODY) };
        assert_eq!(call(&mut peer, &request).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(peer.heard.is_empty());
    }
}
