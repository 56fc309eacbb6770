//! Merges the parts of the index, so that each word is stored once.
//!
//! Each transaction adds a part. SQLite merges some of them on the way, and leaves up to four of each
//! size: after 10,000 rows in transactions of 1,000, half of the index was repeated words.

use super::totals::totals;
use crate::store::Store;
use crate::store::error::Result;

/// Pages that a transaction writes. Other processes can write in between.
const PIECE: i64 = 1000;

/// The index is merged when so many of its rows are new: one in four.
const NEW_SHARE: u64 = 4;

/// Merges the index into one part, if enough of its rows are new.
pub fn compact(store: &mut Store, n_new: u64) -> Result<()> {
    let n_rows: i64 = totals(store.connection())?.iter().map(|total| total.rows).sum();
    if n_new * NEW_SHARE < n_rows.unsigned_abs() {
        return Ok(());
    }
    // A negative number begins to merge all parts, a positive one continues.
    let mut pages = -PIECE;
    loop {
        let merged = store.write(|tx| {
            let before = tx.total_changes();
            tx.prepare_cached("INSERT INTO words (words, rank) VALUES ('merge', ?1)")?
                .execute([pages])?;
            // The statement itself counts as one.
            Ok(tx.total_changes() - before >= 2)
        })?;
        if !merged {
            return Ok(());
        }
        store.maintain_log()?;
        pages = PIECE;
    }
}
