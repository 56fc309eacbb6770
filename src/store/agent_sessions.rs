//! The resume store: maps a program's own key to the agent session that the program may resume.
//! Programs that run agents use it through `memctl resume`. memctl's own agents keep no
//! conversation and do not use it.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Locked;
use super::error::Result;

/// Maximum number of rows that one transaction deletes.
pub const MAX_ROWS: usize = 500;

/// Key in `meta`: the failed attempts of all keys that ever were in the store.
const FAILURES: &str = "resume_failures";

/// Key in `meta`: when a worker last deleted unused keys, in milliseconds since the epoch.
const SWEPT: &str = "resume_swept";

const DAY: i64 = 24 * 60 * 60 * 1000;

/// One row of `agent_sessions`.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSession {
    pub key: String,
    pub agent_session_id: String,
    /// Number of failed attempts to resume it.
    pub failures: u64,
    pub last_used_at_epoch: i64,
    pub created_at_epoch: i64,
}

/// Selects keys by prefix and suffix. Every character matches only itself; an empty string matches
/// any key.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyPattern<'a> {
    pub prefix: &'a str,
    pub suffix: &'a str,
}

/// Not `LIKE`, because that has wildcards and ignores case. Prefix and suffix may not overlap.
const MATCHES: &str = "length(key) >= length(?1) + length(?2)
   AND substr(key, 1, length(?1)) = ?1
   AND substr(key, length(key) - length(?2) + 1) = ?2";

const SELECT: &str = "SELECT key, agent_session_id, failures, last_used_at_epoch, created_at_epoch
 FROM agent_sessions";

fn row(r: &Row) -> rusqlite::Result<AgentSession> {
    Ok(AgentSession {
        key: r.get(0)?,
        agent_session_id: r.get(1)?,
        failures: r.get::<_, i64>(2)? as u64,
        last_used_at_epoch: r.get(3)?,
        created_at_epoch: r.get(4)?,
    })
}

pub fn get(conn: &Connection, key: &str) -> Result<Option<AgentSession>> {
    let sql = format!("{SELECT} WHERE key = ?1");
    Ok(conn.prepare(&sql)?.query_row([key], row).optional()?)
}

/// The matching rows, most recently used first.
pub fn list(conn: &Connection, which: KeyPattern) -> Result<Vec<AgentSession>> {
    let sql = format!("{SELECT} WHERE {MATCHES} ORDER BY last_used_at_epoch DESC, key");
    let mut rows = conn.prepare(&sql)?;
    let rows = rows.query_map([which.prefix, which.suffix], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores the session of a key and clears its failures. A new session also gets a new creation
/// time.
pub fn set(tx: &Transaction, key: &str, agent_session_id: &str, now: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO agent_sessions (key, agent_session_id, last_used_at_epoch, created_at_epoch)
         VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (key) DO UPDATE SET last_used_at_epoch = ?3, failures = 0,
           created_at_epoch = iif(agent_session_id = ?2, created_at_epoch, ?3),
           agent_session_id = ?2",
        params![key, agent_session_id, now],
    )?;
    Ok(())
}

/// Records a use. Returns `false` if the key is unknown.
pub fn touch(tx: &Transaction, key: &str, now: i64) -> Result<bool> {
    let sql = "UPDATE agent_sessions SET last_used_at_epoch = ?2 WHERE key = ?1";
    Ok(tx.execute(sql, params![key, now])? > 0)
}

/// Inserts an imported row. Returns `false` if the key exists; the existing row stays.
pub fn add(tx: &Transaction, session: &AgentSession) -> Result<bool> {
    let added = tx.execute(
        "INSERT INTO agent_sessions (key, agent_session_id, failures, last_used_at_epoch,
           created_at_epoch) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING",
        params![
            session.key,
            session.agent_session_id,
            session.failures as i64,
            session.last_used_at_epoch,
            session.created_at_epoch,
        ],
    )?;
    if added > 0 {
        add_failures(tx, session.failures)?;
    }
    Ok(added > 0)
}

/// Deletes a key. Returns `false` if it is unknown.
pub fn drop_key(tx: &Transaction, key: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM agent_sessions WHERE key = ?1", [key])? > 0)
}

/// Deletes at most [`MAX_ROWS`] matching keys and returns their number.
pub fn drop_matching(tx: &Transaction, which: KeyPattern) -> Result<usize> {
    let sql = format!(
        "DELETE FROM agent_sessions WHERE key IN
           (SELECT key FROM agent_sessions WHERE {MATCHES} LIMIT {MAX_ROWS})"
    );
    Ok(tx.execute(&sql, [which.prefix, which.suffix])?)
}

/// Deletes at most [`MAX_ROWS`] keys that were not used since `before` and returns them.
pub fn sweep(tx: &Transaction, before: i64) -> Result<Vec<String>> {
    let mut rows = tx.prepare(
        "DELETE FROM agent_sessions WHERE key IN
           (SELECT key FROM agent_sessions WHERE last_used_at_epoch < ?1
            ORDER BY last_used_at_epoch LIMIT ?2) RETURNING key",
    )?;
    let rows = rows.query_map(params![before, MAX_ROWS as i64], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Records a failed attempt to resume and returns the number of failures. `None` if the key is
/// unknown.
pub fn record_failure(tx: &Transaction, key: &str) -> Result<Option<u64>> {
    let sql = "UPDATE agent_sessions SET failures = failures + 1 WHERE key = ?1 RETURNING failures";
    let failures = tx.query_row(sql, [key], |r| r.get::<_, i64>(0)).optional()?;
    if failures.is_some() {
        add_failures(tx, 1)?;
    }
    Ok(failures.map(|n| n as u64))
}

/// Failed attempts of all keys that ever were in the store.
pub fn total_failures(conn: &Connection) -> Result<u64> {
    let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1";
    let total: Option<i64> = conn.query_row(sql, [FAILURES], |r| r.get(0)).optional()?;
    Ok(total.unwrap_or(0) as u64)
}

fn add_failures(tx: &Transaction, n: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + ?2",
        params![FAILURES, n as i64],
    )?;
    Ok(())
}

/// Deletes the keys that were not used for `max_age` milliseconds, at most once a day. Returns their
/// number. Workers call this when they start.
pub fn sweep_daily(locked: &mut Locked, max_age: i64, now: i64) -> Result<u64> {
    let before = now.saturating_sub(max_age);
    let is_due: bool = locked.connection().query_row(
        "SELECT EXISTS (SELECT 1 FROM agent_sessions WHERE last_used_at_epoch < ?1)
           AND NOT EXISTS (SELECT 1 FROM meta WHERE key = ?2
             AND CAST(value AS INTEGER) BETWEEN ?3 AND ?4)",
        params![before, SWEPT, now - DAY + 1, now],
        |r| r.get(0),
    )?;
    let mut n_swept = 0;
    if !is_due {
        return Ok(n_swept);
    }
    loop {
        let swept = locked.write(|tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                params![SWEPT, now],
            )?;
            sweep(tx, before)
        })?;
        n_swept += swept.len() as u64;
        if swept.len() < MAX_ROWS {
            return Ok(n_swept);
        }
    }
}

/// The ids of all stored agent sessions, without duplicates.
pub fn session_ids(conn: &Connection) -> Result<Vec<String>> {
    let mut rows =
        conn.prepare("SELECT DISTINCT agent_session_id FROM agent_sessions ORDER BY 1")?;
    let rows = rows.query_map([], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{in_memory_db, write};
    use super::*;

    fn keys(conn: &Connection, prefix: &str, suffix: &str) -> Vec<String> {
        let found = list(conn, KeyPattern { prefix, suffix }).unwrap();
        found.into_iter().map(|session| session.key).collect()
    }

    #[test]
    fn a_new_session_of_a_key_replaces_its_row() {
        let mut conn = in_memory_db();
        write(&mut conn, |tx| set(tx, "k", "one", 10));
        assert_eq!(write(&mut conn, |tx| record_failure(tx, "k")), Some(1));
        assert_eq!(write(&mut conn, |tx| record_failure(tx, "k")), Some(2));
        assert_eq!(write(&mut conn, |tx| record_failure(tx, "other")), None);
        assert_eq!(total_failures(&conn).unwrap(), 2);
        let row = |id: &str, failures, last_used_at_epoch, created_at_epoch| AgentSession {
            key: "k".into(),
            agent_session_id: id.into(),
            failures,
            last_used_at_epoch,
            created_at_epoch,
        };
        assert_eq!(get(&conn, "k").unwrap(), Some(row("one", 2, 10, 10)));
        write(&mut conn, |tx| set(tx, "k", "one", 20));
        assert_eq!(get(&conn, "k").unwrap(), Some(row("one", 0, 20, 10)));
        write(&mut conn, |tx| set(tx, "k", "two", 30));
        assert_eq!(get(&conn, "k").unwrap(), Some(row("two", 0, 30, 30)));
        assert!(!write(&mut conn, |tx| add(tx, &row("three", 9, 99, 9))), "the existing row stays");
        assert_eq!(session_ids(&conn).unwrap(), ["two"]);
        assert_eq!(total_failures(&conn).unwrap(), 2, "those of earlier sessions count");
        let imported = AgentSession { key: "other".into(), ..row("three", 9, 99, 9) };
        assert!(write(&mut conn, |tx| add(tx, &imported)));
        assert_eq!(total_failures(&conn).unwrap(), 11);
        assert!(write(&mut conn, |tx| touch(tx, "k", 40)));
        assert!(write(&mut conn, |tx| drop_key(tx, "k")));
        assert!(!write(&mut conn, |tx| drop_key(tx, "k")));
        assert!(!write(&mut conn, |tx| touch(tx, "k", 50)));
    }

    #[test]
    fn prefix_and_suffix_match_literally() {
        let mut conn = in_memory_db();
        let all =
            ["gh:a_b:x:1", "gh:aXb:x:1", "GH:a_b:x:1", "gh:a%:x:1", r"gh:a\b:x:1", "gh:é:x:1"];
        write(&mut conn, |tx| all.iter().try_for_each(|key| set(tx, key, key, 1)));
        let check = |prefix: &str, suffix: &str, want: &[&str]| {
            assert_eq!(keys(&conn, prefix, suffix), want, "{prefix:?} … {suffix:?}");
        };
        check("gh:a_", "", &["gh:a_b:x:1"]);
        check("gh:a%", "", &["gh:a%:x:1"]);
        check(r"gh:a\", "", &[r"gh:a\b:x:1"]);
        check("GH:", "", &["GH:a_b:x:1"]);
        check("", "é:x:1", &["gh:é:x:1"]);
        check("gh:a", "b:x:1", &["gh:aXb:x:1", r"gh:a\b:x:1", "gh:a_b:x:1"]);
        check("gh:é:x:1", "1", &[]);
        assert_eq!(keys(&conn, "", "").len(), all.len());
        let under = KeyPattern { prefix: "gh:a_", suffix: ":1" };
        assert_eq!(write(&mut conn, |tx| drop_matching(tx, under)), 1);
        assert_eq!(keys(&conn, "", "").len(), all.len() - 1);
    }

    #[test]
    fn a_sweep_deletes_keys_unused_since_a_time() {
        let mut conn = in_memory_db();
        write(&mut conn, |tx| {
            set(tx, "old", "1", 5)?;
            set(tx, "used", "2", 4)?;
            set(tx, "new", "3", 9)?;
            touch(tx, "used", 9)
        });
        assert_eq!(write(&mut conn, |tx| sweep(tx, 9)), ["old"]);
        assert_eq!(session_ids(&conn).unwrap(), ["2", "3"]);
        write(&mut conn, |tx| {
            (0..MAX_ROWS + 1).try_for_each(|n| set(tx, &format!("k{n}"), "4", 1))
        });
        assert_eq!(write(&mut conn, |tx| sweep(tx, 9)).len(), MAX_ROWS);
        assert_eq!(write(&mut conn, |tx| sweep(tx, 9)).len(), 1);
    }
}
