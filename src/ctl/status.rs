//! `memctl status`: what is stored, what is queued and what needs attention.

use serde_json::json;

use super::client_hooks::{self, HookStatus};
use super::format::{self, count, short};
use super::health::workers::Workers;
use super::health::{self, Finding, Level, database, files, workers};
use super::style::{self, BAD, CAUTION, GOOD, HEAD, ID, paint};
use super::table::{self, Cell, Column, column};
use super::terminal::{self, wrapped};
use super::{READ_TIMEOUT, count_store, overview};
use crate::agent::deferral;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed};
use crate::project;
use crate::project::recording::{self, NotRecorded};
use crate::store::deferrals::{self, Waiting};
use crate::store::sessions::Session;
use crate::store::{Reader, StoreCounts, claims, projects, queue_admin, sessions};
use crate::text::escape;

const HELP: &str = "\
Examples
  memctl status                       Show the state of this data dir
  memctl status --json | jq .queue    Print only the queue counts

Keys of --json
  data_dir      Path of the data dir
  project       Project name of the current directory
  hooks         installed, twice, disabled or missing
  recording     on, or why sessions here are not recorded: paused, disabled, excluded, unmarked, fault
  recording_reason  The same as a sentence; null if recording is on
  sessions      Number of sessions, all projects
  observations  Number of observations, all projects
  summaries     Number of summaries, all projects
  queue         pending, processing, failed, and waiting, an array: for (backend or budget), events,
                reason, not_before_epoch
  workers       live, hung, stale
  troubles      Problems, one sentence each
";

/// Show what is stored, what is queued and what needs attention
///
/// Exits with 0 even if it reports problems. `memctl doctor` runs more checks.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

const RECENT: [Column; 4] =
    [column("").cut(15), column("").cut(6), column("").dispensable(1), column("")];

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let here = std::env::current_dir().context("current directory")?;
    let project = project::identify(&here);
    let counts = count_store(settings).map_err(|e| {
        let path = settings.paths.database();
        failed(format!("cannot read {path}: {e}")).hint("run `memctl doctor`")
    })?;
    let not_recorded = recording::not_recorded(&[&here], &settings.config.recording);
    let workers = workers::probe_all(settings);
    let hooks = client_hooks::status(settings);
    let reader = Reader::open(&settings.paths, READ_TIMEOUT).context("database")?;
    let mut problems = Vec::new();
    let mut recent = Vec::new();
    let mut queue = queue_admin::Counts::default();
    let mut waiting = Vec::new();
    if let Some(reader) = &reader {
        let conn = reader.connection();
        queue = queue_admin::counts(conn, None).context("database")?;
        waiting = deferrals::waiting(conn, clock::now_ms()).context("database")?;
        problems.extend(waiting.iter().map(database::waiting));
        let examined = claims::examine(conn, &project).context("database")?;
        if let Some(refused) = examined.refused.filter(|refused| !refused.separated) {
            problems.push(Finding::note("project", refused.sentence(&project.root)));
        }
        if let Some(id) = projects::find(conn, &examined.project).context("database")? {
            let of_project = sessions::Filter { project_id: Some(id), active: false };
            recent = sessions::list(conn, of_project, 5).context("database")?;
        }
        problems.extend(database::journal(conn).context("database")?);
        problems.extend(database::notices(conn).context("database")?);
    }
    if hooks == HookStatus::Twice {
        problems.push(health::hooks_twice());
    }
    problems.extend(health::recording::omissions(settings, Some(&here)));
    problems.extend(files::spool(settings));
    problems.extend(files::sockets(settings));
    problems.extend(workers::hung(&workers));
    problems.retain(|finding| finding.level != Level::Ok);
    let problems: Vec<String> = problems.iter().map(Finding::sentence).collect();
    if args.json {
        return super::print_json(&json!({
            "data_dir": settings.paths.data(), "project": project.name, "hooks": hooks.name(),
            "recording": not_recorded.as_ref().map_or("on", NotRecorded::name),
            "recording_reason": not_recorded.as_ref().map(|why| format!("{why}; {}", why.fix())),
            "sessions": counts.as_ref().map_or(0, |c| c.sessions),
            "observations": counts.as_ref().map_or(0, |c| c.observations),
            "summaries": counts.as_ref().map_or(0, |c| c.summaries),
            "queue": {
                "pending": queue.pending, "processing": queue.processing, "failed": queue.failed,
                "waiting": waiting.iter().map(waiting_row).collect::<Vec<_>>(),
            },
            "workers": workers, "troubles": problems,
        }));
    }
    let mut out = match &counts {
        None => "nothing is stored yet\n".to_owned(),
        Some(counts) => overall(settings, counts, queue, &workers, hooks),
    };
    out.push_str(&recording_line(not_recorded.as_ref()));
    if counts.is_some() {
        out.push_str(&latest_sessions(&project.name, &recent));
    }
    if matches!(hooks, HookStatus::Missing | HookStatus::Disabled) {
        out.push_str(&format!("\n{}", overview::install_help(hooks)));
    }
    for (n, problem) in problems.iter().enumerate() {
        let gap = if n == 0 { "\n" } else { "" };
        let first = format!("{} ", paint("problem:", BAD));
        out.push_str(&format!("{gap}{}", wrapped(&first, 9, &escape(problem), terminal::width())));
    }
    super::print(&out)
}

fn waiting_row(waiting: &Waiting) -> serde_json::Value {
    json!({
        "for": waiting.waits_for.as_deref().map(deferral::name), "events": waiting.events,
        "reason": waiting.reason, "not_before_epoch": waiting.until,
    })
}

fn overall(
    settings: &Settings,
    counts: &StoreCounts,
    queue: queue_admin::Counts,
    workers: &Workers,
    hooks: HookStatus,
) -> String {
    // Red unless zero.
    let bad = |n: u64, noun: &str| {
        let text = format!("{n} {noun}");
        if n == 0 { text } else { paint(&text, BAD) }
    };
    let hooks = match hooks {
        HookStatus::Installed => paint("installed", GOOD),
        HookStatus::Twice => paint("installed twice", CAUTION),
        HookStatus::Disabled => paint("disabled", CAUTION),
        HookStatus::Missing => paint("not installed", CAUTION),
    };
    format!(
        "data dir  {}\nstored    {}, {}, {}\nqueue     {} pending, {} processing, {}\n\
         workers   {} live, {}, {} stale\nhooks     {hooks}\n",
        settings.paths.data().display(),
        count(counts.sessions, "session"),
        count(counts.observations, "observation"),
        format::summaries(counts.summaries),
        queue.pending,
        queue.processing,
        bad(queue.failed, "failed"),
        workers.live,
        bad(workers.hung, "hung"),
        workers.stale,
    )
}

/// Whether sessions of this directory are recorded.
fn recording_line(not_recorded: Option<&NotRecorded>) -> String {
    match not_recorded {
        None => format!("recording {}\n", paint("on", GOOD)),
        Some(why) => {
            let first = format!("recording {} ", paint("off:", CAUTION));
            wrapped(&first, 15, &format!("{why}; {}", why.fix()), terminal::width())
        }
    }
}

fn latest_sessions(project: &str, recent: &[Session]) -> String {
    let project = escape(project);
    if recent.is_empty() {
        return format!("\nNothing is stored for project {project} yet.\n");
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
    // All column heads are empty, so the table starts with the line break that ends the heading.
    format!("\n{heading}{table}")
}
