//! Reads a string from truncated JSON, which no longer parses.

/// The string after `"key":` in `text`, up to its closing quote or the end of the text.
pub fn salvage(text: &str, key: &str) -> Option<String> {
    let quoted = format!("\"{key}\"");
    let mut rest = text;
    loop {
        let at = rest.find(&quoted)?;
        rest = &rest[at + quoted.len()..];
        let Some(value) = rest.trim_start().strip_prefix(':') else { continue };
        if let Some(string) = value.trim_start().strip_prefix('"') {
            return Some(unescape(string));
        }
    }
}

/// Decodes a JSON string. `inside` begins after the opening quote.
fn unescape(inside: &str) -> String {
    let mut out = String::new();
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => {}
                Some('u') => {
                    let code: String = chars.by_ref().take(4).collect();
                    let known = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    out.push(known.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(escaped) => out.push(escaped),
                None => break,
            },
            _ => out.push(c),
        }
    }
    out
}
