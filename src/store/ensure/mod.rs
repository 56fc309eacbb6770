//! The schema: one list of steps, and a database that has them all.
//!
//! What a step lacks is decided by what the file has (tables, columns, indexes, triggers), not by
//! the version it claims: each step's SQL is run on an empty database in memory, and what stands
//! there and not here is added. Steps only add, and are written with `IF NOT EXISTS`, or with
//! `ALTER TABLE … ADD COLUMN` where a table is there already. What
//! rewrites rows or rebuilds full text is no step but upkeep, done elsewhere in small pieces.
//!
//! So that opening costs no comparison, `meta` remembers of which list and at which of SQLite's
//! own schema counters the comparison was last made.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::error::{Result, StoreError};
use super::{dedupe, new_uuid};
use crate::testpoint;

/// `user_version` of a database that has all steps. Grows with every released change of the list:
/// a worker that meets a larger one finishes nothing more and leaves.
pub const VERSION: i64 = STEPS.len() as i64;

/// [`VERSION`], or the one that a test has this program know.
pub fn version() -> i64 {
    testpoint::schema_version().unwrap_or(VERSION)
}

/// The steps, in order. The text of a released one is never edited.
const STEPS: &[&str] = &[
    include_str!("../schema/001-tables.sql"),
    include_str!("../schema/002-file-blobs.sql"),
    include_str!("../schema/003-agents.sql"),
    include_str!("../schema/004-forget.sql"),
];

/// Key in `meta`: list and counter of the last comparison, and the journal mode it found.
const SEAL: &str = "schema";

/// Tells this list from another of the same version.
const LIST: u64 = fingerprint();

const fn fingerprint() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut step = 0;
    while step < STEPS.len() {
        let text = STEPS[step].as_bytes();
        let mut i = 0;
        while i < text.len() {
            hash = (hash ^ text[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        step += 1;
    }
    hash
}

/// Whether there is nothing to do. Takes no lock beyond that of a read.
pub fn is_current(conn: &Connection) -> Result<bool> {
    if refuse_newer(conn)? != version() {
        return Ok(false);
    }
    let sealed: rusqlite::Result<Option<String>> =
        conn.query_row("SELECT value FROM meta WHERE key = ?1", [SEAL], |r| r.get(0)).optional();
    let Ok(Some(sealed)) = sealed else { return Ok(false) };
    if sealed == seal(conn, "wal")? {
        return Ok(journal_mode(conn)? == "wal");
    }
    if sealed == seal(conn, "truncate")? {
        // Kept by no file, only by connections.
        conn.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))?;
        return Ok(true);
    }
    Ok(false)
}

/// The schema's version in the file.
///
/// # Errors
/// [`StoreError::Newer`] when a later release wrote it.
pub fn refuse_newer(conn: &Connection) -> Result<i64> {
    let found = conn.prepare_cached("PRAGMA user_version")?.query_row([], |r| r.get(0))?;
    if found > version() {
        return Err(StoreError::Newer { found, known: version() });
    }
    Ok(found)
}

/// How a change is kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log: who reads and who writes do not wait for each other.
    Log,
    /// Where that is not to be had.
    Truncate,
}

/// Makes the database what it should be. The caller holds the store lock.
///
/// # Errors
/// [`StoreError::Newer`]; what the disk says. A log that cannot be written is told only when it is:
/// then [`give_up_log`] and open anew.
pub fn ensure(conn: &mut Connection, journal: Journal) -> Result<()> {
    refuse_newer(conn)?;
    let journal = match journal {
        Journal::Log => set_log(conn)?,
        Journal::Truncate => truncated(conn)?,
    };
    if is_current(conn)? {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    refuse_newer(&tx)?;
    tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    let wanted = Connection::open_in_memory()?;
    for step in STEPS {
        wanted.execute_batch(step)?;
        add_columns(&tx, &wanted)?;
        drop_changed(&tx, &wanted)?;
        dedupe_before_unique(&tx, &wanted)?;
        tx.execute_batch(&repeatable(step))?;
    }
    tx.pragma_update(None, "user_version", version())?;
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![SEAL, seal(&tx, &journal)?],
    )?;
    Ok(tx.commit()?)
}

/// A step without its `ALTER TABLE … ADD COLUMN`, which cannot be said twice: what the comparison
/// found missing has been added by then.
fn repeatable(step: &str) -> String {
    let code = |line: &&str| !line.trim_start().starts_with("--");
    let adds = |statement: &&str| {
        statement.lines().find(code).is_some_and(|line| line.starts_with("ALTER TABLE"))
    };
    step.split_inclusive(";\n").filter(|statement| !adds(statement)).collect()
}

fn seal(conn: &Connection, journal: &str) -> Result<String> {
    let counter: i64 = conn.query_row("PRAGMA schema_version", [], |r| r.get(0))?;
    Ok(format!("{LIST:x} {counter} {journal}"))
}

/// `wal`, or `truncate` where that is not to be had.
pub fn journal_mode(conn: &Connection) -> Result<String> {
    Ok(conn.query_row("PRAGMA journal_mode", [], |r| r.get(0))?)
}

/// Does without a log from now on, in a file that has one. The caller holds the store lock, and has
/// no connection: this one has the file for itself, and so needs no memory that others share.
///
/// # Errors
/// [`StoreError::Newer`]; what the disk says, also when somebody else has the file open.
pub fn give_up_log(path: &Path) -> Result<()> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Others may be looking whether all is as it should be.
    conn.busy_timeout(super::BUSY)?;
    conn.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    refuse_newer(&conn)?;
    match set_mode(&conn, "TRUNCATE")?.as_str() {
        "truncate" => Ok(()),
        other => Err(StoreError::Bug(format!("the journal stays {other}"))),
    }
}

fn set_mode(conn: &Connection, mode: &str) -> Result<String> {
    Ok(conn.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |r| r.get(0))?)
}

fn truncated(conn: &Connection) -> Result<String> {
    set_mode(conn, "TRUNCATE")?;
    Ok("truncate".into())
}

/// WAL; where SQLite says that it is not to be had, TRUNCATE. Changing it wants the file for itself
/// and does not ask the busy handler, so a reader that looks in just then is waited for here.
fn set_log(conn: &Connection) -> Result<String> {
    let since = Instant::now();
    while journal_mode(conn)? != "wal" {
        match set_mode(conn, "WAL") {
            Err(StoreError::Busy(_)) if since.elapsed() < super::BUSY => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "SQLite does not wait here by itself"
                )]
                thread::sleep(Duration::from_millis(2));
            }
            Err(StoreError::Busy(why)) => return Err(StoreError::Busy(why)),
            Err(error) if error.is_corruption() => return Err(error),
            Ok(mode) if mode == "wal" => break,
            Ok(_) | Err(_) => return truncated(conn),
        }
    }
    // That the file says so is not enough: the log's index may be refused to us.
    conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok("wal".into())
}

/// A column as SQLite describes it.
struct Column {
    name: String,
    r#type: String,
    not_null: bool,
    default: Option<String>,
    key: bool,
}

fn columns(conn: &Connection, table: &str) -> Result<Vec<Column>> {
    let mut rows =
        conn.prepare("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?1)")?;
    let columns = rows.query_map([table], |r| {
        Ok(Column {
            name: r.get(0)?,
            r#type: r.get(1)?,
            not_null: r.get(2)?,
            default: r.get(3)?,
            key: r.get::<_, i64>(4)? > 0,
        })
    })?;
    Ok(columns.collect::<rusqlite::Result<_>>()?)
}

fn add_columns(tx: &Transaction, wanted: &Connection) -> Result<()> {
    let mut tables = wanted.prepare(
        "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    for table in tables.query_map([], |r| r.get::<_, String>(0))? {
        let table = table?;
        let has = columns(tx, &table)?;
        if has.is_empty() {
            continue;
        }
        for column in columns(wanted, &table)? {
            if !has.iter().any(|c| c.name == column.name) {
                add_column(tx, wanted, &table, &column)?;
            }
        }
    }
    Ok(())
}

/// `ALTER TABLE` adds no unique column and none that is NOT NULL without a default: such a column
/// is added with an empty one, given ids where ids belong, and a unique index of its own.
fn add_column(tx: &Transaction, wanted: &Connection, table: &str, column: &Column) -> Result<()> {
    let Column { name, r#type, not_null, default, key } = column;
    if *key {
        return Err(StoreError::Bug(format!("table {table} has no key '{name}'")));
    }
    let references: Option<(String, String)> = wanted
        .query_row(
            "SELECT \"table\", \"to\" FROM pragma_foreign_key_list(?1) WHERE \"from\" = ?2",
            [table, name],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()?;
    let empty = if r#type == "INTEGER" || r#type == "REAL" { "0" } else { "''" };
    let mut sql = format!("ALTER TABLE {table} ADD COLUMN {name} {type}");
    match (default, references) {
        (Some(default), _) if *not_null => sql += &format!(" NOT NULL DEFAULT {default}"),
        (Some(default), _) => sql += &format!(" DEFAULT {default}"),
        (None, _) if *not_null => sql += &format!(" NOT NULL DEFAULT {empty}"),
        (None, Some((other, to))) => sql += &format!(" REFERENCES {other}({to})"),
        (None, None) => {}
    }
    tx.execute_batch(&sql)?;
    let is_id = name == "uuid" || name == "event_id";
    if is_id {
        let mut rows = tx.prepare(&format!("SELECT rowid FROM {table}"))?;
        let rows =
            rows.query_map([], |r| r.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>();
        let mut set = tx.prepare(&format!("UPDATE {table} SET {name} = ?1 WHERE rowid = ?2"))?;
        for row in rows? {
            set.execute(params![new_uuid(0), row])?;
        }
    }
    if name == "uuid" {
        tx.execute_batch(&format!(
            "CREATE UNIQUE INDEX IF NOT EXISTS {table}_uuid ON {table}({name})"
        ))?;
    }
    Ok(())
}

/// Name, table and text of every index and trigger that was written down.
fn derived(conn: &Connection) -> Result<BTreeMap<String, (String, String, String)>> {
    let mut rows = conn.prepare(
        "SELECT name, type, tbl_name, sql FROM sqlite_schema
         WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let rows = rows.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?, r.get(3)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Indexes and triggers that bear our name and say something else; the step makes them anew.
fn drop_changed(tx: &Transaction, wanted: &Connection) -> Result<()> {
    let plain = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let has = derived(tx)?;
    for (name, (kind, _, sql)) in derived(wanted)? {
        if has.get(&name).is_some_and(|(_, _, there)| plain(there) != plain(&sql)) {
            tx.execute_batch(&format!("DROP {kind} {name}"))?;
        }
    }
    Ok(())
}

/// Before a unique index is made on rows that are there already.
fn dedupe_before_unique(tx: &Transaction, wanted: &Connection) -> Result<()> {
    let has = derived(tx)?;
    for (name, (_, table, sql)) in derived(wanted)? {
        let there = !columns(tx, &table)?.is_empty();
        if there && !has.contains_key(&name) && sql.starts_with("CREATE UNIQUE INDEX") {
            dedupe::dedupe_rows(tx, &table, &sql)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
