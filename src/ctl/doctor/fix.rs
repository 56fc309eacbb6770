//! `doctor --fix`: makes all repairs that lose no data, and reports each.

use crate::clock;
use crate::config::Settings;
use crate::ctl::READ_TIMEOUT;
use crate::ctl::format::count;
use crate::ctl::health::data_dir::{open_to_others, private_files};
use crate::ctl::open;
use crate::ctl::project::rows;
use crate::deliver::probe::{self, WorkerState};
use crate::failure::{Context, Result};
use crate::recover::cleanup;
use crate::store::{LockWait, Reader, ensure, project_changes, quarantine, queue_admin, words};
use crate::{process, spool};

/// Returns a sentence for each repair.
pub fn run(settings: &Settings) -> Result<Vec<String>> {
    let mut fixed = Vec::new();
    if !settings.paths.data_dir_exists() {
        return Ok(fixed);
    }
    restrict_modes(settings, &mut fixed)?;
    replace_damaged_database(settings, &mut fixed)?;
    complete_schema(settings, &mut fixed)?;
    complete_project_change(settings, &mut fixed)?;
    complete_index(settings, &mut fixed)?;
    for key in probe::keys(&settings.paths) {
        let stale = matches!(probe::probe(&settings.paths, &key), WorkerState::Stale { .. });
        if stale
            && cleanup::remove_stale_files(&settings.paths, &key)
                .context("cannot remove the files of a worker")?
        {
            fixed.push(format!("removed the files of a dead worker ({key})"));
        }
    }
    spool::remove_stale_tmp(&settings.paths);
    clear_aborted(settings, &mut fixed)?;
    if spool::n_lost(&settings.paths) > 0 {
        let lost = spool::clear_losses(&settings.paths).context("loss counter")?;
        fixed.push(format!("cleared the count of {}", count(lost, "lost event")));
    }
    Ok(fixed)
}

fn restrict_modes(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let paths = &settings.paths;
    if paths.restrict_data_dir().context("data dir")? {
        fixed.push(format!("changed the mode of {} to 700", paths.data().display()));
    }
    for (place, stat) in private_files(settings) {
        let is_ours = stat.uid == process::own_uid() && !stat.is_link();
        if is_ours && open_to_others(stat.mode).is_some() {
            place.restrict().context(&place)?;
            let mode = if stat.is_dir() { 700 } else { 600 };
            fixed.push(format!("changed the mode of {place} to {mode}"));
        }
    }
    Ok(())
}

/// Adds the tables, columns and indexes that another program has removed.
fn complete_schema(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let checked = Reader::open(&settings.paths, READ_TIMEOUT).and_then(|reader| match reader {
        Some(reader) => ensure::is_complete(reader.connection()),
        None => Ok(true),
    });
    if !checked.is_ok_and(|complete| !complete) {
        return Ok(());
    }
    open::store(settings)?;
    fixed.push("added the missing tables, columns and indexes of the database".into());
    Ok(())
}

/// Moves the rows that an interrupted `project` command left.
fn complete_project_change(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let moving = Reader::open(&settings.paths, READ_TIMEOUT).and_then(|reader| match reader {
        Some(reader) => project_changes::percent(reader.connection()),
        None => Ok(None),
    });
    if !moving.is_ok_and(|percent| percent.is_some()) {
        return Ok(());
    }
    rows::move_rows(&mut open::store(settings)?)?;
    fixed.push("completed a change of projects that was interrupted".into());
    Ok(())
}

/// Builds the search index again if it is damaged, and adds the rows that it lacks.
fn complete_index(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let checked = Reader::open(&settings.paths, READ_TIMEOUT).and_then(|reader| match reader {
        Some(reader) => {
            let conn = reader.connection();
            Ok(quarantine::check_integrity(conn)? && words::state(conn)?.is_complete())
        }
        None => Ok(true),
    });
    if !checked.is_ok_and(|is_complete| !is_complete) {
        return Ok(());
    }
    let mut store = open::store(settings)?;
    store.locked(words::complete).context("search index")?;
    fixed.push("built the search index".into());
    Ok(())
}

/// Takes events that the user gave up off the queue's list.
fn clear_aborted(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let counts = Reader::open(&settings.paths, READ_TIMEOUT)
        .and_then(|reader| reader.map(|r| queue_admin::counts(r.connection(), None)).transpose());
    if !matches!(counts, Ok(Some(counts)) if counts.aborted > 0) {
        return Ok(());
    }
    let mut store = open::store(settings)?;
    let n = cleanup::clear_aborted(&mut store, clock::now_ms())?;
    fixed.push(format!("cleared {} from the queue's list", count(n, "aborted event")));
    Ok(())
}

/// Quarantines the database if it is damaged. Other read errors may be temporary and change nothing.
fn replace_damaged_database(settings: &Settings, fixed: &mut Vec<String>) -> Result<()> {
    let checked = Reader::open(&settings.paths, READ_TIMEOUT).and_then(|reader| match reader {
        Some(reader) => quarantine::check_integrity(reader.connection()).map(drop),
        None => Ok(()),
    });
    if !checked.is_err_and(|e| e.is_corruption()) {
        return Ok(());
    }
    let quarantined = quarantine::replace_damaged(
        &settings.paths,
        LockWait::Within(open::LOCK_TIMEOUT),
        clock::now_ms(),
    );
    if let Some(dir) = quarantined? {
        fixed.push(format!(
            "moved the damaged database to {0} and created a new one; `memctl restore FILE` brings a \
             backup back, and `sqlite3 {0}/memctl.db .recover` prints what is still readable",
            dir.display()
        ));
    }
    Ok(())
}
