//! Matches the rules for tokens at the places of their keywords.

use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

use super::gitleaks::VENDORS;
use super::keywords::{N_TOKEN_RULES, token_rule};
use super::rule::{Before, TokenRule, VendorRule};
use super::value::{entropy, is_placeholder, is_random, is_wordy};

/// The regexes, each built when the first text needs it. A hook usually needs none.
static TOKENS: [OnceLock<Regex>; N_TOKEN_RULES] = [const { OnceLock::new() }; N_TOKEN_RULES];
static VALUES: [OnceLock<Regex>; VENDORS.len()] = [const { OnceLock::new() }; VENDORS.len()];

/// Maximum bytes of a token.
const MAX_TOKEN: usize = 4 << 10;
/// Maximum bytes between a call and its token.
const MAX_CALL: usize = 1000;
/// Fewer characters are no token.
const MIN_TOKEN: usize = 16;
/// Maximum bytes between two parts of a token that is split: a line break with quotes and indentation.
const MAX_JOINT: usize = 120;

/// The attempts in the current run of token characters or line. A run may consist of keywords, and each
/// attempt reads the rest of it.
#[derive(Default)]
pub struct Attempts {
    /// No rule reads a run again before this.
    run_end: usize,
    n: usize,
    /// The rule that read the rest of a line in vain, and up to where.
    line: (u16, usize),
}

impl Attempts {
    const MAX: usize = 16;

    /// Whether the rule may read the text at `at`.
    fn may_read(&self, at: usize, rule: u16) -> bool {
        (at >= self.run_end || self.n < Self::MAX) && (rule != self.line.0 || at >= self.line.1)
    }

    /// Counts an attempt in the run that ends at `end`.
    fn in_run(&mut self, at: usize, end: usize) {
        self.n = if at >= self.run_end { 1 } else { self.n + 1 };
        self.run_end = self.run_end.max(end);
    }
}

/// Returns the token of the rule whose keyword is at `at`.
pub fn token(text: &str, at: usize, rule: u16, tried: &mut Attempts) -> Option<Range<usize>> {
    if !tried.may_read(at, rule) {
        return None;
    }
    let index = rule;
    let regex = &TOKENS[usize::from(rule)];
    let rule = token_rule(rule);
    let bytes = text.as_bytes();
    let start = match rule.before {
        Before::Nothing => at,
        Before::Bytes(n) => at.checked_sub(usize::from(n))?,
        Before::Digits => {
            let n_digits =
                bytes[..at].iter().rev().take_while(|b| b.is_ascii_digit()).take(16).count();
            at - n_digits
        }
        Before::Host => {
            let is_host = |b: &&u8| b.is_ascii_alphanumeric() || b"-_.:/@%".contains(b);
            let n_before = bytes[..at].iter().rev().take(300).take_while(is_host).count();
            at - n_before + text[at - n_before..at].find("https://")?
        }
    };
    // The path of a URL of Telegram: `/bot123:AA…`.
    let is_bot = matches!(rule.before, Before::Digits) && bytes[..start].ends_with(b"/bot");
    if !text.is_char_boundary(start) || !is_bot && !is_boundary(bytes, start) {
        return None;
    }
    let end = start + run_len(&bytes[start..bytes.len().min(start + MAX_TOKEN)]);
    // These rules look at more than one run of token characters.
    let has_symbol_first = !bytes[start].is_ascii_alphanumeric()
        || rule.regex.contains('(') && rule.regex.contains("\\s");
    let has_symbol_first =
        has_symbol_first || rule.regex.contains(") ") || rule.regex.contains("\\t");
    tried.in_run(at, end);
    let build = || regex.get_or_init(|| anchored(rule.regex));
    if has_symbol_first || is_plausible(&text[start..end]) {
        let reads_line = rule.regex.contains(r"[^\n]*");
        let window = if reads_line { MAX_CALL } else { MAX_TOKEN };
        let window_end = text.floor_char_boundary(text.len().min(start + window));
        if let Some(found) = first_match(build(), rule, &text[start..window_end]) {
            let (from, to) = (start + found.start, extended(bytes, start + found.end));
            return Some(from..continued(text, to));
        }
        if reads_line {
            let line = bytes[start..window_end].iter().position(|b| *b == b'\n');
            tried.line = (index, start + line.unwrap_or(MAX_CALL / 2).min(MAX_CALL / 2));
        }
    }
    // The token may continue in the next line or string.
    if has_symbol_first || joint_len(bytes, end) == 0 {
        return None;
    }
    let (joined, positions) = without_joints(&text[start..]);
    if !is_plausible(&joined) {
        return None;
    }
    let found = first_match(build(), rule, &joined)?;
    (found.end > end - start)
        .then(|| start + positions[found.start]..start + positions[found.end - 1] + 1)
}

/// Returns the secret key in the column after an access key.
pub fn aws_secret_after(text: &str, at: usize) -> Option<Range<usize>> {
    const LEN: usize = 40;
    const MAX_GAP: usize = 8;
    let gap =
        text[at..].find(|c: char| !matches!(c, ',' | '"' | '\'' | ' ' | '\t' | ':' | ';' | '|'))?;
    let start = at + gap;
    let secret = text.get(start..start + LEN)?;
    let is_secret = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let ends = text.as_bytes().get(start + LEN).is_none_or(|b| !is_secret(*b));
    (gap > 0 && gap <= MAX_GAP && ends && secret.bytes().all(is_secret) && is_random(secret))
        .then_some(start..start + LEN)
}

/// Whether `value`, which follows a name with a keyword of the rule, is a secret.
pub fn vendor(rule: u16, value: &str) -> Option<&'static VendorRule> {
    let index = usize::from(rule);
    let rule: &VendorRule = &VENDORS[index];
    let has_digit = value.contains(|c: char| c.is_ascii_digit());
    if value.len() < 14
        || value.len() > MAX_TOKEN
        || !has_digit
        || !is_random(value)
        || is_placeholder(value)
    {
        return None;
    }
    let regex =
        VALUES[index].get_or_init(|| Regex::new(&format!("^(?:{})$", rule.value)).expect("tested"));
    (regex.is_match(value) && entropy(value) >= rule.entropy).then_some(rule)
}

fn anchored(regex: &str) -> Regex {
    Regex::new(&format!("^(?:{regex})")).expect("tested")
}

/// Returns the secret in the match at the start of `text`.
fn first_match(regex: &Regex, rule: &TokenRule, text: &str) -> Option<Range<usize>> {
    let captures = regex.captures(text)?;
    let found = captures.get(1).or_else(|| captures.get(0))?;
    let secret = found.as_str();
    // The host of a URL may be that of an example.
    let path = secret
        .strip_prefix("https://")
        .and_then(|url| url.split_once('/'))
        .map_or(secret, |(_, path)| path);
    (entropy(secret) >= rule.entropy && !is_example(path)).then(|| found.range())
}

/// Whether a token is one of the documentation: `AKIAIOSFODNN7EXAMPLE`, `ghp_xxxxxxxx…`.
fn is_example(secret: &str) -> bool {
    if is_placeholder(secret) {
        return true;
    }
    let lower = secret.to_ascii_lowercase();
    [
        "example",
        "xxxxxx",
        "000000000",
        "123456789012",
        "your",
        "placeholder",
        "abcdefghijkl",
        "......",
        "******",
    ]
    .iter()
    .any(|part| lower.contains(part))
}

/// Whether a token can begin at `at`.
fn is_boundary(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| bytes[at]) else { return true };
    let before_that = at.checked_sub(2).map_or(0, |at| bytes[at]);
    let is_word = before.is_ascii_alphanumeric() || before == b'_';
    // `\n` in a string, `%3D` in a URL, an escape sequence of a terminal.
    let is_escape = before_that == b'\\' && matches!(before, b'n' | b'r' | b't')
        || before.is_ascii_hexdigit()
            && at >= 3
            && before_that.is_ascii_hexdigit()
            && bytes[at - 3] == b'%'
        || before == b'm' && before_that.is_ascii_digit();
    (!is_word || is_escape || !bytes[at].is_ascii_alphanumeric()) && !is_in_blob(bytes, at)
}

/// Whether the characters before `at` are a long text in base64, which may contain any keyword.
fn is_in_blob(bytes: &[u8], at: usize) -> bool {
    const MIN_BLOB: usize = 32;
    let is_base64 = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'+' | b'/');
    let before = bytes[..at].iter().rev().take(MIN_BLOB).take_while(is_base64).count();
    before == MIN_BLOB
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+/=~:$%@!".contains(&byte)
}

fn run_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| is_token_byte(**b)).count()
}

/// Whether a run of token characters can be a token: long enough, and not one word in lower case. Most
/// runs fail, which saves building the regex.
fn is_plausible(run: &str) -> bool {
    let has = |test: fn(&u8) -> bool| run.as_bytes().iter().any(test);
    run.len() >= MIN_TOKEN
        && (has(u8::is_ascii_digit)
            || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
            || !is_words(run))
}

fn is_words(run: &str) -> bool {
    run.split(['-', '_', '.', '/']).all(|part| part.len() < 20)
}

/// Extends a match over the rest of its run, because newer tokens may be longer than their rule.
fn extended(bytes: &[u8], end: usize) -> usize {
    let rest = bytes[end..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    end + rest
}

/// Extends a token that ends at `end` over its next part, if it is split and the part is no word.
pub fn continued(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    // A backslash after a blank continues a command, not a word.
    if matches!(bytes.get(end), Some(b' ' | b'\t')) {
        return end;
    }
    let next = end + joint_len(bytes, end);
    if next == end {
        return end;
    }
    let part_end = next + run_len(&bytes[next..bytes.len().min(next + MAX_TOKEN)]);
    let part = &text[next..part_end];
    let ends =
        bytes.get(part_end).is_none_or(|b| b.is_ascii_whitespace() || b"\"'`\\,;)".contains(b));
    let joint = &text[end..next];
    let has_quotes = joint.contains(['"', '\'', '`']);
    if has_quotes && joint.contains([',', '\\']) {
        return end; // The next item of a list, or the next argument of a command.
    }
    let is_continued = has_quotes || joint.starts_with("\\\n") || bytes[end - 1] == b'\\';
    let is_part = is_continued && !joint.ends_with(' ') && !part.is_empty()
        || is_random(part)
        || part.len() >= 8 && has_random_look(part);
    if ends && !part.contains(['=', ':']) && is_part { part_end } else { end }
}

/// Whether a part of a token mixes digits and letters.
fn has_random_look(part: &str) -> bool {
    let has = |test: fn(&u8) -> bool| part.as_bytes().iter().any(test);
    has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !is_wordy(part)
        && !part.contains(['/', '.'])
}

/// The length of the joint at `at` between two parts of a split token, or 0: a line break with what may
/// surround it, or the concatenation of two strings.
pub fn joint_len(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    let (mut n_quotes, mut breaks, mut plus) = (0, false, false);
    while end < bytes.len() && end - at < MAX_JOINT {
        match bytes[end] {
            b'"' | b'\'' | b'`' => n_quotes += 1,
            b'\n' => breaks = true,
            b'\\' if matches!(bytes.get(end + 1), Some(b'n' | b'r')) => {
                breaks = true;
                end += 1;
            }
            b'+' | b'.' | b'&' => plus = true,
            b' ' | b'\t' | b'\r' | b'\\' | b'|' | b'>' | b',' | b'(' | b')' => {}
            _ => break,
        }
        end += 1;
    }
    // The number before a line, as tools that read files print it.
    if breaks && n_quotes == 0 {
        let n_digits = bytes[end..].iter().take_while(|b| b.is_ascii_digit()).take(6).count();
        let after = &bytes[(end + n_digits).min(bytes.len())..];
        if n_digits > 0 && (after.starts_with(b"\t") || after.starts_with("→".as_bytes())) {
            end += n_digits + if after[0] == b'\t' { 1 } else { "→".len() };
        }
    }
    let is_joint = breaks && matches!(n_quotes, 0 | 2) || plus && n_quotes == 2;
    if is_joint && bytes.get(end).is_some_and(|b| is_token_byte(*b)) { end - at } else { 0 }
}

/// Returns the start of `text` without the joints of a split token, and where each byte was.
pub fn without_joints(text: &str) -> (String, Vec<usize>) {
    let bytes = text.as_bytes();
    let (mut joined, mut positions) = (String::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() && joined.len() < MAX_TOKEN {
        if is_token_byte(bytes[at]) && !(bytes[at] == b'+' && joint_len(bytes, at) > 0) {
            joined.push(bytes[at] as char);
            positions.push(at);
            at += 1;
        } else {
            match joint_len(bytes, at) {
                0 => break,
                len => at += len,
            }
        }
    }
    (joined, positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_regex_is_valid() {
        for rule in 0..N_TOKEN_RULES {
            let rule = token_rule(rule as u16);
            anchored(rule.regex);
            for keyword in rule.keywords {
                assert_eq!(*keyword, keyword.to_ascii_lowercase(), "{}", rule.id);
            }
        }
        for rule in VENDORS {
            Regex::new(&format!("^(?:{})$", rule.value)).unwrap();
        }
    }
}
