//! The `claude` program as a backend: its arguments and environment, and its exit when
//! the worker exits.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::{summaries, turn, world};
use crate::support::agent::{FakeClaude, configure};
use crate::support::recordings::{end, prompt, start, tool};
use crate::support::{World, until};

fn with_program(script: &str, more: &str) -> (World, FakeClaude) {
    let w = world().with("ANTHROPIC_API_KEY", "k-test").with("CLAUDECODE", "1");
    let fake = FakeClaude::new(&w, script);
    let program = fake.program();
    configure(
        &w,
        &format!("[agent]\nbackend = 'claude'\n{more}\nclaude.command = '{}'", program.display()),
    );
    (w, fake)
}

#[track_caller]
fn assert_no_process_is_left(fake: &FakeClaude) {
    until("no program is left", || match fake.alive()[..] {
        [] => Ok(()),
        ref alive => Err(format!("{alive:?}")),
    });
}

#[test]
fn each_turn_is_one_line_to_a_fresh_program_in_an_empty_directory() {
    let (w, fake) =
        with_program("init; remember \"Turn $n\"", "claude.proxy = 'http://127.0.0.1:9'");
    let w = w.with("HTTPS_PROXY", "http://127.0.0.1:7");
    for n in 1..=2 {
        w.hooks(&turn("s", n));
        w.until_count("SELECT count(*) FROM session_summaries WHERE NOT provisional", n as i64);
    }
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Turn 1", "Turn 2"]);
    assert_eq!(summaries(&w), vec!["By the model|claude|0"; 2]);
    // Each turn is one line to its own program, which exits by itself.
    assert_eq!((fake.lines("stdin").len(), fake.lines("pids").len()), (2, 2));
    assert_eq!(fake.lines("ended").len(), 2);
    assert!(fake.lines("seen").is_empty(), "its directory is empty");
    let args = fake.lines("args").join(" ");
    for flag in [
        "-p --input-format stream-json --output-format stream-json --verbose",
        "--tools  --setting-sources  --strict-mcp-config",
        "--no-session-persistence",
    ] {
        assert!(args.contains(flag), "{flag} in {args}");
    }
    let id = w.rows("SELECT memory_session_id FROM sessions").remove(0);
    assert!(args.contains(&format!("--session-id {id}")));
    let env = fake.lines("env");
    assert!(env.iter().any(|v| v == "MEMCTL_INTERNAL=1"));
    let proxies = env.iter().filter(|v| v.contains("_PROXY="));
    assert!(proxies.clone().count() > 0 && proxies.clone().all(|v| v.ends_with("127.0.0.1:9")));
    assert!(env.iter().any(|v| v == "ANTHROPIC_API_KEY=k-test"));
    let foreign = |v: &&String| {
        v.starts_with("CLAUDECODE") || v.starts_with("MEMCTL_") && *v != "MEMCTL_INTERNAL=1"
    };
    assert_eq!(env.iter().find(foreign), None);
    assert_eq!(
        w.rows("SELECT status, input_tokens, output_tokens FROM agent_usage ORDER BY id"),
        ["complete|100|10", "complete|100|10"]
    );
}

#[test]
fn batches_of_a_turn_share_a_conversation_and_usage_counts_the_difference() {
    let (w, fake) = with_program("init; remember \"Turn $n\"", "batch_events = 1");
    w.hook(&prompt("s", "t1", "Do it"));
    for n in 1..=3 {
        w.hook(&tool("s", "t1", &format!("u{n}"), "cargo test", "ok"));
        w.until_count("SELECT count(*) FROM observations", n);
    }
    assert_eq!((fake.lines("stdin").len(), fake.lines("pids").len()), (3, 1));
    assert_eq!(w.rows("SELECT input_tokens FROM agent_usage"), ["100", "100", "100"]);
    w.hook(&end("s"));
    w.settle();
    assert_no_process_is_left(&fake);
}

#[test]
fn a_program_that_dies_is_restarted_and_gets_the_batch_again() {
    let (w, fake) = with_program("init; remember \"Turn $n\"", "");
    fake.set_script_at(1, "init; kill -9 $$");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Turn 2"]);
    assert_eq!(fake.lines("pids").len(), 2);
    assert_eq!(w.unfinished(), 0);
    let usage = w.rows("SELECT status FROM agent_usage ORDER BY id");
    assert_eq!(usage, ["unknown", "complete"]);
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let (w, fake) = with_program("init; remember \"Turn $n\"", "turn_timeout = '300ms'");
    // The child of the program holds none of our pipes open.
    fake.set_script_at(
        1,
        "init; cat <\"$dir/pipe\" >/dev/null 2>&1 & echo $! >>\"$dir/pids\"; read -r more",
    );
    nix::unistd::mkfifo(&w.path("bin/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Turn 2", "Turn 3"], "the batch is split");
    assert_no_process_is_left(&fake);
}

#[test]
fn children_of_a_program_that_exits_are_killed() {
    let (w, fake) = with_program("init; remember \"Turn $n\"", "");
    // The child holds our stderr pipe open.
    fake.set_script_at(1, "init; cat >/dev/null <\"$dir/pipe\" & echo $! >>\"$dir/pids\"; exit 3");
    nix::unistd::mkfifo(&w.path("bin/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Turn 2"]);
    assert_no_process_is_left(&fake);
}

#[test]
fn a_backend_that_refuses_calls_holds_no_slot() {
    let script = "case $ANTHROPIC_API_KEY in k-test) init; failed authentication_failed 401 no ;; \
        *) init; remember Told ;; esac";
    let (mut w, fake) = with_program(script, "max_children = 1");
    w.set("MEMCTL_WORKER_LINGER", "1h");
    let n_deferred = |w: &World| {
        w.count("SELECT count(DISTINCT session_id) FROM pending_messages WHERE error NOTNULL")
    };
    // The second session makes no call, because the settings are the same. Its worker keeps
    // running.
    for (n, session) in ["a", "b"].into_iter().enumerate() {
        w.hooks(&turn(session, 1));
        until("the call is refused", || match n_deferred(&w) {
            refused if refused == n as i64 + 1 => Ok(()),
            refused => Err(refused.to_string()),
        });
    }
    assert_eq!(fake.lines("stdin").len(), 1);
    w.set("ANTHROPIC_API_KEY", "k-new");
    w.hooks(&turn("c", 1));
    w.until_count("SELECT count(*) FROM session_summaries WHERE NOT provisional", 1);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE not_before_epoch NOTNULL"), 0);
}

#[test]
fn doctor_tests_the_program_before_any_session() {
    let (w, fake) = with_program("init; remember Trial", "");
    let output = w.memctl(&["doctor", "--agent"]);
    assert!(output.out.contains("claude returned 1 observation and a summary"), "{output:?}");
    assert!(output.out.contains("100 tokens in, 10 out, $0.01"), "{output:?}");
    assert_eq!(w.rows("SELECT status, input_tokens FROM agent_usage"), ["complete|100"]);
    fake.set_script("init; failed authentication_failed 401 no");
    let output = w.memctl(&["doctor", "--agent"]);
    assert!(
        output.out.contains("not logged in") && output.out.contains("-> log in with `claude`"),
        "{output:?}"
    );
    assert_no_process_is_left(&fake);
}

#[test]
fn no_program_outlives_its_worker() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGABRT] {
        let (w, fake) = with_program("init; read -r more", "");
        w.hooks(&turn("s", 1));
        until("the program gets a line", || match fake.lines("stdin").len() {
            1 => Ok(()),
            n => Err(n.to_string()),
        });
        assert_eq!(fake.alive().len(), 1);
        w.signal(w.worker(), signal);
        assert_no_process_is_left(&fake);
        fake.set_script("init; remember Afterwards");
        w.hook(&end("s"));
        w.settle();
        assert_eq!(w.titles(), ["Afterwards"], "{signal}");
        assert_eq!((w.unfinished(), summaries(&w)), (0, vec!["By the model|claude|0".into()]));
    }
}

#[test]
fn errors_reported_as_success_are_handled_as_errors() {
    let cases = [
        ("init; failed authentication_failed 401 'API Error: 401'", "not logged in"),
        ("init; failed rate_limit 429 'API Error: 429'", "the rate limit is reached"),
        ("init; failed server_error 529 'API Error: 529'", "the server is overloaded"),
        ("init; failed billing_error 400 'Credit balance is too low'", "the quota is used up"),
        ("echo 'Not logged in · Please run /login' >&2; exit 1", "not logged in"),
        ("echo \"error: unknown option '--tools'\" >&2; exit 1", "too old"),
    ];
    for (script, why) in cases {
        let (w, fake) = with_program(script, "");
        w.hooks(&turn("s", 1));
        w.hook(&end("s"));
        w.settle();
        let deferred = w.rows("SELECT DISTINCT status, retry_count, error FROM pending_messages WHERE not_before_epoch > 0");
        assert!(
            deferred.len() == 1
                && deferred[0].starts_with("pending|0|")
                && deferred[0].contains(why),
            "{deferred:?}, not {why}\n{}",
            w.logs()
        );
        assert_eq!(summaries(&w), ["Do number 1|extractive|1"]);
        assert_no_process_is_left(&fake);
    }
}

/// A login changes the file of Claude Code. Nothing else tells memctl.
#[test]
fn a_new_login_takes_the_events_that_wait_for_the_old_one() {
    let (w, fake) = with_program("init; failed rate_limit 429 'API Error: 429'", "");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.until_count("SELECT count(*) FROM pending_messages WHERE not_before_epoch NOTNULL", 2);
    w.settle();
    fake.set_script("init; remember \"After the login\"");
    w.hook(&start("other"));
    w.settle();
    assert_eq!(fake.lines("stdin").len(), 1, "nothing has changed");
    fs::create_dir_all(w.path("home/.claude")).unwrap();
    fs::write(w.path("home/.claude/.credentials.json"), "{}").unwrap();
    w.hook(&start("third"));
    w.settle();
    assert_eq!(w.titles(), ["After the login"]);
}

#[test]
fn a_missing_program_is_reported() {
    let w = world();
    configure(&w, "[agent]\nbackend = 'claude'\nclaude.command = '/nowhere/claude'");
    w.hooks(&turn("s", 1));
    w.hook(&end("s"));
    w.settle();
    let deferred = w.rows("SELECT DISTINCT error FROM pending_messages WHERE not_before_epoch > 0");
    assert_eq!(deferred, ["the program '/nowhere/claude' was not found"]);
    assert_eq!(summaries(&w), ["Do number 1|extractive|1"]);
}

#[test]
fn the_number_of_programs_on_a_machine_is_limited() {
    let check = "init; for p in $(cat \"$dir/pids\"); do kill -0 $p 2>/dev/null && echo $p; done \
        | wc -l >>\"$dir/alive\"; remember \"Turn $n\"";
    let (w, fake) = with_program(check, "max_children = 1");
    for session in ["a", "b", "c", "d"] {
        w.hooks(&turn(session, 1));
        w.hook(&end(session));
    }
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM session_summaries WHERE NOT provisional"), 4);
    assert_eq!(fake.lines("alive").iter().map(|n| n.trim()).collect::<Vec<_>>(), ["1"; 4]);
    assert_eq!(w.unfinished(), 0);
}

#[test]
fn the_program_never_comes_from_a_path_entry_of_the_project() {
    let mut w = world();
    let clone = w.path("clone");
    fs::create_dir_all(clone.join(".git")).unwrap();
    fs::write(clone.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::create_dir(clone.join("bin")).unwrap();
    for name in ["claude", "sh"] {
        let trap = clone.join("bin").join(name);
        fs::write(&trap, format!("#!/bin/sh\necho run >'{}/ran'\n", clone.display())).unwrap();
        fs::set_permissions(&trap, Permissions::from_mode(0o755)).unwrap();
    }
    let fake = FakeClaude::new(&w, "init; remember \"Turn $n\"");
    let own = w.path("bin");
    let path = format!("{}/bin:.::bin:{}:/usr/bin:/bin", clone.display(), own.display());
    w.set("PATH", &path);
    configure(&w, "[agent]\nbackend = 'claude'");
    for mut event in turn("s", 1) {
        event["cwd"] = clone.to_str().unwrap().into();
        w.hook(&event);
    }
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.titles(), ["Turn 1"]);
    assert!(!clone.join("ran").exists());
    let path = format!("PATH={}:/usr/bin:/bin", own.display());
    assert!(fake.lines("env").contains(&path), "{:?}", fake.lines("env"));
}
