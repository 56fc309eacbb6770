//! Where a memory comes from: its session, the project of that session, and the prompt of its turn.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::SessionContent;
use crate::ctl::format;
use crate::failure::Result;
use crate::store::sessions::{self, Session};
use crate::text::sanitize;

/// How many characters of a session id a text names, as in `memctl list`.
const ID_LEN: usize = 13;

#[derive(Default)]
pub struct Source {
    /// `None`: a note or a row of an import without sessions.
    session: Option<Session>,
    /// The id of the turn's prompt.
    prompt: Option<i64>,
}

impl Source {
    pub fn load(conn: &Connection, session: Option<i64>, prompt_number: i64) -> Result<Source> {
        let Some(id) = session else { return Ok(Source::default()) };
        Ok(Source {
            session: sessions::get(conn, id)?,
            prompt: sessions::prompt_id(conn, id, prompt_number)?,
        })
    }

    /// Of a row of this session.
    pub fn within(content: &SessionContent, prompt_number: i64) -> Source {
        let prompt = content.prompts.iter().find(|prompt| prompt.number == prompt_number);
        Source { session: Some(content.session.clone()), prompt: prompt.map(|prompt| prompt.id) }
    }

    /// `prompt p10`, `session 6f2b9c54-3d1e` and the name of the project.
    pub fn about(&self) -> Vec<String> {
        let mut about: Vec<String> =
            self.prompt.iter().map(|prompt| format!("prompt p{prompt}")).collect();
        about.extend(self.session_about());
        about
    }

    /// As [`Source::about`], of a prompt itself.
    pub fn session_about(&self) -> Vec<String> {
        let Some(session) = &self.session else { return Vec::new() };
        let mut about =
            vec![format!("session {}", format::short(&session.content_session_id, ID_LEN))];
        about.extend(session.project.as_deref().map(sanitize));
        about
    }

    /// Adds the keys `session`, `client`, `project` and `prompt`.
    pub fn added_to(&self, mut json: Value) -> Value {
        let session = self.session.as_ref();
        json["session"] = json!(session.map(|s| &s.content_session_id));
        json["client"] = json!(session.map(|s| &s.client));
        json["project"] = json!(session.and_then(|s| s.project.as_ref()));
        json["prompt"] = json!(self.prompt.map(|id| format!("p{id}")));
        json
    }
}
