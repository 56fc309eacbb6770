//! Reads a database of claude-mem, of any of its versions: by the columns that its tables have, not by a
//! version number. The program may be running. Nothing is written, not even beside the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use super::error::Result;
use super::guard;

/// A value that is wanted of a row: its name, and the columns that have held it, the newest first.
pub type Wanted = (&'static str, &'static [&'static str]);

/// An open database of claude-mem.
pub struct Source {
    conn: Connection,
    /// The columns of each table.
    tables: BTreeMap<String, BTreeSet<String>>,
}

impl Source {
    /// # Errors
    /// If the file is no database, or cannot be read.
    pub fn open(file: &Path) -> Result<Source> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        guard::restrict(&conn)?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
        let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        {
            let mut columns = conn.prepare(
                "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND m.name NOT LIKE '%\\_fts%' ESCAPE '\\'",
            )?;
            let mut rows = columns.query([])?;
            while let Some(row) = rows.next()? {
                tables.entry(row.get(0)?).or_default().insert(row.get(1)?);
            }
        }
        Ok(Source { conn, tables })
    }

    pub fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// At most `limit` rows of a table with an id above `after`, by id. A column that the table lacks is
    /// missing in the row. Each call reads a snapshot of its own, so that the other program can clean up.
    pub fn page(
        &self,
        table: &str,
        wanted: &[Wanted],
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Map<String, Value>)>> {
        let Some(columns) = self.tables.get(table) else { return Ok(Vec::new()) };
        let found: Vec<(&str, &str)> = wanted
            .iter()
            .filter_map(|(name, candidates)| {
                let column = candidates.iter().find(|column| columns.contains(**column))?;
                Some((*name, *column))
            })
            .collect();
        let list: String = found.iter().map(|(_, column)| format!(", \"{column}\"")).collect();
        let mut rows = self.conn.prepare_cached(&format!(
            "SELECT id{list} FROM \"{table}\" WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?;
        let rows = rows.query_map((after, limit as i64), |row| {
            let mut values = Map::new();
            for (at, (name, _)) in found.iter().enumerate() {
                let value = match row.get_ref(at + 1)? {
                    ValueRef::Integer(n) => Value::from(n),
                    ValueRef::Real(n) => Value::from(n),
                    ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
                    ValueRef::Null | ValueRef::Blob(_) => continue,
                };
                values.insert((*name).to_owned(), value);
            }
            Ok((row.get(0)?, values))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
