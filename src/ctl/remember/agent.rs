//! Notes of a model: the MCP server stores them. They are the assistant's words, or those of a third
//! party, and never the user's.

use std::path::Path;

use super::{Args, Draft, MAX_INPUT, Stored, Target, place};
use crate::activity::ParsedBatch;
use crate::capture;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::memory::{Observation, Origin};
use crate::project::recording;
use crate::provenance::Screen;
use crate::store::rejected::Rejected;
use crate::store::{Store, notes, project_seen, projects};

/// A note before redaction.
pub struct Handed {
    pub text: String,
    pub title: Option<String>,
    pub kind: Option<String>,
    pub files: Vec<String>,
    pub expires_at_epoch: Option<i64>,
    pub origin: Origin,
}

/// A stored note.
pub struct Remembered {
    pub id: i64,
    /// `remembered`, `updated` or `already remembered`.
    pub word: &'static str,
    pub project: Option<String>,
    /// Number of secrets that were replaced.
    pub secrets: usize,
    /// It is stored without its middle.
    pub shortened: bool,
    pub quarantined: bool,
}

/// Types of what a user states. A model's note is none of them.
const TYPES_OF_USER: [&str; 8] =
    ["rule", "rules", "preference", "instruction", "policy", "prompt", "request", "plan"];

/// Stores a note for the project with this id, or else for that of the directory.
///
/// # Errors
/// The project is not recorded, the note cannot be stored, or nothing of it may be.
pub fn store(
    settings: &mut Settings,
    dir: &Path,
    project: Option<i64>,
    handed: Handed,
) -> Result<Remembered> {
    if handed.text.len() as u64 > MAX_INPUT {
        return Err(usage(format!("the text is longer than {} MiB", MAX_INPUT >> 20)));
    }
    // Nothing is created if nothing is recorded.
    if let Some(why) = recording::not_recorded(&[dir], &settings.config.recording) {
        return Err(failed(&why).hint(why.fix()));
    }
    let Handed { text, title, kind, files, expires_at_epoch, origin } = handed;
    if let Some(kind) = kind.as_deref().filter(|kind| is_type_of_user(kind)) {
        return Err(usage(format!("only the user states a {}", kind.trim().to_lowercase()))
            .hint("leave out the type to store it as a note of the assistant")
            .hint("the user can store it: memctl remember TEXT"));
    }
    let draft = Draft { title, text, kind, files, ..Draft::default() };
    let mut redacted =
        draft.redact(origin, settings.config.capture, &settings.config.redact).map_err(usage)?;
    let mut store = super::open(settings)?;
    let rejected = Rejected::load(store.connection())?;
    redacted.observation = rejected
        .clean_observation(&redacted.observation)
        .ok_or_else(|| failed("the user has rejected this statement"))?;
    let target = match project {
        Some(id) => {
            let project = projects::get(store.connection(), id)?;
            Target::Directory { project, dir: dir.to_owned() }
        }
        None => place::of_directory(store.connection(), dir)?.0,
    };
    if let Some(why) = target.not_recorded(store.connection(), settings) {
        return Err(failed(&why).hint(why.fix()));
    }
    if let Target::Directory { project, .. } = &target {
        for key in &project.keys {
            if let Some(id) = projects::by_key(store.connection(), key)? {
                screen(&store, id, &mut redacted.observation)?;
            }
        }
    }
    let args = Args { expires: expires_at_epoch, ..Args::default() };
    let note = super::note(settings, &args, redacted, &target, dir);
    let stored = store.write(|tx| {
        let project = target.resolve(tx)?;
        let name = project.map(|id| projects::name(tx, id)).transpose()?;
        Ok((notes::remember(tx, project, &note, clock::now_ms())?, name))
    });
    let (stored, project) = stored.context("the note is not stored: database")?;
    let (word, id) = match stored {
        Stored::Added(id) => ("remembered", id),
        Stored::Updated(id) => ("updated", id),
        Stored::Known(id) => ("already remembered", id),
        Stored::Forgotten => return Err(failed("the note was forgotten")),
    };
    let typed = [draft.title.as_deref().unwrap_or_default(), &draft.text];
    let secrets =
        typed.iter().map(|text| capture::find_secrets(text, &settings.config.redact).len());
    Ok(Remembered {
        id,
        word,
        project,
        secrets: secrets.sum(),
        shortened: draft.text.len() > settings.config.capture.text,
        quarantined: note.observation.quarantined,
    })
}

fn is_type_of_user(kind: &str) -> bool {
    TYPES_OF_USER.contains(&kind.trim().to_lowercase().as_str())
}

/// Marks a note that follows what the project's sessions have fetched, or an order that their tools printed.
fn screen(store: &Store, project: i64, note: &mut Observation) -> Result<()> {
    let seen = project_seen::of_project(store.connection(), project, clock::now_ms())?;
    for batch in seen {
        Screen::new(&ParsedBatch::new(batch)).check_note(note);
    }
    Ok(())
}
