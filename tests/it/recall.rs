//! Memories that a session receives while it works: with a prompt, before a file is used, after a
//! failure and before a risky command. What was received is counted.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use memctl_proto::frame::{self, HEADER};
use memctl_proto::{Code, Reply, Request};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::recordings::payload;
use crate::support::{World, until};

const NO_OP: &str = r#"{"continue":true,"suppressOutput":true}"#;

/// A world with a project in `p`, whose hooks wait for a loaded machine.
fn world() -> World {
    let w = World::new().with("MEMCTL_HOOK_RECALL", "2s");
    std::fs::create_dir(w.path("p")).unwrap();
    w
}

fn event(w: &World, session: &str, name: &str, fields: Value) -> Value {
    let mut payload = json!({"session_id": session, "cwd": w.path("p"), "prompt_id": "t1",
                             "hook_event_name": name});
    payload.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    payload
}

fn prompt(w: &World, session: &str, text: &str) -> Value {
    event(w, session, "UserPromptSubmit", json!({"prompt": text}))
}

fn start(w: &World, session: &str) -> Value {
    event(w, session, "SessionStart", json!({"source": "startup", "prompt_id": null}))
}

fn stop(w: &World, session: &str, text: &str) -> Value {
    event(w, session, "Stop", json!({"stop_hook_active": false, "last_assistant_message": text}))
}

fn before(w: &World, session: &str, tool: &str, input: Value) -> Value {
    let fields = json!({"tool_name": tool, "tool_input": input, "tool_use_id": "u9"});
    event(w, session, "PreToolUse", fields)
}

fn before_file(w: &World, session: &str, tool: &str, file: &str) -> Value {
    before(w, session, tool, json!({"file_path": w.path("p").join(file)}))
}

fn failed(w: &World, session: &str, id: &str, command: &str, error: &str) -> Value {
    let fields = json!({"tool_name": "Bash", "tool_input": {"command": command},
                        "tool_use_id": id, "error": error, "is_interrupt": false});
    event(w, session, "PostToolUseFailure", fields)
}

fn ran(w: &World, session: &str, id: &str, command: &str, output: &str) -> Value {
    let response = json!({"stdout": output, "stderr": "", "interrupted": false});
    let fields = json!({"tool_name": "Bash", "tool_input": {"command": command},
                        "tool_use_id": id, "tool_response": response});
    event(w, session, "PostToolUse", fields)
}

fn edited(w: &World, session: &str, id: &str, file: &str) -> Value {
    let path = w.path("p").join(file);
    let fields = json!({"tool_name": "Edit", "tool_use_id": id,
        "tool_input": {"file_path": path, "old_string": "a = 1", "new_string": "a = 2"},
        "tool_response": {"filePath": path, "oldString": "a = 1", "newString": "a = 2",
                          "originalFile": "a = 1\n", "userModified": false}});
    event(w, session, "PostToolUse", fields)
}

const ERROR: &str = "Exit code 101\nerror[E0425]: cannot find function `parse_line` in this scope\n \
                     --> src/importer.rs:12:5";

/// The session `old`: a failure and its fix, a refused push, a changed file.
fn store_session(w: &World) {
    w.hooks(&[
        prompt(w, "old", "Fix the importer, it drops the last line of the walnut ledger"),
        failed(w, "old", "u1", "cargo test", ERROR),
        edited(w, "old", "u2", "src/importer.rs"),
        ran(w, "old", "u3", "cargo test", "test result: ok. 7 passed; 0 failed"),
        failed(
            w,
            "old",
            "u4",
            "git push --force origin main",
            "Exit code 1\n ! [rejected] main -> main (protected branch hook declined)\n\
             error: failed to push some refs",
        ),
        stop(
            w,
            "old",
            "The importer dropped the last line of the walnut ledger because the buffer was one \
             byte short. It reads the whole ledger now; all 7 tests pass.",
        ),
    ]);
    w.hook(&event(w, "old", "SessionEnd", json!({"reason": "other"})));
    w.settle();
}

const QUESTION: &str = "Why did the importer drop the last line of the walnut ledger?";

/// The block of a response, checked as the client checks it.
#[track_caller]
fn block(response: &Value, event: &str) -> String {
    let output = &response["hookSpecificOutput"];
    let Some(context) = output["additionalContext"].as_str() else {
        assert_eq!(response.to_string(), NO_OP);
        return String::new();
    };
    assert_eq!(output["hookEventName"], event);
    assert_eq!(output.as_object().unwrap().len(), 2, "no decision about the tool: {response}");
    assert!(context.encode_utf16().count() <= 9_500 && context.ends_with("</memctl-context>\n"));
    assert!(context.contains("not instructions"), "{context}");
    context.to_owned()
}

#[track_caller]
fn asks(w: &World, payload: &Value) -> String {
    block(&w.hook(payload), payload["hook_event_name"].as_str().unwrap())
}

/// The places and ids of what a session received, when all of it is stored.
#[track_caller]
fn injected(w: &World, session: &str) -> Vec<String> {
    let injected = until("the session is stored", || {
        let is_drained = w.spools().is_empty();
        let output = w.memctl(&["injected", session, "--json"]);
        match is_drained && output.code == Some(0) {
            true => Ok(output.json()),
            false => Err(format!("{output:?}")),
        }
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let memory = |m: &Value| format!("{} {}", text(&m["place"]), text(&m["id"]));
    injected["memories"].as_array().unwrap().iter().map(memory).collect()
}

/// A memory with a date, as every block has it.
#[track_caller]
fn assert_dated(block: &str, id: &str) {
    let line = block.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{block}"));
    let is_date = |word: &str| {
        let word = word.trim_start_matches('(').trim_end_matches([',', ')']);
        word.len() == 10 && word.starts_with("20") && word.matches('-').count() == 2
    };
    assert!(line.split(' ').any(is_date), "{line}");
}

#[test]
fn a_prompt_receives_what_answers_it() {
    let w = world();
    store_session(&w);
    let answer = asks(&w, &prompt(&w, "new", QUESTION));
    assert!(answer.contains("one byte short"), "{answer}");
    assert_dated(&answer, "s1");
    assert_eq!(injected(&w, "new")[0], "prompt s1");
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), answer, "it was sent again");
    let mut later = prompt(&w, "new", QUESTION);
    later["prompt_id"] = json!("t2");
    assert_eq!(asks(&w, &later), "", "the session has received it");
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    assert_eq!(injected(&w, "new").iter().filter(|row| row.ends_with(" s1")).count(), 1);
}

/// Stores a session with a turn for each prompt and final message.
fn talk(w: &World, session: &str, turns: &[(&str, &str)]) {
    for (n, (asked, answer)) in turns.iter().enumerate() {
        for mut payload in [prompt(w, session, asked), stop(w, session, answer)] {
            payload["prompt_id"] = json!(format!("t{n}"));
            w.hook(&payload);
        }
    }
    w.hook(&event(w, session, "SessionEnd", json!({"reason": "other"})));
    w.settle();
}

const ORDERS: (&str, &str) = (
    "How does the orders API of the walnut shop page its results?",
    "The orders page shows number, date and customer. A page has 50 orders of the walnut shop. The API \
     returns the total count in the header `X-Total-Count`, not in the body.",
);

#[test]
fn a_prompt_receives_the_sentence_that_answers_it() {
    let w = world();
    talk(&w, "old", &[ORDERS]);
    let ask = |session: &str, text: &str| asks(&w, &prompt(&w, session, text));
    let total = ask("a", "where does the orders API of the walnut shop put the total count?");
    assert!(total.contains("X-Total-Count"), "{total}");
    let size = ask("b", "how many orders of the walnut shop has a page of the API?");
    assert!(size.contains("A page has 50 orders"), "{size}");
    let pasted = "where does the orders API of the walnut shop put the total count?\n\n\
                  SHOP=walnut\nPAGE=50\n```\nshows number, date and customer\n```";
    let pasted = ask("c", pasted);
    assert!(pasted.contains("X-Total-Count"), "{pasted}");
}

#[test]
fn an_answer_without_substance_hides_no_earlier_one() {
    let w = world();
    talk(&w, "old", &[ORDERS]);
    for session in ["second", "third", "fourth", "fifth"] {
        talk(&w, session, &[(ORDERS.0, "See above.")]);
    }
    let told = asks(&w, &prompt(&w, "new", ORDERS.0));
    assert!(told.contains("X-Total-Count") || told.contains("A page has 50 orders"), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("- ")).count(), 1, "{told}");
}

#[test]
fn a_line_about_a_session_hides_no_answer_that_it_does_not_tell() {
    let w = world();
    let cache = (
        "Which cache does the invoice service use?",
        "The invoice service keeps its cache in `var/invoices.db`, because Redis is not allowed there.",
    );
    talk(&w, "old", &[cache, ORDERS, ("Thanks, that helps", "You are welcome.")]);
    for (session, name) in [("second", "mailer"), ("third", "printer")] {
        let asked = format!("Which port does the {name} of the depot listen on?");
        talk(
            &w,
            session,
            &[(&asked, &format!("It is set in `{name}.toml`: port 7{}.", name.len()))],
        );
    }
    let start = block(&w.hook(&start(&w, "new")), "SessionStart");
    let earlier: String =
        start.lines().skip_while(|l| !l.starts_with("## Earlier sessions")).collect();
    assert!(earlier.contains("invoice") || earlier.contains("orders"), "{start}");
    let told = [(cache.0, "var/invoices.db"), (ORDERS.0, "X-Total-Count")];
    for (n, (question, answer)) in told.into_iter().enumerate() {
        let mut asked = prompt(&w, "new", question);
        asked["prompt_id"] = json!(format!("t{n}"));
        let later = asks(&w, &asked);
        assert!(start.contains(answer) || later.contains(answer), "{answer}:\n{start}\n{later}");
    }
}

#[test]
fn a_prompt_that_memory_does_not_answer_receives_nothing() {
    let w = world();
    store_session(&w);
    // `x` is a name in the memory, and the words of the last two say nothing about it.
    w.memctl(&[
        "remember",
        "The x of src/x.rs is a ledger",
        "--project",
        w.path("p").to_str().unwrap(),
    ])
    .ok();
    let texts = [
        "What is the capital of France?",
        "thanks",
        "go on",
        "/compact",
        "",
        "x",
        "ledger",
        "run the tests again",
        "fix the error",
    ];
    for text in texts {
        assert_eq!(asks(&w, &prompt(&w, "new", text)), "", "{text}");
    }
    let task = "<task-notification>Why did the importer drop the last line of the walnut ledger?";
    assert_eq!(asks(&w, &prompt(&w, "new", task)), "");
    let private = format!("<private>{QUESTION}</private>");
    assert_eq!(asks(&w, &prompt(&w, "new", &private)), "");
    assert_eq!(injected(&w, "new"), [""; 0]);
}

#[test]
fn a_file_is_told_once_in_a_session() {
    let w = world();
    store_session(&w);
    w.hook(&prompt(&w, "new", "hello"));
    let told = asks(&w, &before_file(&w, "new", "Read", "src/importer.rs"));
    assert!(told.contains("about `src/importer.rs`") && told.contains("Last changed"), "{told}");
    assert_dated(&told, "s1");
    for tool in ["Read", "Edit", "Write"] {
        assert_eq!(asks(&w, &before_file(&w, "new", tool, "src/importer.rs")), "", "{tool}");
    }
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/other.rs")), "");
    assert_eq!(injected(&w, "new"), ["file s1"]);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'u9'"), 0);
    let again = asks(&w, &before_file(&w, "third", "Edit", "src/importer.rs"));
    assert_eq!(again, told, "another session");
}

#[test]
fn an_error_is_told_what_helped_the_last_time() {
    let w = world();
    store_session(&w);
    w.hook(&prompt(&w, "new", "hello"));
    let moved = ERROR.replace("12:5", "40:9");
    let told = asks(&w, &failed(&w, "new", "v1", "cargo test", &moved));
    assert!(told.contains("failed like this before") && told.contains("importer.rs"), "{told}");
    assert_dated(&told, "s1");
    assert_eq!(asks(&w, &failed(&w, "new", "v2", "cargo test", &moved)), "", "told before");
    // A pipe hides the exit status.
    w.hook(&prompt(&w, "third", "hello"));
    let piped =
        ran(&w, "third", "v1", "cargo test 2>&1 | tail -5", &moved["Exit code 101\n".len()..]);
    let piped = asks(&w, &piped);
    assert!(piped.contains("failed like this before"), "{piped}");
    assert_eq!(asks(&w, &ran(&w, "third", "v2", "cat notes", "an error occurred")), "");
    let unknown = "Exit code 1\nerror[E0599]: no method named `walk` found";
    assert_eq!(asks(&w, &failed(&w, "new", "v3", "cargo test", unknown)), "");
}

#[test]
fn a_risky_command_is_told_what_went_wrong() {
    let w = world();
    store_session(&w);
    w.hook(&prompt(&w, "new", "hello"));
    let push = |command: &str| before(&w, "new", "Bash", json!({"command": command}));
    assert_eq!(asks(&w, &push("git push origin main")), "", "that is not risky");
    let told = asks(&w, &push("git push --force origin main"));
    assert!(told.contains("failed") && told.contains("git push --force"), "{told}");
    assert_dated(&told, "s1");
    assert_eq!(asks(&w, &push("git push --force origin main")), "");
    assert_eq!(asks(&w, &push("rm -rf build")), "");
}

#[test]
fn subagents_and_excluded_projects_receive_nothing() {
    let mut w = world();
    store_session(&w);
    for mut payload in [
        prompt(&w, "new", QUESTION),
        before_file(&w, "new", "Read", "src/importer.rs"),
        failed(&w, "new", "v1", "cargo test", ERROR),
    ] {
        payload["agent_id"] = json!("a1");
        payload["agent_type"] = json!("Explore");
        assert_eq!(asks(&w, &payload), "", "{payload}");
    }
    w.set("MEMCTL_DISABLE", "1");
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    w.set("MEMCTL_DISABLE", "0");
    w.memctl(&["pause"]).ok();
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), "");
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    w.memctl(&["unpause"]).ok();
    w.memctl(&["config", "set", "exclude", "p"]).ok();
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), "");
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    w.memctl(&["config", "unset", "exclude"]).ok();
    assert_ne!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
}

#[test]
fn settings_switch_recall_off() {
    let mut w = world();
    store_session(&w);
    w.set("MEMCTL_RECALL_ON_PROMPT", "false");
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), "");
    assert_ne!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    w.set("MEMCTL_RECALL_ON_PROMPT", "true");
    w.set("MEMCTL_RECALL_ON_TOOLS", "false");
    assert_eq!(asks(&w, &before_file(&w, "third", "Read", "src/importer.rs")), "");
    assert_eq!(asks(&w, &failed(&w, "third", "v1", "cargo test", ERROR)), "");
    assert_ne!(asks(&w, &prompt(&w, "third", QUESTION)), "");
    w.set("MEMCTL_RECALL_TOKENS", "50");
    assert_eq!(asks(&w, &prompt(&w, "fourth", QUESTION)), "", "nothing fits");
}

/// A turn of a third party's text, and rows that no session gets.
#[test]
fn hidden_rows_are_never_told() {
    let w = world();
    store_session(&w);
    w.execute_sql(
        "UPDATE session_summaries SET hidden = 1;
         UPDATE observations SET origin = 'web'",
    );
    let nothing = |session: &str| {
        assert_eq!(asks(&w, &prompt(&w, session, QUESTION)), "");
        assert_eq!(asks(&w, &before_file(&w, session, "Read", "src/importer.rs")), "");
        assert_eq!(asks(&w, &failed(&w, session, "v1", "cargo test", ERROR)), "");
    };
    nothing("web");
    w.execute_sql("UPDATE observations SET origin = 'user', quarantined = 1");
    nothing("quarantined");
    w.execute_sql("UPDATE observations SET quarantined = 0, superseded_by = 'u'");
    nothing("superseded");
    w.execute_sql("UPDATE observations SET superseded_by = NULL, expires_at_epoch = 1");
    nothing("expired");
    w.execute_sql("UPDATE observations SET expires_at_epoch = NULL");
    assert_ne!(asks(&w, &prompt(&w, "visible", QUESTION)), "");
}

#[test]
fn a_locked_store_delays_no_hook() {
    let mut w = world();
    store_session(&w);
    w.set("MEMCTL_HOOK_RECALL", "50ms");
    let lock = Connection::open(w.data().join("memctl.db")).unwrap();
    lock.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE FROM meta WHERE 0",
    )
    .unwrap();
    let since = Instant::now();
    assert_eq!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), "");
    // Twice the time of recall, the time of delivery, and two processes on a busy machine.
    assert!(since.elapsed().as_millis() < 1_500, "{:?}", since.elapsed());
    drop(lock);
    assert_ne!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
}

/// Starts a session in `p`, and returns the pid of its worker, which has stored the prompt.
fn worker_of(w: &World, session: &str) -> i32 {
    w.hook(&prompt(w, session, "hello"));
    let pid = w.worker();
    assert_eq!(injected(w, session), [""; 0]);
    pid
}

/// A schema version far above that of any release. A program of such a release migrates before it reads.
const NEWER_SCHEMA: &str = "1000";

#[test]
fn the_worker_answers_its_hooks() {
    let mut w = World::lingering().with("MEMCTL_HOOK_RECALL", "2s");
    std::fs::create_dir(w.path("p")).unwrap();
    store_session(&w);
    worker_of(&w, "new");
    // These hooks cannot read the store themselves.
    w.set("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    assert_eq!(asks(&w, &before_file(&w, "other", "Read", "src/importer.rs")), "");
    let told = asks(&w, &before_file(&w, "new", "Read", "src/importer.rs"));
    assert!(told.contains("Last changed"), "{told}");
    let helped = asks(&w, &failed(&w, "new", "v1", "cargo test", ERROR));
    assert!(helped.contains("failed like this before"), "{helped}");
    w.set("MEMCTL_TEST_SCHEMA", "");
    // The worker stores what it has given after its answer.
    until("the uses are stored", || match injected(&w, "new") {
        uses if uses == ["file s1", "error s1"] => Ok(()),
        uses => Err(format!("{uses:?}")),
    });
    assert_eq!(asks(&w, &before_file(&w, "other", "Read", "src/importer.rs")), told);
}

/// A worker of an older release rejects the question.
#[test]
fn a_hook_reads_the_store_if_the_worker_does_not_know_the_question() {
    let w = World::lingering().with("MEMCTL_HOOK_RECALL", "2s");
    std::fs::create_dir(w.path("p")).unwrap();
    store_session(&w);
    worker_of(&w, "new");
    let socket = w.socket_files().remove(0);
    w.hook(&event(&w, "new", "SessionEnd", json!({"reason": "other"})));
    w.settle();
    let listener = UnixListener::bind(&socket).unwrap();
    let read = before_file(&w, "new", "Read", "src/importer.rs");
    let told = std::thread::scope(|scope| {
        let hook = scope.spawn(|| asks(&w, &read));
        let mut header = [0; HEADER];
        // A hook connects before it knows whether the event is recorded.
        let mut peers = listener.incoming().map(Result::unwrap);
        let mut peer =
            peers.find_map(|mut peer| peer.read_exact(&mut header).ok().map(|()| peer)).unwrap();
        let mut body = vec![0; frame::body_len(&header).unwrap()];
        peer.read_exact(&mut body).unwrap();
        let request = frame::decode::<Request>(&body).unwrap();
        assert!(matches!(request, Request::Recall { .. }), "{request:?}");
        let rejected = Reply::Rejected { code: Code::Malformed, message: "unknown".into() };
        peer.write_all(&frame::encode_as(header[4], &rejected).unwrap()).unwrap();
        // Nobody accepts the report of what was given, and it is spooled.
        drop(peers);
        drop((peer, listener));
        hook.join().unwrap()
    });
    assert!(told.contains("Last changed"), "{told}");
}

/// A hook that gives up reads the store itself. A question that its worker finds too late is not answered, so that
/// its rows do not count as given.
#[test]
fn a_hook_does_not_wait_for_a_worker_that_hangs() {
    let mut w = World::lingering().with("MEMCTL_HOOK_RECALL", "2s");
    std::fs::create_dir(w.path("p")).unwrap();
    store_session(&w);
    let pid = worker_of(&w, "new");
    w.signal(pid, Signal::SIGSTOP);
    let late = before_file(&w, "new", "Read", "src/importer.rs");
    w.set("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    assert_eq!(asks(&w, &late), "", "neither the worker nor the hook can answer");
    w.signal(pid, Signal::SIGCONT);
    w.hook(&prompt(&w, "new", "go on"));
    w.set("MEMCTL_TEST_SCHEMA", "");
    w.signal(pid, Signal::SIGSTOP);
    let told = asks(&w, &late);
    assert!(told.contains("Last changed"), "{told}");
    w.signal(pid, Signal::SIGCONT);
    assert_eq!(injected(&w, "new"), ["file s1"]);
}

#[test]
fn a_tool_use_that_is_about_to_happen_leaves_no_trace() {
    let w = world();
    for name in ["PreToolUse.Read", "PreToolUse.Edit", "PreToolUse.Bash", "PreToolUse.Glob"] {
        assert_eq!(w.hook(&payload(name)).to_string(), NO_OP, "{name}");
    }
    assert!(!w.data().exists());
    let broken = w.hook_bytes(&["PreToolUse"], b"{\"session_id\":\"s\",");
    assert_eq!(broken.out.trim(), NO_OP);
    assert!(!w.data().join("lost").exists() && w.processes().is_empty());
    store_session(&w);
    asks(&w, &before_file(&w, "new", "Read", "src/unknown.rs"));
    assert!(w.processes().is_empty() && w.spools().is_empty());
    // The record of what was given waits for a worker.
    assert_ne!(asks(&w, &before_file(&w, "new", "Read", "src/importer.rs")), "");
    assert!(w.processes().is_empty());
}

#[test]
fn parallel_hooks_give_a_memory_once() {
    let w = world();
    store_session(&w);
    w.hook(&prompt(&w, "new", "hello"));
    let read = before_file(&w, "new", "Read", "src/importer.rs");
    let blocks: Vec<String> = std::thread::scope(|scope| {
        let hooks: Vec<_> = (0..6).map(|_| scope.spawn(|| asks(&w, &read))).collect();
        hooks.into_iter().map(|hook| hook.join().unwrap()).collect()
    });
    assert_eq!(blocks.iter().filter(|block| !block.is_empty()).count(), 1, "{blocks:?}");
    assert_eq!(injected(&w, "new"), ["file s1"]);
}

#[test]
fn a_start_tells_its_size_and_is_not_repeated() {
    let mut w = world();
    store_session(&w);
    let started = w.hook(&start(&w, "new"));
    let notice = started["systemMessage"].as_str().unwrap();
    let (memories, tokens) = notice.strip_prefix("memctl: ").unwrap().split_once(", ").unwrap();
    assert!(memories.ends_with("memory") || memories.ends_with("memories"), "{notice}");
    let n_tokens: usize = tokens.strip_suffix(" tokens").unwrap().parse().unwrap();
    assert!((30..600).contains(&n_tokens), "{notice}");
    assert_eq!(asks(&w, &prompt(&w, "new", QUESTION)), "", "the start has told it");
    assert_eq!(injected(&w, "new"), ["start s1"]);
    let counted = w.memctl(&["injected", "new", "--json"]).json()["tokens"].clone();
    assert_eq!(counted, n_tokens, "both count the same");
    let text = w.memctl(&["injected", "new"]).ok();
    assert!(text.contains("TOKENS") && text.contains("start"), "{text}");
    w.set("MEMCTL_CONTEXT_NOTICE", "false");
    let quiet = w.hook(&start(&w, "third"));
    assert!(quiet["systemMessage"].is_null() && !block(&quiet, "SessionStart").is_empty());
    assert!(w.hook(&start(&World::new(), "elsewhere"))["systemMessage"].is_null());
}

#[test]
fn a_message_that_names_a_memory_cites_it() {
    let w = world();
    store_session(&w);
    assert_ne!(asks(&w, &prompt(&w, "new", QUESTION)), "");
    w.hook(&stop(&w, "new", "As s1 says, the buffer was one byte short."));
    w.hook(&event(&w, "new", "SessionEnd", json!({"reason": "other"})));
    w.settle();
    let memories = w.memctl(&["injected", "new", "--json"]).json()["memories"].clone();
    let of = |id: &str| memories.as_array().unwrap().iter().find(|m| m["id"] == id).cloned();
    assert_eq!(of("s1").unwrap()["cited"], true, "{memories}");
    w.memctl(&["forget", "s1"]).ok();
    assert!(injected(&w, "new").iter().all(|row| row != "prompt s1"));
    w.memctl(&["forget", "--undo"]).ok();
    assert!(injected(&w, "new").contains(&"prompt s1".to_owned()));
}

/// The weight of a row changes when a turn is stored, so the context has the same bytes until then.
#[test]
fn counted_injections_do_not_change_the_context() {
    let w = world();
    store_session(&w);
    w.hook(&prompt(&w, "new", "hello"));
    let block = |response: &Value| {
        response["hookSpecificOutput"]["additionalContext"].as_str().unwrap().to_owned()
    };
    let first = block(&w.hook(&start(&w, "first")));
    for n in 0..20 {
        let session = format!("other-{n}");
        let mut again = start(&w, &session);
        again["source"] = json!("compact");
        assert_eq!(block(&w.hook(&again)), first, "start {n}");
        assert_ne!(asks(&w, &failed(&w, &session, "v1", "cargo test", ERROR)), "", "{n}");
        assert_eq!(injected(&w, &session), ["start s1", "error s1"]);
    }
    assert_eq!(w.count("SELECT count(*) FROM memory_use"), 40);
    assert_eq!(block(&w.hook(&start(&w, "last"))), first);
}

#[test]
fn the_plugin_registers_the_hook() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/hooks.json");
    let hooks: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let matcher = hooks["hooks"]["PreToolUse"][0]["matcher"].as_str().unwrap();
    for tool in ["Read", "Edit", "MultiEdit", "Write", "Bash"] {
        assert!(matcher.split('|').any(|name| name == tool), "{matcher}");
    }
    assert!(hooks["hooks"]["PreToolUse"][0]["hooks"][0]["args"].to_string().contains("PreToolUse"));
}
