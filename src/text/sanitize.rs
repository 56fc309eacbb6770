//! Removes escape sequences, control characters and invisible characters.

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

    proptest! {
        #[test]
        fn no_control_character_survives(text in "[\u{1b}\u{7}\u{80}-\u{9f}\\[\\]PX^_();mA0 \\\\é記✜🦀\n\0]{0,24}") {
            prop_assert!(!sanitize(&text).contains(char::is_control));
            let n_breaks = |text: &str| text.matches('\n').count();
            prop_assert_eq!(n_breaks(&strip_escapes(&text)), n_breaks(&text));
        }
    }
}
