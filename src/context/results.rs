//! What came of the turn that a row is of. The title of a row is often only the question or the request.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rusqlite::Connection;

use super::blocks::{self, whole_sentences};
use super::markdown::paragraph;
use super::outdated;
use super::rollup::is_replaced;
use super::similarity::sentences;
use super::stored_turn::{StoredTurn, has_substance};
use super::{Screens, screen};
use crate::memory::{Block, FileChange, Turn};
use crate::recall::Wanted;
use crate::store::summaries;
use crate::store::words::{RowId, RowKind};
use crate::store::{Result, turns};
use crate::text::Words;

/// Later turns of a session that may redo one.
const LATER: i64 = 8;
const MAX_TEXT: usize = 200;
/// Of a sentence that answers a prompt, with the one before it.
const MAX_ANSWER: usize = 320;

/// What came of the turns of rows.
#[derive(Clone, Debug, Default)]
pub struct Results(BTreeMap<RowId, Outcome>);

#[derive(Clone, Debug)]
struct Outcome {
    /// Id of the turn's summary.
    turn: i64,
    /// Inert.
    text: String,
}

impl Results {
    /// Reads the turns of these rows of a project. Rows of no turn, and those whose turn is not told, have no
    /// result. `wanted`: the sentence that answers a prompt is the result.
    pub(super) fn of(
        conn: &Connection,
        rows: &[RowId],
        project: Option<i64>,
        screens: &Screens,
        wanted: Option<&Wanted>,
    ) -> Result<Results> {
        let mut found: Vec<(RowId, StoredTurn)> = Vec::new();
        for row in rows {
            if let Some((session, number)) = turns::of_row(conn, *row)? {
                let turn = read(conn, session, number..=number, screens)?.pop();
                found.extend(turn.map(|turn| (*row, turn)));
            }
        }
        let turns = found.iter_mut().map(|(_, stored)| stored).collect();
        outdated::withdraw_by_later(conn, project, turns, &screens.readings)?;
        let outcome = |(row, stored): (RowId, StoredTurn)| {
            let answer = wanted.and_then(|wanted| answering(&stored.turn, wanted));
            let text = answer.unwrap_or_else(|| first_sentence(&stored.turn));
            (row, Outcome { turn: stored.id, text })
        };
        Ok(Results(found.into_iter().map(outcome).collect()))
    }

    /// The sentence that answers the prompt, else the first one that lasts of what the turn found, did or answered.
    /// Empty if there is none.
    pub fn text(&self, row: RowId) -> &str {
        self.0.get(&row).map_or("", |outcome| &outcome.text)
    }

    /// Id of the summary of the row's turn.
    pub fn turn(&self, row: RowId) -> Option<i64> {
        self.0.get(&row).map(|outcome| outcome.turn)
    }
}

/// The turns of a session with these prompt numbers that may be told, oldest first.
fn read(
    conn: &Connection,
    session: i64,
    numbers: RangeInclusive<i64>,
    screens: &Screens,
) -> rusqlite::Result<Vec<StoredTurn>> {
    let mut rows = summaries::of_prompts_for_context(conn, session, numbers)?;
    rows.retain(|row| row.marks.is_told());
    screen::summaries(&mut rows, screens.unscreened);
    let mut turns: Vec<StoredTurn> = rows.into_iter().map(StoredTurn::of_row).collect();
    turns.iter_mut().for_each(|stored| screen::turn(&mut stored.turn, &screens.rejected));
    Ok(turns)
}

fn first_sentence(turn: &Turn) -> String {
    let blocks = [&turn.cause, &turn.done, &turn.answer];
    let mut said = blocks.into_iter().flat_map(|blocks| said(blocks)).flatten();
    let first = said.find(|sentence| has_substance(sentence)).unwrap_or_default();
    without_stop(&whole_sentences(&first, MAX_TEXT))
}

/// What lasts of the blocks: the inert sentences of each.
fn said(blocks: &[Block]) -> Vec<Vec<String>> {
    let sentences_of = |block: &Block| {
        let lines: Vec<String> = block.lines.iter().map(|line| paragraph(line)).collect();
        let of_line = |line: &String| sentences(line).into_iter().map(str::to_owned).collect();
        lines.iter().flat_map(|line| -> Vec<String> { of_line(line) }).collect()
    };
    blocks::lasting(blocks).iter().map(sentences_of).collect()
}

/// The sentence of a turn that shares most with a prompt, and the one before it if it begins with a pronoun.
/// `None` if no sentence shares a word with the prompt.
pub(super) fn answering(turn: &Turn, wanted: &Wanted) -> Option<String> {
    let blocks = [&turn.cause, &turn.done, &turn.answer, &turn.background];
    let said: Vec<Vec<String>> = blocks.into_iter().flat_map(|blocks| said(blocks)).collect();
    let mut told: Vec<(&str, String)> = Vec::new();
    for sentences in &said {
        let answer = |at: usize| {
            let before = at.checked_sub(1).filter(|_| begins_with_pronoun(&sentences[at]));
            let both = before.map(|before| format!("{} {}", sentences[before], sentences[at]));
            let both = both.filter(|both| both.chars().count() <= MAX_ANSWER);
            both.unwrap_or_else(|| whole_sentences(&sentences[at], MAX_ANSWER))
        };
        let all = sentences.iter().enumerate().map(|(at, text)| (text.as_str(), answer(at)));
        told.extend(all.filter(|(_, answer)| has_substance(answer)));
    }
    let best = wanted.best(told.iter().map(|(sentence, _)| *sentence))?;
    Some(without_stop(&told[best].1))
}

fn without_stop(text: &str) -> String {
    text.trim_end_matches(['.', ';']).to_owned()
}

/// Whether the subject of a sentence is what the sentence before it says.
fn begins_with_pronoun(sentence: &str) -> bool {
    const PRONOUNS: Words = Words(
        "it|its|they|their|this|that|these|those|he|she|both|es|sie|er|das|dies|diese|beides|il|elle|ils|elles|\
         cela|ça|ceci|eso|esto|isso|isto|questo|это|они|それ|これ|这|它",
    );
    crate::text::words(sentence).next().is_some_and(|word| PRONOUNS.are(&word.to_lowercase()))
}

/// The summary of the turn that redoes the turn with this session and prompt number. It stands for that turn:
/// nothing is left of what that one wrote, or it reported nothing, and the later one changed its files.
pub(super) fn redone(
    conn: &Connection,
    (session, number): (i64, i64),
    screens: &Screens,
) -> Result<Option<RowId>> {
    let Some(turn) = read(conn, session, number..=number, screens)?.pop() else { return Ok(None) };
    let later = read(conn, session, number + 1..=number + LATER, screens)?;
    Ok(redo(&turn, &later).map(|stored| RowId { kind: RowKind::Summary, id: stored.id }))
}

fn redo<'a>(turn: &StoredTurn, later: &'a [StoredTurn]) -> Option<&'a StoredTurn> {
    fn files(stored: &StoredTurn) -> impl Iterator<Item = &FileChange> {
        stored.turn.evidence.files.iter().filter(|file| !file.scratch)
    }
    let reports = |stored: &StoredTurn| !stored.turn.done.is_empty();
    let changes_it = |other: &&StoredTurn| {
        let mut changed = files(other);
        reports(other) && changed.any(|file| files(turn).any(|own| own.path == file.path))
    };
    let newest = later.iter().rev().find(changes_it)?;
    let changes: Vec<&FileChange> = later.iter().flat_map(files).collect();
    let is_gone = files(turn).all(|file| is_replaced(file, &changes));
    (is_gone || !reports(turn)).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: i64, done: &str, files: &[&str]) -> StoredTurn {
        let mut turn = Turn::default();
        if !done.is_empty() {
            turn.done = vec![Block { lines: vec![done.into()], ..Block::default() }];
        }
        let file = |path: &&str| FileChange { path: path.to_string(), ..FileChange::default() };
        turn.evidence.files = files.iter().map(file).collect();
        StoredTurn { id, turn, ..StoredTurn::default() }
    }

    #[test]
    fn the_result_is_the_first_sentence_that_says_something_and_lasts() {
        let mut stored = turn(1, "Done. Dropped rows are only counted. They are not logged.", &[]);
        assert_eq!(first_sentence(&stored.turn), "Dropped rows are only counted");
        stored.turn.cause =
            vec![Block { lines: vec!["The file is Latin-1.".into()], ..Block::default() }];
        assert_eq!(first_sentence(&stored.turn), "The file is Latin-1");
        stored.turn.cause[0].momentary = vec![0];
        stored.turn.done[0].momentary = vec![0];
        assert_eq!(first_sentence(&stored.turn), "");
    }

    #[test]
    fn the_sentence_with_the_words_of_the_prompt_answers_it() {
        let mut stored = turn(1, "Dropped rows are only counted. They go to the log.", &[]);
        let lines = vec!["The first attempt wrote two entries.".into()];
        stored.turn.background = vec![Block { lines, ..Block::default() }];
        let check = |prompt: &str, expected: Option<&str>| {
            let found = answering(&stored.turn, &Wanted::of(prompt));
            assert_eq!(found.as_deref(), expected, "{prompt}");
        };
        check(
            "how many entries did the attempt write",
            Some("The first attempt wrote two entries"),
        );
        check("what is in the log", Some("Dropped rows are only counted. They go to the log"));
        check("who reviews invoices", None);
    }

    #[test]
    fn a_later_turn_stands_for_one_of_which_nothing_is_left() {
        let check = |turn: &StoredTurn, later: &[StoredTurn], expected: Option<i64>| {
            assert_eq!(redo(turn, later).map(|stored| stored.id), expected);
        };
        let first = turn(1, "Dropped rows go to a file.", &["clean.py"]);
        check(&first, &[turn(2, "Dropped rows go to `--dropped`.", &["clean.py"])], Some(2));
        check(&first, &[turn(2, "The docs are written.", &["README.md"])], None);
        check(&first, &[turn(2, "", &["clean.py"])], None);
        let mut partly = first.clone();
        partly.turn.evidence.files.extend(turn(0, "", &["load.py"]).turn.evidence.files);
        check(&partly, &[turn(2, "Dropped rows go to `--dropped`.", &["clean.py"])], None);
        let interrupted = turn(1, "", &["clean.py", "load.py"]);
        check(&interrupted, &[turn(2, "Rows are dropped.", &["clean.py"])], Some(2));
    }
}
