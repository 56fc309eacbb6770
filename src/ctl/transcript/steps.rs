//! Turns the steps of a transcript into events, with the rules and the redaction of a hook.

use std::path::Path;

use memctl_proto::Event;

use super::Step;
use crate::capture::{self, CaptureContext, Captured, Payload, PrivateTurns};
use crate::config::Settings;
use crate::failure::{Context, Result, usage};

/// Captures the steps of one session.
pub struct Capturer<'a> {
    pub settings: &'a Settings,
    pub client: &'a str,
    /// The session's key in file names.
    pub key: String,
}

impl Capturer<'_> {
    /// Returns the event of a step. `None` if it is not recorded. `project_dir` is the directory in which
    /// the client was started; without it, the one of the step counts.
    ///
    /// # Errors
    /// If the payload is invalid.
    pub fn event(&self, step: &Step, project_dir: Option<&Path>) -> Result<Option<Event>> {
        let text = step.payload.to_string();
        let payload = Payload::parse(&text).context("invalid payload in the transcript")?;
        let turns = PrivateTurns::read(&self.settings.paths, &self.key);
        let words = turns.words(payload.turn.as_deref());
        let config = &self.settings.config;
        let context = CaptureContext {
            event: Some(step.event),
            client: self.client,
            project_dir,
            fallback_dir: None,
            recording: &config.recording,
            limits: config.capture,
            private: &words,
            redact: &config.redact,
            now: step.at,
            process: None,
        };
        match capture::capture(&payload, &context).map_err(usage)? {
            Captured::BeforeTool(_) | Captured::Ignored(_) | Captured::NotRecorded(..) => Ok(None),
            Captured::Event(mut event) => {
                event.id = step.id;
                Ok(Some(turns.redact(*event, &words)))
            }
        }
    }
}
