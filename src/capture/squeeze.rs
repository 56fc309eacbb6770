//! Copies JSON that may be of any size into few bytes, while it is being read: long strings keep
//! head and tail, long arrays and objects their first items, and what is left is JSON again.
//!
//! It takes what it is given for JSON and checks no grammar; a parser has the last word.

use super::json;
use super::tags::Watch;
use crate::text::cut_marker;

/// Most raw bytes kept at each end of a string.
const SIDE: usize = 96 << 10;
/// Begins what stands in place of a string that was too long and partly private.
pub const PRIVATE_STRING: &str = "\"[private, ";
/// Longer numbers and words are none.
const MAX_SCALAR: usize = 64;

/// A copy in progress.
pub struct Squeeze {
    out: Vec<u8>,
    open: Vec<Level>,
    /// How many containers were open when the item began that is being left out.
    skipping: Option<usize>,
    string: Option<Text>,
    scalar: Vec<u8>,
}

/// An open container.
struct Level {
    object: bool,
    /// The string that comes next is a key.
    key_next: bool,
    /// An item has begun: a comma ends it.
    in_item: bool,
    /// Items begin only while `out` is shorter than this.
    limit: usize,
    kept: usize,
    left_out: usize,
    /// A private tag stood in what was left out.
    private: bool,
}

/// A string that is being read; its head goes to `out` at once.
struct Text {
    start: usize,
    side: usize,
    /// Bytes so far, escaped.
    len: usize,
    /// The younger of two blocks behind the head; each begins where the string may be cut.
    block: Vec<u8>,
    older: Vec<u8>,
    /// Bytes of blocks that were let go.
    lost: usize,
    /// Of an escape: what has been read of it.
    escape: Vec<u8>,
    watch: Watch,
}

impl Squeeze {
    /// `budget`: about how many bytes may be kept.
    pub fn new(budget: usize) -> Squeeze {
        let top = Level {
            object: false,
            key_next: false,
            in_item: false,
            // Of which the one value gets three quarters.
            limit: budget / 3 * 4,
            kept: 0,
            left_out: 0,
            private: false,
        };
        let (out, scalar) = (Vec::new(), Vec::new());
        Squeeze { out, open: vec![top], skipping: None, string: None, scalar }
    }

    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = match self.string {
                Some(_) => self.in_string(bytes),
                None => {
                    self.between(bytes[0]);
                    1
                }
            };
            bytes = &bytes[n..];
        }
    }

    /// What was kept. Of text that is whole JSON it is JSON.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_scalar();
        self.out
    }

    /// Bytes it holds.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        let text = self.string.as_ref();
        let blocks = text.map_or(0, |t| t.block.capacity() + t.older.capacity());
        self.out.capacity() + self.open.capacity() * size_of::<Level>() + blocks
    }

    fn level(&mut self) -> &mut Level {
        self.open.last_mut().expect("the top level is never closed")
    }

    fn between(&mut self, byte: u8) {
        if !matches!(byte, b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':' | b' ' | b'\t'..=b'\r') {
            self.begin_item();
            if self.skipping.is_none() && self.scalar.len() <= MAX_SCALAR {
                self.scalar.push(byte);
            }
            return;
        }
        self.end_scalar();
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.begin_container(byte),
            b'}' | b']' => self.end_container(byte),
            b',' => {
                if self.skipping == Some(self.open.len()) {
                    self.skipping = None;
                }
                let level = self.level();
                level.in_item = false;
                level.key_next = level.object;
            }
            b':' => {
                if self.skipping.is_none() {
                    self.out.push(b':');
                }
                self.level().key_next = false;
            }
            _ => {}
        }
    }

    /// Before the first byte of an array's value or an object's key: is there room for it?
    fn begin_item(&mut self) {
        let (written, skipping) = (self.out.len(), self.skipping.is_some());
        let n_open = self.open.len();
        let level = self.level();
        if level.in_item {
            return;
        }
        level.in_item = true;
        if skipping {
            return;
        }
        if written < level.limit {
            level.kept += 1;
            if level.kept > 1 {
                self.out.push(b',');
            }
        } else {
            level.left_out += 1;
            self.skipping = Some(n_open);
        }
    }

    fn end_scalar(&mut self) {
        if self.scalar.len() > MAX_SCALAR {
            self.out.extend_from_slice(b"null");
        } else {
            self.out.extend_from_slice(&self.scalar);
        }
        self.scalar.clear();
    }

    fn begin_container(&mut self, bracket: u8) {
        self.begin_item();
        // Something is left for what stands behind it.
        let room = self.level().limit.saturating_sub(self.out.len());
        let limit = self.out.len() + room / 4 * 3;
        if self.skipping.is_none() {
            self.out.push(bracket);
        }
        let object = bracket == b'{';
        self.open.push(Level {
            object,
            key_next: object,
            in_item: false,
            limit,
            kept: 0,
            left_out: 0,
            private: false,
        });
    }

    fn end_container(&mut self, bracket: u8) {
        if self.open.len() == 1 {
            return;
        }
        if self.skipping == Some(self.open.len()) {
            self.skipping = None;
        }
        let level = self.open.pop().expect("more than one");
        if self.skipping.is_some() {
            return;
        }
        if level.left_out > 0 {
            let comma = if level.kept > 0 { "," } else { "" };
            let key = if level.object { "\"…\":" } else { "" };
            // A block may have ended there that began before the array: all lines are private.
            let tag = if level.private { "</private>" } else { "" };
            let text = format!("{comma}{key}\"…[{} items cut]…{tag}\"", level.left_out);
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(bracket);
    }

    fn begin_string(&mut self) {
        self.begin_item();
        let written = self.out.len();
        let level = self.level();
        let room = level.limit.saturating_sub(written);
        let side = if level.key_next { 256 } else { (room / 8).clamp(256, SIDE) };
        self.string = Some(Text {
            start: written,
            side,
            len: 0,
            block: Vec::new(),
            older: Vec::new(),
            lost: 0,
            escape: Vec::new(),
            watch: Watch::default(),
        });
        if self.skipping.is_none() {
            self.out.push(b'"');
        }
    }

    /// Takes some bytes of the string; how many.
    fn in_string(&mut self, bytes: &[u8]) -> usize {
        let text = self.string.as_mut().expect("asked for");
        if text.escape.len() >= 2 && !bytes[0].is_ascii_hexdigit() {
            text.escape.clear();
        }
        let n = if !text.escape.is_empty() {
            1
        } else {
            match bytes[0] {
                b'"' => {
                    self.end_string();
                    return 1;
                }
                b'\\' => escape_len(bytes).unwrap_or(1),
                // A control character is none of ours to judge.
                _ => json::plain_run(&bytes[..bytes.len().min(SIDE)]).max(1),
            }
        };
        let in_escape = bytes[0] == b'\\' || !text.escape.is_empty();
        if in_escape {
            text.escape.extend_from_slice(&bytes[..n]);
            text.end_escape();
        } else {
            text.watch.pass_run(&bytes[..n]);
        }
        if self.skipping.is_none() {
            let boundary = text.escape.is_empty();
            text.keep(&mut self.out, &bytes[..n], boundary);
        }
        n
    }

    fn end_string(&mut self) {
        let text = self.string.take().expect("asked for");
        if let Some(level) = self.skipping {
            self.open[level - 1].private |= text.watch.seen;
            return;
        }
        let mut tail = text.older;
        tail.extend_from_slice(&text.block);
        if text.lost == 0 {
            self.out.extend_from_slice(&tail);
        } else if text.watch.seen {
            self.out.truncate(text.start);
            let note = format!("{PRIVATE_STRING}{} bytes]", text.len);
            self.out.extend_from_slice(note.as_bytes());
        } else {
            let from = tail.len().saturating_sub(text.side);
            let from = (from..tail.len()).find(|&at| json::is_boundary(&tail, at));
            let tail = &tail[from.unwrap_or(tail.len())..];
            let head = &self.out[text.start + 1..];
            let end = (0..head.len()).rev().find(|&at| json::is_boundary(head, at)).unwrap_or(0);
            self.out.truncate(text.start + 1 + end);
            let note = cut_marker(text.len - end - tail.len());
            self.out.extend_from_slice(note.as_bytes());
            self.out.extend_from_slice(tail);
        }
        self.out.push(b'"');
    }
}

impl Text {
    /// `boundary`: the string may be cut behind `bytes`, as far as escapes go.
    fn keep(&mut self, out: &mut Vec<u8>, mut bytes: &[u8], boundary: bool) {
        let head = self.side.saturating_sub(self.len).min(bytes.len());
        self.len += bytes.len();
        out.extend_from_slice(&bytes[..head]);
        bytes = &bytes[head..];
        self.block.extend_from_slice(bytes);
        if self.block.len() >= self.side && boundary {
            self.lost += self.older.len();
            self.older = std::mem::take(&mut self.block);
        }
    }

    /// Looks whether the escape is complete.
    fn end_escape(&mut self) {
        let byte = match self.escape[..] {
            [_, b'u'] | [_, b'u', _] | [_, b'u', _, _] | [_, b'u', _, _, _] | [_] => return,
            [_, b'n' | b't' | b'r'] => b' ',
            [_, b'u', b'0', b'0', high @ b'0'..=b'7', low] => {
                let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
                digit(high) << 4 | digit(low)
            }
            [_, b'u', ..] => 0xFF,
            [_, other, ..] => other,
            [] => return,
        };
        self.watch.pass(byte);
        self.escape.clear();
    }
}

/// Of an escape that is here as a whole.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => Some(2),
    }
}
