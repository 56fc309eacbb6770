//! Finds private keys in PEM form, also in parts.

use std::ops::Range;

/// Maximum length of a private key, with its first and last line.
const MAX_KEY: usize = 32 << 10;

/// Maximum length of the part of an armor line before `PRIVATE KEY`.
const MAX_LABEL: usize = 64;

/// Shorter runs of base64 are not part of a key, because many words are as long.
const MIN_PIECE: usize = 16;

/// A line `-----BEGIN … PRIVATE KEY-----` or `-----END … PRIVATE KEY-----`.
struct Armor {
    start: usize,
    end: usize,
    begins: bool,
}

/// Returns each private key, from its BEGIN line to its END line. If one of these is
/// missing, because the text was truncated, the edit covers the adjacent lines that look like a key.
/// Source code that only mentions such a line stays.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = pem(text);
    found.extend(putty(text));
    found.sort_by_key(|range| range.start);
    found
}

/// Returns the private part of each key of PuTTY: the lines after `Private-Lines: N`, and the MAC.
fn putty(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, mark) in text.match_indices("Private-Lines:") {
        let after = at + mark.len();
        let rest = &text[after..];
        let breaks = [rest.find('\n'), rest.find("\\n"), rest.find("\\r")];
        let line_end = after + breaks.into_iter().flatten().min().unwrap_or(0);
        let first = |part: &str| part.len() - part.trim_start_matches(is_base64).len();
        let len = body_len(text[line_end..].split_inclusive('\n'), first);
        let escaped = escaped_body_len(&text[line_end..]);
        if len.max(escaped) > 0 {
            found.push(line_end..line_end + len.max(escaped));
        }
    }
    for (at, mark) in text.match_indices("Private-MAC:") {
        let start = at + mark.len() + text[at + mark.len()..].len()
            - text[at + mark.len()..].trim_start().len();
        let len = text[start..].bytes().take_while(u8::is_ascii_hexdigit).count();
        found.push(start..start + len);
    }
    found
}

/// The length of base64 whose line breaks are written as `\\n`.
fn escaped_body_len(text: &str) -> usize {
    let mut len = 0;
    while let Some(rest) = text.get(len..) {
        let n_break = ["\\r\\n", "\\n"]
            .iter()
            .find(|mark| rest.starts_with(**mark))
            .map_or(0, |mark| mark.len());
        let n_base64 = rest[n_break..].len() - rest[n_break..].trim_start_matches(is_base64).len();
        if n_break == 0 || n_base64 < MIN_PIECE {
            break;
        }
        len += n_break + n_base64;
    }
    len
}

/// Returns each private key in PEM form or in the form of SSH2.
fn pem(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut done = 0;
    let armor = armor(text);
    let mut lines = armor.iter().peekable();
    while let Some(line) = lines.next() {
        // Two lines may share dashes: `-----END PRIVATE KEY-------BEGIN PRIVATE KEY-----`.
        let start = line.start.max(done);
        let range = if line.begins {
            match lines.next_if(|l| !l.begins && l.end - line.start <= MAX_KEY) {
                Some(last) => start..last.end,
                None => {
                    let after = text[line.end..].split_inclusive('\n');
                    let first = |part: &str| part.len() - part.trim_start_matches(is_base64).len();
                    start..line.end + body_len(after, first)
                }
            }
        } else {
            let before = text[done..start].split_inclusive('\n').rev();
            let last = |part: &str| part.len() - part.trim_end_matches(is_base64).len();
            start - body_len(before, last)..line.end
        };
        if range.len() > line.end - start {
            done = range.end;
            found.push(range);
        }
    }
    found
}

fn armor(text: &str) -> Vec<Armor> {
    let is_label = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ';
    text.match_indices("PRIVATE KEY")
        .filter_map(|(at, what)| {
            // Reading back to the start of a long line each time would take quadratic time.
            let from = text.floor_char_boundary(at.saturating_sub(MAX_LABEL));
            let before = &text[from..at];
            let head = before.trim_end_matches(|c: char| c.is_ascii() && is_label(c as u8));
            // The trimmed characters include `BEGIN RSA `.
            let words = &before[head.len()..];
            let (words, dashes) = match words.strip_prefix(' ') {
                Some(words) => (words, "----"), // SSH2
                None => (words, "-----"),
            };
            let begins = words.starts_with("BEGIN ");
            let is_armor = head.ends_with(dashes) && (begins || words.starts_with("END "));
            let after = &text[at + what.len()..];
            let after = after.strip_prefix(" BLOCK").unwrap_or(after);
            let after = after.strip_prefix("-----").or_else(|| after.strip_prefix(" ----"))?;
            is_armor.then(|| Armor {
                start: from + head.len() - dashes.len(),
                end: text.len() - after.len(),
                begins,
            })
        })
        .collect()
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Returns how many bytes of these lines belong to a key. Returns 0 if they have fewer than `MIN_PIECE`
/// characters of base64. `part_len` returns how many bytes of the last line belong to the key.
fn body_len<'a>(lines: impl Iterator<Item = &'a str>, part_len: impl Fn(&str) -> usize) -> usize {
    let (mut len, mut n_base64) = (0, 0);
    for line in lines {
        // Remove a line number or patch mark before the line, and quotes of source code around it.
        let is_decoration =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '-' | '\\');
        let core = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
        let core = core.strip_prefix(['\t', '→', ':']).unwrap_or(line);
        let core = core.trim_matches(is_decoration).trim_end_matches("\\n");
        // A time before the line, as in the log of a build.
        let core = match core.rsplit_once(char::is_whitespace) {
            Some((time, rest))
                if time.len() <= 40 && time.contains(':') && rest.len() >= MIN_PIECE =>
            {
                rest
            }
            _ => core,
        };
        let is_header = core.starts_with("Proc-Type:")
            || core.starts_with("DEK-Info:")
            || core.starts_with("Comment:")
            || core.starts_with("Subject:");
        if !(core.chars().all(is_base64) || is_header) || len + line.len() > MAX_KEY {
            let part = part_len(line.trim_end_matches('\n'));
            if part >= MIN_PIECE {
                (len, n_base64) = (len + part, n_base64 + part);
            }
            break;
        }
        len += line.len();
        n_base64 += core.len();
    }
    if n_base64 >= MIN_PIECE { len } else { 0 }
}
