//! Help, manual, completions, version, and the documented keys of `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::{Work, World};

/// The verbs and their one-line help.
fn verbs(w: &World) -> BTreeMap<String, String> {
    let help = w.memctl(&["-h"]).ok();
    let (_, commands) = help.split_once("\n\nFind and read:\n").unwrap();
    let (commands, _) = commands.split_once("\n\nOptions:\n").unwrap();
    let verb = |line: &str| {
        let (verb, help) = line.trim().split_once("  ").unwrap();
        (verb.to_owned(), help.trim().to_owned())
    };
    // Blank lines and headings stand between the groups.
    commands.lines().filter(|line| line.starts_with("  ")).map(verb).collect()
}

/// The long options that a text mentions.
fn flags(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    text.split(word).filter(|w| w.starts_with("--") && w.len() > 2).map(str::to_owned).collect()
}

/// The words that bash is offered for the last of these.
fn completed(w: &World, words: &[&str]) -> Vec<String> {
    let mut memctl = w.program();
    memctl.env("MEMCTL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let output = memctl.args(["--", "memctl"]).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn help_manual_and_completions_explain_every_verb() {
    let w = World::new();
    let verbs = verbs(&w);
    assert!(verbs.contains_key("ps") && verbs.contains_key("man"), "{verbs:?}");
    let dir = w.path("man");
    fs::create_dir(&dir).unwrap();
    assert_eq!(w.memctl(&["man", "--dir", dir.to_str().unwrap()]).ok(), "");
    for (verb, summary) in &verbs {
        let imperative = summary.starts_with(|c: char| c.is_uppercase()) && !summary.ends_with('.');
        assert!(imperative && summary.len() <= 72, "{verb}: {summary}");
        let help = w.memctl(&[verb, "--help"]).ok();
        let page = fs::read_to_string(dir.join(format!("memctl-{verb}.1"))).unwrap();
        let page =
            page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "").replace("\\*(Aq", "'");
        assert!(page.contains(&format!("memctl-{verb} - {summary}")), "{page}");
        // Both describe the options below a heading.
        let options = |text: &str, heading: &str| flags(text.split(heading).nth(1).unwrap());
        let of_help = options(&help, "Options:");
        assert!(of_help.contains("--help"), "{help}");
        let completed = flags(&completed(&w, &[verb, "--"]).join(" "));
        assert!(completed.contains("--help"), "{completed:?}");
        for flag in &completed {
            assert!(of_help.contains(flag), "{verb} --help lacks {flag}");
            assert!(options(&page, ".SH OPTIONS").contains(flag), "no {flag} in memctl-{verb}.1");
        }
    }
    let pages = fs::read_dir(&dir).unwrap().count();
    assert_eq!(pages, verbs.len() + 1, "one page per verb and one for memctl");
    assert!(w.memctl(&["man"]).ok().contains(".SH FILES"));
    assert!(!w.data().exists());
}

/// A line of the lower part of a help without leading blanks is a heading.
#[test]
fn no_heading_of_a_help_or_a_manual_page_is_prose() {
    let w = World::new();
    let dir = w.path("man");
    fs::create_dir(&dir).unwrap();
    w.memctl(&["man", "--dir", dir.to_str().unwrap()]).ok();
    for verb in verbs(&w).keys() {
        let help = w.memctl(&[verb, "--help"]).ok();
        let lower = help.split("Print help (see a summary with '-h')").nth(1).unwrap();
        let of_help = lower.lines().filter(|line| line.starts_with(|c| c != ' '));
        let page = fs::read_to_string(dir.join(format!("memctl-{verb}.1"))).unwrap();
        let of_page = page.lines().filter_map(|line| line.strip_prefix(".SH "));
        for heading in of_help.chain(of_page) {
            let n_words = heading.split_whitespace().count();
            assert!(n_words < 9 && !heading.contains(". "), "{verb}: {heading}");
        }
    }
}

#[test]
fn completions_exist_for_every_common_shell() {
    let w = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = w.memctl(&["completions", shell]).ok();
        assert!(
            script.contains(&format!("MEMCTL_COMPLETE={shell}"))
                || script.contains("MEMCTL_COMPLETE=\""),
            "{script}"
        );
    }
    let offered = completed(&w, &[""]);
    for verb in verbs(&w).keys() {
        assert!(offered.contains(verb), "{verb} is not offered: {offered:?}");
    }
    assert_eq!(w.memctl(&["completions", "cmd"]).code, Some(2));
    assert_eq!(w.memctl(&["man", "--dir", "/nonexistent"]).code, Some(2));
}

#[test]
fn help_of_a_verb_is_the_same_as_its_option() {
    let w = World::new();
    assert_eq!(w.memctl(&["help"]).ok(), w.memctl(&["--help"]).ok());
    for words in [&["ps"][..], &["kill"], &["config", "set"], &["help"]] {
        let asked = w.memctl(&[&["help"], words].concat()).ok();
        assert_eq!(asked, w.memctl(&[words, &["--help"]].concat()).ok());
        assert!(asked.contains(&format!("Usage: memctl {}", words.join(" "))), "{asked}");
    }
    let unknown = w.memctl(&["help", "statu"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(2), ""));
    assert!(unknown.err.contains("'status'"), "{unknown:?}");
    assert!(!w.data().exists());
}

#[test]
fn version_shows_commit_and_build() {
    let w = World::new();
    let short = w.memctl(&["-V"]).ok();
    assert_eq!(short, concat!("memctl ", env!("CARGO_PKG_VERSION"), "\n"));
    let long = w.memctl(&["--version"]).ok();
    let (first, second) = long.split_once('\n').unwrap();
    let commit = first.strip_prefix(short.trim_end()).unwrap().trim();
    let commit = commit.strip_prefix('(').and_then(|c| c.strip_suffix(')')).unwrap();
    let known = commit.split_once(' ').is_some_and(|(id, date)| {
        id.len() >= 12 && id.bytes().all(|b| b.is_ascii_hexdigit()) && date.len() == 10
    });
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists();
    assert!(known || (!repository && commit == "unknown commit"), "{long}");
    let build = second.trim_end().strip_prefix("build: ").unwrap();
    let (profile, target) = build.split_once(" for ").unwrap();
    assert!(!profile.is_empty() && target.contains('-'), "{long}");
}

/// The tables of `docs/json.md` by section: keys and types. The table of an array's items follows
/// the words "Each of".
fn documented() -> BTreeMap<String, BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let text = fs::read_to_string(path).unwrap();
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## `memctl ") {
            name = heading.trim_end_matches("--json`").trim().to_owned();
        } else if let Some(items) = line.strip_prefix("Each of `") {
            name = format!("{name} {}", items.trim_end_matches("`:"));
        } else if let Some(row) = line.strip_prefix("| `") {
            let (key, rest) = row.split_once("` | ").unwrap();
            let kind = rest.split(" |").next().unwrap();
            tables.entry(name.clone()).or_default().insert(key.to_owned(), kind.to_owned());
        }
    }
    tables
}

/// Expects exactly the keys and types that `docs/json.md` has for `name`.
#[track_caller]
fn check(name: &str, object: &Value) {
    let tables = documented();
    let table = tables.get(name).unwrap_or_else(|| panic!("docs/json.md has no {name}"));
    let object = object.as_object().unwrap_or_else(|| panic!("{name}: {object}"));
    let keys: Vec<&String> = object.keys().collect();
    let mut documented: Vec<&String> = table.keys().collect();
    documented.sort();
    assert_eq!(keys, documented, "{name}: printed, documented");
    for (key, value) in object {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let allowed = table[key].split(", ").any(|k| k.split(' ').next() == Some(kind));
        assert!(allowed, "{name}: {key} is {value}, documented as {}", table[key]);
    }
}

#[test]
fn json_has_exactly_the_documented_keys() {
    let w = World::lingering();
    w.hook(&prompt("session", "t", "make the tests pass"));
    w.hook(&tool("session", "t", "u", "cargo test", "error[E0308]: mismatched types"));
    w.hook(&edit("session", "t", "e", "src/types.rs"));
    w.hook(&tool("session", "t", "v", "cargo test", "test result: ok. 7 passed; 0 failed"));
    w.hook(&stop("session", "t", "The types were wrong. All 7 tests pass now."));
    crate::support::until("an observation", || {
        match w.memctl(&["show", "s1"]).code.zip(w.memctl(&["show", "o1"]).code) {
            Some((0, 0)) => Ok(()),
            other => Err(format!("{other:?} {:?}", w.memctl(&["show", "session"]))),
        }
    });
    let json = |args: &[&str]| w.memctl(&[args, &["--json"]].concat()).json();
    check("ps", &json(&["ps"])[0]);
    w.memctl(&["resume", "set", "github:claude:owner/repo:12", "id"]).ok();
    check("resume list", &json(&["resume", "list"])[0]);
    check("project list", &json(&["project", "list"])[0]);
    let name = json(&["project", "list"])[0]["name"].as_str().unwrap().to_owned();
    check("project merge", &w.memctl(&["project", "rename", &name, "other", "--json"]).json());
    let shown = w.memctl(&["project", "show", "other", "--json"]).json();
    check("project show", &shown);
    check("project show directories", &shown["directories"][0]);
    check("project show directories look_alikes changes", &shown["changes"][0]);
    check("project merge", &w.memctl(&["project", "undo", "--json"]).json());
    check("status", &json(&["status"]));
    let defer =
        "UPDATE pending_messages SET status = 'pending', error = 'the rate limit is reached',
      waits_for = 'openai 1 2', not_before_epoch = 1000 * unixepoch() + 1800000 WHERE id = 1";
    w.execute_sql(defer);
    check("status queue.waiting", &json(&["status"])["queue"]["waiting"][0]);
    w.execute_sql(
        "UPDATE pending_messages SET status = 'processed', error = NULL, waits_for = NULL,
           not_before_epoch = NULL WHERE id = 1",
    );
    let doctor = json(&["doctor"]);
    check("doctor", &doctor);
    check("doctor findings", &doctor["findings"][0]);
    let queue = json(&["queue", "--recent"]);
    check("queue", &queue);
    check("queue items", &queue["items"][0]);
    let context = json(&["context", "--project", "/"]);
    check("context", &context);
    check("context sections", &context["sections"][0]);
    w.hook(&start("next"));
    w.hook(&prompt("next", "t", "go on"));
    let injected = crate::support::until("the start is recorded", || {
        match w.memctl(&["injected", "next", "--json"]) {
            output if output.out.contains("\"place\"") => Ok(output.json()),
            output => Err(format!("{output:?}")),
        }
    });
    check("injected", &injected);
    check("injected memories", &injected["memories"][0]);
    let line = &context["sections"][0]["lines"][0];
    assert!(
        context["text"].as_str().unwrap().contains(line["text"].as_str().unwrap()),
        "{context}"
    );
    let id = line["ids"][0].as_str().unwrap();
    assert!(w.memctl(&["show", id]).ok().contains(id), "{line}");
    for by in ["day", "project", "session", "backend"] {
        let stats = json(&["stats", "--by", by]);
        check("stats", &stats);
        check("stats groups", &stats["groups"][0]);
    }
    check("logs", &json(&["logs", "-n", "1"]));
    check("show o412", &json(&["show", "o1"]));
    check("show s37", &json(&["show", "s1"]));
    check("show p88", &json(&["show", "p1"]));
    let session = json(&["show", "session"]);
    check("show SESSION", &session);
    check("show p88", &session["prompts"][0]);
    check("show s37", &session["summaries"][0]);
    check("show o412", &session["observations"][0]);
    let text = ["password: hunt", "er22"].concat();
    let found = w.memctl_with(&["redact", "--check", "--json"], text.as_bytes()).json();
    check("redact --check", &found["findings"][0]);
    check("remember", &json(&["remember", "the types are right"]));
    let rows =
        w.memctl_with(&["remember", "--jsonl", "-", "--json"], b"{\"id\":1,\"text\":\"a\"}\n");
    check("remember --jsonl", &rows.json());
    check("search", &json(&["search", "-a", "tests pass"])[0]);
    let line = serde_json::json!({"type": "user", "uuid": "u", "sessionId": "past", "cwd": "/",
        "timestamp": "2026-03-02T10:00:00Z", "message": {"content": "hi"}});
    let past = w.path("past");
    fs::create_dir(&past).unwrap();
    fs::write(past.join("past.jsonl"), format!("{line}\n")).unwrap();
    check("import claude-code", &json(&["import", "claude-code", past.to_str().unwrap()]));
    let exported = w.path("memory.jsonl");
    let exported = exported.to_str().unwrap();
    w.memctl(&["export", "--output", exported]).ok();
    check("import jsonl", &json(&["import", "jsonl", exported]));
    let other = w.path("claude-mem.db");
    let conn = rusqlite::Connection::open(&other).unwrap();
    conn.execute_batch("CREATE TABLE observations (id INTEGER PRIMARY KEY, text TEXT)").unwrap();
    check("import claude-mem", &json(&["import", "claude-mem", other.to_str().unwrap()]));
    let backup = w.path("backup.db");
    check("backup", &json(&["backup", backup.to_str().unwrap()]));
    check("restore", &World::new().memctl(&["restore", backup.to_str().unwrap(), "--json"]).json());
    check("forget", &json(&["forget", "session", "--dry-run"]));
    w.memctl(&["forget", "p1"]).ok();
    check("forget --undo", &json(&["forget", "--undo"]));
    w.execute_sql(
        "INSERT INTO observations (uuid, project_id, origin, type, title, backend, content_hash,
           created_at_epoch, changed_at_epoch)
         SELECT 'u', project_id, 'user', 'note', 'n', 'b', 'h', 0, 0 FROM observations WHERE id = 1",
    );
    let newer = w.rows("SELECT 'o' || max(id) FROM observations").remove(0);
    check("supersede", &json(&["supersede", "o1", &newer]));
    check("show o412", &json(&["show", &newer]));
    check("supersede", &json(&["supersede", "--undo", "o1"]));
    let several = w.memctl(&["show", "o1", "s1", "--json"]).ok();
    let several: Vec<Value> = several.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    check("show o412", &several[0]);
    check("show s37", &several[1]);
    let at_root = |args: &[&str]| json(&[args, &["--project", "/"]].concat());
    check("list", &at_root(&["list"])[0]);
    check("last", &at_root(&["last"]));
    check("timeline", &at_root(&["timeline"])[0]);
    let home = w.path("home").to_str().unwrap().to_owned();
    let mut asked = prompt("steps", "t", "Fix the parser of the importer");
    let mut left = stop("steps", "t", "Fixed.\n\nNext steps:\n- Write the changelog entry");
    for payload in [&mut asked, &mut left] {
        payload["cwd"] = home.as_str().into();
        w.hook(payload);
    }
    crate::support::until("an open step", || match &json(&["done"])[0] {
        Value::Null => Err("none".to_owned()),
        step => {
            check("done", step);
            Ok(())
        }
    });
    w.memctl(&["kill", "--all"]).ok();
    w.memctl(&["ps", "--json"]).ok();

    // Every documented key is in the help of its command. If the number of tables changes, add a
    // check above.
    for (name, table) in documented() {
        let verb = name.split(' ').next().unwrap();
        let help = w.memctl(&[verb, "--help"]).ok();
        let words: BTreeSet<&str> =
            help.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        for key in table.keys() {
            assert!(words.contains(key.as_str()), "{verb} --help lacks {key}");
        }
    }
    assert_eq!(documented().len(), 50);
}

#[test]
fn json_about_files_errors_and_programs_has_the_documented_keys() {
    let w = World::new();
    let mut work = Work::new(&w, "app", "one");
    work.prompt("Read the version");
    work.fails("jq .version a.json", 127, "bash: line 1: jq: command not found");
    work.write("a.json", "{ \"version\": 3 }\n");
    work.runs("brew install jq", "");
    work.runs("jq .version a.json", "3");
    work.fails("npx jest", 1, "FAIL a.test.js\nTests:       1 failed, 2 passed, 3 total");
    work.stop("The version is 3, and one test fails.");
    check("why FILE known", &work.memctl("", &["why", "a.json", "--json"]).json()["known"][0]);
    let json = work.memctl("", &["why", "a.json", "--json"]).json();
    check("why FILE", &json);
    check("why FILE known changes", &json["changes"][0]);
    for (name, args, list) in [
        ("fix ERROR", ["fix", "jq: command not found", "--json"], "fixes"),
        ("how TOOL", ["how", "jq", "--json"], "commands"),
    ] {
        let json = work.memctl("", &args).json();
        check(name, &json);
        check(&format!("{name} {list}"), &json[list][0]);
    }
}

#[test]
fn json_of_an_empty_memory_has_the_same_keys() {
    let w = World::new();
    check("status", &w.memctl(&["status", "--json"]).json());
    check("queue", &w.memctl(&["queue", "--json"]).json());
    check("context", &w.memctl(&["context", "--json"]).json());
    check("stats", &w.memctl(&["stats", "--json"]).json());
    check("doctor", &w.memctl(&["doctor", "--json"]).json());
    check("forget", &w.memctl(&["forget", "--query", "x", "--yes", "--json"]).json());
    check("config", &w.memctl(&["config", "--json"]).json()[0]);
    check("config", &w.memctl(&["config", "get", "log.max", "--json"]).json());
    w.memctl_with(&["config", "secret", "set", "OPENAI_API_KEY"], b"key").ok();
    check("config secret list", &w.memctl(&["config", "secret", "list", "--json"]).json()[0]);
    w.hook(&prompt("s", "t", "go"));
    w.hook(&end("s"));
    w.settle();
    check("status", &w.memctl(&["status", "--json"]).json());
}

/// Runs `make run`'s script and compares the output that README quotes, except for numbers.
#[test]
fn the_output_quoted_in_the_readme_is_real() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let w = World::new();
    let mut demo = w.command(Path::new("sh"));
    let demo = demo.arg(root.join("tests/demo/run.sh")).arg(env!("CARGO_BIN_EXE_memctl"));
    let output = demo.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let words = |line: &str| -> Vec<String> {
        let any = |c: char| if c.is_ascii_digit() { '0' } else { c };
        line.split_whitespace().map(|word| word.chars().map(any).collect()).collect()
    };
    let shown: Vec<_> = shown.lines().map(words).collect();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let quoted = readme.split("    $ memctl context\n").nth(1).unwrap();
    let quoted = quoted.split("\n\nTwo commands").next().unwrap();
    assert!(quoted.contains("</memctl-context>"), "{quoted}");
    for line in quoted.lines() {
        assert!(
            shown.contains(&words(line)),
            "README quotes a line that `make run` does not print: {line}"
        );
    }
}
