//! Statements that the user rejected: with `feedback wrong`, `forget --reject`, or by editing the memory
//! that made them. They are kept as salted hashes of their normal form (`text::statement`), which
//! outlast the rows. All paths that store memories consult them, and so does the context.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::error::Result;
use super::forgotten::UNUSED_REJECTED;
use super::words::{RowId, RowKind};
use super::{observations, summaries};
use crate::memory::{Block, Observation, Summary, Turn};
use crate::text::{sentences, statement, statement_hash};

/// Why a statement was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Feedback,
    Forget,
    /// The user replaced it. The number is that of the revision.
    Edit(i64),
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Feedback => "feedback",
            Reason::Forget => "forget",
            Reason::Edit(_) => "edit",
        }
    }
}

/// Lines of summaries with fewer words are too general to be rejected: `All tests pass`.
const MIN_WORDS: usize = 5;

/// The rejected statements.
#[derive(Clone, Debug, Default)]
pub struct Rejected {
    salts: Vec<String>,
    fingerprints: BTreeSet<String>,
    /// See [`hint`]. A context compares thousands of lines.
    hints: BTreeSet<u16>,
}

impl Rejected {
    pub fn load(conn: &Connection) -> rusqlite::Result<Rejected> {
        let mut rejected = Rejected { salts: salts(conn, "rejected")?, ..Rejected::default() };
        let mut rows = conn.prepare_cached("SELECT fingerprint, hint FROM rejected")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            rejected.fingerprints.insert(row.get(0)?);
            rejected.hints.insert(row.get::<_, i64>(1)? as u16);
        }
        Ok(rejected)
    }

    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// Whether the text is a rejected statement.
    pub fn has(&self, text: &str) -> bool {
        !self.is_empty()
            && hint(text).is_some_and(|hint| self.hints.contains(&hint))
            && fingerprints(&self.salts, text).any(|f| self.fingerprints.contains(&f))
    }

    /// The text without its rejected lines and sentences. `None` if it has none.
    pub fn without(&self, text: &str) -> Option<String> {
        if self.is_empty() || !text.lines().any(|line| self.is_in_line(line)) {
            return None;
        }
        let lines = text.lines().filter_map(|line| match line {
            line if self.has(line) => None,
            line if !self.is_in_line(line) => Some(line.to_owned()),
            line => {
                let kept = sentences(line).into_iter().filter(|sentence| !self.has(sentence));
                let kept = kept.collect::<Vec<_>>().join(" ");
                (!kept.is_empty()).then_some(kept)
            }
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }

    fn is_in_line(&self, line: &str) -> bool {
        let sentences = sentences(line);
        self.has(line) || (sentences.len() > 1 && sentences.into_iter().any(|s| self.has(s)))
    }

    /// Removes rejected statements from a new observation. `None` if it makes none but those.
    pub fn clean_observation(&self, observation: &Observation) -> Option<Observation> {
        if self.is_in_line(&observation.title) {
            return None;
        }
        let mut cleaned = observation.clone();
        cleaned.facts.retain(|fact| !self.has(fact));
        if let Some(text) = cleaned.narrative.as_deref().and_then(|text| self.without(text)) {
            cleaned.narrative = Some(text).filter(|text| !text.is_empty());
        }
        Some(cleaned)
    }

    /// Removes rejected statements from the columns of a summary. The request stays: the user made it.
    pub fn clean_summary(&self, summary: &mut Summary) {
        for field in summary.texts_mut().into_iter().skip(1) {
            if let Some(text) = self.without(field) {
                *field = text;
            }
        }
    }

    /// Removes rejected statements from what a turn says.
    pub fn clean_turn(&self, turn: &mut Turn) {
        if self.is_empty() {
            return;
        }
        for blocks in [&mut turn.done, &mut turn.answer, &mut turn.cause] {
            blocks.iter_mut().for_each(|block| self.clean_block(block));
            blocks.retain(|block| !block.lines.is_empty());
        }
        turn.next.retain(|step| !self.has(&step.text));
        turn.claims.retain(|claim| !self.has(&claim.text));
    }

    fn clean_block(&self, block: &mut Block) {
        if !block.lines.iter().any(|line| self.is_in_line(line)) {
            return;
        }
        let momentary = std::mem::take(&mut block.momentary);
        let lines = std::mem::take(&mut block.lines);
        for (at, line) in lines.into_iter().enumerate() {
            let kept = self.without(&line).unwrap_or(line);
            if kept.is_empty() {
                continue;
            }
            if momentary.contains(&at) {
                block.momentary.push(block.lines.len());
            }
            block.lines.push(kept);
        }
    }
}

/// The salt of the hashes, which is made with the database.
pub(super) fn salt(conn: &Connection) -> rusqlite::Result<String> {
    let mut salt = conn.prepare_cached("SELECT value FROM meta WHERE key = 'statement_salt'")?;
    Ok(salt.query_row([], |r| r.get(0)).optional()?.unwrap_or_default())
}

/// The salts of a table's hashes: that of this store, and those of exports.
pub(super) fn salts(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut salts = vec![salt(conn)?];
    let mut others = conn.prepare_cached(&format!(
        "SELECT DISTINCT salt FROM {table} WHERE salt NOTNULL ORDER BY 1"
    ))?;
    for other in others.query_map([], |r| r.get(0))? {
        salts.push(other?);
    }
    Ok(salts)
}

/// The fingerprints of a statement, one for each salt. None if the text states nothing.
pub(super) fn fingerprints(salts: &[String], text: &str) -> impl Iterator<Item = String> {
    salts.iter().filter_map(move |salt| fingerprint(salt, text))
}

/// The salted hash of a statement. `None` if the text states nothing.
pub(super) fn fingerprint(salt: &str, text: &str) -> Option<String> {
    let statement = statement(text)?;
    let hash = Sha256::new().chain_update(salt).chain_update(statement).finalize();
    Some(HEXLOWER.encode(&hash[..16]))
}

/// 16 bits of a fast hash of a statement, without a salt: they say little about it.
fn hint(text: &str) -> Option<u16> {
    statement_hash(text).map(|hash| (hash >> 48) as u16)
}

/// Rejects what a memory states: of an observation the title, the facts and a narrative of one sentence;
/// of a summary its lines, unless they are too general. Returns the number of statements.
pub fn reject(tx: &Transaction, memory: RowId, reason: Reason, now: i64) -> Result<usize> {
    reject_texts(tx, memory, &statements(tx, memory)?, reason, now)
}

fn statements(conn: &Connection, memory: RowId) -> Result<Vec<String>> {
    let stated = match memory.kind {
        RowKind::Observation => {
            observations::by_id(conn, memory.id)?.map(|row| of_observation(&row.observation))
        }
        RowKind::Summary => summaries::by_id(conn, memory.id)?.map(|row| of_summary(&row.summary)),
        RowKind::Prompt => None,
    };
    Ok(stated.unwrap_or_default())
}

/// A memory of the user that states what this one states, and would be rejected with it.
pub fn said_by_user(conn: &Connection, memory: RowId) -> Result<Option<RowId>> {
    let normal = |texts: Vec<String>| -> BTreeSet<String> {
        texts.iter().filter_map(|text| statement(text)).collect()
    };
    let stated = normal(statements(conn, memory)?);
    let mut own = conn.prepare_cached(
        "SELECT id FROM observations WHERE origin = 'user' OR scope = 'user' OR pinned",
    )?;
    for id in own.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()? {
        let own = RowId::observation(id);
        if own != memory && !normal(statements(conn, own)?).is_disjoint(&stated) {
            return Ok(Some(own));
        }
    }
    Ok(None)
}

/// What an observation states.
pub(super) fn of_observation(o: &Observation) -> Vec<String> {
    let narrative = o.narrative.iter().filter(|text| sentences(text).len() == 1);
    [&o.title].into_iter().chain(&o.facts).chain(narrative).cloned().collect()
}

/// What a summary states.
pub(super) fn of_summary(s: &Summary) -> Vec<String> {
    let texts = [&s.learned, &s.completed, &s.notes].into_iter();
    let lines = texts.flat_map(|text| text.lines());
    let lines = lines.flat_map(|line| std::iter::once(line).chain(sentences(line)));
    let says_enough = |line: &&str| line.split_whitespace().count() >= MIN_WORDS;
    let lines: BTreeSet<&str> = lines.filter(says_enough).collect();
    lines.into_iter().map(str::to_owned).collect()
}

/// Rejects these statements of a memory.
pub(super) fn reject_texts(
    tx: &Transaction,
    memory: RowId,
    texts: &[String],
    reason: Reason,
    now: i64,
) -> Result<usize> {
    let Some(uuid) = memory.uuid(tx)? else { return Ok(0) };
    let salt = salt(tx)?;
    let fingerprints: BTreeSet<(String, u16)> =
        texts.iter().filter_map(|text| fingerprint(&salt, text).zip(hint(text))).collect();
    let (revision, owner) = match reason {
        Reason::Edit(revision) => (Some(revision), Some(memory.id)),
        Reason::Feedback | Reason::Forget => (None, None),
    };
    let mut insert = tx.prepare_cached(&format!(
        "INSERT INTO rejected (id, fingerprint, hint, uuid, reason, revision, at_epoch, {})
         VALUES ({UNUSED_REJECTED}, ?1, ?7, ?2, ?3, ?4, ?5, ?6)",
        memory.kind.reference()
    ))?;
    for (fingerprint, hint) in &fingerprints {
        let reason = reason.as_str();
        insert.execute(params![fingerprint, uuid, reason, revision, now, owner, hint])?;
    }
    Ok(fingerprints.len())
}

/// Accepts statements again, because the user states them now.
pub fn allow(tx: &Transaction, texts: &[String]) -> Result<()> {
    let salts = salts(tx, "rejected")?;
    let mut delete = tx.prepare_cached("DELETE FROM rejected WHERE fingerprint = ?1")?;
    for fingerprint in texts.iter().flat_map(|text| fingerprints(&salts, text)) {
        delete.execute([fingerprint])?;
    }
    Ok(())
}

/// Takes back what was rejected when a memory was called wrong.
pub fn accept_again(tx: &Transaction, memory: RowId) -> Result<()> {
    match memory.uuid(tx)? {
        Some(uuid) => accept(tx, &uuid, Reason::Feedback),
        None => Ok(()),
    }
}

/// Takes back what was rejected when this row was forgotten.
pub(super) fn restore(tx: &Transaction, uuid: &str) -> Result<()> {
    accept(tx, uuid, Reason::Forget)
}

fn accept(tx: &Transaction, uuid: &str, reason: Reason) -> Result<()> {
    tx.prepare_cached("DELETE FROM rejected WHERE uuid = ?1 AND reason = ?2")?
        .execute(params![uuid, reason.as_str()])?;
    Ok(())
}
