//! `memctl show`: one memory whole, or what a session left behind.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::words::{self, short};
use crate::config::Settings;
use crate::context::plain::line as plain_line;
use crate::failure::{Context, Result, failed, usage};
use crate::store::observations::{self, ObservationRow};
use crate::store::sessions::{self, Found, Session};
use crate::store::summaries::{self, SummaryRow};
use crate::store::{Reader, private};

/// WHAT is o412 (an observation, also 412), s37 (a summary), p88 (a prompt), a uuid, or a
/// session's id or its beginning.
#[derive(clap::Args)]
pub struct Args {
    /// o412, s37, p88, a uuid, or a session id
    #[arg(value_name = "WHAT")]
    what: String,
    /// Print an object with every field
    #[arg(long)]
    json: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let unknown = || {
        failed(format!("there is no memory '{}'", args.what))
            .hint("memctl context shows ids of this project; memctl status its sessions")
    };
    let Some(reader) = Reader::open(&settings.paths, super::PATIENCE).context("database")? else {
        return Err(unknown());
    };
    let conn = reader.connection();
    let name = args.what.as_str();
    if let Some(row) = observations::by_name(conn, name).context("database")? {
        return print(args, observation_json(&row), || observation_text(&row));
    }
    if let Some(row) = summaries::by_name(conn, name).context("database")? {
        return print(args, summary_json(&row), || summary_text(&row));
    }
    if let Some(prompt) = sessions::prompt_by_name(conn, name).context("database")? {
        let text = prompt.text.clone().unwrap_or_else(|| private::PRIVATE.into());
        let json = json!({
            "id": format!("p{}", prompt.id), "number": prompt.number, "turn_id": prompt.turn_id,
            "text": prompt.text, "created_at_epoch": prompt.created_at_epoch,
            "finalized_at_epoch": prompt.finalized_at_epoch, "finalized_by": prompt.finalized_by,
        });
        return print(args, json, || {
            format!(
                "p{} · prompt {} · {}\n\n{}\n",
                prompt.id,
                prompt.number,
                words::at(prompt.created_at_epoch),
                clean(&text)
            )
        });
    }
    match sessions::by_prefix(conn, name).context("database")? {
        Found::One(session) => show_session(conn, args, &session),
        Found::Many(many) => {
            let ids: Vec<String> = many.iter().map(|s| short(&s.content_session_id, 13)).collect();
            Err(usage(format!("'{name}' is the beginning of several sessions: {}", ids.join(", "))))
        }
        Found::Nothing => Err(unknown()),
    }
}

fn print(args: &Args, json: Value, text: impl FnOnce() -> String) -> Result<()> {
    if args.json { super::print_json(&json) } else { super::print(&text()) }
}

/// Memory is foreign text: no escape of it reaches the terminal.
fn clean(text: &str) -> String {
    text.lines().map(plain_line).collect::<Vec<_>>().join("\n")
}

/// A field and its text, left out when empty.
fn field(out: &mut String, name: &str, text: &str) {
    if !text.trim().is_empty() {
        out.push_str(&format!("\n{name}\n"));
        for line in clean(text).lines() {
            out.push_str(&format!("  {line}\n"));
        }
    }
}

fn list(out: &mut String, name: &str, items: &[String]) {
    let bulleted: Vec<String> =
        items.iter().map(|item| format!("- {}", plain_line(item))).collect();
    field(out, name, &bulleted.join("\n"));
}

fn observation_text(row: &ObservationRow) -> String {
    let o = &row.observation;
    let mut out = format!(
        "o{} · {} · {}\n{}\n",
        row.id,
        o.kind,
        words::at(row.created_at_epoch),
        plain_line(&o.title)
    );
    field(&mut out, "What", o.subtitle.as_deref().unwrap_or_default());
    field(&mut out, "Story", o.narrative.as_deref().unwrap_or_default());
    list(&mut out, "Facts", &o.facts);
    list(&mut out, "Files modified", &o.files_modified);
    list(&mut out, "Files read", &o.files_read);
    field(&mut out, "Rests on", o.origin.as_str());
    out
}

fn observation_json(row: &ObservationRow) -> Value {
    let o = &row.observation;
    json!({
        "id": format!("o{}", row.id), "uuid": row.uuid, "type": o.kind, "title": o.title,
        "subtitle": o.subtitle, "narrative": o.narrative, "facts": o.facts, "concepts": o.concepts,
        "files_read": o.files_read, "files_modified": o.files_modified, "origin": o.origin.as_str(),
        "scope": row.scope, "prompt_number": o.prompt_number, "agent_type": o.agent_type,
        "backend": row.backend, "pinned": row.pinned, "created_at_epoch": row.created_at_epoch,
    })
}

fn summary_text(row: &SummaryRow) -> String {
    let s = &row.summary;
    let made = if row.provisional { " · provisional" } else { "" };
    let mut out = format!(
        "s{} · turn of prompt {} · {}{made}\n",
        row.id,
        row.prompt_number,
        words::at(row.created_at_epoch)
    );
    field(&mut out, "Request", &s.request);
    field(&mut out, "Investigated", &s.investigated);
    field(&mut out, "Learned", &s.learned);
    field(&mut out, "Completed", &s.completed);
    field(&mut out, "Next steps", &s.next_steps);
    field(&mut out, "Notes", &s.notes);
    list(&mut out, "Files modified", &s.files_modified);
    list(&mut out, "Files read", &s.files_read);
    out
}

fn summary_json(row: &SummaryRow) -> Value {
    let mut json = serde_json::to_value(&row.summary).expect("texts and lists");
    json["id"] = json!(format!("s{}", row.id));
    json["uuid"] = json!(row.uuid);
    json["prompt_number"] = json!(row.prompt_number);
    json["turn_id"] = json!(row.turn_id);
    json["backend"] = json!(row.backend);
    json["provisional"] = json!(row.provisional);
    json["created_at_epoch"] = json!(row.created_at_epoch);
    json
}

/// How much of a session is listed.
const MANY: usize = 200;

fn show_session(conn: &Connection, args: &Args, session: &Session) -> Result<()> {
    let prompts = sessions::prompts(conn, session.id).context("database")?;
    let mut summaries = summaries::of_session(conn, session.id, MANY).context("database")?;
    let mut observations = observations::of_session(conn, session.id, MANY).context("database")?;
    summaries.sort_by_key(|s| s.prompt_number);
    observations.sort_by_key(|o| o.id);
    if args.json {
        return super::print_json(&json!({
            "session": session.content_session_id, "client": session.client,
            "project": session.project, "status": session.status, "end_reason": session.end_reason,
            "started_at_epoch": session.started_at_epoch, "last_event_epoch": session.last_event_epoch,
            "prompts": prompts.iter().map(|p| json!({"id": format!("p{}", p.id), "number": p.number, "text": p.text, "finalized_by": p.finalized_by})).collect::<Vec<_>>(),
            "summaries": summaries.iter().map(summary_json).collect::<Vec<_>>(),
            "observations": observations.iter().map(observation_json).collect::<Vec<_>>(),
        }));
    }
    let mut out = format!(
        "session {} · {} · {} · {}\n",
        session.content_session_id,
        session.project.as_deref().unwrap_or("no project"),
        session
            .end_reason
            .as_deref()
            .map_or(session.status.clone(), |r| format!("{} ({r})", session.status)),
        words::at(session.started_at_epoch),
    );
    for prompt in &prompts {
        let text = prompt.text.as_deref().unwrap_or(private::PRIVATE);
        out.push_str(&format!("\np{} {}\n", prompt.id, plain_line(text)));
        for s in summaries.iter().filter(|s| s.prompt_number == prompt.number) {
            let said = [&s.summary.completed, &s.summary.learned, &s.summary.notes];
            let line = said
                .iter()
                .find(|t| !t.is_empty())
                .map_or("", |t| t.lines().next().unwrap_or_default());
            out.push_str(&format!("  s{} {}\n", s.id, plain_line(line)));
        }
        for o in observations.iter().filter(|o| o.observation.prompt_number == prompt.number) {
            out.push_str(&format!(
                "  o{} {} · {}\n",
                o.id,
                o.observation.kind,
                plain_line(&o.observation.title)
            ));
        }
    }
    super::print(&out)
}
