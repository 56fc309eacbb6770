//! Whether a newer statement replaces an older one.

use std::collections::BTreeSet;

use super::essential;
use super::statement::{Role, Statement, Word};
use crate::text::Words;

/// Words of a value without a class.
const MAX_VALUE: usize = 3;
/// Letters that two forms of one word share at least.
const MIN_BEGINNING: usize = 5;
/// Before a participle: `nginx is being retired`.
const PASSIVE: Words = Words("being|been|gets|got");
/// Words of the older statement, beside those it shares with the newer one, that may be lost.
const MAX_LOST: usize = 3;

pub fn replaces(newer: &Statement, older: &Statement) -> bool {
    let retired = retired(newer);
    retired.iter().any(|retired| retires(retired, newer, older))
        || has_other_value(newer, older)
        || is_set_anew(newer, older)
        || is_moved(newer, older)
        || is_turned_around(newer, older)
}

/// Whether a clause of an explanation retires what the older statement asserts of the newer one's subject.
pub fn gives_up(explanation: &Statement, newer: &Statement, older: &Statement) -> bool {
    let is_about_it = |retired: &Retired| {
        let shares_more = newer.words.iter().any(|word| {
            let is_retired = retired.words.iter().any(|r| r.stem == word.stem);
            word.is_content() && !is_retired && older.words.iter().any(|w| w.stem == word.stem)
        });
        shares_more && retires(retired, newer, older)
    };
    retired(explanation).iter().any(is_about_it) || begins_with_former(explanation, newer, older)
}

/// `The database is SQLite`, explained by `MariaDB was damaged twice`, after `The database is MariaDB 10.11`.
fn begins_with_former(explanation: &Statement, newer: &Statement, older: &Statement) -> bool {
    const KEEPS: Words = Words("still|stays|keeps|remains|bleibt|noch|weiterhin|sigue|reste");
    let (a, b) = (main_words(older, 0), main_words(newer, 0));
    let is_state = |words: &[&Word]| words.iter().any(|word| word.is(Role::Copula));
    let Some(former) = explanation.words.iter().find(|word| word.is_content()) else {
        return false;
    };
    let (of_a, of_b) = (content(&a), content(&b));
    let has_subject =
        matches!((of_a.first(), of_b.first()), (Some(a), Some(b)) if a.1.stem == b.1.stem);
    let is_value = of_a
        .get(1)
        .is_some_and(|(at, word)| word.stem == former.stem && word.is_name && is_state(&a[..*at]));
    has_subject
        && is_value
        && is_state(&b)
        && newer.words.iter().all(|word| word.stem != former.stem)
        && !explanation.words.iter().any(|word| KEEPS.are(&word.text))
}

/// The stems of the words that a statement says do not hold any more.
pub fn retired_stems(statement: &Statement) -> Vec<String> {
    let retired = retired(statement);
    retired.iter().flat_map(|retired| &retired.words).map(|word| word.stem.clone()).collect()
}

/// Words that a statement says do not hold any more.
struct Retired<'a> {
    /// The names and values of the first words that have one, else the first words.
    words: Vec<&'a Word>,
    /// What it says this of. Empty if the clause does not name it.
    subject: Vec<&'a Word>,
}

/// What the statement retires: `no longer X`, `Y instead of X`, `replace X with Y`, `from X to Y`, `X is
/// out`, `Y, not X`.
fn retired(statement: &Statement) -> Vec<Retired<'_>> {
    let mut out = Vec::new();
    let last = statement.words.last().map_or(0, |word| word.clause);
    for clause in 0..=last {
        let words: Vec<&Word> = statement
            .clause(clause)
            .map(|(_, word)| word)
            .take_while(|word| !word.is(Role::Reason))
            .collect();
        out.extend(of_clause(&words, clause > 0));
    }
    out.retain(|retired| !retired.words.is_empty());
    out
}

fn of_clause<'a>(words: &[&'a Word], follows: bool) -> Vec<Retired<'a>> {
    let content = |words: &[&'a Word]| -> Vec<&'a Word> {
        words.iter().copied().filter(|word| word.is_content()).collect()
    };
    let until_by = |from: usize| {
        words.get(from..)?.iter().position(|word| word.is(Role::By)).map(|n| from + n)
    };
    let mut out = Vec::new();
    let mut add = |words: &[&'a Word], subject: Vec<&'a Word>| {
        out.push(Retired { words: named(words), subject });
    };
    let moves = words.iter().position(|word| word.is(Role::Move));
    for (at, word) in words.iter().enumerate() {
        let later_more =
            word.is(Role::Never) && words[at + 1..].iter().any(|word| word.is(Role::More));
        let ne_plus = word.text == "ne" && words[at + 1..].iter().any(|word| word.text == "plus");
        let is_passive = at > 0
            && word.text.ends_with("ed")
            && (words[at - 1].is(Role::Copula) || PASSIVE.are(&words[at - 1].text));
        if word.is(Role::Neg) && is_passive {
            // `nginx is being retired upstream`
            add(&words[..at], Vec::new());
        } else if word.is(Role::Neg) {
            add(&words[at + 1..], content(&words[..at]));
        } else if later_more || ne_plus {
            // `the board does not use I2C any more`: the verb is no part of the subject.
            add(&words[at + 1..], content(&words[..at]));
        } else if word.is(Role::Alt) {
            add(&words[at + 1..], Vec::new());
        } else if word.is(Role::Swap)
            && let Some(end) = until_by(at + 1)
        {
            add(&words[at + 1..end], Vec::new());
        } else if word.is(Role::From)
            && moves.is_some_and(|moves| moves < at || words.len() > at + 3)
            && let Some(end) = until_by(at + 2)
        {
            add(&words[at + 1..end], Vec::new());
        } else if word.is(Role::Gone) {
            if content(&words[..at]).len() <= MAX_VALUE {
                add(&words[..at], Vec::new());
            }
        } else if at == 0 && follows && word.is(Role::Ban) && content(words).len() <= MAX_VALUE {
            add(words, Vec::new());
        }
    }
    out
}

/// The names and values of the first run of content words that has one, else the first run.
fn named<'a>(words: &[&'a Word]) -> Vec<&'a Word> {
    let runs = || words.split(|word| !word.is_content()).filter(|run| !run.is_empty());
    match runs().find(|run| run.iter().any(|word| word.is_specific())) {
        Some(run) => run.iter().copied().filter(|word| word.is_specific()).collect(),
        None => runs().next().unwrap_or_default().to_vec(),
    }
}

/// Whether the retired words are what the older statement asserts of the same thing.
fn retires(retired: &Retired, newer: &Statement, older: &Statement) -> bool {
    if retired.words.len() > MAX_VALUE + 1 {
        return false;
    }
    let named: BTreeSet<&str> = retired.words.iter().map(|word| word.stem.as_str()).collect();
    let asserted = asserted(older);
    if !named.iter().all(|stem| asserted.contains(stem)) {
        return false;
    }
    // A clause without what is retired may give a reason.
    let clauses: BTreeSet<usize> = older
        .words
        .iter()
        .filter(|word| named.contains(word.stem.as_str()))
        .map(|word| word.clause)
        .collect();
    let in_clause = older.words.iter().filter(|word| clauses.contains(&word.clause));
    let rest: BTreeSet<&str> = in_clause
        .map(|word| word.stem.as_str())
        .filter(|stem| asserted.contains(stem) && !named.contains(stem))
        .collect();
    let subject = retired.subject.iter();
    if !subject.filter(|w| !w.is_specific()).all(|word| rest.contains(word.stem.as_str())) {
        return false;
    }
    let own: Vec<&Word> = newer
        .words
        .iter()
        .filter(|word| word.is_content() && !word.is(Role::Move))
        .filter(|word| !named.contains(word.stem.as_str()))
        .collect();
    let common: BTreeSet<&str> =
        own.iter().map(|word| word.stem.as_str()).filter(|stem| rest.contains(stem)).collect();
    let is_code = retired.words.iter().any(|w| w.is_code && named.contains(w.stem.as_str()));
    // `drop Ansible, use Nix` names nothing but tools.
    let has_no_subject = own.iter().all(|word| word.is_specific());
    let is_about_it = rest.is_empty() || has_no_subject && rest.len() <= 2 || is_code;
    is_about_it || !common.is_empty() && rest.len() - common.len() <= MAX_LOST
}

/// The stems of what a statement asserts: its words without those that it retires, and without those that a
/// clause denies.
fn asserted(statement: &Statement) -> BTreeSet<&str> {
    let mut stems = BTreeSet::new();
    let mut denied = None;
    for word in &statement.words {
        if word.is(Role::Never) {
            denied = Some(word.clause);
        }
        if word.is_content() && denied != Some(word.clause) {
            stems.insert(word.stem.as_str());
        }
    }
    for word in retired(statement).iter().flat_map(|retired| &retired.words) {
        stems.remove(word.stem.as_str());
    }
    stems
}

/// The same beginning and another value: `listens on port 8080`, `listens on port 8443 now`.
fn has_other_value(newer: &Statement, older: &Statement) -> bool {
    let old = main_words(older, 0);
    let last = newer.words.last().map_or(0, |word| word.clause);
    (0..=last).any(|clause| differs_in_value(&main_words(newer, clause), newer, &old))
}

fn differs_in_value(b: &[&Word], newer: &Statement, a: &[&Word]) -> bool {
    let (ca, cb) = (content(a), content(b));
    let same = ca.iter().zip(&cb).take_while(|(a, b)| a.1.stem == b.1.stem).count();
    let (Some((at_a, old)), Some((at_b, new))) = (ca.get(same), cb.get(same)) else { return false };
    if same == 0 || n_never(a) != n_never(b) {
        return false;
    }
    let (tail_a, tail_b) = (&ca[same + 1..], &cb[same + 1..]);
    let is_kept = |(_, word): &(usize, &Word)| {
        tail_b.iter().any(|(_, other)| {
            other.stem == word.stem || word.is(Role::Unit) && other.is(Role::Unit)
        })
    };
    let tail_is_kept = tail_a.len() <= MAX_VALUE && tail_a.iter().all(is_kept);
    if let (Some(class), Some(other)) = (old.value(), new.value()) {
        // The words up to the next preposition tell what is counted. What follows may be missing in one.
        let counted = |words: &[&Word], at: usize| {
            let is_next = |w: &&&Word| w.is_content() || w.is(Role::Per) || w.is(Role::Change);
            at + 1 + words[at + 1..].iter().take_while(is_next).count()
        };
        let (end_a, end_b) = (counted(a, *at_a), counted(b, *at_b));
        let within =
            |tail: &[(usize, &'_ Word)], end| tail.iter().filter(|(at, _)| *at < end).count();
        let (n_a, n_b) = (within(tail_a, end_a), within(tail_b, end_b));
        let is_same_count = n_a <= MAX_VALUE && tail_a[..n_a].iter().all(is_kept);
        let is_open = n_a == tail_a.len() || n_b == tail_b.len() || tail_is_kept;
        let states = !a[at_a + 1..].iter().any(|w| w.is(Role::Copula) || w.is(Role::Modal));
        // `error 404 goes to a page`: the number is a part of the name.
        let is_label = same == 1 && !tail_a.is_empty() && at_a.saturating_sub(ca[0].0) <= 1;
        return class == other && is_same_count && is_open && states && !is_label;
    }
    if old.value().is_some() || new.value().is_some() {
        return false;
    }
    let is_marked = newer.has(Role::Change);
    let before = at_b.checked_sub(1).map(|at| b[at]);
    let is_state = before.is_some_and(|word| word.is(Role::Copula));
    let is_placed = before.is_some_and(|word| word.is(Role::Filler))
        && b[..*at_b].iter().any(|word| word.is(Role::Copula));
    if old.is_name && new.is_name {
        let is_last = tail_a.is_empty() && tail_b.is_empty();
        return is_last && (is_state || is_placed || is_marked)
            || tail_is_kept && (is_state || is_placed && is_marked);
    }
    let n_lost = |tail: &[(usize, &Word)]| tail.len() < MAX_VALUE;
    is_marked
        && same >= 2
        && n_lost(tail_a)
        && n_lost(tail_b)
        && tail_a.is_empty() == tail_b.is_empty()
}

fn n_never(words: &[&Word]) -> usize {
    words.iter().filter(|word| word.is(Role::Never)).count()
}

/// The content words with their places.
fn content<'a>(words: &[&'a Word]) -> Vec<(usize, &'a Word)> {
    let has_value = words.iter().any(|word| word.value().is_some_and(|v| v != Role::Month));
    let is_told = |word: &Word| word.is_content() && !(has_value && word.is(Role::Month));
    words.iter().enumerate().filter(|(_, w)| is_told(w)).map(|(at, w)| (at, *w)).collect()
}

/// The words of a clause that states something. A short one introduces the next: `Commit messages: back to
/// German`.
fn main_words(statement: &Statement, first: usize) -> Vec<&Word> {
    let last = statement.words.last().map_or(0, |word| word.clause);
    let mut words: Vec<&Word> = Vec::new();
    for clause in first..=last {
        let more = statement.clause(clause).map(|(_, word)| word);
        words.extend(more.take_while(|word| !word.is(Role::Reason)));
        let content = words.iter().filter(|word| word.is_content());
        let n = content.clone().count();
        if n > 2 || n > 0 && content.clone().any(|word| word.value().is_some()) {
            break;
        }
    }
    words
}

/// The same words in any order, and another value: `the timeout of the crawler is 10 seconds`, `set the
/// crawler's timeout to 20 seconds`. After a mark of change, a word may have another ending.
fn is_set_anew(newer: &Statement, older: &Statement) -> bool {
    let (a, b) = (main_words(older, 0), main_words(newer, 0));
    let split = |words: &[&Word]| {
        let (values, rest): (Vec<String>, Vec<String>) = (
            words.iter().filter(|w| w.value().is_some()).map(|w| w.stem.clone()).collect(),
            content(words)
                .iter()
                .filter(|(_, w)| w.value().is_none() && !w.is(Role::Move))
                .map(|(_, w)| w.stem.clone())
                .collect(),
        );
        (values, rest)
    };
    let classes =
        |words: &[&Word]| -> Vec<Role> { words.iter().filter_map(|w| w.value()).collect() };
    let ((old_values, old), (new_values, new)) = (split(&a), split(&b));
    let ends = |words: &[&Word]| {
        let at = words.iter().rposition(|w| w.value().is_some()).unwrap_or_default();
        !words[at..].iter().any(|w| w.is(Role::Copula) || w.is(Role::Modal))
    };
    let is_value = classes(&a) == classes(&b)
        && (1..=2).contains(&old_values.len())
        && old_values != new_values
        && n_never(&a) == n_never(&b)
        && ends(&a)
        && ends(&b);
    let set = |words: &[String]| -> BTreeSet<String> { words.iter().cloned().collect() };
    let (old_set, new_set) = (set(&old), set(&new));
    let lost: Vec<&String> = old_set.difference(&new_set).collect();
    let added: Vec<&String> = new_set.difference(&old_set).collect();
    // `escribe`, `escribirse`
    let is_inflected = |a: &str, b: &str| {
        a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() >= MIN_BEGINNING
    };
    let is_restated = newer.has(Role::Change)
        && matches!((&lost[..], &added[..]), ([a], [b]) if is_inflected(a, b));
    is_value && (lost.is_empty() && added.is_empty() && old_set.len() >= 2 || is_restated)
}

/// `move the job queue to Redis`, `the job queue goes back to Redis`, after `use Postgres as the job queue`.
fn is_moved(newer: &Statement, older: &Statement) -> bool {
    let words = main_words(newer, 0);
    let Some(verb) = words.iter().position(|word| word.is(Role::Move)) else { return false };
    let Some(to) = words[verb..].iter().position(|word| word.is(Role::By)) else { return false };
    let to = verb + to;
    let content = |words: &[&Word]| -> Vec<String> {
        words.iter().filter(|w| w.is_content()).map(|w| w.stem.clone()).collect()
    };
    let (before, between) =
        (content(&words[..verb]), content(words.get(verb + 1..to).unwrap_or_default()));
    let subject = if between.is_empty() { before } else { between };
    let asserted: Vec<&Word> = {
        let stems = asserted(older);
        let is_told = |w: &&Word| stems.contains(w.stem.as_str()) && !w.is(Role::Move);
        main_words(older, 0).into_iter().filter(is_told).collect()
    };
    let is_of_subject = |word: &&&Word| subject.contains(&word.stem);
    let has_all = subject.iter().all(|stem| asserted.iter().any(|word| word.stem == *stem));
    let rest: Vec<&&Word> = asserted.iter().filter(|w| !is_of_subject(w)).collect();
    subject.len() >= 2
        && has_all
        && (1..MAX_VALUE).contains(&rest.len())
        && rest.iter().all(|word| word.is_name)
}

/// The same words, but one statement denies what the other one says.
fn is_turned_around(newer: &Statement, older: &Statement) -> bool {
    let stems = |s: &Statement| -> Vec<String> {
        essential(s).filter(|w| !w.is(Role::Never)).map(|w| w.stem.clone()).collect()
    };
    let n_never = |s: &Statement| s.words.iter().filter(|word| word.is(Role::Never)).count();
    let (a, b) = (stems(newer), stems(older));
    a.len() >= 2 && a == b && n_never(newer) % 2 != n_never(older) % 2
}
