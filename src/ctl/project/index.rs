//! The search index after a change of a large project: its rows are not indexed again in the transaction of
//! the change, which would hold the store lock for long.

use crate::ctl::progress::Progress;
use crate::failure::{Context, Result};
use crate::store::{Store, words};

/// Builds the index in pieces, between which other processes write. If this is interrupted, the next worker
/// goes on.
pub fn complete(store: &mut Store) -> Result<()> {
    if !words::is_due(store.connection()).context("search index")? {
        return Ok(());
    }
    let progress = Progress::new("building the search index");
    while store.locked(words::rebuild_piece).context("search index")? {
        let percent = words::state(store.connection()).context("search index")?.percent();
        progress.set(|| format!("building the search index: {percent} %"));
        store.maintain_log().context("search index")?;
    }
    Ok(())
}
