//! `memctl project show`.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use super::report::{self, Tense};
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{self, age, bytes, count, or_dash};
use crate::ctl::style::{HEAD, paint};
use crate::ctl::terminal::{self, wrapped};
use crate::ctl::{lookup, open};
use crate::failure::{Result, failed};
use crate::project::recording::{NotRecorded, not_recorded};
use crate::store::look_alikes::{self, LookAlike};
use crate::store::project_changes::{self, Stored};
use crate::store::project_overview::{self, Overview};
use crate::store::projects;
use crate::text::escape;
use memctl_proto::event::Project;

/// How many changes are listed.
const MAX_CHANGES: usize = 5;

/// Column of the values.
const INDENT: usize = 13;

/// What is told of a project.
struct Shown {
    project: Project,
    overview: Overview,
    directories: Vec<(PathBuf, bool)>,
    not_recorded: Option<NotRecorded>,
    look_alikes: Vec<LookAlike>,
    /// Each with its sentence.
    changes: Vec<(Stored, String)>,
}

pub fn run(settings: &Settings, name: Option<&str>, as_json: bool) -> Result<()> {
    let reader = open::reader(settings)?;
    let Some(reader) = reader else {
        return Err(open::nothing_stored(settings));
    };
    let conn = reader.connection();
    let id = lookup::project_or_here(conn, name)?.ok_or_else(|| {
        failed("nothing is stored for this directory")
            .hint("`memctl project list` lists the projects")
    })?;
    let shown = load(settings, conn, id)?;
    match as_json {
        true => crate::ctl::print_json(&shown.object()),
        false => crate::ctl::print(&shown.text()),
    }
}

fn load(settings: &Settings, conn: &Connection, id: i64) -> Result<Shown> {
    let project = projects::get(conn, id)?;
    let dirs = projects::dirs(conn, id)?;
    let mut directories: Vec<(PathBuf, bool)> = Vec::new();
    for dir in dirs {
        // The key of a repository names its git directory.
        let place = match dir.file_name() {
            Some(name) if name == ".git" => dir.parent().map_or(dir.clone(), Path::to_owned),
            _ => dir,
        };
        let exists = place.is_dir();
        if !directories.iter().any(|(known, _)| *known == place) {
            directories.push((place, exists));
        }
    }
    let root = Path::new(&project.root);
    let rules = &settings.config.recording;
    let not_recorded = match project.root.is_empty() {
        true => None,
        false => not_recorded(&[root], rules),
    };
    let is_it = |it: &LookAlike| {
        it.root == project.root
            || it.dir == project.root
            || directories.iter().any(|(dir, _)| dir.as_path() == Path::new(&it.dir))
    };
    let mut look_alikes = look_alikes::pairs(conn)?;
    look_alikes.retain(is_it);
    let changes = project_changes::list(conn, Some(id))?;
    let changes = changes.into_iter().take(MAX_CHANGES).map(|stored| {
        let what = report::sentence(conn, &stored.change, Tense::Done)?;
        Ok((stored, what))
    });
    Ok(Shown {
        overview: project_overview::of(conn, id)?,
        changes: changes.collect::<Result<_>>()?,
        project,
        directories,
        not_recorded,
        look_alikes,
    })
}

impl Shown {
    fn object(&self) -> serde_json::Value {
        let Shown { project, overview, .. } = self;
        let directory = |(dir, exists): &(PathBuf, bool)| json!({"path": dir.display().to_string(), "exists": exists});
        let look_alike =
            |it: &LookAlike| json!({"sentence": it.sentence(), "command": it.command(false)});
        let change = |(stored, what): &(Stored, String)| {
            json!({
                "change": stored.id, "kind": stored.change.kind.as_str(), "what": what,
                "at_epoch": stored.at_epoch,
            })
        };
        json!({
            "name": project.name, "root": project.root, "keys": project.keys,
            "separate": overview.separate, "merged": overview.merged,
            "directories": self.directories.iter().map(directory).collect::<Vec<_>>(),
            "sessions": overview.sessions, "prompts": overview.prompts,
            "summaries": overview.summaries, "observations": overview.observations,
            "bytes": overview.bytes, "first_event_epoch": overview.first_event_epoch,
            "last_event_epoch": overview.last_event_epoch,
            "not_recorded": self.not_recorded.as_ref().map(NotRecorded::name),
            "look_alikes": self.look_alikes.iter().map(look_alike).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let Shown { project, overview: o, .. } = self;
        let (now, width) = (clock::now_ms(), terminal::width());
        let mut out = String::new();
        let mut line = |head: &str, text: &str| {
            let head = format!("{}{}", paint(head, HEAD), " ".repeat(INDENT - head.len()));
            out.push_str(&wrapped(&head, INDENT, text, width));
        };
        line("project", or_dash(&escape(&project.name)));
        for (dir, exists) in &self.directories {
            let gone = if *exists { "" } else { " (gone)" };
            line("directory", &format!("{}{gone}", escape(&dir.to_string_lossy())));
        }
        let other = project.keys.iter().filter(|key| !key.starts_with("dir:"));
        other.for_each(|key| line("key", &escape(key)));
        if o.separate {
            line("separate", "its directory does not join the project that it claims");
        }
        if !o.merged.is_empty() {
            line("merged", &escape(&o.merged.join(", ")));
        }
        let counts = [
            count(o.sessions, "session"),
            count(o.prompts, "prompt"),
            format::summaries(o.summaries),
            count(o.observations, "observation"),
        ];
        line("stored", &format!("{}; {} of text", counts.join(", "), bytes(o.bytes)));
        if let (Some(first), Some(last)) = (o.first_event_epoch, o.last_event_epoch) {
            let (first, last, ago) = (format::day(first), format::at(last), age(last, now));
            line("used", &format!("from {first} to {last} ({ago} ago)"));
        }
        match &self.not_recorded {
            None => line("recorded", "yes"),
            Some(why) => line("recorded", &format!("no: {why}; {}", why.fix())),
        }
        for it in &self.look_alikes {
            let (sentence, command) = (it.sentence(), it.command(false));
            line(
                "look-alike",
                &format!("{}; if they are one project, run `{command}`", escape(&sentence)),
            );
        }
        for (stored, what) in &self.changes {
            let (at, id) = (format::at(stored.at_epoch), stored.id);
            line("change", &format!("{at} {what}. Undo: memctl project undo {id}"));
        }
        out
    }
}
