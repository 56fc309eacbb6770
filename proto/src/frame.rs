//! Encodes and decodes frames: a header of nine bytes, then the body. No I/O.
//!
//! bincode accepts trailing bytes after a value and does not apply its limit when encoding, so this
//! module checks both. Every length is compared with [`MAX_BODY`] before it is used.

use bincode::{Decode, Encode, config};

use crate::{MAX_BODY, version};

/// First byte of every frame. No JSON text begins with a byte above 0x7F.
pub const MAGIC: [u8; 4] = [0xF6, b'm', b'c', b't'];
pub const HEADER: usize = 9;

/// Initial buffer size, enough for a message without an event. An event's JSON is written at once, so
/// that the buffer grows once.
const INITIAL_CAPACITY: usize = 256;

/// bincode counts the size of a value in memory, which may exceed its size on the wire.
const DECODE_LIMIT: usize = 2 * MAX_BODY;

/// Why bytes are not a valid frame.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes do not begin with [`MAGIC`].
    NotAFrame,
    /// A version that this program does not speak. The reply is [`unsupported`].
    Version(u8),
    TooLong(usize),
    /// The body does not decode, or has trailing bytes.
    Body(String),
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameError::NotAFrame => write!(f, "not a frame"),
            FrameError::Version(v) => {
                write!(f, "protocol version {v}; this program speaks {}", version())
            }
            FrameError::TooLong(n) => write!(f, "{n} bytes; at most {MAX_BODY} are allowed"),
            FrameError::Body(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Returns the length of the body that follows `header`.
///
/// Accepts all versions up to this program's, so that a newer worker serves older frames.
pub fn body_len(header: &[u8; HEADER]) -> Result<usize, FrameError> {
    if header[..4] != MAGIC {
        return Err(FrameError::NotAFrame);
    }
    if header[4] == 0 || header[4] > version() {
        return Err(FrameError::Version(header[4]));
    }
    let len = u32::from_le_bytes(header[5..9].try_into().expect("four bytes")) as usize;
    if len > MAX_BODY { Err(FrameError::TooLong(len)) } else { Ok(len) }
}

/// Encodes header and body of `message` in the newest version.
pub fn encode<M: Encode>(message: &M) -> Result<Vec<u8>, FrameError> {
    encode_as(version(), message)
}

/// As [`encode`], in the given version: that of [`Request::version`](crate::Request::version), or
/// for a reply that of its request.
pub fn encode_as<M: Encode>(version: u8, message: &M) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::with_capacity(INITIAL_CAPACITY);
    bytes.resize(HEADER, 0);
    let n = bincode::encode_into_std_write(message, &mut bytes, config::standard())
        .map_err(|e| FrameError::Body(e.to_string()))?;
    if n > MAX_BODY {
        return Err(FrameError::TooLong(n));
    }
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4] = version;
    bytes[5..9].copy_from_slice(&(n as u32).to_le_bytes());
    Ok(bytes)
}

/// Decodes a complete body.
pub fn decode<M: Decode<()>>(body: &[u8]) -> Result<M, FrameError> {
    let limited = config::standard().with_limit::<DECODE_LIMIT>();
    match bincode::decode_from_slice(body, limited) {
        Ok((message, n)) if n == body.len() => Ok(message),
        Ok((_, n)) => Err(FrameError::Body(format!("{} trailing bytes", body.len() - n))),
        Err(e) => Err(FrameError::Body(e.to_string())),
    }
}

/// The reply to a frame of an unknown version: a header with version 0 and an empty body.
/// These bytes never change.
pub fn unsupported() -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes
}
