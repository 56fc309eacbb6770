//! What each tool answers. Runs on a thread of its own.

use std::time::Duration;

use rusqlite::Connection;

use super::place::{self, Asked, Place};
use super::text;
use super::tools::{Author, Call, Feedback, Ids, Remember, Search, Timeline, Verdict};
use crate::clock;
use crate::config::Settings;
use crate::context::answers;
use crate::ctl::change::{self, Reach};
use crate::ctl::remember::agent::{self, Handed};
use crate::ctl::{forget, format, time};
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::memory::Origin;
use crate::project::recording;
use crate::recall::{self, Filters, Hit, Request, RowId};
use crate::store::marks;
use crate::store::timeline::{self, Entry, Position, Scope};
use crate::store::words::{self, RowKind};
use crate::store::{self, Reader, observations, queue_admin, rejected, sessions, summaries};
use crate::text::quote;

/// How long a call waits for the database to become readable.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The id of no project. Rows that hold in every project are found in it.
const NO_PROJECT: i64 = 0;

/// Maximum rows of a list, and of ids in a call.
const MAX_ROWS: usize = 50;
const MAX_IDS: usize = 20;

/// Rows that are looked at beside those of the limit, because some are left out.
const SPARE: usize = 20;

/// Maximum bytes of the texts that a call gets: about 10,000 tokens.
const MAX_TEXTS: usize = 40_000;

pub fn answer(call: Call, asked: &Asked) -> Result<String> {
    let mut settings = place::settings(asked)?;
    match call {
        Call::Search(search) => find(&settings, asked, &search),
        Call::Timeline(timeline) => around(&settings, asked, &timeline),
        Call::Get(ids) => get(&settings, &ids),
        Call::Remember(note) => remember(&mut settings, asked, note),
        Call::Forget(ids) => remove(&settings, &ids),
        Call::Feedback(feedback) => rate(&settings, feedback),
        Call::Status(_) => status(&settings, asked),
    }
}

/// The database. `None` if nothing is stored.
pub fn open(settings: &Settings) -> Result<Option<Reader>> {
    let reader = Reader::open(&settings.paths, READ_TIMEOUT);
    let reader = reader.and_then(|reader| reader.map(Reader::with_small_cache).transpose());
    reader.context("database")
}

fn find(settings: &Settings, asked: &Asked, search: &Search) -> Result<String> {
    if search.query.trim().is_empty() {
        return Err(usage("query is empty"));
    }
    let reader = open(settings)?;
    let Some(conn) = reader.as_ref().map(Reader::connection) else {
        return Ok(nothing_stored());
    };
    let mut out = String::new();
    for place in place::places(Some(conn), asked)? {
        find_in(conn, &place, search, &mut out)?;
    }
    Ok(out)
}

fn find_in(conn: &Connection, place: &Place, search: &Search, out: &mut String) -> Result<()> {
    let limit = search.limit.clamp(1, MAX_ROWS);
    // Pages are found if the query says origin:web.
    let origins = Origin::ALL.into_iter().filter(|origin| *origin != Origin::Web).collect();
    // A prompt may quote third parties: what the user states in it is an observation.
    let kinds = vec![RowKind::Observation, RowKind::Summary];
    let request = Request {
        query: &search.query,
        project: Some(place.id.unwrap_or(NO_PROJECT)),
        filters: Filters { origins, kinds, ..Filters::default() },
        limit: limit + SPARE,
        for_injection: false,
    };
    let found = recall::search(conn, &request)?;
    let (withheld, told): (Vec<Hit>, Vec<Hit>) =
        found.hits.into_iter().partition(|hit| hit.stored.quarantined);
    let told = recall::by_turn(conn, told, limit)?;
    let (now, name) = (clock::now_ms(), quote(&place.name));
    out.push_str(&match told.len() {
        0 => format!(
            "Project {name}: nothing found. project:* in the query searches all projects.\n"
        ),
        n => format!(
            "Project {name}: {}, best first, confidence {:.2}\n",
            memories(n),
            found.confidence
        ),
    });
    let rows: Vec<RowId> = told.iter().map(|(hit, _)| hit.stored.row).collect();
    let said = answers(conn, &rows, place.id)?;
    for ((hit, same_turn), said) in told.iter().zip(&said) {
        out.push_str(&format!("{}\n", text::hit(hit, same_turn, said, now)));
    }
    if !withheld.is_empty() {
        let ids: Vec<String> = withheld.iter().map(|hit| hit.stored.row.to_string()).collect();
        out.push_str(&format!(
            "Withheld, because they read like instructions: {}\n",
            ids.join(", ")
        ));
    }
    if found.incomplete {
        out.push_str("The index is being built: memories may be missing.\n");
    }
    Ok(())
}

fn memories(n: usize) -> String {
    if n == 1 { "1 memory".into() } else { format!("{n} memories") }
}

fn nothing_stored() -> String {
    "Nothing is stored yet.\n".into()
}

fn around(settings: &Settings, asked: &Asked, around: &Timeline) -> Result<String> {
    let limit = around.limit.clamp(1, MAX_ROWS);
    let reader = open(settings)?;
    let Some(conn) = reader.as_ref().map(Reader::connection) else {
        return Ok(nothing_stored());
    };
    let now = clock::now_ms();
    let mut out = String::new();
    let Some(name) = &around.id else {
        for place in place::places(Some(conn), asked)? {
            out.push_str(&format!("Project {}, newest last\n", quote(&place.name)));
            let Some(id) = place.id else { continue };
            let newest = timeline::before(conn, Scope::Project(id), Position::LAST, limit);
            for entry in &newest? {
                write_row(conn, entry, "", now, &mut out)?;
            }
        }
        return Ok(out);
    };
    let row = row(conn, name)?.ok_or_else(|| unknown(name))?.to_string();
    let anchor = timeline::find(conn, &row)?.ok_or_else(|| unknown(name))?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    if let Some(scope) = anchor.scope() {
        before = timeline::before(conn, scope, anchor.position, limit)?;
        after = timeline::after(conn, scope, anchor.position, limit)?;
    }
    for entry in &before {
        write_row(conn, entry, "", now, &mut out)?;
    }
    write_row(conn, &anchor, "> ", now, &mut out)?;
    for entry in &after {
        write_row(conn, entry, "", now, &mut out)?;
    }
    Ok(out)
}

fn write_row(
    conn: &Connection,
    entry: &Entry,
    mark: &str,
    now: i64,
    out: &mut String,
) -> Result<()> {
    let Some(row) = row(conn, &entry.name())? else { return Ok(()) };
    if let Some(stored) = words::load(conn, row)? {
        out.push_str(&format!("{mark}{}\n", text::listed(&stored, now)));
    }
    Ok(())
}

/// The row with this short name or UUID.
fn row(conn: &Connection, name: &str) -> Result<Option<RowId>> {
    let named = RowId::parse(name);
    if named.is_some() || name.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(named);
    }
    if let Some(row) = observations::by_name(conn, name)? {
        return Ok(Some(RowId::observation(row.id)));
    }
    let summary = summaries::by_name(conn, name)?;
    Ok(summary.map(|row| RowId::summary(row.id)))
}

fn unknown(name: &str) -> Failure {
    failed(format!("no memory has the id '{}'; ids are o412, s37 or p88", quote(name)))
}

/// The ids of a call.
fn checked(ids: &Ids) -> Result<&[String]> {
    match ids.ids.len() {
        0 => Err(usage("ids is empty")),
        1..=MAX_IDS => Ok(&ids.ids),
        n => Err(usage(format!("{n} ids; a call takes at most {MAX_IDS}"))),
    }
}

fn get(settings: &Settings, ids: &Ids) -> Result<String> {
    let ids = checked(ids)?;
    let Some(reader) = open(settings)? else { return Ok(nothing_stored()) };
    let (conn, now) = (reader.connection(), clock::now_ms());
    let mut out = String::new();
    for (n, name) in ids.iter().enumerate() {
        let text = match row(conn, name)? {
            Some(row) => full(conn, row, now)?,
            None => None,
        };
        let text = text.unwrap_or_else(|| format!("{}: no memory has this id\n", quote(name)));
        if n > 0 && out.len() + text.len() > MAX_TEXTS {
            out.push_str(&format!("Too long for one call, not shown: {}\n", ids[n..].join(", ")));
            break;
        }
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&text);
    }
    Ok(out)
}

fn full(conn: &Connection, row: RowId, now: i64) -> Result<Option<String>> {
    let text = match row.kind {
        RowKind::Observation => {
            let row = observations::by_id(conn, row.id)?;
            row.map(|row| text::observation(&row, now))
        }
        RowKind::Summary => {
            let row = summaries::by_id(conn, row.id)?;
            row.map(|row| text::summary(&row))
        }
        RowKind::Prompt => {
            let row = sessions::prompt_by_name(conn, &row.to_string())?;
            row.map(|row| text::prompt(&row))
        }
    };
    Ok(text)
}

fn remember(settings: &mut Settings, asked: &Asked, note: Remember) -> Result<String> {
    let expires = note.expires.as_deref().map(time::parse_future).transpose();
    let expires_at_epoch = expires.map_err(|e| usage(format!("expires: {e}")))?;
    let place = {
        let reader = open(settings)?;
        place::only(place::places(reader.as_ref().map(Reader::connection), asked)?)?
    };
    let handed = Handed {
        text: note.text,
        title: note.title,
        kind: note.kind,
        files: note.files,
        expires_at_epoch,
        origin: match note.from {
            Author::Assistant => Origin::Assistant,
            Author::Web => Origin::Web,
        },
    };
    let stored = agent::store(settings, &place.dir, place.id, handed)?;
    let name = stored.project.as_deref().unwrap_or("none");
    let mut out = format!("{} o{} for project {}", stored.word, stored.id, quote(name));
    if stored.secrets > 0 {
        out.push_str(&format!("; {} replaced", format::count(stored.secrets as u64, "secret")));
    }
    if stored.shortened {
        out.push_str("; the text is stored without its middle");
    }
    if stored.quarantined {
        out.push_str("; it reads like an instruction, so no session gets it");
    }
    out.push('\n');
    Ok(out)
}

fn remove(settings: &Settings, ids: &Ids) -> Result<String> {
    let ids = checked(ids)?;
    let reader = open(settings)?;
    let Some(conn) = reader.as_ref().map(Reader::connection) else {
        return Ok(nothing_stored());
    };
    let mut names = Vec::new();
    for name in ids {
        let row = row(conn, name)?.ok_or_else(|| unknown(name))?;
        if full(conn, row, 0)?.is_none() {
            return Err(unknown(name));
        }
        if is_of_user(conn, row)? {
            return Err(only_user(row, "forget it", &format!("memctl forget {row}")));
        }
        names.push(row.to_string());
    }
    drop(reader);
    let forgotten = forget::by_ids(settings, names)?;
    let until = format::at(forgotten.until);
    Ok(format!(
        "forgot {}; the user can undo it until {until}: memctl forget --undo\n",
        forgotten.what
    ))
}

/// Whether only the user decides about a memory: the user typed, pinned or edited it, or lets it hold in all
/// projects. A text that a model has read may ask it to remove what the user wants.
fn is_of_user(conn: &Connection, row: RowId) -> Result<bool> {
    Ok(match row.kind {
        RowKind::Prompt => true,
        RowKind::Observation => {
            let row = observations::by_id(conn, row.id)?;
            row.is_some_and(|row| {
                let is_said = row.observation.origin == Origin::User || row.edited;
                is_said || row.scope == "user" || row.marks.pinned
            })
        }
        RowKind::Summary => {
            let row = summaries::by_id(conn, row.id)?;
            row.is_some_and(|row| row.marks.pinned || row.edited)
        }
    })
}

/// `what` is what only the user can do, with `command`.
fn only_user(row: RowId, what: &str, command: &str) -> Failure {
    failed(format!("{row} is the user's own, so only the user can {what}: `{command}`"))
}

fn rate(settings: &Settings, feedback: Feedback) -> Result<String> {
    let Feedback { ids, verdict } = feedback;
    let ids = Ids { ids };
    let Some(reader) = open(settings)? else { return Ok(nothing_stored()) };
    for name in checked(&ids)? {
        let conn = reader.connection();
        let Some(mut row) = row(conn, name)? else { continue };
        // What is called wrong takes all that says the same along.
        if verdict == Verdict::Wrong
            && let Some(same) = rejected::said_by_user(conn, row)?
        {
            row = same;
        }
        if verdict != Verdict::Helpful && is_of_user(conn, row)? {
            let name = if verdict == Verdict::Wrong { "wrong" } else { "stale" };
            let command = format!("memctl feedback {name} {row}");
            return Err(only_user(row, &format!("call it {name}"), &command));
        }
    }
    drop(reader);
    let (verdict, name) = match verdict {
        Verdict::Helpful => (marks::Feedback::Helpful, "helpful"),
        Verdict::Stale => (marks::Feedback::Stale, "stale"),
        Verdict::Wrong => (marks::Feedback::Wrong, "wrong"),
    };
    let rated = change::set_marks(settings, (checked(&ids)?, Reach::Memory), |marks| {
        marks.feedback = Some(verdict)
    })?;
    let names: Vec<String> = rated.iter().map(|(memory, _)| memory.id.to_string()).collect();
    let names = names.join(" ");
    Ok(format!("{name}: {names}; the user can undo it: memctl feedback --undo {names}\n"))
}

fn status(settings: &Settings, asked: &Asked) -> Result<String> {
    let reader = open(settings)?;
    let conn = reader.as_ref().map(Reader::connection);
    let mut out = format!("memctl {}\n", env!("CARGO_PKG_VERSION"));
    for place in place::places(conn, asked)? {
        let why = recording::not_recorded(&[&place.dir], &settings.config.recording);
        let state = match why {
            None => "recorded".to_owned(),
            Some(why) => format!("not recorded: {why}; {}", why.fix()),
        };
        let stored = if place.id.is_some() { "" } else { ", nothing stored" };
        out.push_str(&format!("project {}: {state}{stored}\n", quote(&place.name)));
    }
    let Some(conn) = conn else {
        out.push_str(&nothing_stored());
        return Ok(out);
    };
    let counts = store::indexed_counts(conn)?;
    let queue = queue_admin::counts(conn, None)?;
    out.push_str(&format!(
        "all projects: {}, {}, {}\n",
        format::count(counts.sessions, "session"),
        format::count(counts.observations, "observation"),
        format::summaries(counts.summaries)
    ));
    out.push_str(&format!(
        "queue: {} pending, {} processing, {} failed\n",
        queue.pending, queue.processing, queue.failed
    ));
    Ok(out)
}
