//! Redacts arbitrary text. The findings are inside of the text and in order.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::capture;

fuzz_target!(|text: &str| {
    let own = memctl_fuzz::settings().config.redact;
    let mut end = 0;
    for finding in capture::find_secrets(text, &own) {
        assert!(end <= finding.range.start && finding.range.end <= text.len());
        end = finding.range.end;
        let _ = &text[finding.range];
    }
    let _ = capture::redact_secrets(text, &own);
});
