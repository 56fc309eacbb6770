//! Schema migrations: one list of steps, and the code that applies the missing ones.
//!
//! The existing schema (tables, columns, indexes, triggers) decides what is missing, not the file's
//! `user_version`. [`ensure`] runs each step on an empty in-memory database and adds what exists
//! there but not in the file. Steps only add, with `IF NOT EXISTS` or, on an existing table,
//! `ALTER TABLE … ADD COLUMN`. A step does not rewrite existing rows: it runs under the store lock,
//! and hooks wait meanwhile.
//!
//! A row in `meta`, the stamp, records the list and the value of SQLite's schema counter at the
//! last comparison. While both are unchanged, opening the database skips the comparison.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::error::{Result, StoreError};
use super::guard::{self, Foreign};
use super::{dedupe, file, new_uuid, notices, words};
use crate::paths::Paths;
use crate::text::collapse_spaces;
use crate::{terms, testpoint};

/// `user_version` of a database that has all steps. Every released change of the list increments
/// it. A worker that reads a larger value commits nothing more and shuts down.
pub const VERSION: i64 = STEPS.len() as i64;

/// [`VERSION`], unless a test overrides it.
pub fn version() -> i64 {
    testpoint::schema_version().unwrap_or(VERSION)
}

/// The steps, in order. The statements of a released step are never edited.
const STEPS: &[&str] = &[
    include_str!("../schema/001-tables.sql"),
    include_str!("../schema/002-file-blobs.sql"),
    include_str!("../schema/003-agents.sql"),
    include_str!("../schema/004-forget.sql"),
    include_str!("../schema/005-prompt-cost.sql"),
    include_str!("../schema/006-provenance.sql"),
    include_str!("../schema/007-project-commits.sql"),
    include_str!("../schema/008-turns.sql"),
    include_str!("../schema/009-forgotten.sql"),
    include_str!("../schema/010-deferrals.sql"),
    include_str!("../schema/011-words.sql"),
    include_str!("../schema/012-memory-use.sql"),
    include_str!("../schema/013-curation.sql"),
    include_str!("../schema/014-links.sql"),
    include_str!("../schema/015-agent-limits.sql"),
    include_str!("../schema/016-imports.sql"),
    include_str!("../schema/017-identity.sql"),
    include_str!("../schema/018-project-changes.sql"),
    include_str!("../schema/019-start.sql"),
    include_str!("../schema/020-imported-decisions.sql"),
    include_str!("../schema/023-turn-projects.sql"),
];

/// Key of the stamp in `meta`. Its value holds the list, the version of the index's words, the schema
/// counter of the last comparison, and the journal mode.
const STAMP: &str = "schema";

/// FNV-1a hash of the steps. It differs between two lists of the same version.
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

/// Whether the schema is as it was when it was last compared with the steps: no other program has added anything.
pub fn is_unchanged(conn: &Connection) -> Result<bool> {
    // A database that is being created has no table yet.
    let Ok(mut found) = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1") else {
        return Ok(false);
    };
    let found = found.query_row([STAMP], |r| r.get::<_, String>(0)).optional();
    let stamps = [stamp(conn, "wal")?, stamp(conn, "truncate")?];
    Ok(found.is_ok_and(|found| found.is_some_and(|found| stamps.contains(&found))))
}

/// Whether [`ensure`] has nothing to do. Takes no lock other than SQLite's read lock.
pub fn is_current(conn: &Connection) -> Result<bool> {
    if refuse_newer(conn)? != version() || guard::find_foreign(conn)? != Foreign::Nothing {
        return Ok(false);
    }
    let found: rusqlite::Result<Option<String>> =
        conn.query_row("SELECT value FROM meta WHERE key = ?1", [STAMP], |r| r.get(0)).optional();
    let Ok(Some(found)) = found else { return Ok(false) };
    if found == stamp(conn, "wal")? {
        return Ok(journal_mode(conn)? == "wal");
    }
    if found == stamp(conn, "truncate")? {
        // Only WAL mode is stored in the file; TRUNCATE is set on every connection.
        conn.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(()))?;
        return Ok(true);
    }
    Ok(false)
}

/// The `user_version` of the file.
///
/// # Errors
/// [`StoreError::Newer`] if a later release wrote it.
pub fn refuse_newer(conn: &Connection) -> Result<i64> {
    let found = conn.prepare_cached("PRAGMA user_version")?.query_row([], |r| r.get(0))?;
    if found > version() {
        return Err(StoreError::Newer { found, known: version() });
    }
    Ok(found)
}

/// The journal mode of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// A write-ahead log: readers and writers do not block each other.
    Wal,
    /// A rollback journal, where the file system does not support WAL.
    Truncate,
}

/// Applies the missing steps and sets the journal mode. The caller holds the store lock.
///
/// # Errors
/// [`StoreError::Newer`], or an I/O error. SQLite may accept WAL mode and fail at the first write;
/// the caller then calls [`leave_wal`] and opens the database again.
pub fn ensure(conn: &mut Connection, journal: Journal) -> Result<()> {
    refuse_newer(conn)?;
    let journal = match journal {
        Journal::Wal => enter_wal(conn)?,
        Journal::Truncate => set_truncate(conn)?,
    };
    if is_current(conn)? {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    refuse_newer(&tx)?;
    tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    guard::find_foreign(&tx)?;
    let removed = guard::remove_foreign(&tx, &complete_schema()?)?;
    words::discard_damaged(&tx)?;
    let wanted = Connection::open_in_memory()?;
    let mut rows_changed = false;
    for step in STEPS {
        wanted.execute_batch(step)?;
        rows_changed |= add_columns(&tx, &wanted)?;
        drop_changed(&tx, &wanted)?;
        rows_changed |= dedupe_before_unique(&tx, &wanted)?;
        tx.execute_batch(&repeatable(step))?;
    }
    words::ensure(&tx, rows_changed)?;
    if !removed.is_empty() {
        let removed = removed.join(", ");
        let text = format!("removed from the database what memctl did not create: {removed}");
        notices::put(&tx, "foreign", &text)?;
    }
    tx.pragma_update(None, "user_version", version())?;
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![STAMP, stamp(&tx, &journal)?],
    )?;
    Ok(tx.commit()?)
}

/// An empty database in memory with all steps.
fn complete_schema() -> Result<Connection> {
    let conn = Connection::open_in_memory()?;
    STEPS.iter().try_for_each(|step| conn.execute_batch(step))?;
    Ok(conn)
}

/// Whether the database has every table, column and index of the steps. Unlike [`is_current`], this
/// compares them all, and does not open the database for writing.
pub fn is_complete(conn: &Connection) -> Result<bool> {
    let wanted = complete_schema()?;
    let mut tables = wanted.prepare(TABLES)?;
    for table in tables.query_map([], |r| r.get::<_, String>(0))? {
        let table = table?;
        let existing = columns(conn, &table)?;
        let has = |column: &Column| existing.iter().any(|c| c.name == column.name);
        if !columns(&wanted, &table)?.iter().all(has) {
            return Ok(false);
        }
    }
    let existing = indexes_and_triggers(conn)?;
    Ok(indexes_and_triggers(&wanted)?.keys().all(|name| existing.contains_key(name)))
}

/// The step without its `ALTER TABLE … ADD COLUMN` statements, which fail if the column exists.
/// [`add_columns`] has added those columns already.
fn repeatable(step: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("--");
    let adds_column = |statement: &&str| {
        statement.lines().find(is_code).is_some_and(|line| line.starts_with("ALTER TABLE"))
    };
    step.split_inclusive(";\n").filter(|statement| !adds_column(statement)).collect()
}

fn stamp(conn: &Connection, journal: &str) -> Result<String> {
    Ok(format!("{LIST:x} {} {} {journal}", terms::VERSION, counter(conn)?))
}

/// SQLite's schema counter. It grows with every change of the schema, also with VACUUM and with a
/// restored backup.
pub fn counter(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached("PRAGMA schema_version")?.query_row([], |r| r.get(0))?)
}

/// The journal mode of this connection, as SQLite names it: `wal` or `truncate`.
pub fn journal_mode(conn: &Connection) -> Result<String> {
    Ok(conn.query_row("PRAGMA journal_mode", [], |r| r.get(0))?)
}

/// Changes a database from WAL to TRUNCATE mode. The caller holds the store lock and has no
/// connection. In exclusive locking mode SQLite keeps the wal-index in heap memory, so this works
/// where shared memory does not.
///
/// # Errors
/// [`StoreError::Newer`], or an I/O error. [`StoreError::Busy`] if another process has the database
/// open.
pub fn leave_wal(paths: &Paths) -> Result<()> {
    let path = file::checked_path(paths)?;
    let conn = file::open(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Other processes may be checking whether the schema is current.
    conn.busy_timeout(super::BUSY)?;
    conn.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    refuse_newer(&conn)?;
    match set_mode(&conn, "TRUNCATE")?.as_str() {
        "truncate" => Ok(()),
        other => Err(StoreError::Bug(format!("the journal mode stays {other}"))),
    }
}

fn set_mode(conn: &Connection, mode: &str) -> Result<String> {
    Ok(conn.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |r| r.get(0))?)
}

fn set_truncate(conn: &Connection) -> Result<String> {
    set_mode(conn, "TRUNCATE")?;
    Ok("truncate".into())
}

/// Sets WAL mode, or TRUNCATE if SQLite refuses WAL. Changing the mode needs exclusive access, and
/// SQLite does not call the busy handler for it. This function therefore waits for readers itself.
fn enter_wal(conn: &Connection) -> Result<String> {
    let since = Instant::now();
    while journal_mode(conn)? != "wal" {
        match set_mode(conn, "WAL") {
            Err(StoreError::Busy(_)) if since.elapsed() < super::BUSY => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "SQLite does not call the busy handler here"
                )]
                thread::sleep(Duration::from_millis(2));
            }
            Err(StoreError::Busy(why)) => return Err(StoreError::Busy(why)),
            Err(error) if error.is_corruption() => return Err(error),
            Ok(mode) if mode == "wal" => break,
            Ok(_) | Err(_) => return set_truncate(conn),
        }
    }
    // A file in WAL mode may be on a file system where the wal-index cannot be mapped. Only a
    // transaction detects this.
    conn.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok("wal".into())
}

/// One row of SQLite's `pragma_table_info`.
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

/// The names of all tables that the steps create.
const TABLES: &str = "SELECT name FROM pragma_table_list
   WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Returns whether a column was added.
fn add_columns(tx: &Transaction, wanted: &Connection) -> Result<bool> {
    let mut is_added = false;
    let mut tables = wanted.prepare(TABLES)?;
    for table in tables.query_map([], |r| r.get::<_, String>(0))? {
        let table = table?;
        let existing = columns(tx, &table)?;
        if existing.is_empty() {
            continue;
        }
        for column in columns(wanted, &table)? {
            if !existing.iter().any(|c| c.name == column.name) {
                add_column(tx, wanted, &table, &column)?;
                is_added = true;
            }
        }
    }
    Ok(is_added)
}

/// Adds a column. `ALTER TABLE` cannot add a unique column, nor one that is NOT NULL without a
/// default. Such a column gets an empty default; ids are then filled in, and a unique index is
/// added for `uuid`.
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

/// The type, table and SQL of every index and trigger that has SQL, by name.
fn indexes_and_triggers(conn: &Connection) -> Result<BTreeMap<String, (String, String, String)>> {
    let mut rows = conn.prepare(
        "SELECT name, type, tbl_name, sql FROM sqlite_schema
         WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let rows = rows.query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?, r.get(3)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Drops indexes and triggers whose SQL differs from the step's. The step creates them again.
fn drop_changed(tx: &Transaction, wanted: &Connection) -> Result<()> {
    let existing = indexes_and_triggers(tx)?;
    for (name, (kind, _, sql)) in indexes_and_triggers(wanted)? {
        if existing
            .get(&name)
            .is_some_and(|(_, _, old)| collapse_spaces(old) != collapse_spaces(&sql))
        {
            tx.execute_batch(&format!("DROP {kind} {name}"))?;
        }
    }
    Ok(())
}

/// Removes duplicate rows before a step adds a unique index to an existing table. Returns whether there
/// were some.
fn dedupe_before_unique(tx: &Transaction, wanted: &Connection) -> Result<bool> {
    let mut is_changed = false;
    let existing = indexes_and_triggers(tx)?;
    for (name, (_, table, sql)) in indexes_and_triggers(wanted)? {
        let table_exists = !columns(tx, &table)?.is_empty();
        if table_exists && !existing.contains_key(&name) && sql.starts_with("CREATE UNIQUE INDEX") {
            is_changed |= dedupe::dedupe_rows(tx, &table, &sql)?;
        }
    }
    Ok(is_changed)
}

#[cfg(test)]
mod tests;
