//! Hashes the phrases of arbitrary private text and looks for them in arbitrary text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture::PrivateWords;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (private, open, text, stored) = input;
    let mut words = PrivateWords::default();
    words.read(stored);
    words.add(private, open);
    words.add_file(private, open);
    words.keep_files();
    let _ = words.redact(text);
    let raw = serde_json::json!({text: [text, 1, {"a": private}]}).to_string();
    if let Some(json) = words.redact_json(&raw) {
        serde_json::from_str::<serde_json::Value>(&json).expect("valid JSON");
    }
    // What is found by the phrases is found by their hashes.
    let of_text = PrivateWords::default();
    of_text.add(private, open);
    let added = of_text.added();
    let mut of_hashes = PrivateWords::default();
    [added.values, added.others].iter().flatten().for_each(|hashes| of_hashes.read(hashes));
    assert_eq!(of_text.redact(text), of_hashes.redact(text));
});
