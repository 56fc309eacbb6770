//! Finds the known tags in a model's reply and decodes the text between them.

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
    /// Byte range of the tag in the text.
    pub start: usize,
    pub end: usize,
}

/// The known tags of `text`, in order, outside CDATA sections.
pub fn known(text: &str) -> impl Iterator<Item = Tag<'static>> + '_ {
    let mut at = 0;
    // Once there is no further end of a section, it is not searched for again.
    let mut has_end = true;
    std::iter::from_fn(move || {
        while let Some(found) = text[at..].find('<') {
            let start = at + found;
            let rest = &text[start..];
            if let Some(data) = rest.strip_prefix(CDATA) {
                // An unterminated section is plain text.
                let end = if has_end { data.find("]]>") } else { None };
                has_end = end.is_some();
                at = start + CDATA.len() + end.unwrap_or(0);
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

/// Maximum bytes of a tag's attributes. A longer tag is plain text.
const MAX_ATTRIBUTES: usize = 200;

/// The known tag at the beginning of `rest`, and its length. `start` is its position in the text.
fn tag(rest: &str, start: usize) -> Option<(Tag<'static>, usize)> {
    let closes = rest[1..].starts_with('/');
    let from = 1 + usize::from(closes);
    let name_len =
        rest[from..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    let written = &rest[from..from + name_len];
    let name = NAMES.iter().find(|name| name.eq_ignore_ascii_case(written))?;
    let attributes = &rest.as_bytes()[from + name_len..];
    let attributes_len =
        attributes.iter().take(MAX_ATTRIBUTES).position(|b| matches!(b, b'>' | b'<' | b'\n'))?;
    let (attributes, end) = (&attributes[..attributes_len], attributes[attributes_len]);
    // `<title of the book>` is text.
    let is_tag = attributes.is_empty()
        || attributes.iter().all(|b| b.is_ascii_whitespace() || *b == b'/')
        || attributes.contains(&b'=');
    if end != b'>' || !is_tag {
        return None;
    }
    let empty = attributes.ends_with(b"/");
    let length = from + name_len + attributes_len + 1;
    Some((Tag { name, closes, empty, start, end: start + length }, length))
}

/// Decodes the text between two tags: CDATA sections and entities. Each entity is decoded once.
pub fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(CDATA) {
        decode_entities(&rest[..at], &mut out);
        rest = &rest[at + CDATA.len()..];
        let end = rest.find("]]>").unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = rest.get(end + 3..).unwrap_or("");
    }
    decode_entities(rest, &mut out);
    out
}

fn decode_entities(mut rest: &str, out: &mut String) {
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

/// The character of the entity at the beginning of `text`, and the entity's length.
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
