//! A note before redaction, from the command line or from a line of a script.

use serde_json::{Map, Value};

use super::text;
use crate::capture::NoteRedaction;
use crate::config::{Limits, Redact};
use crate::memory::{Observation, Origin};
use crate::provenance::{Speaker, without_instructions};
use crate::text::without_controls;

/// The type of a note that names none.
pub const DEFAULT_TYPE: &str = "note";

/// Maximum bytes of a type, and of metadata.
const MAX_TYPE: usize = 40;
const MAX_METADATA: usize = 16 << 10;

#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub title: Option<String>,
    pub text: String,
    pub kind: Option<String>,
    pub files: Vec<String>,
    pub metadata: Map<String, Value>,
}

/// A note as it may be stored.
#[derive(Clone, Debug)]
pub struct Redacted {
    pub observation: Observation,
    /// A JSON object.
    pub metadata: String,
}

impl Draft {
    /// Removes private text and secrets.
    ///
    /// # Errors
    /// The reason why nothing can be stored.
    pub fn redact(
        &self,
        origin: Origin,
        limits: Limits,
        redact: &Redact,
    ) -> Result<Redacted, String> {
        let metadata = Value::Object(self.metadata.clone()).to_string();
        if metadata.len() > MAX_METADATA {
            return Err(format!("metadata is longer than {MAX_METADATA} bytes"));
        }
        let title = self.title.as_deref().unwrap_or_default().trim();
        if title.is_empty() && self.text.trim().is_empty() {
            return Err("the text is empty".into());
        }
        let fields = [title, &self.text, &metadata].into_iter();
        let fields = fields.chain(self.files.iter().map(String::as_str));
        let rules = NoteRedaction::new(fields, limits, redact);
        let body = rules.text(&self.text).unwrap_or_default();
        let (title, narrative) = match rules.text(title) {
            Some(title) => {
                (text::one_line(&title), Some(body).filter(|body| !body.trim().is_empty()))
            }
            None => text::split(&body),
        };
        if title.is_empty() {
            return Err("the text is private".into());
        }
        let speaker = if origin == Origin::User { Speaker::User } else { Speaker::Other };
        let is_instruction = |text: &str| without_instructions(text, speaker) != text;
        let observation = Observation {
            kind: self.kind()?,
            quarantined: is_instruction(&title) || narrative.as_deref().is_some_and(is_instruction),
            title,
            narrative,
            files_read: self.files.iter().filter_map(|path| rules.path(path)).collect(),
            origin,
            ..Observation::default()
        };
        Ok(Redacted { observation, metadata: rules.json(&metadata) })
    }

    fn kind(&self) -> Result<String, String> {
        let kind = self.kind.as_deref().unwrap_or(DEFAULT_TYPE).trim();
        let is_word = |c: char| c.is_alphanumeric() || "-_".contains(c);
        match kind {
            "" => Err("the type is empty".into()),
            kind if kind.len() > MAX_TYPE || !kind.chars().all(is_word) => {
                let shown = crate::text::quote(kind);
                Err(format!("the type '{shown}' is no word, such as decision or note"))
            }
            kind => Ok(without_controls(kind).to_lowercase()),
        }
    }
}
