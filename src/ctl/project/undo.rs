//! `memctl project undo`.

use super::report::{self, Tense, Told};
use super::{How, pauses, rows};
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{self, count};
use crate::ctl::open;
use crate::ctl::progress::Progress;
use crate::failure::{Result, failed};
use crate::store::project_changes::{self, Undone};
use crate::store::projects;

pub fn run(settings: &Settings, id: Option<i64>, how: &How) -> Result<()> {
    let mut store = open::to_change(settings)?;
    if !how.dry_run {
        rows::complete(&mut store)?;
    }
    let conn = store.connection();
    let stored = match id {
        Some(id) => project_changes::get(conn, id)?,
        None => project_changes::list(conn, None)?.into_iter().next(),
    };
    let stored = stored.ok_or_else(|| match id {
        Some(id) => failed(format!("there is no change {id} of projects"))
            .hint("`memctl project show PROJECT` lists what can be undone"),
        None => failed("no change of projects can be undone"),
    })?;
    if let Some(later) = project_changes::later(conn, &stored)? {
        let what = report::sentence(conn, &later.change, Tense::Done)?;
        return Err(failed(format!("change {} depends on it: {what}", later.id))
            .hint(format!("undo it first: memctl project undo {}", later.id)));
    }
    let what = report::sentence(conn, &stored.change, Tense::Done)?;
    let kept =
        stored.change.moved.first().and_then(|moved| moved.to).unwrap_or(stored.change.project);
    let kept = projects::name(conn, kept)?;
    let now = clock::now_ms();
    let progress = Progress::new("changing the project");
    let Undone { sessions: stays, keeps_project } = match how.dry_run {
        true => project_changes::outlook(store.connection(), &stored),
        false => store.write(|tx| project_changes::undo(tx, &stored, now)),
    }?;
    drop(progress);
    if !how.dry_run {
        rows::complete(&mut store)?;
        pauses::divide(settings, store.connection(), &stored.change)?;
    }
    if how.json {
        let told =
            Told { change: &stored.change, id: Some(stored.id), what, undone: !how.dry_run, stays };
        return crate::ctl::print_json(&report::object(&told, how));
    }
    let verb = if how.dry_run { "would undo" } else { "undid" };
    let at = format::at(stored.at_epoch);
    let amounts = report::amounts(&stored.change);
    crate::ctl::print(&format!("{verb} what was done at {at}: {what}{amounts}\n"))?;
    if stays > 0 {
        let (n, verb) = (count(stays, "session"), if stays == 1 { "stays" } else { "stay" });
        crate::ctl::note(&format!("{n} begun since then {verb} in project {kept}"));
    } else if keeps_project {
        crate::ctl::note(&format!("project {kept} stays, with what was stored in it since then"));
    }
    Ok(())
}
