//! Server-sent events, as the APIs stream their answers: the data of each event, from bytes that
//! come in pieces of any size.

/// What has come of an event that is not whole yet.
#[derive(Default)]
pub struct Decoder {
    line: Vec<u8>,
    data: String,
    /// A line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl Decoder {
    /// Takes bytes in and gives the data of the events that they complete. Comments, names and
    /// ids of events are passed over; bytes that are no UTF-8 are replaced.
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

    /// The event that the end of the stream cut off from its empty line.
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
    fn events_come_whole_however_they_are_cut() {
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
