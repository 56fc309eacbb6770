//! Pauses follow a change: a directory that joins a paused project is paused, and stays so.

use rusqlite::Connection;

use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result};
use crate::project::pause::Pauses;
use crate::store::project_changes::Change;
use crate::store::projects;

/// Extends the pauses of projects to the keys that joined them. A project that is split off a paused one
/// has a pause of its own.
pub fn follow(settings: &Settings, conn: &Connection, change: &Change) -> Result<()> {
    let Some(file) = settings.config.recording.pauses.as_deref() else { return Ok(()) };
    // A file that cannot be read pauses everything.
    let Ok(mut pauses) = Pauses::read(file) else { return Ok(()) };
    let mut is_changed = false;
    if change.new.is_some() {
        for moved in &change.moved {
            let name = projects::name(conn, moved.to.unwrap_or(moved.from))?;
            is_changed |= pauses.divide(&moved.keys, &name, clock::now_ms());
        }
    }
    for project in change.moved.iter().filter_map(|moved| moved.to).chain([change.project]) {
        let keys = projects::get(conn, project)?.keys;
        is_changed |= pauses.extend(&keys, clock::now_ms());
    }
    if is_changed {
        pauses.write(file).context(file.display())?;
    }
    Ok(())
}

/// After an undo, each project has a pause of its own.
pub fn divide(settings: &Settings, conn: &Connection, change: &Change) -> Result<()> {
    let Some(file) = settings.config.recording.pauses.as_deref() else { return Ok(()) };
    let Ok(mut pauses) = Pauses::read(file) else { return Ok(()) };
    let mut is_changed = false;
    for moved in &change.moved {
        let name = projects::name(conn, moved.from)?;
        if pauses.divide(&moved.keys, &name, clock::now_ms()) {
            is_changed = true;
            crate::ctl::note(&format!(
                "project {name} stays paused; `memctl unpause --project` there ends it"
            ));
        }
    }
    if is_changed {
        pauses.write(file).context(file.display())?;
    }
    Ok(())
}
