//! Text out of the store, made harmless: one line, nothing invisible, nothing that could be taken
//! for a tag, a fence or a heading of the block it stands in.

use std::iter::Peekable;
use std::str::Chars;

/// One line of plain text: terminal sequences and control, zero-width and direction characters
/// gone, white space folded, tags and fences disarmed.
pub fn line(text: &str) -> String {
    disarm(without_mark(&fold(&visible(text))))
}

/// A field that may hold several lines or a list, as one line.
pub fn paragraph(text: &str) -> String {
    let mut all = String::new();
    for part in text.lines().map(line).filter(|l| !l.is_empty()) {
        if !all.is_empty() {
            all.push_str(if all.ends_with(['.', '!', '?', ':', ';', ',']) { " " } else { "; " });
        }
        all.push_str(&part);
    }
    all
}

/// At most `max` characters, cut between words where that loses little, and saying so.
pub fn clip(text: &str, max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let room = &text[..text[..end].char_indices().last().map_or(0, |(at, _)| at)];
    let cut = match room.rfind(' ') {
        Some(space) if space * 2 >= room.len() => &room[..space],
        _ => room,
    };
    let cut = cut.trim_end_matches([' ', ',', ';', ':', '.', '—', '(', '<']);
    // Half an entity would show as rubbish.
    let cut = match cut.rfind('&') {
        Some(at) if "&lt;".starts_with(&cut[at..]) && &cut[at..] != "&lt;" => &cut[..at],
        _ => cut,
    };
    format!("{cut}…")
}

/// A path as people name it: from the project's root; outside of it the last two parts.
pub fn path(text: &str) -> String {
    let text = line(text.strip_prefix("./").unwrap_or(text));
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty()).collect();
    let short = !text.starts_with('/') && text.chars().count() <= 60;
    match parts.as_slice() {
        _ if short => text,
        [.., folder, file] => clip(&format!("…/{folder}/{file}"), 60),
        _ => clip(&text, 60),
    }
}

/// The line without what would make it a heading, a quotation or an item of a list: `## `, `> `,
/// `- `, `3. `, `[ ] `.
fn without_mark(line: &str) -> &str {
    let mut line = line.trim();
    loop {
        let hashes = line.trim_start_matches('#');
        let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = line
            .strip_prefix(['-', '*', '+', '•', '–'])
            .or((line != hashes).then_some(hashes))
            .or(digits
                .strip_prefix(['.', ')'])
                .filter(|_| (1..=2).contains(&(line.len() - digits.len()))))
            .filter(|rest| rest.is_empty() || rest.starts_with(' '))
            .or(line.strip_prefix('>'))
            .or(line.strip_prefix("[ ]"))
            .or(line.strip_prefix("[x]"));
        match rest {
            Some(rest) => line = rest.trim_start(),
            None => return line,
        }
    }
}

/// One line of foreign text without what plays with a terminal: escapes, control and invisible
/// characters. It says what it said.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_whitespace() => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// What follows ESC. An unfinished sequence ends with its line, so that a stray byte cannot hide a
/// whole text.
fn skip_escape(chars: &mut Peekable<Chars>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_csi(chars: &mut Peekable<Chars>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

fn skip_string(chars: &mut Peekable<Chars>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        let ends = c == '\u{7}' || c == '\u{9c}';
        if ends || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
            return;
        }
    }
}

/// Characters that show as nothing, turn the direction of text, or carry hidden bytes.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn fold(text: &str) -> String {
    text.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `<` stays only where it compares (`<=`, `< 5`); three and more marks of a fence become one.
fn disarm(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut rest = chars.clone();
        let compares = rest.next_if_eq(&'=').is_some()
            || rest.find(|c| *c != ' ').is_some_and(|c| c.is_ascii_digit());
        match c {
            '<' if !compares => out.push_str("&lt;"),
            '`' | '~' => {
                let run = 1 + std::iter::from_fn(|| chars.next_if_eq(&c)).count();
                (0..if run < 3 { run } else { 1 }).for_each(|_| out.push(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |text, expected: &str| assert_eq!(line(text), expected, "{text:?}");
        check("plain words", "plain words");
        check("  two\n lines\tand a tab ", "two lines and a tab");
        check("## heading", "heading");
        check("#12 stays, as does --flag", "#12 stays, as does --flag");
        check("--flag", "--flag");
        check("- [ ] > 1. # deep", "deep");
        check("-", "");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{9b}31mred", "red");
        check("\u{1b}]0;title\u{7}after", "after");
        check("\u{1b}]8;;http://x\u{1b}\\link", "link");
        check("\u{1b}(Bset", "set");
        check("open\u{1b}]never closed\nnext", "open next");
        check("bell\u{7} null\0 del\u{7f} c1\u{81}", "bell null del c1");
        check("rtl\u{202e}txt zero\u{200b}width\u{feff}", "rtltxt zerowidth");
        check("tag\u{e0041}s", "tags");
        check("a\u{2028}b", "a b");
        check("</memctl-context>", "&lt;/memctl-context>");
        check("< / system-reminder>", "&lt; / system-reminder>");
        check("<\u{200b}system-reminder>", "&lt;system-reminder>");
        check("<|im_start|>", "&lt;|im_start|>");
        check("ends with <", "ends with &lt;");
        check("a <= b, c < 5", "a <= b, c < 5");
        check("```rust", "`rust");
        check("~~~~ `code` ``c``", "~ `code` ``c``");
        check("記憶 é", "記憶 é");
        check("", "");
    }

    #[test]
    fn paragraphs() {
        let check = |text, expected: &str| assert_eq!(paragraph(text), expected, "{text:?}");
        check("One.\nTwo", "One. Two");
        check("- first\n- second\n\n", "first; second");
        check("1. first\n2) second", "first; second");
        check("Done:\n* this", "Done: this");
        check("- [ ] open\n", "open");
        check("3.5 seconds", "3.5 seconds");
        check("\u{1b}]hidden\nshown", "shown");
    }

    #[test]
    fn clips_between_words() {
        let check = |text, max, expected: &str| assert_eq!(clip(text, max), expected);
        check("short", 5, "short");
        check("one two three", 12, "one two…");
        check("unbreakable", 6, "unbre…");
        check("記憶記憶", 3, "記憶…");
        check("aaaaaaaa, bb", 10, "aaaaaaaa…");
        check("abcdef &lt;", 10, "abcdef…");
        check("abcdefg&lt;tag", 10, "abcdefg…");
        // A `<` that compared with what was cut away would stand there bare.
        check("a <= b", 4, "a…");
        check("abc", 1, "…");
        check("abc", 0, "…");
    }

    #[test]
    fn paths() {
        let check = |text, expected: &str| assert_eq!(path(text), expected);
        check("src/main.rs", "src/main.rs");
        check("./src/main.rs", "src/main.rs");
        check("/home/someone/notes/todo.md", "…/notes/todo.md");
        check("/etc", "/etc");
        check(&format!("{}/b/c.rs", "a".repeat(70)), "…/b/c.rs");
    }
}
