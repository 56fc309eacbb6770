//! Events that wait for one backend move when the user changes backend, key or login.

use super::{summaries, turn, world};
use crate::support::agent::{Api, FakeClaude, Reply, configure, memory};
use crate::support::recordings::{end, start};
use crate::support::{World, until};

const LIMITED: &str = r#"{"error":{"type":"rate_limit_error"}}"#;

/// A server whose rate limit lasts for most of an hour, except for the key `k-new`.
fn limited() -> Api {
    Api::start(|request| match request.header("x-api-key") {
        Some("k-new") => Reply::Say(memory(&request.prompt(), "With the new key")),
        _ => Reply::Status(429, "retry-after: 3000", LIMITED.into()),
    })
}

fn settings(backend: &str, limited: &Api, other: &Api) -> String {
    format!(
        "[agent]\nbackend = '{backend}'\n[agent.anthropic]\nbase_url = '{}'\nmodel = 'm-1'\n\
         [agent.openai]\nbase_url = '{}/v1'\nmodel = 'm-2'\n",
        limited.url, other.url
    )
}

/// A session whose turn waits for `anthropic`. Its worker is alive with these settings, or the session has
/// ended and it has exited.
fn waiting(limited: &Api, other: &Api, alive: bool) -> World {
    let w = world().with("MEMCTL_WORKER_LINGER", if alive { "60s" } else { "100ms" });
    configure(&w, &settings("anthropic", limited, other));
    w.memctl_with(&["config", "secret", "set", "ANTHROPIC_API_KEY"], b"k-old\n").ok();
    w.hooks(&turn("s", 1));
    w.until_count("SELECT count(*) FROM pending_messages WHERE not_before_epoch NOTNULL", 2);
    if !alive {
        w.hook(&end("s"));
        w.settle();
    }
    w
}

#[test]
fn status_says_what_waits_for_what() {
    let (limited, other) = (limited(), Api::distilling());
    let w = waiting(&limited, &other, true);
    let text = w.memctl(&["status"]).ok().replace('\n', " ");
    assert!(
        text.contains("2 events waiting for anthropic: the rate limit is reached (429)"),
        "{text}"
    );
    let queue = w.memctl(&["status", "--json"]).json()["queue"].clone();
    assert_eq!(queue["waiting"][0]["for"], "anthropic", "{queue}");
    assert_eq!(queue["waiting"][0]["events"], 2, "{queue}");
    let doctor = w.memctl(&["doctor"]).out.replace('\n', " ");
    assert!(doctor.contains("2 events waiting for anthropic"), "{doctor}");
    w.hook(&end("s"));
}

#[test]
fn another_backend_takes_the_events_at_once() {
    for alive in [true, false] {
        let (limited, other) = (limited(), Api::distilling());
        let w = waiting(&limited, &other, alive);
        w.memctl(&["config", "set", "agent.backend", "openai"]).ok();
        w.until_count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'", 0);
        assert_eq!(summaries(&w), ["By the model|openai|0"], "alive: {alive}");
        assert_eq!(limited.requests().len(), 1, "alive: {alive}");
        let waiting = w.memctl(&["status", "--json"]).json()["queue"]["waiting"].clone();
        assert_eq!(waiting.as_array().unwrap().len(), 0, "{waiting}");
    }
}

#[test]
fn another_key_takes_the_events_at_once() {
    for alive in [true, false] {
        let (limited, other) = (limited(), Api::distilling());
        let w = waiting(&limited, &other, alive);
        w.memctl_with(&["config", "secret", "set", "ANTHROPIC_API_KEY"], b"k-new\n").ok();
        w.until_count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'", 0);
        assert_eq!(summaries(&w), ["By the model|anthropic|0"], "alive: {alive}");
        assert_eq!(limited.requests().len(), 2, "alive: {alive}");
    }
}

/// The user changes the file with an editor. A live worker notices it with the next event, otherwise
/// recovery does.
#[test]
fn a_change_with_an_editor_releases_the_events_too() {
    for alive in [true, false] {
        let (limited, other) = (limited(), Api::distilling());
        let w = waiting(&limited, &other, alive);
        configure(&w, &settings("openai", &limited, &other));
        match alive {
            true => w.hooks(&turn("s", 2)),
            false => drop(w.hook(&start("other"))),
        }
        w.until_count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'", 0);
        let expected = vec!["By the model|openai|0"; if alive { 2 } else { 1 }];
        assert_eq!(summaries(&w), expected, "alive: {alive}");
    }
}

/// A change of anything else is no reason to call a server before its limit has passed.
#[test]
fn other_settings_release_nothing() {
    let (limited, other) = (limited(), Api::distilling());
    let w = waiting(&limited, &other, false);
    w.memctl(&["config", "set", "agent.batch_quiet", "5s"]).ok();
    w.hook(&start("other"));
    w.settle();
    assert_eq!((limited.requests().len(), other.requests().len()), (1, 0));
}

/// Recovery gets no key from the environment. It leaves the events to the session's own worker, and no
/// notice says that a key is missing.
#[test]
fn events_wait_for_the_worker_that_has_the_key() {
    let api = Api::start(|_| Reply::Hang);
    let w = world().with("GEMINI_API_KEY", "k-shell");
    configure(
        &w,
        &format!("[agent]\nbackend = 'gemini'\n[agent.gemini]\nbase_url = '{}'", api.url),
    );
    w.hooks(&turn("s", 1));
    until("a call", || if api.requests().is_empty() { Err(String::new()) } else { Ok(()) });
    w.kill(w.worker());
    api.set_script(|request| Reply::Say(memory(&request.prompt(), "With the key")));
    api.release();
    w.memctl(&["recover"]).ok();
    w.settle();
    assert_eq!(api.requests().len(), 1);
    let why = w.rows("SELECT DISTINCT error FROM pending_messages WHERE not_before_epoch > 0");
    assert_eq!(why, ["the API key is known to the session only"]);
    let notices =
        w.rows("SELECT key FROM meta WHERE key LIKE 'notice:agent%' OR key LIKE 'agent-%'");
    assert!(notices.is_empty(), "{notices:?}");
    w.hooks(&turn("s", 2));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(summaries(&w), vec!["By the model|gemini|0"; 2]);
}

#[test]
fn recovery_uses_the_account_of_the_session() {
    for recorded in [true, false] {
        let mut w = world().with("CLAUDE_CONFIG_DIR", "/account/a");
        let fake = FakeClaude::new(&w, "init; read -r more");
        let program = fake.program().display().to_string();
        configure(&w, &format!("[agent]\nbackend = 'claude'\nclaude.command = '{program}'"));
        w.hooks(&turn("s", 1));
        until("a call", || match fake.lines("stdin").len() {
            0 => Err(String::new()),
            _ => Ok(()),
        });
        w.kill(w.worker());
        if !recorded {
            w.execute_sql("UPDATE sessions SET agent_account = NULL");
        }
        let before = fake.lines("env").len();
        fake.set_script("init; remember Recovered");
        w.set("CLAUDE_CONFIG_DIR", "/account/b");
        w.memctl(&["recover"]).ok();
        w.settle();
        let env = &fake.lines("env")[before..];
        let account = env.iter().find(|line| line.starts_with("CLAUDE_CONFIG_DIR="));
        if recorded {
            assert_eq!(account.map(String::as_str), Some("CLAUDE_CONFIG_DIR=/account/a"));
            assert_eq!(w.titles(), ["Recovered"]);
        } else {
            assert!(env.is_empty(), "it waits: {env:?}");
            assert_eq!(summaries(&w), ["Do number 1|extractive|1"]);
        }
    }
}
