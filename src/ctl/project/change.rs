//! The changes of projects.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::report::{self, Tense, Told};
use super::{How, Split, pauses, resolve, rows};
use crate::clock;
use crate::config::Settings;
use crate::ctl::lookup;
use crate::ctl::open;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, failed, usage};
use crate::project;
use crate::store::project_changes::{self, Change, NewProject, Sessions, Target};
use crate::store::{claims, places, projects};
use crate::testpoint;
use crate::text::{collapse_spaces, escape, sanitize};

/// Longest name of a project in characters.
const MAX_NAME: usize = 64;

pub fn rename(settings: &Settings, project: &str, name: &str, how: &How) -> Result<()> {
    let name = valid_name(name)?;
    carry_out(settings, how, |conn| {
        let id = lookup::project(conn, project)?;
        if projects::name(conn, id)? == name {
            return Err(failed(format!("project {name} has this name already")));
        }
        Ok(project_changes::rename(id, &name))
    })
}

pub fn merge(settings: &Settings, from: &str, into: &str, how: &How) -> Result<()> {
    carry_out(settings, how, |conn| {
        let (a, b) = (lookup::project(conn, from)?, lookup::project(conn, into)?);
        if a == b {
            let name = projects::name(conn, a)?;
            return Err(usage(format!("both are project {name}"))
                .hint("`memctl project list` lists the projects"));
        }
        project_changes::merge(conn, a, b).context("database")
    })
}

pub fn relocate(settings: &Settings, old: &str, new: &Path, how: &How) -> Result<()> {
    let new = resolve(Some(new))?;
    if !new.is_dir() {
        return Err(usage(format!("{} is not a directory", new.display())));
    }
    carry_out(settings, how, |conn| {
        let old = old_dir(conn, old)?;
        let (from, to) = (old.display(), new.display());
        if old == new {
            return Err(usage(format!("{from} is there already")));
        }
        if old.exists() {
            return Err(failed(format!("{from} is still there"))
                .hint(format!("`memctl project link {to} --to {from}` lets both share a memory")));
        }
        let change = project_changes::relocate(conn, &old, &new)?;
        change.ok_or_else(|| {
            failed(format!("no project has a directory at {from} or below"))
                .hint("`memctl project list` lists the projects")
        })
    })
}

/// The directory that was moved, from its path or from the name of its project.
fn old_dir(conn: &Connection, name: &str) -> Result<PathBuf> {
    let is_path = name.contains('/') || Path::new(name).exists();
    if !is_path && let Ok(id) = lookup::project(conn, name) {
        let root = projects::get(conn, id)?.root;
        if !root.is_empty() {
            return Ok(PathBuf::from(root));
        }
    }
    let removed = project::removed(Path::new(name)).next();
    Ok(match removed {
        Some(removed) => PathBuf::from(removed.root),
        None => resolve(Some(Path::new(name)))?,
    })
}

pub fn split(settings: &Settings, args: &Split) -> Result<()> {
    let is_filtered = args.dir.is_some() || args.after.is_some() || args.before.is_some();
    if args.sessions.is_empty() && !is_filtered {
        return Err(
            usage("no sessions are named").hint("name sessions, or use --dir, --after or --before")
        );
    }
    let dir = args.dir.as_deref().map(place).transpose()?;
    let name = match (&args.to, &args.name, &dir) {
        (Some(_), ..) => String::new(),
        (None, Some(name), _) => valid_name(name)?,
        (None, None, Some(dir)) => project::identify(dir).name,
        (None, None, None) => {
            return Err(usage("the new project needs a name")
                .hint("use --name for a new project, or --to for a known one"));
        }
    };
    carry_out(settings, &args.how, |conn| {
        let project = lookup::project(conn, &args.project)?;
        let target = match &args.to {
            Some(to) => Target::Known(lookup::project(conn, to)?),
            None => Target::New(NewProject {
                name: name.clone(),
                root: dir.as_ref().map_or(String::new(), |dir| dir.display().to_string()),
                named: args.name.is_some(),
                separate: false,
            }),
        };
        let project_name = projects::name(conn, project)?;
        if matches!(target, Target::Known(id) if id == project) {
            return Err(usage(format!("both are project {project_name}")));
        }
        let sessions = match args.sessions.is_empty() {
            false => named_sessions(conn, &args.sessions, project, &project_name)?,
            true => {
                let wanted = Sessions { dir: dir.clone(), after: args.after, before: args.before };
                project_changes::sessions(conn, project, &wanted)?
            }
        };
        let keys_at = dir.as_deref().filter(|_| args.after.is_none() && args.before.is_none());
        let change = project_changes::split(conn, project, &sessions, keys_at, target)?;
        if let (Some(dir), None) = (keys_at, &args.to)
            && is_all(conn, project, &change)?
        {
            let dir = dir.display();
            return Err(failed(format!(
                "project {project_name} has no directory outside of {dir}"
            ))
            .hint("name sessions, or use --after or --before"));
        }
        if change.moved.iter().all(|moved| moved.sessions.is_empty() && moved.keys.is_empty()) {
            return Err(failed(format!("no session of project {project_name} matches"))
                .hint(format!("`memctl list --project {project_name}` lists its sessions")));
        }
        Ok(change)
    })
}

/// Whether the change takes all directories of the project.
fn is_all(conn: &Connection, project: i64, change: &Change) -> Result<bool> {
    let keys = projects::get(conn, project)?.keys;
    let is_taken = |key: &String| change.moved.iter().any(|moved| moved.keys.contains(key));
    Ok(keys.iter().filter(|key| project::key_dir(key).is_some()).all(is_taken))
}

fn named_sessions(
    conn: &Connection,
    names: &[String],
    project: i64,
    project_name: &str,
) -> Result<Vec<i64>> {
    let find = |name: &String| {
        let session = lookup::session(conn, name)?;
        match session.project_id == Some(project) {
            true => Ok(session.id),
            false => {
                let of = session.project.unwrap_or_else(|| "no project".into());
                Err(usage(format!("session {name} does not belong to project {project_name}"))
                    .hint(format!("it belongs to {of}")))
            }
        }
    };
    let mut ids = names.iter().map(find).collect::<Result<Vec<i64>>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// A directory that may not exist any more.
fn place(dir: &Path) -> Result<PathBuf> {
    match project::removed(dir).next() {
        Some(removed) => Ok(PathBuf::from(removed.root)),
        None => resolve(Some(dir)),
    }
}

pub fn link(settings: &Settings, dir: Option<&Path>, to: Option<&str>, how: &How) -> Result<()> {
    let claimed = project::identify(&resolve(dir)?);
    let shown = escape(&claimed.root);
    let mut already = None;
    let planned = plan_or_done(settings, how, |conn| {
        let examined = claims::examine(conn, &claimed)?;
        let id = match (to, examined.refused) {
            (Some(name), _) => lookup::project(conn, name)?,
            (None, Some(refused)) => refused.id,
            (None, None) => match projects::find(conn, &claimed)? {
                Some(id) if claimed.keys.len() > 1 => id,
                found => {
                    let why = match found {
                        Some(_) => "names no origin",
                        None => "and its origin are not known",
                    };
                    return Err(failed(format!("{shown} {why}"))
                        .hint("--to names another project; `memctl project list` lists them"));
                }
            },
        };
        if projects::find(conn, &examined.project)? == Some(id) {
            already = Some(projects::name(conn, id)?);
            return Ok(None);
        }
        project_changes::link(conn, &claimed, id).context("database").map(Some)
    })?;
    match planned {
        true => Ok(()),
        false => {
            let name = already.unwrap_or_default();
            unchanged(how, &format!("{shown} belongs to project {name} already"))
        }
    }
}

pub fn unlink(settings: &Settings, dir: Option<&Path>, how: &How) -> Result<()> {
    let claimed = project::identify(&resolve(dir)?);
    let shown = escape(&claimed.root);
    let planned = plan_or_done(settings, how, |conn| {
        let examined = claims::examine(conn, &claimed)?;
        let Some(id) = projects::find(conn, &examined.project)? else {
            return Err(failed(format!("nothing is stored for {shown}"))
                .hint("`memctl project list` lists the projects"));
        };
        let own_key = claimed.keys.last().cloned().unwrap_or_default();
        let keys = places::keys_of(&own_key, &claimed.root);
        if projects::is_alone(conn, id, &keys)? {
            return Ok(None);
        }
        project_changes::unlink(conn, &claimed, id).context("database").map(Some)
    })?;
    match planned {
        true => Ok(()),
        false => unchanged(how, &format!("{shown} is a project of its own already")),
    }
}

fn unchanged(how: &How, why: &str) -> Result<()> {
    match how.json {
        true => crate::ctl::print_json(&serde_json::Value::Null),
        false => crate::ctl::print(&format!("{why}\n")),
    }
}

fn valid_name(name: &str) -> Result<String> {
    let name = collapse_spaces(&sanitize(name));
    match name.chars().count() {
        0 => Err(usage("the name is empty")),
        n if n > MAX_NAME => Err(usage(format!("a name has at most {MAX_NAME} characters"))),
        _ => Ok(name),
    }
}

fn carry_out(
    settings: &Settings,
    how: &How,
    mut plan: impl FnMut(&Connection) -> Result<Change>,
) -> Result<()> {
    plan_or_done(settings, how, |conn| plan(conn).map(Some)).map(drop)
}

/// Plans a change, makes it unless it is a dry run, and tells it. `None` of the plan: it is made already.
/// Returns whether there was a change.
fn plan_or_done(
    settings: &Settings,
    how: &How,
    plan: impl FnOnce(&Connection) -> Result<Option<Change>>,
) -> Result<bool> {
    let mut store = open::to_change(settings)?;
    if !how.dry_run {
        rows::complete(&mut store)?;
    }
    let now = clock::now_ms();
    let progress = Progress::new("changing the project");
    // No worker writes between the plan and the change.
    let done = store.locked(|locked| {
        let planned = plan(locked.connection());
        let Ok(Some(change)) = planned else { return Ok(planned.map(|_| None)) };
        let what = report::sentence(locked.connection(), &change, Tense::Would);
        if how.dry_run {
            return Ok(what.map(|what| Some((change, None, what))));
        }
        let id = locked.write(|tx| {
            let id = project_changes::apply(tx, change, now)?;
            testpoint::at("project.changing");
            Ok(id)
        })?;
        testpoint::at("project.changed");
        let made = project_changes::get(locked.connection(), id)?;
        let Some(made) = made else { return Ok(Ok(None)) };
        let what = report::sentence(locked.connection(), &made.change, Tense::Done);
        Ok(what.map(|what| Some((made.change, Some(id), what))))
    });
    drop(progress);
    let Some((change, id, what)) = done?? else { return Ok(false) };
    if !how.dry_run {
        rows::complete(&mut store)?;
        pauses::follow(settings, store.connection(), &change)?;
    }
    if how.json {
        let told = Told { change: &change, id, what, undone: false, stays: 0 };
        return crate::ctl::print_json(&report::object(&told, how)).map(|()| true);
    }
    let amounts = report::amounts(&change);
    let undo = id.map_or(String::new(), |id| format!("Undo: memctl project undo {id}\n"));
    let keys = if how.dry_run { report::keys(&change) } else { String::new() };
    crate::ctl::print(&format!("{what}{amounts}\n{keys}{undo}"))?;
    let has_left = change.kind == project_changes::Kind::Split && change.counts().keys == 0;
    if has_left && change.new.is_some() && change.counts().sessions > 0 {
        crate::ctl::note("no directory leaves the project: later sessions there stay with it");
    }
    Ok(true)
}
