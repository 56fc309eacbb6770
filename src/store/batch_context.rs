//! Loads the context of a batch for the memory agent: the prompts of its messages and the earlier
//! results of their turns.

use std::path::PathBuf;

use rusqlite::{Row, Transaction};

use super::error::Result;
use super::{projects, seen_text, summaries, turn_evidence};
use crate::memory::{Batch, Earlier, Evidence, Message, Origin, Prompt, Rolling, Summary};

/// Builds the batch of `messages`. They are in queue order.
pub(super) fn load(tx: &Transaction, session_id: i64, messages: Vec<Message>) -> Result<Batch> {
    let mut numbers: Vec<i64> = messages.iter().map(|m| m.prompt_number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut prompts: Vec<Prompt> = Vec::new();
    for number in numbers {
        for prompt in prompts_of_turn(tx, session_id, number)? {
            if !prompts.iter().any(|p| p.number == prompt.number) {
                prompts.push(prompt);
            }
        }
    }
    prompts.sort_by_key(|p| p.number);
    let (mut earlier, mut previous) = (Vec::new(), None);
    let (mut evidence, mut turns) = (Evidence::default(), Vec::new());
    if let Some(last) = messages.last() {
        let mut turn_numbers: Vec<i64> =
            prompts_of_turn(tx, session_id, last.prompt_number)?.iter().map(|p| p.number).collect();
        if turn_numbers.is_empty() {
            turn_numbers.push(last.prompt_number);
        }
        evidence = turn_evidence::load(tx, session_id, &turn_numbers)?;
        turns = summaries::turns_before(tx, session_id, &turn_numbers)?;
        for number in turn_numbers {
            earlier.extend(earlier_observations(tx, session_id, number)?);
        }
    }
    if let Some(last) = messages.last().filter(|m| m.cause.summarizes()) {
        previous = summaries::turn_of_prompt(tx, session_id, last.prompt_number)?;
    }
    Ok(Batch {
        client: tx
            .prepare_cached("SELECT client FROM sessions WHERE id = ?1")?
            .query_row([session_id], |r| r.get(0))?,
        project_root: projects::root_of(tx, session_id)?.map(PathBuf::from),
        messages,
        prompts,
        earlier,
        previous,
        rolling: rolling(tx, session_id)?,
        evidence,
        turns,
        head: None,
        utc_offset: 0,
        seen: seen_text::load(tx, session_id)?,
        previously_claimed: false,
    })
}

/// All prompts of the turn that prompt `number` belongs to.
fn prompts_of_turn(tx: &Transaction, session_id: i64, number: i64) -> Result<Vec<Prompt>> {
    let mut rows = tx.prepare_cached(
        "SELECT p.prompt_number, ifnull(p.prompt_text, '') FROM user_prompts n
         JOIN user_prompts p ON p.session_id = n.session_id
           AND (p.id = n.id OR p.turn_id = n.turn_id)
         WHERE n.session_id = ?1 AND n.prompt_number = ?2 ORDER BY p.prompt_number",
    )?;
    let rows = rows
        .query_map([session_id, number], |r| Ok(Prompt { number: r.get(0)?, text: r.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn earlier_observations(tx: &Transaction, session_id: i64, number: i64) -> Result<Vec<Earlier>> {
    let mut rows = tx.prepare_cached(
        "SELECT id, prompt_number, agent_id, origin, type, title, facts, files_read, files_modified,
           narrative FROM observations WHERE session_id = ?1 AND prompt_number = ?2 AND external_id IS NULL
           AND superseded_by IS NULL AND NOT quarantined
           AND feedback IS NOT 'wrong' ORDER BY id",
    )?;
    let rows = rows.query_map([session_id, number], |r| {
        Ok(Earlier {
            id: r.get(0)?,
            prompt_number: r.get(1)?,
            agent_id: r.get(2)?,
            origin: Origin::parse(&r.get::<_, String>(3)?).unwrap_or_default(),
            kind: r.get(4)?,
            title: r.get(5)?,
            facts: list(r.get(6)?),
            files_read: list(r.get(7)?),
            files_modified: list(r.get(8)?),
            narrative: r.get(9)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const SUMMARY: &str = "SELECT request, investigated, learned, completed, next_steps, notes,
   files_read, files_modified, turn_id FROM session_summaries WHERE session_id = ?1 AND NOT hidden";

fn summary(r: &Row) -> rusqlite::Result<Summary> {
    Ok(Summary {
        request: r.get(0)?,
        investigated: r.get(1)?,
        learned: r.get(2)?,
        completed: r.get(3)?,
        next_steps: r.get(4)?,
        notes: r.get(5)?,
        files_read: list(r.get(6)?),
        files_modified: list(r.get(7)?),
    })
}

/// The session's newest 2 summaries and 20 titles, each oldest first.
fn rolling(tx: &Transaction, session_id: i64) -> Result<Rolling> {
    let mut rows = tx.prepare_cached(&format!("{SUMMARY} ORDER BY prompt_number DESC LIMIT 2"))?;
    let summaries = rows.query_map([session_id], summary)?;
    let mut summaries = summaries.collect::<rusqlite::Result<Vec<_>>>()?;
    summaries.reverse();
    let mut rows = tx.prepare_cached(
        "SELECT title FROM observations WHERE session_id = ?1 AND external_id IS NULL
         AND origin <> 'web' AND NOT quarantined AND feedback IS NOT 'wrong' ORDER BY prompt_number DESC, id DESC LIMIT 20",
    )?;
    let titles = rows.query_map([session_id], |r| r.get(0))?;
    let mut titles = titles.collect::<rusqlite::Result<Vec<_>>>()?;
    titles.reverse();
    Ok(Rolling { summaries, titles })
}

fn list(text: String) -> Vec<String> {
    serde_json::from_str(&text).unwrap_or_default()
}
