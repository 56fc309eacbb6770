//! What a session is told at its start: the same bytes whenever and wherever it starts, within
//! what the client takes.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{prompt, start, stop, tool};

/// The client cuts at 10,000.
const UTF_16_UNITS: usize = 9_500;

/// A week of turns, in as many ways to write them as cost different amounts of bytes.
fn remembered(w: &World) {
    for n in 0..24 {
        let (session, turn) = (format!("s{n}"), format!("t{n}"));
        let ask = [
            "Fix the export of page",
            "Behebe den Export der Seite",
            "修正第几页的导出：",
            "🦀 fix page",
        ];
        w.hook(&prompt(&session, &turn, &format!("{} {n}, it is cut off at the end.", ask[n % 4])));
        let report = format!("test result: ok. {} passed; 0 failed; 0 ignored", 100 + n);
        w.hook(&tool(&session, &turn, "u1", "cargo test", &report));
        let commit =
            format!("[main {:07x}] Export page {n} whole\n 3 files changed", 0xabc_0000 + n);
        w.hook(&tool(&session, &turn, "u2", "git commit -m 'x'", &commit));
        let done = format!(
            "Page {n} is exported whole now: the buffer was {n} bytes short. 导出已经完整，測試都通過了。🦀\n\n\
             Next steps:\n- Export page {n} of the archive, too."
        );
        w.hook(&stop(&session, &turn, &done));
    }
    w.rest();
}

fn block(answer: &Value) -> String {
    answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn twenty_sessions_that_start_anywhere_at_any_time_are_told_the_same() {
    let mut w = World::new();
    remembered(&w);
    let first = block(&w.hook(&start("now")));
    assert!(first.len() > 2000 && first.contains("## Open next steps"), "{first}");
    assert!(first.encode_utf16().count() <= UTF_16_UNITS);
    const SECOND: i64 = 1000;
    const DAY: i64 = 24 * 3600 * SECOND;
    let zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Pacific/Kiritimati", "<+13>-13"];
    let languages = ["C", "de_DE.UTF-8", "ja_JP.UTF-8"];
    let moments = [
        SECOND,
        2 * SECOND,
        59 * SECOND,
        3600 * SECOND,
        7 * 3600 * SECOND,
        13 * 3600 * SECOND,
        DAY,
        2 * DAY,
        6 * DAY,
        7 * DAY,
        8 * DAY,
        30 * DAY,
        90 * DAY,
        91 * DAY,
        365 * DAY,
        3650 * DAY,
        -SECOND,
        -DAY,
        -365 * DAY,
        0,
    ];
    for (n, moment) in moments.into_iter().enumerate() {
        w.set("MEMCTL_TESTCLOCK", &moment.to_string());
        w.set("TZ", zones[n % zones.len()]);
        w.set("LANG", languages[n % languages.len()]);
        assert_eq!(block(&w.hook(&start(&format!("at-{n}")))), first, "{moment} ms from now");
    }
    assert_eq!(w.memctl(&["context", "--project", "/"]).ok(), first);
}

#[test]
fn a_start_that_two_registrations_report_is_told_once() {
    let w = World::new();
    w.hook(&prompt("s", "t", "Which of our two exporters is in use?"));
    w.hook(&stop("s", "t", "The one in `export/v2.rs`; nothing calls the other any more."));
    w.rest();
    // The client runs them side by side.
    let told: Vec<String> = std::thread::scope(|scope| {
        let hooks: Vec<_> =
            (0..2).map(|_| scope.spawn(|| block(&w.hook(&start("next"))))).collect();
        hooks.into_iter().map(|h| h.join().unwrap()).collect()
    });
    assert_eq!(told.iter().filter(|t| t.contains("export/v2.rs")).count(), 1, "{told:?}");
    assert!(told.iter().any(String::is_empty), "{told:?}");
    let mut compacted = start("next");
    compacted["source"] = json!("compact");
    assert!(!block(&w.hook(&compacted)).is_empty(), "another start of the same session");
}

#[test]
fn a_small_budget_is_kept_in_every_script() {
    let mut w = World::new();
    remembered(&w);
    let mut longest = usize::MAX;
    for tokens in ["100000", "2000", "500", "120"] {
        w.set("MEMCTL_CONTEXT_TOKENS", tokens);
        let told = w.memctl(&["context", "--project", "/", "--json"]).json();
        let text = told["text"].as_str().unwrap().to_owned();
        assert!(text.encode_utf16().count() <= UTF_16_UNITS);
        assert!(told["tokens"].as_i64().unwrap() <= tokens.parse().unwrap(), "{tokens}: {told}");
        assert!(text.len() <= longest, "{tokens}");
        assert!(text.is_empty() || text.ends_with("</memctl-context>\n"), "{text}");
        longest = text.len();
        let mut seen = start("again");
        seen["session_id"] = json!(format!("with-{tokens}"));
        assert_eq!(block(&w.hook(&seen)), text);
    }
}
