//! The context that SessionStart returns: the same bytes at any time and in any time zone and
//! language, within the client's limit.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{prompt, start, stop, tool};

/// memctl's limit. The client truncates at 10,000.
const MAX_UTF_16_UNITS: usize = 9_500;

/// Stores 24 sessions in scripts whose characters take one to four bytes.
fn store_sessions(w: &World) {
    for n in 0..24 {
        let (session, turn) = (format!("s{n}"), format!("t{n}"));
        let thing = ["invoice", "ledger", "archive", "calendar", "mailbox", "report"][n / 4];
        let requests = [
            format!("Fix the export of the {thing} page"),
            format!("Behebe den Export der Seite {thing}"),
            format!("修正{thing}页的导出："),
            format!("🦀 fix the {thing} page"),
        ];
        w.hook(&prompt(
            &session,
            &turn,
            &format!("{} {n}, it is cut off at the end.", requests[n % 4]),
        ));
        let report = format!("test result: ok. {} passed; 0 failed; 0 ignored", 100 + n);
        w.hook(&tool(&session, &turn, "u1", "cargo test", &report));
        let commit =
            format!("[main {:07x}] Export page {n} whole\n 3 files changed", 0xabc_0000 + n);
        w.hook(&tool(&session, &turn, "u2", "git commit -m 'x'", &commit));
        let answer = format!(
            "Page {n} is exported whole now: the buffer was {n} bytes short. 导出已经完整，測試都通過了。🦀\n\n\
             Next steps:\n- Export page {n} of the archive, too."
        );
        w.hook(&stop(&session, &turn, &answer));
    }
    w.settle();
}

fn context_of(response: &Value) -> String {
    response["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_context_does_not_depend_on_time_zone_or_language() {
    let mut w = World::new();
    store_sessions(&w);
    let first = context_of(&w.hook(&start("now")));
    assert!(first.len() > 2000 && first.contains("## Open"), "{first}");
    assert!(first.encode_utf16().count() <= MAX_UTF_16_UNITS);
    const SECOND: i64 = 1000;
    const DAY: i64 = 24 * 3600 * SECOND;
    let zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Pacific/Kiritimati", "<+13>-13"];
    let languages = ["C", "de_DE.UTF-8", "ja_JP.UTF-8"];
    let offsets_ms = [
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
    for (n, offset) in offsets_ms.into_iter().enumerate() {
        w.set("MEMCTL_TESTCLOCK", &offset.to_string());
        w.set("TZ", zones[n % zones.len()]);
        w.set("LANG", languages[n % languages.len()]);
        assert_eq!(context_of(&w.hook(&start(&format!("at-{n}")))), first, "{offset} ms from now");
    }
    assert_eq!(w.memctl(&["context", "--project", "/"]).ok(), first);
}

#[test]
fn a_start_reported_by_two_hook_registrations_gets_context_once() {
    let w = World::new();
    w.hook(&prompt("s", "t", "Which of our two exporters is in use?"));
    w.hook(&stop("s", "t", "The one in `export/v2.rs`; nothing calls the other any more."));
    w.settle();
    // The client runs both hooks at the same time.
    let blocks: Vec<String> = std::thread::scope(|scope| {
        let hooks: Vec<_> =
            (0..2).map(|_| scope.spawn(|| context_of(&w.hook(&start("next"))))).collect();
        hooks.into_iter().map(|h| h.join().unwrap()).collect()
    });
    assert_eq!(blocks.iter().filter(|b| b.contains("export/v2.rs")).count(), 1, "{blocks:?}");
    assert!(blocks.iter().any(String::is_empty), "{blocks:?}");
    let mut compacted = start("next");
    compacted["source"] = json!("compact");
    assert!(!context_of(&w.hook(&compacted)).is_empty(), "another start of the same session");
}

#[test]
fn the_token_budget_holds_in_every_script() {
    let mut w = World::new();
    store_sessions(&w);
    let mut longest = usize::MAX;
    for tokens in ["100000", "2000", "500", "120"] {
        w.set("MEMCTL_CONTEXT_TOKENS", tokens);
        let context = w.memctl(&["context", "--project", "/", "--json"]).json();
        let text = context["text"].as_str().unwrap().to_owned();
        assert!(text.encode_utf16().count() <= MAX_UTF_16_UNITS);
        let used = context["tokens"].as_i64().unwrap();
        assert!(used <= tokens.parse().unwrap(), "{tokens}: {context}");
        assert!(text.len() <= longest, "{tokens}");
        assert!(text.is_empty() || text.ends_with("</memctl-context>\n"), "{text}");
        longest = text.len();
        let mut payload = start("again");
        payload["session_id"] = json!(format!("with-{tokens}"));
        assert_eq!(context_of(&w.hook(&payload)), text);
    }
}
