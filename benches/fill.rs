//! Fills a store by SQL, because distilling many sessions would take hours.

use std::path::Path;

use rusqlite::{Connection, Result, Transaction, params};
use serde_json::json;

/// Observations per session. Every tenth one starts a new prompt with a summary.
const PER_SESSION: usize = 50;

/// Directories, each with 97 files.
pub const PARTS: [&str; 8] =
    ["parser", "queue", "socket", "report", "budget", "schema", "cursor", "lexer"];
const OUTCOMES: [&str; 5] =
    ["drops the last line", "retries twice", "was split", "is cached", "leaks"];
const KINDS: [&str; 4] = ["bugfix", "discovery", "change", "feature"];
const TASKS: [&str; 8] =
    ["Speed up", "Find out why", "Rewrite", "Document", "Split", "Test", "Review", "Simplify"];
const PLACES: [&str; 8] =
    ["importer", "gateway", "archive", "ledger", "mailer", "index", "planner", "exporter"];

/// The keys and the time of a row.
struct RowContext {
    project: i64,
    session: i64,
    prompt: i64,
    number: i64,
    /// Milliseconds since the epoch.
    at: i64,
    /// The database has a column for turns. Those of older releases have none.
    has_turns: bool,
}

/// Adds `n` observations to the newest project of the database.
pub fn observations(database: &Path, n: usize) -> Result<()> {
    fill(database, |tx, project, newest, has_turns| {
        let (mut session_id, mut prompt) = (0, 0);
        for number in 0..n {
            let at = newest - (n - number) as i64 * 1_000;
            if number % PER_SESSION == 0 {
                session_id = session(tx, project, number, at)?;
                prompt = 0;
            }
            prompt += i64::from(number % 10 == 0);
            let number = number as i64;
            let row = RowContext { project, session: session_id, prompt, number, at, has_turns };
            observation(tx, &row)?;
            if number % 10 == 0 {
                summary(tx, &row, &request(number))?;
            }
        }
        Ok(())
    })
}

/// Adds `n` sessions of one turn, all but every fiftieth of them with nearly the same request.
pub fn programs(database: &Path, n: usize) -> Result<()> {
    fill(database, |tx, project, newest, has_turns| {
        for number in 0..n {
            let at = newest - (n - number) as i64 * 60_000;
            let session = session(tx, project, number, at)?;
            let (number, is_person) = (number as i64, number % 50 == 0);
            let row = RowContext { project, session, prompt: 1, number, at, has_turns };
            let request = match is_person {
                true => request(number),
                false => format!("Check the health of deployment {number} and report"),
            };
            summary(tx, &row, &request)?;
        }
        Ok(())
    })
}

fn fill(
    database: &Path,
    rows: impl FnOnce(&Transaction, i64, i64, bool) -> Result<()>,
) -> Result<()> {
    let mut db = Connection::open(database)?;
    let tx = db.transaction()?;
    let project = tx.query_row("SELECT max(id) FROM projects", [], |row| row.get(0))?;
    let newest: i64 =
        tx.query_row("SELECT max(last_event_epoch) FROM sessions", [], |row| row.get(0))?;
    let has_turns = tx.query_row(
        "SELECT count(*) > 0 FROM pragma_table_info('session_summaries') WHERE name = 'turn'",
        [],
        |row| row.get(0),
    )?;
    rows(&tx, project, newest, has_turns)?;
    tx.commit()?;
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}

/// One of 4,096 requests, each with a beginning of its own.
fn request(number: i64) -> String {
    let digit = |place: u32| (number as usize / 8_usize.pow(place)) % 8;
    let (task, part) = (TASKS[digit(0)], PARTS[digit(1)]);
    let (from, to) = (PLACES[digit(2)], PLACES[(digit(3) + 1) % 8]);
    format!("{task} the {part} between {from} and {to}, it is too slow for case {number}")
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
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'extractive', ?1, 90, ?11, ?11)",
        )?
        .insert(params![
            format!("o-{number}"),
            row.session,
            row.project,
            if number % 100 == 7 { "user" } else { "tool" },
            row.prompt,
            if number % 100 == 7 { "decision" } else { KINDS[number % KINDS.len()] },
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

fn summary(tx: &Transaction, row: &RowContext, request: &str) -> Result<()> {
    let part = PARTS[row.number as usize % PARTS.len()];
    let id = tx
        .prepare_cached(
            "INSERT INTO session_summaries (uuid, session_id, project_id, prompt_number, request,
               learned, completed, next_steps, backend, created_at_epoch, changed_at_epoch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'The tests pass again.', 'None.', 'extractive', ?7, ?7)",
        )?
        .insert(params![
            format!("s-{}", row.number),
            row.session,
            row.project,
            row.prompt,
            request,
            format!("Case {} is one of the {part}", row.number),
            row.at,
        ])?;
    if row.has_turns {
        tx.prepare_cached("UPDATE session_summaries SET turn = ?2, tool_uses = 20 WHERE id = ?1")?
            .execute(params![id, turn(row.number, part, request)])?;
    }
    Ok(())
}

/// A turn of about 5 KB, as one of twenty tool uses has.
fn turn(number: i64, part: &str, request: &str) -> String {
    let texts = |n: usize, text: &str| -> Vec<String> {
        (0..n).map(|i| format!("{text}_{number}_{i}")).collect()
    };
    let files = texts(5, "src/part").into_iter().map(|path| json!({"path": path, "edits": 2}));
    let lines = |n: usize| -> Vec<String> {
        (0..n)
            .map(|i| format!("The {part} takes lock {i} of case {number} before it reads."))
            .collect()
    };
    let turn = json!({
        "request": request,
        "title": request,
        "done": [{"lines": lines(3)}, {"lead_in": "It now does:", "kind": "list", "lines": lines(5)}],
        "cause": [{"lines": [format!("Case {number} ran before the lock of the {part} was taken.")]}],
        "next": [{"text": format!("Measure case {number} of the {part} under load"), "kind": "stated"}],
        "evidence": {
            "files": files.collect::<Vec<_>>(),
            "read": texts(15, "src/some/module/with/a/path"),
            "names": texts(60, "identifier_of_an_edit"),
            "commits": [{"hash": format!("{number:07x}"), "branch": "main", "subject": format!("{part}: lock of case {number}")}],
            "checks": [{"key": "cargo test", "kind": "test", "toolchain": "cargo", "outcome": "pass", "counts": "212 passed"}],
            "tool_uses": 20,
        },
        "head": {"branch": "main", "commit": "a".repeat(40)},
        "utc_offset": 60,
        "ending": "stop",
    });
    turn.to_string()
}
