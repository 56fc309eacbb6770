//! Sentences. Code in backticks stays whole, and an abbreviation ends none.

/// The sentences of a field. A line break, full stop, semicolon, exclamation or question mark ends
/// a sentence.
pub fn sentences(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| split(line, true, &[';'])).collect()
}

/// The sentences of a paragraph that was written with care: none begins in lower case.
pub fn sentences_of_prose(text: &str) -> Vec<&str> {
    split(text, false, &[])
}

/// The sentences of a paragraph whose author may begin them in lower case.
pub fn sentences_as_typed(text: &str) -> Vec<&str> {
    split(text, true, &[])
}

fn split<'a>(text: &'a str, may_begin_lower: bool, more_ends: &[char]) -> Vec<&'a str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '`'
            && let Some(len) = code_len(&text[at..])
        {
            while chars.next_if(|(next, _)| *next < at + len).is_some() {}
            continue;
        }
        if !ends(c) && !more_ends.contains(&c) {
            continue;
        }
        let closes = |c: char| {
            ends(c) || matches!(c, ')' | '"' | '\'' | '”' | '’' | '»' | '」' | '』' | '）' | '*')
        };
        let mut end = at + c.len_utf8();
        while let Some((at, c)) = chars.next_if(|(_, c)| closes(*c)) {
            end = at + c.len_utf8();
        }
        let wide = matches!(c, '。' | '！' | '？');
        let rest = &text[end..];
        if !wide && !rest.starts_with(char::is_whitespace) {
            continue;
        }
        let next = rest.trim_start().chars().next();
        let goes_on = !may_begin_lower && next.is_some_and(char::is_lowercase);
        if c == '.' && (goes_on || is_abbreviation(&text[start..at])) {
            continue;
        }
        out.push(text[start..end].trim());
        start = end;
    }
    out.push(text[start..].trim());
    out.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    out
}

/// Whether the sign ends a sentence.
fn ends(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟')
}

/// Whether the text before a full stop ends with an abbreviation or is only a number.
fn is_abbreviation(before: &str) -> bool {
    const SHORT: [&str; 20] = [
        "e.g", "i.e", "z.b", "d.h", "vs", "etc", "bzw", "ca", "approx", "nr", "no", "p.ej", "ej",
        "т.е", "т.д", "incl", "resp", "fig", "cf", "vgl",
    ];
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let word = word.trim_start_matches(['(', '"', '«', '“']).to_lowercase();
    SHORT.contains(&word.as_str())
        || before.trim().chars().all(|c| c.is_ascii_digit())
        || word.chars().count() == 1 && word.chars().all(char::is_alphabetic)
}

/// The code spans of a plain text, without their backticks.
pub fn codes(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let span = &rest[at..];
        let Some(len) = code_len(span) else {
            rest = &span[1..];
            continue;
        };
        let code = span[..len].trim_matches('`').trim();
        if !code.is_empty() {
            out.push(code);
        }
        rest = &span[len..];
    }
    out
}

/// The length of the code span at the beginning of `text`, which is a backtick.
pub fn code_len(text: &str) -> Option<usize> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    // A span ends on its line. Longer ones are looked for no further, so that the work stays linear.
    const MAX_CODE: usize = 400;
    let inside = &text[ticks..];
    let end = inside.bytes().take(MAX_CODE).position(|b| b == b'`')?;
    let closing = inside[end..].bytes().take_while(|b| *b == b'`').count().min(ticks);
    Some(ticks + end + closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end() {
        let check = |text, want: &[&str]| assert_eq!(sentences_of_prose(text), want);
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check("Use e.g. `a. b`, v1.2. Then go.", &["Use e.g. `a. b`, v1.2.", "Then go."]);
        check("第一。第二！", &["第一。", "第二！"]);
        check("(Done.) Next", &["(Done.)", "Next"]);
        check("1. One", &["1. One"]);
        check("...", &[]);
        check("Fix it. then push", &["Fix it. then push"]);
        let typed = sentences_as_typed("Fix it. then push, e.g. a");
        assert_eq!(typed, ["Fix it.", "then push, e.g. a"]);
    }

    #[test]
    fn lines_and_semicolons_end_sentences_of_a_field() {
        let check = |text, want: &[&str]| assert_eq!(sentences(text), want, "{text}");
        check("One. Two; three\nfour", &["One.", "Two;", "three", "four"]);
        check("Run `make a; make b` first", &["Run `make a; make b` first"]);
        check("in src/main.rs 1.5 times", &["in src/main.rs 1.5 times"]);
        check("一つ。二つ", &["一つ。", "二つ"]);
        check(" \n--\n", &[]);
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in r"[`*;a-z .。é\n]{0,120}") {
            sentences(&text);
            codes(&text);
        }
    }
}
