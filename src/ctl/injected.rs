//! `memctl injected`: lists the memories that a session received.

use rusqlite::Connection;
use serde::Serialize;

use super::format::{self, short};
use super::table::{Cell, column, table};
use super::{lookup, open, terminal};
use crate::config::Settings;
use crate::failure::Result;
use crate::store::memory_use::{self, Injected};
use crate::store::sessions::{self, Session};

const HELP: &str = "\
Examples
  memctl injected             The latest session of this project that received memories
  memctl injected 6f2b9c54    A session by its id, or by a prefix of it

Where a memory was received
  start      At the session's start, see `memctl context`
  open       At the session's start, but only a step that it left open
  prompt     With a prompt (recall.on_prompt)
  file       Before a file was read or changed (recall.on_tools)
  error      After a tool or a command failed
  command    Before a risky command

Keys of --json
  session   Id of the session; null if none received memories
  client    Name of the client
  project   Name of the project
  tokens    Estimated number of tokens of all memories
  memories  In the order of time; of each: id (memctl show ID), type, title, place, tokens, \
at_epoch, and cited: a final message of the session names it
";

/// List the memories that a session received, and when
///
/// memctl counts them. A memory that is received and never cited loses weight in the choice for a new
/// session; one that an answer names gains.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// A session: its id, a prefix of it or CLIENT:ID [default: the latest of this project]
    #[arg(value_name = "SESSION")]
    session: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Output<'a> {
    session: Option<&'a str>,
    client: Option<&'a str>,
    project: Option<&'a str>,
    tokens: i64,
    memories: Vec<OutputMemory<'a>>,
}

#[derive(Serialize)]
struct OutputMemory<'a> {
    id: String,
    r#type: &'a str,
    title: &'a str,
    place: &'a str,
    tokens: i64,
    at_epoch: i64,
    cited: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let Some(reader) = open::reader(settings)? else {
        return match args.session {
            Some(_) => Err(open::nothing_stored(settings)),
            None => nothing(args, "nothing is stored yet"),
        };
    };
    let conn = reader.connection();
    let session = match &args.session {
        Some(name) => lookup::session(conn, name)?,
        None => match latest(conn)? {
            Some(session) => session,
            None => return nothing(args, "no session of this project received memories"),
        },
    };
    let memories = memory_use::injected(conn, session.id)?;
    if args.json {
        return super::print_json(&output(Some(&session), &memories));
    }
    let id = short(&session.content_session_id, format::id_length(&[], terminal::width()));
    if memories.is_empty() {
        super::note(&format!("session {id} received no memories"));
        return Ok(());
    }
    let tokens = memories.iter().map(|memory| memory.tokens).sum::<i64>();
    let n = match memories.len() {
        1 => "1 memory".to_owned(),
        n => format!("{n} memories"),
    };
    let tokens = format::tokens(tokens.max(0) as u64);
    super::print(&format!("session {id}: {n}, {tokens} tokens\n\n{}", rows(&memories)))
}

/// Prints an empty list: there is no latest session.
fn nothing(args: &Args, why: &str) -> Result<()> {
    if args.json {
        return super::print_json(&output(None, &[]));
    }
    super::note(why);
    Ok(())
}

/// The latest session of this project that received memories.
fn latest(conn: &Connection) -> Result<Option<Session>> {
    let Some(id) = lookup::project_or_here(conn, None)? else { return Ok(None) };
    let session = memory_use::newest_session(conn, Some(id))?;
    Ok(session.map(|id| sessions::get(conn, id)).transpose()?.flatten())
}

fn rows(memories: &[Injected]) -> String {
    let columns = [
        column("AT").dispensable(2),
        column("WHERE"),
        column("ID"),
        column("TOKENS").right().dispensable(3),
        column("CITED"),
        column("TITLE").cut(16),
    ];
    let cells: Vec<[Cell; 6]> = memories
        .iter()
        .map(|memory| {
            [
                format::at(memory.at_epoch).into(),
                memory.place.clone().into(),
                memory.row.to_string().into(),
                memory.tokens.to_string().into(),
                if memory.cited { "yes" } else { "-" }.into(),
                format!("{}: {}", memory.kind, memory.title).into(),
            ]
        })
        .collect();
    table(&columns, &cells, terminal::width())
}

fn output<'a>(session: Option<&'a Session>, memories: &'a [Injected]) -> Output<'a> {
    let memory = |memory: &'a Injected| OutputMemory {
        id: memory.row.to_string(),
        r#type: &memory.kind,
        title: &memory.title,
        place: &memory.place,
        tokens: memory.tokens,
        at_epoch: memory.at_epoch,
        cited: memory.cited,
    };
    Output {
        session: session.map(|session| session.content_session_id.as_str()),
        client: session.map(|session| session.client.as_str()),
        project: session.and_then(|session| session.project.as_deref()),
        tokens: memories.iter().map(|memory| memory.tokens).sum(),
        memories: memories.iter().map(memory).collect(),
    }
}
