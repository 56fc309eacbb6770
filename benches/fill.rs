//! Fills a store with many observations by SQL, because distilling them would take hours.

use std::path::Path;

use rusqlite::{Connection, Result, Transaction, params};

/// Observations per session. Every tenth one starts a new prompt with a summary.
const PER_SESSION: usize = 50;

const PARTS: [&str; 8] =
    ["parser", "queue", "socket", "report", "budget", "schema", "cursor", "lexer"];
const OUTCOMES: [&str; 5] =
    ["drops the last line", "retries twice", "was split", "is cached", "leaks"];
const KINDS: [&str; 4] = ["bugfix", "discovery", "change", "feature"];

/// The keys and the time of a row.
struct RowContext {
    project: i64,
    session: i64,
    prompt: i64,
    number: i64,
    /// Milliseconds since the epoch.
    at: i64,
}

/// Adds `n` observations to the newest project of the database.
pub fn observations(database: &Path, n: usize) -> Result<()> {
    let mut db = Connection::open(database)?;
    let tx = db.transaction()?;
    let project = tx.query_row("SELECT max(id) FROM projects", [], |row| row.get(0))?;
    let newest: i64 =
        tx.query_row("SELECT max(last_event_epoch) FROM sessions", [], |row| row.get(0))?;
    let (mut session_id, mut prompt) = (0, 0);
    for number in 0..n {
        let at = newest - (n - number) as i64 * 1_000;
        if number % PER_SESSION == 0 {
            session_id = session(&tx, project, number, at)?;
            prompt = 0;
        }
        prompt += i64::from(number % 10 == 0);
        let row = RowContext { project, session: session_id, prompt, number: number as i64, at };
        observation(&tx, &row)?;
        if number % 10 == 0 {
            summary(&tx, &row)?;
        }
    }
    tx.commit()?;
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}

fn session(tx: &Transaction, project: i64, first: usize, at: i64) -> Result<i64> {
    tx.prepare_cached(
        "INSERT INTO sessions (uuid, client, content_session_id, project_id, status, backend,
           prompt_counter, started_at_epoch, last_event_epoch, completed_at_epoch)
         VALUES (?1, 'claude-code', ?1, ?2, 'completed', 'extractive', 5, ?3, ?3, ?3)",
    )?
    .insert(params![format!("filled-{first}"), project, at])
}

fn observation(tx: &Transaction, row: &RowContext) -> Result<()> {
    let number = row.number as usize;
    let (part, outcome) = (PARTS[number % PARTS.len()], OUTCOMES[number / 3 % OUTCOMES.len()]);
    let file = format!("src/{part}/part_{}.rs", number % 97);
    let narrative = format!("In case {number}, the {part} {outcome} under load. ");
    let id = tx
        .prepare_cached(
            "INSERT INTO observations (uuid, session_id, project_id, origin, prompt_number, type,
               title, narrative, facts, files_modified, backend, content_hash, tokens,
               created_at_epoch, changed_at_epoch)
             VALUES (?1, ?2, ?3, 'tool', ?4, ?5, ?6, ?7, ?8, ?9, 'extractive', ?1, 90, ?10, ?10)",
        )?
        .insert(params![
            format!("o-{number}"),
            row.session,
            row.project,
            row.prompt,
            KINDS[number % KINDS.len()],
            format!("The {part} {outcome} in case {number}"),
            narrative.repeat(4),
            format!("[\"cargo test: {number} passed\"]"),
            format!("[\"{file}\"]"),
            row.at,
        ])?;
    tx.prepare_cached(
        "INSERT INTO observation_files (observation_id, path, role) VALUES (?1, ?2, 'modified')",
    )?
    .execute(params![id, file])?;
    Ok(())
}

fn summary(tx: &Transaction, row: &RowContext) -> Result<()> {
    let part = PARTS[row.number as usize % PARTS.len()];
    tx.prepare_cached(
        "INSERT INTO session_summaries (uuid, session_id, project_id, prompt_number, request,
           learned, completed, next_steps, backend, created_at_epoch, changed_at_epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'The tests pass again.', 'None.', 'extractive', ?7, ?7)",
    )?
    .execute(params![
        format!("s-{}", row.number),
        row.session,
        row.project,
        row.prompt,
        format!("Look into case {}", row.number),
        format!("Case {} is one of the {part}", row.number),
        row.at,
    ])?;
    Ok(())
}
