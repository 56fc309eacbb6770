//! Records what `forget` removes.

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Params, Row, Transaction, params};
use serde_json::{Map, Value};

use crate::store::Locked;
use crate::store::error::{Result, StoreError};
use crate::store::references::References;
use crate::store::tombstones;

/// The earlier values of the columns of a row.
pub type Content = Map<String, Value>;

/// Reads what was kept of a row.
///
/// # Errors
/// If it is no JSON object. Nothing may then be restored from it.
pub fn read(json: &str) -> Result<Content> {
    serde_json::from_str(json)
        .map_err(|e| StoreError::Bug(format!("what was kept of a row cannot be read: {e}")))
}

/// The change of a row that stays and has lost a forgotten text.
pub const REPLACED: &str = "replaced";

/// Prefix of a BLOB in JSON, which is written as hexadecimal digits.
const BLOB: &str = "\0blob:";

/// Writes to `forgotten_rows`, or nowhere if the `forget` cannot be undone.
pub struct Record {
    forgotten: Option<i64>,
}

impl Record {
    /// `until`: when the undo ends, in milliseconds since the epoch. `None`: there is none.
    pub fn begin(locked: &mut Locked, until: Option<i64>, now: i64) -> Result<Record> {
        let forgotten = locked.write(|tx| match until {
            Some(until) => {
                let sql = "INSERT INTO forgotten (at_epoch, until_epoch) VALUES (?1, ?2)";
                tx.execute(sql, [now, until])?;
                Ok(Some(tx.last_insert_rowid()))
            }
            None => super::mark_purged(tx).map(|()| None),
        })?;
        Ok(Record { forgotten })
    }

    /// Records a row that is about to be deleted, the rows that are deleted with it, and the references
    /// that are cleared.
    pub fn deleted(&self, tx: &Transaction, keys: &References, table: &str, id: i64) -> Result<()> {
        if self.forgotten.is_none() {
            return Ok(());
        }
        for key in keys.to(table) {
            let (child, column) = (&key.child, &key.column);
            if key.cascades || !key.nullable {
                self.deleted_rows(tx, child, column, id)?;
            } else {
                let sql = format!("SELECT id, {column} FROM {child} WHERE {column} = ?1");
                self.insert(tx, "changed", child, &sql, [id])?;
            }
        }
        self.deleted_rows(tx, table, "id", id)
    }

    /// Records the rows with this value in a column, which are about to be deleted.
    pub fn deleted_rows(
        &self,
        tx: &Transaction,
        table: &str,
        column: &str,
        value: i64,
    ) -> Result<()> {
        let sql = format!("SELECT * FROM {table} WHERE {column} = ?1");
        self.insert(tx, "deleted", table, &sql, [value])
    }

    /// Records columns of a row that are about to be changed.
    pub fn changed(&self, tx: &Transaction, table: &str, columns: &[&str], id: i64) -> Result<()> {
        let sql = format!("SELECT id, {} FROM {table} WHERE id = ?1", columns.join(", "));
        self.insert(tx, "changed", table, &sql, [id])
    }

    /// Records that the identity of a session is about to become known as forgotten.
    pub fn identity(&self, tx: &Transaction, session: i64, client: &str, id: &str) -> Result<()> {
        let (uuid, before) =
            (tombstones::identity(client, id), tombstones::forgotten_at(tx, client, id)?);
        let sql = "SELECT ?1 AS uuid, ?2 AS at_epoch, ?3 AS session_id";
        self.insert(tx, "changed", "tombstones", sql, params![uuid, before, session])
    }

    /// Records columns of a row that are about to lose a forgotten text.
    pub fn replaced(
        &self,
        tx: &Transaction,
        table: &str,
        key: &str,
        columns: &[&str],
        id: i64,
    ) -> Result<()> {
        let columns = columns.join(", ");
        let sql = format!("SELECT {key} AS id, {columns} FROM {table} WHERE {key} = ?1");
        if table == "observations" {
            // Before the row, so that they are put back after it.
            self.deleted_rows(tx, "observation_files", "observation_id", id)?;
        }
        self.insert(tx, REPLACED, table, &sql, [id])
    }

    /// Records that a text is about to become known as forgotten.
    pub fn text(&self, tx: &Transaction, uuid: &str) -> Result<()> {
        let sql =
            "SELECT ?1 AS uuid, (SELECT at_epoch FROM tombstones WHERE uuid = ?1) AS at_epoch";
        self.insert(tx, "changed", "tombstones", sql, [uuid])
    }

    fn insert(
        &self,
        tx: &Transaction,
        change: &str,
        table: &str,
        select: &str,
        params: impl Params,
    ) -> Result<()> {
        let Some(forgotten) = self.forgotten else { return Ok(()) };
        let mut select = tx.prepare_cached(select)?;
        let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
        let mut rows = select.query(params)?;
        while let Some(row) = rows.next()? {
            let content = content(&columns, row)?;
            let id = content.get("id").and_then(Value::as_i64);
            let json = serde_json::to_string(&content).expect("columns serialize to JSON");
            tx.prepare_cached(
                "INSERT INTO forgotten_rows (forgotten_id, change, table_name, row_id, content)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![forgotten, change, table, id, json])?;
        }
        Ok(())
    }
}

/// A value of a [`Content`], for SQLite.
pub fn sql(value: &Value) -> Sql {
    match value {
        Value::Number(n) => match n.as_i64() {
            Some(n) => Sql::Integer(n),
            None => Sql::Real(n.as_f64().unwrap_or_default()),
        },
        Value::String(text) => match text.strip_prefix(BLOB) {
            Some(digits) => {
                let byte = |i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok();
                Sql::Blob((0..digits.len()).step_by(2).filter_map(byte).collect())
            }
            None => Sql::Text(text.clone()),
        },
        _ => Sql::Null,
    }
}

/// The columns of a row.
pub fn content(columns: &[String], row: &Row) -> Result<Content> {
    let mut content = Content::new();
    for (i, column) in columns.iter().enumerate() {
        let value = match row.get_ref(i)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(n) => n.into(),
            ValueRef::Real(n) => n.into(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            ValueRef::Blob(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                (BLOB.to_owned() + &digits.collect::<String>()).into()
            }
        };
        content.insert(column.clone(), value);
    }
    Ok(content)
}
