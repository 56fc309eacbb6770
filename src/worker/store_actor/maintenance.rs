//! Keeps the database small and free of deleted texts, while no peer waits and at shutdown.

use super::actor::StoreActor;
use crate::store::{
    self, StoreError, agent_sessions, project_changes, queue, queue_admin, seen_text, sessions,
    turn_evidence, undo, words,
};
use crate::{clock, testpoint};

impl StoreActor {
    /// Deletes once the rows that are too old: forgotten rows that can no longer be restored, and unused
    /// keys of the resume store. The next worker tries again.
    pub(super) fn delete_too_old(&mut self) {
        let Some(store) = self.store.as_mut().filter(|_| !self.has_tidied) else { return };
        self.has_tidied = true;
        let (now, max_age) = (clock::now_ms(), self.settings.config.resume_max_age.as_millis());
        let result = store.locked(|locked| {
            let is_purged = undo::end_expired(locked, now)?;
            let n_keys = agent_sessions::sweep_daily(locked, max_age as i64, now)?;
            tracing::debug!(is_purged, n_keys, "deleted what was too old");
            Ok(is_purged)
        });
        match result {
            Ok(is_purged) => self.maintain_wal(is_purged),
            Err(e) => tracing::info!("what is too old was not deleted: {e}"),
        }
    }

    /// Empties the write-ahead log if it holds deleted texts, and prepares it for further commits,
    /// while no peer waits. If the cause of an error persists, the next commit reports it.
    pub(super) fn maintain_wal(&mut self, holds_deleted: bool) {
        let Some(store) = &mut self.store else { return };
        if holds_deleted {
            let _ = store.empty_log();
            if !self.status.open.any() {
                return; // The next event may be hours away.
            }
        }
        let _ = store.maintain_log();
    }

    fn remove_deleted_texts(&mut self) -> store::Result<()> {
        let Some(store) = &mut self.store else { return Ok(()) };
        store.locked(|locked| {
            locked.remove_purged_remnants()?;
            locked.remove_old_remnants()?;
            locked.empty_log().map(drop)
        })
    }

    pub(super) fn empty_log(&mut self) -> store::Result<()> {
        // If a reader needs the log, the worker tries again when it shuts down.
        let Some(store) = &mut self.store else { return Ok(()) };
        store.locked(|locked| match locked.remove_purged_remnants() {
            Ok(()) => locked.empty_log().map(drop),
            Err(StoreError::Busy(_)) => Ok(()),
            Err(e) => Err(e),
        })
    }

    /// Returns claimed messages to the queue, resets the count of restarts and deletes old rows.
    pub fn shut_down(&mut self) {
        // Without a token, this worker was never the owner. Taking one now would fence the owner.
        if self.store.is_none() && self.fence.session().is_none() {
            return;
        }
        let keep = self.settings.config.queue.keep.as_millis() as i64;
        let result = self.write(|tx, session| {
            if let Some(session) = session {
                queue::release_all(tx, session)?;
                sessions::reset_restarts(tx, session)?;
            }
            let now = clock::now_ms();
            seen_text::delete_old(tx, now)?;
            turn_evidence::delete_old(tx)?;
            queue_admin::delete_old(tx, keep, now).map(drop)
        });
        if let Err(e) = result.and_then(|()| self.remove_deleted_texts()) {
            tracing::info!("the store was not cleaned up at shutdown: {e}");
        }
        testpoint::at("worker.in_order");
    }

    /// Moves the next rows of a change of projects that was interrupted, or else adds the next rows to a search
    /// index that lacks some. Returns whether there are more.
    pub fn maintain(&mut self) -> bool {
        let Some(store) = &mut self.store else { return false };
        if project_changes::percent(store.connection()).is_ok_and(|percent| percent.is_some()) {
            let moved = store.write(|tx| project_changes::move_piece(tx, clock::now_ms()));
            self.maintain_wal(false);
            return moved.inspect_err(|e| tracing::info!("no rows were moved: {e}")).is_ok();
        }
        if !words::is_due(store.connection()).unwrap_or(false) {
            return false;
        }
        let is_partial = store.locked(words::rebuild_piece).unwrap_or_else(|e| {
            tracing::info!("the search index was not built: {e}");
            false
        });
        self.maintain_wal(false);
        is_partial
    }
}
