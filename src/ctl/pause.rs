//! `memctl pause` and `memctl unpause`: switch recording off and on again.

use std::path::Path;
use std::time::Duration;

use memctl_proto::event::Project;

use super::lookup;
use super::time::duration;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::project;
use crate::project::pause::Pauses;
use crate::project::recording::{self, NotRecorded};
use crate::store::{Reader, claims, projects};

const PAUSE_HELP: &str = "\
Examples
  memctl pause                       Record nothing until `memctl unpause`
  memctl pause --for 2h              Record nothing for two hours
  memctl pause --project --for 1d    Do not record this project for a day

Other ways not to record
  MEMCTL_DISABLE=1        In the environment: for the sessions that you start there
  exclude                 A setting: projects that are never recorded
  capture.mode = marked   A setting: only projects with a .memctl file are recorded
";

/// Stop recording, in every project or in this one
///
/// From now on, sessions leave no trace and receive no context, also those that are running. Memories
/// of earlier sessions stay; `memctl forget` deletes them. Each new session starts with a notice, and
/// `memctl status` shows the pause. It applies to every data dir.
#[derive(clap::Args)]
#[command(after_long_help = PAUSE_HELP)]
pub struct PauseArgs {
    /// Pause only the project of the current directory, with all of its clones and work trees
    #[arg(long)]
    project: bool,
    /// Record again after this time, e.g. 30min, 2h or 1d [default: until `memctl unpause`]
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
}

const UNPAUSE_HELP: &str = "\
Examples
  memctl unpause              End the pause of all projects
  memctl unpause --project    End the pause of this project
";

/// Record again after `memctl pause`
#[derive(clap::Args)]
#[command(after_long_help = UNPAUSE_HELP)]
pub struct UnpauseArgs {
    /// End the pause of the project of the current directory
    #[arg(long)]
    project: bool,
}

pub fn pause(settings: &Settings, args: &PauseArgs) -> Result<()> {
    let now = clock::now_ms();
    let until = match &args.time {
        Some(text) => Some(end(text, now)?),
        None => None,
    };
    let (file, here) = (file(settings)?, lookup::here()?);
    let project = args.project.then(|| with_all_keys(settings, project::identify(&here)));
    let mut pauses = Pauses::read(file).or_else(|why| {
        crate::ctl::warn(&format!("{why}; replacing it"));
        Ok::<_, crate::failure::Failure>(Pauses::default())
    })?;
    pauses.pause(project.as_ref(), until, now);
    pauses.write(file).context(file.display())?;
    let paused = match project {
        None => NotRecorded::Paused(until),
        Some(project) => NotRecorded::ProjectPaused { project: project.name, until },
    };
    crate::ctl::print(&format!("{paused}\n"))?;
    crate::ctl::hint(&paused.fix());
    Ok(())
}

pub fn unpause(settings: &Settings, args: &UnpauseArgs) -> Result<()> {
    let (file, here) = (file(settings)?, lookup::here()?);
    let project = args.project.then(|| project::identify(&here));
    let was_paused = match Pauses::read(file) {
        Ok(mut pauses) => {
            let was_paused = pauses.unpause(project.as_ref(), clock::now_ms());
            pauses.write(file).context(file.display())?;
            was_paused
        }
        // Nothing is recorded while the file cannot be read.
        Err(_) => {
            Pauses::default().write(file).context(file.display())?;
            true
        }
    };
    crate::ctl::print(match (was_paused, args.project) {
        (true, false) => "the pause is over\n",
        (true, true) => "the pause of this project is over\n",
        (false, false) => "recording was not paused\n",
        (false, true) => "this project was not paused\n",
    })?;
    if let Some(why) = recording::not_recorded(&[&here], &settings.config.recording) {
        crate::ctl::note(&why.to_string());
        crate::ctl::hint(&why.fix());
    }
    Ok(())
}

/// The project with the keys of all directories that share its memory. Without a database that can be
/// read, the pause covers what the directory names.
fn with_all_keys(settings: &Settings, project: Project) -> Project {
    let known = || -> Option<Vec<String>> {
        settings.paths.check().ok()?;
        let reader = Reader::open(&settings.paths, crate::ctl::READ_TIMEOUT).ok()??;
        let conn = reader.connection();
        let examined = claims::examine(conn, &project).ok()?.project;
        let id = projects::find(conn, &examined).ok()??;
        Some(projects::get(conn, id).ok()?.keys)
    };
    let mut keys = project.keys.clone();
    keys.extend(known().unwrap_or_default().into_iter().filter(|key| !project.keys.contains(key)));
    Project { keys, ..project }
}

/// The end of a pause that begins now.
fn end(text: &str, now: i64) -> Result<i64> {
    let time = duration(text).and_then(|time| match time {
        Duration::ZERO => Err("a pause has to last"),
        time => Ok(time.as_millis() as i64),
    });
    time.map(|time| now + time).map_err(|why| {
        usage(format!("invalid time '{text}' for --for: {why}"))
            .hint("use a time such as 30min, 2h or 1d")
    })
}

fn file(settings: &Settings) -> Result<&Path> {
    settings
        .config
        .recording
        .pauses
        .as_deref()
        .ok_or_else(|| failed("no location for the state of the pause").hint("set HOME"))
}
