//! Usage and costs as `memctl stats` reports them, from rows in the ledger. No model is called.

use crate::support::World;
use crate::support::recordings::{end, prompt, stop, tool};

/// Two finished sessions. The model of the second one made two calls.
fn world() -> World {
    let w = World::new();
    for session in ["first", "second"] {
        w.hook(&prompt(session, "t", "make the tests pass"));
        w.hook(&tool(session, "t", "u", "cargo test", "test result: ok. 7 passed; 0 failed"));
        w.hook(&stop(session, "t", "All 7 tests pass now."));
        w.hook(&end(session));
    }
    w.settle();
    w.execute_sql(
        "INSERT INTO agent_usage (day, session_id, backend, model, input_tokens, output_tokens,
           cost, priced, status, created_at_epoch)
         SELECT date('now', 'localtime'), s.id, 'anthropic', m.model, 20000, 1000, 0.3, m.priced,
           m.status, unixepoch('subsec') * 1000
         FROM sessions s, (SELECT 'claude-haiku-4-5' AS model, 1 AS priced, 'complete' AS status
                           UNION ALL SELECT 'new', 0, 'open') m
         WHERE s.content_session_id = 'second'",
    );
    w
}

#[test]
fn stats_count_stored_rows_and_usage() {
    let w = world();
    let stats = w.memctl(&["stats", "--by", "session", "--json"]).json();
    let second =
        stats["groups"].as_array().unwrap().iter().find(|g| g["name"] == "second").unwrap();
    assert_eq!(second["turns"], 2);
    assert_eq!(second["input_tokens"], 40_000);
    assert_eq!((&second["unpriced"], &second["estimated"]), (&1.into(), &1.into()));
    assert_eq!((&second["prompts"], &second["cost"]), (&1.into(), &0.6.into()));
    let total = &stats["total"];
    assert_eq!((&total["sessions"], &total["prompts"]), (&2.into(), &2.into()), "{total}");
    assert_eq!(
        total["events"],
        w.count("SELECT count(*) FROM pending_messages WHERE event <> 'late'")
    );
    assert_eq!(stats["today"]["cost"], 0.6);
    assert_eq!(stats["today"]["cost_budget"], 3.0);
    let backends = w.memctl(&["stats", "--by", "backend", "--json"]).json();
    let names: Vec<_> = backends["groups"].as_array().unwrap().iter().map(|g| &g["name"]).collect();
    assert_eq!(names, ["anthropic"]);
    assert_eq!(backends["groups"][0]["prompts"], serde_json::Value::Null);
    let text = w.memctl(&["stats"]).ok();
    for part in
        ["DAY ", "$0.60", "2 model calls", "without a known price", "$0.60 of $3.00", "42k of 3.0M"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn since_limits_stats_to_later_rows() {
    let w = world();
    let turns = |since: &str| {
        w.memctl(&["stats", "--since", since, "--json"]).json()["total"]["turns"].clone()
    };
    assert_eq!(turns("1d"), 2, "today");
    assert_eq!(turns("2026-01-01"), 2);
    assert_eq!(turns("2100-01-01"), 0);
    assert_eq!(
        w.memctl(&["stats", "--since", "2100-01-01"]).ok(),
        "nothing was stored in this period\n"
    );
    let wrong = w.memctl(&["stats", "--since", "yesterday"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("use a day (2026-11-01) or an age (7d)"), "{wrong:?}");
}

#[test]
fn stats_group_by_days_in_the_users_time_zone() {
    let w = World::new();
    w.hook(&prompt("s", "t", "go"));
    w.hook(&end("s"));
    w.settle();
    // 01:30 UTC.
    w.execute_sql("UPDATE user_prompts SET created_at_epoch = 1767231000000");
    let day = |zone: &str| {
        let mut command = w.program();
        command.env("TZ", zone).args(["stats", "--since", "2025-12-01", "--json"]);
        let out = command.output().unwrap().stdout;
        let stats: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let with_prompt = stats["groups"].as_array().unwrap().iter().find(|g| g["prompts"] == 1);
        with_prompt.unwrap()["name"].clone()
    };
    assert_eq!(day("UTC0"), "2026-01-01");
    assert_eq!(day("XYZ5"), "2025-12-31", "five hours west");
    assert_eq!(day("XYZ-9"), "2026-01-01", "nine hours east");
}

#[test]
fn stats_of_an_empty_memory_are_empty() {
    let w = World::new();
    assert_eq!(w.memctl(&["stats"]).ok(), "nothing to count: nothing is stored yet\n");
    assert_eq!(w.memctl(&["stats", "--since", "soon"]).code, Some(2));
    assert!(!w.data().exists());
}
