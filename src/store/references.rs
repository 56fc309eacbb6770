//! The foreign keys of the schema, read from the database. All of them refer to a column `id`.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;

pub struct References(Vec<Reference>);

pub struct Reference {
    pub child: String,
    pub column: String,
    pub parent: String,
    /// SQLite deletes the child with its parent.
    pub cascades: bool,
    pub nullable: bool,
}

impl References {
    pub fn load(conn: &Connection) -> Result<References> {
        let mut rows = conn.prepare(
            "SELECT t.name, k.\"from\", k.\"table\", k.on_delete = 'CASCADE', NOT c.\"notnull\"
             FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS k
             JOIN pragma_table_info(t.name) AS c ON c.name = k.\"from\"
             WHERE t.schema = 'main' AND t.type = 'table'",
        )?;
        let rows = rows.query_map([], |r| {
            Ok(Reference {
                child: r.get(0)?,
                column: r.get(1)?,
                parent: r.get(2)?,
                cascades: r.get(3)?,
                nullable: r.get(4)?,
            })
        })?;
        Ok(References(rows.collect::<rusqlite::Result<_>>()?))
    }

    /// The references to a table.
    pub fn to(&self, table: &str) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter(move |reference| reference.parent == table)
    }

    /// The reference in a column.
    pub fn of(&self, table: &str, column: &str) -> Option<&Reference> {
        self.0.iter().find(|reference| reference.child == table && reference.column == column)
    }

    /// Clears the references to a row. A row with a reference that cannot be null is deleted.
    pub fn clear(&self, tx: &Transaction, table: &str, id: i64) -> Result<()> {
        for Reference { child, column, nullable, .. } in self.to(table).filter(|r| !r.cascades) {
            let sql = match nullable {
                true => format!("UPDATE {child} SET {column} = NULL WHERE {column} = ?1"),
                false => format!("DELETE FROM {child} WHERE {column} = ?1"),
            };
            tx.prepare_cached(&sql)?.execute([id])?;
        }
        Ok(())
    }
}

impl Reference {
    /// Whether the parent with this id exists.
    pub fn has_parent(&self, conn: &Connection, id: i64) -> Result<bool> {
        let mut parent =
            conn.prepare_cached(&format!("SELECT 1 FROM {} WHERE id = ?1", self.parent))?;
        Ok(parent.query_row(params![id], |_| Ok(())).optional()?.is_some())
    }
}
