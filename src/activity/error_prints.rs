//! Identifies errors, so that the same error is recognized when it comes again: in another run, at
//! another line, on another day.
//!
//! A print is a letter and the hash of a normalized text. `c`: the code or class of an error with the
//! names that it is about (`E0425` and `parse_line`). `w`: the whole message without its place,
//! numbers and quotes. `t`: the name of a failed test. A message that says nothing about its cause
//! has no print: `assertion failed`, `exit status 1`.

use super::names::looks_like_code;
use super::{error_lines, test_report};
use crate::text::{fnv_64, is_name, strip_escapes};

/// Longer lines are data.
const MAX_LINE: usize = 1_000;
/// Least weight of a line that says what went wrong; see [`error_lines`].
const MIN_WEIGHT: u8 = 4;

/// The prints of a failed command's output, at most `max`, the most telling ones first.
pub fn read(output: &str, max: usize) -> Vec<String> {
    let output = plain(output);
    let mut found: Vec<(u8, String)> = Vec::new();
    let mut add = |rank: u8, print: String| {
        if found.iter().all(|(_, known)| *known != print) {
            found.push((rank, print));
        }
    };
    for error in errors(&output) {
        error.code_print().into_iter().for_each(|print| add(3, print));
        error.whole_print().into_iter().for_each(|print| add(2, print));
    }
    let report = test_report::read(&output);
    for name in report.iter().flat_map(|report| &report.failing) {
        add(1, print('t', name));
    }
    found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    found.into_iter().take(max).map(|(_, print)| print).collect()
}

/// The codes, classes and names in a failed command's output, at most `max`.
pub fn names(output: &str, max: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for error in errors(&plain(output)) {
        let code = Some(error.code).filter(|code| is_name(code));
        for name in code.into_iter().chain(error.names) {
            if out.len() < max && !out.contains(&name) {
                out.push(name);
            }
        }
    }
    out
}

fn plain(output: &str) -> String {
    strip_escapes(output).replace('\r', "\n")
}

/// The lines that say what went wrong.
fn errors(output: &str) -> impl Iterator<Item = ErrorLine> {
    let lines = output.lines().map(str::trim).filter(|line| line.len() <= MAX_LINE);
    let mut lines = lines.peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let error = match line.split_once("panicked at ") {
                // The message is below its place.
                Some((_, place)) if place.ends_with(':') => lines.peek().map(|message| {
                    ErrorLine::of_message(base_name(place.trim_end_matches(':')), message)
                }),
                _ => ErrorLine::read(line),
            };
            if error.is_some() {
                return error;
            }
        }
    })
}

fn print(kind: char, text: &str) -> String {
    format!("{kind}{:012x}", fnv_64(text.as_bytes()) & 0xffff_ffff_ffff)
}

/// The parts of one line of an error.
#[derive(Debug, Default)]
struct ErrorLine {
    /// The base name of the file that the line begins with.
    place: String,
    /// `E0425`, `TS2304`, `ModuleNotFoundError`, `ENOENT`.
    code: String,
    /// What it is about: quoted words, identifiers, files.
    names: Vec<String>,
    /// The normalized words of the message.
    words: Vec<String>,
}

impl ErrorLine {
    /// `None` if the line says nothing about the cause of a failure.
    fn read(line: &str) -> Option<ErrorLine> {
        if let Some(name) = missing_program(line) {
            let (code, names) = ("command not found".to_owned(), vec![name.to_owned()]);
            return Some(ErrorLine { code, names, ..ErrorLine::default() });
        }
        if is_generic(line) {
            return None;
        }
        let (place, message) = split_place(without_prefix(line));
        let message = without_prefix(message);
        let weight = error_lines::weight(line).max(error_lines::weight(message));
        let tells = weight >= MIN_WEIGHT || line.ends_with(", referenced from:");
        tells.then(|| ErrorLine::of_message(place, message))
    }

    fn of_message(place: &str, message: &str) -> ErrorLine {
        let mut error = ErrorLine { place: place.to_owned(), ..ErrorLine::default() };
        error.add_words(message);
        error.add_names(message);
        error
    }

    /// Normalizes the words: no quotes, only the base name of a path, `#` for a number.
    fn add_words(&mut self, message: &str) {
        for word in message.split_whitespace() {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'));
            if word.is_empty() {
                continue;
            }
            if self.code.is_empty() && is_code(word) {
                word.clone_into(&mut self.code);
            }
            self.words.push(normalized(word));
        }
        // `error[E0425]: …` and `error: … [name-defined]`.
        if self.code.is_empty() {
            let inner = message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            if let Some((inner, _)) = inner.filter(|(inner, _)| is_code(inner)) {
                inner.clone_into(&mut self.code);
            }
        }
        if self.code.is_empty()
            && let Some(class) = class(message)
        {
            class.clone_into(&mut self.code);
        }
    }

    fn add_names(&mut self, message: &str) {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            let name = base_name(name);
            let is_new = !names.iter().any(|known| known == name);
            if is_new && is_name(name) && name.len() > 1 && name != self.code {
                names.push(name.to_owned());
            }
        };
        quoted(message).filter(|text| !text.contains(' ')).for_each(&mut add);
        for word in message.split_whitespace() {
            let word = word.trim_matches(|c: char| {
                !(c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | '@'))
            });
            let word = word.trim_end_matches('.');
            let is_path = word.contains('/') && !word.contains("://") || is_file(word);
            let is_library = word.starts_with("-l") && word.len() > 2;
            if is_library || is_path && !word.starts_with('-') {
                add(word);
            }
        }
        // `undefined: parseLine`.
        if let Some((head, last)) = message.rsplit_once(": ")
            && head.ends_with("undefined")
        {
            add(last);
        }
        let words = message.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.filter(|word| looks_like_code(word) && !is_code(word)).for_each(&mut add);
        names.sort_unstable();
        names.truncate(6);
        self.names = names;
    }

    fn code_print(&self) -> Option<String> {
        let is_told = !self.code.is_empty() && !self.names.is_empty();
        is_told.then(|| print('c', &format!("{} {}", self.code, self.names.join(" "))))
    }

    fn whole_print(&self) -> Option<String> {
        // A missing program has no words.
        let telling = self.words.iter().filter(|word| is_telling(word)).count();
        let text = self.words.join(" ");
        if self.words.is_empty() {
            return None;
        }
        let is_assertion = is_assertion(&text);
        let is_specific = !is_assertion
            && (!self.names.is_empty() && telling >= 2 || telling >= 3 && !is_common(&text));
        if is_specific {
            return Some(print('w', &text));
        }
        // The place says what the words do not.
        let is_placed = !self.place.is_empty() && telling >= 1;
        is_placed.then(|| print('w', &format!("{} {text}", self.place)))
    }
}

/// `bash: line 1: jq: command not found`, `zsh: command not found: jq`, `sh: 1: jq: not found`,
/// `fish: Unknown command: jq`.
fn missing_program(line: &str) -> Option<&str> {
    let after = ["command not found: ", "Unknown command: ", "fish: Unknown command "];
    let after = after.iter().find_map(|mark| Some(line.split_once(mark)?.1));
    let before = || {
        let before = line.strip_suffix(": command not found");
        let dash = || {
            let before = line.strip_suffix(": not found")?;
            (before.matches(": ").count() >= 1 && line.contains("sh: ")).then_some(before)
        };
        before.or_else(dash)?.rsplit(": ").next()
    };
    let name = after.or_else(before)?.trim_matches(['\'', '"', '`', ' ']);
    is_name(name).then_some(base_name(name))
}

/// Lines that stand below many different errors.
fn is_generic(line: &str) -> bool {
    const PARTS: [&str; 22] = [
        "could not compile",
        "aborting due to",
        "linking with `",
        "ld returned",
        "linker command failed",
        "exit status",
        "exit code",
        "Exit code",
        "exited with",
        "make: ***",
        "make[",
        "Command failed",
        "command failed",
        "ELIFECYCLE",
        "npm ERR! errno",
        "A complete log of this run",
        "For more information",
        "previous error",
        "Traceback (most recent",
        "test failed, to rerun",
        "Found 1 error",
        "non-zero",
    ];
    PARTS.iter().any(|part| line.contains(part))
}

/// Messages that have many causes.
fn is_common(text: &str) -> bool {
    const PARTS: [&str; 12] = [
        "nil pointer dereference",
        "segmentation fault",
        "Segmentation fault",
        "No such file or directory",
        "no such file or directory",
        "ermission denied",
        "Operation not permitted",
        "core dumped",
        "index out of range",
        "index out of bounds",
        "syntax error",
        "invalid syntax",
    ];
    PARTS.iter().any(|part| text.contains(part))
}

/// An assertion differs from another one by its values, which are replaced by `#`.
fn is_assertion(text: &str) -> bool {
    text.starts_with("assert") || text.contains("assertion") || text.contains("AssertionError")
}

/// Whether a normalized word tells something: no number, no label of a level.
fn is_telling(word: &str) -> bool {
    const LABELS: [&str; 9] =
        ["error", "Error", "ERROR", "fatal", "panicked", "panic", "failed", "FAILED", "Uncaught"];
    word.chars().filter(|c| c.is_alphabetic()).count() >= 2 && !LABELS.contains(&word)
}

/// The line without pytest's mark, npm's label, a time stamp and a label of its level.
fn without_prefix(line: &str) -> &str {
    const LABELS: [&str; 16] = [
        "E   ",
        "npm ERR! ",
        "npm error ",
        "Caused by: ",
        "Uncaught ",
        "- error ",
        "error: ",
        "Error: ",
        "ERROR: ",
        "ERROR ",
        "fatal: ",
        "fatal error: ",
        "[error] ",
        "[ERROR] ",
        "error ",
        "FAILED ",
    ];
    let mut rest = line.trim_start();
    loop {
        let first = rest.split(' ').next().unwrap_or("");
        let digits = first.bytes().filter(u8::is_ascii_digit).count();
        let is_time = digits >= 4
            && (first.contains(':') || first.matches('-').count() == 2)
            && first.bytes().all(|b| b.is_ascii_digit() || b"-:.TZ[],+".contains(&b));
        let label = LABELS.iter().find_map(|label| rest.strip_prefix(label));
        rest = match label {
            Some(after) => after.trim_start(),
            None if is_time => rest[first.len()..].trim_start(),
            None => return rest,
        };
    }
}

/// Divides `src/a.ts(3,1): error TS2304: …` and `a.go:3:2: undefined: x` into the base name of the
/// file and the message.
fn split_place(line: &str) -> (&str, &str) {
    for (place, message) in [" - ", ": "].iter().filter_map(|mark| line.split_once(mark)) {
        let end = place.find([':', '(']).unwrap_or(place.len());
        let (file, position) = place.split_at(end);
        // A section of an object file is a position, too: `a.c:(.text+0x9)`.
        let is_position = !position.is_empty()
            && (position.bytes().all(|b| b.is_ascii_digit() || b":(),".contains(&b))
                || position.starts_with(":(."));
        if is_position && file.contains('.') && !file.contains(' ') {
            return (base_name(file), message);
        }
        // `/usr/bin/ld: …`
        if !place.contains(' ') && place.contains('/') && end == place.len() {
            return (base_name(place), message);
        }
    }
    ("", line)
}

/// `E0425`, `TS2304`, `LNK2019`, `ENOENT`, `no-unused-vars`, `ModuleNotFoundError`.
fn is_code(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = word.len() - letters.min(word.len());
    let numbered = (1..=6).contains(&letters)
        && (3..=5).contains(&digits)
        && word.bytes().skip(letters).all(|b| b.is_ascii_digit());
    let errno = word.len() >= 5
        && word.starts_with('E')
        && word != "ERROR"
        && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        && !word.starts_with("ERR");
    numbered || errno || is_class(word)
}

fn is_class(word: &str) -> bool {
    let named = word.ends_with("Error") && word != "Error" || word.ends_with("Exception");
    named && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | ':'))
}

/// The phrase that linkers use in place of a code.
fn class(message: &str) -> Option<&'static str> {
    const PHRASES: [(&str, &str); 11] = [
        ("referenced from:", "undefined symbol"),
        ("undefined reference to", "undefined symbol"),
        ("undefined symbol", "undefined symbol"),
        ("Undefined symbol", "undefined symbol"),
        ("unresolved external symbol", "undefined symbol"),
        ("cannot find -l", "missing library"),
        ("library not found for -l", "missing library"),
        ("unable to find library -l", "missing library"),
        ("error while loading shared libraries", "missing shared library"),
        ("undefined: ", "undefined"),
        ("Cannot find module", "missing module"),
    ];
    PHRASES.iter().find_map(|(phrase, class)| message.contains(phrase).then_some(*class))
}

/// The texts in quotes, backticks or `‘’`. GNU's tools open with a backtick and close with `'`.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    let is_quote = |c: char| matches!(c, '\'' | '"' | '`' | '‘' | '’' | '“' | '”');
    let mut rest = message;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(is_quote)?;
            let open = rest[start..].chars().next()?;
            let before = rest[..start].chars().next_back();
            let inner = &rest[start + open.len_utf8()..];
            // An apostrophe: `don't`.
            if open == '\'' && before.is_some_and(char::is_alphanumeric) {
                rest = inner;
                continue;
            }
            let end = inner.find(is_quote)?;
            let text = &inner[..end];
            let close = inner[end..].chars().next()?;
            rest = &inner[end + close.len_utf8()..];
            return Some(text);
        }
    })
}

fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    // `a.rs:3:5`
    match name.split_once(':') {
        Some((file, rest)) if rest.bytes().all(|b| b.is_ascii_digit() || b == b':') => file,
        _ => name,
    }
}

/// Whether a word is the name of a file: `parser.rs`, `package.json`.
fn is_file(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(stem, end)| {
        let is_end = (1..=5).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_alphanumeric());
        let has_letter = end.bytes().any(|b| b.is_ascii_alphabetic());
        is_end && has_letter && stem.chars().any(char::is_alphabetic) && !stem.contains("://")
    })
}

/// A word of a message: only the base name of a path, `#` for each number and each hash.
fn normalized(word: &str) -> String {
    let word = if word.contains('/') && !word.contains("://") { base_name(word) } else { word };
    let is_quote = |c: &char| !matches!(c, '\'' | '"' | '`' | '‘' | '’' | '“' | '”');
    let word: String = word.chars().filter(is_quote).collect();
    let bare = word.strip_prefix("0x").unwrap_or(&word);
    let is_hex = bare.len() >= 6
        && bare.bytes().all(|b| b.is_ascii_hexdigit())
        && bare.bytes().any(|b| b.is_ascii_digit());
    if is_hex {
        return "#".to_owned();
    }
    // The digits of a name belong to it: `utf8`, `E0425`.
    if word.starts_with(char::is_alphabetic) && word.chars().all(char::is_alphanumeric) {
        return word;
    }
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "error_prints_tests.rs"]
mod tests;
