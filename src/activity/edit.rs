//! Reads edits: the file, whether it is new, the number of changed lines, and the names they define.

use serde_json::Value;

use super::line_prints;
use super::names;
use super::payload::Payload;
use super::shorten::fit;
use super::undo;
use crate::clients::ToolUse;
use crate::clients::patch::{self, Header};
use crate::project::PathBase;

#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Relative to the project's root.
    pub path: String,
    pub change: ChangeKind,
    pub added: usize,
    pub removed: usize,
    /// Functions, types and modules that the edit adds. If it adds none, the one that contains it.
    pub names: Vec<String>,
    /// The names that the edit defines or adds, for search.
    pub identifiers: Vec<String>,
    /// The old and the new line, if the edit replaces one line. For one added line, the old one is
    /// empty.
    pub swap: Option<(String, String)>,
    /// The prints of the added lines; see [`line_prints`].
    pub line_prints: String,
    /// The prints of the removed lines that it does not add again.
    pub removed_prints: String,
    /// The hash of each replacement. Empty if no inverse can undo the whole edit.
    pub undo: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Created,
    Changed,
    Removed,
}

/// Maximum number of names of one edit.
const MAX_NAMES: usize = 6;

/// The edits of one tool use. A patch may edit several files.
pub fn read(
    tool: &str,
    used: &ToolUse,
    input: &Payload,
    response: &Payload,
    base: &PathBase,
) -> Vec<Edit> {
    if let Some(patch) = &used.patch {
        return from_patch(patch, base);
    }
    let keys = ["file_path", "notebook_path", "path", "filePath"];
    let Some(path) = used.paths.first().cloned().or_else(|| response.string(&keys)) else {
        return Vec::new();
    };
    if tool.to_lowercase().starts_with("delete") {
        return vec![edit(base.relative(&path), ChangeKind::Removed, &[])];
    }
    let created = response.string(&["type"]).as_deref() == Some("create");
    let mut lines = lines_from_response(response);
    if lines.is_empty() {
        lines = lines_from_input(input);
    }
    let change = if created { ChangeKind::Created } else { ChangeKind::Changed };
    let undo = undo(&replacements(input));
    vec![Edit { undo, ..edit(base.relative(&path), change, &lines) }]
}

/// Empty unless all replacements can be undone.
fn undo(replacements: &[(String, String)]) -> Vec<u64> {
    let hashes = replacements.iter().map(|(old, new)| undo::hash(old, new));
    hashes.collect::<Option<Vec<u64>>>().unwrap_or_default()
}

/// The removed and added lines of an edit, as `-old` and `+new`.
pub fn changed_lines(input: &Payload, response: &Payload) -> Vec<String> {
    let mut lines = lines_from_response(response);
    if lines.is_empty() {
        lines = lines_from_input(input);
    }
    lines.retain(|line| line.starts_with(['-', '+']));
    lines
}

/// The lines of the patch in the client's response. Each begins with ` `, `-` or `+`.
fn lines_from_response(response: &Payload) -> Vec<String> {
    let Some(Value::Array(hunks)) = response.value("structuredPatch") else { return Vec::new() };
    let lines = hunks.iter().filter_map(|h| h.get("lines")?.as_array());
    lines.flatten().filter_map(|l| l.as_str().map(str::to_owned)).take(MAX_LINES).collect()
}

/// Maximum number of lines of one edit.
const MAX_LINES: usize = 4_000;

/// The old and new texts in the input. A written file has no old text.
fn replacements(input: &Payload) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if let Some(Value::Array(edits)) = input.value("edits") {
        let text =
            |e: &Value, key: &str| e.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        pairs.extend(edits.iter().map(|e| (text(e, "old_string"), text(e, "new_string"))));
    } else {
        let old = input.string(&["old_string", "old_str", "oldString"]).unwrap_or_default();
        let new = input.string(&[
            "new_string",
            "new_str",
            "newString",
            "content",
            "new_source",
            "contents",
            "file_text",
        ]);
        pairs.push((old, new.unwrap_or_default()));
    }
    pairs
}

/// The same lines computed from the input, for a response without a patch.
fn lines_from_input(input: &Payload) -> Vec<String> {
    let mut out = Vec::new();
    for (old, new) in replacements(input) {
        let old_lines: Vec<&str> = old.lines().collect();
        let new_lines: Vec<&str> = new.lines().collect();
        let head = old_lines.iter().zip(&new_lines).take_while(|(a, b)| a == b).count();
        let max_tail = old_lines.len().min(new_lines.len()) - head;
        let tail = old_lines
            .iter()
            .rev()
            .zip(new_lines.iter().rev())
            .take(max_tail)
            .take_while(|(a, b)| a == b)
            .count();
        out.extend(old_lines[..head].iter().map(|l| format!(" {l}")));
        out.extend(old_lines[head..old_lines.len() - tail].iter().map(|l| format!("-{l}")));
        out.extend(new_lines[head..new_lines.len() - tail].iter().map(|l| format!("+{l}")));
        out.truncate(MAX_LINES);
    }
    out
}

fn edit(path: String, change: ChangeKind, lines: &[String]) -> Edit {
    let added: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix('+')).collect();
    let removed: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix('-')).collect();
    let mut names: Vec<String> = Vec::new();
    let mut add = |line: &str| {
        if let Some(name) = defined(line).filter(|n| names.len() < MAX_NAMES && !names.contains(n))
        {
            names.push(name);
        }
    };
    added.iter().for_each(|l| add(l));
    if added.iter().all(|l| defined(l).is_none()) {
        // The edit defines nothing, so use the definition that contains it.
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
    let line_prints = line_prints::of_lines(added.iter().copied());
    let gone = line_prints::of_lines(removed.iter().copied());
    Edit {
        path,
        change,
        added: added.len(),
        removed: removed.len(),
        names,
        identifiers: names::read(lines),
        removed_prints: line_prints::without(&gone, &line_prints),
        line_prints,
        swap,
        undo: Vec::new(),
    }
}

/// The edits of a patch in Codex's form (`*** Update File: path`).
fn from_patch(text: &str, base: &PathBase) -> Vec<Edit> {
    let mut out: Vec<(String, ChangeKind, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match patch::header(line) {
            Some((Header::MoveTo, path)) => {
                if let Some(last) = out.last_mut() {
                    last.0 = base.relative(path);
                }
            }
            Some((header, path)) => {
                let change = match header {
                    Header::Add => ChangeKind::Created,
                    Header::Delete => ChangeKind::Removed,
                    Header::Update | Header::MoveTo => ChangeKind::Changed,
                };
                out.push((base.relative(path), change, Vec::new()));
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
    let edits = out.into_iter().map(|(path, change, lines)| {
        let lines_of = |side: char| -> String {
            let lines = lines.iter().filter(|line| line.starts_with([' ', side]));
            lines.map(|line| format!("{}\n", &line[1..])).collect()
        };
        let undo = undo::hash(&lines_of('-'), &lines_of('+')).into_iter().collect();
        Edit { undo, ..edit(path, change, &lines) }
    });
    edits.collect()
}

/// The name that a line of code defines.
fn defined(line: &str) -> Option<String> {
    let line = line.trim();
    if line.len() > 300 {
        return None;
    }
    let mut rest = line;
    const MODIFIERS: [&str; 17] = [
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
    while let Some((word, after)) = MODIFIERS.iter().find_map(|m| Some((*m, rest.strip_prefix(m)?)))
    {
        constant |= word == "const " || word == "static ";
        rest = after;
    }
    const KEYWORDS: [&str; 25] = [
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
    if let Some(after) = KEYWORDS.iter().find_map(|k| rest.strip_prefix(k)) {
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

/// The name after a keyword. `quoted`: the words in quotes, joined by `.`.
fn name(after: &str, quoted: bool) -> Option<String> {
    let after = after.trim_start();
    if quoted {
        let words: Vec<&str> =
            after.split('"').filter(|w| !w.trim().is_empty() && w.trim() != "{").take(2).collect();
        return (!words.is_empty()).then(|| words.join("."));
    }
    // `func (s *Server) Start(`: skip the receiver.
    let after = if after.starts_with('(') {
        after.split_once(") ").map_or("", |(_, rest)| rest)
    } else {
        after
    };
    // `impl<T> Foo for Bar`: skip the generics.
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
        let base = PathBase { root: Some(std::path::Path::new("/p")), cwd: None };
        let used = ToolUse::new("claude-code", tool, Some(input));
        let (input, response) = (Payload::read(Some(input)), Payload::read(Some(response)));
        read(tool, &used, &input, &response, &base)
    }

    #[test]
    fn the_patch_in_the_response_is_read() {
        let response = r#"{"filePath":"/p/a.rs","structuredPatch":[{"lines":[" fn parse(x: &str) {","-    x","+    x.trim()"," }"]}]}"#;
        let edit = &read_one("Edit", r#"{"file_path":"/p/a.rs"}"#, response)[0];
        assert_eq!(
            (edit.path.as_str(), edit.change, edit.added, edit.removed),
            ("a.rs", ChangeKind::Changed, 1, 1)
        );
        assert_eq!(edit.names, ["parse"]);
        assert_eq!(edit.swap, Some(("x".into(), "x.trim()".into())));
    }

    #[test]
    fn the_input_is_read_if_the_response_has_no_patch() {
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
            (cut.path.as_str(), cut.change, cut.names.as_slice()),
            ("c.go", ChangeKind::Created, &["Run".to_owned()][..])
        );
    }

    #[test]
    fn a_patch_may_edit_several_files() {
        let patch = "*** Begin Patch\n*** Add File: n.ts\n+export const go = () => 1\n*** Update File: o.ts\n@@\n-let a\n+let b\n*** Delete File: q.ts\n*** End Patch";
        let edits = read_one("apply_patch", patch, "");
        let changes: Vec<(&str, ChangeKind)> =
            edits.iter().map(|e| (e.path.as_str(), e.change)).collect();
        assert_eq!(
            changes,
            [
                ("n.ts", ChangeKind::Created),
                ("o.ts", ChangeKind::Changed),
                ("q.ts", ChangeKind::Removed)
            ]
        );
        assert_eq!(edits[0].names, ["go"]);
    }

    #[test]
    fn definitions_are_found() {
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
