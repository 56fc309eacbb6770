//! The fencing token: it refuses the transactions of a worker that another worker has replaced.

use rusqlite::{OptionalExtension, Transaction};

use crate::files::FileId;
use crate::store::error::{Result, StoreError};

/// The fencing token of a worker. It stops two workers from serving one session where file locks
/// do not work, for example on some network file systems.
///
/// The token is the column `sessions.generation`. The worker's first transaction that finds the
/// session's row increments it. Every later transaction checks that it is unchanged.
#[derive(Clone, Debug)]
pub struct Fence {
    client: String,
    session: String,
    token: Option<Token>,
    /// The database file that holds the token.
    file: Option<FileId>,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    session_id: i64,
    generation: i64,
}

impl Fence {
    /// `session` is the client's session id.
    pub fn new(client: &str, session: &str) -> Fence {
        Fence { client: client.into(), session: session.into(), token: None, file: None }
    }

    /// The session's row id, once a transaction has found it.
    pub fn session(&self) -> Option<i64> {
        self.token.map(|token| token.session_id)
    }

    /// Drops the token if the database was quarantined or deleted and another file replaced it. An
    /// equal generation in the new file belongs to another worker.
    pub(in crate::store) fn bind_to_file(&mut self, file: Option<FileId>) {
        if self.file != file {
            self.token = None;
            self.file = file;
        }
    }

    /// Takes or checks the token at the start of a write transaction. Returns the session's row id,
    /// or `None` while the session has no row.
    ///
    /// Taking the token requeues the messages that an earlier worker had claimed. If the
    /// transaction rolls back, the change to `self` must be undone too;
    /// [`Store::fenced`](crate::store::Store::fenced) does that.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another worker has taken the token since.
    pub fn check(&mut self, tx: &Transaction, now: i64) -> Result<Option<i64>> {
        let row: Option<(i64, i64)> = tx
            .prepare_cached(
                "SELECT id, generation FROM sessions
                 WHERE client = ?1 AND content_session_id = ?2",
            )?
            .query_row([&self.client, &self.session], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let Some((session_id, generation)) = row else {
            self.token = None;
            return Ok(None);
        };
        match self.token {
            Some(token) if token.session_id == session_id => {
                if token.generation != generation {
                    return Err(StoreError::Fenced);
                }
            }
            _ => {
                tx.execute(
                    "UPDATE sessions SET generation = generation + 1, restarts = restarts + 1
                     WHERE id = ?1",
                    [session_id],
                )?;
                tx.execute(
                    "UPDATE pending_messages SET status = 'pending', worker_pid = NULL,
                       started_processing_at_epoch = NULL
                     WHERE session_id = ?1 AND status = 'processing'",
                    [session_id],
                )?;
                tracing::debug!(
                    session_id,
                    generation = generation + 1,
                    now,
                    "took the fencing token"
                );
                self.token = Some(Token { session_id, generation: generation + 1 });
            }
        }
        Ok(Some(session_id))
    }
}
