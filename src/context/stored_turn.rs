//! A turn as the store has it, and what it is worth: whether a request tells what it is about, and
//! whether a turn is only small talk.

use std::cell::OnceCell;

use super::deeds::Deeds;
use super::similarity::WordSet;
use crate::memory::{Block, CheckKind, CheckRun, FileChange, Outcome, Step, Summary, Turn};
use crate::store::summaries::SummaryRow;

/// A turn with the keys of its row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredTurn {
    /// Id of the summary: `s37`.
    pub id: i64,
    pub session_id: Option<i64>,
    pub created_at_epoch: i64,
    pub provisional: bool,
    pub turn: Turn,
    /// See [`StoredTurn::deeds`].
    pub(super) deeds: OnceCell<Option<Deeds>>,
}

impl StoredTurn {
    /// What the turn did. `None` if it did nothing.
    pub fn deeds(&self) -> Option<&Deeds> {
        self.deeds.get_or_init(|| Deeds::of(&self.turn)).as_ref()
    }

    pub fn of_row(row: SummaryRow) -> StoredTurn {
        StoredTurn {
            id: row.id,
            session_id: row.session_id,
            created_at_epoch: row.created_at_epoch,
            provisional: row.provisional,
            turn: row.turn.map_or_else(|| turn_of_columns(&row.summary), |turn| *turn),
            deeds: OnceCell::new(),
        }
    }
}

/// The turn of a row that an older release stored: its columns are all there is.
fn turn_of_columns(summary: &Summary) -> Turn {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim).filter(|line| says_something(line)).map(str::to_owned).collect()
    };
    let blocks = |text: &str| match lines(text) {
        lines if lines.is_empty() => Vec::new(),
        lines => vec![Block { lines, ..Block::default() }],
    };
    let done = blocks(&summary.completed);
    let mut turn = Turn {
        request: summary.request.clone(),
        cause: blocks(&summary.learned),
        answer: if done.is_empty() { blocks(&summary.notes) } else { Vec::new() },
        done,
        ..Turn::default()
    };
    turn.next = lines(&summary.next_steps)
        .into_iter()
        .map(|text| Step { text, ..Step::default() })
        .collect();
    turn.evidence.files = summary
        .files_modified
        .iter()
        .map(|path| FileChange { path: path.clone(), edits: 1, ..FileChange::default() })
        .collect();
    turn
}

/// False for `None.`, `n/a`, `Next steps:` and `---`.
fn says_something(line: &str) -> bool {
    let line = line.trim_start_matches(['-', '*', ' ']).trim_end_matches(['.', ':', '!']);
    let empty = ["none", "n/a", "na", "nothing", "no next steps", "next steps", "next", "todo"];
    line.chars().any(char::is_alphanumeric) && !empty.contains(&line.to_lowercase().as_str())
}

/// Whether a request tells what it is about: it has two words that carry meaning.
pub fn is_informative(request: &str) -> bool {
    request.contains('`') || WordSet::has_words(request, 2)
}

/// Longer requests are about something, whatever the answer.
const SMALL_TALK_WORDS: usize = 3;

/// A turn without work whose few words name nothing: `thanks`, `what time is it?`.
pub fn is_small_talk(turn: &Turn) -> bool {
    let names = |text: &String| names_something(text);
    let answer = || turn.answer.iter().flat_map(|block| &block.lines);
    let length: usize = answer().map(|line| line.chars().count()).sum();
    !turn.complains
        && !turn.evidence.has_change()
        && turn.evidence.tool_uses == 0
        && turn.done.is_empty()
        && turn.cause.is_empty()
        && turn.next.is_empty()
        && turn.evidence.answers.is_empty()
        && turn.evidence.plans.is_empty()
        && length < 160
        && !WordSet::has_words(&turn.request, SMALL_TALK_WORDS + 1)
        && !answer().any(names)
        && !names(&turn.request)
}

/// Whether the text has a name between backticks, a path or an identifier.
pub fn names_something(text: &str) -> bool {
    text.contains('`') || text.split_whitespace().any(is_identifier)
}

/// Whether a text says something: three words that carry meaning, or a name.
pub fn has_substance(text: &str) -> bool {
    WordSet::has_words(text, 3) || names_something(text)
}

/// A path, a file or an identifier of several parts: `a/b`, `fn.ts`, `parse_empty`, `parseEmpty`.
fn is_identifier(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let inner: Vec<char> = word.chars().collect();
    let has_letter = inner.iter().any(|c| c.is_alphabetic());
    has_letter
        && inner.windows(2).any(|pair| {
            matches!(pair[0], '/' | '_' | '.') || (pair[0].is_lowercase() && pair[1].is_uppercase())
        })
}

/// Whether a pass shows that an earlier failure is gone.
pub fn covers(pass: &CheckRun, failure: &CheckRun) -> bool {
    let whole = pass.arguments.is_empty();
    let same = pass.key == failure.key && (whole || pass.arguments == failure.arguments);
    let builds = failure.kind == CheckKind::Build && pass.kind != CheckKind::Build;
    let of_kind = pass.kind == failure.kind && pass.toolchain == failure.toolchain;
    pass.outcome == Outcome::Pass && (same || (whole && of_kind) || builds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_talk_names_nothing() {
        let check = |request: &str, answer: &str, expected| {
            let lines = vec![answer.to_owned()];
            let answer = vec![Block { lines, ..Block::default() }];
            let turn = Turn { request: request.into(), answer, ..Turn::default() };
            assert_eq!(is_small_talk(&turn), expected, "{request}");
        };
        check("what time is it?", "14:32.", true);
        check("thanks!", "You are welcome.", true);
        check("Port the first exporter to the new format", "It is ported.", false);
        check("Which exporter is in use?", "The one in `export/v2.rs`.", false);
        check("Which exporter is in use?", "The one in export/v2.rs.", false);
        check("Wo steht parseEmpty?", "Weiter unten.", false);
    }
}
