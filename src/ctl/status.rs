//! `memctl status`: what is stored, what is queued and what needs attention.

use memctl_proto::event::Project;
use serde_json::json;

use super::READ_TIMEOUT;
use super::client_hooks::{self, HookStatus};
use super::format::{self, count, short};
use super::health::verdict::Verdict;
use super::health::{self, Depth, Finding, Level, workers};
use super::lookup::has_several_clients;
use super::style::{self, BAD, CAUTION, GOOD, HEAD, ID, paint};
use super::table::{self, Cell, Column, column};
use super::terminal::{self, wrapped};
use crate::agent::deferral;
use crate::clock;
use crate::config::Settings;
use crate::failure::Result;
use crate::project;
use crate::project::recording;
use crate::store::deferrals::{self, Waiting};
use crate::store::sessions::Session;
use crate::store::{self, Reader, StoreCounts, claims, projects, queue_admin, sessions};
use crate::text::escape;

const HELP: &str = "\
Examples
  memctl status                       Show the state of this data dir
  memctl status --json | jq .queue    Print only the queue counts

Keys of --json
  data_dir      Path of the data dir
  project       Project name of the current directory
  hooks         installed, twice, disabled or missing
  verdict       Whether sessions in the current directory are recorded, and whether a check failed
  healthy       true if no check failed; notes do not count
  recording     on, or why sessions here are not recorded: paused, disabled, excluded, unmarked, fault, hooks (not installed) or data (the data dir cannot be used)
  recording_reason  The same as a sentence; null if recording is on
  sessions      Number of sessions, all projects; null if the database cannot be read
  observations  Number of observations, all projects
  summaries     Number of summaries, all projects
  queue         pending, processing, failed, and waiting, an array: for (backend or budget), events, reason, not_before_epoch
  workers       live, hung, stale, elsewhere
  troubles      Problems and notes, one sentence each
";

/// Show what is stored, what is queued and what needs attention
///
/// Exits with 0 even if it reports problems. `memctl doctor` prints every check, and reads every page
/// of a database above 16 MiB.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

const RECENT: [Column; 5] =
    [column("").cut(15), column(""), column("").cut(6), column("").dispensable(1), column("")];

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let here = std::env::current_dir().unwrap_or_default();
    let project = project::identify(&here);
    let found = health::run(settings, Depth::Quick);
    let verdict = Verdict::of(&found);
    let not_recorded = recording::not_recorded(&[&here], &settings.config.recording);
    let hooks = client_hooks::status(settings);
    // The findings say why the database cannot be read.
    let stored = match health::memory_is_hidden(settings, &found) {
        true => Err(()),
        false => read(settings, &project).map_err(|_| ()),
    };
    if args.json {
        let content = stored.as_ref().ok();
        let counts = content.map(|content| content.counts);
        let queue = content.map(|Content { queue, waiting, .. }| {
            json!({
                "pending": queue.pending, "processing": queue.processing, "failed": queue.failed,
                "waiting": waiting.iter().map(waiting_row).collect::<Vec<_>>(),
            })
        });
        let is_bad = |finding: &&Finding| finding.level != Level::Ok;
        let (recording, recording_reason) = match (&not_recorded, verdict.obstacle()) {
            (Some(why), _) => (why.name(), Some(format!("{why}; {}", why.fix()))),
            (None, Some(finding)) => (finding.check, Some(finding.sentence())),
            (None, None) => ("on", None),
        };
        return super::print_json(&json!({
            "data_dir": settings.paths.data(), "project": project.name, "hooks": hooks.name(),
            "verdict": verdict.sentence(), "healthy": verdict.failures == 0,
            "recording": recording,
            "recording_reason": recording_reason,
            "sessions": counts.map(|counts| counts.sessions),
            "observations": counts.map(|counts| counts.observations),
            "summaries": counts.map(|counts| counts.summaries),
            "queue": queue, "workers": workers::probe_all(settings),
            "troubles": found.iter().filter(is_bad).map(Finding::sentence).collect::<Vec<_>>(),
        }));
    }
    let width = terminal::width();
    let mut out = format!("{}\n", verdict.text_and_fix(width));
    match &stored {
        Err(()) => {
            let data_dir = settings.paths.data().display();
            let text = format!("what {data_dir} holds cannot be read");
            out.push_str(&wrapped("", 0, &text, width));
        }
        Ok(content) if !content.exists && settings.paths.database().exists() => {
            out.push_str("an older release has stored a memory\n");
        }
        Ok(content) if !content.exists => out.push_str("nothing is stored yet\n"),
        Ok(content) => {
            out.push_str(&overall(settings, content, hooks));
            out.push_str(&latest_sessions(&project.name, &content.recent));
        }
    }
    let others = verdict.others(&found, width);
    if !others.is_empty() {
        out.push_str(&format!("\n{others}"));
    }
    super::print(&out)
}

fn waiting_row(waiting: &Waiting) -> serde_json::Value {
    json!({
        "for": waiting.waits_for.as_deref().map(deferral::name), "events": waiting.events,
        "reason": waiting.reason, "not_before_epoch": waiting.until,
    })
}

/// What the database holds.
#[derive(Default)]
struct Content {
    /// There is a database.
    exists: bool,
    counts: StoreCounts,
    queue: queue_admin::Counts,
    waiting: Vec<Waiting>,
    /// The latest sessions of the project in the current directory.
    recent: Vec<Session>,
}

fn read(settings: &Settings, project: &Project) -> store::Result<Content> {
    let Some(reader) = Reader::open(&settings.paths, READ_TIMEOUT)? else {
        return Ok(Content::default());
    };
    let conn = reader.connection();
    let examined = claims::examine(conn, project)?;
    let recent = match projects::find(conn, &examined.project)? {
        Some(id) => {
            let of_project = sessions::Filter { project_id: Some(id), told: true, active: false };
            sessions::list(conn, of_project, 5)?
        }
        None => Vec::new(),
    };
    let queue = queue_admin::counts(conn, None)?;
    let waiting = deferrals::waiting(conn, clock::now_ms())?;
    Ok(Content { exists: true, counts: store::counts(conn)?, queue, waiting, recent })
}

fn overall(settings: &Settings, content: &Content, hooks: HookStatus) -> String {
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
    let Content { counts, queue, .. } = content;
    let workers = workers::probe_all(settings);
    format!(
        "data dir  {}\nstored    {}, {}, {}\nqueue     {} pending, {} processing, {}\n\
         workers   {} live, {}, {} stale{}\nhooks     {hooks}\n",
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
        if workers.elsewhere > 0 {
            format!(", {} elsewhere", workers.elsewhere)
        } else {
            String::new()
        },
    )
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
            s.client.as_str().into(),
            Cell::painted(format::status(s), style::of_state(format::status(s))),
            format!("{} ago", format::age(s.last_event_epoch, now)).into(),
            count(s.prompts as u64, "prompt").into(),
        ]
    };
    let rows: Vec<[Cell; 5]> = recent.iter().map(row).collect();
    let mut columns = RECENT;
    columns[1] = columns[1].only_if(has_several_clients(recent.iter().map(|s| s.client.as_str())));
    let table = table::table(&columns, &rows, width);
    let heading = paint(&format!("Latest sessions of {project}"), HEAD);
    // All column heads are empty, so the table starts with the line break that ends the heading.
    format!("\n{heading}{table}")
}
