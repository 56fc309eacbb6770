//! The context that SessionStart returns: the same bytes at any time and in any time zone and
//! language, within the client's limit.

use std::fs;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::directories::{git, in_dir};
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
    assert!(first.len() > 1000 && first.contains("## Open"), "{first}");
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

/// A session in the home directory that writes a file and says what it found.
fn session(w: &World, id: &str, request: &str, file: &str, answer: &str) {
    let home = w.path("home");
    let at_home = |payload| in_dir(payload, &home);
    let path = home.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, request).unwrap();
    w.hook(&at_home(prompt(id, "t", request)));
    w.hook(&json!({"session_id": id, "cwd": home, "prompt_id": "t",
        "hook_event_name": "PostToolUse", "tool_name": "Write",
        "tool_input": {"file_path": path, "content": request},
        "tool_response": {"type": "create", "filePath": path, "content": request},
        "tool_use_id": format!("u-{id}")}));
    w.hook(&at_home(stop(id, "t", answer)));
}

/// Stores 60 sessions of one turn that are newer than all others. Their hooks would take half a minute.
fn store_newer_sessions(w: &World) {
    let verbs = ["Split", "Measure", "Document", "Rename", "Simplify", "Test"];
    let things = ["parser", "queue", "socket", "report", "budget", "schema", "cursor"];
    for n in 0..60 {
        let request = format!("{} the {} for case {n}", verbs[n % 6], things[n % 7]);
        w.execute_sql(&format!(
            "INSERT INTO sessions (uuid, client, content_session_id, project_id, status,
               started_at_epoch, last_event_epoch)
             SELECT 'u{n}', client, 'n{n}', project_id, 'completed', last_event_epoch + 1,
               last_event_epoch + 1 FROM sessions ORDER BY last_event_epoch DESC LIMIT 1;
             INSERT INTO session_summaries (uuid, session_id, project_id, prompt_number, request,
               completed, backend, created_at_epoch, changed_at_epoch)
             SELECT 't{n}', id, project_id, 1, '{request}', 'Case {n} of {n} is finished.',
               'extractive', last_event_epoch, last_event_epoch
             FROM sessions WHERE uuid = 'u{n}'"
        ));
    }
}

/// HEAD of the branch is still the commit of main, so that only the branch's name tells.
#[test]
fn work_without_a_commit_belongs_to_its_branch() {
    let w = World::new();
    let home = w.path("home");
    let context = || w.memctl(&["context"]).ok();
    let commit = |message: &str| {
        git(&w, &home, &["add", "-A", "src"]);
        git(&w, &home, &["commit", "-q", "-m", message]);
    };
    git(&w, &home, &["init", "-q", "-b", "main"]);
    fs::create_dir_all(home.join("src")).unwrap();
    fs::write(home.join("src/main.rs"), "fn main() {}").unwrap();
    commit("Begin");
    git(&w, &home, &["checkout", "-q", "-b", "feature/cache"]);
    let left = "The cache evicts the oldest entry.\n\nNext steps:\n- Make the cache thread-safe";
    session(&w, "cache", "Add a cache of the newest entries", "src/cache.rs", left);
    w.settle();
    assert!(context().contains("thread-safe"), "{}", context());
    git(&w, &home, &["checkout", "-q", "main"]);
    let on_main = context();
    assert!(!on_main.contains("thread-safe"), "{on_main}");
    assert!(on_main.contains("on branch `feature/cache`"), "{on_main}");
    git(&w, &home, &["checkout", "-q", "feature/cache"]);
    fs::write(home.join("src/cache.rs"), "struct Cache;").unwrap();
    commit("Add a cache");
    git(&w, &home, &["checkout", "-q", "main"]);
    assert!(!context().contains("thread-safe"));
    git(&w, &home, &["merge", "-q", "feature/cache"]);
    assert!(context().contains("thread-safe"), "{}", context());
}

#[test]
fn the_context_tells_old_memories_about_the_work_at_hand() {
    let w = World::new();
    let home = w.path("home");
    let commit = |message: &str| {
        git(&w, &home, &["add", "-A", "src"]);
        git(&w, &home, &["commit", "-q", "-m", message]);
    };
    let settled = |id: &str, request: &str, file: &str, answer: &str| {
        session(&w, id, request, file, answer);
        w.settle();
    };
    let context = || w.memctl(&["context"]).ok();
    let related = || {
        let text = context();
        let section = text.split("## Related to the work at hand\n").nth(1);
        section.map(|rest| rest.split("\n\n").next().unwrap().to_owned())
    };
    git(&w, &home, &["init", "-q", "-b", "main"]);
    let lexer = "The lexer drops the last line of a file without a line break";
    settled(
        "lexer",
        lexer,
        "src/lexer.rs",
        "It flushes the pending line at the end of the file now.",
    );
    let mailer = "The mailer sends each reminder twice in winter";
    settled("mailer", mailer, "src/mailer.rs", "It counts days in the zone of the reader now.");
    settled(
        "archive",
        "Find out why uploads of the archive are slow",
        "src/archive.rs",
        "The proxy limits uploads of the archive to five a second.",
    );
    commit("Three parts");
    git(&w, &home, &["checkout", "-q", "-b", "feature/carrier-pigeons"]);
    let pigeons = "Send parcels with carrier pigeons";
    settled("pigeons", pigeons, "src/pigeons.rs", "Parcels below 50 g take a pigeon now.");
    commit("Carrier pigeons");
    git(&w, &home, &["checkout", "-q", "main"]);
    store_newer_sessions(&w);

    let clean = context();
    assert!(clean.contains("for case 59") && !clean.contains("## Related"), "{clean}");
    // A session is told with its date and id.
    let tells_session = |context: &str, request: &str| {
        let has_id = |line: &str| {
            let rest = line.split("(s").skip(1);
            rest.into_iter().any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        context.lines().any(|line| line.contains(request) && has_id(line))
    };
    for old in [lexer, mailer, pigeons] {
        assert!(!tells_session(&clean, old), "{old}: {clean}");
    }
    assert_eq!(context(), clean);

    fs::write(home.join("src/lexer.rs"), "another text of the lexer").unwrap();
    let about = related().expect("a memory about the changed file");
    assert!(about.contains("src/lexer.rs") && !about.contains("mailer"), "{about}");
    assert!(about.contains("lexer drops the last line"), "{about}");
    git(&w, &home, &["checkout", "-q", "--", "src/lexer.rs"]);
    fs::write(home.join("src/mailer.rs"), "another text of the mailer").unwrap();
    let about = related().expect("a memory about the changed file");
    assert!(about.contains("src/mailer.rs") && !about.contains("lexer"), "{about}");
    git(&w, &home, &["checkout", "-q", "--", "src/mailer.rs"]);
    assert_eq!(context(), clean);

    git(&w, &home, &["checkout", "-q", "feature/carrier-pigeons"]);
    let on_branch = context();
    assert!(tells_session(&on_branch, pigeons), "{on_branch}");
    git(&w, &home, &["checkout", "-q", "main"]);

    let left = "Case 60 is done.\n\nNext steps:\n- Raise the limit of archive uploads in the proxy";
    settled("n60", "Split the ledger for case 60", "src/ledger.rs", left);
    commit("Case 60");
    let about = related().expect("a memory that answers the open step");
    assert!(about.contains("five a second"), "{about}");
    let is_named = |line: &str| line.contains(" (s") || line.contains(", o");
    assert!(about.lines().all(|line| line.contains("20") && is_named(line)), "{about}");
    let once = context();
    assert_eq!(once.matches("five a second").count(), 1, "{once}");
}
