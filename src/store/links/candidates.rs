//! Compares new rows with the project's recent ones, and links those that say the same or something else
//! about the same thing.
//!
//! The search is bounded: the newest rows of the project, and the newest ones in the user's words.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use super::{Kind, supersede};
use crate::memory::Origin;
use crate::store::error::Result;
use crate::store::observations;
use crate::text::{collapse_spaces, sentences};
use crate::truth::{self, Role, Statement, Verdict};

// How many rows a new one is compared with.
const NEWEST: usize = 300;
const OF_USER: usize = 300;
const USER_SCOPE: usize = 100;
/// Rows of an older release that are compared with each other, once per project.
const EARLIER: usize = 100;

/// Kinds of rows that tell what was done. Later work does not make them wrong, only copies are linked.
const EVENTS: [&str; 7] =
    ["change", "feature", "bugfix", "refactor", "report", "security_alert", "plan"];
/// Sentences of an explanation that are read.
const EXPLAINED: usize = 3;
/// The backend of the local rules. Its discoveries have the user's question as their title.
const LOCAL: &str = "extractive";

/// A row as it is compared.
struct Claim {
    id: i64,
    uuid: String,
    external_id: Option<String>,
    session_id: Option<i64>,
    project_id: Option<i64>,
    prompt_number: i64,
    is_global: bool,
    origin: Origin,
    kind: String,
    title: String,
    narrative: String,
    facts: String,
    files: String,
    is_choice: bool,
    metadata: String,
    branch: Option<String>,
    is_of_local_rules: bool,
    pinned: bool,
    /// The user has changed its text.
    edited: bool,
    expires: bool,
    created_at_epoch: i64,
    /// `None` if the title states nothing that another row could contradict.
    statement: Option<Statement>,
}

const COLUMNS: &str = "id, uuid, external_id, session_id, project_id, prompt_number, scope, origin,
   type, title, ifnull(narrative, ''), facts, files_read || files_modified, concepts, metadata, branch,
   backend, pinned, expires_at_epoch NOTNULL, created_at_epoch,
   EXISTS (SELECT 1 FROM revisions WHERE observation_id = observations.id) FROM observations";
/// A row that no context contains takes no other one out of it.
const CURRENT: &str = "superseded_by IS NULL AND NOT quarantined AND NOT hidden
   AND feedback IS NOT 'wrong'";

/// Links the new rows with those that they replace or copy, in this order. What a row's metadata names in
/// `supersedes` is replaced in any case that its origin allows.
pub fn reconcile(tx: &Transaction, new: &[i64], now: i64) -> Result<()> {
    let mut added = Vec::new();
    for id in new {
        added.extend(claims(tx, &format!("WHERE id = ?1 AND {CURRENT}"), params![id])?);
    }
    // A row that the batch made again is not new, but was compared before.
    added.sort_by_key(|claim: &Claim| claim.id);
    added.dedup_by_key(|claim| claim.id);
    let projects: BTreeSet<Option<i64>> = added.iter().map(|claim| claim.project_id).collect();
    for project in projects {
        let (of_project, rest) = added.into_iter().partition(|claim| claim.project_id == project);
        added = rest;
        in_project(tx, project, of_project, now)?;
    }
    Ok(())
}

fn in_project(tx: &Transaction, project: Option<i64>, added: Vec<Claim>, now: i64) -> Result<()> {
    let mut known = Known::load(tx, project)?;
    let ids: BTreeSet<i64> = added.iter().map(|claim| claim.id).collect();
    known.claims.retain(|claim| !ids.contains(&claim.id));
    link_earlier(tx, project, &mut known, now)?;
    for claim in added {
        for old in named(tx, &claim)? {
            if truth::may_replace(claim.origin, old.origin) {
                supersede(tx, old.id, claim.id, Kind::Replaces, now)?;
                known.remove(old.id);
            }
        }
        known.add(tx, claim, now)?;
    }
    Ok(())
}

/// Compares the user's statements that an older release stored with each other, once per project.
fn link_earlier(tx: &Transaction, project: Option<i64>, known: &mut Known, now: i64) -> Result<()> {
    let sql = "UPDATE projects SET linked = 1 WHERE id = ?1 AND NOT linked";
    if project.is_none() || tx.prepare_cached(sql)?.execute([project])? == 0 {
        return Ok(());
    }
    let all = std::mem::take(&mut known.claims);
    let is_of_user = |claim: &Claim| claim.origin == Origin::User && claim.statement.is_some();
    let n_of_user = all.iter().filter(|claim| is_of_user(claim)).count();
    let mut skipped = n_of_user.saturating_sub(EARLIER);
    for claim in all {
        if is_of_user(&claim) && skipped == 0 {
            known.add(tx, claim, now)?;
        } else {
            skipped -= usize::from(is_of_user(&claim));
            known.claims.push(claim);
        }
    }
    Ok(())
}

/// The rows that hold, oldest first.
struct Known {
    claims: Vec<Claim>,
}

impl Known {
    fn load(tx: &Transaction, project: Option<i64>) -> Result<Known> {
        let mut by_id: BTreeMap<i64, Claim> = BTreeMap::new();
        let mut add = |tail: &str, limit: usize| -> Result<()> {
            let tail =
                format!("{tail} AND {CURRENT} ORDER BY created_at_epoch DESC, id DESC LIMIT ?2");
            for claim in claims(tx, &tail, params![project, limit as i64])? {
                by_id.insert(claim.id, claim);
            }
            Ok(())
        };
        add("INDEXED BY observations_newest WHERE project_id IS ?1", NEWEST)?;
        if project.is_some() {
            let of_user =
                "INDEXED BY observations_newest_of_user WHERE project_id = ?1 AND origin = 'user'";
            add(of_user, OF_USER)?;
        }
        add(
            "INDEXED BY observations_newest_user WHERE scope = 'user' AND ifnull(?1, 1)",
            USER_SCOPE,
        )?;
        Ok(Known { claims: by_id.into_values().collect() })
    }

    fn remove(&mut self, id: i64) {
        self.claims.retain(|claim| claim.id != id);
    }

    /// Adds a row, links it with the known ones, and removes those that do not hold any more. A row that
    /// only repeats a known one still replaces what contradicts both.
    fn add(&mut self, tx: &Transaction, claim: Claim, now: i64) -> Result<()> {
        let mut out = Vec::new();
        let mut is_out = false;
        for other in &self.claims {
            let Some((old, new, kind)) = relation(&claim, other) else { continue };
            if supersede(tx, old, new, kind, now)? {
                is_out |= old == claim.id;
                out.push(old);
            }
        }
        self.claims.retain(|known| !out.contains(&known.id));
        self.claims.extend((!is_out).then_some(claim));
        Ok(())
    }
}

/// Which of two rows goes, which one stays, and why.
fn relation(a: &Claim, b: &Claim) -> Option<(i64, i64, Kind)> {
    let order = |claim: &Claim| (claim.created_at_epoch, claim.id);
    let (old, new) = if order(a) < order(b) { (a, b) } else { (b, a) };
    let in_same_prompt = old.session_id == new.session_id && old.prompt_number == new.prompt_number;
    if in_same_prompt && old.session_id.is_some() {
        return None;
    }
    let kind = match judge(new, old)? {
        Verdict::Copies => Kind::Copies,
        Verdict::Replaces => Kind::Replaces,
    };
    if kind == Kind::Copies && keeps_the_older(new, old) {
        let is_allowed =
            truth::may_replace(old.origin, new.origin) && sees_all(old, new) && !new.pinned;
        return is_allowed.then_some((new.id, old.id, kind));
    }
    let is_allowed = truth::may_replace(new.origin, old.origin)
        && sees_all(new, old)
        && !old.pinned
        && (new.is_note() || !old.is_kept());
    (is_allowed && (kind == Kind::Copies || !new.expires)).then_some((old.id, new.id, kind))
}

/// Whether of two copies the older one tells more, holds longer, or is more trusted.
fn keeps_the_older(new: &Claim, old: &Claim) -> bool {
    old.pinned && !new.pinned
        || old.is_kept() && !new.is_note()
        || new.expires && !old.expires
        || old.is_global && !new.is_global
        || !truth::may_replace(new.origin, old.origin)
        || new.narrative.is_empty() && !old.narrative.is_empty()
}

/// Whether a row is told wherever the other one is.
fn sees_all(row: &Claim, other: &Claim) -> bool {
    (row.is_global || !other.is_global)
        && (row.is_of_user() || row.branch == other.branch || row.branch.is_none())
}

impl Claim {
    /// Rules of the user hold on all branches.
    fn is_of_user(&self) -> bool {
        self.origin == Origin::User
    }

    /// Whether the user saved it on purpose.
    fn is_note(&self) -> bool {
        self.is_of_user() && self.session_id.is_none()
    }

    /// Whether only the user takes it back: with another note, or by naming it.
    fn is_kept(&self) -> bool {
        self.is_note() || self.edited
    }
}

fn judge(new: &Claim, old: &Claim) -> Option<Verdict> {
    let is_same_text = || {
        new.kind == old.kind
            && collapse_spaces(&new.title) == collapse_spaces(&old.title)
            && collapse_spaces(&new.narrative) == collapse_spaces(&old.narrative)
            && new.files == old.files
    };
    let (Some(a), Some(b)) = (&new.statement, &old.statement) else {
        return is_same_text().then_some(Verdict::Copies);
    };
    if new.is_choice && old.is_choice {
        // Answers to the same question. Without it, an option says nothing.
        let question =
            |claim: &Claim| (!claim.narrative.is_empty()).then(|| claim.narrative.clone());
        let is_same = question(new).is_some_and(|asked| Some(asked) == question(old))
            || new.facts.len() > 2 && new.facts == old.facts;
        let is_copy = collapse_spaces(&new.title) == collapse_spaces(&old.title);
        return is_same.then_some(if is_copy { Verdict::Copies } else { Verdict::Replaces });
    }
    // What was done stays true. Told as a state, it may be over: `The minimum version is 1.74`.
    let may_be_over = !is_event(old) || b.has(Role::Copula);
    let Some(verdict) = truth::judge(a, b) else {
        let gives_up = may_be_over && gives_up(new, a, b);
        return gives_up.then_some(Verdict::Replaces);
    };
    match verdict {
        Verdict::Replaces => may_be_over.then_some(Verdict::Replaces),
        Verdict::Copies if is_event(new) || is_event(old) => {
            is_same_text().then_some(Verdict::Copies)
        }
        Verdict::Copies => {
            let texts = [&new.narrative, &old.narrative];
            let is_bare = texts.iter().any(|text| text.is_empty());
            let is_same = collapse_spaces(texts[0]) == collapse_spaces(texts[1]);
            (is_bare || is_same).then_some(Verdict::Copies)
        }
    }
}

/// Whether the first sentences below the title say so.
fn gives_up(new: &Claim, statement: &Statement, older: &Statement) -> bool {
    let explanations = sentences(&new.narrative).into_iter().take(EXPLAINED);
    let mut explanations = explanations.map(Statement::read);
    explanations.any(|explanation| truth::gives_up(&explanation, statement, older))
}

fn is_event(claim: &Claim) -> bool {
    EVENTS.contains(&claim.kind.as_str())
}

/// The rows that the metadata of a row names: `{"supersedes": "o12"}`, or a list. Names are ids, uuids and
/// external ids.
fn named(tx: &Transaction, claim: &Claim) -> Result<Vec<Claim>> {
    if !claim.metadata.contains("supersedes") {
        return Ok(Vec::new());
    }
    let metadata: Value = serde_json::from_str(&claim.metadata).unwrap_or_default();
    let names = match &metadata["supersedes"] {
        Value::Array(names) => names.clone(),
        Value::Null => Vec::new(),
        name => vec![name.clone()],
    };
    let mut found = Vec::new();
    for name in &names {
        let Some(name) = name.as_str().map(str::to_owned).or(name.as_i64().map(|n| n.to_string()))
        else {
            continue;
        };
        let id = observations::parse_id(&name).unwrap_or(-1);
        let tail = "WHERE (id = ?1 OR uuid = ?2 OR external_id = ?2) AND project_id IS ?3";
        found.extend(claims(tx, tail, params![id, name, claim.project_id])?);
    }
    found.retain(|old| old.id != claim.id && old.uuid != claim.uuid);
    found.retain(|old| old.external_id.is_none() || old.external_id != claim.external_id);
    Ok(found)
}

fn claims(tx: &Transaction, tail: &str, params: impl rusqlite::Params) -> Result<Vec<Claim>> {
    let mut rows = tx.prepare_cached(&format!("SELECT {COLUMNS} {tail}"))?;
    let rows = rows.query_map(params, claim)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn claim(row: &Row) -> rusqlite::Result<Claim> {
    let origin: String = row.get(7)?;
    let scope: String = row.get(6)?;
    let concepts: String = row.get(13)?;
    let backend: String = row.get(16)?;
    let mut claim = Claim {
        id: row.get(0)?,
        uuid: row.get(1)?,
        external_id: row.get(2)?,
        session_id: row.get(3)?,
        project_id: row.get(4)?,
        prompt_number: row.get(5)?,
        is_global: scope == "user",
        origin: Origin::parse(&origin).unwrap_or(Origin::Web),
        kind: row.get(8)?,
        title: row.get(9)?,
        narrative: row.get(10)?,
        facts: row.get(11)?,
        files: row.get(12)?,
        is_choice: concepts.contains("\"choice\""),
        metadata: row.get(14)?,
        branch: row.get(15)?,
        is_of_local_rules: backend == LOCAL,
        pinned: row.get(17)?,
        expires: row.get(18)?,
        created_at_epoch: row.get(19)?,
        edited: row.get(20)?,
        statement: None,
    };
    let is_question =
        claim.kind == "discovery" && claim.is_of_local_rules && claim.prompt_number > 0;
    // The titles that local rules give to work are made of files and commands.
    let is_work = is_event(&claim) && claim.is_of_local_rules;
    let is_cut = claim.title.trim_end().ends_with(['?', '？', '…']);
    if !(is_work || is_question || is_cut) {
        claim.statement = Some(Statement::read(&claim.title));
    }
    Ok(claim)
}
