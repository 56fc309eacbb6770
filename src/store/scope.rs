//! Whether a memory is for one project or for all.

use rusqlite::{Transaction, params};

use super::error::Result;
use super::words::{self, RowId};

/// Makes an observation one for all projects, or one for its own. Returns whether it has changed.
pub fn set(tx: &Transaction, id: i64, for_all: bool, now: i64) -> Result<bool> {
    let (from, to) = if for_all { ("project", "user") } else { ("user", "project") };
    let row = RowId::observation(id);
    words::changing(tx, &[row], || {
        let changed = tx.execute(
            "UPDATE observations SET scope = ?3, changed_at_epoch = ?4 WHERE id = ?1 AND scope = ?2",
            params![id, from, to, now],
        )?;
        Ok(changed > 0)
    })
}
