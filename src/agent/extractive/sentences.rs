//! What an assistant said, sentence by sentence, and what each is about: something done, found
//! out, decided, still to do, asked. In a language whose words are not known a sentence stays
//! `Plain`, and whoever reads it goes by its place.

use super::lines::{is_ruler, strip_marker, unwrapped};
use super::prose::{capital, inline, split};
use super::words::{self, Words};

/// A sentence or list item of a message, cleaned of Markdown's emphasis.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    pub text: String,
    pub about: About,
    /// 0 for a paragraph or an outer list item, more for items below others.
    pub depth: usize,
    /// Whether it was an item of a list.
    pub item: bool,
    /// Whether it opens its paragraph or item; what follows it explains.
    pub opens: bool,
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
    if still_at_it(message) {
        return Vec::new();
    }
    let mut out: Vec<Sentence> = Vec::new();
    let mut heading = About::Plain;
    // What the last real heading or lead-in announced; titles below it inherit that.
    let mut outer = About::Plain;
    let mut section = About::Plain;
    let mut below = 0;
    let mut listed = false;
    let mut in_code = false;
    // The lead-in of the list that follows, and how many names of it were told.
    let mut lead: Option<(String, usize)> = None;
    for raw in unwrapped(message) {
        let raw = raw.as_str();
        let line = raw.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
            continue;
        }
        if in_code
            || line.is_empty()
            || line.starts_with('|')
            || line.contains("bytes cut]")
            || is_ruler(line)
        {
            continue;
        }
        if out.len() >= MOST {
            break;
        }
        let (text, item) = strip_marker(line);
        let clean = inline(text);
        let bold =
            !item && text.starts_with("**") && text.ends_with("**") && clean.chars().count() <= 90;
        let announces = clean.ends_with([':', '：']);
        let (before, last) = if announces { last_sentence(&clean) } else { ("", clean.as_str()) };
        if line.starts_with('#') || announces && last.chars().count() <= 160 {
            tell(&mut out, before, heading, 0, false);
            let about = heading_about(last);
            let text = without_opening(last.trim_end_matches([':', '：']));
            lead = (!line.starts_with('#') && tells(text)).then(|| (text.to_owned(), 0));
            let own = if line.starts_with('#') || !tells(text) {
                About::Plain
            } else {
                sort(text, About::Plain)
            };
            if matches!(own, About::Done | About::Found) {
                let text = text.to_owned();
                out.push(Sentence { text, about: own, depth: 0, item: false, opens: true });
            }
            outer = if about == About::Plain && line.starts_with("###") { outer } else { about };
            if line.starts_with('#') {
                section = outer;
            }
            (heading, below, listed) = (outer, 0, false);
            continue;
        }
        if bold {
            heading = heading_about(&clean);
            below = 0;
            if heading != About::Plain {
                continue;
            }
            // A title of its own, under what was announced above: "**x.7 — Launch the review**".
            heading = outer;
            if clean.split_whitespace().count() < 3 {
                continue;
            }
            (below, listed) = (1, false);
        }
        // A paragraph below the list that a lead-in announced is no part of it.
        if !item && listed {
            (heading, outer, below, listed) = (section, section, 0, false);
        }
        listed |= item && below == 0;
        if item && is_name(text) && matches!(heading, About::Plain | About::Done) {
            // A list of names says nothing without its lead-in, and what a heading lists are files.
            if let Some((lead, told)) = &mut lead {
                named(&mut out, lead, told, &clean);
            }
            continue;
        }
        let depth = if item { (raw.len() - raw.trim_start().len()) / 2 + below } else { 0 };
        tell(&mut out, &clean, heading, depth, item);
    }
    out
}

/// Nothing but a name: `` `cache: ttl` ``.
fn is_name(item: &str) -> bool {
    let inner =
        item.trim_end_matches(['.', ',']).strip_prefix('`').and_then(|i| i.strip_suffix('`'));
    inner.is_some_and(|inner| !inner.contains('`'))
}

/// Tells a name with the lead-in that it stands under: `All three are there: a, b`.
fn named(out: &mut Vec<Sentence>, lead: &str, told: &mut usize, name: &str) {
    const NAMES: usize = 5;
    let name = name.trim_end_matches(['.', ',']);
    match out.last_mut().filter(|s| s.text.starts_with(lead)) {
        Some(_) if *told >= NAMES => return,
        Some(last) if *told > 0 => {
            last.text = format!("{}, {name}.", last.text.trim_end_matches('.'));
        }
        Some(last) => last.text = format!("{}: {name}.", last.text.trim_end_matches('.')),
        None if *told > 0 => return,
        None => {
            let text = format!("{lead}: {name}.");
            let about = sort(&text, About::Plain);
            out.push(Sentence { text, about, depth: 0, item: false, opens: true });
        }
    }
    *told += 1;
}

/// Takes in the sentences of one paragraph or item.
fn tell(out: &mut Vec<Sentence>, paragraph: &str, heading: About, depth: usize, item: bool) {
    let (mut opens, mut before) = (true, About::Plain);
    for text in split(without_opening(paragraph)) {
        if is_pleasantry(&text) {
            continue;
        }
        let about = match sort(&text, heading) {
            // A message opens with what it came to, though it may sound like an explanation.
            About::Found if out.is_empty() && heading == About::Plain && !tells_why(&text) => {
                About::Plain
            }
            // What follows a cause in its paragraph explains it.
            About::Plain if before == About::Found => About::Found,
            About::Plain if before == About::Next && leans(&text) => About::Next,
            own => own,
        };
        out.push(Sentence { text, about, depth, item, opens });
        (opens, before) = (false, about);
    }
}

/// What a paragraph says before its last sentence, and that one: `Done and pushed. The changes:`.
fn last_sentence(paragraph: &str) -> (&str, &str) {
    let Some(last) = split(paragraph).pop().filter(|l| l.len() < paragraph.len()) else {
        return ("", paragraph);
    };
    match paragraph.strip_suffix(last.as_str()) {
        Some(before) => (before.trim_end(), &paragraph[paragraph.len() - last.len()..]),
        None => ("", paragraph),
    }
}

/// Whether a message was broken off between two steps: `… is unused now. Let me remove it.`
fn still_at_it(message: &str) -> bool {
    let last = message.trim_end().rsplit('\n').next().unwrap_or("");
    if last.chars().count() > 600 || strip_marker(last.trim()).1 {
        return false;
    }
    let last = split(last).pop().unwrap_or_default().to_lowercase();
    last.ends_with(':') || words::AT_IT.begin(&last) && !last.starts_with("let me know")
}

/// Where a message says what its turn came to: at its beginning, unless that asks, looks ahead or
/// tells the cause.
pub fn opening(said: &[Sentence]) -> Option<usize> {
    let first = said.iter().position(|s| s.about != About::Question)?;
    matches!(said[first].about, About::Done | About::Plain | About::Decision).then_some(first)
}

/// Whether it can be understood only after the sentence before it.
fn leans(text: &str) -> bool {
    let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    words::LEANING.are(&first.to_lowercase())
}

/// A message with more sentences than this is an essay; its beginning says what it is about.
const MOST: usize = 200;

/// What stands under a heading or a lead-in such as `Next steps:`.
fn heading_about(heading: &str) -> About {
    let low = heading.to_lowercase();
    if words::ASKING.begin(&low) {
        return About::Found;
    }
    if words::NEXT_HEADING.inside(&low) {
        About::Next
    } else if words::DECISION_HEADING.inside(&low) {
        About::Decision
    } else if words::FOUND_HEADING.inside(&low) {
        About::Found
    } else if words::DONE_HEADING.inside(&low) {
        About::Done
    } else {
        About::Plain
    }
}

fn sort(text: &str, heading: About) -> About {
    let low = text.to_lowercase();
    if text.ends_with(['?', '？']) {
        return About::Question;
    }
    if words::NEXT_BEGIN.begin(&low) || words::YOURS.inside(&low) {
        return About::Next;
    }
    if is_done(&low) {
        return if words::DECIDED.inside(&low) { About::Decision } else { About::Done };
    }
    if words::DECIDED.inside(&low) {
        return About::Decision;
    }
    if words::DONE_BEGIN.begin(&low) && !words::FOUND.inside(&low) {
        return About::Done;
    }
    if heading == About::Next {
        return About::Next;
    }
    let came_true = words::NOW.inside(&low);
    if heading == About::Found
        || words::FOUND.inside(&low)
        || !came_true && words::THEREFORE.inside(&low)
    {
        return About::Found;
    }
    if !came_true && words::NEXT.inside(&low) && !words::EXPECTED.inside(&low) {
        return About::Next;
    }
    if came_true || words::FINISHED.inside(&low) {
        return About::Done;
    }
    if heading != About::Plain {
        return heading;
    }
    if words::EXPLAINS.inside(&low) { About::Found } else { About::Plain }
}

/// Whether a sentence tells a cause or what came of one.
fn tells_why(text: &str) -> bool {
    let low = text.to_lowercase();
    words::FOUND.inside(&low) || words::THEREFORE.inside(&low)
}

/// Whether a sentence says that somebody did something, not that it is so or how to do it.
pub fn tells_deed(text: &str) -> bool {
    let low = text.to_lowercase();
    let first = low.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    !words::ALSO_IMPERATIVE.are(first) && (is_done(&low) || words::DONE_BEGIN.begin(&low))
}

/// Whether a sentence begins by saying that something was mended: `I found and fixed the leak`.
pub fn tells_cure(text: &str) -> bool {
    let low = text.to_lowercase();
    let leads = words::LEADS.iter();
    let rest = leads.fold(low.as_str(), |rest, lead| rest.strip_prefix(lead).unwrap_or(rest));
    ["fixed ", "found and fixed ", "corrected ", "repaired "].iter().any(|w| rest.starts_with(w))
}

/// Whether a lowercased sentence begins by saying that something was done.
fn is_done(low: &str) -> bool {
    let mut rest = low;
    for lead in words::LEADS.iter() {
        rest = rest.strip_prefix(lead).unwrap_or(rest);
    }
    // "`parser.rs`: added a guard", "x.1 — Extracted the renderer"
    let marks = [": ", " — ", " – ", " - "];
    let tails = marks.iter().filter_map(|mark| rest.split_once(mark)).map(|(_, tail)| tail);
    // "I found and fixed the double counting"
    rest.starts_with("found and ")
        || std::iter::once(rest).chain(tails).any(|text| {
            words::DONE
                .are(text.split(|c: char| !c.is_alphabetic() && c != '-').next().unwrap_or(""))
        })
}

/// Without what only opens the talk: `Good - `, `Important: `.
fn without_opening(text: &str) -> &str {
    let mut rest = text;
    for opening in words::OPENINGS.iter() {
        let Some(after) = rest.strip_prefix(opening) else { continue };
        let marks = [" - ", " — ", " – ", ": ", ", ", "! ", ". "];
        rest = marks.iter().find_map(|mark| after.strip_prefix(mark)).unwrap_or(rest);
    }
    rest
}

/// `Let it warn` of `Next step: let it warn`, where `labels` hold `next step`.
pub fn without_label(text: &str, labels: Words) -> String {
    let label = [": ", " : ", "：", " — ", " – ", " - "].iter().find_map(|mark| {
        let (label, rest) = text.split_once(mark)?;
        labels.are(label.trim().to_lowercase().as_str()).then_some(rest)
    });
    capital(label.unwrap_or(text).trim())
}

/// Whether a lead-in says something itself, and does not only announce what follows.
fn tells(text: &str) -> bool {
    let low = text.to_lowercase();
    const ANNOUNCE: [&str; 8] =
        ["following", "summary", "changes", "what", "here", "here's", "these", "steps"];
    let mut words = low.split(|c: char| !c.is_alphanumeric() && c != '\'');
    text.split_whitespace().count() >= 4
        && !words.any(|word| ANNOUNCE.contains(&word))
        && !is_pleasantry(text)
}

fn is_pleasantry(text: &str) -> bool {
    let low = text.to_lowercase();
    let bare = low.trim_matches(|c: char| !c.is_alphanumeric());
    words::PLEASANT.are(bare) || words::PLEASANT_BEGIN.begin(&low)
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
    fn names_are_told_with_what_announces_them() {
        sorted(
            "Your rebase is finished and all commits are still there:\n\n- `cache: ttl`\n- `cache: metrics`\n\n\
             `tsc` has nothing to say.",
            &[
                (
                    "Your rebase is finished and all commits are still there: `cache: ttl`, `cache: metrics`.",
                    About::Plain,
                ),
                ("`tsc` has nothing to say.", About::Plain),
            ],
        );
        sorted(
            "Renamed it.\n\n## Files\n- `src/a.rs`\n- `src/b.rs`",
            &[("Renamed it.", About::Done)],
        );
        sorted("Next steps:\n- `npm publish`", &[("`npm publish`", About::Next)]);
        sorted(
            "`region` has 5.8% NaN, so loading it raises now — you'll need to decide what to do.",
            &[(
                "`region` has 5.8% NaN, so loading it raises now — you'll need to decide what to do.",
                About::Next,
            )],
        );
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
                ("Der Parser liest jetzt leere Dateien.", About::Done),
                ("Siehe src/parser.rs.", About::Plain),
            ],
        );
    }
}
