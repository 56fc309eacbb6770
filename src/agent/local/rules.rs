//! Tells whether a sentence of the user is a rule: something that holds beyond the turn. A request, a
//! remark about one spot and a report of what others say are none. A doubtful sentence is none, because
//! a wrong rule misleads every later session.

use super::markers::{Marker, Text};
use super::message::inline::is_question;
use super::phrases::is_word;
use super::prompt::Said;

/// What a sentence of the user is, apart from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rule,
    Correction,
    /// It holds until something else is done (`don't drop the column yet`), or may be a rule.
    Said,
}

/// Where a prompt stands. Rules in plain words count in the first prompt of a session, in a correction
/// and in a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    First,
    Later,
    /// A later prompt that makes the agent do nothing.
    Remark,
    /// A later prompt that begins with a denial.
    Correction,
}

const NEGATIONS: [&str; 8] = ["don", "dont", "not", "no", "nao", "non", "не", "never"];

/// Minimum and maximum characters of a rule.
const MIN_LENGTH: usize = 6;
const MAX_LENGTH: usize = 240;

/// The rule that a sentence states, if it states one.
pub fn rule(said: &Said, place: Place) -> Option<Kind> {
    let sentence = said.text.trim();
    let length = sentence.chars().count();
    let wide = sentence.chars().any(|c| c >= '\u{2e80}');
    let min = if wide { MIN_LENGTH / 2 } else { MIN_LENGTH };
    if !(min..=MAX_LENGTH).contains(&length)
        || is_question(sentence)
        || sentence.ends_with([':', '：', '…'])
    {
        return None;
    }
    let text = Text::new(sentence);
    if holds_back(sentence) {
        return Some(Kind::Said);
    }
    if text.has(Marker::Temporary) || is_reported(&text) || is_labelled(sentence) {
        return None;
    }
    let clauses = clauses(sentence);
    let is_strong = is_under_rules(said)
        || is_strong(&text)
        || is_habit(&text)
        || !is_troubled(&text)
            && clauses
                .iter()
                .any(|one| is_habit(one) && is_negated(one) || is_ban(one, asks(&text)))
        || protects(&text)
        || directs(&text, &clauses);
    let denies = place == Place::Correction;
    let is_plain = || {
        !asks_first(&clauses)
            && (is_plain(&text)
                || !clauses.iter().any(|one| one.begins(Marker::Verb))
                    && !is_troubled(&text)
                    && (clauses.first().is_some_and(is_plain)
                        || clauses.iter().any(holds_everywhere)))
    };
    match place {
        _ if denies && is_strong && text.has(Marker::Deny) => Some(Kind::Correction),
        _ if is_strong => Some(Kind::Rule),
        _ if denies && is_correction(sentence, &text) => Some(Kind::Correction),
        Place::First | Place::Remark if is_plain() => Some(Kind::Rule),
        Place::Later | Place::Remark if is_contrast(&text) => Some(Kind::Rule),
        _ => None,
    }
}

/// `careful: don't drop the old column yet, the export still reads it`
fn holds_back(sentence: &str) -> bool {
    const YET: [&str; 9] =
        ["yet", "noch", "encore", "todavía", "aún", "ainda", "ancora", "пока", "henüz"];
    let (label, order) = sentence.split_once(": ").unwrap_or(("", sentence));
    let is_order = |clause: &Text| {
        clause.has(Marker::Dont)
            && !clause.has(Marker::NotOrder)
            && clause.words().any(|word| YET.contains(&word))
    };
    // The reason follows.
    !Text::new(label).has(Marker::Reports)
        && clauses(order).split_last().is_some_and(|(_, before)| before.iter().any(is_order))
}

/// The parts between commas, without leading conjunctions.
fn clauses(sentence: &str) -> Vec<Text> {
    const CONJUNCTIONS: [&str; 13] = [
        "and ", "but ", "also ", "btw ", "und ", "aber ", "et ", "mais ", "y ", "e ", "ma ", "и ",
        "ve ",
    ];
    let without = |part: &str| {
        let part = part.trim();
        let part = part.strip_prefix("oh ").unwrap_or(part);
        let lead = |word: &&&str| {
            part.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                || part.starts_with(**word)
        };
        let length = CONJUNCTIONS.iter().find(lead).map_or(0, |word| word.len());
        Text::new(&part[length..])
    };
    let commas = sentence.split([';', '，', '、', '،', '–', '—']);
    commas.flat_map(|part| part.split(", ")).map(without).filter(|text| text.length() > 0).collect()
}

/// `please fix it, not the test`: what follows is about this request.
fn asks_first(clauses: &[Text]) -> bool {
    clauses.len() > 1
        && clauses[0].has(Marker::Asks)
        && !clauses[0].has(Marker::Subject)
        && !clauses[0].has(Marker::Tool)
}

/// Directives that stand in any prompt: `no analytics`, `-16 LUFS always`, `don't commit red tests, ever`, `saves must stay readable by every later version`.
fn directs(text: &Text, clauses: &[Text]) -> bool {
    const MAX_WORDS: usize = 12;
    let is_forever = clauses.len() > 1
        && clauses.last().is_some_and(|last| last.words().eq(["ever"]))
        && (text.has(Marker::Dont) || text.has(Marker::Never));
    let is_one = |clause: &Text| {
        (2..=MAX_WORDS).contains(&clause.length())
            && is_statement(clause)
            && !clause.has(Marker::NotOrder)
            && !clause.has(Marker::Here)
            && (bans_a_thing(clause)
                || clause.ends(Marker::Always)
                || clause.has(Marker::Modal) && clause.has(Marker::Every))
    };
    !is_troubled(text) && (is_forever || clauses.iter().any(is_one))
}

/// `no analytics`, `keine Annotationen`, but not `no problem`.
fn bans_a_thing(clause: &Text) -> bool {
    const MAX_WORDS: usize = 8;
    let rest: Vec<&str> = clause.words().skip(1).collect();
    let named = Text::new(&rest.join(" "));
    let is_denial = [Marker::Clause, Marker::Verb, Marker::Use, Marker::Pronoun, Marker::Runs];
    clause.has_early(Marker::Ban, 1)
        && !clause.matches_inside()
        && clause.length() <= MAX_WORDS
        && (rest.first().is_some_and(|word| !clause.is_word(word, Marker::Harmless))
            || bans_new(&rest))
        && !is_denial.iter().any(|marker| named.begins(*marker))
}

/// `no new deps`, but not `no new errors`.
fn bans_new(rest: &[&str]) -> bool {
    const NEW: [&str; 4] = ["new", "extra", "further", "additional"];
    const THINGS: [&str; 9] = [
        "dep",
        "deps",
        "dependency",
        "dependencies",
        "package",
        "packages",
        "library",
        "libraries",
        "crates",
    ];
    matches!(rest, [new, thing] if NEW.contains(new) && THINGS.contains(thing))
}

/// `never convert to local time`: a clause that begins with the adverb.
fn is_ban(clause: &Text, is_asked: bool) -> bool {
    let only_limits = || is_asked && clause.words().nth(1).is_some_and(names_a_thing);
    clause.has_early(Marker::Never, 1) && orders(clause) && !only_limits()
}

/// Whether the sentence asks for something to be done now.
fn asks(text: &Text) -> bool {
    text.begins(Marker::Verb) || text.has(Marker::Asks)
}

/// Whether `never` before this word limits a request to some things: `never the one of billing`.
fn names_a_thing(word: &str) -> bool {
    matches!(word, "the" | "this" | "that" | "these" | "those")
}

/// `we don't style raw buttons here`: what the team does, with a limit.
fn is_habit(clause: &Text) -> bool {
    clause.has(Marker::Habit)
        && has_limit(clause)
        && !clause.has(Marker::NotOrder)
        && !is_troubled(clause)
}

/// `we don't use it` rules, `we use it` may explain what is reported before.
fn is_negated(clause: &Text) -> bool {
    clause.matches_inside() || clause.words().take(3).any(|word| NEGATIONS.contains(&word))
}

/// What must not change: `you must not change the API`, `we no longer use X`, and hands off from
/// production.
fn protects(text: &Text) -> bool {
    let is_conditional = text.has(Marker::If) && !text.matches_inside();
    let retires = || {
        !is_troubled(text)
            && (text.has(Marker::NoMore) || text.has(Marker::Touch) && text.has(Marker::Production))
    };
    !text.has(Marker::Spot)
        && !is_conditional
        && !begins_with_actor(text)
        && (text.has(Marker::Forbid) || retires())
}

/// A clause of the first prompt that holds for the whole project: `checkpoints only in /mnt/ckpt`.
fn holds_everywhere(clause: &Text) -> bool {
    names_a_place(clause) || names_a_bound(clause)
}

/// `iOS 17 at least`
fn names_a_bound(clause: &Text) -> bool {
    const MAX_WORDS: usize = 6;
    (clause.has(Marker::Platform) || clause.has(Marker::Tool))
        && clause.has(Marker::Bound)
        && has_digit(clause)
        && clause.length() <= MAX_WORDS
        && is_statement(clause)
}

fn names_a_place(clause: &Text) -> bool {
    const MAX_WORDS: usize = 8;
    let is_path = |pair: [&str; 2]| pair[0] == "/" && pair[1].contains(char::is_alphanumeric);
    let tokens: Vec<&str> = clause.tokens().collect();
    let has_path = tokens.windows(2).any(|pair| is_path([pair[0], pair[1]]));
    has_path
        && clause.has(Marker::Limit)
        && !clause.begins(Marker::Limit)
        && clause.length() <= MAX_WORDS
        && is_statement(clause)
}

/// Neither a request, nor a report, nor about one spot.
fn is_statement(clause: &Text) -> bool {
    ![Marker::Verb, Marker::Runs, Marker::Clause].iter().any(|marker| clause.begins(*marker))
        && !is_troubled(clause)
        && !is_about_a_spot(clause)
        && !begins_with_actor(clause)
}

fn has_digit(text: &Text) -> bool {
    text.words().any(|word| word.contains(|c: char| c.is_ascii_digit()))
}

/// What users of the product do is a requirement of the product.
fn begins_with_actor(text: &Text) -> bool {
    text.has_early(Marker::Actor, 3)
}

/// A phrase without a verb that follows a request: `Dark theme.`, `German labels`.
pub fn is_property(sentence: &str) -> bool {
    const MAX_WORDS: usize = 4;
    let text = Text::new(sentence);
    text.length() <= MAX_WORDS
        && text.has(Marker::Look)
        && is_statement(&text)
        && !text.begins(Marker::Use)
        && !text.has(Marker::Temporary)
        && !text.has(Marker::Asks)
        && !is_question(sentence)
}

/// Whether a sentence says of the one before that it is a rule: `always`, `Please remember that.`
pub fn underlines(sentence: &str) -> bool {
    const MAX_WORDS: usize = 5;
    let text = Text::new(sentence);
    let points_back =
        || text.length() <= MAX_WORDS && text.has(Marker::Lasting) && text.ends(Marker::Pronoun);
    text.is(Marker::Always) || text.is(Marker::Never) || points_back()
}

/// Whether a rule changes one that held before: `from now on … instead of …`.
pub fn is_change(text: &str) -> bool {
    let text = Text::new(text);
    text.has(Marker::Lasting) || text.has(Marker::Instead)
}

/// Whether a prompt begins with a denial: `no, we dropped it on purpose`.
pub fn denies(prompt: &str) -> bool {
    Text::new(prompt).has(Marker::Deny)
}

/// An item below `Rules:` or `From now on:`.
pub fn is_under_rules(said: &Said) -> bool {
    if said.lead_in.is_empty() || Text::new(&said.text).has(Marker::Spot) {
        return false;
    }
    let lead_in = Text::new(&said.lead_in);
    lead_in.is(Marker::RulesHeading) || lead_in.has(Marker::Lasting)
}

/// Markers of duration or principle.
fn is_strong(text: &Text) -> bool {
    let is_request = text.begins(Marker::Verb) && !text.begins(Marker::Runs);
    text.has(Marker::Lasting)
        || text.has(Marker::Principle) && !is_request
        || text.has(Marker::Prefer) && !is_about_a_spot(text)
        || orders(text)
}

/// Whether `always` or `never` is an order, not a report: it begins the sentence, follows a modal verb,
/// or says what a team does.
pub fn orders(text: &Text) -> bool {
    /// An imperative may stand before the adverb: `Utilise toujours …`.
    const EARLY: usize = 2;
    const MIN_WORDS: usize = 3;
    let adverb = |marker| text.has(marker);
    if !(adverb(Marker::Always) || adverb(Marker::Never))
        || text.has(Marker::NotOrder)
        || text.has(Marker::Still)
        || text.has(Marker::Wrong)
        || text.length() < MIN_WORDS
        || is_about_a_spot(text)
        || begins_with_actor(text)
        || text.begins(Marker::Clause) && !text.has(Marker::Modal) && !text.is_unspaced()
    {
        return false;
    }
    let is_early = text.has_early(Marker::Always, EARLY)
        || text.has_early(Marker::Never, EARLY)
        // French and Italian negations stand around the verb: `Non usare mai …`.
        || text.length() > 3
            && text.words().take(EARLY + 2).any(|word| matches!(word, "jamais" | "mai" | "toujours"));
    is_early || text.has(Marker::Modal) || text.has(Marker::Habit) || is_set_apart(text)
}

/// `…, always`, `…, and never …`: the adverb stands at the end behind a mark, or begins a clause. In a
/// request, `but never the one of billing` only limits what is asked for.
fn is_set_apart(text: &Text) -> bool {
    const LEADS: [&str; 14] =
        ["and", "but", "und", "et", "y", "e", "и", "we", "wir", "nous", "on", "мы", "please", "ve"];
    let tokens: Vec<&str> = text.tokens().collect();
    let adverbs = || text.all(Marker::Always).chain(text.all(Marker::Never));
    let next = |end: usize| tokens.get(end).copied().unwrap_or_default();
    let is_asked = asks(text);
    let mut adverbs = adverbs().filter(|adverb| !(is_asked && names_a_thing(next(adverb.end))));
    adverbs.any(|adverb| match tokens[..adverb.start] {
        [.., "," | ";"] => true,
        [.., before] if !is_word(before) => text.ends(adverb.row),
        [.., conjunction, we] => {
            LEADS[..7].contains(&we) || LEADS[..7].contains(&conjunction) && LEADS.contains(&we)
        }
        [we] => LEADS[..7].contains(&we),
        [] => false,
    })
}

fn has_limit(text: &Text) -> bool {
    [Marker::Instead, Marker::Limit, Marker::Never, Marker::Always, Marker::Sequence]
        .iter()
        .any(|marker| text.has(*marker))
        || text.words().take(2).any(|word| NEGATIONS.contains(&word))
}

/// A constraint in plain words: `MIT licence`, `one kernel only`, `no new dependencies`.
fn is_plain(text: &Text) -> bool {
    const MAX_WORDS: usize = 20;
    const MAX_NOUNS: usize = 6;
    let is_request = text.begins(Marker::Verb) && !text.begins(Marker::Runs);
    if text.length() > MAX_WORDS
        || is_troubled(text)
        || is_about_a_spot(text)
        || text.has(Marker::Here)
        || begins_with_actor(text)
        || text.ends(Marker::Then)
    {
        return false;
    }
    let prescribes =
        text.has_early(Marker::Use, 1) && text.has(Marker::Instead) && !has_article(text);
    let is_of_the_project = text.has(Marker::Subject) || text.has(Marker::Tool) || prescribes;
    let runs_in_order = text.has(Marker::Sequence) && !is_request;
    let states = || {
        text.has(Marker::Ban)
            || text.has(Marker::Limit)
            || text.has(Marker::Every) && text.has(Marker::Modal)
            || text.has_early(Marker::Every, 1)
            || text.has(Marker::Instead)
            || names_a_licence(text)
    };
    // `Commit messages in English only`, but not `Commit only the tests`.
    let is_order = text.begins(Marker::Runs) && (has_article(text) || text.length() > MAX_NOUNS);
    is_of_the_project
        && (runs_in_order
            || !text.begins(Marker::Verb) && !text.begins(Marker::Clause) && !is_order && states()
            || text.begins(Marker::Runs) && !is_order && text.has(Marker::Limit))
}

/// `use pnpm, not npm` in any prompt.
fn is_contrast(text: &Text) -> bool {
    const MAX_WORDS: usize = 14;
    text.length() <= MAX_WORDS
        && text.has(Marker::Instead)
        && text.has(Marker::Tool)
        && text.has(Marker::Use)
        && !text.begins(Marker::Verb)
        && !text.begins(Marker::Clause)
        && !is_troubled(text)
        && !is_about_a_spot(text)
        && !text.has(Marker::It)
}

fn has_article(text: &Text) -> bool {
    const ARTICLES: [&str; 14] = [
        "a", "an", "the", "der", "die", "das", "den", "ein", "eine", "einen", "un", "une", "una",
        "uma",
    ];
    text.words().any(|word| ARTICLES.contains(&word))
}

fn names_a_licence(text: &Text) -> bool {
    const LICENCES: [&str; 7] = ["mit", "apache", "gpl", "bsd", "mpl", "agpl", "lgpl"];
    const MAX_WORDS: usize = 8;
    text.length() <= MAX_WORDS
        && text.has(Marker::Subject)
        && text.words().any(|word| LICENCES.contains(&word))
}

/// A sentence of a prompt that begins with a denial.
fn is_correction(sentence: &str, text: &Text) -> bool {
    const MAX_USE: usize = 12;
    if text.has(Marker::Spot) {
        return false;
    }
    let rest = without_denial(sentence);
    let rest = Text::new(rest);
    let is_own = rest.length() >= 3;
    is_own && text.has(Marker::Because) && !text.begins(Marker::Clause)
        || text.has(Marker::Principle)
        || !rest.has(Marker::Deny) && is_plain(&rest)
        || is_contrast(&rest)
        || rest.length() <= MAX_USE
            && rest.has(Marker::Use)
            && (rest.has(Marker::Subject) || rest.has(Marker::Tool))
            && !is_about_a_spot(&rest)
            && !rest.has(Marker::Here)
            && !is_troubled(&rest)
}

/// `use tabs` of `No, use tabs`.
fn without_denial(sentence: &str) -> &str {
    const MAX_DENIAL: usize = 30;
    let near = &sentence[..sentence.floor_char_boundary(MAX_DENIAL)];
    let Some(at) = near.find([',', '.', '!', ':', '，', '、', '。', '،', '–', '—']) else {
        return sentence;
    };
    let end = at + sentence[at..].chars().next().map_or(0, char::len_utf8);
    match Text::new(&sentence[..end].replace([',', '，', '、', '،'], " ,")).has(Marker::Deny) {
        true => sentence[at..].trim_start_matches(|c: char| !c.is_alphanumeric()),
        false => sentence,
    }
}

fn is_troubled(text: &Text) -> bool {
    text.has(Marker::Still) || text.has(Marker::Wrong)
}

/// Whether the sentence is about one spot: `this button`, `a map`, but not `this project`.
fn is_about_a_spot(text: &Text) -> bool {
    (text.has(Marker::Spot) || text.has(Marker::It)) && !text.has(Marker::Whole)
}

/// Whether a sentence says what others say: `the README says we never test`.
pub fn is_reported(text: &Text) -> bool {
    const OWN: [&str; 12] =
        ["i", "ve", "we", "ich", "wir", "je", "ai", "nous", "yo", "eu", "я", "мы"];
    let words: Vec<&str> = text.words().collect();
    let is_own = |at: usize| at > 0 && OWN.contains(&words[at - 1]);
    (0..words.len()).any(|at| text.is_word(words[at], Marker::Reports) && !is_own(at))
        || text.is_unspaced() && text.has(Marker::Reports)
}

/// Whether a sentence has a label like a line of a chat: `alice: always test`.
pub fn is_labelled(sentence: &str) -> bool {
    let Some((label, _)) = sentence.split_once(": ") else { return false };
    let label = Text::new(label);
    let own = [Marker::Subject, Marker::Lasting, Marker::Always, Marker::Never];
    label.words().count() == 1
        && !label.is(Marker::OwnLabel)
        && !own.iter().any(|marker| label.has(*marker))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
