//! Converts arbitrary transcripts to payloads, and captures them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture::PrivateWords;
use memctl_fuzz::transcript::Converter;

fuzz_target!(|text: &str| {
    let mut converter = Converter::default();
    let words = PrivateWords::default();
    let lines = text.lines().take(64).filter_map(|line| serde_json::from_str(line).ok());
    let mut steps = Vec::new();
    for line in lines {
        steps.extend(converter.line(&line));
    }
    steps.extend(converter.end());
    for step in steps {
        memctl_fuzz::captured(&step.payload.to_string(), Some(step.event), &words);
    }
});
