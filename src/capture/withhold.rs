//! Decides what of a tool use is not recorded because it may be the content of a secret file.
//!
//! - If an argument is the path of a file with names and values, the values are replaced
//!   ([`super::key_lines`]). If it is a key or a key store, nothing is recorded.
//! - A command that names a secret file is recorded, and the values in its output are replaced. The output
//!   is not recorded if a program such as `base64` may have changed its form. A command that may contain
//!   the content itself is not recorded.
//! - From the response of any other search or command, the rows of secret files are removed.

use super::MAX_PATH;
use super::json::{self, Edit};
use super::key_lines::Share;
use super::secret_files::{
    SecretFile, is_secret_file, may_name_secret_file, named_files, names_secret_file,
    possible_names, secret_file,
};
use crate::clients::{ToolKind, ToolUse, patch, paths_in};

/// How much of a tool use is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    Nothing,
    /// The values of a secret file in the response, which has this share of the file.
    Output(Share),
    /// The values of a secret file, in the input and the response.
    Values,
    Response,
    All,
}

/// At most this many prefixes of a row are tested for the path of a secret file.
const MAX_PREFIXES: usize = 64;

/// Decides by the input of `used` what to withhold. `input` is the same input as JSON: a shell tool may
/// have its command line in an argument whose name is unknown. `folder` is the directory of the command.
pub fn withheld(used: &ToolUse, input: Option<&str>, folder: Option<&str>) -> Withheld {
    let by_paths = used.paths.iter().filter_map(|path| secret_argument(path, folder)).max();
    let by_commands = used.commands.iter().map(|command| by_command(command, folder)).max();
    let by_paths = match by_paths {
        None => Withheld::Nothing,
        // The texts of several files are in one response.
        Some(SecretFile::Lines) if used.patch.is_none() && used.commands.is_empty() => {
            Withheld::Values
        }
        Some(_) => Withheld::All,
    };
    let decided = by_paths.max(by_commands.unwrap_or(Withheld::Nothing));
    if decided == Withheld::Nothing && used.kind == ToolKind::Control
        || decided == Withheld::Nothing
            && used.kind == ToolKind::Shell
            && input.is_some_and(names_in_json)
    {
        // A background command's output comes with a later use, which does not name the command.
        return Withheld::Response;
    }
    decided
}

fn names_in_json(input: &str) -> bool {
    names_secret_file(input) || input.contains("\\u") && names_secret_file(&without_escapes(input))
}

/// Decodes `\u002e` and the like.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut decoded = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let code = part
            .get(..4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        decoded.extend(code);
        decoded.push_str(if code.is_some() { &part[4..] } else { part });
    }
    decoded
}

/// Whether `path`, an argument of a tool, names a secret file. It may be a pattern: `**/*.pem`.
fn secret_argument(path: &str, folder: Option<&str>) -> Option<SecretFile> {
    let is_pattern = path.contains(['*', '?', '{', ',', '[']);
    let in_folder = || {
        let folder = folder.filter(|_| !path.contains(['/', '\\']) && !path.is_empty())?;
        secret_file(&format!("{folder}/{path}"))
    };
    let found = secret_file(path).or_else(in_folder);
    found
        .or_else(|| if is_pattern && !path.starts_with('!') { named_files(path, "") } else { None })
}

/// What a program does with a file that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Program {
    /// Prints nothing of it, or prints what the output shows: any other program.
    Other,
    /// Prints lines of it as they are.
    Prints,
    /// May print it in another form.
    Transforms,
}

fn program(words: &[&str]) -> Program {
    let name = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    let has = |flag: &str| words.contains(&flag);
    match name {
        "cat" | "bat" | "batcat" | "less" | "more" | "head" | "tail" | "nl" | "tac" | "sort"
        | "uniq" | "type" | "gc" | "get-content" | "fold" | "column" | "pbcopy" | "xclip" => {
            Program::Prints
        }
        "grep" | "egrep" | "fgrep" | "rg" | "ag" | "ack" | "diff" | "comm" => {
            let counts = ["-c", "-l", "-q", "--count", "--files-with-matches", "--quiet"]
                .iter()
                .any(|flag| has(flag));
            match (counts, has("-h") || has("-o") || has("--only-matching")) {
                (true, _) => Program::Other,
                (_, true) => Program::Transforms,
                _ => Program::Prints,
            }
        }
        "git" => match words.get(1) {
            Some(&"log") if !has("-p") && !has("--patch") && !has("-u") => Program::Other,
            Some(&("show" | "diff" | "grep" | "blame" | "log" | "cat-file" | "stash")) => {
                Program::Prints
            }
            _ => Program::Other,
        },
        "base64" | "base32" | "basenc" | "xxd" | "od" | "hexdump" | "hd" | "strings" | "cut"
        | "awk" | "gawk" | "mawk" | "nawk" | "tr" | "rev" | "sed" | "gsed" | "jq" | "yq"
        | "gzip" | "zcat" | "tar" | "dd" | "paste" | "envsubst" | "gpg" | "age" | "sops"
        | "perl" | "openssl" | "uuencode" | "xargs" | "crudini" | "vim" | "vi" | "ed" | "nano"
        | "shuf" | "look" | "printenv" => Program::Transforms,
        "python" | "python3" | "node" | "ruby" | "php" | "deno" | "bun"
            if ["-c", "-e", "-r", "-p", "--eval", "eval"].iter().any(|flag| has(flag)) =>
        {
            Program::Transforms
        }
        _ => Program::Other,
    }
}

/// Decides by one command line.
fn by_command(command: &str, folder: Option<&str>) -> Withheld {
    let mut folder = folder.unwrap_or("").to_owned();
    let mut decided = Withheld::Nothing;
    let whole = named_files(command, &folder);
    for pipeline in pipelines(command) {
        let named = named_files(&pipeline, &folder);
        if let Some(kind) = named {
            let programs = pipeline.split('|').map(|part| {
                let words: Vec<&str> = part.split_whitespace().map(unquoted).collect();
                program(without_wrappers(&words))
            });
            decided = decided.max(match (programs.max().unwrap_or(Program::Other), kind) {
                (Program::Transforms, _) | (Program::Prints, SecretFile::Opaque) => {
                    Withheld::Response
                }
                (Program::Prints, SecretFile::Lines) => Withheld::Output(Share::All),
                (Program::Other, _) => Withheld::Output(Share::Some),
            });
        }
        let words: Vec<&str> = pipeline.split_whitespace().map(unquoted).collect();
        if let ["cd" | "pushd", to, ..] = words[..] {
            folder = to.trim_end_matches('/').to_owned();
        }
    }
    let found = decided > Withheld::Nothing || whole.is_some();
    match found && may_contain_content(command) {
        true => Withheld::All,
        // A file named across pipelines, for example in a variable.
        false if whole.is_some() => decided.max(Withheld::Output(Share::Some)),
        false => decided,
    }
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['"', '\'', '(', ')', '{', '}', '`', '$'])
}

/// The words from the program on, without `sudo`, `env`, `VAR=value` and the like.
fn without_wrappers<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let is_wrapper = |word: &str| {
        matches!(
            word,
            "sudo"
                | "env"
                | "time"
                | "nohup"
                | "command"
                | "exec"
                | "nice"
                | "then"
                | "do"
                | "else"
                | "if"
                | "while"
                | "!"
                | ""
        ) || word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    let start = words.iter().position(|word| !is_wrapper(word)).unwrap_or(words.len());
    &words[start..]
}

/// The pipelines of a command line. Quotes are not read: a separator in quotes splits too, and both parts
/// are tested.
fn pipelines(command: &str) -> Vec<String> {
    let marked =
        command.replace("&&", "\n").replace("||", "\n").replace("$(", "\n").replace('`', "\n");
    let mut found: Vec<String> = Vec::new();
    for part in marked.split([';', '\n', '&']) {
        let part = part.trim().trim_start_matches(['(', '{', ' ']);
        // `bash -c "cat .env"`, `docker exec app cat .env`, `ssh host cat .env`
        let words: Vec<&str> = part.split_whitespace().collect();
        let nested = ["-c", "-lc", "-ec", "exec", "run", "ssh"];
        match words.iter().rposition(|word| nested.contains(word)) {
            Some(at) if words.len() > at + 1 => {
                found.push(words[..=at].join(" "));
                // The program may follow options and a host.
                (at + 1..words.len().min(at + 5))
                    .for_each(|from| found.push(words[from..].join(" ")));
            }
            _ => found.push(part.to_owned()),
        }
    }
    found
}

/// Whether a command line that names a secret file may itself contain text of that file: it writes to one,
/// or it has inline code that does.
fn may_contain_content(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let writes_to_secret = command.match_indices('>').any(|(at, _)| {
        let target = command[at..].trim_start_matches(['>', '|', ' ', '&']);
        target.split_whitespace().next().is_some_and(names_secret_file)
    });
    let program = |names: &[&str]| {
        words.iter().any(|word| names.contains(&unquoted(word.rsplit('/').next().unwrap_or(word))))
    };
    let in_place = words.iter().any(|word| word.starts_with("-i") || *word == "--in-place");
    let has_code = words.iter().any(|word| matches!(*word, "-c" | "-e" | "--eval" | "-r" | "-p"));
    writes_to_secret
        || command.contains("<<")
        || program(&[
            "tee",
            "ed",
            "dotenv",
            "apply_patch",
            "crudini",
            "htpasswd",
            "sponge",
            "patch",
        ])
        || program(&["sed", "gsed", "perl", "awk", "gawk", "ruby"])
            && (in_place || command.contains("s/"))
        || program(&["python", "python3", "node", "perl", "ruby", "php", "deno", "bun"]) && has_code
        || program(&["git"]) && program(&["apply", "am"])
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
            assert_eq!(withheld(&used, Some(&input), None), expected, "{command}");
        };
        let some = Withheld::Output(Share::Some);
        let all = Withheld::Output(Share::All);
        for command in [
            "cat .env",
            "cat .env 2>/dev/null | head -3",
            "cat .e?v",
            "cd /home/u/.kube && cat config",
            "docker exec app cat .env",
            "ssh host 'cat .env'",
            "bash -lc \"cat .env\"",
            "git show HEAD:.env",
            "grep TOKEN .env",
            "sudo tail -3 prod.env",
        ] {
            check(command, all);
        }
        for command in [
            "docker run --env-file=.env app > out.log 2>&1",
            "ls -la .env && git status",
            "test -f .env && echo yes",
            "ssh -i ~/.ssh/id_rsa host uptime",
            "source .env && npm test",
            "wc -c .env",
            "grep -c = .env",
            "rm .env; cp .env.example .env",
            "openssl s_client -connect a:443 -cert client.pem -key client.key | head -1",
        ] {
            let input = serde_json::json!({ "command": command }).to_string();
            let used = ToolUse::new("claude-code", "Bash", Some(&input));
            assert!(
                withheld(&used, Some(&input), None) <= some || command.starts_with("openssl"),
                "{command}"
            );
        }
        for command in [
            "cat server.key",
            "cat .env | base64",
            "xxd id_rsa",
            "cut -d= -f2 .env",
            "awk -F= '{print $2}' .env",
            "grep -oh '=.*' .env",
        ] {
            check(command, Withheld::Response);
        }
        for command in [
            "echo A=1 >> .env",
            "cat > .env <<'EOF'\nA=1\nEOF",
            "echo A=1 | tee .env",
            "sed -i s/A=1/A=2/ config/.env",
            "python3 -c \"open('.env','w').write('A=1')\"",
            "apply_patch '*** Begin Patch\n*** Add File: server.key\n+x'",
        ] {
            check(command, Withheld::All);
        }
        check("echo A=1 > out.txt", Withheld::Nothing);
        check("grep -rn A= src", Withheld::Nothing);
        let input = r#"{"program":"bash","words":["-c","cat .env"]}"#;
        let used = ToolUse::new("claude-code", "Bash", Some(input));
        assert_eq!(withheld(&used, Some(input), None), Withheld::Response);
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
        for row in ["-1".repeat(500_000), format!("{} .env\n", "-1".repeat(2000)).repeat(250)] {
            assert_eq!(without_secret_rows(&format!("{row}.env")), None);
        }
    }
}
