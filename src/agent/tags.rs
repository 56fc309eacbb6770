//! Finds the known tags in a model's reply, and decodes the text between them.

/// The elements that the prompt asks for, and some that models add.
const NAMES: [&str; 21] = [
    "observation",
    "summary",
    "skip_summary",
    "type",
    "title",
    "subtitle",
    "narrative",
    "facts",
    "fact",
    "concepts",
    "concept",
    "events",
    "files_modified",
    "files_read",
    "file",
    "request",
    "investigated",
    "learned",
    "completed",
    "next_steps",
    "notes",
];

/// A known tag: `<title>`, `</title>`, `<title lang="en">`, `<skip_summary/>`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tag<'a> {
    pub name: &'a str,
    pub closes: bool,
    pub empty: bool,
    /// Byte range of the tag.
    pub start: usize,
    pub end: usize,
}

/// The known tags of `text`, in order, outside CDATA sections.
pub fn known(text: &str) -> impl Iterator<Item = Tag<'static>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = text[at..].find('<') {
            let start = at + found;
            let rest = &text[start..];
            if let Some(data) = rest.strip_prefix(CDATA) {
                // An unterminated section is plain text.
                at = start + CDATA.len() + data.find("]]>").unwrap_or(0);
                continue;
            }
            at = start + 1;
            if let Some((tag, length)) = tag(rest, start) {
                at = start + length;
                return Some(tag);
            }
        }
        None
    })
}

const CDATA: &str = "<![CDATA[";

/// Maximum length of attributes. A longer tag is text.
const LONGEST: usize = 200;

fn tag(rest: &str, start: usize) -> Option<(Tag<'static>, usize)> {
    let closes = rest[1..].starts_with('/');
    let from = 1 + usize::from(closes);
    let word = rest[from..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let written = &rest[from..from + word];
    let name = NAMES.iter().find(|name| name.eq_ignore_ascii_case(written))?;
    let attributes = &rest.as_bytes()[from + word..];
    let length = attributes.iter().take(LONGEST).position(|b| matches!(b, b'>' | b'<' | b'\n'))?;
    let (attributes, last) = (&attributes[..length], attributes[length]);
    // `<title of the book` is text.
    let plain = attributes.is_empty()
        || attributes.iter().all(|b| b.is_ascii_whitespace() || *b == b'/')
        || attributes.contains(&b'=');
    if last != b'>' || !plain {
        return None;
    }
    let empty = attributes.ends_with(b"/");
    let length = from + word + length + 1;
    Some((Tag { name, closes, empty, start, end: start + length }, length))
}

/// Decodes text between tags: CDATA sections, and each entity once.
pub fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(CDATA) {
        entities(&rest[..at], &mut out);
        rest = &rest[at + CDATA.len()..];
        let end = rest.find("]]>").unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = rest.get(end + 3..).unwrap_or("");
    }
    entities(rest, &mut out);
    out
}

fn entities(mut rest: &str, out: &mut String) {
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match entity(rest) {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
}

fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(10).position(|b| b == b';')?;
    let c = match &text[1..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control() || *c == '\n')?
        }
    };
    Some((c, end + 1))
}
