//! Replaces the values in the lines of a secret file by `[redacted:key-file]`. Names, comments and the
//! rest of the text stay.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

use super::json;
use super::redact::value;
use crate::clients;

const MARKER: &str = "[redacted:key-file]";

/// How much of a text comes from a secret file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// It may have some lines of the file: the output of a command that names the file.
    Some,
    /// All of it: a line that is no assignment, comment or heading is a secret.
    All,
}

/// Keys of a response whose strings are not content.
const PLAIN_KEYS: [&str; 14] = [
    "type",
    "mode",
    "status",
    "kind",
    "role",
    "encoding",
    "mimetype",
    "mime_type",
    "filenames",
    "command",
    "description",
    "cell_id",
    "language",
    "exit_code",
];

/// Replaces the values in a text, or in the strings of a JSON text. Returns `None` if there are none.
pub fn redact(raw: &str, share: Share) -> Option<String> {
    if !raw.starts_with(['{', '[', '"']) {
        return replaced(raw, share).map(Cow::into_owned);
    }
    let mut parts: Vec<(Range<usize>, String)> = Vec::new();
    json::scan(raw, |value| {
        let key = value.key.map_or("", |key| &raw[key]).to_ascii_lowercase();
        if value.kind != json::Kind::String || PLAIN_KEYS.contains(&key.as_str()) {
            return;
        }
        let text = json::decode(raw, &value.range);
        let names_path = clients::is_path_argument(&key)
            || matches!(key.as_str(), "paths" | "files" | "uri" | "filepath");
        // `source` is a path in one tool and the text of a notebook's cell in another.
        let is_path = names_path && !text.contains(|c: char| c.is_whitespace() || c == '=');
        if !is_path && let Some(text) = replaced(&text, share) {
            parts.push((value.range, json::escape(&text)));
        }
    });
    (!parts.is_empty()).then(|| json::replace(raw, &parts))
}

fn replaced(text: &str, share: Share) -> Option<Cow<'_, str>> {
    let mut parts: Vec<(Range<usize>, &str)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        for range in values(content, share) {
            parts.push((at + range.start..at + range.end, MARKER));
        }
        at += line.len();
    }
    (!parts.is_empty()).then(|| json::replace(text, &parts).into())
}

fn regex(cell: &'static OnceLock<Regex>, pattern: &str) -> &'static Regex {
    cell.get_or_init(|| Regex::new(pattern).expect("tested"))
}

/// Returns the values in one line, in order.
fn values(line: &str, share: Share) -> Vec<Range<usize>> {
    static DECORATION: OnceLock<Regex> = OnceLock::new();
    static ASSIGNMENT: OnceLock<Regex> = OnceLock::new();
    static MEMBERS: OnceLock<Regex> = OnceLock::new();
    static LOGIN: OnceLock<Regex> = OnceLock::new();
    static ELEMENT: OnceLock<Regex> = OnceLock::new();
    // Indentation, a line number, marks of a patch or of a comment.
    let decoration =
        regex(&DECORATION, r"^(?:\s*(?:L?\d+(?:\t|→|:|-|\|| ))?\s*(?:[-+>|#;]|//)?\s*)");
    let core_at = decoration.find(line).map_or(0, |found| found.end());
    let core = &line[core_at..];
    let is_comment = line[..core_at].contains(['#', ';']) || line[..core_at].contains("//");
    let shift = |range: Range<usize>| core_at + range.start..core_at + range.end;
    if core.is_empty() || core.bytes().all(|b| b.is_ascii_punctuation()) || is_heading(core) {
        return Vec::new();
    }
    if core.starts_with(['{', '[']) || core.contains("\":") {
        let members =
            regex(&MEMBERS, r#"["'][\w.@/ -]+["']\s*:\s*(?:"((?:[^"\\]|\\.)+)"|(\d{3,}))"#);
        let found: Vec<_> = members
            .captures_iter(core)
            .filter_map(|m| m.get(1).or_else(|| m.get(2)))
            .map(|m| shift(m.range()))
            .collect();
        if !found.is_empty() || share == Share::Some || core.trim_end().ends_with(['{', '[']) {
            return found;
        }
    }
    let login = regex(&LOGIN, r"(?:^|\s)(?:login|password|account|user)\s+(\S+)");
    if core.contains("machine ") || core.starts_with("login ") || core.starts_with("password ") {
        return login
            .captures_iter(core)
            .filter_map(|m| m.get(1))
            .map(|m| shift(m.range()))
            .collect();
    }
    let element = regex(&ELEMENT, r#"(?:>([^<>]+)</|value="([^"]+)")"#);
    if core.starts_with('<') {
        return element
            .captures_iter(core)
            .filter_map(|m| m.get(1).or_else(|| m.get(2)))
            .map(|m| shift(m.range()))
            .collect();
    }
    let assignment = regex(
        &ASSIGNMENT,
        r#"^(?:(?:export|set|setx|ENV|ARG|declare -x|- )\s*)?["']?((?:\$env:)?[A-Za-z_/][\w./@:-]*?)["']?[ \t]*(=>|:=|=|:)(?:[ \t]+|$)?["']?(.*?)["']?[,;]?$"#,
    );
    if let Some(found) = assignment.captures(core) {
        let (name, operator, value) = (&found[1], &found[2], found.get(3).expect("a group"));
        let is_prose = operator == ":"
            && share == Share::Some
            && (is_log_word(name) || value.as_str().contains(' '));
        let is_open = value.as_str().bytes().all(|b| b"{[|>-&*".contains(&b));
        if is_open || value.as_str().starts_with("[redacted") {
            return Vec::new();
        }
        if !is_prose {
            return vec![shift(value.range())];
        }
    }
    if is_comment {
        return Vec::new();
    }
    match share {
        Share::All => std::iter::once(core_at..line.trim_end().len()).collect(),
        Share::Some => random_words(core).into_iter().map(shift).collect(),
    }
}

/// Whether a line is the heading of a section, of a file or of a patch.
fn is_heading(core: &str) -> bool {
    let is_section =
        core.starts_with('[') && core.ends_with(']') && !core.contains(['"', '\'', ',']);
    let marks = [
        "==>",
        "@@",
        "diff --git",
        "index ",
        "--- ",
        "+++ ",
        "*** ",
        "File: ",
        "Exit code",
        "-----",
    ];
    is_section || marks.iter().any(|mark| core.starts_with(mark))
}

/// Whether a line that begins with this word and a colon is a message and not a setting.
fn is_log_word(word: &str) -> bool {
    const WORDS: [&str; 24] = [
        "error", "warning", "warn", "note", "info", "debug", "trace", "fatal", "hint", "help",
        "usage", "modified", "deleted", "renamed", "new", "status", "size", "file", "access",
        "modify", "change", "birth", "exit", "ok",
    ];
    WORDS.contains(&word.to_ascii_lowercase().as_str())
}

/// The words of a line that look random. Hashes and ids stay.
fn random_words(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || "\"'`,;()<>".contains(c)) {
        let core = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'`,;()<>".contains(c));
        let is_known = value::is_hex_hash(core)
            || value::is_uuid(core)
            || value::is_file_path(core)
            || has_version(core)
            || core.contains('/') && !core.ends_with('=') && core.len() < 40;
        if core.len() >= 8 && value::is_random(core) && !is_known && !value::is_number(core) {
            found.push(at..at + core.len());
        }
        at += word.len();
    }
    found
}

/// Whether a word contains a version: `pkg@1.2.3`.
fn has_version(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.windows(3).any(|w| w[0].is_ascii_digit() && w[1] == b'.' && w[2].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(share: Share, text: &str, expected: &str) {
        let shown = redact(text, share).unwrap_or_else(|| text.to_owned());
        assert_eq!(shown.replace(MARKER, "#"), expected, "{text}");
    }

    #[test]
    fn names_comments_and_headings_stay() {
        for share in [Share::Some, Share::All] {
            check(
                share,
                "# Database\nexport A=1\nB = two words\n\n[default]\nc=\"x\"",
                "# Database\nexport A=#\nB = #\n\n[default]\nc=\"#\"",
            );
            check(share, "     1→A=1\n12:B=2\n+C=3", "     1→A=#\n12:B=#\n+C=#");
            check(share, " {\"user\": \"x\", \"n\": 1234}", " {\"user\": \"#\", \"n\": #}");
            check(share, "machine h login bob password x", "machine h login # password #");
            check(share, "<password>x</password>", "<password>#</password>");
        }
        check(Share::All, "users:\n- name: admin\n  token: abc", "users:\n- name: #\n  token: #");
    }

    #[test]
    fn other_lines_of_a_file_are_secrets_and_of_an_output_are_not() {
        check(Share::All, "hunter2\nhost:5432:db:user:pass word", "#\nhost:#");
        let output =
            "Running 3 tests\ntest result: ok. 3 passed\nerror: no such file\nmodified:   .env";
        check(Share::Some, output, output);
        check(Share::Some, "value is Zk3pQ9xW7vB now", "value is # now");
        let commit = "commit 3f9a81c07be245d63f9a81c07be245d63f9a81c0";
        check(Share::Some, commit, commit);
    }

    #[test]
    fn strings_of_json_are_replaced_except_paths_and_kinds() {
        let raw =
            r#"{"type":"text","file":{"filePath":"/p/.env","content":"A=1\nB=2","numLines":2}}"#;
        let expected = r#"{"type":"text","file":{"filePath":"/p/.env","content":"A=[redacted:key-file]\nB=[redacted:key-file]","numLines":2}}"#;
        assert_eq!(redact(raw, Share::All).as_deref(), Some(expected));
    }
}
