//! Splits a shell command line into simple commands. It expands nothing and ignores control flow.

use std::collections::VecDeque;

use super::wrappers;

/// One program with its arguments, between operators such as `&&`, `|` and `;`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimpleCommand {
    /// The program and its arguments, without wrappers (`sudo`, `npx`, `uv run`, assignments).
    pub words: Vec<String>,
    /// The same words with the wrappers, as they were typed.
    pub typed: Vec<String>,
    /// Files that its output is redirected to.
    pub written: Vec<String>,
    /// Those of them that it appends to.
    pub appended: Vec<String>,
    /// The text of its here-document.
    pub heredoc: Option<String>,
    /// The directory it runs in, as `cd` and `-C` name it. `None`: the one the line began in.
    pub dir: Option<String>,
    pub status: Status,
    /// The program that its output is piped to.
    pub filter: Option<String>,
    /// Its output goes to `/dev/null` or a file.
    pub is_silent: bool,
    pub with_sudo: bool,
}

/// Whether a command's exit status is the exit status of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// If the line exits with 0, the command did too. Otherwise it may be the one that failed.
    #[default]
    Shown,
    /// Hidden by a pipe, `||`, or a later command.
    Hidden,
    /// It was started with `&`.
    Background,
}

impl SimpleCommand {
    /// The program's base name.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |w| w.rsplit('/').next().unwrap_or(w))
    }

    /// The arguments that are not flags.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(String::as_str).filter(|w| !w.starts_with('-'))
    }

    /// The first argument that is not a flag: `test` of `cargo --locked test`.
    pub fn verb(&self) -> &str {
        self.args().find(|w| !w.starts_with('+')).unwrap_or("")
    }

    pub fn has(&self, word: &str) -> bool {
        self.words.iter().skip(1).any(|w| w == word)
    }

    /// The value of `flag`: the next word, or the text after `=`.
    pub fn option(&self, flag: &str) -> Option<&str> {
        let mut words = self.words.iter().skip(1);
        while let Some(word) = words.next() {
            if word == flag {
                return words.next().map(String::as_str);
            }
            if let Some(value) = word.strip_prefix(flag).and_then(|w| w.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }
}

/// Maximum number of simple commands that are read of one line.
const MAX_COMMANDS: usize = 64;
/// Maximum number of shells within shells that are read: `sh -c "bash -c …"`.
const MAX_DEPTH: usize = 3;

/// The simple commands of a line.
pub fn split(line: &str) -> Vec<SimpleCommand> {
    split_below(line, None, MAX_DEPTH)
}

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Pipe,
    /// `;` or a line break.
    Then,
    Background,
    Open,
    Close,
}

fn split_below(line: &str, dir: Option<String>, depth: usize) -> Vec<SimpleCommand> {
    let mut parts: Vec<(SimpleCommand, Operator)> = Vec::new();
    let mut current = SimpleCommand::default();
    let mut lexer = Lexer { rest: line, heredocs: VecDeque::new() };
    // Positions of the commands that own the next here-documents.
    let mut owners: VecDeque<usize> = VecDeque::new();
    let (mut redirected, mut skipped) = (None, false);
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(_) if skipped => skipped = false,
            Token::Word(word) => match redirected.take() {
                None => current.words.push(word),
                Some(_) if word == "/dev/null" => current.is_silent = true,
                Some(_) if word.starts_with('&') || word.starts_with("/dev/") => {}
                Some(appends) => {
                    current.is_silent = true;
                    if appends {
                        current.appended.push(word.clone());
                    }
                    current.written.push(word);
                }
            },
            Token::RedirectOutput { appends } => redirected = Some(appends),
            Token::RedirectOther => skipped = true,
            Token::HeredocMark => owners.push_back(parts.len()),
            Token::Heredoc(text) => {
                let owner = owners.pop_front().unwrap_or(parts.len());
                let command = parts.get_mut(owner).map_or(&mut current, |(command, _)| command);
                command.heredoc = Some(text);
                if owners.is_empty() {
                    parts.push((std::mem::take(&mut current), Operator::Then));
                }
            }
            Token::Operator(operator) => {
                (redirected, skipped) = (None, false);
                parts.push((std::mem::take(&mut current), operator));
                if parts.len() >= 4 * MAX_COMMANDS {
                    break;
                }
            }
        }
    }
    parts.push((current, Operator::Then));
    let mut out = place(parts, dir);
    set_status(&mut out);
    let mut commands = Vec::new();
    for (command, _) in out {
        push(&mut commands, command, depth);
        if commands.len() >= MAX_COMMANDS {
            break;
        }
    }
    commands
}

/// Gives each command its directory, and leaves out brackets and empty commands.
fn place(
    parts: Vec<(SimpleCommand, Operator)>,
    dir: Option<String>,
) -> Vec<(SimpleCommand, Operator)> {
    let mut out: Vec<(SimpleCommand, Operator)> = Vec::new();
    let (mut dir, mut outer) = (dir, Vec::new());
    for (mut command, operator) in parts {
        command.typed.clone_from(&command.words);
        let sudo = wrappers::strip(&mut command.words);
        command.with_sudo = sudo;
        command.dir = dir.clone();
        if let Some(to) = wrappers::take_dir(&mut command.words) {
            command.dir = Some(join(dir.as_deref(), &to));
        }
        let changes_dir = matches!(command.program(), "cd" | "pushd");
        if changes_dir && let Some(to) = command.args().next() {
            dir = Some(join(dir.as_deref(), to));
        }
        let empty = command.words.is_empty() && command.written.is_empty();
        match operator {
            Operator::Open => outer.push(dir.clone()),
            Operator::Close => dir = outer.pop().unwrap_or(dir),
            _ => {}
        }
        if !empty {
            out.push((command, operator));
        } else if let Some((_, last)) = out.last_mut()
            // `(a; b) | tail`: the operator after the bracket.
            && matches!(last, Operator::Close | Operator::Then)
            && !matches!(operator, Operator::Open | Operator::Close)
        {
            *last = operator;
        }
    }
    out
}

/// `to`, as seen from `dir`.
fn join(dir: Option<&str>, to: &str) -> String {
    match dir {
        Some(dir) if !to.starts_with(['/', '~', '$']) => {
            format!("{}/{to}", dir.trim_end_matches('/'))
        }
        _ => to.to_owned(),
    }
}

/// Decides which commands' exit statuses the line shows.
fn set_status(parts: &mut [(SimpleCommand, Operator)]) {
    let shell_option = |name: &str| {
        parts.iter().any(|(c, _)| {
            c.program() == "set"
                && c.words.iter().any(|w| w == name || name.len() == 1 && is_flag(w, name))
        })
    };
    let (stops_at_failure, pipefail) = (shell_option("e"), shell_option("pipefail"));
    let (mut is_lost, mut next) = (false, String::new());
    for at in (0..parts.len()).rev() {
        let is_last = at + 1 == parts.len();
        let (command, operator) = &mut parts[at];
        // A command that only ends the shell keeps the status: `make || exit 1`.
        let exits = matches!(next.as_str(), "exit" | "return");
        command.status = match operator {
            Operator::Background => Status::Background,
            Operator::Pipe => {
                command.filter = Some(next);
                if pipefail && !is_lost { Status::Shown } else { Status::Hidden }
            }
            Operator::Or if exits && !is_lost => Status::Shown,
            Operator::Or => {
                is_lost = true;
                Status::Hidden
            }
            Operator::Then | Operator::Close | Operator::Open if !is_last && !stops_at_failure => {
                is_lost = true;
                Status::Hidden
            }
            _ if is_lost => Status::Hidden,
            _ => Status::Shown,
        };
        next = command.program().to_owned();
    }
}

/// The command line that a command gives to a shell: `bash -lc "…"`.
fn inner_script(command: &SimpleCommand) -> Option<&str> {
    if !matches!(command.program(), "sh" | "bash" | "zsh" | "dash" | "ash") {
        return None;
    }
    let is_c =
        |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = command.words.iter().position(is_c)?;
    command.words.get(at + 1).map(String::as_str)
}

/// Whether a word is a group of short flags that contains `flag`: `-euo`.
fn is_flag(word: &str, flag: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains(flag)
}

/// Adds a command, or the commands of the line that it gives to another shell.
fn push(out: &mut Vec<SimpleCommand>, command: SimpleCommand, depth: usize) {
    let Some(script) = inner_script(&command).filter(|_| depth > 1) else {
        out.push(command);
        return;
    };
    for mut inner in split_below(script, command.dir.clone(), depth - 1) {
        if command.status != Status::Shown {
            inner.status = command.status;
        }
        inner.filter = inner.filter.or_else(|| command.filter.clone());
        inner.is_silent |= command.is_silent;
        inner.with_sudo |= command.with_sudo;
        out.push(inner);
    }
}

enum Token {
    Word(String),
    /// `>`, `>>` or `&>`: the next word is a file.
    RedirectOutput {
        appends: bool,
    },
    /// `2>` or `<`: the next word is a file that does not matter.
    RedirectOther,
    /// `<<`: a here-document begins on the next line.
    HeredocMark,
    Heredoc(String),
    Operator(Operator),
}

struct Lexer<'a> {
    rest: &'a str,
    /// Terminators of the here-documents that begin on the next line.
    heredocs: VecDeque<String>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            if let Some(token) = self.step()? {
                return Some(token);
            }
        }
    }

    /// Reads one piece of the line. The outer `None` is the end of the line; the inner one is a piece
    /// without a token, such as a comment.
    fn step(&mut self) -> Option<Option<Token>> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
        let first = self.rest.chars().next()?;
        if first == '\n' {
            self.rest = &self.rest[1..];
            if let Some(end) = self.heredocs.pop_front() {
                return Some(Some(Token::Heredoc(self.heredoc(&end))));
            }
            return Some(Some(Token::Operator(Operator::Then)));
        }
        for (text, operator) in [
            ("&&", Operator::And),
            ("||", Operator::Or),
            ("|&", Operator::Pipe),
            (";", Operator::Then),
            ("|", Operator::Pipe),
            ("(", Operator::Open),
            (")", Operator::Close),
        ] {
            if let Some(rest) = self.rest.strip_prefix(text) {
                self.rest = rest;
                return Some(Some(Token::Operator(operator)));
            }
        }
        if let Some(rest) = self.rest.strip_prefix("<<").filter(|r| !r.starts_with('<')) {
            self.rest = rest.trim_start_matches(['-', ' ']);
            let end = self.word();
            self.heredocs.push_back(end);
            return Some(Some(Token::HeredocMark));
        }
        for (text, token) in [
            ("2>&1", None),
            ("1>&2", None),
            (">&2", None),
            ("&>>", Some(Token::RedirectOutput { appends: true })),
            ("&>", Some(Token::RedirectOutput { appends: false })),
            ("2>>", Some(Token::RedirectOther)),
            ("2>", Some(Token::RedirectOther)),
            ("1>", Some(Token::RedirectOutput { appends: false })),
            (">>", Some(Token::RedirectOutput { appends: true })),
            (">", Some(Token::RedirectOutput { appends: false })),
            ("<<<", Some(Token::RedirectOther)),
            ("<", Some(Token::RedirectOther)),
            ("&", Some(Token::Operator(Operator::Background))),
        ] {
            if let Some(rest) = self.rest.strip_prefix(text) {
                self.rest = rest;
                return Some(token);
            }
        }
        if first == '#' {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
            return Some(None);
        }
        Some(Some(Token::Word(self.word())))
    }

    /// Reads one word and removes its quotes. `$( … )` is kept as text.
    fn word(&mut self) -> String {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().peekable();
        let mut depth = 0_usize;
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if depth == 0 => {
                    out.extend(chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '\''))
                }
                '"' if depth == 0 => quoted(&mut chars, &mut out),
                '\\' => match chars.next() {
                    Some((_, '\n')) | None => {}
                    Some((_, escaped)) => out.push(escaped),
                },
                '$' if chars.peek().is_some_and(|(_, c)| *c == '(') => {
                    chars.next();
                    depth += 1;
                    out.push_str("$(");
                }
                ')' if depth > 0 => {
                    depth -= 1;
                    out.push(')');
                }
                _ if depth > 0 => out.push(c),
                ' ' | '\t' | '\n' | '\r' | ';' | '|' | '&' | '>' | '<' | '(' | ')' => {
                    end = at;
                    break;
                }
                _ => out.push(c),
            }
        }
        // Consumes at least one character, so that an unknown operator does not loop forever.
        if end == 0 {
            end = self.rest.chars().next().map_or(0, char::len_utf8);
        }
        self.rest = &self.rest[end..];
        out
    }

    /// The lines up to the terminator `end`.
    fn heredoc(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            if line.trim() == end {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Reads the text in double quotes. For `"$(cat <<'EOF' … EOF)"`, reads the text of the here-document.
fn quoted(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, out: &mut String) {
    let mut text = String::new();
    let mut substitution = 0_usize;
    while let Some((_, c)) = chars.next() {
        match c {
            '\\' if substitution == 0 => text.extend(chars.next().map(|(_, c)| c)),
            '$' if chars.peek().is_some_and(|(_, c)| *c == '(') => {
                substitution += 1;
                text.push(c);
            }
            ')' if substitution > 0 => {
                // A message may contain unbalanced brackets, so `)"` always ends the substitution.
                if chars.peek().is_none_or(|(_, c)| *c == '"') {
                    substitution = 0;
                }
                text.push(c);
            }
            '"' if substitution == 0 => break,
            _ => text.push(c),
        }
    }
    out.push_str(inner_heredoc(&text).unwrap_or(&text));
}

/// The text of the here-document in a command substitution.
fn inner_heredoc(text: &str) -> Option<&str> {
    let after = &text[text.find("<<")? + 2..];
    let (mark, body) = after.split_once('\n')?;
    let mark = mark.trim_matches(['-', ' ', '\'', '"', '\\']);
    let end = body.rfind(&format!("\n{mark}")).unwrap_or(body.len());
    Some(body[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let lines: Vec<String> = split(line).iter().map(|s| s.words.join(" ")).collect();
        assert_eq!(lines, expected, "{line}");
    }

    #[test]
    fn lines_are_split_and_wrappers_removed() {
        check(
            "cd /x && cargo test --lib 2>&1 | tail -5",
            &["cd /x", "cargo test --lib", "tail -5"],
        );
        check("RUST_LOG=debug timeout 60 cargo run; ls", &["cargo run", "ls"]);
        check("uv run pytest -q || true", &["pytest -q", "true"]);
        check("python3 -m pytest tests", &["pytest tests"]);
        check("docker compose exec -T web rails test", &["rails test"]);
        check("docker compose up -d", &["docker compose up -d"]);
        check("echo 'a && b' \"c; d\"", &["echo a && b c; d"]);
        check("cat <<'EOF' > x.txt\nhello && world\nEOF\necho done", &["cat", "echo done"]);
        check("# note\ncargo build # really", &["cargo build"]);
        check("", &[]);
        check("\"unclosed $(", &["unclosed $("]);
    }

    #[test]
    fn redirections_and_here_documents_are_found() {
        let commands =
            split("cat > src/a.py <<EOF\nprint(1)\nEOF\npython a.py >/dev/null 2>&1 > out.log");
        assert_eq!(commands[0].written, ["src/a.py"]);
        assert_eq!(commands[0].heredoc.as_deref(), Some("print(1)\n"));
        assert_eq!(commands[1].written, ["out.log"]);
    }

    #[test]
    fn a_commit_message_is_read_from_its_here_document() {
        let line = "git add -A && git commit -m \"$(cat <<'EOF'\nfeat: add it (x)\n\n- one \"quoted\"\nEOF\n)\" && git push";
        let commands = split(line);
        assert_eq!(commands[1].option("-m"), Some("feat: add it (x)\n\n- one \"quoted\""));
        assert_eq!(commands[2].words.join(" "), "git push");
    }
}
