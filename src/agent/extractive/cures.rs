//! Titles of cures: what was broken, why, and where it was mended.

use super::kind;
use super::prose::{capital, fit};
use super::sentences::{self, About, Sentence};
use super::titles::{MOST, is_report_of_tests, lower, stands_alone, without_subject};
use super::words;
use super::work::{Fix, Work, last_part};
use crate::activity::leaves_open;
use crate::text::is_code;

/// What the message says it came to (`Fixed: February 29th counts now (src/date.rs)`), else the
/// failure and how it was cured (`Fixed failing test parse_empty: added a guard in src/parser.rs`).
pub fn of_fix(fix: &Fix, work: &Work, said: &[Sentence]) -> String {
    let place = place(fix, work);
    if let Some(result) = result(said) {
        return with_place(&told(&result, said), &place, Place::Aside);
    }
    let trouble = &fix.failure;
    let head = match (trouble.failing_names().next(), trouble.failing.len()) {
        (None, _) => format!("Fixed failing {}", trouble.command()),
        (Some(name), 1) => format!("Fixed failing test {}", fit(last_part(name), 60)),
        (Some(name), n) => {
            format!("Fixed failing test {} and {} more", fit(last_part(name), 50), n - 1)
        }
    };
    let room = MOST.saturating_sub(head.chars().count() + 2);
    let fits = |text: &String| text.chars().count() <= room;
    let done = said.iter().filter(|s| s.about == About::Done).map(|s| without_subject(&s.text));
    let how = done
        .filter(|s| {
            s.split_whitespace().count() >= 3
                && !is_report_of_tests(s)
                && !words::DONE_BEGIN.begin(&s.to_lowercase())
                && !s.to_lowercase().contains("test")
        })
        .find_map(|s| Some(clause(&s)).filter(|c| fits(c)));
    let how = how.or_else(|| cause(said, room)).or_else(|| swapped(fix, work).filter(fits));
    match how {
        Some(how) => with_place(&format!("{head}: {}", lower(&how)), &place, Place::Inside),
        None => with_place(&head, &place, Place::Inside),
    }
}

/// What follows from the message's opening, where that tells a result and not a step.
fn result(said: &[Sentence]) -> Option<String> {
    let first = &said[sentences::opening(said)?];
    let step = without_subject(&first.text) != first.text || {
        let word = first.text.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
        words::DONE.are(&word.to_lowercase())
    };
    let tells = !first.item
        && !step
        && stands_alone(&first.text)
        && !first.text.to_lowercase().starts_with("the test");
    tells.then(|| clause(&first.text))
}

/// `Fixed: the result; the cause was …`, the second half when there is room for all of it.
fn told(result: &str, said: &[Sentence]) -> String {
    let first = result.split(' ').next().unwrap_or("");
    let article = leaves_open(&first.to_lowercase());
    let result = if article { lower(result) } else { result.to_owned() };
    let head = format!("Fixed: {result}");
    let room = (MOST - 10).saturating_sub(head.chars().count() + 9);
    match cause(said, room) {
        Some(cause) => format!("{head}; cause: {cause}"),
        None => fit(&head, MOST),
    }
}

/// A sentence up to where it begins to explain itself.
fn clause(text: &str) -> String {
    let text = text.trim_end_matches(['.', '!', '。']);
    let ends = [": ", "; ", " — ", " – "].iter().filter_map(|mark| {
        let (head, _) = text.split_once(mark)?;
        let whole = head.matches('`').count() % 2 == 0 && head.split_whitespace().count() >= 3;
        (whole && head.chars().count() >= 16).then_some(head)
    });
    ends.min_by_key(|head| head.len()).unwrap_or(text).to_owned()
}

/// What the sentence about the cause names as the cause, when it fits.
fn cause(said: &[Sentence], room: usize) -> Option<String> {
    let named = said.iter().filter(|s| s.about == About::Found).find_map(|s| {
        let low = s.text.to_lowercase();
        let lead = words::CAUSE_BEGIN.iter().find(|lead| low.starts_with(lead))?;
        let named = clause(s.text.get(lead.len()..)?);
        // "The bug was in `ack`"
        Some(if named.starts_with("in ") { format!("bug {named}") } else { named })
    })?;
    // Shorter by what only describes it: `a table in which February has 28 days`.
    let cuts = [", ", " in which ", " which ", " that "].iter().filter_map(|m| named.split_once(m));
    let whole_words = |text: &str| {
        let last = text.rsplit(' ').next().unwrap_or("");
        text.chars().count() >= 30 && !leaves_open(last)
    };
    let shorter = cuts.map(|(head, _)| head).filter(|head| whole_words(head));
    let fits = |text: &&str| text.chars().count() <= room;
    let head = Some(named.as_str()).filter(fits);
    let head = head.or_else(|| shorter.filter(fits).max_by_key(|h| h.len()))?;
    let length = head.chars().count();
    let whole = head.matches('`').count() % 2 == 0 && (12..=room).contains(&length);
    whole.then(|| head.to_owned())
}

/// A change of one line says itself how.
fn swapped(fix: &Fix, work: &Work) -> Option<String> {
    let inside = work.files.iter().filter(|f| fix.files.contains(&f.path));
    let mut swaps = inside.filter_map(|f| f.swap.as_ref());
    let (old, new) = swaps.next().filter(|(old, _)| !old.is_empty())?;
    // The old line may be a comment of somebody else.
    let code = is_code(old) && is_code(new);
    (code && swaps.next().is_none()).then(|| format!("`{old}` became `{new}`"))
}

enum Place {
    Inside,
    Aside,
}

fn with_place(title: &str, place: &str, how: Place) -> String {
    let file = place.rsplit('/').next().unwrap_or(place);
    let title = capital(title);
    let fits = title.chars().count() + place.chars().count() + 4 <= MOST;
    if place.is_empty() || title.contains(file) || !fits {
        return title;
    }
    match how {
        Place::Inside => format!("{title} in {place}"),
        Place::Aside => format!("{title} ({place})"),
    }
}

/// The file the fix was made in: the one that is no test, if there is one.
fn place(fix: &Fix, work: &Work) -> String {
    let files: Vec<&str> =
        work.files.iter().map(|f| f.path.as_str()).filter(|f| fix.files.contains(*f)).collect();
    let code = files.iter().find(|f| !kind::is_test(f)).or(files.first());
    code.map(|f| (*f).to_owned()).unwrap_or_default()
}
