//! Reads arbitrary payloads of hooks in two chunks, and captures them as each kind of event.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture::{ObjectReader, PrivateWords};

const EVENTS: [Option<&str>; 8] = [
    None,
    Some("SessionStart"),
    Some("UserPromptSubmit"),
    Some("PostToolUse"),
    Some("PostToolUseFailure"),
    Some("SubagentStop"),
    Some("StopFailure"),
    Some("SessionEnd"),
];

fuzz_target!(|bytes: &[u8]| {
    let (first, second) = bytes.split_at(bytes.len() / 3);
    let mut reader = ObjectReader::new();
    for part in [first, second] {
        reader.buffer(part.len()).extend_from_slice(part);
        reader.examine();
    }
    if let Ok(object) = reader.finish() {
        let event = EVENTS[bytes.len() % EVENTS.len()];
        memctl_fuzz::captured(&object.text, event, &PrivateWords::default());
    }
});
