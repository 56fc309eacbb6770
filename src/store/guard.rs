//! Guards against a database that another program has changed: nothing in its schema is run, foreign
//! objects are removed or refused, and no statement of a reader runs without a limit.

use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::error::{Result, StoreError, StoreFault};
use super::words;

/// Longer texts are refused. The longest that memctl stores is `capture.response`.
const MAX_TEXT: i32 = 64 << 20;

/// Instructions of SQLite's virtual machine between two checks of the time.
const CHECK_EVERY: i32 = 1000;

/// The statements of a connection belong together if they follow each other within this time.
const PAUSE: Duration = Duration::from_millis(250);

/// Views, triggers and virtual tables, and tables with checks or generated columns. No migration
/// step creates any of these, but for the index of words.
const FOREIGN: &str =
    "SELECT type, name, sql FROM sqlite_schema WHERE type NOT IN ('table', 'index')
   OR type = 'table' AND (sql LIKE '%CREATE%VIRTUAL%' OR sql LIKE '%CHECK%(%'
     OR sql LIKE '%GENERATED%' OR sql LIKE '% AS (%')";

/// Disables everything by which a schema runs code: views, triggers, unsafe functions, other files.
/// Also forbids statements that could damage the file.
pub fn restrict(conn: &Connection) -> Result<()> {
    use DbConfig as Config;
    for (setting, value) in [
        (Config::SQLITE_DBCONFIG_DEFENSIVE, true),
        (Config::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (Config::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (Config::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (Config::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
    ] {
        conn.set_db_config(setting, value)?;
    }
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_TEXT)?;
    Ok(())
}

/// Interrupts statements that run for longer than `limit` without a pause. `None` removes the limit.
pub fn limit_time(conn: &mut Connection, limit: Option<Duration>) -> Result<()> {
    let Some(limit) = limit else { return Ok(conn.progress_handler(0, None::<fn() -> bool>)?) };
    let now = Instant::now();
    let (mut since, mut last_check) = (now, now);
    let is_over = move || {
        let now = Instant::now();
        if now - last_check > PAUSE {
            since = now;
        }
        last_check = now;
        now - since > limit
    };
    Ok(conn.progress_handler(CHECK_EVERY, Some(is_over))?)
}

/// What a database contains that memctl did not create.
#[derive(Debug, PartialEq)]
pub enum Foreign {
    Nothing,
    /// Views or triggers. They can be removed, and nothing is lost.
    Removable,
}

/// Looks for objects that memctl did not create.
///
/// # Errors
/// [`StoreFault::Corrupt`] for a table that another program has changed or created as a virtual one.
/// It cannot be removed without loss.
pub fn find_foreign(conn: &Connection) -> Result<Foreign> {
    let mut rows = conn.prepare_cached(FOREIGN)?;
    let mut rows = rows.query([])?;
    let mut found = Foreign::Nothing;
    while let Some(row) = rows.next()? {
        if row.get::<_, String>(0)? == "table" {
            let (name, sql): (String, String) = (row.get(1)?, row.get(2)?);
            if words::is_own(&name, &sql) {
                continue;
            }
            let message = format!("another program has changed the table '{name}'");
            return Err(StoreError::Fault { kind: StoreFault::Corrupt, message });
        }
        found = Foreign::Removable;
    }
    Ok(found)
}

/// Removes views, triggers, and indexes that `wanted` does not have. Returns the views and triggers.
pub fn remove_foreign(tx: &Transaction, wanted: &Connection) -> Result<Vec<String>> {
    let objects = "SELECT type, name FROM sqlite_schema
      WHERE type IN ('view', 'trigger') OR type = 'index' AND sql NOTNULL";
    let mut rows = tx.prepare(objects)?;
    let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let existing: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
    let is_wanted = |kind: &str, name: &str| {
        let found = wanted
            .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2")?
            .query_row([kind, name], |_| Ok(()))
            .optional()?;
        Ok::<_, StoreError>(found.is_some())
    };
    let mut removed = Vec::new();
    for (kind, name) in &existing {
        if !is_wanted(kind, name)? {
            tx.execute_batch(&format!("DROP {kind} \"{}\"", name.replace('"', "\"\"")))?;
            if kind != "index" {
                removed.push(format!("{kind} '{name}'"));
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a hostile schema could do. Each statement fails or has no effect.
    #[test]
    fn a_restricted_connection_runs_nothing_of_its_schema() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Connection::open(dir.path().join("db")).unwrap();
        conn.execute_batch(
            "CREATE TABLE t (x);
             CREATE TABLE log (x);
             CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); END;
             CREATE VIEW v AS SELECT 1 AS x;
             CREATE TABLE calls (x, y DEFAULT (rtreecheck('t')));",
        )
        .unwrap();
        restrict(&conn).unwrap();
        let fails = |sql: &str, expected: &str| {
            let error = conn.execute_batch(sql).expect_err(sql).to_string();
            assert!(error.contains(expected), "{sql}: {error}");
        };
        conn.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let n_logged: i64 = conn.query_row("SELECT count(*) FROM log", [], |r| r.get(0)).unwrap();
        assert_eq!(n_logged, 0, "a trigger was run");
        fails("SELECT x FROM v", "access to view");
        fails("INSERT INTO calls (x) VALUES (1)", "unsafe use of rtreecheck");
        fails(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '' WHERE name = 't'",
            "may not be modified",
        );
        let other = dir.path().join("other");
        fails(&format!("ATTACH '{}' AS other", other.display()), "unable to open database");
        assert!(!other.exists());
        fails(&format!("SELECT zeroblob({})", MAX_TEXT + 1), "too big");
    }
}
