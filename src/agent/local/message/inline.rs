//! Text inside a line of Markdown: without emphasis and links, and cut into sentences. Code in
//! backticks stays as it is.

const QUESTION_MARKS: [char; 3] = ['?', '？', '؟'];

/// The text without emphasis, link targets, tags and runs of spaces.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '`' => {
                let len = code_len(rest).unwrap_or(1);
                out.push_str(&rest[..len]);
                len
            }
            '*' | '_' if is_emphasis(&out, rest, c) => {
                rest.len() - rest.trim_start_matches(c).len()
            }
            '~' if rest.starts_with("~~") => 2,
            '!' if rest.starts_with("![") => 1,
            '[' => match link(rest) {
                Some((label, len)) => {
                    out.push_str(label);
                    len
                }
                None => push(&mut out, c),
            },
            '<' => match tag_len(rest) {
                Some(len) => {
                    push(&mut out, ' ');
                    len
                }
                None => push(&mut out, c),
            },
            c => push(&mut out, c),
        };
        rest = &rest[len..];
    }
    out.truncate(out.trim_end().len());
    out
}

/// Appends a character, spaces and controls as one space. Its length.
fn push(out: &mut String, c: char) -> usize {
    if c.is_whitespace() || c.is_control() {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    } else {
        out.push(c);
    }
    c.len_utf8()
}

/// The length of the code span at the beginning of `text`, which is a backtick.
fn code_len(text: &str) -> Option<usize> {
    let ticks = text.len() - text.trim_start_matches('`').len();
    // A span ends on its line. Longer ones are looked for no further, so that the work stays linear.
    const MAX_CODE: usize = 400;
    let inside = &text[ticks..];
    let end = inside.bytes().take(MAX_CODE).position(|b| b == b'`')?;
    let closing = inside[end..].bytes().take_while(|b| *b == b'`').count().min(ticks);
    Some(ticks + end + closing)
}

/// Whether `*` or `_` at the beginning of `rest` marks emphasis. `snake_case` and `2 * 3` do not.
fn is_emphasis(before: &str, rest: &str, c: char) -> bool {
    let run = rest.trim_start_matches(c);
    let word_before = before.chars().next_back().is_some_and(char::is_alphanumeric);
    let word_after = run.chars().next().is_some_and(char::is_alphanumeric);
    let space_before = before.chars().next_back().is_none_or(char::is_whitespace);
    let space_after = run.chars().next().is_none_or(char::is_whitespace);
    if rest.len() - run.len() >= 2 && c == '*' {
        return true;
    }
    !(space_before && space_after || word_before && word_after)
}

/// The label of the link at the beginning of `text`, and the length of both.
fn link(text: &str) -> Option<(&str, usize)> {
    const MAX_LINK: usize = 300;
    let at = |text: &str, b: u8| text.bytes().take(MAX_LINK).position(|c| c == b);
    let label = at(text, b']')?;
    let target = text[label + 1..].strip_prefix('(')?;
    let end = at(target, b')')?;
    Some((&text[1..label], label + 2 + end + 1))
}

/// The length of the HTML tag at the beginning of `text`.
fn tag_len(text: &str) -> Option<usize> {
    const TAGS: [&str; 12] =
        ["br", "details", "summary", "p", "b", "i", "em", "strong", "sub", "sup", "kbd", "code"];
    let end = text.bytes().take(40).position(|b| b == b'>')?;
    let name = text[1..end].trim_start_matches('/').trim_end_matches('/');
    let name = name.split_whitespace().next()?;
    TAGS.contains(&name).then_some(end + 1)
}

/// The sentences of a plain text.
pub fn sentences(text: &str) -> Vec<&str> {
    split(text, false)
}

/// The same of a text whose author may begin sentences in lower case.
pub fn typed_sentences(text: &str) -> Vec<&str> {
    split(text, true)
}

fn split(text: &str, may_begin_lower: bool) -> Vec<&str> {
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
        if !matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟') {
            continue;
        }
        let closes = |c: char| ".!?)\"'”’»」』）*…。！？؟".contains(c);
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

/// Whether the sentence ends with a question mark.
pub fn is_question(sentence: &str) -> bool {
    sentence.trim_end_matches(['*', '"', ')', '”', ' ']).ends_with(QUESTION_MARKS)
}

/// Whether the text asks anything.
pub fn has_question(text: &str) -> bool {
    text.contains(QUESTION_MARKS)
}

/// The text with its first letter in upper case.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The text without a final colon.
pub fn without_colon(text: &str) -> &str {
    text.trim_end_matches([':', '：', ' '])
}

/// Whether the text introduces what follows it.
pub fn ends_with_colon(text: &str) -> bool {
    text.ends_with([':', '：'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_code_stays() {
        let check = |text, want: &str| assert_eq!(plain(text), want);
        check("**Fixed** the _guard_ in `a*b*c`", "Fixed the guard in `a*b*c`");
        check("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4");
        check("See [the page](https://example.com/a) [x] a[0]", "See the page [x] a[0]");
        check("a<br>b  <T> c", "a b <T> c");
        check("~~old~~ *new*", "old new");
        check("`open", "`open");
        check("", "");
    }

    #[test]
    fn sentences_end_where_they_end() {
        let check = |text, want: &[&str]| assert_eq!(sentences(text), want);
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check("Use e.g. `a. b`, v1.2. Then go.", &["Use e.g. `a. b`, v1.2.", "Then go."]);
        check("第一。第二！", &["第一。", "第二！"]);
        check("(Done.) Next", &["(Done.)", "Next"]);
        check("1. One", &["1. One"]);
        check("...", &[]);
        assert_eq!(sentences("Fix it. then push"), ["Fix it. then push"]);
        assert_eq!(typed_sentences("Fix it. then push, e.g. a"), ["Fix it.", "then push, e.g. a"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in r"[`*_\[\]()<>~!a-z .。é\n]{0,120}") {
            let text = plain(&text);
            sentences(&text);
            codes(&text);
        }
    }
}
