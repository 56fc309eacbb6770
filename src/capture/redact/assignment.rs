//! Finds values by the names before them: `PASSWORD=…`, `"token": "…"`, `--api-key …`,
//! `<secret>…</secret>`, `set("password", "…")`, `Authorization: Bearer …`.

use std::ops::Range;

use super::name::{Name, Strength};
use super::value::{
    is_code, is_file_path, is_hex_hash, is_number, is_placeholder, is_random, is_uuid, is_wordy,
};

/// Maximum bytes of a name to each side of the keyword.
const MAX_NAME: usize = 64;
/// Longer values are not read to their end.
const MAX_VALUE: usize = 16 << 10;
/// Maximum blanks around an operator.
const MAX_BLANKS: usize = 64;

/// A name and its value.
#[derive(Debug)]
pub struct Assignment<'a> {
    pub name: &'a str,
    pub value: Range<usize>,
    form: Form,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Quoted,
    /// The argument of a call, in quotes: `set("password", "x")`.
    Argument,
    /// The content of an XML element.
    Element,
    /// `NAME=value` of a shell, or the value of an option.
    Shell,
    /// The rest of a line that begins with the name: YAML, INI.
    Line,
    /// Behind the name of an authentication scheme: `Bearer …`.
    Scheme,
    /// A cell of a table, beside the cell with the name.
    Cell,
    /// Any other place without quotes: code, prose, a query string.
    Bare,
}

/// Returns the name around the keyword at `at`.
pub fn name_at(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let mut start = at;
    while start > 0 && at - start < MAX_NAME && is_name(bytes[start - 1]) {
        start -= 1;
    }
    // The `n` of an escaped line break is not part of the name.
    if start > 0
        && bytes[start - 1] == b'\\'
        && matches!(bytes[start], b'n' | b'r' | b't')
        && start < at
    {
        start += 1;
    }
    let mut end = at;
    while end < bytes.len() && end - at < MAX_NAME && is_name(bytes[end]) {
        end += 1;
    }
    while end > start && matches!(bytes[end - 1], b'-' | b'.') {
        end -= 1;
    }
    start..end.max(start)
}

/// Reads the assignment to the name in `name`. Returns `None` if no operator and value follow.
pub fn read(text: &str, name: Range<usize>) -> Option<Assignment<'_>> {
    let cursor = Cursor { text, bytes: text.as_bytes() };
    let (operator, at) = cursor.operator(&name)?;
    let (form, value) = cursor.value(&name, operator, at)?;
    (!value.is_empty()).then(|| Assignment { name: &text[name.clone()], value, form })
}

/// The member of a JSON object.
pub struct Member<'a> {
    pub key: &'a str,
    pub value: &'a str,
}

impl Member<'_> {
    /// Returns the secret part of the value, if `name` is what the key says.
    pub fn secret(&self, name: Name) -> Option<Range<usize>> {
        let cursor = Cursor { text: self.value, bytes: self.value.as_bytes() };
        let value = cursor.without_scheme(0..self.value.len());
        let form = if value.start > 0 { Form::Scheme } else { Form::Quoted };
        let assigned = Assignment { name: self.key, value: value.clone(), form };
        is_secret(name, &assigned, &self.value[value.clone()]).then_some(value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    Colon,
    Element,
    Argument,
    Option,
    /// The bar between two cells of a table.
    Bar,
    /// A blank, or the word `is`.
    Blank,
}

struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
}

impl Cursor<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn skip_blanks(&self, mut at: usize) -> usize {
        let end = at + MAX_BLANKS;
        while at < end && matches!(self.byte(at), b' ' | b'\t') {
            at += 1;
        }
        at
    }

    fn starts(&self, at: usize, what: &str) -> bool {
        self.bytes
            .get(at..at + what.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(what.as_bytes()))
    }

    /// Returns the operator after a name, and the position behind it.
    fn operator(&self, name: &Range<usize>) -> Option<(Operator, usize)> {
        let mut at = name.end;
        let mut quoted = false;
        for _ in 0..6 {
            match self.byte(at) {
                b'"' | b'\'' | b'`' => (at, quoted) = (at + 1, true),
                b'\\' if matches!(self.byte(at + 1), b'"' | b'\'' | b'\\') => at += 1,
                b']' | b'?' | b'!' | b'*' => at += 1,
                b'&' if self.starts(at, "&quot;") => (at, quoted) = (at + 6, true),
                _ => break,
            }
        }
        let after_name = at;
        at = self.skip_blanks(at);
        match self.byte(at) {
            b'=' => {
                at += 1;
                while matches!(self.byte(at), b'=' | b'>' | b'~') {
                    at += 1;
                }
                Some((Operator::Equals, at))
            }
            b':' if self.byte(at + 1) == b'=' => Some((Operator::Equals, at + 2)),
            b':' if matches!(self.byte(at + 1), b':' | b'/') => None,
            b':' => Some((Operator::Colon, at + 1)),
            b'!' | b'+' | b'?' if self.byte(at + 1) == b'=' => Some((Operator::Equals, at + 2)),
            b'>' if name.start > 0 && self.byte(name.start - 1) == b'<' => {
                Some((Operator::Element, at + 1))
            }
            b'(' => Some((Operator::Argument, at + 1)),
            b'|' if self.follows_bar(name.start) => Some((Operator::Bar, at + 1)),
            b',' if quoted => match self.value_member(at) {
                Some(at) => Some((Operator::Colon, at)),
                None => Some((Operator::Argument, at + 1)),
            },
            b'\n' | b'\r' => self.value_member(at).map(|at| (Operator::Colon, at)),
            _ if at == after_name => None,
            _ if self.byte(name.start) == b'-' => Some((Operator::Option, at)),
            _ if self.starts(at, "is ") || self.starts(at, "is: ") => {
                Some((Operator::Blank, self.skip_blanks(at + 3)))
            }
            _ => Some((Operator::Blank, at)),
        }
    }

    /// Whether `at` is at the start of a cell of a table.
    fn follows_bar(&self, at: usize) -> bool {
        let before = self.text[..at].trim_end_matches([' ', '`', '*']);
        before.is_empty() || before.ends_with(['|', '\n'])
    }

    /// Returns the position of the value if a member `value` follows the name:
    /// `{"name": "DB_PASSWORD", "value": "x"}`.
    fn value_member(&self, mut at: usize) -> Option<usize> {
        let end = at + MAX_BLANKS;
        while at < end
            && (self.byte(at).is_ascii_whitespace()
                || matches!(self.byte(at), b',' | b'"' | b'\'' | b'\\'))
        {
            at += 1;
        }
        if !self.starts(at, "value") && !self.starts(at, "\\nvalue") {
            return None;
        }
        at += 5;
        while matches!(self.byte(at), b'"' | b'\'' | b'\\' | b' ') {
            at += 1;
        }
        matches!(self.byte(at), b':' | b'=').then_some(at + 1)
    }

    fn value(
        &self,
        name: &Range<usize>,
        operator: Operator,
        at: usize,
    ) -> Option<(Form, Range<usize>)> {
        let mut start = self.skip_blanks(at);
        if operator == Operator::Element {
            let end = self.end_of(start, |b| b == b'<' || b == b'\n');
            return Some((Form::Element, self.trimmed(start, end)));
        }
        // A value in the next line: a YAML block, or a shell's line continuation.
        let block = matches!(self.byte(start), b'|' | b'>' | b'\\')
            && self.bytes[start + 1..].iter().take(3).any(|b| *b == b'\n');
        if block && let Some(line) = self.text[start..].find('\n') {
            start += line + 1;
            while self.byte(start).is_ascii_whitespace() {
                start += 1;
            }
        } else if operator == Operator::Colon
            && let Some(behind) = self.behind_type(start)
        {
            start = self.skip_blanks(behind);
        }
        if let Some(range) = self.quoted(start) {
            let rest = self.without_scheme(range.clone());
            let form = match operator {
                Operator::Argument => Form::Argument,
                _ if rest != range => Form::Scheme,
                _ => Form::Quoted,
            };
            return Some((form, rest));
        }
        if operator == Operator::Bar {
            let end = self.end_of(start, |b| b == b'|' || b == b'\n');
            return Some((Form::Cell, self.trimmed(start, end)));
        }
        if operator == Operator::Argument {
            return None;
        }
        let attached = start == at && operator == Operator::Equals && self.byte(name.end) == b'=';
        let name_text = &self.text[name.clone()];
        let is_upper = !name_text.contains(|c: char| c.is_ascii_lowercase());
        let begins_line = self.begins_line(name.start);
        let is_shell = operator == Operator::Option
            || name_text.starts_with('-')
            || attached && (is_upper || begins_line || self.after_word(name.start));
        let end = if is_shell {
            self.end_of(start, |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`'))
        } else {
            self.end_of(start, |b| b.is_ascii_whitespace() || b"\"'`,;&<>)]}|".contains(&b))
        };
        let mut range = start..end;
        if is_shell {
            // `A=x; b`, `$(A=x b)`
            while range.end > range.start && matches!(self.byte(range.end - 1), b';' | b')' | b',')
            {
                range.end -= 1;
            }
        } else {
            while range.end > range.start
                && matches!(self.byte(range.end - 1), b'.' | b',' | b':' | b'!' | b'?')
            {
                range.end -= 1;
            }
        }
        let scheme_end = self.without_scheme_bare(range.clone());
        if scheme_end != range {
            return Some((Form::Scheme, scheme_end));
        }
        let ends_line = matches!(self.byte(self.skip_blanks(end)), 0 | b'\n' | b'\r' | b'#')
            || self.byte(end) == b'\\' && self.byte(end + 1) == b'n';
        let form = match operator {
            _ if is_shell => Form::Shell,
            Operator::Blank if !self.is_credential_line(name) => return None,
            Operator::Blank => Form::Line,
            _ if begins_line && ends_line => Form::Line,
            _ => Form::Bare,
        };
        Some((form, range))
    }

    /// Returns the position behind the type in `password: &str = "x"`.
    fn behind_type(&self, start: usize) -> Option<usize> {
        let rest = &self.bytes[start..self.bytes.len().min(start + 48)];
        let at = rest.iter().position(|b| b"=\"'\n,;{(".contains(b))?;
        let is_type = rest[at] == b'=' && at > 1 && rest[..at].iter().any(u8::is_ascii_alphabetic);
        let spaced = rest[..at].ends_with(b" ") && matches!(rest.get(at + 1), Some(b' ' | b'"'));
        (is_type && spaced).then_some(start + at + 1)
    }

    /// Returns the text between the quotes that begin at `start`.
    fn quoted(&self, start: usize) -> Option<Range<usize>> {
        let mut at = start;
        if self.starts(at, "&quot;") {
            let from = at + 6;
            return Some(from..self.end_of(from, |b| b == b'&' || b == b'\n'));
        }
        // `b"…"`, `f'…'`, `$'…'`, `@"…"`
        if (self.byte(at).is_ascii_alphabetic() || matches!(self.byte(at), b'$' | b'@' | b'['))
            && matches!(self.byte(at + 1), b'"' | b'\'')
        {
            at += 1;
        }
        let mut n_escapes = 0;
        while self.byte(at) == b'\\' && n_escapes < 8 {
            (at, n_escapes) = (at + 1, n_escapes + 1);
        }
        let quote = self.byte(at);
        if !matches!(quote, b'"' | b'\'' | b'`') {
            return None;
        }
        at += 1;
        if n_escapes == 0 && self.byte(at) == quote && self.byte(at + 1) == quote {
            at += 2;
        }
        let from = at;
        let limit = self.bytes.len().min(from + MAX_VALUE);
        let mut escapes = 0;
        while at < limit {
            match self.bytes[at] {
                b'\\' => escapes += 1,
                b if b == quote
                    && escapes <= n_escapes
                    && (escapes == n_escapes || n_escapes > 0) =>
                {
                    return Some(from..at - escapes.min(at - from));
                }
                b'\n' => break,
                _ => escapes = 0,
            }
            at += 1;
        }
        Some(from..self.floor(at))
    }

    /// Removes the authentication scheme from a quoted value: `Bearer …`.
    fn without_scheme(&self, range: Range<usize>) -> Range<usize> {
        let value = &self.text[range.clone()];
        match value.split_once(' ') {
            Some((scheme, rest)) if is_scheme(scheme) => {
                range.end - rest.trim_start().len()..range.end
            }
            _ => range,
        }
    }

    /// The same without quotes: the value is the next word.
    fn without_scheme_bare(&self, range: Range<usize>) -> Range<usize> {
        if !is_scheme(&self.text[range.clone()]) {
            return range;
        }
        let start = self.skip_blanks(range.end);
        if start == range.end {
            return range;
        }
        start..self.end_of(start, |b| b.is_ascii_whitespace() || b"\"'`,;<>".contains(&b))
    }

    fn end_of(&self, start: usize, is_end: impl Fn(u8) -> bool) -> usize {
        let limit = self.bytes.len().min(start + MAX_VALUE);
        let mut at = start;
        while at < limit && !is_end(self.bytes[at]) {
            if self.bytes[at] == b'\\'
                && matches!(self.byte(at + 1), b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')
            {
                break;
            }
            at += 1;
        }
        self.floor(at)
    }

    fn floor(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }

    fn trimmed(&self, start: usize, end: usize) -> Range<usize> {
        let part = &self.text[start..end];
        let start = start + part.len() - part.trim_start().len();
        start..start + part.trim().len()
    }

    /// Whether only indentation, quotes, list marks, patch marks or a line number precede `at` in its line.
    fn begins_line(&self, at: usize) -> bool {
        let mut start = at;
        while start > 0 && at - start < MAX_BLANKS {
            match self.bytes[start - 1] {
                b'\n' => return true,
                b'n' if start > 1 && self.bytes[start - 2] == b'\\' => return true,
                b' ' | b'\t' | b'"' | b'\'' | b'-' | b'+' | b'0'..=b'9' | b'|' | b'#' | b'\\' => {
                    start -= 1
                }
                // The arrow after a line number.
                0xE2 | 0x86 | 0x92 => start -= 1,
                b':' if start > 1 && self.bytes[start - 2].is_ascii_digit() => start -= 1,
                _ => return false,
            }
        }
        start == 0
    }

    /// Whether the word before `at` announces an environment variable.
    fn after_word(&self, at: usize) -> bool {
        let before = self.text[..at].trim_end_matches([' ', '"', '\'']);
        ["export", "env", "-e", "ENV", "ARG", "set", "--env", "--build-arg", "setenv"]
            .iter()
            .any(|word| before.len() < at && before.ends_with(word))
    }

    /// Whether `name value` in this line is a name and its value, and not prose: `.netrc`, `ENV A b`,
    /// `the password is x`.
    fn is_credential_line(&self, name: &Range<usize>) -> bool {
        let from = self.text.floor_char_boundary(name.start.saturating_sub(200));
        let line = self.text[from..name.start].rsplit('\n').next().unwrap_or("");
        let netrc = ["machine ", "login ", "user "].iter().any(|word| line.contains(word));
        let docker = self.after_word(name.start);
        let is = {
            let after = self.text[name.end..].trim_start_matches(['"', '\'', '`', ' ']);
            after.starts_with("is ") || after.starts_with("is: ")
        };
        netrc || docker || is || self.begins_line(name.start)
    }
}

fn is_scheme(word: &str) -> bool {
    const SCHEMES: [&str; 13] = [
        "bearer",
        "basic",
        "token",
        "digest",
        "apikey",
        "api-key",
        "key",
        "oauth",
        "bot",
        "ssws",
        "geniekey",
        "splunk",
        "negotiate",
    ];
    SCHEMES.iter().any(|scheme| word.trim_end_matches(':').eq_ignore_ascii_case(scheme))
}

/// Whether the value of this assignment is a secret.
pub fn is_secret(name: Name, assignment: &Assignment, value: &str) -> bool {
    if value.len() < 3 || is_placeholder(value) || value.starts_with("--") || is_number(value) {
        return false;
    }
    let form = assignment.form;
    let has_digit = value.contains(|c: char| c.is_ascii_digit());
    let has_letter = value.contains(|c: char| c.is_ascii_alphabetic());
    match name.strength {
        Strength::Password => is_password(assignment, value),
        _ if form == Form::Scheme => {
            value.len() >= 8
                && (has_digit && has_letter || is_random(value))
                && !value.contains(char::is_whitespace)
                && !is_code(value)
        }
        Strength::Token if value.contains(char::is_whitespace) => false,
        Strength::Token => {
            let is_expression =
                matches!(form, Form::Bare | Form::Line | Form::Shell) && is_code(value);
            !is_expression
                && !is_file_path(value)
                && (is_random(value)
                    || is_uuid(value)
                    || form == Form::Shell && has_digit && has_letter && value.len() >= 8)
        }
        Strength::Weak => {
            let is_expression = form == Form::Bare && is_code(value);
            let min = if name.kind == "auth" || name.kind == "signature" { 12 } else { 16 };
            value.len() >= min
                && !is_expression
                && has_digit
                && is_random(value)
                && !is_uuid(value)
                && !is_file_path(value)
                && (!is_hex_hash(value) || name.kind == "secret")
        }
    }
}

fn is_password(assignment: &Assignment, value: &str) -> bool {
    let has_digit = value.contains(|c: char| c.is_ascii_digit());
    let is_letters = value.chars().all(|c| c.is_ascii_alphabetic());
    let is_lower = is_letters && !value.contains(|c: char| c.is_ascii_uppercase());
    let has_symbol =
        value.contains(|c: char| c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.'));
    // `# pass 12`, `PASS: test_a`
    let is_result = assignment.name.eq_ignore_ascii_case("pass");
    let is_digits = value.bytes().all(|b| b.is_ascii_digit());
    let in_code = matches!(assignment.form, Form::Bare | Form::Argument);
    if is_file_path(value) || is_digits && (is_result || in_code || value.len() < 4) {
        return false;
    }
    if value.contains(char::is_whitespace) {
        let is_phrase = assignment.name.to_ascii_lowercase().contains("phrase")
            && value.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
        let is_spaced = has_digit && value.len() <= 64 && (has_symbol || !value.ends_with('.'));
        return assignment.form == Form::Quoted
            && (is_phrase || is_spaced && value.split(' ').count() <= 4);
    }
    if !value.is_ascii() && !has_digit && !has_symbol {
        return false; // A word in another language, such as a label.
    }
    let names_field = |value: &str| {
        let lower = value.to_ascii_lowercase();
        ["passw", "pwd", "secret", "token"].iter().any(|word| lower.contains(word))
            && !has_digit
            && !has_symbol
    };
    if names_field(value) {
        return false;
    }
    match assignment.form {
        Form::Quoted | Form::Element => {
            !is_letters || is_lower && value.len() >= 5 || is_random(value)
        }
        Form::Cell => !value.contains('|') && (has_digit || has_symbol || is_random(value)),
        Form::Argument => !is_letters && (has_digit || has_symbol),
        Form::Shell => !is_code(value) || is_random(value),
        Form::Line | Form::Scheme => {
            let is_word = value.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            (!is_code(value) || is_random(value))
                && (!is_word || is_lower && value.len() >= 6 || is_random(value))
                && (!is_result || has_digit && has_symbol)
        }
        Form::Bare => {
            let is_identifier = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            !is_code(value)
                && (is_random(value)
                    || has_digit && has_symbol && value.len() >= 6
                    || is_identifier
                        && has_digit
                        && value.len() >= 6
                        && !is_result
                        && !is_wordy(value))
        }
    }
}

/// Returns the values of the cookies in `text[range]`: `sid=…; theme=dark`.
pub fn cookie_values(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = range.start;
    for pair in text[range].split(';') {
        let end = at + pair.len();
        if let Some((_, value)) = pair.split_once('=') {
            let value = value.trim();
            if value.len() >= 8 && (is_random(value) || is_uuid(value) || is_hex_hash(value)) {
                let start = end
                    - pair.trim_end().len().min(value.len())
                    - (pair.len() - pair.trim_end().len());
                found.push(start..start + value.len());
            }
        }
        at = end + 1;
    }
    found
}
