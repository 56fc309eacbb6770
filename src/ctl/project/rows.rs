//! The rows of a change of projects, and the search index after it. Both are written in pieces, so that no
//! other process waits for long.

use std::time::Duration;

use crate::clock;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result};
use crate::store::{Store, project_changes, words};
use crate::testpoint;

/// Moves the rows of a change that is not complete, and adds what the search index lacks. If this is
/// interrupted, the next worker goes on.
pub fn complete(store: &mut Store) -> Result<()> {
    move_rows(store)?;
    if !words::is_due(store.connection()).context("search index")? {
        return Ok(());
    }
    let progress = Progress::new("building the search index");
    while store.locked(words::rebuild_piece).context("search index")? {
        let percent = words::state(store.connection()).context("search index")?.percent();
        progress.set(|| format!("building the search index: {percent} %"));
        store.maintain_log().context("search index")?;
        give_way();
    }
    Ok(())
}

/// Moves the rows of a change that is not complete.
pub fn move_rows(store: &mut Store) -> Result<()> {
    let progress = Progress::new("moving rows");
    while let Some(percent) = project_changes::percent(store.connection()).context("database")? {
        progress.set(|| format!("moving rows: {percent} %"));
        store.write(|tx| project_changes::move_piece(tx, clock::now_ms())).context("database")?;
        testpoint::at("project.moved");
        store.maintain_log().context("database")?;
        give_way();
    }
    Ok(())
}

/// Lets a process that waits for the store lock have it. A released flock is not handed over: this process would
/// often take it again before the other one runs.
#[expect(clippy::disallowed_methods, reason = "no event reports that another process has the lock")]
fn give_way() {
    std::thread::sleep(Duration::from_millis(5));
}
