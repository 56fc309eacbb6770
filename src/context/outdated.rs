//! Removes what later turns replace from what a turn says: the user's statement and the answer that repeats it.
//!
//! It is found anew for each block, from the turns that are read for it (`truth::turns`). So nothing is stored,
//! and a statement is told again when the turn that replaced it is forgotten. Search finds it in any case.
//! Which of two rules holds, `store::links` knows: users can undo that.

use std::cell::RefCell;

use rusqlite::{Connection, Result};

use super::stored_turn::{StoredTurn, is_informative};
use crate::memory::{Block, Sender, Turn};
use crate::store::summaries;
use crate::text;
use crate::truth::turns::{Exchange, Readings};

/// The newest turns of the user that are compared with each other.
const TURNS: usize = 20;
/// Lines of an answer that are compared, and the longest one, in bytes.
const LINES: usize = 4;
const MAX_LINE: usize = 300;
/// The beginning of a request that is compared, in bytes.
const MAX_REQUEST: usize = 800;
/// Fewer words say nothing: `Rules:`.
const MIN_WORDS: usize = 2;

/// A turn that is compared.
pub struct Compared<'a> {
    pub stored: &'a mut StoredTurn,
    /// It was on this branch. What was decided on another one replaces nothing here.
    pub is_here: bool,
}

/// Removes from the turns what later ones of them replace.
pub fn withdraw(mut turns: Vec<Compared>, readings: &RefCell<Readings>) {
    turns.retain(|one| one.stored.turn.sender == Sender::User);
    turns.sort_by_key(|one| (one.stored.created_at_epoch, one.stored.id));
    turns.drain(..turns.len().saturating_sub(TURNS));
    let exchanges = turns.iter().map(|one| exchange(&one.stored.turn, one.is_here)).collect();
    for (one, parts) in turns.iter_mut().zip(readings.borrow_mut().outdated(exchanges)) {
        remove_from(&mut one.stored.turn, &parts);
    }
}

/// Removes from turns what later ones of their project replace.
pub fn withdraw_by_later(
    conn: &Connection,
    project: Option<i64>,
    turns: Vec<&mut StoredTurn>,
    readings: &RefCell<Readings>,
) -> Result<()> {
    let times = || turns.iter().map(|stored| stored.created_at_epoch);
    let (Some(oldest), Some(newest)) = (times().min(), times().max()) else { return Ok(()) };
    let mut later: Vec<StoredTurn> = Vec::new();
    if let Some(project) = project {
        let of_user = summaries::times_of_user_for_context(conn, project, oldest, TURNS)?;
        if of_user.len() == TURNS && of_user.into_iter().all(|at| at > newest) {
            // Only the newest turns are compared, and none of these is among them.
            return Ok(());
        }
        let rows = summaries::later_for_context(conn, project, oldest, TURNS)?;
        later.extend(rows.into_iter().map(StoredTurn::of_row));
        later.retain(|other| turns.iter().all(|stored| stored.id != other.id));
    }
    let compared = turns.into_iter().chain(&mut later);
    withdraw(compared.map(|stored| Compared { stored, is_here: true }).collect(), readings);
    Ok(())
}

fn exchange(turn: &Turn, can_replace: bool) -> Exchange {
    let end = turn.request.floor_char_boundary(MAX_REQUEST);
    let blocks = [&turn.done, &turn.answer, &turn.cause].into_iter().flatten();
    let lines = blocks.flat_map(|block| &block.lines).filter(|line| line.len() <= MAX_LINE);
    Exchange {
        request: turn.request[..end].to_owned(),
        said: lines.take(LINES).cloned().collect(),
        can_replace,
    }
}

fn remove_from(turn: &mut Turn, parts: &[String]) {
    if parts.is_empty() {
        return;
    }
    for text in [&mut turn.request, &mut turn.title] {
        let rest = without(text, parts);
        // A rest that cannot be told alone would be lost, and it holds.
        if rest.is_empty() || is_informative(&rest) {
            *text = rest;
        }
    }
    for blocks in [&mut turn.done, &mut turn.answer, &mut turn.cause] {
        blocks.iter_mut().for_each(|block| remove_from_block(block, parts));
        blocks.retain(|block| !block.lines.is_empty());
    }
}

fn remove_from_block(block: &mut Block, parts: &[String]) {
    block.lines.iter_mut().for_each(|line| *line = without(line, parts));
    // The positions of momentary lines are those of all lines.
    let momentary = std::mem::take(&mut block.momentary);
    let mut kept = Vec::new();
    let mut at = 0;
    block.lines.retain(|line| {
        at += 1;
        let is_kept = !line.is_empty();
        kept.extend(is_kept.then_some(at - 1));
        is_kept
    });
    let places = kept.iter().enumerate().filter(|(_, old)| momentary.contains(old));
    block.momentary = places.map(|(new, _)| new).collect();
}

/// The text without these parts. Empty if the rest says nothing; the text itself if it has none of them.
fn without(text: &str, parts: &[String]) -> String {
    let mut rest = text.to_owned();
    for part in parts {
        // A title may quote a sentence without its stop.
        let part = part.trim_end_matches(['.', '!', '。']);
        if let Some(at) = rest.find(part).filter(|_| !part.is_empty()) {
            rest = join(&rest[..at], &rest[at + part.len()..]);
        }
    }
    match rest != text && text::words(&rest).count() < MIN_WORDS {
        true => String::new(),
        false => rest,
    }
}

/// Joins what stood around a part that is removed, without the signs that separated it.
fn join(before: &str, after: &str) -> String {
    const SIGNS: &[char] = &[' ', ',', ';', ':', '–', '—', '…', '.', '!', '。', '，', '、', '；'];
    let before = before.trim_end();
    let after = match before.is_empty() || before.ends_with(SIGNS) {
        true => after.trim_start_matches(SIGNS),
        false => after.trim_start(),
    };
    let begins = before.is_empty() || before.ends_with(['.', '!', '?']);
    let after = match after.split_once(' ') {
        Some(("and" | "und" | "y" | "et" | "e", rest)) if begins => rest,
        _ => after,
    };
    if after.is_empty() {
        return before.trim_end_matches([' ', ',', ';', ':', '–', '—', '，', '、']).to_owned();
    }
    let gap = if before.is_empty() || after.starts_with(SIGNS) { "" } else { " " };
    format!("{before}{gap}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_a_sentence() {
        let check = |text: &str, parts: &[&str], expected: &str| {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(without(text, &parts), expected, "{text}");
        };
        check(
            "First. the app runs on 3000, api on 8081",
            &["the app runs on 3000"],
            "First. api on 8081",
        );
        check("api on 8081, the app runs on 3000", &["the app runs on 3000"], "api on 8081");
        check("The app runs on 3000.", &["The app runs on 3000."], "");
        check("Deploy with Ansible", &["Deploy with Ansible."], "");
        check("Rules: deploy with Ansible", &["deploy with Ansible"], "");
        check("Nothing of it", &["deploy with Ansible"], "Nothing of it");
        check("Ok", &["deploy"], "Ok");
    }

    #[test]
    fn momentary_lines_keep_their_places() {
        let lines = ["The app runs on 3000.", "One test fails.", "All else is done here."];
        let mut block = Block {
            lines: lines.map(str::to_owned).to_vec(),
            momentary: vec![1],
            ..Block::default()
        };
        remove_from_block(&mut block, &["The app runs on 3000.".to_owned()]);
        assert_eq!(block.lines, lines[1..]);
        assert_eq!(block.momentary, [0]);
    }
}
