//! Hooks: their output, and input that must not make them fail.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::json;

use crate::support::recordings::{prompt, tool};
use crate::support::{World, until};

const NO_OP: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Checks that a hook exits with 0, prints the no-op response, and writes one line with `message`
/// to standard error and, if there is a data dir, to the log.
#[track_caller]
fn assert_refused(w: &World, args: &[&str], input: &[u8], message: &str) {
    let output = w.hook_bytes(args, input);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.out, NO_OP);
    assert!(output.err.contains(message), "{:?} has no {message:?}", output.err);
    assert_eq!(output.err.trim_end().lines().count(), 1, "{:?}", output.err);
    if w.data().exists() {
        assert!(w.logs().contains(message), "log: {}", w.logs());
    }
}

#[test]
fn input_without_an_event_is_refused_with_the_no_op_response() {
    let w = World::new();
    w.hook(&prompt("s", "t", "hello"));
    assert_refused(&w, &[], b"", "no input");
    assert_refused(&w, &[], b"hello", "JSON");
    assert_refused(&w, &[], b"[1,2]", "JSON");
    assert_refused(&w, &[], br#"{"hook_event_name":"Stop""#, "JSON");
    assert_refused(&w, &[], br#"{"hook_event_name":"Stop","cwd":"/"}"#, "session");
    assert_refused(&w, &["--nonsense"], b"{}", "--nonsense");
    let long = json!({"hook_event_name": "Stop", "session_id": "x".repeat(600)});
    assert_refused(&w, &[], long.to_string().as_bytes(), "session");
}

#[test]
fn help_is_printed_and_nothing_is_created() {
    let w = World::new();
    let help = w.memctl(&["hook", "--help"]).ok();
    assert!(help.starts_with("memctl hook [EVENT]") && help.contains("observe.sh"), "{help}");
    assert!(!w.data().exists());
}

#[test]
fn unknown_events_and_fields_are_tolerated() {
    let w = World::new();
    w.hook(&json!({"session_id": "s", "hook_event_name": "SomethingNew", "x": {"y": [1]}}));
    let mut payload = prompt("s", "t", "hello");
    payload["brand_new"] = json!([{"deep": null}]);
    w.hook(&payload);
    w.worker();
}

#[test]
fn a_memory_agents_own_hook_does_nothing() {
    let w = World::new().with("MEMCTL_INTERNAL", "1");
    w.hook(&prompt("s", "t", "hello"));
    assert!(!w.data().exists());
}

#[test]
fn a_payload_of_fifty_megabytes_is_truncated_and_stored() {
    // A debug build on a loaded machine reads slowly.
    let w = World::new().with("MEMCTL_HOOK_STDIN", "20s");
    let mut payload = tool("s", "t", "u", "cat big", "");
    payload["tool_response"]["stdout"] = json!("0123456789".repeat(5 << 20));
    let output = w.hook_bytes(&[], payload.to_string().as_bytes());
    assert_eq!(output.code, Some(0));
    assert_eq!(output.out, NO_OP);
    w.settle();
    let stored = w.rows("SELECT event, tool_use_id FROM pending_messages WHERE tool_use_id = 'u'");
    assert_eq!(stored, ["tool|u"]);
}

#[test]
fn private_text_is_removed_and_odd_bytes_are_accepted() {
    let w = World::new();
    w.hook(&prompt("s", "t", "tell nobody: <private>my pin is 1234</private> but do it"));
    let mut payload = tool("s", "t", "u1", "printf", "caf\u{e9} \u{0} \u{1b}[31m");
    payload["tool_input"]["command"] = json!("<private>secret sauce</private> ls");
    w.hook(&payload);
    let output = w.hook_bytes(&[], b"{\"session_id\":\"s\",\"hook_event_name\":\"Stop\",\"last_assistant_message\":\"\xff\xfe \\ud800\"}");
    assert_eq!((output.code, output.out.as_str()), (Some(0), NO_OP));
    w.settle();
    let everything = std::fs::read(w.data().join("memctl.db")).unwrap();
    let contains = |text: &str| everything.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(!contains("1234") && !contains("secret sauce"));
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["tell nobody:  but do it"]);
}

#[test]
fn an_entirely_private_prompt_makes_its_turn_private() {
    let w = World::new();
    w.hook(&prompt("s", "t", "<private>all of it</private>"));
    w.hook(&tool("s", "t", "u", "cat diary", "dear diary"));
    w.hook(&crate::support::recordings::stop("s", "t", "I read your diary."));
    w.settle();
    assert_eq!(w.rows("SELECT private, prompt_text FROM user_prompts"), ["1|-"]);
    assert_eq!(w.rows("SELECT request, hidden FROM session_summaries"), ["[private]|1"]);
    assert_eq!(w.count("SELECT count(*) FROM observations"), 0);
    let files = [w.data().join("memctl.db"), w.data().join("memctl.db-wal")];
    for file in files.iter().filter(|f| f.exists()) {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(10).any(|w| w == b"dear diary"), "{}", file.display());
    }
}

#[test]
fn a_panic_an_abort_and_deep_nesting_end_with_the_no_op_response() {
    for how in ["panic", "abort"] {
        let mut w = World::new();
        w.hook(&prompt("s", "t", "hello"));
        w.set("MEMCTL_TESTPOINT", &format!("hook.captured={how}"));
        let output = w.hook_bytes(&[], tool("s", "t", "u", "ls", "").to_string().as_bytes());
        assert_eq!((output.code, output.out.as_str()), (Some(0), NO_OP), "{how}: {output:?}");
        assert!(output.err.contains("may be lost"), "{output:?}");
        if how == "panic" {
            assert!(output.err.contains("panicked at src/testpoint.rs"), "{output:?}");
            assert!(w.logs().contains("panicked"), "{}", w.logs());
        }
    }
    let deep = format!("{{\"session_id\":\"s\",\"x\":{}", "[".repeat(200_000));
    let w = World::new();
    let output = w.hook_bytes(&[], deep.as_bytes());
    assert_eq!((output.code, output.out.as_str()), (Some(0), NO_OP));
}

/// If the time grew with the square of the number of tags, the last-resort timer would end the hook.
#[test]
fn an_event_with_many_tags_is_recorded() {
    let w = World::new();
    w.hook(&prompt("s", "t", "hello"));
    let mut payload = tool("s", "t", "u", "cat list", "");
    payload["tool_response"]["lines"] = vec!["<private>a</private>b"; 40_000].into();
    w.hook(&payload);
    w.until_count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'u'", 1);
}

/// Payloads have the order of the client's fields.
fn ordered(event: &str, fields: &str) -> String {
    format!(r#"{{"session_id":"s","cwd":"/","prompt_id":"t","hook_event_name":"{event}",{fields}"#)
}

/// A client that is killed while it writes.
#[test]
fn an_event_whose_end_is_cut_is_recorded_without_the_cut_field() {
    let w = World::new();
    w.hook(&prompt("s", "t", "make it faster"));
    let tool = ordered(
        "PostToolUse",
        r#""tool_name":"Bash","tool_input":{"command":"cargo bench"},"tool_response":{"stdout":"12 m"#,
    );
    let stop = ordered("Stop", r#""last_assistant_message":"It is faster. The password is hunt"#);
    for cut in [&tool, &stop] {
        let message = "the input ends inside its JSON object; the fields before that are recorded";
        assert_refused(&w, &[], cut.as_bytes(), message);
    }
    w.settle();
    assert_eq!(w.prompts(), ["1|stop"]);
    assert_eq!(w.summarized_prompts(), [1]);
    let tools = "SELECT tool_name FROM pending_messages WHERE event = 'tool'";
    assert_eq!(w.rows(tools), ["Bash"]);
    // The end of a cut text may be half a secret.
    assert_eq!(w.files_with(&["hunt".into()]), [""; 0]);
    assert!(std::fs::read(w.data().join("lost")).unwrap_or_default().is_empty());
}

/// A client that hangs while it writes, and one that writes invalid JSON.
#[test]
fn a_stop_with_a_late_or_invalid_end_closes_its_turn() {
    let stop = ordered("Stop", r#""last_assistant_message":"#);
    let deep = format!("{stop}{}", "[".repeat(200));
    for (rest, message) in [
        (stop.clone(), "ends inside"),
        (deep, "nested more than"),
        (format!(r#"{stop}"a "quoted" word","stop_hook_active":false}}"#), "column"),
    ] {
        let w = World::new().with("MEMCTL_HOOK_STDIN", "50ms");
        w.hook(&prompt("s", "t", "go"));
        let mut hook = w.program();
        hook.arg("hook").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut hook = hook.spawn().unwrap();
        let mut stdin = hook.stdin.take().unwrap();
        stdin.write_all(rest.as_bytes()).unwrap();
        // The pipe stays open until the hook has exited.
        let output = hook.wait_with_output().unwrap();
        drop(stdin);
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), NO_OP.as_bytes()));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(message) && error.contains("are recorded"), "{error}");
        w.settle();
        assert_eq!(w.prompts(), ["1|stop"], "{error}");
    }
}

/// The part that is missing may have the end of the block, or another one.
#[test]
fn a_cut_prompt_with_a_private_tag_makes_its_turn_private() {
    let w = World::new();
    let cut = ordered("UserPromptSubmit", r#""prompt":"open <private>my dia"#);
    let _ = w.hook_bytes(&[], cut.as_bytes());
    w.hook(&tool("s", "t", "u", "cat diary", "dear diary"));
    w.hook(&crate::support::recordings::stop("s", "t", "I read your diary."));
    w.settle();
    assert_eq!(w.rows("SELECT private, prompt_text FROM user_prompts"), ["1|-"]);
    assert_eq!(w.files_with(&["dia".into()]), [""; 0]);
}

/// `C:\…` comes from a client on Windows whose hooks run in WSL.
#[test]
fn a_relative_or_foreign_directory_is_no_project() {
    let w = World::new();
    let directories = |project: Option<&str>, cwd: &str| {
        let session = format!("{project:?} {cwd}");
        let mut hook = w.program();
        hook.arg("hook").envs(project.map(|dir| ("CLAUDE_PROJECT_DIR", dir)));
        hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut hook = hook.spawn().unwrap();
        hook.stdin.take().unwrap().write_all(&json_with_cwd(&session, cwd)).unwrap();
        let output = hook.wait_with_output().unwrap();
        assert_eq!(&*output.stdout, NO_OP.as_bytes(), "{output:?}");
        let roots = "SELECT ifnull(p.root, '-') FROM sessions s LEFT JOIN projects p
            ON p.id = s.project_id WHERE s.content_session_id";
        let roots = format!("{roots} = '{session}'");
        until("the session is stored", || match &w.rows(&roots)[..] {
            [root] => Ok(root.clone()),
            other => Err(format!("{other:?}")),
        })
    };
    let home = w.path("home").to_str().unwrap().to_owned();
    w.hook(&prompt("first", "t", "creates the database"));
    w.hook(&crate::support::recordings::end("first"));
    w.settle();
    for cwd in ["C:\\work\\tally", "C:/work/tally", "src", ".", "\\\\host\\share"] {
        assert_eq!(directories(None, cwd), "-", "{cwd}");
        assert_eq!(directories(Some(cwd), &home), home, "{cwd}");
        assert_eq!(directories(Some(cwd), cwd), "-", "{cwd}");
    }
    assert_eq!(directories(Some(&home), "C:\\work"), home);
    // What is excluded stays so: the hook runs in the session's directory.
    w.memctl(&["config", "set", "exclude", &home]).ok();
    let _ = w.hook_bytes(&[], &json_with_cwd("not-recorded", "C:\\work"));
    assert_eq!(w.files_with(&["not-recorded".into()]), [""; 0]);
}

fn json_with_cwd(session: &str, cwd: &str) -> Vec<u8> {
    let mut payload = prompt(session, "t", "go");
    payload["cwd"] = json!(cwd);
    payload.to_string().into_bytes()
}

/// A client that is overloaded starts the hook and writes its event too late.
#[test]
fn an_event_that_arrives_too_late_counts_as_lost() {
    let w = World::new().with("MEMCTL_HOOK_STDIN", "50ms");
    w.hook(&prompt("s", "t", "go"));
    let lost = || std::fs::read(w.data().join("lost")).map_or(0, |bytes| bytes.len());
    let mut hook = w.program();
    hook.arg("hook").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut hook = hook.spawn().unwrap();
    let stdin = hook.stdin.take();
    let output = hook.wait_with_output().unwrap();
    drop(stdin);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "memctl: hook: no input arrived within 150ms (hook.stdin)\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), NO_OP);
    assert_eq!((output.status.code(), lost()), (Some(0), 1));
    // At end of file there was no event.
    assert!(w.hook_bytes(&[], b"").err.contains("no input; expected a JSON object"));
    assert_eq!(lost(), 1);
}

#[test]
fn an_event_counts_as_lost_from_its_first_byte() {
    let lost = |w: &World| std::fs::read(w.data().join("lost")).map_or(0, |bytes| bytes.len());
    let payload = tool("s", "t", "u", "ls", "").to_string();
    for point in ["hook.read", "hook.captured", "hook.prepared", "hook.marked"] {
        let w = World::new();
        w.hook(&prompt("s", "t", "hello"));
        let paused = w.path("paused");
        let mut command = w.program();
        command.arg("hook").env("MEMCTL_TESTPOINT", format!("{point}=pause:{}", paused.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut hook = command.spawn().unwrap();
        hook.stdin.take().unwrap().write_all(payload.as_bytes()).unwrap();
        until("the hook is paused", || paused.exists().then_some(()).ok_or(String::new()));
        w.signal(hook.id() as i32, Signal::SIGTERM);
        let output = hook.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), NO_OP.as_bytes()), "{point}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("may be lost"), "{output:?}");
        assert_eq!(lost(&w), 1, "{point}");
    }

    let w = World::new();
    w.hook(&prompt("s", "t", "hello"));
    let _ = w.hook_bytes(&[], br#"{"hook_event_name":"Stop","session_id":"#);
    assert_eq!(lost(&w), 1, "an incomplete event");
    let _ = w.hook_bytes(&[], format!("{{\"x\":{}", "[".repeat(200)).as_bytes());
    assert_eq!(lost(&w), 2, "an event that is nested too deeply");
    for ignored in ["", "[]", r#"{"hook_event_name":"Notification","session_id":"s"}"#, r#"{"x"}"#]
    {
        let _ = w.hook_bytes(&[], ignored.as_bytes());
    }
    assert_eq!(lost(&w), 2, "no event");
}

/// A hung worker whose listen queue is full, so that even `connect` blocks.
#[test]
fn a_hook_does_not_wait_for_a_full_listen_queue() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    let address = UnixAddr::new(&w.socket_files().remove(0)).unwrap();
    w.signal(pid, Signal::SIGSTOP);
    let connect_once = || {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        connect(fd.as_raw_fd(), &address).map(|()| fd)
    };
    let queue: Vec<_> = std::iter::from_fn(|| connect_once().ok()).take(10_000).collect();
    assert!(connect_once().is_err(), "{} connections do not fill the queue", queue.len());
    w.hook(&tool("s", "t", "u", "ls", "x"));
    assert_eq!(std::fs::read_dir(w.spools().remove(0)).unwrap().count(), 1);
}

#[test]
fn without_a_data_dir_the_second_spool_is_used() {
    let w = World::new();
    // A file blocks the path of the directory, because permissions do not stop root.
    std::fs::write(w.data(), "").unwrap();
    let output = w.hook_bytes(&[], prompt("s", "t", "hello").to_string().as_bytes());
    assert_eq!((output.code, output.out.as_str()), (Some(0), NO_OP));
    assert!(output.err.contains("data dir"), "{output:?}");
}
