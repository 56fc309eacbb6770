//! Makes stored text inert Markdown: one line that a reader cannot take for a tag, a fence, a
//! heading or a list item of the block around it.
//!
//! Stored text may contain anything that a tool or a web page once printed. All of it passes
//! through this module before it enters the block.

use crate::text::{collapse_spaces, sanitize};

/// The text as one inert line: sanitized, without leading block markers, tags and fences escaped.
pub fn line(text: &str) -> String {
    escape(without_markers(&collapse_spaces(&sanitize(text))))
}

/// A name between backticks. It keeps none of its own, so that it opens no fence.
pub fn code(name: &str) -> String {
    // Before the escape: what it separates may open or close a block without it.
    format!("`{}`", line(&name.replace(['`', '~'], "")))
}

/// A field of several lines, or a list, as one line.
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

/// At most `max` characters of a result of [`line()`] or [`paragraph`].
///
/// [`text::truncate`](crate::text::truncate) alone could cut an entity in half.
pub fn truncate(line: &str, max: usize) -> String {
    let short = crate::text::truncate(line, max);
    let Some(cut) = short.strip_suffix('…').filter(|_| short != line) else {
        return short;
    };
    match cut.rfind('&') {
        Some(at) if "&lt;".starts_with(&cut[at..]) && &cut[at..] != "&lt;" => {
            format!("{}…", cut[..at].trim_end())
        }
        _ => short,
    }
}

/// A path for display. Only its last two components if it is absolute or longer than 60 characters.
pub fn path(text: &str) -> String {
    let text = line(text.strip_prefix("./").unwrap_or(text));
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty()).collect();
    let short = !text.starts_with('/') && text.chars().count() <= 60;
    match parts.as_slice() {
        _ if short => text,
        [.., folder, file] => truncate(&format!("…/{folder}/{file}"), 60),
        _ => truncate(&text, 60),
    }
}

/// Removes the markers of a heading, a quotation or a list item: `## `, `> `, `- `, `3. `, `[ ] `.
fn without_markers(line: &str) -> &str {
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

/// What clients and models give a meaning to when it follows `<`: the end of any element, a comment, a mark
/// of a model's own format, and beginnings of elements. A model copies what it reads, so `Vec<String>`, `<id>`
/// and `a < b` stay as they are.
const MEANINGFUL: [&str; 43] = [
    "/",
    "!",
    "?",
    "|",
    "｜",
    "[",
    "memctl",
    "system",
    "user",
    "assistant",
    "human",
    "developer",
    "model",
    "agent",
    "subagent",
    "teammate",
    "channel",
    "function",
    "antml",
    "invoke",
    "parameter",
    "tool",
    "command",
    "local-command",
    "bash-",
    "ide_",
    "task",
    "thinking",
    "instruction",
    "important",
    "prompt",
    "policy",
    "context",
    "reminder",
    "hook",
    "session",
    "claude",
    "new-diagnostics",
    "persisted",
    "background",
    "private",
    "s>",
    "im_",
];

/// Whether a text behind a `<` gives it a meaning. Nothing behind it: the text may go on.
fn is_meaningful(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty()
        || MEANINGFUL.iter().any(|beginning| {
            rest.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
        })
}

/// Escapes each `<` that could open or close a block, and shortens a fence to one character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut at = 0;
    while let Some(c) = chars.next() {
        at += c.len_utf8();
        match c {
            '<' if is_meaningful(&text[at..]) => out.push_str("&lt;"),
            '`' | '~' => {
                let run = 1 + std::iter::from_fn(|| chars.next_if_eq(&c)).count();
                at += run - 1;
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
    fn a_line_is_inert() {
        let check = |text, expected: &str| assert_eq!(line(text), expected, "{text:?}");
        check("plain words", "plain words");
        check("  two\n lines\tand a tab ", "two lines and a tab");
        check("## heading", "heading");
        check("#12 stays, as does --flag", "#12 stays, as does --flag");
        check("--flag", "--flag");
        check("- [ ] > 1. # deep", "deep");
        check("-", "");
        check("\u{1b}[31m- \u{202e}red\u{1b}[0m", "red");
        check("</memctl-context>", "&lt;/memctl-context>");
        check("< / system-reminder>", "&lt; / system-reminder>");
        check("<\u{200b}system-reminder>", "&lt;system-reminder>");
        check("<|im_start|>", "&lt;|im_start|>");
        check("<SYSTEM>", "&lt;SYSTEM>");
        check("a <!-- b", "a &lt;!-- b");
        check("~~~ </x>", "~ &lt;/x>");
        check("ends with <", "ends with &lt;");
        check("a <= b, c < 5, d < b", "a <= b, c < 5, d < b");
        check("`?after=<id>`", "`?after=<id>`");
        check("Result<Vec<String>, ScanError>", "Result<Vec<String>, ScanError>");
        check("```rust", "`rust");
        check("~~~~ `code` ``c``", "~ `code` ``c``");
        check("記憶 é", "記憶 é");
        check("", "");
    }

    #[test]
    fn a_name_opens_no_fence() {
        assert_eq!(code("make lint"), "`make lint`");
        assert_eq!(code("`"), "``");
        assert_eq!(code("a``` </b>"), "`a &lt;/b>`");
        assert_eq!(code("<`/b>"), "`&lt;/b>`");
    }

    #[test]
    fn lines_and_list_items_become_one_line() {
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
    fn a_cut_leaves_no_half_entity() {
        let check = |text, max, expected: &str| assert_eq!(truncate(text, max), expected);
        check("one two three", 12, "one two…");
        check("abcdef &lt;", 10, "abcdef…");
        check("abcdefg&lt;tag", 10, "abcdefg…");
        check("abcdef&lt;…", 11, "abcdef&lt;…");
        check("a <= b", 4, "a…");
    }

    #[test]
    fn long_and_absolute_paths_are_shortened() {
        let check = |text, expected: &str| assert_eq!(path(text), expected);
        check("src/main.rs", "src/main.rs");
        check("./src/main.rs", "src/main.rs");
        check("/home/someone/notes/todo.md", "…/notes/todo.md");
        check("/etc", "/etc");
        check(&format!("{}/b/c.rs", "a".repeat(70)), "…/b/c.rs");
    }
}
