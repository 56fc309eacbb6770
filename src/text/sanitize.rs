//! Removes or escapes terminal escape sequences, control characters and invisible characters.

use std::borrow::Cow;

use anstream::adapter::strip_str;

/// One line of printable text: no escape sequences, no control or invisible characters. Line
/// breaks and other white space become spaces.
pub fn sanitize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in strip_escapes(text).chars() {
        match c {
            c if c.is_whitespace() => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Removes terminal escape sequences, and with them all control characters but white space.
///
/// Each line is parsed on its own, so that an unterminated sequence cannot hide the following
/// lines.
pub fn strip_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        return Cow::Borrowed(text);
    }
    let text = with_seven_bit_controls(text);
    let lines: Vec<String> = text.split('\n').map(|line| strip_str(line).to_string()).collect();
    Cow::Owned(lines.join("\n"))
}

/// Writes the C1 control characters (`U+009B` is CSI) in their two-byte form (`ESC [`): terminals
/// accept both, the parser only the latter. `U+0085` is a line break and stays.
fn with_seven_bit_controls(text: &str) -> Cow<'_, str> {
    let is_c1 = |c: char| matches!(c, '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}');
    if !text.contains(is_c1) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_c1(c) => out.extend(['\u{1b}', char::from(c as u8 - 0x40)]),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `text` without control characters. Line breaks are control characters too.
pub fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// `text` without invisible characters, for a reader that sees more than the user does.
pub fn without_invisible(text: &str) -> Cow<'_, str> {
    match text.contains(is_invisible) {
        true => text.replace(is_invisible, "").into(),
        false => text.into(),
    }
}

/// One line that shows each control character and each invisible character as an escape. Different
/// texts stay different.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unprintable(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out.into()
}

/// Text for a terminal: escapes control characters and invisible characters, except line breaks,
/// tabs, and the color sequences of this program.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && is_unprintable(c)) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let n = color_sequence(rest).unwrap_or(c.len_utf8());
        let (part, after) = rest.split_at(n);
        match c {
            '\n' | '\t' => out.push(c),
            // A whole color sequence.
            '\u{1b}' if n > 1 => out.push_str(part),
            c if is_unprintable(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
        rest = after;
    }
    out.into()
}

/// The length of a color sequence at the start of `text`: `ESC [ 1 ; 3 1 m`.
fn color_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some(text.len() - parameters.len() + end + 1)
}

/// JSON without control characters and invisible characters: they are escaped. The value stays the
/// same, because JSON has such characters only in strings, and white space between values.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if !json.contains(|c: char| is_unprintable(c) && !c.is_ascii_whitespace()) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            c if is_unprintable(c) && !c.is_ascii_whitespace() => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.into()
}

/// Control characters, line separators and invisible characters.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

/// Characters that have no width, change the direction of text, or can carry hidden data.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_printable_text_remains() {
        let check = |text, expected: &str| assert_eq!(sanitize(text), expected, "{text:?}");
        check("plain words, 記憶 é", "plain words, 記憶 é");
        check("two\n lines\tand\ra tab", "two  lines and a tab");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{9b}31mred", "red");
        check("\u{1b}]0;title\u{7}after", "after");
        check("\u{9d}0;title\u{9c}after", "after");
        check("\u{1b}]8;;http://x\u{1b}\\link", "link");
        check("\u{90}q\u{1b}\\after", "after");
        check("\u{1b}(Bset", "set");
        check("open\u{1b}]never closed\nnext", "open next");
        check("bell\u{7} null\0 del\u{7f} c1\u{81}", "bell null del c1");
        check("rtl\u{202e}txt zero\u{200b}width\u{feff}", "rtltxt zerowidth");
        check("tag\u{e0041}s", "tags");
        check("a\u{2028}b\u{85}c", "a b c");
        check("", "");
    }

    #[test]
    fn stripping_escapes_keeps_line_breaks_and_tabs() {
        assert_eq!(strip_escapes("\u{1b}[1mone\u{1b}[0m\r\n\ttwo"), "one\r\n\ttwo");
        assert!(matches!(strip_escapes("a\n\tb\u{85}"), Cow::Borrowed(_)));
    }

    /// ESC, OSC, C1, a line break, DEL, bidi, zero width, a tag and a line separator.
    const HOSTILE: &str = "a\u{1b}]0;t\u{7}\u{9b}5m\nb\u{7f}\u{202e}c\u{200b}\u{e0041}\u{2028}é";

    #[test]
    fn unprintable_characters_are_shown_as_escapes() {
        assert_eq!(
            escape(HOSTILE),
            "a\\u{1b}]0;t\\u{7}\\u{9b}5m\\nb\\u{7f}\\u{202e}c\\u{200b}\\u{e0041}\\u{2028}é"
        );
        assert!(matches!(escape("plain é 記憶"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_terminal_gets_colors_and_lines_only() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\tx\n";
        assert_eq!(for_terminal(text), text);
        assert_eq!(for_terminal("\u{1b}[2J\u{1b}[m\u{1b}"), "\\u{1b}[2J\u{1b}[m\\u{1b}");
        assert_eq!(for_terminal(HOSTILE), escape(HOSTILE).replace("\\n", "\n"));
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let json = format!("{{\n\t\"a\": {}}}\n", serde_json::to_string(HOSTILE).unwrap());
        let escaped = escape_json(&json);
        assert!(!escaped.contains(|c: char| is_unprintable(c) && !c.is_ascii_whitespace()));
        let value: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(value["a"], HOSTILE);
    }

    #[test]
    fn invisible_characters_are_dropped() {
        assert_eq!(without_invisible("a\u{e0041}b\u{202e}\n\u{200d}c"), "ab\nc");
    }

    proptest! {
        #[test]
        fn no_control_character_survives(text in "[\u{1b}\u{7}\u{80}-\u{9f}\\[\\]PX^_();mA0 \\\\é記✜🦀\n\0]{0,24}") {
            prop_assert!(!sanitize(&text).contains(char::is_control));
            let n_breaks = |text: &str| text.matches('\n').count();
            prop_assert_eq!(n_breaks(&strip_escapes(&text)), n_breaks(&text));
        }
    }
}
