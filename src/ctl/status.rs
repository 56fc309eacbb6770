//! `memctl status`: what is remembered of this project, what waits, and what went wrong.

use serde_json::json;

use super::client_hooks::{self, HookStatus};
use super::format::{self, count, short};
use super::health::workers::Workers;
use super::health::{self, Finding, Level, database, files, workers};
use super::style::{self, BAD, GOOD, HEAD, ID, PASSING, paint};
use super::table::{self, Cell, Column, column};
use super::terminal::{self, wrapped};
use super::{PATIENCE, overview, probe_store};
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed};
use crate::project;
use crate::store::sessions::Session;
use crate::store::{Reader, StoreCounts, projects, queue_admin, sessions};

const HELP: &str = "\
Examples
  memctl status                       does it work, and what is there
  memctl status --json | jq .queue    the same for programs

Keys of --json
  data_dir  where the memory lies
  project  name of this directory's project
  hooks  installed, twice, disabled or missing
  sessions  how many are remembered, of all projects; so observations and summaries
  queue  pending, processing, failed
  workers  live, hung, stale
  troubles  sentences, none when all is well
";

/// Say what is remembered of this project and whether all is well
///
/// Exits with 0 also when something is wrong: it says what, and what to do.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print an object
    #[arg(long)]
    json: bool,
}

const RECENT: [Column; 4] =
    [column("").cut(15), column("").cut(6), column("").dispensable(1), column("")];

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let here = std::env::current_dir().context("this directory")?;
    let project = project::identify(&here);
    let held = probe_store(settings).map_err(|e| {
        failed(format!("the memory cannot be read: {e}"))
            .hint(format!("it lies in {}", settings.paths.data().display()))
    })?;
    let workers = workers::ask(settings);
    let hooks = client_hooks::status(settings);
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
        troubles.extend(database::log(conn).context("database")?);
        troubles.extend(database::notices(conn).context("database")?);
    }
    if hooks == HookStatus::Twice {
        troubles.push(health::hooks_twice());
    }
    troubles.extend(files::spool(settings));
    troubles.extend(files::sockets(settings));
    troubles.extend(workers::hung(&workers));
    troubles.retain(|finding| finding.level != Level::Ok);
    let troubles: Vec<String> = troubles.iter().map(Finding::sentence).collect();
    if args.json {
        return super::print_json(&json!({
            "data_dir": settings.paths.data(), "project": project.name, "hooks": hooks.name(),
            "sessions": held.as_ref().map_or(0, |h| h.sessions),
            "observations": held.as_ref().map_or(0, |h| h.observations),
            "summaries": held.as_ref().map_or(0, |h| h.summaries),
            "queue": {"pending": queue.pending, "processing": queue.processing, "failed": queue.failed},
            "workers": workers, "troubles": troubles,
        }));
    }
    let mut out = match &held {
        None => "nothing remembered yet\n".to_owned(),
        Some(held) => figures(settings, held, queue, &workers, hooks),
    };
    if held.is_some() {
        out.push_str(&latest(&project.name, &recent));
    }
    if matches!(hooks, HookStatus::Missing | HookStatus::Disabled) {
        out.push_str(&format!("\n{}", overview::remedy(hooks)));
    }
    for (n, trouble) in troubles.iter().enumerate() {
        let gap = if n == 0 { "\n" } else { "" };
        let first = format!("{} ", paint("trouble:", BAD));
        out.push_str(&format!("{gap}{}", wrapped(&first, 9, trouble, terminal::width())));
    }
    super::print(&out)
}

fn figures(
    settings: &Settings,
    held: &StoreCounts,
    queue: queue_admin::Counts,
    workers: &Workers,
    hooks: HookStatus,
) -> String {
    // A number that should be none.
    let bad = |n: u64, word: &str| {
        let text = format!("{n} {word}");
        if n == 0 { text } else { paint(&text, BAD) }
    };
    let hooks = match hooks {
        HookStatus::Installed => paint("installed", GOOD),
        HookStatus::Twice => paint("installed twice", PASSING),
        HookStatus::Disabled => paint("disabled", PASSING),
        HookStatus::Missing => paint("not in Claude Code's settings", PASSING),
    };
    format!(
        "data      {}\nmemory    {}, {}, {}\nqueue     {} waiting, {} in hand, {}\n\
         workers   {} live, {}, {} stale\nhooks     {hooks}\n",
        settings.paths.data().display(),
        count(held.sessions, "session"),
        count(held.observations, "observation"),
        format::summaries(held.summaries),
        queue.pending,
        queue.processing,
        bad(queue.failed, "failed"),
        workers.live,
        bad(workers.hung, "hung"),
        workers.stale,
    )
}

fn latest(project: &str, recent: &[Session]) -> String {
    if recent.is_empty() {
        return format!("\nNothing is remembered of {project} yet.\n");
    }
    let now = clock::now_ms();
    let width = terminal::width();
    let ids: Vec<&str> = recent.iter().map(|s| s.content_session_id.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let row = |s: &Session| {
        [
            Cell::painted(format!("  {}", short(&s.content_session_id, id_length)), ID),
            Cell::painted(s.status.clone(), style::of_state(&s.status)),
            format!("{} ago", format::age(s.last_event_epoch, now)).into(),
            count(s.prompts as u64, "prompt").into(),
        ]
    };
    let rows: Vec<[Cell; 4]> = recent.iter().map(row).collect();
    let table = table::table(&RECENT, &rows, width);
    let heading = paint(&format!("Latest sessions of {project}"), HEAD);
    // The heads are empty, so the table begins with the end of a line.
    format!("\n{heading}{table}")
}
