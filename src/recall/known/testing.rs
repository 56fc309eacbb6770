//! A store with turns and observations for tests.

use rusqlite::{Connection, params};

use crate::memory::{Change, CommandUse, Evidence, Failure, FileChange, Turn};
use crate::store::testing::in_memory_db;
use crate::store::words::{self, RowId};

pub const PROJECT: i64 = 1;

pub struct Memory {
    pub conn: Connection,
}

impl Memory {
    pub fn new() -> Memory {
        let conn = in_memory_db();
        conn.execute_batch(
            "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/p'), (2, 'two', '/q')",
        )
        .unwrap();
        Memory { conn }
    }

    /// Stores a turn. Its id is also its time and the number of its prompt.
    pub fn turn(&self, id: i64, session: i64, title: &str, evidence: Evidence) {
        let turn = Turn { title: title.into(), evidence, ..Turn::default() };
        self.session(session);
        self.conn
            .execute(
                "INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number,
                   title, request, turn, backend, created_at_epoch, changed_at_epoch)
                 VALUES (?1, 't' || ?1, ?2, 1, ?1, ?3, ?3, ?4, 'extractive', ?1, ?1)",
                params![id, session, title, serde_json::to_string(&turn).unwrap()],
            )
            .unwrap();
        self.index(RowId::summary(id));
    }

    fn session(&self, id: i64) {
        self.conn
            .execute(
                "INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch,
                   last_event_epoch)
                 VALUES (?1, 'u' || ?1, 'c', 'session-' || ?1, 0, 0) ON CONFLICT DO NOTHING",
                [id],
            )
            .unwrap();
    }

    /// Stores an observation of one file, as part of the turn with the same number.
    pub fn note(&self, id: i64, session: i64, origin: &str, kind: &str, title: &str, path: &str) {
        self.session(session);
        self.conn
            .execute(
                "INSERT INTO observations (id, uuid, session_id, project_id, prompt_number, origin,
                   type, title, files_modified, backend, content_hash, created_at_epoch,
                   changed_at_epoch)
                 VALUES (?1, 'o' || ?1, ?2, 1, ?1, ?3, ?4, ?5, json_array(?6), 'x', ?1, ?1, ?1)",
                params![id, session, origin, kind, title, path],
            )
            .unwrap();
        self.conn
            .execute(
                "INSERT INTO observation_files (observation_id, path, role)
                 VALUES (?1, ?2, 'modified')",
                params![id, path],
            )
            .unwrap();
        self.index(RowId::observation(id));
    }

    fn index(&self, row: RowId) {
        let tx = self.conn.unchecked_transaction().unwrap();
        words::add(&tx, row).unwrap();
        tx.commit().unwrap();
    }
}

pub fn edited(path: &str) -> FileChange {
    FileChange { path: path.into(), change: Change::Edited, sources: vec![5], ..Default::default() }
}

pub fn used(line: &str, ok: bool) -> CommandUse {
    let name = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (worked, failed) = (u32::from(ok), u32::from(!ok));
    CommandUse { line: line.into(), name, worked, failed, ok, ..Default::default() }
}

pub fn failure(command: &str, output: &str) -> Failure {
    let prints = crate::activity::error_prints::read(output, 10);
    Failure {
        command: command.into(),
        kind: Some(crate::memory::CheckKind::Build),
        toolchain: "rust".into(),
        prints,
        ..Default::default()
    }
}
