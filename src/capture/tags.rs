//! Text that is not for the memory: `<private>…</private>` of the user's, and what the client
//! and memctl itself put between tags. A parser, not an expression: tags nest, and one of the
//! two may be missing.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{self, Edit};

const PRIVATE: &str = "private";
/// The block a session is told at its start, whose fate is that of private text: cut short by
/// `head` or by the client, all of it is still memory and must not become memory again.
const OWN: &str = "memctl-context";
/// What is removed between a tag and its end.
const NAMES: [&str; 8] = [
    PRIVATE,
    OWN,
    "system-reminder",
    "local-command-stdout",
    "local-command-stderr",
    "local-command-caveat",
    "tools-used-before-summary",
    "claude-mem-context",
];
/// A tag's attributes are not longer than this.
const MAX_ATTRIBUTES: usize = 1024;

/// What is left of a text.
#[derive(Debug, PartialEq)]
pub struct Stripped<'a> {
    pub text: Cow<'a, str>,
    /// Something private was removed.
    pub private: bool,
}

impl Stripped<'_> {
    /// The user wanted none of it kept.
    pub fn wholly_private(&self) -> bool {
        self.private && self.text.trim().is_empty()
    }
}

/// Removes what is not for the memory.
pub fn strip(text: &str) -> Stripped<'_> {
    let (edits, private) = find(text);
    let text = if edits.is_empty() { text.into() } else { json::apply(text, &edits).into() };
    Stripped { text, private }
}

/// The same within the strings of a JSON text. None: nothing was to be removed.
pub fn strip_json(raw: &str) -> Option<String> {
    if suspect(raw) { json::rewrite(raw, suspect, |text| find(text).0) } else { None }
}

/// Whether a private tag opens or closes in a string of a JSON text.
pub fn has_private_json(raw: &str) -> bool {
    let private = |leaf: &json::Leaf| find(&json::unescape(&raw[leaf.inner.clone()])).1;
    suspect(raw) && json::leaves(raw).iter().any(private)
}

/// `/name args` as the user typed it, of a prompt as a transcript has it:
/// `<command-name>/name</command-name> … <command-args>args</command-args>`.
pub fn slash_command(text: &str) -> Option<String> {
    if !text.trim_start().starts_with("<command-") {
        return None;
    }
    let inside = |name: &str| {
        let from = text.split_once(&format!("<{name}>"))?.1;
        Some(from.split_once(&format!("</{name}>"))?.0.trim())
    };
    let typed = [inside("command-name")?, inside("command-args").unwrap_or("")].join(" ");
    Some(typed.trim_end().to_owned())
}

struct Tag {
    place: Range<usize>,
    name: &'static str,
    closes: bool,
}

fn find(text: &str) -> (Vec<Edit>, bool) {
    let tags = tags(text);
    if tags.is_empty() {
        return (Vec::new(), false);
    }
    let mut ranges = Vec::new();
    let mut private = false;
    for name in NAMES {
        let own: Vec<&Tag> = tags.iter().filter(|t| t.name == name).collect();
        private |= name == PRIVATE && !own.is_empty();
        blocks(name, &own, text.len(), &mut ranges);
    }
    ranges.sort_by_key(|r| r.start);
    let mut edits: Vec<Edit> = Vec::new();
    for range in ranges {
        match edits.last_mut() {
            Some(last) if range.start <= last.range.end => {
                last.range.end = last.range.end.max(range.end);
            }
            _ => edits.push(Edit { range, with: "" }),
        }
    }
    (edits, private)
}

/// From each opening tag to its end. One that is never closed reaches to the end of
/// the text when it is private or our own, else it is only talked about; a closing tag alone
/// makes all before it private.
fn blocks(name: &str, tags: &[&Tag], end: usize, ranges: &mut Vec<Range<usize>>) {
    let strict = name == PRIVATE || name == OWN;
    let mut open: Vec<usize> = Vec::new();
    for tag in tags {
        match (tag.closes, open.pop()) {
            (false, outer) => {
                open.extend(outer);
                open.push(tag.place.start);
            }
            (true, Some(start)) => ranges.push(start..tag.place.end),
            (true, None) if name == PRIVATE => ranges.push(0..tag.place.end),
            (true, None) => {}
        }
    }
    match open.first() {
        Some(&start) if strict => ranges.push(start..end),
        _ => {}
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(n) = text[at..].find('<') {
        at += n + 1;
        let Some((name, closes, after)) = name_at(bytes, at) else { continue };
        let rest = &bytes[after..bytes.len().min(after + MAX_ATTRIBUTES)];
        let Some(end) = rest.iter().position(|b| matches!(b, b'<' | b'>')) else { continue };
        if rest[end] == b'<' {
            continue;
        }
        let place = at - 1..after + end + 1;
        at = place.end;
        // `<private/>` holds nothing.
        if end > 0 && rest[end - 1] == b'/' && !closes {
            found.push(Tag { place: place.clone(), name, closes: false });
            found.push(Tag { place, name, closes: true });
        } else {
            found.push(Tag { place, name, closes });
        }
    }
    found
}

/// The known name that follows a `<`, whether the tag closes, and where the name ends.
fn name_at(bytes: &[u8], mut at: usize) -> Option<(&'static str, bool, usize)> {
    let blanks =
        |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).take(16).count();
    at += blanks(at);
    let closes = bytes.get(at) == Some(&b'/');
    if closes {
        at += 1;
        at += blanks(at);
    }
    let rest = &bytes[at..];
    let matches = |name: &&&str| {
        rest.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
            && rest.get(name.len()).is_some_and(|&b| ends_name(b))
    };
    let name = NAMES.iter().find(matches)?;
    Some((name, closes, at + name.len()))
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')
}

/// Whether the strings of a JSON text may hold a tag of ours: a `<` is followed by one of the
/// names, as far as that is not escaped, or is itself escaped.
fn suspect(raw: &str) -> bool {
    let mut rest = raw;
    while let Some(n) = rest.find('<') {
        rest = &rest[n + 1..];
        if may_follow(rest.as_bytes()) {
            return true;
        }
    }
    // `<` as its code, in either case; some others too.
    raw.contains("\\u003")
}

fn may_follow(rest: &[u8]) -> bool {
    let lead = rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'/').count();
    let rest = &rest[lead..];
    let begins = |name: &&str| {
        let alike = rest.iter().zip(name.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b));
        let n = alike.count();
        n == name.len() || rest.get(n) == Some(&b'\\')
    };
    match rest.first() {
        Some(b'\\') => true,
        Some(b) if b"pmsltc".contains(&b.to_ascii_lowercase()) => NAMES.iter().any(begins),
        _ => false,
    }
}

/// Looks for private tags in a string that passes by, byte for byte, unescaped. Sees at least
/// what [`strip`] sees in the whole.
#[derive(Debug, Default)]
pub struct Watch {
    /// A private tag opened or closed.
    pub seen: bool,
    state: Seen,
}

/// How much of a tag's beginning has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Seen {
    #[default]
    Nothing,
    /// `<`, blanks and a slash.
    Bracket,
    /// That many letters of the name.
    Letters(usize),
}

impl Watch {
    /// Whether nothing but a `<` is of interest.
    pub fn idle(&self) -> bool {
        self.state == Seen::Nothing
    }

    pub fn pass(&mut self, byte: u8) {
        let name = PRIVATE.as_bytes();
        let lower = byte.to_ascii_lowercase();
        self.state = match self.state {
            _ if byte == b'<' => Seen::Bracket,
            Seen::Bracket if byte == b'/' || byte.is_ascii_whitespace() => Seen::Bracket,
            Seen::Bracket if lower == name[0] => Seen::Letters(1),
            Seen::Letters(n) if n < name.len() && lower == name[n] => Seen::Letters(n + 1),
            Seen::Letters(n) if n == name.len() && ends_name(byte) => {
                self.seen = true;
                Seen::Nothing
            }
            _ => Seen::Nothing,
        };
    }

    /// Bytes that stand for themselves.
    pub fn pass_run(&mut self, mut run: &[u8]) {
        while !run.is_empty() {
            if self.idle() {
                let Some(n) = run.iter().position(|&b| b == b'<') else { return };
                run = &run[n..];
            }
            self.pass(run[0]);
            run = &run[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, left: &str, private: bool) {
        let stripped = strip(text);
        assert_eq!((&*stripped.text, stripped.private), (left, private), "{text:?}");
        let mut watch = Watch::default();
        watch.pass_run(text.as_bytes());
        assert!(watch.seen || !private, "not seen in passing: {text:?}");
    }

    #[test]
    fn private_text() {
        check("nothing special, a < b > c", "nothing special, a < b > c", false);
        check("a<private>b</private>c", "ac", true);
        check("a<PRIVATE class=\"x\">b</Private >c", "ac", true);
        check("a< private\n>b</ private>c", "ac", true);
        check("a<private>b<private>c</private>d</private>e", "ae", true);
        check("a<private>b</private>c<private>d</private>e", "ace", true);
        check("a<private>never closed", "a", true);
        check("a<private>b<private>c</private>d", "a", true);
        check("secret</private> open", " open", true);
        check("a<private>b</private>c</private>d", "d", true);
        check("a<private/>b", "ab", true);
        check("é<private>é</private>é", "éé", true);
        check("<privateer>b</privateer>", "<privateer>b</privateer>", false);
        check("<private without an end", "<private without an end", false);
        check("<private <b>", "<private <b>", false);
    }

    #[test]
    fn what_the_client_says() {
        check("a<system-reminder>b</system-reminder>c", "ac", false);
        check("<system-reminder> is a tag", "<system-reminder> is a tag", false);
        check("and </system-reminder> ends it", "and </system-reminder> ends it", false);
        check("a<memctl-context v=1>b", "a", false);
        check("<system-reminder>a<private>b</system-reminder>c</private>d", "d", true);
        check("<local-command-stdout>x</local-command-stdout>", "", false);
        check(
            "<system-reminder>a<system-reminder>b</system-reminder>c",
            "<system-reminder>ac",
            false,
        );
    }

    #[test]
    fn names_are_found_by_their_first_letter() {
        for name in NAMES {
            assert!(may_follow(format!("{name}>").as_bytes()), "{name}");
        }
    }

    #[test]
    fn wholly_private() {
        let check = |text: &str, expected| {
            assert_eq!(strip(text).wholly_private(), expected, "{text:?}");
        };
        check(" <private>all of it</private>\n", true);
        check("all of it</private>", true);
        check("a <private>b</private>", false);
        check("  ", false);
        check("<system-reminder>x</system-reminder>", false);
    }

    #[test]
    fn in_json() {
        fn check(raw: &str, expected: Option<&str>) {
            assert_eq!(strip_json(raw).as_deref(), expected, "{raw}");
        }
        check(r#"{"a":"x","n":1}"#, None);
        check(r#"{"a":"<b>x</b> \u003ci>"}"#, None);
        check(r#"{"a":"x<private>y</private>z","n":1}"#, Some(r#"{"a":"xz","n":1}"#));
        check(r#"{"a":"x\u003cprivate\u003ey"}"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"x\u003Cprivate>\"y"}"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"<private>\n<\/private>z"}"#, Some(r#"{"a":"z"}"#));
        check(r#"{"a":"<priv\u0061te>x"}"#, Some(r#"{"a":""}"#));
        check(r#"["-a","+<private>"," b","-</private>","c"]"#, Some(r#"["-a","+","","","c"]"#));
    }

    #[test]
    fn a_slash_command_reads_as_it_was_typed() {
        let text = "<command-name>/compact</command-name>\n   <command-message>compact\
            </command-message>\n <command-args>keep the names</command-args>";
        assert_eq!(slash_command(text).as_deref(), Some("/compact keep the names"));
        assert_eq!(slash_command("<command-name>/a</command-name>").as_deref(), Some("/a"));
        assert_eq!(slash_command("why <command-name>?"), None);
    }

    proptest! {
        #[test]
        fn in_json_as_in_text(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("<private>"), Just("</private>"), Just("< Private x='<'>"), Just("é"),
                    Just("<system-reminder>"), Just("</system-reminder>"), Just("word "),
                    Just("<memctl-context>"), Just("</memctl-context>"), Just("<"), Just("private"),
                    Just("</"), Just(">"), Just("\n"), Just("\""),
                ],
                0..24,
            )
        ) {
            let text: String = parts.concat();
            let stripped = strip(&text);
            let mut watch = Watch::default();
            watch.pass_run(text.as_bytes());
            prop_assert!(watch.seen || !stripped.private);
            let raw = format!("{{\"a\":{}}}", serde_json::to_string(&text).unwrap());
            let json = strip_json(&raw).unwrap_or(raw);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value["a"].as_str().unwrap(), &*stripped.text);
        }

        /// Words inside and outside of blocks that nest.
        #[test]
        fn nothing_private_is_left(steps in proptest::collection::vec(0u8..4, 0..40)) {
            let (mut text, mut depth, mut expected) = (String::new(), 0, String::new());
            for step in steps {
                match step {
                    0 => {
                        text.push_str("<private>");
                        depth += 1;
                    }
                    1 if depth > 0 => {
                        text.push_str("</private>");
                        depth -= 1;
                    }
                    _ if depth > 0 => text.push_str("hidden <b>"),
                    _ => {
                        text.push_str("shown <b>");
                        expected.push_str("shown <b>");
                    }
                }
            }
            prop_assert_eq!(&*strip(&text).text, expected);
        }
    }
}
