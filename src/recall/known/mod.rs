//! What is known of a file, an error and a command, from the evidence of earlier turns.
//!
//! The texts consist of names, counts and identifiers, and of words of the user and the assistant.
//! What a third party wrote, such as the text of an error, is only compared.

mod command;
mod error;
mod file;
mod history;
mod invocations;
#[cfg(test)]
mod testing;

use crate::activity::fit;
use crate::memory::{Block, Turn};
use crate::store::known::TurnRow;
use crate::store::words::RowId;
use crate::text::is_name;

pub use command::about_command;
pub use error::{Fix, about_error, fixes};
pub use file::about_file;
pub use history::{FileTurn, changes_of_file, paths_ending};
pub use invocations::{Invocation, invocations};

/// Maximum number of names that a text lists.
const MAX_LISTED: usize = 3;
/// Maximum number of characters of a line that the assistant said.
const MAX_SAID: usize = 240;

/// One thing that is known, as one or two sentences.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub kind: KnownKind,
    /// The row that tells more: an observation or a summary.
    pub row: RowId,
    pub text: String,
    /// Milliseconds since the epoch.
    pub created_at_epoch: i64,
    /// The client's id of the session.
    pub session: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownKind {
    /// A rule or decision in the user's words.
    Said,
    /// The user refused it.
    Refused,
    /// It was done and taken back.
    Undone,
    /// It failed, and nothing shows that it works.
    Failing,
    /// What was done after an error, before the same command worked.
    Fixed,
    /// An observation.
    Noted,
    /// The last change.
    Changed,
}

impl KnownKind {
    pub fn as_str(self) -> &'static str {
        match self {
            KnownKind::Said => "said",
            KnownKind::Refused => "refused",
            KnownKind::Undone => "undone",
            KnownKind::Failing => "failing",
            KnownKind::Fixed => "fixed",
            KnownKind::Noted => "noted",
            KnownKind::Changed => "changed",
        }
    }
}

impl Known {
    fn of_turn(kind: KnownKind, row: &TurnRow, text: String) -> Known {
        Known {
            kind,
            row: RowId::summary(row.id),
            text,
            created_at_epoch: row.created_at_epoch,
            session: row.session.clone(),
        }
    }
}

/// The title of a turn in quotes, for the end of a sentence: ` (“Fix the parser”)`. Empty if it has
/// none. The earlier request that it refers to is left out.
fn in_turn(row: &TurnRow) -> String {
    let title = match row.turn.re.as_str() {
        "" => title(row).to_owned(),
        re => Turn::without_re(title(row), re),
    };
    if title.is_empty() { String::new() } else { format!(" (“{title}”)") }
}

/// The title of a turn, else the first line of its request.
pub fn title(row: &TurnRow) -> &str {
    let first = row.request.lines().next().unwrap_or("").trim();
    if row.title.is_empty() { first } else { &row.title }
}

/// What the assistant said about a turn: causes first, then results, then explanations and answers. At most
/// three lines.
pub fn said(row: &TurnRow) -> Vec<String> {
    let turn = &row.turn;
    let blocks = turn.cause.iter().chain(&turn.done).chain(&turn.background).chain(&turn.answer);
    let mut lines: Vec<String> = blocks.filter_map(Block::lasting).flat_map(|b| b.lines).collect();
    if lines.is_empty() {
        lines.extend(row.completed.lines().map(str::to_owned));
    }
    lines.retain(|line| !line.trim().is_empty());
    lines.truncate(MAX_LISTED);
    lines.iter().map(|line| fit(line, MAX_SAID)).collect()
}

/// `` `a.rs`, `b.rs` and 3 more ``.
fn listed(names: &[String], more: usize) -> String {
    let quoted = |name: &String| format!("`{name}`");
    let shown: Vec<String> = names.iter().take(MAX_LISTED).map(quoted).collect();
    let more = more + names.len() - shown.len();
    match (shown.as_slice(), more) {
        (shown, 0) => match shown {
            [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
            _ => shown.join(", "),
        },
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The JSON text of a name, as it stands in a stored turn.
fn as_stored(name: &str) -> String {
    serde_json::to_string(name).expect("a text serializes to JSON")
}

/// Names of tests come from the output of a runner.
fn safe_names(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| is_name(name)).cloned().collect()
}
