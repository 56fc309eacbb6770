//! Text without the marks of a notation, as it is compared: a page or a file may be said in another one.

use std::borrow::Cow;

/// The lines of a text without line numbers and comment signs, without marks of emphasis inside words, and
/// with characters in place of their entities.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line = without_gutter(line);
        let line = entities(without_comment_sign(line));
        let chars: Vec<char> = line.chars().collect();
        for (at, c) in chars.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| chars[at]);
            if !is_emphasis(*c, before, &chars[at + 1..]) {
                out.push(*c);
            }
        }
        out.push('\n');
    }
    out
}

/// `     1\ttext`, `12→text`: how `cat -n` and clients number lines.
fn without_gutter(line: &str) -> &str {
    let rest = line.trim_start_matches(' ');
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let text = rest[digits..].strip_prefix(['\t', '→']);
    text.filter(|_| (1..=7).contains(&digits)).unwrap_or(line)
}

/// ` * text`, `// text`, `# text`. A list and a heading lose their sign, too: it is no word.
fn without_comment_sign(line: &str) -> &str {
    let bare = line.trim_start();
    const SIGNS: [&str; 8] = ["/**", "/*", "//!", "///", "//", "* ", "-- ", ";; "];
    match SIGNS.iter().find_map(|sign| bare.strip_prefix(sign)) {
        Some(rest) => rest.trim_start(),
        None => line,
    }
}

/// A run of `*` or `_` beside a letter on one side and a letter or another mark on the other side.
fn is_emphasis(c: char, before: Option<char>, after: &[char]) -> bool {
    if c != '*' {
        return false;
    }
    let next = after.iter().find(|next| **next != '*');
    before.is_some_and(|c| c.is_alphanumeric() || c == '*')
        && next.is_some_and(|c| c.is_alphanumeric())
        || before.is_some_and(|c| c == '*') && next.is_some_and(|c| c.is_alphanumeric())
}

/// `&#97;`, `&#x61;` and the named entities of XML as characters.
fn entities(line: &str) -> Cow<'_, str> {
    if !line.contains('&') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let entity = &rest[at + 1..];
        let name = entity.find(';').filter(|end| *end <= 8).map(|end| &entity[..end]);
        match name.and_then(character) {
            Some(c) => {
                out.push(c);
                rest = &entity[name.map_or(0, str::len) + 1..];
            }
            None => {
                out.push('&');
                rest = entity;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn marks_of_a_notation_are_removed() {
        for (text, expected) in [
            ("     1\tGrant the bot", "Grant the bot\n"),
            ("12→Grant", "Grant\n"),
            ("12 apples", "12 apples\n"),
            (" * admin rights", "admin rights\n"),
            ("// admin rights", "admin rights\n"),
            ("gr**an**t the", "grant the\n"),
            ("a * b", "a * b\n"),
            ("&#71;rant &#x61; &amp; &b; &", "Grant a & &b; &\n"),
            ("- item\n\nend", "- item\n\nend\n"),
        ] {
            assert_eq!(super::text(text), expected, "{text}");
        }
    }
}
