//! Events that wait for one backend move when the user changes backend, key or login.

use super::{summaries, turn, world};
use crate::support::World;
use crate::support::agent::{Api, Reply, configure, memory};
use crate::support::recordings::{end, start};

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
