//! Sentences: taking Markdown apart, telling what a sentence is about, and making text fit without
//! breaking it.

/// A sentence or list item of a message, cleaned of Markdown's emphasis.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub text: String,
    pub about: About,
    /// 0 for a paragraph or an outer list item, more for items below others.
    pub depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What was done.
    Done,
    /// What was found out.
    Found,
    /// What is still to do.
    Next,
    /// What the assistant asks the user.
    Question,
    /// A choice and its reason.
    Decision,
    /// Nothing says which.
    Plain,
}

/// The sentences of a message, in order, each sorted by its own words, else by the heading or the
/// lead-in above it. Code blocks, tables and pleasantries are left out.
pub fn sentences(message: &str) -> Vec<Sentence> {
    let mut out: Vec<Sentence> = Vec::new();
    let mut heading = About::Plain;
    let mut in_code = false;
    for raw in message.lines() {
        let line = raw.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
            continue;
        }
        if in_code
            || line.is_empty()
            || line.starts_with('|')
            || line.contains("bytes cut]")
            || is_rule(line)
        {
            continue;
        }
        if out.len() >= MOST {
            break;
        }
        let (text, item) = strip_marker(line);
        let clean = inline(text);
        let is_heading = line.starts_with('#')
            || (clean.ends_with([':', '：']) && clean.chars().count() <= 160)
            || (!item
                && text.starts_with("**")
                && text.ends_with("**")
                && clean.chars().count() <= 80);
        if is_heading {
            heading = heading_about(&clean);
            continue;
        }
        let depth = if item { (raw.len() - raw.trim_start().len()) / 2 } else { 0 };
        for text in split(&clean) {
            if is_pleasantry(&text) {
                continue;
            }
            let about = sort(&text, heading);
            out.push(Sentence { text, about, depth });
        }
    }
    out
}

/// A message with more sentences than this is an essay; its beginning says what it is about.
const MOST: usize = 200;

/// Removes terminal escapes.
pub fn without_colours(text: &str) -> String {
    if !text.contains('\u{1b}') {
        return text.replace('\r', "\n");
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(if c == '\r' { '\n' } else { c });
            continue;
        }
        if chars.next_if_eq(&'[').is_some() {
            while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
        } else {
            chars.next();
        }
    }
    out
}

/// At most `max` characters of one line: whole when it fits, else up to a clause's or a word's end,
/// never inside a word, and without a mark that something was left out.
pub fn fit(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max {
        return line;
    }
    let head: String = line.chars().take(max + 1).collect();
    let clause = ["; ", " — ", " – ", ": ", ", ", " (", "。", "，", "、"]
        .iter()
        .filter_map(|mark| head.rfind(mark))
        .filter(|at| head[..*at].chars().count() * 5 >= max * 3)
        .max();
    let end = clause
        .or_else(|| head.rfind(' '))
        .unwrap_or_else(|| head.char_indices().nth(max).map_or(head.len(), |(at, _)| at));
    let mut cut = head[..end].trim_end().to_owned();
    if cut.matches('`').count() % 2 == 1 {
        match cut.rfind('`').filter(|at| cut[..*at].chars().count() * 2 >= max) {
            Some(at) => cut.truncate(at),
            None => cut.push('`'),
        }
    }
    let mut kept = cut.trim_end_matches([' ', ',', ';', ':', '(', '—', '–', '-']);
    while let Some((before, last)) = kept.rsplit_once(' ') {
        let bare = last.trim_matches(|c: char| !c.is_alphanumeric());
        if !DANGLING.contains(&bare.to_ascii_lowercase().as_str()) {
            break;
        }
        kept = before.trim_end_matches([' ', ',', ';', ':', '(', '—', '–', '-']);
    }
    let open = kept.matches('(').count() > kept.matches(')').count();
    if open { format!("{kept})") } else { kept.to_owned() }
}

/// Words no line should end with.
const DANGLING: [&str; 34] = [
    "and", "or", "the", "a", "an", "of", "to", "with", "in", "on", "for", "by", "from", "at", "as",
    "into", "that", "which", "when", "is", "are", "its", "their", "now", "but", "so", "because",
    "und", "der", "die", "das", "et", "le", "la",
];

/// The first `max` characters' worth of whole sentences, put together as one paragraph.
pub fn paragraph<'a>(sentences: impl Iterator<Item = &'a str>, max: usize) -> String {
    let mut out = String::new();
    for sentence in sentences {
        let sentence = sentence.trim();
        let room = max.saturating_sub(out.chars().count());
        if sentence.is_empty() || out.contains(&capital(sentence)) {
            continue;
        }
        let piece = if out.is_empty() { fit(sentence, max) } else { sentence.to_owned() };
        if piece.chars().count() + 2 > room && !out.is_empty() {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&capital(&piece));
        if !piece.ends_with(['.', '!', '?', '。', '！', '？', ':', '…']) {
            out.push('.');
        }
    }
    out
}

/// With a capital first letter, unless it begins with code or a name in mixed letters.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let word = text.split_whitespace().next().unwrap_or("");
    let code = word
        .chars()
        .skip(1)
        .any(|c| c.is_uppercase() || matches!(c, '_' | '/' | '.' | ':' | '(' | '='));
    if code { text.to_owned() } else { first.to_uppercase().chain(chars).collect() }
}

/// Without emphasis, links' addresses and emoji at the front; code stays in its backticks.
pub fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix('`') {
            let end = code.find('`').map_or(rest.len(), |e| e + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if rest.starts_with("**") || rest.starts_with("__") && !in_word(&out, &rest[2..]) {
            rest = &rest[2..];
        } else if c == '*'
            && !rest[1..].starts_with(' ')
            && !out.ends_with(|c: char| c.is_alphanumeric())
            && rest[1..].contains('*')
        {
            let end = rest[1..].find('*').unwrap_or(0) + 1;
            out.push_str(&rest[1..end]);
            rest = &rest[end + 1..];
        } else if let Some((label, after)) = link(rest) {
            out.push_str(label);
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out.trim_start_matches(|c: char| !c.is_alphanumeric() && !"`\"'([{<#/.-@$~_“„«¿¡".contains(c))
        .trim()
        .to_owned()
}

fn in_word(before: &str, after: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    before.ends_with(word) || after.starts_with(word)
}

/// `[label](address)` at the beginning: the label, and what follows.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let (label, rest) = inner.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!label.contains(['[', '\n'])).then_some((label, after))
}

/// A list item's text, and whether it was one.
fn strip_marker(line: &str) -> (&str, bool) {
    let hashes = line.trim_start_matches('#');
    if hashes.len() != line.len() && hashes.starts_with(' ') {
        return (hashes.trim_start(), false);
    }
    if let Some(rest) = line.strip_prefix("> ") {
        return (rest.trim_start(), false);
    }
    for marker in ["- [x] ", "- [X] ", "- [ ] ", "- ", "* ", "+ ", "• ", "– "] {
        if let Some(rest) = line.strip_prefix(marker) {
            return (rest.trim_start(), true);
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        for marker in [". ", ") "] {
            if let Some(rest) = line[digits..].strip_prefix(marker) {
                return (rest.trim_start(), true);
            }
        }
    }
    (line, false)
}

fn is_rule(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '*' | '=' | '_' | ' '))
}

/// Splits a paragraph at the ends of its sentences; not inside code, and not after `e.g.`.
pub fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut in_code = false;
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    for (i, (at, c)) in chars.iter().enumerate() {
        if *c == '`' {
            in_code = !in_code;
        }
        let next = chars.get(i + 1).map(|(_, c)| *c);
        let wide = matches!(c, '。' | '！' | '？');
        let narrow = matches!(c, '.' | '!' | '?') && next == Some(' ') && {
            let after = chars.get(i + 2).map_or('A', |(_, c)| *c);
            !after.is_lowercase() && !abbreviation(&text[start..*at])
        };
        if !in_code && (wide || narrow) {
            let end = at + c.len_utf8();
            out.push(text[start..end].trim().to_owned());
            start = end;
        }
    }
    out.push(text[start..].trim().to_owned());
    out.retain(|s| s.chars().any(char::is_alphanumeric));
    out
}

fn abbreviation(before: &str) -> bool {
    let word = before.rsplit([' ', '(']).next().unwrap_or("").to_ascii_lowercase();
    matches!(
        word.as_str(),
        "e.g" | "i.e" | "vs" | "etc" | "cf" | "approx" | "no" | "z.b" | "p.ex" | "dr" | "mr"
    ) || (!word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit()))
}

/// What stands under a heading or a lead-in such as `Next steps:`.
fn heading_about(heading: &str) -> About {
    let low = heading.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| low.contains(w));
    if has(&[
        "next",
        "todo",
        "to do",
        "remaining",
        "follow-up",
        "followup",
        "left to",
        "what's left",
        "recommend",
        "suggest",
        "outstanding",
        "not done",
        "nächste",
        "offen",
        "prochain",
        "reste",
        "siguiente",
        "pendiente",
        "下一步",
        "次の",
    ]) {
        About::Next
    } else if has(&[
        "decision",
        "decided",
        "trade-off",
        "tradeoff",
        "design choice",
        "entscheidung",
        "décision",
        "decisión",
    ]) {
        About::Decision
    } else if has(&[
        "root cause",
        "cause",
        "finding",
        "found",
        "problem",
        "issue",
        "analysis",
        "why",
        "how it works",
        "overview",
        "learned",
        "investigat",
        "notes",
        "ursache",
        "hallazgo",
        "原因",
    ]) {
        About::Found
    } else if has(&[
        "change",
        "did",
        "done",
        "completed",
        "implemented",
        "fixed",
        "summary",
        "added",
        "result",
        "updated",
        "created",
        "fix",
        "solution",
        "files",
        "cambio",
        "änderung",
        "modifi",
        "变更",
        "変更",
    ]) {
        About::Done
    } else {
        About::Plain
    }
}

fn sort(text: &str, heading: About) -> About {
    let low = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| low.contains(w));
    let starts = |words: &[&str]| words.iter().any(|w| low.starts_with(w));
    if text.ends_with(['?', '？']) {
        return About::Question;
    }
    if starts(&[
        "next",
        "todo",
        "to do:",
        "remaining",
        "still to",
        "still need",
        "follow-up",
        "not yet",
        "you'll need",
        "you will need",
        "you may want",
        "you might want",
        "i recommend",
        "i'd recommend",
        "i suggest",
        "consider ",
        "als nächstes",
        "noch offen",
        "prochaine",
        "il reste",
        "siguiente",
        "falta",
    ]) {
        return About::Next;
    }
    if is_done(&low) {
        return if has(&[
            " instead of ",
            " rather than ",
            "so that we don't",
            "decided to",
            "chose ",
        ]) && !low.starts_with("fixed")
        {
            About::Decision
        } else {
            About::Done
        };
    }
    if has(&[
        "decided to",
        "i chose",
        "we chose",
        "chose to",
        "opted for",
        "opted to",
        "went with",
        "going with",
        "trade-off",
        "tradeoff",
        "entschieden",
        "j'ai choisi",
        "decidí",
    ]) {
        return About::Decision;
    }
    if heading == About::Next {
        return About::Next;
    }
    if has(&[
        "root cause",
        "turns out",
        "caused by",
        "the cause",
        "the reason",
        "the bug was",
        "the bug is",
        "the problem was",
        "the problem is",
        "the issue was",
        "the issue is",
        "i found",
        "found that",
        "discovered",
        "because ",
        "happens when",
        "due to ",
    ]) {
        return About::Found;
    }
    if has(&[
        " should ",
        "remains to",
        "still needs",
        "still need to",
        "needs to be",
        "left to do",
        "todo",
        "next step",
        "not implemented yet",
        "sollte",
        "devrait",
        "debería",
    ]) && heading != About::Found
    {
        return About::Next;
    }
    if has(&[
        " pass.",
        " pass,",
        "all green",
        "tests pass",
        " passed",
        "passing",
        "is now ",
        "are now ",
        " now ",
        "has been ",
        "have been ",
        "were added",
        "was added",
        "was removed",
        "is clean",
        "committed",
        "pushed",
    ]) {
        return About::Done;
    }
    if heading != About::Plain {
        return heading;
    }
    if has(&[
        " is defined in",
        " lives in",
        " is stored in",
        " are stored in",
        " is set ",
        " defaults to",
        " works by",
        " is called ",
        " is handled ",
        " uses ",
        " means ",
    ]) {
        return About::Found;
    }
    About::Plain
}

/// Whether a lowercased sentence begins by saying that something was done.
pub fn is_done(low: &str) -> bool {
    let mut rest = low;
    for lead in [
        "also ",
        "and ",
        "then ",
        "now ",
        "i've ",
        "i have ",
        "i also ",
        "i ",
        "we've ",
        "we have ",
        "we ",
        "successfully ",
        "finally, ",
        "first, ",
    ] {
        rest = rest.strip_prefix(lead).unwrap_or(rest);
    }
    // "`parser.rs`: added a guard", "spotter-1 — Extracted …"
    let tail = [": ", " — ", " – ", " - "]
        .iter()
        .filter_map(|mark| rest.split_once(mark))
        .map(|(_, tail)| tail);
    std::iter::once(rest).chain(tail).any(|text| {
        let word = text.split(|c: char| !c.is_alphabetic() && c != '-').next().unwrap_or("");
        DONE.contains(&word)
    })
}

/// Verbs of work done, in the past.
const DONE: [&str; 86] = [
    "added",
    "adapted",
    "adjusted",
    "applied",
    "bumped",
    "built",
    "changed",
    "cleaned",
    "closed",
    "committed",
    "configured",
    "consolidated",
    "converted",
    "copied",
    "corrected",
    "covered",
    "created",
    "cut",
    "deduplicated",
    "defined",
    "deleted",
    "deployed",
    "disabled",
    "documented",
    "dropped",
    "enabled",
    "ensured",
    "exposed",
    "extended",
    "extracted",
    "fixed",
    "formatted",
    "generated",
    "guarded",
    "handled",
    "hardened",
    "implemented",
    "improved",
    "increased",
    "inlined",
    "installed",
    "integrated",
    "introduced",
    "limited",
    "made",
    "merged",
    "migrated",
    "modified",
    "moved",
    "optimized",
    "patched",
    "pinned",
    "ported",
    "pushed",
    "reduced",
    "refactored",
    "registered",
    "removed",
    "renamed",
    "reordered",
    "repaired",
    "replaced",
    "resolved",
    "restored",
    "restructured",
    "reverted",
    "rewrote",
    "rewritten",
    "set",
    "simplified",
    "split",
    "switched",
    "tested",
    "tightened",
    "translated",
    "tuned",
    "unified",
    "updated",
    "upgraded",
    "used",
    "validated",
    "verified",
    "wired",
    "wrapped",
    "wrote",
    "parametrized",
];

fn is_pleasantry(text: &str) -> bool {
    let low = text.to_lowercase();
    let bare = low.trim_matches(|c: char| !c.is_alphanumeric());
    const WHOLE: [&str; 22] = [
        "done",
        "all done",
        "great",
        "perfect",
        "sure",
        "ok",
        "okay",
        "yes",
        "no",
        "thanks",
        "good",
        "all set",
        "fertig",
        "listo",
        "terminé",
        "summary",
        "everything is clean",
        "all green",
        "everything works",
        "here you go",
        "finished",
        "complete",
    ];
    const FRONT: [&str; 12] = [
        "let me know",
        "let me ",
        "i'll ",
        "i will ",
        "i'm going to",
        "feel free",
        "here's a ",
        "here is a ",
        "happy to",
        "if you'd like",
        "great question",
        "you're absolutely right",
    ];
    WHOLE.contains(&bare) || FRONT.iter().any(|f| low.starts_with(f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(message: &str, expected: &[(&str, About)]) {
        let got: Vec<(String, About)> =
            sentences(message).into_iter().map(|s| (s.text, s.about)).collect();
        let expected: Vec<(String, About)> =
            expected.iter().map(|(t, a)| ((*t).to_owned(), *a)).collect();
        assert_eq!(got, expected, "{message}");
    }

    #[test]
    fn sorts_what_an_assistant_says() {
        sorted(
            "All done! I've added a guard in `src/parser.rs`. The cause was an unchecked index.\n\nNext steps:\n- Document the flag\n- Tests for **Windows**",
            &[
                ("I've added a guard in `src/parser.rs`.", About::Done),
                ("The cause was an unchecked index.", About::Found),
                ("Document the flag", About::Next),
                ("Tests for Windows", About::Next),
            ],
        );
        sorted(
            "Here's a summary:\n1. **x.1** — Extracted the [renderer](http://a/b)\n   - `Foo` with `bar.baz`\n```\ncode. Is left out.\n```\nWould you like me to push?",
            &[
                ("x.1 — Extracted the renderer", About::Done),
                ("`Foo` with `bar.baz`", About::Done),
                ("Would you like me to push?", About::Question),
            ],
        );
        sorted(
            "Decided to keep SQLite instead of Postgres. The docs should mention it.",
            &[
                ("Decided to keep SQLite instead of Postgres.", About::Decision),
                ("The docs should mention it.", About::Next),
            ],
        );
        sorted(
            "Der Parser liest jetzt leere Dateien. Siehe src/parser.rs.",
            &[
                ("Der Parser liest jetzt leere Dateien.", About::Plain),
                ("Siehe src/parser.rs.", About::Plain),
            ],
        );
    }

    #[test]
    fn fits_without_breaking() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(
            fit("guard for the empty input and the rest of it", 30),
            "guard for the empty input"
        );
        assert_eq!(fit("one two three, four five six seven", 18), "one two three");
        assert_eq!(
            fit("`parse everything` as it comes `or not` please", 36),
            "`parse everything` as it comes"
        );
        assert_eq!(fit("call it with `parse everything now` please", 24), "call it");
        assert_eq!(
            fit("a rather long beginning `of some code` here", 30),
            "a rather long beginning"
        );
        assert_eq!(fit("wwwwwwwwwwwwwwwwwwwwww", 5), "wwwww");
    }

    #[test]
    fn joins_whole_sentences_only() {
        assert_eq!(
            paragraph(["added x", "fixed y.", "fixed y."].into_iter(), 100),
            "Added x. Fixed y."
        );
        assert_eq!(paragraph(["added x", "a much longer sentence"].into_iter(), 20), "Added x.");
    }
}
