//! Redacts a note: text that the user or a script hands over to be remembered. The rules are those of
//! an event's texts.

use std::path::Path;

use super::files::{VIRTUAL, blob};
use super::texts::Texts;
use super::{MAX_PATH, PrivateWords, redact, secret_files, tags};
use crate::config::{Limits, Recording, Redact};
use crate::project::recording;

/// The rules for the texts of one note.
pub struct NoteRedaction<'a> {
    private: PrivateWords,
    limits: Limits,
    redact: &'a Redact,
}

impl<'a> NoteRedaction<'a> {
    /// `fields`: all texts of the note. Private text of one may come back in another.
    pub fn new<'f>(
        fields: impl IntoIterator<Item = &'f str>,
        limits: Limits,
        redact: &'a Redact,
    ) -> NoteRedaction<'a> {
        let private = PrivateWords::default();
        for field in fields {
            if let Some((hidden, open)) = tags::split(field) {
                private.add(&hidden, &open);
            }
            let public = tags::strip(field).text;
            redact::redact_and_tell(&public, redact, &|secret, kind| {
                private.secrets.add(secret, kind);
            });
        }
        NoteRedaction { private, limits, redact }
    }

    /// The text to store. `None` if nothing is left, or if only what a client adds is left beside
    /// private text.
    pub fn text(&self, text: &str) -> Option<String> {
        if tags::strip(text).wholly_private() {
            return None;
        }
        self.texts().text(text)
    }

    /// A JSON text with its strings redacted.
    pub fn json(&self, raw: &str) -> String {
        self.texts().note_json(raw)
    }

    /// A path to store. `None` if it is too long or private.
    pub fn path(&self, path: &str) -> Option<String> {
        let path = path.trim();
        let is_stored = !path.is_empty() && path.len() <= MAX_PATH && !tags::strip(path).private;
        is_stored.then(|| self.texts().text(path)).flatten()
    }

    fn texts(&self) -> Texts<'_> {
        Texts { limits: self.limits, private: &self.private, redact: self.redact }
    }
}

/// Returns git's hash of a file that a note names, unless it is secret, private, large, special or
/// excluded.
pub fn hash_named_file(file: &Path, rules: &Recording) -> Option<String> {
    let is_unread = secret_files::is_secret_file(&file.to_string_lossy())
        || VIRTUAL.iter().any(|dir| file.starts_with(dir));
    let parent = file.parent().unwrap_or(file);
    if is_unread || !file.is_absolute() || recording::exclusion(parent, rules).is_some() {
        return None;
    }
    blob(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { input: 1 << 10, response: 1 << 10, text: 1 << 10 };

    #[test]
    fn private_text_of_one_field_is_private_in_all() {
        let redact = Redact::default();
        let text = "the vault <private>Quillfeather-9</private> opens";
        let note = NoteRedaction::new([text, "about Quillfeather-9"], LIMITS, &redact);
        let stored = note.text(text).unwrap();
        assert!(stored.starts_with("the vault") && !stored.contains("Quillfeather"), "{stored}");
        assert!(!note.text("about Quillfeather-9").unwrap().contains("Quillfeather"));
        assert!(!note.json(r#"{"door":"Quillfeather-9"}"#).contains("Quillfeather"));
        assert_eq!(note.text("<private>all of it</private>"), None);
        assert_eq!(note.text("  "), None);
    }

    #[test]
    fn secrets_are_replaced_in_every_field() {
        let redact = Redact::default();
        let note = NoteRedaction::new([], LIMITS, &redact);
        let password = "password=hunter2Correct9";
        assert!(!note.text(&format!("use this:\n{password}")).unwrap().contains("hunter2"));
        let json = note.json(r#"{"password":"hunter2Correct9"}"#);
        assert!(!json.contains("hunter2"), "{json}");
    }
}
