//! Secrets never reach the disk, in whichever field of whichever event they arrive; and what
//! `memctl redact` prints.
//!
//! The secrets are assembled at run time: hosts of repositories reject files that contain them.

use std::fs;

use serde_json::{Value, json};

use crate::support::recordings::{end, prompt, stop, tool};
use crate::support::{World, until};

/// The recognizable part of each secret.
const MARK: &str = "q7Xw2Lk9";

/// A token of GitHub.
fn token() -> String {
    ["gh", "p_", MARK, "Zr4tY8uI1oP5aS3dF6gH0jK2lZ9x"].concat()
}

/// A password that only its name reveals.
fn password() -> String {
    format!("{MARK}!vB")
}

/// A private key whose body contains the mark.
fn private_key() -> String {
    let body = format!("MIIEvQIBADANBgkqhkiG9w0BAQ{MARK}EFAASCBKcwggSjAgEAAoIBAQC7\n").repeat(3);
    ["-----BEGIN ", "PRIVATE KEY-----\n", &body, "-----END ", "PRIVATE KEY-----\n"].concat()
}

fn prompts(w: &World) -> Vec<String> {
    w.rows("SELECT prompt_text FROM user_prompts ORDER BY id")
}

#[track_caller]
fn check_nothing_is_stored(w: &World, of: &str) {
    let found = w.files_with(&[MARK.to_owned()]);
    assert!(found.is_empty(), "{of}: {found:?}");
}

/// A rule that panics costs the text, but not the event.
#[test]
fn a_panic_of_the_redactor_leaves_the_event() {
    const POINT: &str = "capture.redact=panic";
    let w = World::new();
    let (token, failed) = (token(), "[not recorded: redaction failed]");
    for payload in [
        prompt("s", "t", &format!("use {token}")),
        tool("s", "t", "u1", "ls", &format!("it has {token}")),
    ] {
        let output = w.hook_at(&payload, POINT);
        assert!(output.err.is_empty(), "{output:?}");
        output.json();
    }
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
    w.settle();
    assert_eq!(prompts(&w), [failed]);
    check_nothing_is_stored(&w, "a panic");
}

/// Names that are shown, but find nothing, are redacted.
#[test]
fn names_of_a_branch_a_tool_and_a_project_are_redacted() {
    const BRANCH: &str = "wK3vN8sB";
    let w = World::new();
    let token = token();
    let branch = token.replace(MARK, BRANCH);
    let dir = w.path(&format!("work/{token}"));
    fs::create_dir_all(dir.join(".git")).unwrap();
    fs::write(dir.join(".git/HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
    let mut payloads = [
        prompt("s", "t", "go"),
        tool("s", "t", "u1", "ls", "a"),
        stop("s", "t", "Done."),
        end("s"),
    ];
    payloads[1]["tool_name"] = json!(format!("x-{token}"));
    for payload in &mut payloads {
        payload["cwd"] = json!(dir);
    }
    w.hooks(&payloads);
    w.settle();
    for column in
        ["name FROM projects", "tool_name FROM pending_messages WHERE tool_name IS NOT NULL"]
    {
        let rows = w.rows(&format!("SELECT {column}"));
        assert!(!rows.is_empty() && !rows.concat().contains(MARK), "{column}: {rows:?}");
    }
    let found = w.files_with(&[BRANCH.to_owned()]);
    assert!(found.is_empty(), "{found:?}");
}

/// The payloads of all events, with a secret in every text.
fn payloads() -> Vec<Value> {
    let (token, password) = (token(), password());
    let named = |event: &str, more: Value| {
        let mut payload = json!({
            "session_id": "s", "prompt_id": "t", "cwd": "/home/user/project", "hook_event_name": event,
        });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    let tool_use = |id: &str, input: Value, response: Value| {
        let more = json!({
            "tool_name": "Bash", "tool_use_id": id, "tool_input": input, "tool_response": response,
        });
        named("PostToolUse", more)
    };
    let inner = json!({"auth": {"password": &password}, "list": [&token]}).to_string();
    let twice = json!({ "body": &inner }).to_string();
    let (head, tail) = token.split_at(20);
    let mut by_key = serde_json::Map::new();
    by_key.insert(token.clone(), json!(true));
    vec![
        named(
            "UserPromptSubmit",
            json!({"prompt": format!("deploy with {token}, password: {password}")}),
        ),
        tool_use(
            "a",
            json!({"command": format!("export API_TOKEN={token}; curl -u me:{password} https://a.b")}),
            json!({"stdout": format!("DB_PASSWORD={password}\n{}", private_key()), "stderr": ""}),
        ),
        tool_use(
            "b",
            json!({"command": format!("psql postgres://app:{password}@db/app")}),
            json!(format!("Authorization: Bearer {token}")),
        ),
        tool_use("c", json!({"command": "cat a.json"}), json!({"stdout": inner})),
        tool_use("d", json!({"command": "cat b.json"}), json!({"stdout": twice})),
        tool_use(
            "e",
            json!({"password": &password, "nested": {"client_secret": format!("{MARK}0aZ19Yb8Xc7")}}),
            json!([{"type": "text", "text": token}]),
        ),
        tool_use("f", json!({"env": [{"name": "DB_PASSWORD", "value": &password}]}), json!(by_key)),
        tool_use(
            "g",
            json!({"command": "cat c"}),
            json!({"stdout": format!("token = \"{head}\" \\\n    \"{tail}\"\n")}),
        ),
        tool_use(
            "h",
            json!({"command": "cat d"}),
            json!({"lines": [format!("+key: {head}"), format!("+{tail}")]}),
        ),
        named(
            "PostToolUse",
            json!({
                "tool_name": "Edit", "tool_use_id": "i",
                "tool_input": {"file_path": "/home/user/project/a.py", "old_string": "x = 1", "new_string": format!("password = \"{password}\"")},
                "tool_response": {"filePath": "/home/user/project/a.py", "originalFile": private_key(), "structuredPatch": [{"lines": [format!("+password = \"{password}\"")]}]},
            }),
        ),
        named(
            "PostToolUseFailure",
            json!({
                "tool_name": "Bash", "tool_use_id": "j", "tool_input": {"command": format!("login --password {password}")},
                "error": format!("Exit code 1\ninvalid token {token}"),
            }),
        ),
        named(
            "SubagentStop",
            json!({
                "agent_id": "a1", "agent_type": "Explore", "last_assistant_message": format!("The password is {password} and the token {token}."),
            }),
        ),
        named(
            "StopFailure",
            json!({"error": format!("bad key {token}"), "error_details": format!("header x-api-key: {token}")}),
        ),
        named(
            "Stop",
            json!({"last_assistant_message": format!("I set PASSWORD={password} and used {token}.")}),
        ),
    ]
}

#[test]
fn no_secret_of_any_event_is_stored() {
    let w = World::new();
    for payload in payloads() {
        let event = payload["hook_event_name"].as_str().unwrap();
        let output = w.hook_bytes(&[event], payload.to_string().as_bytes());
        assert!(output.code == Some(0) && output.err.is_empty(), "{output:?}");
        check_nothing_is_stored(&w, &payload.to_string());
    }
    w.hook(&end("s"));
    w.settle();
    check_nothing_is_stored(&w, "after distilling");
    let kept = w.rows("SELECT ifnull(tool_input, '') || ifnull(tool_response, '') FROM pending_messages WHERE message_type = 'observation'");
    assert_eq!(prompts(&w), ["deploy with [redacted:github-token], password: [redacted:password]"]);
    assert!(w.count("SELECT count(*) FROM pending_messages") >= 12, "{kept:?}");
}

#[test]
fn a_spooled_event_has_no_secret() {
    let w = World::new();
    for payload in payloads() {
        let _ = w.hook_at(&payload, "deliver.spooled=kill");
        check_nothing_is_stored(&w, &payload.to_string());
    }
}

#[test]
fn scripts_and_transcripts_have_no_secret() {
    let w = World::new();
    let mut transcript = String::new();
    for (n, text) in
        [format!("use {}", token()), format!("password: {}", password())].iter().enumerate()
    {
        let line = json!({
            "type": "user", "sessionId": "r", "cwd": "/home/user/project", "uuid": format!("u{n}"),
            "timestamp": format!("2026-11-21T10:0{n}:00.000Z"), "message": {"role": "user", "content": text},
        });
        transcript.push_str(&format!("{line}\n"));
    }
    let file = w.path("transcript.jsonl");
    fs::write(&file, transcript).unwrap();
    let _ = w.memctl(&["replay", file.to_str().unwrap()]).ok();
    w.settle();
    fs::remove_file(&file).unwrap();
    assert!(
        prompts(&w).iter().any(|text| text == "use [redacted:github-token]"),
        "{:?}",
        prompts(&w)
    );
    check_nothing_is_stored(&w, "replay");
}

#[test]
fn a_secret_at_the_cut_is_removed() {
    let w =
        World::new().with("MEMCTL_CAPTURE_RESPONSE", "8KiB").with("MEMCTL_WORKER_LINGER", "60s");
    w.hook(&prompt("s", "t", "look"));
    // The cut is moved over all positions of the secret.
    for (n, shift) in (0..48).step_by(6).enumerate() {
        let filler = "word ".repeat(818);
        let text = format!("{}{filler}{} {}", "x".repeat(shift), token(), "tail ".repeat(4000));
        w.hook(&tool("s", "t", &format!("u{n}"), "make", &text));
    }
    check_nothing_is_stored(&w, "the cut, queued");
    w.hook(&stop("s", "t", "Done."));
    w.hook(&end("s"));
    w.settle();
    check_nothing_is_stored(&w, "the cut");
}

#[test]
fn look_alikes_are_stored() {
    let w = World::new();
    w.hook(&prompt("s", "t", "look"));
    let text = "commit 3f9a81c07be245d63f9a81c07be245d63f9a81c0\n\
        session 5b1c9f0e-1d2c-4f6a-9b8e-7a6d5c4b3a29\n\
        integrity sha512-9XvK1b2Qk3mZ8pR4tY7uW1eS5dF6gH0jK2lL9xC8vB7nM4qA3zX5cV6bN8mQ1wE2rT3yU4iO5pA6sD7fG8hJ9k==\n\
        password = os.environ[\"DB_PASSWORD\"]\n\
        let token = self.next_token();\n\
        API_KEY=<your-api-key>\n\
        data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
    w.hook(&tool("s", "t", "u", "cat notes", text));
    w.until_count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'u'", 1);
    let kept = until("the tool use is stored", || {
        let sql = "SELECT tool_response FROM pending_messages WHERE tool_use_id = 'u'";
        w.rows(sql).pop().ok_or_else(|| "no row".to_owned())
    });
    assert!(kept.contains("3f9a81c0") && !kept.contains("[redacted"), "{kept}");
    w.hook(&end("s"));
    w.settle();
}

#[test]
fn redact_prints_the_text_and_check_the_places() {
    let w = World::new();
    let file = w.path("notes.txt");
    let text = format!("first\ndb: postgres://app:{}@db/app\nuse {} now\n", password(), token());
    fs::write(&file, &text).unwrap();
    let name = file.to_str().unwrap();
    assert_eq!(
        w.memctl(&["redact", name]).ok(),
        "first\ndb: postgres://app:[redacted:password]@db/app\nuse [redacted:github-token] now\n"
    );
    let check = w.memctl(&["redact", "--check", name]);
    assert_eq!(check.code, Some(0));
    assert_eq!(
        check.out,
        format!("{name}:2:20: password (url)\n{name}:3:5: github-token (token)\n")
    );
    let json = w.memctl_with(&["redact", "--check", "--json", "-"], text.as_bytes()).json();
    assert_eq!(
        json["findings"][1],
        json!({"file": null, "line": 3, "column": 5, "length": 40, "kind": "github-token", "rule": "token"})
    );
    let clean = w.memctl_with(&["redact", "--check"], b"nothing here\n");
    assert_eq!((clean.code, clean.out.as_str(), clean.err.as_str()), (Some(1), "", ""));
    let clean = w.memctl_with(&["redact", "--check", "--json"], b"nothing here\n");
    assert_eq!((clean.code, clean.out.as_str()), (Some(1), "{\"findings\":[]}\n"));
    let missing = w.memctl(&["redact", "--check", "/no/such/file"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.starts_with("error: cannot read /no/such/file: "), "{}", missing.err);
    // Columns count the bytes of the file, also of bytes that are not UTF-8.
    let odd = [b"\xff\xfe ".as_slice(), token().as_bytes()].concat();
    let odd = w.memctl_with(&["redact", "--check"], &odd);
    assert_eq!(odd.out, "stdin:1:4: github-token (token)\n");
}

#[test]
fn own_rules_and_the_allow_list_apply_to_hooks_and_to_the_command() {
    let w = World::new();
    let text = "ticket acme_q7Xw2Lk9 and acme_public0, password: open-sesame1\n";
    let config = "[redact]\nrules = [\"acme-token=acme_[a-z0-9A-Z]{4,12}\"]\nallow = [\"acme_public.\", \"open-.*\"]\n";
    fs::create_dir_all(w.path("home/.config/memctl")).unwrap();
    fs::write(w.path("home/.config/memctl/config.toml"), config).unwrap();
    let expected = "ticket [redacted:acme-token] and acme_public0, password: open-sesame1\n";
    let shown = w.memctl_with(&["redact"], text.as_bytes());
    assert_eq!(shown.out, expected, "{shown:?}");
    w.hook(&prompt("s", "t", text));
    w.hook(&end("s"));
    w.settle();
    assert_eq!(prompts(&w), [expected.trim()]);

    // With an invalid rule nothing is recorded, because the rule may have been meant for any text.
    fs::write(w.path("home/.config/memctl/config.toml"), "[redact]\nrules = [\"acme=(\"]\n")
        .unwrap();
    let _ = w.hook_bytes(&["UserPromptSubmit"], prompt("s2", "t", text).to_string().as_bytes());
    w.settle();
    assert_eq!(prompts(&w).len(), 1);
    let status = w.memctl(&["status"]);
    assert!(format!("{status:?}").contains("redact.rules"), "{status:?}");
}

#[test]
fn a_secret_that_an_earlier_release_stored_is_not_shown_to_a_new_session() {
    let w = World::new();
    w.hook(&prompt("s", "t", "look around"));
    w.hook(&stop("s", "t", "The build needs a token. All tests pass."));
    w.hook(&end("s"));
    w.settle();
    let learned = format!("The build reads the token {} from the environment.", token());
    w.execute_sql(&format!(
        "UPDATE session_summaries SET learned = '{learned}', request = 'build'"
    ));
    let shown = w.memctl(&["context"]).ok();
    assert!(!shown.contains(MARK), "{shown}");
    let cwd = prompt("s", "t", "")["cwd"].clone();
    let start = json!({"session_id": "n", "hook_event_name": "SessionStart", "source": "startup", "cwd": cwd});
    let response = w.hook(&start).to_string();
    assert!(!response.contains(MARK), "{response}");
    w.hook(&end("n"));
    w.settle();
}

/// A secret that has no name when it comes back: in all fields, in later turns, and in an event that
/// names it only at its end.
#[test]
fn a_secret_that_comes_back_without_its_name_is_replaced() {
    let w = World::new();
    let secret = "maple-Garden-41";
    w.hook(&prompt("s", "t", &format!("the upload fails\nS3_PASSWORD: {secret}")));
    w.hook(&tool(
        "s",
        "t",
        "u1",
        &format!("curl -u 'etl,{secret}' a.b"),
        &format!("ok \"{secret}\""),
    ));
    let url = "maple%2DGarden%2D41";
    w.hook(&tool("s", "t", "u2", &format!("curl a.b/?q={url}"), "ok"));
    let mut failed = tool("s", "t", "u3", "make", "");
    failed["hook_event_name"] = json!("PostToolUseFailure");
    failed["error"] = json!(format!("no bucket for {secret}"));
    w.hook(&failed);
    w.hook(&stop(
        "s",
        "t",
        &format!("The login etl / {secret} works with curl, so the role is missing."),
    ));
    w.hook(&prompt("s", "t2", &format!("use {secret} and {MARK}ab. token: {MARK}ab")));
    w.hook(&stop("s", "t2", &format!("The value {MARK}ab is right, {secret} is not.")));
    let mut words = vec![secret.to_owned(), url.to_owned(), format!("{MARK}ab")];
    words.push("Garden".into());
    assert_eq!(w.files_with(&words), [] as [String; 0]);
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.files_with(&words), [] as [String; 0]);
    let cwd = prompt("s", "t", "")["cwd"].clone();
    let start = json!({"session_id": "n", "hook_event_name": "SessionStart", "source": "startup", "cwd": cwd});
    let block = w.hook(&start).to_string();
    assert!(block.contains("[redacted:password]") && !block.contains("Garden"), "{block}");
    assert!(
        prompts(&w)[1].starts_with("use [redacted:password] and [redacted:"),
        "{:?}",
        prompts(&w)
    );
    let lists = fs::read_dir(w.data().join("run")).unwrap().map(|e| e.unwrap().path());
    assert_eq!(lists.filter(|path| path.extension().is_some_and(|e| e == "private")).count(), 0);
}
