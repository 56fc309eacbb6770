//! Finds values by the names before them: `PASSWORD=…`, `"token": "…"`, `--api-key …`,
//! `<secret>…</secret>`, `set("password", "…")`, `Authorization: Bearer …`.

use std::ops::Range;

use super::value::{is_hex_hash, is_random, is_uuid};

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
    pub form: Form,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
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
    /// A word of prose.
    Prose,
    /// A word behind a verb: `the password is x`.
    Stated,
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
    // Neither is the end of an escape sequence that colors the name.
    let color = text[start..at].bytes().take_while(|b| b.is_ascii_digit()).count();
    if start > 0
        && matches!(bytes[start - 1], b'[' | b';')
        && bytes[start + color] == b'm'
        && start + color < at
    {
        start += color + 1;
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
    // `POST /oauth/token HTTP/1.1`, `arn:aws:secretsmanager:eu-1:1:secret:name`
    let before = name.start.checked_sub(1).map_or(b' ', |at| text.as_bytes()[at]);
    if before == b'/' && operator == Operator::Blank
        || before == b':' && operator == Operator::Colon
    {
        return None;
    }
    let (form, value) = cursor.value(&name, operator, at)?;
    (!value.is_empty()).then(|| Assignment { name: &text[name.clone()], value, form })
}

/// The member of a JSON object.
pub struct Member<'a> {
    pub key: &'a str,
    pub value: &'a str,
}

impl Member<'_> {
    pub fn assignment(&self) -> Assignment<'_> {
        let cursor = Cursor { text: self.value, bytes: self.value.as_bytes() };
        let value = cursor.without_scheme(0..self.value.len());
        let form = if value.start > 0 { Form::Scheme } else { Form::Quoted };
        Assignment { name: self.key, value, form }
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
    /// Words of prose, such as `is`.
    Prose,
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
        if matches!(self.byte(at), 0x1B | b'\\') { self.skip_escapes(at) } else { at }
    }

    fn starts(&self, at: usize, what: &str) -> bool {
        self.bytes
            .get(at..at + what.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(what.as_bytes()))
    }

    /// Returns the operator after a name, and the position behind it.
    fn operator(&self, name: &Range<usize>) -> Option<(Operator, usize)> {
        let mut at = self.skip_escapes(name.end);
        let mut quoted = false;
        for _ in 0..6 {
            match self.byte(at) {
                b'"' | b'\'' | b'`' => (at, quoted) = (at + 1, true),
                b'*' | b'_' => at += 1,
                b'\\' if matches!(self.byte(at + 1), b'"' | b'\'' | b'\\') => at += 1,
                b']' | b'?' | b'!' | b')' => at += 1,
                b'&' if self.starts(at, "&quot;") => (at, quoted) = (at + 6, true),
                _ => break,
            }
        }
        let after_name = at;
        at = self.skip_blanks(self.skip_remark(at));
        if let Some((operator, len)) = foreign_operator(&self.text[self.floor(at)..]) {
            return Some((operator, at + len));
        }
        if let Some(at) = self.element(name, after_name) {
            return Some((Operator::Element, at));
        }
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
            b':' => match self.inner_value(at + 1) {
                Some(at) => Some((Operator::Colon, at)),
                None => Some((Operator::Colon, at + 1)),
            },
            b'|' if self.byte(at + 1) == b'|' => Some((Operator::Argument, at + 2)),
            b'?' if matches!(self.byte(at + 1), b'?' | b':') => Some((Operator::Argument, at + 2)),
            b'o' if self.starts(at, "or ") => Some((Operator::Argument, at + 3)),
            b'!' | b'+' | b'?' if self.byte(at + 1) == b'=' => Some((Operator::Equals, at + 2)),
            b'(' => Some((Operator::Argument, at + 1)),
            b'|' if self.follows_bar(name.start) => Some((Operator::Bar, at + 1)),
            b',' if quoted => match self.value_member(at) {
                Some(at) => Some((Operator::Colon, at)),
                None => Some((Operator::Argument, at + 1)),
            },
            b'\n' | b'\r' => self.value_member(at).map(|at| (Operator::Colon, at)),
            b'v' | b'V' if quoted && self.starts(at, "value") => {
                self.value_member(at).map(|at| (Operator::Equals, at))
            }
            _ if at == after_name => None,
            _ if self.byte(name.start) == b'-' => Some((Operator::Option, at)),
            _ => match self.prose(at) {
                Some(at) => Some((Operator::Prose, at)),
                None => Some((Operator::Blank, at)),
            },
        }
    }

    /// Skips escape sequences that color the text of a terminal.
    fn skip_escapes(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.text[self.floor(at.min(self.text.len()))..];
            let marks = ["\u{1b}[", "\\u001b[", "\\x1b[", "\\033[", "\\e["];
            let Some(mark) = marks.iter().find(|mark| rest.starts_with(**mark)) else { return at };
            let len =
                rest[mark.len()..].bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
            let end = at + mark.len() + len;
            if !self.byte(end).is_ascii_alphabetic() {
                return at;
            }
            at = end + 1;
        }
    }

    /// Skips `[None]` or `(optional)` behind a name.
    fn skip_remark(&self, at: usize) -> usize {
        const MAX_REMARK: usize = 32;
        let start = self.skip_blanks(at);
        let close = match self.byte(start) {
            b'[' => b']',
            b'(' if start > at => b')',
            _ => return at,
        };
        let limit = self.bytes.len().min(start + MAX_REMARK);
        let end = self.bytes[start..limit].iter().position(|b| *b == close || *b == b'\n');
        let end = self.floor(end.map_or(limit, |len| start + len));
        let is_remark =
            self.byte(end) == close && !self.text[start..end].contains(['"', '\'', '=']);
        if is_remark { end + 1 } else { at }
    }

    /// Returns the start of the content if the name is the name of an XML element, an attribute of one, or
    /// the content of a `key` before its value.
    fn element(&self, name: &Range<usize>, at: usize) -> Option<usize> {
        const MAX_ATTRIBUTES: usize = 80;
        let from = self.floor(name.start.saturating_sub(MAX_ATTRIBUTES));
        let line = self.text[from..name.start].rsplit('\n').next().unwrap_or("");
        let open = line.rfind('<')?;
        if line[open..].contains('>') && !line.ends_with('>') {
            return None;
        }
        if line.ends_with("<key>") || line.ends_with("<name>") {
            let rest = &self.text[at..self.floor(self.text.len().min(at + MAX_ATTRIBUTES))];
            let rest = rest
                .trim_start()
                .strip_prefix("</key>")
                .or_else(|| rest.strip_prefix("</name>"))?;
            let rest = rest.trim_start();
            let value = rest.strip_prefix("<string>").or_else(|| rest.strip_prefix("<value>"))?;
            return Some(value.as_ptr() as usize - self.text.as_ptr() as usize);
        }
        let rest = &self.text[at..self.floor(self.text.len().min(at + MAX_ATTRIBUTES))];
        let is_name = line.len() - open == 1;
        let end = rest.find(['>', '\n', '<']).filter(|end| rest[*end..].starts_with('>'))?;
        let attributes = &rest[..end];
        let has_value = attributes.to_ascii_lowercase().contains("value")
            || attributes.contains('=') && !is_name;
        (!has_value && !attributes.ends_with('/')).then_some(at + end + 1)
    }

    /// Returns the position behind `"value":` if an object with this member is the value of the name.
    fn inner_value(&self, at: usize) -> Option<usize> {
        const MAX_OBJECT: usize = 300;
        let rest = &self.text[at..self.floor(self.text.len().min(at + MAX_OBJECT))];
        let object = rest.trim_start().strip_prefix('{')?;
        let object = &object[..object.find('}').unwrap_or(object.len())];
        let from = object.as_ptr() as usize - self.text.as_ptr() as usize;
        let member = object
            .match_indices("value")
            .find(|(at, _)| object[..*at].ends_with(['"', '\'', ' ', '\n', '{', ',']))?;
        let colon = object[member.0..].find([':', '='])?;
        Some(from + member.0 + colon + 1)
    }

    /// Returns the position of the value in prose: `is x`, `for the admin was changed to x`, `: x`.
    fn prose(&self, at: usize) -> Option<usize> {
        const MAX_PROSE: usize = 90;
        const VERBS: [&str; 18] = [
            "is", "was", "to", "be", "=", "ist", "lautet", "with", "are", "as", "now", "est", "es",
            "reads", "\u{e9}", "\u{e8}", "jest", "\u{e4}r",
        ];
        let rest = &self.text[at..self.floor(self.text.len().min(at + MAX_PROSE))];
        let line = rest.split('\n').next().unwrap_or("");
        let (mut after_verb, mut after_colon, mut reads_verbs) = (None, None, true);
        let mut from = at;
        for word in line.split(' ').take(10) {
            let end = from + word.len() + 1;
            if word.ends_with(':') && word.len() > 1 {
                after_colon = Some(end);
            } else if VERBS.contains(&word.to_ascii_lowercase().as_str()) || word == ":" {
                if reads_verbs {
                    after_verb = Some(end);
                }
            } else if after_verb.is_some() {
                reads_verbs = false;
            }
            from = end;
        }
        let found = after_colon.or(after_verb);
        found.filter(|at| *at < self.text.len() && self.text.is_char_boundary(*at))
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
                || matches!(self.byte(at), b',' | b';' | b'"' | b'\'' | b'\\'))
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
        start = self.behind_wrapper(start);
        if let Some(range) = self.quoted(start) {
            let rest = self.without_scheme(range.clone());
            let form = match operator {
                Operator::Argument => Form::Argument,
                Operator::Prose => Form::Stated,
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
        if operator == Operator::Prose {
            let end =
                self.end_of(start, |b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`'));
            let word = &self.text[start..end];
            // In a sentence without blanks, the letters of the language follow.
            let word = &word
                [..word.find(|c: char| !c.is_ascii()).filter(|at| *at > 0).unwrap_or(word.len())];
            let word = word.trim_end_matches(['.', ',', ';', ':', ')', '?']);
            return Some((Form::Stated, start..start + word.len()));
        }
        let attached = start == at && operator == Operator::Equals && self.byte(name.end) == b'=';
        Some(self.bare(name, operator, start, attached))
    }

    /// Returns a value without quotes. `attached`: nothing but `=` is between the name and the value.
    fn bare(
        &self,
        name: &Range<usize>,
        operator: Operator,
        start: usize,
        attached: bool,
    ) -> (Form, Range<usize>) {
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
        // `A=x; b`, `$(A=x b)`; prose
        let punctuation: &[char] =
            if is_shell { &[';', ')', ','] } else { &['.', ',', ':', '!', '?'] };
        let range = start..start + self.text[start..end].trim_end_matches(punctuation).len();
        let without_scheme = self.without_scheme_bare(range.clone());
        if without_scheme != range {
            return (Form::Scheme, without_scheme);
        }
        let ends_line = matches!(self.byte(self.skip_blanks(end)), 0 | b'\n' | b'\r' | b'#')
            || self.byte(end) == b'\\' && self.byte(end + 1) == b'n';
        let form = match operator {
            _ if is_shell => Form::Shell,
            Operator::Blank if name_text.eq_ignore_ascii_case("bearer") => Form::Scheme,
            Operator::Blank if !self.is_credential_line(name) => Form::Prose,
            Operator::Blank => Form::Line,
            _ if begins_line && ends_line => Form::Line,
            _ => Form::Bare,
        };
        (form, range)
    }

    /// Returns the position behind `Some(`, if a string follows.
    fn behind_wrapper(&self, start: usize) -> usize {
        const WRAPPERS: [&str; 7] = [
            "Some(",
            "Just(",
            "Secret(",
            "Secret::new(",
            "String::from(",
            "SecretString::new(",
            "SecretString::from(",
        ];
        let wrapper = WRAPPERS.iter().find(|wrapper| self.starts(start, wrapper));
        match wrapper.map(|wrapper| start + wrapper.len()) {
            Some(at) if matches!(self.byte(at), b'"' | b'\'' | b'\\') => at,
            _ => start,
        }
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
            if self.bytes[at] == 0x1B {
                break;
            }
            if self.bytes[at] == b'\\'
                && matches!(
                    self.byte(at + 1),
                    b'\n' | b'n' | b'r' | b't' | b'"' | b'\'' | b'\\' | b'u' | b'x' | b'0' | b'e'
                )
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
        let from = self.floor(at.saturating_sub(MAX_NAME));
        let before = self.text[from..at].trim_end_matches([' ', '"', '\'']);
        // `set -gx NAME value`
        let (words, flag) = before.rsplit_once(' ').unwrap_or(("", before));
        let is_flag = flag.starts_with('-') && flag.len() <= 4 && flag != "-e" && flag != "-D";
        let before = if is_flag { words.trim_end() } else { before };
        [
            "export",
            "env",
            "-e",
            "ENV",
            "ARG",
            "set",
            "--env",
            "--build-arg",
            "setenv",
            "-D",
            "declare",
            "-passin",
            "-passout",
        ]
        .iter()
        .any(|word| from + before.len() < at && before.ends_with(word))
    }

    /// Whether `name value` in this line is a name and its value, and not prose: `.netrc`, `ENV A b`,
    /// `the password is x`.
    fn is_credential_line(&self, name: &Range<usize>) -> bool {
        let from = self.text.floor_char_boundary(name.start.saturating_sub(200));
        let line = self.text[from..name.start].rsplit('\n').next().unwrap_or("");
        let netrc = ["machine ", "login ", "user "].iter().any(|word| line.contains(word));
        let docker = self.after_word(name.start);
        let setting = line.contains("config ") || line.contains(" set ") || line.ends_with("//");
        let own = &self.text[name.clone()];
        let is_setting = own.contains('_')
            || !own.contains(|c: char| c.is_ascii_lowercase())
            || !["password", "passwd", "pass", "token", "secret", "key", "auth"]
                .iter()
                .any(|word| own.eq_ignore_ascii_case(word));
        netrc || docker || setting || is_setting && self.begins_line(name.start)
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

/// The operators of other scripts, which need no blank, and their lengths.
fn foreign_operator(text: &str) -> Option<(Operator, usize)> {
    const VERBS: [&str; 9] = [
        "\u{662f}",
        "\u{4e3a}",
        "\u{70ba}",
        "\u{306f}",
        "\u{b294} ",
        "\u{c740} ",
        "\u{2014}",
        "\u{2013}",
        "\u{44d}\u{442}\u{43e} ",
    ];
    if text.starts_with('\u{ff1a}') {
        return Some((Operator::Colon, 3));
    }
    if text.as_bytes().first().is_none_or(u8::is_ascii) {
        return None;
    }
    let verb = VERBS.iter().find(|verb| text.starts_with(**verb))?;
    let blanks = text[verb.len()..].bytes().take_while(|b| *b == b' ').count();
    Some((Operator::Prose, verb.len() + blanks))
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
