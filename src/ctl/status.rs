//! `memctl status`: what is remembered of this project, what waits, and what went wrong.

use serde::Serialize;
use serde_json::json;

use super::words::{self, count, short};
use super::{PATIENCE, probe_store};
use crate::config::Settings;
use crate::deliver::probe::{self, Found};
use crate::failure::{Context, Result, failed};
use crate::project;
use crate::spool;
use crate::store::{Reader, notices, projects, queue_admin, sessions};

/// Exits 0 also when something is wrong: it says what.
#[derive(clap::Args)]
pub struct Args {
    /// Print an object: data_dir, project, sessions, observations, summaries, queue, workers,
    /// troubles
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Workers {
    live: u64,
    hung: u64,
    stale: u64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let here = std::env::current_dir().context("this directory")?;
    let project = project::identify(&here);
    let held = probe_store(settings).map_err(|e| {
        failed(format!("the memory cannot be read: {e}"))
            .hint(format!("it lies in {}", settings.paths.data().display()))
    })?;
    let workers = workers(settings);
    let reader = Reader::open(&settings.paths, PATIENCE).context("database")?;
    let mut troubles = Vec::new();
    let mut recent = Vec::new();
    let mut queue = queue_admin::Counts::default();
    if let Some(reader) = &reader {
        let conn = reader.connection();
        queue = queue_admin::counts(conn, None).context("database")?;
        if let Some(id) = projects::find(conn, &project).context("database")? {
            let of_project = sessions::Filter { project_id: Some(id), active: false };
            recent = sessions::list(conn, of_project, 5).context("database")?;
        }
        troubles.extend(notices::list(conn).context("database")?.into_iter().map(|(_, text)| text));
    }
    troubles.extend(troubles_of_files(settings));
    if workers.hung > 0 {
        troubles.push(format!("{} not answering: memctl ps", count(workers.hung, "worker")));
    }
    if args.json {
        return super::print_json(&json!({
            "data_dir": settings.paths.data(), "project": project.name,
            "sessions": held.as_ref().map_or(0, |h| h.sessions),
            "observations": held.as_ref().map_or(0, |h| h.observations),
            "summaries": held.as_ref().map_or(0, |h| h.summaries),
            "queue": {"pending": queue.pending, "processing": queue.processing, "failed": queue.failed},
            "workers": workers, "troubles": troubles,
        }));
    }
    let Some(held) = held else {
        return super::print("nothing remembered yet\n");
    };
    let mut out = format!(
        "data      {}\nmemory    {}, {}, {}\nqueue     {} waiting, {} in hand, {} failed\nworkers   {} live, {} hung, {} stale\n",
        settings.paths.data().display(),
        count(held.sessions, "session"),
        count(held.observations, "observation"),
        if held.summaries == 1 {
            "1 summary".into()
        } else {
            format!("{} summaries", held.summaries)
        },
        queue.pending,
        queue.processing,
        queue.failed,
        workers.live,
        workers.hung,
        workers.stale,
    );
    let now = words::now_ms();
    if recent.is_empty() {
        out.push_str(&format!("\nNothing is remembered of {} yet.\n", project.name));
    } else {
        out.push_str(&format!("\nLatest sessions of {}\n", project.name));
    }
    for session in &recent {
        out.push_str(&format!(
            "  {}  {}  {} ago  {}\n",
            short(&session.content_session_id, 13),
            session.status,
            words::age(session.last_event_epoch, now),
            count(session.prompts as u64, "prompt"),
        ));
    }
    for trouble in &troubles {
        out.push_str(&format!("\ntrouble: {trouble}"));
    }
    if !troubles.is_empty() {
        out.push('\n');
    }
    super::print(&out)
}

fn workers(settings: &Settings) -> Workers {
    let mut workers = Workers::default();
    for key in probe::keys(&settings.paths) {
        match probe::probe(&settings.paths, &key) {
            Found::Live { .. } => workers.live += 1,
            Found::Hung { .. } => workers.hung += 1,
            Found::Stale { .. } => workers.stale += 1,
            Found::Nothing => {}
        }
    }
    workers
}

fn troubles_of_files(settings: &Settings) -> Vec<String> {
    let mut troubles = Vec::new();
    let lost = spool::lost(&settings.paths);
    if lost > 0 {
        troubles.push(format!("{} lost: no place could be written", count(lost, "event")));
    }
    let dead = spool::dead(&settings.paths);
    if dead > 0 {
        let place = settings.paths.spool_dead();
        troubles.push(format!(
            "{} could not be read: {}",
            count(dead, "spooled file"),
            place.display()
        ));
    }
    if spool::second_place_in_use(&settings.paths) {
        troubles.push("the data dir could not be written: events wait beside the sockets".into());
    }
    troubles
}
