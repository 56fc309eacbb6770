//! Text that the user marks as private reaches no file and no later session, whatever its shape: from
//! hooks through the spool and the worker to the store and the context of the next session.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{end, prompt, start, stop};
use crate::support::world::files_below;

/// Private texts. No text of memctl contains these words.
const SECRET: &str = "Xylophon4711";
const NUMBER: &str = "471108155";

/// Text that is not private, so that a test fails if an event is not recorded at all.
const OPEN: &str = "glockenspiel";

/// What may not be written, in lower case.
const SECRETS: [&str; 2] = ["xylophon", NUMBER];

/// One session: its events, and whether [`OPEN`] is recorded.
struct Shape {
    name: String,
    events: Vec<Value>,
    is_recorded: bool,
}

/// Runs sessions, each in a directory of its own in which `files` are. Checks after all hooks have
/// spooled, and after the workers have stored everything.
#[track_caller]
fn check(files: &[(&str, &str)], shapes: Vec<Shape>) {
    let w = World::new();
    let dir = w.path("work");
    fs::create_dir_all(dir.join("docs")).unwrap();
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
    let dir = dir.to_str().unwrap();
    let mut failures = Vec::new();
    let session = |n: usize| format!("session-{n}");
    for (n, shape) in shapes.iter().enumerate() {
        let earlier = w.spools();
        for event in &shape.events {
            let text = event.to_string().replace("{session}", &session(n)).replace("{dir}", dir);
            w.spool(&serde_json::from_str(&text).unwrap());
        }
        let spooled = w.spools().into_iter().filter(|spool| !earlier.contains(spool));
        let spooled: Vec<PathBuf> = spooled.collect();
        for file in files_with(&spooled, &SECRETS) {
            let text = fs::read_to_string(file).unwrap();
            failures.push(format!("{}: spooled {text}", shape.name));
        }
        let is_recorded = !files_with(&spooled, &[OPEN]).is_empty();
        if is_recorded != shape.is_recorded {
            failures.push(format!("{}: recorded: {is_recorded}", shape.name));
        }
    }
    // A worker drains each spool, distills its events and exits.
    for n in 0..shapes.len() {
        w.hook(&stop(&session(n), "t", "All done."));
        w.hook(&end(&session(n)));
    }
    w.settle();
    assert_eq!(w.sessions().len(), shapes.len());
    for file in files_with(&[w.data(), w.sockets()], &SECRETS) {
        failures.push(format!("{} has private text", file.display()));
    }
    let mut next = start("next");
    next["cwd"] = json!(dir);
    let context = w.hook(&next).to_string().to_lowercase();
    if SECRETS.iter().any(|secret| context.contains(secret)) {
        failures.push(format!("the next session receives {context}"));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Returns the files below these directories that contain one of the words, in any case.
fn files_with(dirs: &[PathBuf], words: &[&str]) -> Vec<PathBuf> {
    let has_word = |path: &PathBuf| {
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    files_below(dirs.to_vec()).into_iter().filter(has_word).collect()
}

fn shape(name: impl Into<String>, events: Vec<Value>) -> Shape {
    Shape { name: name.into(), events, is_recorded: true }
}

fn ask(text: &str) -> Value {
    prompt("{session}", "t", text)
}

fn use_tool(name: &str, input: Value, response: Value) -> Value {
    json!({"session_id": "{session}", "cwd": "{dir}", "prompt_id": "t", "tool_use_id": "u",
           "hook_event_name": "PostToolUse", "tool_name": name, "tool_input": input,
           "tool_response": response})
}

fn bash(command: &str, output: &str) -> Value {
    use_tool("Bash", json!({"command": command}), json!({"stdout": output, "stderr": ""}))
}

fn fail(name: &str, input: Value, error: &str) -> Value {
    let mut event = use_tool(name, input, Value::Null);
    event["hook_event_name"] = json!("PostToolUseFailure");
    event["error"] = json!(error);
    event
}

fn say(event: &str, text: &str) -> Value {
    json!({"session_id": "{session}", "cwd": "{dir}", "prompt_id": "t", "hook_event_name": event,
           "last_assistant_message": text, "agent_id": "a1", "agent_type": "general"})
}

fn answer(text: &str) -> Value {
    let mut event = say("Stop", text);
    event.as_object_mut().unwrap().retain(|key, _| !key.starts_with("agent"));
    event
}

/// Texts with a private block, whose text is `@`.
const BLOCKS: [&str; 17] = [
    "<private>@</private> glockenspiel",
    "<PRIVATE>@</Private> glockenspiel",
    "< private >@</ private > glockenspiel",
    "<private class=\"x\" id='1'>@</private> glockenspiel",
    "<private\n>@</private\n> glockenspiel",
    "glockenspiel <private>@",
    "@</private> glockenspiel",
    "<private>a<private>b</private>@</private> glockenspiel",
    "<private>a</private> glockenspiel <private>@</private>",
    "<private>\nline\n@\n</private>\nglockenspiel",
    "```\n<private>\n@\n```\n</private> glockenspiel",
    "glockenspiel <private>@</privat></private>",
    "&lt;private&gt;@&lt;/private&gt; glockenspiel",
    r"{\u003cprivate\u003e@\u003c/private\u003e} glockenspiel",
    "<system-reminder>@</system-reminder> glockenspiel",
    "<system-reminder><private>x</system-reminder>@</private> glockenspiel",
    "<memctl-context>@",
];

#[test]
fn private_blocks_of_prompts() {
    let shapes = BLOCKS.map(|text| {
        let is_recorded = text.contains(OPEN);
        let events = vec![ask(&text.replace('@', SECRET))];
        Shape { is_recorded, ..shape(format!("prompt {text:?}"), events) }
    });
    check(&[], shapes.into());
}

#[test]
fn private_blocks_of_answers_and_reports() {
    let mut shapes = Vec::new();
    for text in &BLOCKS[..7] {
        let text = text.replace('@', SECRET);
        shapes.push(shape(format!("answer {text:?}"), vec![ask("go"), answer(&text)]));
        let report = say("SubagentStop", &text);
        shapes.push(shape(format!("report {text:?}"), vec![ask("go"), report]));
    }
    check(&[], shapes);
}

#[test]
fn prompts_that_are_wholly_private() {
    let texts = [
        "<private>@ glockenspiel</private>",
        "<private>@</private>.",
        "<private>@</private>, <private>glockenspiel</private>!",
        "[Image #1] <private>@</private>",
        "[Image #1]\n[Image #12]\n<private>@",
        "<ide_opened_file>The user opened glockenspiel.rs</ide_opened_file>\n<private>@</private>",
        "<ide_selection>glockenspiel</ide_selection><private>@</private>",
        "<system-reminder>glockenspiel</system-reminder>\n<private>@</private>",
        "@</private> \u{1f600}",
    ];
    let shapes = texts.map(|text| {
        let events = vec![
            ask(&text.replace('@', SECRET)),
            bash("echo glockenspiel", "the red lamp is Xylophonist"),
            answer("I found the red lamp of a Xylophonist, and a glockenspiel."),
        ];
        Shape { is_recorded: false, ..shape(format!("prompt {text:?}"), events) }
    });
    check(&[], shapes.into());
}

#[test]
fn a_value_that_comes_back_in_a_shell() {
    let mut shapes = values();
    shapes.truncate(15);
    check(&[], shapes);
}

#[test]
fn a_value_that_comes_back_elsewhere() {
    check(&[], values().split_off(15));
}

fn values() -> Vec<Shape> {
    let secret =
        "<private>my password is Xylophon4711, the account 471108155</private> glockenspiel";
    let mut shapes = Vec::new();
    let mut add = |name: &str, event: Value| shapes.push(shape(name, vec![ask(secret), event]));
    add("a command", bash("curl -u me:Xylophon4711 http://localhost", "ok"));
    add("an output", bash("env", "A=1\nPW=Xylophon4711\n"));
    add(
        "standard error",
        use_tool("Bash", json!({"command": "x"}), json!({"stderr": "bad Xylophon4711"})),
    );
    add("another case", bash("echo XYLOPHON4711", "xYLOPHON4711"));
    add("quotes", bash("login 'Xylophon4711' \"Xylophon4711\"", ""));
    add("an assignment", bash("PW=Xylophon4711 ID=471108155 run", ""));
    add("a URL", bash("curl 'https://me:Xylophon4711@host/?id=471108155&x=1'", ""));
    add("an escaped URL", bash("curl https://host/?a=1%20Xylophon4711%26b", ""));
    add("JSON in a string", bash("cat a.json", r#"{"pw":"a\nXylophon4711\t","id":471108155}"#));
    add("escaped letters", bash("cat a.json", r#"{"pw":"\u0058ylophon4711"}"#));
    add("colors", bash("grep -r x", "a:\u{1b}[01;31m\u{1b}[KXylophon4711\u{1b}[m\u{1b}[K"));
    add("separators", bash("x", "47 11 08 155 and 471-108-155"));
    add("an invisible character", bash("x", "Xylo\u{200b}phon4711"));
    add("a split line", bash("x", "Xylophon\n4711"));
    add(
        "an error",
        fail("Bash", json!({"command": "x Xylophon4711"}), "Exit code 1\nno Xylophon4711"),
    );
    add(
        "a written file",
        use_tool(
            "Write",
            json!({"file_path": "/p/a", "content": "pw = Xylophon4711"}),
            json!({"type": "create", "filePath": "/p/a", "content": "pw = Xylophon4711"}),
        ),
    );
    add(
        "an edit",
        use_tool(
            "Edit",
            json!({"file_path": "/p/a", "old_string": "a", "new_string": "Xylophon4711"}),
            json!({"filePath": "/p/a", "structuredPatch": [{"lines": ["-a", "+Xylophon4711"]}]}),
        ),
    );
    add(
        "a path",
        use_tool("Read", json!({"file_path": "/p/Xylophon4711.txt"}), json!({"type": "text"})),
    );
    add(
        "a pattern",
        use_tool("Grep", json!({"pattern": "Xylophon4711"}), json!({"filenames": []})),
    );
    add(
        "an MCP argument",
        use_tool(
            "mcp__db__query",
            json!({"sql": "SELECT 471108155", "n": 471108155}),
            json!([{"type": "text", "text": "none"}]),
        ),
    );
    add(
        "an MCP content block",
        use_tool(
            "mcp__db__query",
            json!({"sql": "x"}),
            json!([{"type": "text", "text": "id 471108155"}]),
        ),
    );
    add(
        "a number",
        use_tool("mcp__db__query", json!({"sql": "x"}), json!({"rows": [{"id": 471108155}]})),
    );
    add(
        "a key",
        use_tool(
            "mcp__db__query",
            json!({"sql": "x"}),
            json!({"Xylophon4711": 1, "a": {"471108155": "x"}}),
        ),
    );
    add(
        "a page",
        use_tool(
            "WebFetch",
            json!({"url": "https://h/Xylophon4711", "prompt": "x"}),
            json!({"result": "Xylophon4711"}),
        ),
    );
    add("an unknown tool", use_tool("lookup", json!("Xylophon4711"), json!("Xylophon4711")));
    add("a report", say("SubagentStop", "The password Xylophon4711 works."));
    add("an answer", answer("I used Xylophon4711 for account 471108155."));
    add(
        "a failed turn",
        json!({"session_id": "{session}", "prompt_id": "t", "hook_event_name": "StopFailure", "error": "server_error", "error_details": "of Xylophon4711", "last_assistant_message": "Xylophon4711"}),
    );
    add("the next prompt of the turn", ask("use Xylophon4711 again"));
    add("a later turn", prompt("{session}", "t2", "use Xylophon4711 again"));
    shapes
}

#[test]
fn words_that_come_back() {
    let prompts = [
        (
            "<private>the codename is Xylophonist</private> glockenspiel",
            "git checkout -b feature/xylophonist",
        ),
        ("<private>Xylophon</private> glockenspiel", "run --name=xylophon"),
        ("<private>call Mrs. Xylophonova</private> glockenspiel", "mail to xylophonova@host"),
        (
            "<private>Blue Xylophon Street</private> glockenspiel",
            "BlueXylophonStreet blue_xylophon_street",
        ),
        (
            "<private>DE47 1108 1554 7110 8155 00</private> glockenspiel",
            "pay DE471108155471108155 00",
        ),
        (
            "<private>DE47110815547110815500</private> glockenspiel",
            "pay DE47 1108 1554 7110 8155 00",
        ),
    ];
    let mut shapes: Vec<Shape> = Vec::new();
    for (text, command) in prompts {
        shapes.push(shape(text, vec![ask(text), bash(command, command), answer(command)]));
    }
    // A value of a tool's output, a file or an answer comes back too.
    let block = "glockenspiel <private>Xylophon4711</private>";
    for (name, event) in [
        ("an output", bash("cat notes", block)),
        ("an MCP response", use_tool("mcp__a__b", json!({}), json!([{"text": block}]))),
        ("an argument", bash(&format!("echo '{block}'"), "Xylophon4711")),
        (
            "a written file",
            use_tool("Write", json!({"file_path": "/p/a", "content": block}), json!({})),
        ),
    ] {
        shapes.push(shape(
            name,
            vec![ask("go"), event, bash("echo Xylophon4711", ""), answer("It is Xylophon4711.")],
        ));
    }
    check(&[], shapes);
}

#[test]
fn blocks_that_span_the_parts_of_a_response() {
    let mcp = |response: Value| use_tool("mcp__notes__read", json!({"id": OPEN}), response);
    let text = |text: &str| json!({"type": "text", "text": text});
    let shapes = vec![
        ("content blocks", mcp(json!([text("a <private>"), text(SECRET), text("</private> b")]))),
        (
            "content blocks in an object",
            mcp(json!({"content": [text("<private>x"), text(SECRET)], "isError": false})),
        ),
        (
            "a block that is never closed",
            mcp(
                json!([text("<private>"), text("x"), {"type": "resource", "resource": {"uri": "a", "text": SECRET}}]),
            ),
        ),
        ("a block that is never opened", mcp(json!([text(SECRET), text("y</private>")]))),
        ("siblings", mcp(json!({"a": "<private>", "b": SECRET, "c": "</private>"}))),
        (
            "nested siblings",
            mcp(json!({"a": {"x": "<private>"}, "b": [[SECRET]], "c": {"d": {"e": "</private>"}}})),
        ),
        (
            "standard output and error",
            use_tool(
                "Bash",
                json!({"command": OPEN}),
                json!({"stderr": "<private>", "stdout": SECRET}),
            ),
        ),
        ("a key", mcp(json!({"<private>Xylophon4711</private>": 1}))),
        ("keys", mcp(json!({"a<private>": 1, "b": {"Xylophon4711": 2}, "c</private>": 3}))),
        ("a number", mcp(json!({"a": "<private>", "b": 471108155, "c": "</private>"}))),
        ("a negative number", mcp(json!(["<private>", -471108155.5, "</private>"]))),
        ("an array of lines", mcp(json!(["<private>", "x", SECRET, "</private>"]))),
        ("lines and objects", mcp(json!(["<private>", {"x": SECRET}, "</private>"]))),
        (
            "a patch",
            use_tool(
                "Edit",
                json!({"file_path": "/p/glockenspiel"}),
                json!({"structuredPatch": [{"lines": [" <private>", "-x"]}, {"lines": ["+Xylophon4711", " </private>"]}]}),
            ),
        ),
        (
            "escaped brackets",
            mcp(json!([text(r#"{"a":"\u003cprivate\u003e Xylophon4711 \u003c/private\u003e"}"#)])),
        ),
        (
            "escaped slashes",
            mcp(json!([text(
                r#"{"a":"<private>x<\/private>","b":"<private>Xylophon4711<\/private>"}"#
            )])),
        ),
        ("HTML", mcp(json!([text("<p>&lt;private&gt;</p><p>Xylophon4711</p>")]))),
        ("a tag in two lines", mcp(json!(["<private\n>", SECRET, "</private\n>"]))),
        (
            "an argument",
            use_tool(
                "mcp__notes__write",
                json!({"x": OPEN, "a": "<private>", "b": SECRET, "c": "</private>"}),
                json!("ok"),
            ),
        ),
        (
            "a list of edits",
            use_tool(
                "MultiEdit",
                json!({"file_path": "/p/glockenspiel", "edits": [{"old_string": "<private>"}, {"new_string": SECRET}]}),
                json!({}),
            ),
        ),
    ];
    check(
        &[],
        shapes.into_iter().map(|(name, event)| shape(name, vec![ask("go"), event])).collect(),
    );
}

/// A file with private text in lines 3 to 8.
const NOTES: &str = "# glockenspiel notes\n<private>\nthe pin\nXylophon4711\nxylophonist words\n\
                     ours: 471108155\nend of xylophon\n</private>\npublic glockenspiel\n";

#[test]
fn what_a_file_tool_prints_of_a_private_block() {
    let mut shapes = file_shapes();
    shapes.truncate(14);
    check(&FILES, shapes);
}

#[test]
fn what_a_command_prints_of_a_private_block() {
    check(&FILES, file_shapes().split_off(14));
}

const FILES: [(&str, &str); 3] = [
    ("notes.md", NOTES),
    ("docs/inner.md", "<private>\ninner Xylophon4711\n</private>\n"),
    ("my notes.md", "<private>\ninner Xylophon4711\n</private>\n"),
];

fn file_shapes() -> Vec<Shape> {
    let inside = "the pin\nXylophon4711\nxylophonist words\nours: 471108155\nend of xylophon";
    let read = |content: &str, offset: u32| {
        use_tool(
            "Read",
            json!({"file_path": "{dir}/notes.md", "offset": offset, "limit": 5}),
            json!({"type": "text", "file": {"filePath": "{dir}/notes.md", "content": content,
                   "numLines": 5, "startLine": offset, "totalLines": 9}}),
        )
    };
    let numbered: String = NOTES
        .lines()
        .enumerate()
        .map(|(n, line)| format!("{:>6}\u{2192}{line}\n", n + 1))
        .collect();
    let numbered_inside: String = numbered.split_inclusive('\n').skip(2).take(5).collect();
    let rows: String = inside.lines().map(|line| format!("notes.md:4:{line}\n")).collect();
    let contexts: String = inside.lines().map(|line| format!("notes.md-4-{line}\n")).collect();
    let hunk: String = inside.lines().map(|line| format!(" {line}\n")).collect();
    let diff = format!(
        "diff --git a/notes.md b/notes.md\n--- a/notes.md\n+++ b/notes.md\n@@ -3,5 +3,5 @@\n{hunk}-x\n+y\n"
    );
    let grep = |input: Value, content: &str| {
        use_tool("Grep", input, json!({"mode": "content", "filenames": [], "content": content}))
    };
    let named = [
        ("a whole file", read(NOTES, 1)),
        ("a whole file with numbers", read(&numbered, 1)),
        ("the inside of a block", read(inside, 3)),
        ("the inside with numbers", read(&numbered_inside, 3)),
        (
            "from the inside to the end",
            read(&format!("{inside}\n</private>\npublic glockenspiel"), 3),
        ),
        (
            "from the start to the inside",
            read("# glockenspiel notes\n<private>\nthe pin\nXylophon4711", 1),
        ),
        (
            "a relative path",
            use_tool(
                "Read",
                json!({"file_path": "notes.md"}),
                json!({"file": {"content": inside}}),
            ),
        ),
        (
            "another client",
            use_tool(
                "read_file",
                json!({"absolute_path": "{dir}/notes.md"}),
                json!({"llmContent": inside, "returnDisplay": ""}),
            ),
        ),
        (
            "an MCP server",
            use_tool(
                "mcp__filesystem__read_file",
                json!({"path": "{dir}/notes.md", "head": 5}),
                json!([{"type": "text", "text": inside}]),
            ),
        ),
        ("a search in the file", grep(json!({"pattern": "o", "path": "{dir}/notes.md"}), inside)),
        ("a search in the folder", grep(json!({"pattern": "o", "path": "{dir}"}), &rows)),
        (
            "a search with context",
            grep(json!({"pattern": "o"}), &format!("notes.md:3:the pin\n{contexts}")),
        ),
        (
            "a search with headings",
            bash("rg -n --heading o", &format!("notes.md\n4:{}", inside.replace('\n', "\n4:"))),
        ),
        ("a search by the shell", bash("grep -rn o .", &rows.replace("notes.md", "./notes.md"))),
        ("cat", bash("cat notes.md | tail -6", inside)),
        ("sed", bash("sed -n '3,7p' '{dir}/notes.md'", inside)),
        ("head and tail", bash("head -7 notes.md | tail -5", inside)),
        ("a part of a line", bash("cut -c1-20 < notes.md", "Xylophon4711\nxylophonist")),
        ("awk", bash("awk '{print $2}' notes.md", "pin\nwords\n471108155\n")),
        ("a changed directory", bash("cd docs && cat inner.md", "inner Xylophon4711")),
        ("a name with spaces", bash("tail -2 'my notes.md'", "inner Xylophon4711")),
        ("a revision", bash("git show HEAD:notes.md | tail", inside)),
        ("a diff", bash("git diff -U2", &diff)),
        ("banners", bash("tail -n 3 *.md", &format!("==> notes.md <==\n{inside}\n"))),
        (
            "a failed command",
            fail(
                "Bash",
                json!({"command": "cat notes.md missing"}),
                &format!("Exit code 1\n{inside}"),
            ),
        ),
        (
            "an edit inside",
            use_tool(
                "Edit",
                json!({"file_path": "{dir}/notes.md", "old_string": "xylophon is old", "new_string": "Xylophon4711"}),
                json!({"filePath": "{dir}/notes.md"}),
            ),
        ),
        (
            "a failed edit inside",
            fail(
                "Edit",
                json!({"file_path": "{dir}/notes.md", "old_string": "xylophon is old", "new_string": "x"}),
                "String to replace not found in file.",
            ),
        ),
        (
            "a patch inside",
            use_tool(
                "apply_patch",
                json!({"input": "*** Begin Patch\n*** Update File: notes.md\n@@\n-xylophon is old\n+Xylophon4711\n*** End Patch"}),
                json!("Done"),
            ),
        ),
    ];
    let shapes = named.map(|(name, event)| {
        let answer = answer("It says Xylophon4711, see glockenspiel.");
        shape(name, vec![ask("glockenspiel"), event, answer])
    });
    shapes.into()
}
