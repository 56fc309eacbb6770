//! Puts a private block into arbitrary text. Its words are in no result.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture::PrivateWords;

const WORDS: &str = "Xylophon";
const NUMBER: &str = "[471108155]";

fuzz_target!(|input: (&str, &str, &str, u8)| {
    let (before, inside, after, shape) = input;
    // What is around the block may be the same words once the block is removed.
    let open = [before, after, &format!("{before}{after}")].join("\n");
    if open.contains("ylophon") || open.contains(NUMBER) {
        return;
    }
    // A closing tag inside ends the block early.
    if inside.contains(['<', '\\', '&', 'x', 'X']) {
        return;
    }
    let block = format!("<private>{inside}{WORDS}</private>");
    let response = match shape % 4 {
        0 => serde_json::json!(format!("{before}{block}{after}")),
        1 => serde_json::json!({"stdout": format!("{before}{block}{after}"), "stderr": after}),
        2 => serde_json::json!([before, "<private>", inside, WORDS, "</private>", after]),
        // The keys are sorted.
        _ => {
            let first = format!("a{before}");
            serde_json::json!({first: "<private>", "b": [471_108_155], "c": {"d": "</private>"}})
        }
    };
    let payload = serde_json::json!({
        "session_id": "s", "tool_name": "lookup", "tool_input": {"a": before},
        "tool_response": response,
    });
    let words = PrivateWords::default();
    if let Some(event) = memctl_fuzz::captured(&payload.to_string(), Some("PostToolUse"), &words) {
        let json = event.to_json();
        assert!(!json.contains(WORDS) && !json.contains(NUMBER), "{json}");
    }
});
