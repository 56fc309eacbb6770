//! `memctl queue`: lists queued events. [`change`] has the verbs that modify them.

mod change;

use serde::Serialize;
use serde_json::json;

use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{self, count, or_dash, short};
use crate::ctl::style::{self, ID};
use crate::ctl::table::{Cell, Column, column, table};
use crate::ctl::{lookup, open, terminal};
use crate::failure::Result;
use crate::spool::dead_letters;
use crate::store::queue_admin::{self, Item};
use crate::text::sanitize;
use change::Change;

const HELP: &str = "\
Examples
  memctl queue                List failed, processing and pending events
  memctl queue 6f2b9c54       List the events of one session
  memctl queue --stuck        List events that have been unfinished for too long
  memctl queue retry --all    Try failed and waiting events again
  memctl queue retry --all --older-than 1d    Try those again that are older than a day

Keys of --json
  pending     Number of events that wait
  processing  Number of events that a worker has claimed
  failed      Number of events that could not be distilled
  aborted     Number of events that you gave up
  processed   Number of events that are done
  dead_letters  Number of spooled files that could not be taken in
  items       One object per event: id, session, client, project, event, tool, prompt, \
status, retries, claims, not_before_epoch, error, created_at_epoch
";

const COLUMNS: [Column; 9] = [
    column("ID").right(),
    column("CLIENT").cut(6),
    column("SESSION").cut(13).dispensable(1),
    column("PROJECT").cut(7).dispensable(3),
    column("EVENT").cut(8),
    column("TOOL").cut(6).dispensable(2),
    column("STATUS"),
    column("AGE").right(),
    column("WHY").cut(12),
];

/// Show and change the queue of undistilled events
///
/// Events wait in the queue until the memory agent distills them. A processed event loses its text
/// and keeps its id, so that it is never accepted twice.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    change: Option<Change>,
    /// Only events of this session: its id or a prefix of it, or CLIENT:ID
    session: Option<String>,
    /// Only events older than queue.stuck
    #[arg(long, conflicts_with = "recent")]
    stuck: bool,
    /// The latest processed events
    #[arg(long)]
    recent: bool,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// A queued event without its texts. The keys are stable.
#[derive(Serialize)]
struct Row {
    id: i64,
    session: String,
    client: String,
    project: Option<String>,
    event: String,
    tool: Option<String>,
    prompt: i64,
    status: String,
    retries: i64,
    claims: i64,
    not_before_epoch: Option<i64>,
    error: Option<String>,
    created_at_epoch: i64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if let Some(change) = &args.change {
        return change::run(settings, change);
    }
    let Some(reader) = open::reader(settings)? else {
        return print_empty(args, dead_letters::count(&settings.paths));
    };
    let conn = reader.connection();
    let session = match &args.session {
        None => None,
        Some(prefix) => Some(lookup::session(conn, prefix)?.id),
    };
    let now = clock::now_ms();
    let counts = queue_admin::counts(conn, session)?;
    let items = if args.recent {
        queue_admin::recent(conn, session, args.limit)
    } else if args.stuck {
        let before = now - settings.config.queue.stuck.as_millis() as i64;
        queue_admin::stuck(conn, session, before, args.limit)
    } else {
        queue_admin::open_items(conn, session, args.limit)
    }?;
    let dead_letters = dead_letters::count(&settings.paths);
    if args.json {
        let rows: Vec<Row> = items.into_iter().map(row).collect();
        return crate::ctl::print_json(&json!({
            "pending": counts.pending, "processing": counts.processing,
            "processed": counts.processed, "failed": counts.failed, "aborted": counts.aborted,
            "dead_letters": dead_letters, "items": rows,
        }));
    }
    let aborted = match counts.aborted {
        0 => String::new(),
        n => format!("{n} aborted, "),
    };
    let mut out = format!(
        "{} pending, {} processing, {} failed, {aborted}{} processed\n",
        counts.pending, counts.processing, counts.failed, counts.processed
    );
    out.push_str(&dead_letters_line(dead_letters));
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&queue_table(&items, now));
    }
    crate::ctl::print(&out)?;
    if items.len() == args.limit {
        crate::ctl::note(&format!(
            "only {} shown; use --limit to see more",
            count(args.limit as u64, "row")
        ));
    }
    Ok(())
}

fn queue_table(items: &[Item], now: i64) -> String {
    let width = terminal::width();
    let ids: Vec<&str> = items.iter().map(|i| i.content_session_id.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let cells = |item: &Item| -> [Cell; 9] {
        [
            item.id.to_string().into(),
            or_dash(&item.client).into(),
            Cell::painted(short(&item.content_session_id, id_length), ID),
            or_dash(item.project.as_deref().unwrap_or_default()).into(),
            item.event.as_str().into(),
            sanitize(or_dash(item.tool_name.as_deref().unwrap_or_default())).into(),
            Cell::painted(item.shown_status(), style::of_state(&item.status)),
            format::age(item.created_at_epoch, now).into(),
            sanitize(item.error.as_deref().unwrap_or_default()).into(),
        ]
    };
    let mut columns = COLUMNS;
    let clients = items.iter().map(|item| item.client.as_str());
    columns[1] = columns[1].only_if(lookup::has_several_clients(clients));
    let rows: Vec<[Cell; 9]> = items.iter().map(cells).collect();
    table(&columns, &rows, width)
}

fn print_empty(args: &Args, dead_letters: u64) -> Result<()> {
    if args.json {
        return crate::ctl::print_json(&json!({
            "pending": 0, "processing": 0, "processed": 0, "failed": 0, "aborted": 0,
            "dead_letters": dead_letters, "items": [],
        }));
    }
    let letters = dead_letters_line(dead_letters);
    crate::ctl::print(&format!("the queue is empty: nothing is stored yet\n{letters}"))
}

fn dead_letters_line(n: u64) -> String {
    match n {
        0 => String::new(),
        n => {
            let files = count(n, "spooled file");
            format!("{files} not taken in; `memctl queue retry --dead-letters` tries again\n")
        }
    }
}

fn row(item: Item) -> Row {
    Row {
        id: item.id,
        session: item.content_session_id,
        client: item.client,
        project: item.project,
        event: item.event,
        tool: item.tool_name,
        prompt: item.prompt_number,
        status: item.status,
        retries: item.retry_count,
        claims: item.claims,
        not_before_epoch: item.not_before_epoch,
        error: item.error,
        created_at_epoch: item.created_at_epoch,
    }
}
