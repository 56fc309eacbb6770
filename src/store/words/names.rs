//! Names by which rows are asked for exactly: the files, errors and commands that they tell of.
//!
//! The index has a hash of each name beside the words of the row, so that it is kept and built like the words,
//! and a project is a range of it. A search never asks for a hash: none of its words begins with [`MARK`].
//! Hashes have 40 bits. The reader of a row compares the name itself. A change that gives other names to a row must
//! increment [`crate::terms::VERSION`].

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::load::StoredRow;
use super::postings::{Expression, Order, postings};
use super::row::{RowId, RowKind, Scope, of_rowid};
use crate::activity::written_commands;
use crate::memory::{Origin, Turn};
use crate::store::summaries;

/// A control character, which is in no word. SQLite's tokenizer takes it as a letter.
const MARK: char = '\u{80}';

/// Shorter words of a text are no name of a file.
const MIN_FILE_NAME: usize = 3;

/// What a row can be asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// An observation of the file with this path.
    Noted(&'a str),
    /// The user's words in an observation, in which a file has this name, without its directory.
    Mentioned(&'a str),
    /// A turn that changed the file with this path.
    Changed(&'a str),
    /// A turn that moved a file to this path.
    Moved(&'a str),
    /// A turn that put the file with this path back.
    PutBack(&'a str),
    /// A turn in which the user refused something that names a file with this name, without its directory.
    Refused(&'a str),
    /// A turn with an error of this print.
    Error(&'a str),
    /// A turn that used this command, or in which the user refused it.
    Command(&'a str),
    /// The same for a program with its verb.
    Program(&'a str),
}

impl Name<'_> {
    /// The word that stands for the name in the index.
    fn word(self) -> String {
        let (kind, text) = match self {
            Name::Noted(text) => ("n", text),
            Name::Mentioned(text) => ("m", text),
            Name::Changed(text) => ("c", text),
            Name::Moved(text) => ("v", text),
            Name::PutBack(text) => ("b", text),
            Name::Refused(text) => ("r", text),
            Name::Error(text) => ("e", text),
            Name::Command(text) => ("l", text),
            Name::Program(text) => ("p", text),
        };
        let hash = Sha256::new().chain_update(kind).chain_update(text).finalize();
        format!("{MARK}{}", data_encoding::BASE32_DNSSEC.encode(&hash[..5]))
    }
}

/// The newest rows of a project that have one of the names, newest first, without those that are never told
/// unasked. Rows of another name with the same hash may be among them.
pub fn named(
    conn: &Connection,
    project: i64,
    names: &[Name],
    limit: usize,
) -> rusqlite::Result<Vec<RowId>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let any = Expression::any(names.iter().map(|name| name.word()));
    let range = Scope { project, unasked: false }.range();
    let rowids = postings(conn, &any, &range, Order::NewestFirst, limit)?;
    Ok(rowids.into_iter().filter_map(of_rowid).map(|(_, row)| row).collect())
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The words of the index for the names of a row.
pub(super) fn of_row(conn: &Connection, row: &StoredRow) -> rusqlite::Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    match row.row.kind {
        RowKind::Observation => {
            words.extend(row.files.iter().map(|path| Name::Noted(path).word()));
            if row.origin == Origin::User {
                let names = [&row.document.title, &row.document.body].map(|text| file_names(text));
                words.extend(names.into_iter().flatten().map(|name| Name::Mentioned(name).word()));
            }
        }
        RowKind::Summary => {
            let sql = "SELECT turn FROM session_summaries WHERE id = ?1";
            let mut turn = conn.prepare_cached(sql)?;
            let turn = turn.query_row([row.row.id], |r| summaries::turn(r, 0)).optional()?;
            if let Some(turn) = turn.flatten() {
                add_turn(&mut words, &turn);
            }
        }
        RowKind::Prompt => {}
    }
    Ok(words)
}

fn add_turn(words: &mut BTreeSet<String>, turn: &Turn) {
    let e = &turn.evidence;
    let mut add = |name: Name| {
        words.insert(name.word());
    };
    for file in &e.files {
        add(Name::Changed(&file.path));
        if file.from.is_some() {
            add(Name::Moved(&file.path));
        }
    }
    e.put_back.iter().for_each(|path| add(Name::PutBack(path)));
    e.failures.iter().flat_map(|f| &f.prints).for_each(|print| add(Name::Error(print)));
    for used in &e.commands {
        add(Name::Command(&used.line));
        add(Name::Program(&used.name));
    }
    for refusal in &e.refusals {
        refusal.what.split(' ').for_each(|word| add(Name::Refused(file_name(word))));
        for refused in written_commands(&refusal.what) {
            add(Name::Command(&refused.line));
            add(Name::Program(&refused.name));
        }
    }
}

/// What may be the name of a file in a text: a word with a sign, a digit or a capital letter, such as
/// `build.rs`, `pre-commit`, `Makefile`, or a word between backquotes.
fn file_names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
    let quoted = |word: &str| {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        text[..at].ends_with('`')
    };
    let words = text.split(move |c: char| !is_part(c));
    words.map(|word| word.trim_end_matches(['.', '-'])).filter(move |word| {
        let is_marked = |c: char| c.is_uppercase() || c.is_numeric() || "._-+@".contains(c);
        word.len() >= MIN_FILE_NAME && (word.contains(is_marked) || quoted(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_that_no_text_has() {
        let word = Name::Noted("src/a b.rs").word();
        assert_eq!(word.chars().next(), Some(MARK));
        assert!(word[MARK.len_utf8()..].bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(word, Name::Changed("src/a b.rs").word());
        assert!(!crate::terms::index_text([&word]).0.contains(MARK));
    }

    #[test]
    fn a_text_names_files() {
        let names = |text| file_names(text).collect::<Vec<_>>();
        assert_eq!(names("never touch src/gen/api_v2.rs."), ["api_v2.rs"]);
        assert_eq!(
            names("The Makefile, `justfile` and (pre-commit)!"),
            ["The", "Makefile", "justfile", "pre-commit"]
        );
        assert_eq!(names("keep it simple, a.b and so on"), ["a.b"]);
        assert!(names("").is_empty());
    }
}
