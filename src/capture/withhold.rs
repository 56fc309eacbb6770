//! Withholds the parts of a tool use that could contain the content of a secret file.
//!
//! - If a path argument names a secret file, nothing is recorded: the input or the response contains
//!   the content.
//! - A command line that only reads a secret file is recorded without its response.
//! - From the response of any other search or command, the rows of secret files are removed.

use super::MAX_PATH;
use super::json::{self, Edit};
use super::secret_files::{
    is_secret_file, may_name_secret_file, names_secret_file, possible_names,
};
use crate::clients::{ToolKind, ToolUse, patch, paths_in};

/// How much of a tool use is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    Nothing,
    Response,
    All,
}

/// At most this many prefixes of a row are tested for the path of a secret file.
const MAX_PREFIXES: usize = 64;

/// Decides by the input of `used` what to withhold. `input` is the same input as JSON: a shell tool may
/// have its command line in an argument whose name is unknown.
pub fn withheld(used: &ToolUse, input: Option<&str>) -> Withheld {
    if used.paths.iter().any(|path| is_secret_argument(path)) {
        return Withheld::All;
    }
    let secret: Vec<&String> = used.commands.iter().filter(|c| names_secret_file(c)).collect();
    if secret.iter().any(|command| may_contain_content(command)) {
        Withheld::All
    } else if !secret.is_empty() || used.kind == ToolKind::Control {
        // A background command's output comes with a later use, which does not name the command.
        Withheld::Response
    } else if used.kind == ToolKind::Shell && input.is_some_and(names_secret_file) {
        Withheld::Response
    } else {
        Withheld::Nothing
    }
}

/// Whether `path`, an argument of a tool, names a secret file. It may be a pattern: `**/*.pem`.
fn is_secret_argument(path: &str) -> bool {
    let is_pattern = path.contains(['*', '?', '{', ',']);
    is_secret_file(path) || is_pattern && !path.starts_with('!') && names_secret_file(path)
}

/// Whether a command line that names a secret file may itself contain text of that file. It cannot if
/// it is a single line without redirection, inline code or programs that write.
fn may_contain_content(command: &str) -> bool {
    const WORDS: [&str; 14] = [
        "echo",
        "printf",
        "tee",
        "sed",
        "gsed",
        "awk",
        "perl",
        "ed",
        "dotenv",
        "export",
        "apply_patch",
        "-c",
        "-e",
        "--eval",
    ];
    const DISCARDED: [&str; 6] =
        ["2>&1", "2>/dev/null", "2> /dev/null", "&>/dev/null", ">/dev/null", "> /dev/null"];
    let mut rest = command.trim().to_owned();
    for redirection in DISCARDED {
        rest = rest.replace(redirection, " ");
    }
    let is_separator = |c: char| c.is_whitespace() || ";|&(){}`$".contains(c);
    let is_word = |word: &str| WORDS.contains(&word.rsplit('/').next().unwrap_or(word));
    rest.contains(['>', '\n']) || rest.contains("<<") || rest.split(is_separator).any(is_word)
}

/// Whether an object in a response names a secret file. Its other members may contain the content.
pub fn names_secret_object(response: &str) -> bool {
    response.starts_with(['{', '[']) && paths_in(response).iter().any(|path| is_secret_file(path))
}

/// Removes the rows that come from secret files. Returns `None` if there are none. `raw` is plain text,
/// or JSON whose strings contain the rows.
pub fn without_secret_rows(raw: &str) -> Option<String> {
    if raw.starts_with(['{', '[', '"']) {
        return json::rewrite(raw, may_name_secret_file, secret_rows);
    }
    let edits = secret_rows(raw);
    (!edits.is_empty()).then(|| json::apply(raw, &edits))
}

/// How output shows the lines of one file below its name, and where they end.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// Below `path:` or `File: path` (Gemini, Qwen, OpenCode): up to an empty line or a rule.
    Listing,
    /// Below a bare `path` (ripgrep with headings): the numbered lines.
    Numbered,
    /// Below `==> path <==` (head, tail): up to the next such line.
    Banner,
    /// A patch or a diff: up to the header of the next file.
    Diff,
}

/// Returns edits that remove the lines of `text` with content of secret files.
fn secret_rows(text: &str) -> Vec<Edit> {
    let names = possible_names(text);
    let mut names = names.iter().copied().peekable();
    let mut edits: Vec<Edit> = Vec::new();
    let mut inside: Option<Section> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let row = line.trim_end();
        let mut named = false;
        while names.next_if(|name| *name < end).is_some() {
            named = true;
        }
        inside = inside.filter(|section| !ends(*section, row));
        let secret = inside.is_some();
        if !secret && named {
            inside = section(row);
        }
        if secret || named && inside.is_none() && has_secret_prefix(row) {
            match edits.last_mut().filter(|edit| edit.range.end == at) {
                Some(edit) => edit.range.end = end,
                None => edits.push(Edit { range: at..end, with: "" }),
            }
        }
        at = end;
    }
    edits
}

/// Returns the section that begins below `row`, if `row` is the heading of a secret file.
fn section(row: &str) -> Option<Section> {
    if let Some(path) = row.strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <==")) {
        return is_secret_file(path).then_some(Section::Banner);
    }
    let in_diff = match row.strip_prefix("diff ") {
        Some(paths) => paths.split(' ').any(is_secret_file),
        None => {
            let path = patch::header(row).map(|(_, path)| path).or_else(|| patch::diff_path(row));
            path.is_some_and(is_secret_file)
        }
    };
    if in_diff {
        return Some(Section::Diff);
    }
    let listed = row.trim_start().strip_prefix("File: ").or_else(|| row.strip_suffix(':'));
    if listed.is_some_and(is_secret_path) {
        return Some(Section::Listing);
    }
    is_secret_path(row).then_some(Section::Numbered)
}

fn ends(section: Section, row: &str) -> bool {
    match section {
        Section::Listing => {
            row.is_empty() || ["---", "===", "File: "].iter().any(|mark| row.starts_with(mark))
        }
        Section::Numbered => !is_numbered(row),
        Section::Banner => row.starts_with("==> "),
        Section::Diff => {
            row.starts_with("diff ") || row.starts_with("Index: ") || patch::header(row).is_some()
        }
    }
}

fn is_numbered(row: &str) -> bool {
    let rest = row.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < row.trim_start().len() && rest.starts_with([':', '-', '\t', '|'])
}

/// Whether a row begins with the path of a secret file: `.env:3:KEY=…`, `./.env-2-KEY=…`.
fn has_secret_prefix(row: &str) -> bool {
    let match_row = row.split([':', '\t']).next().is_some_and(is_secret_path);
    let is_context = |at: usize| {
        let number = row[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        number.len() < row[at + 1..].len() && number.starts_with('-')
    };
    // A row of dates or ids has thousands of such places, and each test reads the row up to there.
    let dashes = row.match_indices('-').map(|(at, _)| at).take_while(|at| *at <= MAX_PATH);
    let mut context_rows = dashes.filter(|at| is_context(*at)).take(MAX_PREFIXES);
    match_row || context_rows.any(|at| is_secret_path(&row[..at]))
}

/// Whether `text` is the path of a secret file, and not code such as `if event.key`.
fn is_secret_path(text: &str) -> bool {
    let is_code = text.contains(['=', '(', ')', '{', '}', ';', ',', '"', '\'', '<', '>', ':']);
    let has_words = text.trim().contains(char::is_whitespace) && !text.contains('/');
    !is_code && !has_words && is_secret_file(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_may_contain_a_secret_is_withheld() {
        let check = |command: &str, expected: Withheld| {
            let input = serde_json::json!({ "command": command }).to_string();
            let used = ToolUse::new("claude-code", "Bash", Some(&input));
            assert_eq!(withheld(&used, Some(&input)), expected, "{command}");
        };
        check("cat .env", Withheld::Response);
        check("cat .env 2>/dev/null | head -3", Withheld::Response);
        check("docker run --env-file=.env app", Withheld::Response);
        check("echo A=1 >> .env", Withheld::All);
        check("cat > .env <<'EOF'\nA=1\nEOF", Withheld::All);
        check("echo A=1 | tee .env", Withheld::All);
        check("sed -i s/A=1/A=2/ config/.env", Withheld::All);
        check("apply_patch '*** Begin Patch\n*** Add File: server.key\n+x'", Withheld::All);
        check("echo A=1 > out.txt", Withheld::Nothing);
        check("grep -rn A= src", Withheld::Nothing);
        let input = r#"{"program":"bash","words":["-c","cat .env"]}"#;
        let used = ToolUse::new("claude-code", "Bash", Some(input));
        assert_eq!(withheld(&used, Some(input)), Withheld::Response);
    }

    #[test]
    fn rows_of_secret_files_are_removed() {
        let check = |text: &str, expected: &str| {
            let rest = without_secret_rows(text).unwrap_or_else(|| text.to_owned());
            assert_eq!(rest, expected, "{text}");
        };
        check("src/a.rs:1:x\n.env:1:A=1\n./.env-2-B=2\nb.rs:2:y\n", "src/a.rs:1:x\nb.rs:2:y\n");
        check("my keys/server.key:MIIE\nok: yes", "ok: yes");
        check(
            "File: .env\nL1: A=1\n---\nFile: a.md\nL1: x\n---",
            "File: .env\n---\nFile: a.md\nL1: x\n---",
        );
        check(
            "/p/.env:\n  Line 1: A=1\n\n/p/a.md:\n  Line 2: x",
            "/p/.env:\n\n/p/a.md:\n  Line 2: x",
        );
        check(".env\n1:A=1\n2-B=2\n\na.md\n1:x", ".env\n\na.md\n1:x");
        check(".env\nREADME.md\nsrc", ".env\nREADME.md\nsrc");
        check("==> server.pem <==\nMIIE\n==> a.md <==\nx", "==> server.pem <==\n==> a.md <==\nx");
        check(
            "diff --git a/.env b/.env\n--- a/.env\n+++ b/.env\n@@ -1 +1 @@\n-A=1\n+A=2\ndiff --git a/x b/x\n+y",
            "diff --git a/.env b/.env\ndiff --git a/x b/x\n+y",
        );
        check(
            "*** Update File: .env\n@@\n-A=1\n*** Update File: a.rs\n+x",
            "*** Update File: .env\n*** Update File: a.rs\n+x",
        );
        check("no file is named here\n", "no file is named here\n");
        check("2024-01-02/.env-2-B=2\nx", "x");
        let code =
            "src/a.ts:9: if (event.key === 'x')\nsrc/a.ts-10-x = obj.key - 1\nif event.key:\n  y";
        check(code, code);
        check(
            r#"{"content":"src/a.rs:1:x\n.env:1:A=1","filenames":[".env","a"]}"#,
            r#"{"content":"src/a.rs:1:x\n","filenames":[".env","a"]}"#,
        );
        assert!(names_secret_object(r#"{"file":{"filePath":"/p/.env","content":"A=1"}}"#));
        assert!(!names_secret_object(r#"{"filenames":[".env"]}"#));
    }

    #[test]
    fn long_rows_take_linear_time() {
        let since = std::time::Instant::now();
        for row in ["-1".repeat(500_000), format!("{} .env\n", "-1".repeat(2000)).repeat(250)] {
            assert_eq!(without_secret_rows(&format!("{row}.env")), None);
        }
        assert!(since.elapsed() < std::time::Duration::from_secs(20), "{:?}", since.elapsed());
    }
}
