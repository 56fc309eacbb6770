//! Which statements of earlier turns a later turn replaces in words of its own: `let's move the dev server to
//! 4100`, after `the dev server goes on port 3000`.
//!
//! A statement is a part of a sentence. A later turn replaces it if the user speaks of a change there, both
//! have the same subject, and
//! - the later one has another value of the same kind: a number of the same unit, a day, a language; or
//! - the user begins with what the earlier one names, and the answer does not name it any more.
//!
//! An answer repeats its request in other words, so the parts of a turn with the same value have one subject.
//! A turn that replaces a statement takes over its subject, because a later change may name only that.

mod part;

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::rc::Rc;

use super::replaced;
use super::statement::Statement;
use crate::text::{Words, fnv_64, sentences};
use part::{Part, Value, is_short_name, parts, same};

/// Longer requests are tasks. What they say in passing replaces nothing.
const MAX_REQUEST: usize = 400;
/// Most words of a statement that names one thing of another.
const SHORT: usize = 5;

/// The user takes something else, or says that it changes.
const CHANGES: Words = Words(
    "changed my mind|change of plan|new plan|new policy|forget what|forget about|scrap |after all|second \
     thought|final word|go for |go with |let's do |lets do |let's use |lets use |make it |make them |make ints \
     |swap it|bumped |down to |was overkill|was a disaster|was a mistake|fue un error|war ein fehler\
     |raise |lower |bump |reduce |increase |extend |shorten |drop the |move to |moved to |overruled\
     |anders überlegt|doch schon|doch lieber|doch nur|doch erst|doch auf|sagen wir|lass uns|lasst uns|nimm \
     |nehmen wir|wir nehmen|leg ihn|leg sie|leg es|stell ihn|stell sie|stell es| daraus|künftig|nochmal wegen|vergiss\
     |erhöhe|senke|umziehen|umgestiegen|olvida|olvídate|al final|mejor que|cambié de idea|cambio de planes\
     |va a ser|pasamos|pasan a|vamos con|que vayan|finalement|changé d'avis|oublie|on passe|passons|prenons\
     |on prend|esquece|mudei de ideia|dimentica|cambiato idea",
);
/// The user takes back what was said before about what the request names.
const REVISES: Words = Words(
    "changed my mind|forget what|forget about|scrap the|anders überlegt|vergiss|olvida|olvídate|cambié de idea\
     |changé d'avis|oublie|esquece|mudei de ideia|dimentica|cambiato idea",
);
/// A turn as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Exchange {
    pub request: String,
    /// What the assistant said.
    pub said: Vec<String>,
    /// Whether it may replace what earlier turns say.
    pub can_replace: bool,
}

/// The turns that were read. A block compares most of its turns several times.
#[derive(Debug, Default)]
pub struct Readings(HashMap<Exchange, Rc<Reading>>);

impl Readings {
    /// The parts of each turn that a later one replaces. `turns` are those of one project, oldest first.
    pub fn outdated(&mut self, turns: Vec<Exchange>) -> Vec<Vec<String>> {
        let mut read: Vec<Turn> = turns.into_iter().map(|turn| self.turn(turn)).collect();
        for at in 1..read.len() {
            let (earlier, later) = read.split_at_mut(at);
            let newer = &mut later[0];
            if !newer.can_replace {
                continue;
            }
            for older in earlier.iter_mut() {
                if older.may_be_about(newer) {
                    let subjects = older.withdraw(newer);
                    newer.inherited.extend(subjects);
                }
            }
        }
        let out = |turn: &Turn| {
            let parts = turn.parts.iter().zip(&turn.is_out);
            parts.filter(|(_, is_out)| **is_out).map(|(part, _)| part.text.clone()).collect()
        };
        read.iter().map(out).collect()
    }

    fn turn(&mut self, exchange: Exchange) -> Turn {
        let reading = match self.0.get(&exchange) {
            Some(known) => known.clone(),
            None => {
                let reading = Rc::new(Reading::of(&exchange));
                self.0.insert(exchange, reading.clone());
                reading
            }
        };
        Turn { is_out: vec![false; reading.parts.len()], inherited: BTreeSet::new(), reading }
    }
}

/// What a turn says.
#[derive(Debug)]
struct Reading {
    parts: Vec<Part>,
    /// The user speaks of a change.
    changes: bool,
    /// The user takes something back.
    revises: bool,
    /// Whether the turn may replace something at all.
    can_replace: bool,
    /// What the request says not to hold any more.
    retired: Vec<String>,
    /// Hashes of the stems of its parts, sorted.
    stems: Vec<u64>,
}

impl Reading {
    fn of(exchange: &Exchange) -> Reading {
        let request = &exchange.request;
        let asked = sentences(request).into_iter().flat_map(|text| parts(text, true));
        let said = exchange.said.iter().flat_map(|text| sentences(text));
        let mut parts: Vec<Part> = asked.chain(said.flat_map(|text| parts(text, false))).collect();
        part::share_units(&mut parts);
        let lower = format!(" {} ", request.to_lowercase());
        let statement = Statement::read(request);
        let changes =
            CHANGES.inside(&lower) || parts.iter().any(|part| part.is_asked && part.tells_change());
        let n_asked = parts.iter().filter(|part| part.is_asked).count();
        let stems = parts.iter().flat_map(|part| &part.topic);
        let mut stems: Vec<u64> = stems.map(|stem| fnv_64(stem.as_bytes())).collect();
        stems.sort_unstable();
        stems.dedup();
        Reading {
            changes,
            revises: REVISES.inside(&lower),
            can_replace: exchange.can_replace && n_asked > 0 && request.len() <= MAX_REQUEST,
            retired: replaced::retired_stems(&statement),
            stems,
            parts,
        }
    }
}

/// A turn that is compared with others.
struct Turn {
    reading: Rc<Reading>,
    /// By part: a later turn replaces it.
    is_out: Vec<bool>,
    /// Subjects of what the turn replaces.
    inherited: BTreeSet<String>,
}

impl Deref for Turn {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.reading
    }
}

impl Turn {
    fn may_be_about(&self, newer: &Turn) -> bool {
        let hashed = |turn: &Turn| -> Vec<u64> {
            turn.inherited.iter().map(|stem| fnv_64(stem.as_bytes())).collect()
        };
        let (own, inherited) = (hashed(self), hashed(newer));
        let is_in =
            |stem: &u64| newer.stems.binary_search(stem).is_ok() || inherited.contains(stem);
        self.stems.iter().chain(&own).any(is_in)
    }

    /// Takes out what the newer turn replaces, and returns its subjects.
    fn withdraw(&mut self, newer: &Turn) -> BTreeSet<String> {
        let (mut subjects, mut values, mut names) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut out: Vec<usize> = Vec::new();
        for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| !self.is_out[*at]) {
            let named = self.names_given_up(part, newer);
            if self.has_other_value(part, newer) {
                let is_replaced = |v: &&Value| newer.parts.iter().any(|new| new.has_kind_of(v));
                values.extend(part.values.iter().filter(is_replaced).cloned());
            } else if !named.is_empty() {
                names.extend(named);
            } else if self.names_another(part, newer) {
                names.extend(part.topic[1..].iter().cloned());
            } else {
                continue;
            }
            subjects.extend(self.subject(part));
            out.push(at);
        }
        // The other parts of the turn repeat what is out.
        for (at, part) in self.parts.iter().enumerate() {
            let repeats = part.values.iter().any(|value| values.iter().any(|v| v.is(value)))
                || names.iter().any(|name| part.topic.iter().any(|stem| same(stem, name)));
            let is_of_subject = part.topic.iter().any(|stem| subjects.contains(stem));
            if repeats && is_of_subject {
                out.push(at);
            }
        }
        out.into_iter().for_each(|at| self.is_out[at] = true);
        self.withdraw_rests();
        subjects
    }

    /// Takes out what states nothing without the part beside it: the end of its sentence, or what introduces
    /// it.
    fn withdraw_rests(&mut self) {
        for at in 1..self.parts.len() {
            let part = &self.parts[at];
            let is_rest = part.continues && part.values.is_empty() && part.topic.len() < 2;
            if is_rest && self.is_out[at - 1] {
                self.is_out[at] = true;
            }
        }
        for at in (1..self.parts.len()).rev() {
            let introduces = self.parts[at - 1].introduces && self.parts[at].continues;
            let rest = self.parts.iter().zip(&self.is_out).skip(at);
            if introduces && rest.take_while(|(part, _)| part.continues).all(|(_, is_out)| *is_out)
            {
                self.is_out[at - 1] = true;
            }
        }
    }

    /// Whether the user names the stem.
    fn asks_about(&self, stem: &str) -> bool {
        let mut asked = self.parts.iter().filter(|part| part.is_asked);
        asked.any(|part| part.topic.iter().any(|other| same(other, stem)))
    }

    /// What a part speaks of, in all words that the turn has for it.
    fn subject(&self, part: &Part) -> BTreeSet<String> {
        let repeats = |other: &&Part| other.shares_value(part);
        let mut subject: BTreeSet<String> = part.subject().cloned().collect();
        let others = self.parts.iter().filter(repeats);
        subject.extend(others.flat_map(|other| other.topic.iter().cloned()));
        subject.extend(self.inherited.iter().cloned());
        subject
    }

    fn has_other_value(&self, old: &Part, newer: &Turn) -> bool {
        if old.values.is_empty() {
            return false;
        }
        let asked = || newer.parts.iter().filter(|part| part.is_asked);
        let is_told = |value: &Value| asked().any(|part| part.values.iter().any(|v| v.is(value)));
        let is_old_told = old.values.iter().any(is_told);
        let subject = LazyCell::new(|| self.subject(old));
        let is_revised = newer.revises && old.first().is_some_and(|first| newer.asks_about(first));
        newer.parts.iter().any(|new| {
            if !new.has_other_value(old) {
                return false;
            }
            if is_same_slot(old, new) {
                return true;
            }
            let is_wanted = new.is_asked || newer.changes || new.values.iter().any(is_told);
            if old.is_asked && !is_wanted {
                return false;
            }
            // `forget the 8`
            if is_revised || newer.revises && is_old_told {
                return true;
            }
            if !newer.changes && !is_old_told && !new.tells_change() {
                return false;
            }
            let of_new = newer.subject(new);
            let (first_old, first_new) = (old.first(), new.first());
            let is_foreign = |first: Option<&String>, subject: &BTreeSet<String>| {
                first.is_some_and(|first| !has(subject, first))
            };
            if is_foreign(first_old, &of_new) && is_foreign(first_new, &subject) {
                return false;
            }
            let n_shared = subject.iter().filter(|stem| has(&of_new, stem)).count();
            let begins_equal = match (first_old, first_new) {
                (Some(a), Some(b)) => same(a, b) || self.inherited.iter().any(|stem| same(stem, b)),
                _ => false,
            };
            // `raise the api rate limit to 100`: the answer says of what it is the value.
            let mut tell_it = newer.parts.iter().filter(|part| part.shares_value(new));
            let is_subject_itself =
                tell_it.all(|part| part.head().is_none_or(|head| has(&subject, head)));
            let is_same = n_shared >= 2 || begins_equal && is_subject_itself || is_old_told;
            n_shared > 0 && is_same
        })
    }

    /// What the part names, if the user gives it up: the user begins with it, and the answer does not name
    /// it.
    fn names_given_up(&self, old: &Part, newer: &Turn) -> Vec<String> {
        let said = || newer.parts.iter().filter(|part| !part.is_asked);
        if said().next().is_none() {
            return Vec::new();
        }
        let asked = || newer.parts.iter().filter(|part| part.is_asked && !part.keeps());
        let is_given_up = |stem: &String| {
            let begins = asked().any(|part| {
                let is_short_name =
                    |other: &String| other.len() < stem.len() && is_short_name(other, stem);
                part.first().is_some_and(|first| same(first, stem))
                    || part.topic.iter().any(is_short_name)
            });
            let holds = || said().filter(|part| !part.tells_end());
            let is_said = || holds().any(|part| part.topic.iter().any(|other| same(other, stem)));
            (begins || newer.retired.iter().any(|other| same(other, stem))) && !is_said()
        };
        let is_named = |stem: &&String| old.tells(stem) && is_given_up(stem);
        let named: Vec<String> = old.topic.iter().filter(is_named).cloned().collect();
        if named.is_empty() {
            return Vec::new();
        }
        let is_named = |stem: &String| named.iter().any(|name| same(name, stem));
        let echoes = self.parts.iter().filter(|part| part.topic.iter().any(is_named));
        let mut subject: BTreeSet<String> = self.subject(old);
        subject.extend(echoes.clone().flat_map(|part| part.subject().cloned()));
        subject.retain(|stem| !is_named(stem));
        let tells = |part: &&Part| part.topic.iter().any(|stem| has(&subject, stem));
        let begins = |part: &&Part| {
            let first = part.first();
            echoes
                .clone()
                .chain([old])
                .any(|old| matches!((old.first(), first), (Some(a), Some(b)) if same(a, b)))
        };
        let is_told = newer.parts.iter().any(|part| tells(&part) && !part.keeps());
        let is_changed = newer.changes || said().any(|part| begins(&part));
        // `Envoy serves all routes, the Traefik charts are removed`
        let is_over = said().any(|part| {
            part.tells_end()
                && part.topic.iter().any(is_named)
                && newer
                    .parts
                    .iter()
                    .any(|other| other.is_asked && other.first().is_some_and(is_named))
        });
        if is_over || is_told && is_changed { named } else { Vec::new() }
    }

    /// `the store is CouchDB now`, after `the store is SQLite`: a short statement with the same beginning that
    /// names something else.
    fn names_another(&self, old: &Part, newer: &Turn) -> bool {
        let is_short = (2..=SHORT).contains(&old.topic.len()) && !old.introduces;
        let Some(first) = old.first().filter(|_| is_short) else {
            return false;
        };
        let rest: Vec<&String> = old.topic[1..].iter().collect();
        let is_said = |stem: &&String| {
            let mut said = newer.parts.iter().filter(|part| !part.is_asked && !part.tells_end());
            said.any(|part| part.topic.iter().any(|other| same(other, stem)))
        };
        if rest.last().is_none_or(is_said) {
            return false;
        }
        let subject = &old.topic[..old.topic.len() - 1];
        if old.ends_with_name() && newer.parts.iter().any(|new| new.names_the(subject)) {
            return true;
        }
        if !newer.changes {
            return false;
        }
        let is_revised = newer.revises && newer.asks_about(first);
        newer.parts.iter().any(|new| {
            if new.is_asked && new.tells_change() && new.names_only(old) && old.ends_with_name() {
                return true;
            }
            let n_words = new.topic.len();
            let begins = new.first().is_some_and(|other| same(first, other));
            if !begins || !(2..=SHORT + 1).contains(&n_words) || new.keeps() {
                return false;
            }
            let has_change = new.tells_change() || CHANGES.inside(&new.text.to_lowercase());
            let names_both = old.ends_with_name() && new.names_other_than(old);
            let links = new.link().is_some() && new.link() == old.link();
            let is_named = rest.last().is_some_and(|last| newer.asks_about(last));
            match has_change || is_revised {
                // `overflow traps`, `overflow should wrap after all`.
                true => names_both || rest.len() == 1 && n_words == 2 && old.values.is_empty(),
                false => links && (names_both || is_named && new.names_other_than(old)),
            }
        })
    }
}

/// `Classes take 60 minutes`, after `Classes take 50 minutes now`: the same measure of the same thing, which the
/// words of one of them tell as a whole.
fn is_same_slot(old: &Part, new: &Part) -> bool {
    let (a, b) = (&old.topic, &new.topic);
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let begins = matches!((a.first(), b.first()), (Some(a), Some(b)) if same(a, b));
    // `the timeout of uploads`, after `Timeout 90 s`, is another thing.
    let is_whole = short.len() >= 2 || b.len() == 1;
    begins
        && is_whole
        && new.has_other_measure(old)
        && short.iter().all(|stem| long.iter().any(|other| same(stem, other)))
}

fn has(subject: &BTreeSet<String>, stem: &str) -> bool {
    subject.contains(stem) || subject.iter().any(|other| same(other, stem))
}

#[cfg(test)]
mod tests;
