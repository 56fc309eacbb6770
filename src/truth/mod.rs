//! Which of two statements holds: whether a newer one replaces an older one, or says the same.
//!
//! The rules are words and their order in a few languages (`words.tsv`). They are made for precision: if
//! in doubt, both statements stay, each with its date. No I/O.

mod replaced;
mod restated;
mod statement;
pub mod turns;

pub use statement::{Role, Statement};

use crate::memory::Origin;
use statement::Word;

/// What a newer statement does to an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It says the same.
    Copies,
    /// It says something else about the same thing.
    Replaces,
}

/// Compares two statements about the same project.
pub fn judge(newer: &Statement, older: &Statement) -> Option<Verdict> {
    if !newer.has_common(older) {
        None
    } else if says_the_same(newer, older) || restated::restates(newer, older) {
        Some(Verdict::Copies)
    } else {
        replaced::replaces(newer, older).then_some(Verdict::Replaces)
    }
}

/// Whether the explanation of a newer statement says that what an older one names is given up: `The broker
/// moved to Redis`, with `RabbitMQ is switched off`, after `The broker is RabbitMQ`.
pub fn gives_up(explanation: &Statement, newer: &Statement, older: &Statement) -> bool {
    newer.has_common(older) && replaced::gives_up(explanation, newer, older)
}

/// Whether both begin with the same word that carries meaning: `The database is SQLite`, `Database moved to
/// Postgres`.
pub fn begin_alike(a: &Statement, b: &Statement) -> bool {
    let first = |s: &'_ Statement| s.words.iter().find(|word| word.is_content()).cloned();
    matches!((first(a), first(b)), (Some(a), Some(b)) if a.stem == b.stem && a.value().is_none())
}

/// Whether a statement of this origin may replace one of the other.
pub fn may_replace(newer: Origin, older: Origin) -> bool {
    newer <= older
}

/// Whether two texts state the same in the same order of words. Articles and some prepositions may differ.
fn says_the_same(a: &Statement, b: &Statement) -> bool {
    let stems = |s| essential(s).map(|word| word.stem.as_str());
    let n_content = a.words.iter().filter(|word| word.is_content()).count();
    stems(a).eq(stems(b)) && (n_content >= 2 || n_content == 1 && essential(a).count() >= 2)
}

/// The words without those that may differ between two copies.
fn essential(statement: &Statement) -> impl Iterator<Item = &Word> {
    statement.words.iter().filter(|word| !word.is(Role::Loose) || word.value().is_some())
}

#[cfg(test)]
mod tests;
