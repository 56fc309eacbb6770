//! Splits a shell command line into simple commands. It expands nothing and ignores control flow.

/// One program with its arguments, between operators such as `&&`, `|` and `;`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimpleCommand {
    /// The program and its arguments, without wrappers (`sudo`, `npx`, `uv run`, assignments).
    pub words: Vec<String>,
    /// Files that its output is redirected to.
    pub written: Vec<String>,
    /// The text of its here-document.
    pub heredoc: Option<String>,
    /// A pipe or `||` follows, so its exit status is not the exit status of the line.
    pub masked: bool,
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

pub fn split(line: &str) -> Vec<SimpleCommand> {
    let mut out = Vec::new();
    let mut current = SimpleCommand::default();
    let mut lexer = Lexer { rest: line, heredocs: Vec::new() };
    let mut redirected = false;
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(word) if redirected => {
                redirected = false;
                if !word.starts_with('&') && !word.starts_with("/dev/") {
                    current.written.push(word);
                }
            }
            Token::Word(word) => current.words.push(word),
            Token::RedirectOutput => redirected = true,
            Token::Heredoc(text) => {
                // The here-document belongs to the last command on the line of its `<<`.
                let owner =
                    if current.words.is_empty() { out.last_mut() } else { Some(&mut current) };
                if let Some(owner) = owner {
                    owner.heredoc = Some(text);
                }
                push(&mut out, std::mem::take(&mut current));
            }
            Token::Break { masks } => {
                redirected = false;
                current.masked = masks;
                push(&mut out, std::mem::take(&mut current));
                if out.len() >= MAX_COMMANDS {
                    return out;
                }
            }
        }
    }
    push(&mut out, current);
    out
}

/// Adds a command without its wrappers, unless it is empty.
fn push(out: &mut Vec<SimpleCommand>, mut simple: SimpleCommand) {
    strip_wrappers(&mut simple.words);
    if !simple.words.is_empty() || !simple.written.is_empty() {
        out.push(simple);
    }
}

/// Removes wrappers in front of the program.
fn strip_wrappers(words: &mut Vec<String>) {
    const TWO_WORDS: [(&str, &str); 11] = [
        ("uv", "run"),
        ("poetry", "run"),
        ("pipenv", "run"),
        ("bundle", "exec"),
        ("pdm", "run"),
        ("hatch", "run"),
        ("pnpm", "exec"),
        ("npm", "exec"),
        ("pnpm", "dlx"),
        ("rye", "run"),
        ("mise", "exec"),
    ];
    const ONE_WORD: [&str; 22] = [
        "sudo",
        "time",
        "npx",
        "bunx",
        "env",
        "nice",
        "nohup",
        "exec",
        "command",
        "then",
        "do",
        "else",
        "if",
        "while",
        "!",
        "{",
        "(",
        "xvfb-run",
        "stdbuf",
        "caffeinate",
        "--",
        "unbuffer",
    ];
    loop {
        let first = words.first().map_or("", String::as_str);
        let second = words.get(1).map_or("", String::as_str);
        let drop = if TWO_WORDS.contains(&(first, second)) {
            2
        } else if ONE_WORD.contains(&first) || is_assignment(first) {
            1
        } else if first == "timeout" {
            1 + words
                .iter()
                .skip(1)
                .take_while(|w| w.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
                .count()
        } else if matches!(first, "python" | "python3") && second == "-m" {
            2
        } else if matches!(first, "docker" | "podman") && (second == "compose" || second == "exec")
        {
            container_prefix(words)
        } else {
            0
        };
        if drop == 0 || drop > words.len() {
            return;
        }
        words.drain(..drop);
        // Flags of the wrapper: `env -i`.
        while words.first().is_some_and(|w| w.starts_with('-')) {
            words.remove(0);
        }
    }
}

/// The number of words before the command in `docker compose exec web COMMAND`.
fn container_prefix(words: &[String]) -> usize {
    let Some(at) = words.iter().take(4).position(|w| w == "exec" || w == "run") else { return 0 };
    let flags = words[at + 1..].iter().take_while(|w| w.starts_with('-')).count();
    let service = at + 1 + flags;
    if words.len() > service + 1 { service + 1 } else { 0 }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

enum Token {
    Word(String),
    /// `>` or `>>`: the next word is a file.
    RedirectOutput,
    Heredoc(String),
    Break {
        masks: bool,
    },
}

struct Lexer<'a> {
    rest: &'a str,
    /// Terminators of the here-documents that begin on the next line.
    heredocs: Vec<String>,
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
            if let Some(end) = self.heredocs.pop() {
                return Some(Some(Token::Heredoc(self.heredoc(&end))));
            }
            return Some(Some(Token::Break { masks: false }));
        }
        for (operator, masks) in [
            ("&&", false),
            ("||", true),
            ("|&", true),
            (";", false),
            ("|", true),
            ("(", false),
            (")", false),
        ] {
            if let Some(rest) = self.rest.strip_prefix(operator) {
                self.rest = rest;
                return Some(Some(Token::Break { masks }));
            }
        }
        if let Some(rest) = self.rest.strip_prefix("<<").filter(|r| !r.starts_with('<')) {
            self.rest = rest.trim_start_matches(['-', ' ']);
            let end = self.word();
            self.heredocs.push(end);
            return Some(None);
        }
        if let Some(rest) =
            ["2>&1", "1>&2", ">&2", "&>", "2>"].iter().find_map(|r| self.rest.strip_prefix(r))
        {
            let to_file = !self.rest.starts_with("2>&1") && !self.rest.contains("&2");
            self.rest = rest;
            if to_file && rest.trim_start().starts_with("/dev/null") {
                self.rest = &rest.trim_start()["/dev/null".len()..];
            }
            return Some(None);
        }
        if let Some(rest) = self.rest.strip_prefix(">>").or_else(|| self.rest.strip_prefix('>')) {
            self.rest = rest;
            return Some(Some(Token::RedirectOutput));
        }
        if let Some(rest) = self.rest.strip_prefix(['&', '<']) {
            self.rest = rest;
            return Some(None);
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
