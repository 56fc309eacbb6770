//! Decodes server-sent events from chunks of any size.

/// The incomplete event.
#[derive(Default)]
pub struct Decoder {
    line: Vec<u8>,
    data: String,
    /// The last line ended with CR. A following LF belongs to it.
    after_cr: bool,
}

impl Decoder {
    /// Reads a chunk and returns the data of the events that it completes. Comments, names and ids
    /// are ignored. Invalid UTF-8 is replaced.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    events.extend(self.end_line());
                }
                _ => {
                    self.after_cr = false;
                    self.line.push(*byte);
                }
            }
        }
        events
    }

    /// The last event, if the stream ends without an empty line.
    pub fn finish(mut self) -> Option<String> {
        let _ = self.end_line();
        Some(self.data).filter(|data| !data.is_empty())
    }

    fn end_line(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if line.is_empty() {
            return Some(std::mem::take(&mut self.data)).filter(|data| !data.is_empty());
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_boundaries_do_not_matter() {
        let stream = ": comment\r\nevent: a\r\ndata: {\"a\":1}\r\n\r\n\ndata:one\ndata: two\n\nid: 7\rdata: ü\r\rdata: last";
        for size in 1..stream.len() {
            let mut decoder = Decoder::default();
            let mut got: Vec<String> =
                stream.as_bytes().chunks(size).flat_map(|piece| decoder.feed(piece)).collect();
            got.extend(decoder.finish());
            assert_eq!(got, ["{\"a\":1}", "one\ntwo", "ü", "last"], "in pieces of {size}");
        }
    }
}
