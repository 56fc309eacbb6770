//! `memctl queue`: what lies between hooks and memory.

use serde::Serialize;
use serde_json::json;

use super::table::{table, text};
use super::words::{self, count, short};
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::store::Reader;
use crate::store::queue_admin::{self, Item};
use crate::store::sessions::{self, Found};

/// Events wait here until they are distilled: failed ones first, then what is in hand, then what
/// waits. An event that is done keeps its id and loses its text.
#[derive(clap::Args)]
pub struct Args {
    /// Only of this session: its id, or the beginning of one
    session: Option<String>,
    /// Only what has waited longer than queue.stuck
    #[arg(long, conflicts_with = "recent")]
    stuck: bool,
    /// What was done last
    #[arg(long)]
    recent: bool,
    /// Most rows
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print an object: pending, processing, processed, failed, and items, an array of objects
    #[arg(long)]
    json: bool,
}

/// One message, never its texts. Keys are stable; more may come.
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
    let Some(reader) = Reader::open(&settings.paths, super::PATIENCE).context("database")? else {
        return nothing(args);
    };
    let conn = reader.connection();
    let session = match &args.session {
        None => None,
        Some(prefix) => match sessions::by_prefix(conn, prefix).context("database")? {
            Found::One(session) => Some(session.id),
            Found::Nothing => {
                return Err(failed(format!("no session begins with '{prefix}'"))
                    .hint("memctl status lists the latest"));
            }
            Found::Many(many) => {
                let ids: Vec<String> =
                    many.iter().map(|s| short(&s.content_session_id, 13)).collect();
                return Err(usage(format!(
                    "'{prefix}' is the beginning of several sessions: {}",
                    ids.join(", ")
                )));
            }
        },
    };
    let now = words::now_ms();
    let counts = queue_admin::counts(conn, session).context("database")?;
    let items = if args.recent {
        queue_admin::recent(conn, args.limit)
    } else if args.stuck {
        let before = now - settings.config.queue.stuck.as_millis() as i64;
        queue_admin::stuck(conn, before, args.limit)
    } else {
        queue_admin::open_items(conn, session, args.limit)
    }
    .context("database")?;
    if args.json {
        let rows: Vec<Row> = items.into_iter().map(row).collect();
        return super::print_json(&json!({
            "pending": counts.pending, "processing": counts.processing,
            "processed": counts.processed, "failed": counts.failed, "items": rows,
        }));
    }
    let mut out = format!(
        "{} waiting, {} in hand, {} failed, {} done\n",
        counts.pending, counts.processing, counts.failed, counts.processed
    );
    if !items.is_empty() {
        let mut rows =
            table(&["ID", "SESSION", "PROJECT", "EVENT", "TOOL", "STATUS", "AGE", "WHY"]);
        for item in &items {
            rows.add_row([
                item.id.to_string(),
                short(&item.content_session_id, 13),
                item.project.clone().unwrap_or_default(),
                item.event.clone(),
                item.tool_name.clone().unwrap_or_default(),
                item.status.clone(),
                words::age(item.created_at_epoch, now),
                item.error.clone().unwrap_or_default(),
            ]);
        }
        out.push('\n');
        out.push_str(&text(&mut rows));
        if items.len() == args.limit {
            out.push_str(&format!(
                "{} shown; --limit shows more\n",
                count(args.limit as u64, "row")
            ));
        }
    }
    super::print(&out)
}

fn nothing(args: &Args) -> Result<()> {
    if args.json {
        return super::print_json(&json!({
            "pending": 0, "processing": 0, "processed": 0, "failed": 0, "items": [],
        }));
    }
    super::print("nothing waits: nothing remembered yet\n")
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
