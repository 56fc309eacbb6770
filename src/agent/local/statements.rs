//! What the sentences of a prompt state: a rule, a decision, a fact of the user's world. A request, a remark
//! about the work of the turn and a report hold for the turn only.
//!
//! Some forms are sure (`rules`). For all others, the points of a sentence decide (`forms`), and it has a
//! part of those of the sentence beside it: `they have Chromebooks, so browser only`.

use super::message::inline::is_question;
use super::prompt::Said;
use super::rules::{Kind, Place, is_labelled, is_under_rules, rule};
use super::user_forms::{Around, points};

/// Points from which a sentence is a rule, and from which it is told for some sessions. What the session is
/// about is no rule, and its title tells it.
const RULE: i32 = 20;
const SAID: i32 = 4;
/// With fewer points, not even a sure form is a rule, unless it stands below such a heading.
const LEAST: i32 = -12;

/// Minimum and maximum characters of a statement.
const MIN_LENGTH: usize = 6;
const MAX_LENGTH: usize = 240;

/// What each sentence of a prompt states. `answers`: the assistant asked something before.
pub fn stated(said: &[Said], place: Place, answers: bool) -> Vec<Option<Kind>> {
    let around = |at: usize| Around {
        opens: at == 0 && place == Place::First,
        answers: at == 0 && answers,
        is_idle: place == Place::Remark,
    };
    let own: Vec<Option<i32>> =
        said.iter().enumerate().map(|(at, said)| own_points(said, around(at))).collect();
    let of = |at: usize| own.get(at).copied().flatten().unwrap_or(0);
    let kind = |at: usize| {
        let before = at.checked_sub(1).map_or(0, of);
        let sum = own[at].map(|points| points + share(before.max(of(at + 1))));
        if let Some(kind) = rule(&said[at], place)
            && (sum.is_none_or(|sum| sum >= LEAST) || is_under_rules(&said[at]))
        {
            return Some(kind);
        }
        match sum? {
            RULE.. if !around(at).opens => Some(Kind::Rule),
            SAID..RULE if around(at).opens => None,
            SAID.. => Some(Kind::Said),
            _ => None,
        }
    };
    (0..said.len()).map(kind).collect()
}

/// What a sentence has of the points of the one beside it.
fn share(points: i32) -> i32 {
    const MOST: i32 = 10;
    (points / 2).clamp(0, MOST)
}

/// The points of a sentence alone. `None` if it states nothing.
fn own_points(said: &Said, around: Around) -> Option<i32> {
    let sentence = said.text.trim();
    let min = if around.answers { 1 } else { MIN_LENGTH };
    // A character of a script without spaces says more.
    let length = |c: char| if c >= '\u{2e80}' { 2 } else { 1 };
    let is_whole = (min..=MAX_LENGTH).contains(&sentence.chars().map(length).sum())
        && !is_question(sentence)
        && !sentence.ends_with([':', '：', '…'])
        && !is_labelled(sentence);
    is_whole.then(|| points(sentence, around))?
}

#[cfg(test)]
#[path = "statements_tests.rs"]
mod tests;
