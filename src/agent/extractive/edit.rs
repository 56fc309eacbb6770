//! An edit as what it did to a file: made or changed, how much, and which named things in it.

use serde_json::Value;

use super::payload::Payload;
use super::prose::fit;
use crate::clients::ToolUse;
use crate::clients::patch::{self, Header};
use crate::project::PathBase;

#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// From the project's root.
    pub path: String,
    pub made: Made,
    pub added: usize,
    pub removed: usize,
    /// Functions, types, headings it added or stands in.
    pub names: Vec<String>,
    /// The old and the new line, of an edit that small.
    pub swap: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    Created,
    Changed,
    Removed,
}

/// Named things kept of one edit.
const NAMES: usize = 6;

/// The edits of one tool use: one, or several of a patch.
pub fn read(
    tool: &str,
    used: &ToolUse,
    input: &Payload,
    response: &Payload,
    place: &PathBase,
) -> Vec<Edit> {
    if let Some(patch) = &used.patch {
        return patched(patch, place);
    }
    let keys = ["file_path", "notebook_path", "path", "filePath"];
    let Some(path) = used.paths.first().cloned().or_else(|| response.string(&keys)) else {
        return Vec::new();
    };
    if tool.to_lowercase().starts_with("delete") {
        return vec![edit(place.relative(&path), Made::Removed, &[])];
    }
    let created = response.string(&["type"]).as_deref() == Some("create");
    let mut lines = hunks(response);
    if lines.is_empty() {
        lines = by_input(input);
    }
    vec![edit(place.relative(&path), if created { Made::Created } else { Made::Changed }, &lines)]
}

/// The patch lines of the client's answer, with their ` `, `-` or `+`.
fn hunks(response: &Payload) -> Vec<String> {
    let Some(Value::Array(hunks)) = response.value("structuredPatch") else { return Vec::new() };
    let lines = hunks.iter().filter_map(|h| h.get("lines")?.as_array());
    lines.flatten().filter_map(|l| l.as_str().map(str::to_owned)).take(MOST).collect()
}

/// Lines of one edit that are looked at.
const MOST: usize = 4_000;

/// Patch lines made up from the input, where the answer has none.
fn by_input(input: &Payload) -> Vec<String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(Value::Array(edits)) = input.value("edits") {
        let text =
            |e: &Value, key: &str| e.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        pairs.extend(edits.iter().map(|e| (text(e, "old_string"), text(e, "new_string"))));
    } else {
        let old = input.string(&["old_string", "old_str"]).unwrap_or_default();
        let new = input.string(&[
            "new_string",
            "new_str",
            "content",
            "new_source",
            "contents",
            "file_text",
        ]);
        pairs.push((old, new.unwrap_or_default()));
    }
    let mut out = Vec::new();
    for (old, new) in pairs {
        let old_lines: Vec<&str> = old.lines().collect();
        let new_lines: Vec<&str> = new.lines().collect();
        let same = old_lines.iter().zip(&new_lines).take_while(|(a, b)| a == b).count();
        let most = old_lines.len().min(new_lines.len()) - same;
        let tail = old_lines
            .iter()
            .rev()
            .zip(new_lines.iter().rev())
            .take(most)
            .take_while(|(a, b)| a == b)
            .count();
        out.extend(old_lines[..same].iter().map(|l| format!(" {l}")));
        out.extend(old_lines[same..old_lines.len() - tail].iter().map(|l| format!("-{l}")));
        out.extend(new_lines[same..new_lines.len() - tail].iter().map(|l| format!("+{l}")));
        out.truncate(MOST);
    }
    out
}

fn edit(path: String, made: Made, lines: &[String]) -> Edit {
    let added: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix('+')).collect();
    let removed: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix('-')).collect();
    let mut names: Vec<String> = Vec::new();
    let mut add = |line: &str| {
        if let Some(name) = defined(line).filter(|n| names.len() < NAMES && !names.contains(n)) {
            names.push(name);
        }
    };
    added.iter().for_each(|l| add(l));
    if added.iter().all(|l| defined(l).is_none()) {
        // Nothing new by name: say in what it stands.
        let first = lines.iter().position(|l| l.starts_with(['+', '-'])).unwrap_or(0);
        if let Some(line) =
            lines[..first].iter().rev().find(|l| defined(l.trim_start_matches(' ')).is_some())
        {
            add(line);
        }
    }
    let swap = match (removed.as_slice(), added.as_slice()) {
        ([old], [new]) => Some((fit(old, 90), fit(new, 90))),
        ([], [new]) => Some((String::new(), fit(new, 90))),
        _ => None,
    };
    let swap = swap
        .filter(|(_, new)| new.chars().any(char::is_alphanumeric) && !new.contains("bytes cut]"));
    Edit { path, made, added: added.len(), removed: removed.len(), names, swap }
}

/// A patch of several files in the form `*** Update File: path`.
fn patched(text: &str, place: &PathBase) -> Vec<Edit> {
    let mut out: Vec<(String, Made, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match patch::header(line) {
            Some((Header::MoveTo, path)) => {
                if let Some(last) = out.last_mut() {
                    last.0 = place.relative(path);
                }
            }
            Some((header, path)) => {
                let made = match header {
                    Header::Add => Made::Created,
                    Header::Delete => Made::Removed,
                    Header::Update | Header::MoveTo => Made::Changed,
                };
                out.push((place.relative(path), made, Vec::new()));
            }
            None => {
                if let Some((_, _, lines)) = out.last_mut()
                    && !line.starts_with("@@")
                {
                    lines.push(line.to_owned());
                }
            }
        }
    }
    out.into_iter().map(|(path, made, lines)| edit(path, made, &lines)).collect()
}

/// The name a line of code or of Markdown defines.
fn defined(line: &str) -> Option<String> {
    let line = line.trim();
    if line.len() > 300 {
        return None;
    }
    let mut rest = line;
    const BEFORE: [&str; 17] = [
        "pub(crate) ",
        "pub(super) ",
        "pub ",
        "export ",
        "default ",
        "async ",
        "unsafe ",
        "const ",
        "static ",
        "private ",
        "public ",
        "protected ",
        "abstract ",
        "final ",
        "override ",
        "declare ",
        "inline ",
    ];
    let mut constant = false;
    while let Some((word, after)) = BEFORE.iter().find_map(|b| Some((*b, rest.strip_prefix(b)?))) {
        constant |= word == "const " || word == "static ";
        rest = after;
    }
    const WORDS: [&str; 25] = [
        "fn ",
        "def ",
        "defp ",
        "defmodule ",
        "defmacro ",
        "function ",
        "func ",
        "class ",
        "struct ",
        "enum ",
        "trait ",
        "impl ",
        "interface ",
        "type ",
        "module ",
        "mod ",
        "macro_rules! ",
        "fun ",
        "sub ",
        "namespace ",
        "record ",
        "resource ",
        "CREATE TABLE ",
        "ALTER TABLE ",
        "create table ",
    ];
    if let Some(after) = WORDS.iter().find_map(|w| rest.strip_prefix(w)) {
        return name(after, rest.starts_with("resource "));
    }
    if let Some(after) = rest
        .strip_prefix("describe ")
        .or_else(|| rest.strip_prefix("test "))
        .filter(|a| a.starts_with('"'))
    {
        return after[1..].split('"').next().filter(|n| n.len() > 2).map(|n| fit(n, 60));
    }
    // `const handler = (…) =>`, `let parse = function`
    if constant || rest.starts_with("let ") || rest.starts_with("var ") {
        let rest = rest.strip_prefix("let ").or_else(|| rest.strip_prefix("var ")).unwrap_or(rest);
        let (left, right) = rest.split_once('=')?;
        let right = right.trim_start();
        let function = right.starts_with('(') && line.contains("=>")
            || right.starts_with("function")
            || right.starts_with("async");
        return if function { name(left, false) } else { None };
    }
    None
}

fn name(after: &str, quoted: bool) -> Option<String> {
    let after = after.trim_start();
    if quoted {
        let words: Vec<&str> =
            after.split('"').filter(|w| !w.trim().is_empty() && w.trim() != "{").take(2).collect();
        return (!words.is_empty()).then(|| words.join("."));
    }
    // `func (s *Server) Start(`: the receiver is not the name.
    let after = if after.starts_with('(') {
        after.split_once(") ").map_or("", |(_, rest)| rest)
    } else {
        after
    };
    // `impl<T> Foo for Bar`: generics first.
    let after = if after.starts_with('<') {
        after.split_once("> ").map_or("", |(_, rest)| rest)
    } else {
        after
    };
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '?' | '!' | ':' | '$'))
        .collect();
    let name = name.trim_end_matches([':', '.']);
    (name.len() >= 2 && name.len() <= 60).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(tool: &str, input: &str, response: &str) -> Vec<Edit> {
        let place = PathBase { root: Some(std::path::Path::new("/p")), cwd: None };
        let used = ToolUse::new("claude-code", tool, Some(input));
        let (input, response) = (Payload::read(Some(input)), Payload::read(Some(response)));
        read(tool, &used, &input, &response, &place)
    }

    #[test]
    fn reads_the_clients_patch() {
        let response = r#"{"filePath":"/p/a.rs","structuredPatch":[{"lines":[" fn parse(x: &str) {","-    x","+    x.trim()"," }"]}]}"#;
        let edit = &read_one("Edit", r#"{"file_path":"/p/a.rs"}"#, response)[0];
        assert_eq!(
            (edit.path.as_str(), edit.made, edit.added, edit.removed),
            ("a.rs", Made::Changed, 1, 1)
        );
        assert_eq!(edit.names, ["parse"]);
        assert_eq!(edit.swap, Some(("x".into(), "x.trim()".into())));
    }

    #[test]
    fn reads_input_where_the_answer_says_nothing() {
        let edit = &read_one(
            "Edit",
            r#"{"file_path":"/p/b.py","old_string":"a\nb","new_string":"a\ndef care():\nb"}"#,
            "ok",
        )[0];
        assert_eq!((edit.added, edit.removed), (1, 0));
        assert_eq!(edit.names, ["care"]);
        let cut = &read_one(
            "Write",
            r#"{"file_path":"/p/c.go","content":"func (s *S) Run() {\n…[900 byt"#,
            r#"{"type":"create""#,
        )[0];
        assert_eq!(
            (cut.path.as_str(), cut.made, cut.names.as_slice()),
            ("c.go", Made::Created, &["Run".to_owned()][..])
        );
    }

    #[test]
    fn reads_a_patch_of_several_files() {
        let patch = "*** Begin Patch\n*** Add File: n.ts\n+export const go = () => 1\n*** Update File: o.ts\n@@\n-let a\n+let b\n*** Delete File: q.ts\n*** End Patch";
        let edits = read_one("apply_patch", patch, "");
        let told: Vec<(&str, Made)> = edits.iter().map(|e| (e.path.as_str(), e.made)).collect();
        assert_eq!(
            told,
            [("n.ts", Made::Created), ("o.ts", Made::Changed), ("q.ts", Made::Removed)]
        );
        assert_eq!(edits[0].names, ["go"]);
    }

    #[test]
    fn finds_what_a_line_defines() {
        for (line, expected) in [
            ("pub(crate) async fn run_all<T>(x: T)", Some("run_all")),
            ("def test_empty(self):", Some("test_empty")),
            ("export default class Cart extends Base {", Some("Cart")),
            ("const total = (items) => items.length", Some("total")),
            ("resource \"aws_s3_bucket\" \"logs\" {", Some("aws_s3_bucket.logs")),
            ("defmodule My.App do", Some("My.App")),
            ("let x = 3;", None),
            ("return class_of(x)", None),
        ] {
            assert_eq!(defined(line).as_deref(), expected, "{line}");
        }
    }
}
