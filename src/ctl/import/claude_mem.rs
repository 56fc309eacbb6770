//! `memctl import claude-mem`: the database of claude-mem, as rows of an export.
//!
//! Each row has an `external_id`, and a uuid that is derived from it. A second import finds them, and what
//! was forgotten does not come back. A session that memctl knows keeps its own prompts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::claude_code;
use super::rows::{Counts, Rows};
use crate::config::Settings;
use crate::ctl::format::count;
use crate::ctl::progress::Progress;
use crate::failure::{Context, Result, failed, usage};
use crate::project;
use crate::store::claude_mem::{Source, Wanted};
use crate::store::portable::Line;
use crate::text::truncate;

/// Namespace of the uuids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d65_6d63_746c_5f63_6c61_7564_655f_6d65);
/// Rows that are read at once.
const PAGE: usize = 500;
/// A title that is made from a longer text.
const TITLE: usize = 120;

const NAME_IT: &str = "name its file: `memctl import claude-mem FILE`";

const HELP: &str = "\
Examples
  memctl import claude-mem                             Take in ~/.claude-mem/claude-mem.db
  memctl import claude-mem --map app=~/src/app         Say where the project app is
  memctl import claude-mem /backup/claude-mem.db       Another file
";

/// Take in the memory of claude-mem
///
/// Reads sessions, prompts, observations and summaries of every version. claude-mem may be running; its
/// database is not changed. It knows projects by name only: the directory of a project is that of the
/// transcripts of its sessions, or the one that --map names. Without both, the project is separate until
/// `memctl project link`.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The database [default: ~/.claude-mem/claude-mem.db]
    db: Option<PathBuf>,
    /// Directory of a project
    #[arg(long, value_name = "NAME=DIR")]
    map: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    sessions: u64,
    prompts: u64,
    observations: u64,
    summaries: u64,
}

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    let file = match &args.db {
        Some(file) => file.clone(),
        None => {
            let home =
                settings.home.as_ref().ok_or_else(|| failed("no home directory is known"))?;
            home.join(".claude-mem/claude-mem.db")
        }
    };
    let name = file.display().to_string();
    if !file.is_file() {
        let why = format!("there is no database of claude-mem at {name}");
        return Err(failed(why).hint(NAME_IT));
    }
    let opened = Source::open(&file).context(&name);
    let source = opened.map_err(|e| e.hint(NAME_IT))?;
    if !["sdk_sessions", "observations", "memories"].iter().any(|table| source.has_table(table)) {
        return Err(failed(format!("{name} is not a database of claude-mem")).hint(NAME_IT));
    }
    let mut projects = Projects::new(&args.map)?;
    projects.dirs = claude_code::session_dirs(&settings);
    let rows = Rows::open(&mut settings)?;
    let progress = Progress::new(&name);
    let mut import = Import {
        source: &source,
        rows,
        projects,
        sessions: BTreeMap::new(),
        read: Read::default(),
        progress: &progress,
    };
    import.all().context(&name)?;
    let (read, counts) = (import.read, import.rows.finish()?);
    drop(progress);
    report(&name, read, counts, args.json)
}

fn report(name: &str, read: Read, counts: Counts, as_json: bool) -> Result<()> {
    let Read { sessions, prompts, observations, summaries } = read;
    if as_json {
        let mut json = counts.json();
        json["sessions"] = sessions.into();
        json["prompts"] = prompts.into();
        json["observations"] = observations.into();
        json["summaries"] = summaries.into();
        return crate::ctl::print_json(&json);
    }
    crate::ctl::print(&format!(
        "{name}: {}, {}, {}, {}\n{}\n",
        count(sessions, "session"),
        count(prompts, "prompt"),
        count(observations, "observation"),
        crate::ctl::format::summaries(summaries),
        counts.text(),
    ))
}

/// The projects that claude-mem names, and the keys by which memctl knows them.
struct Projects {
    /// Directories that the user names.
    mapped: BTreeMap<String, PathBuf>,
    /// Directories of the client's sessions.
    dirs: BTreeMap<String, PathBuf>,
    /// The first key of each project whose row was stored.
    known: BTreeMap<String, String>,
}

impl Projects {
    fn new(map: &[String]) -> Result<Projects> {
        let mut mapped = BTreeMap::new();
        for pair in map {
            let (name, dir) = pair
                .split_once('=')
                .filter(|(name, dir)| !name.is_empty() && !dir.is_empty())
                .ok_or_else(|| usage(format!("'{pair}' is not NAME=DIR")))?;
            let dir = std::path::absolute(dir).context(dir)?;
            mapped.insert(name.to_owned(), dir);
        }
        Ok(Projects { mapped, dirs: BTreeMap::new(), known: BTreeMap::new() })
    }

    /// Learns from a session where its project is.
    fn learn(&mut self, name: &str, session: &str) {
        let Some(dir) = self.dirs.get(session).filter(|_| !self.mapped.contains_key(name)) else {
            return;
        };
        // The session may have been started above the project.
        let is_dir = || dir.file_name().is_some_and(|dir| dir == name);
        if is_dir() || project::identify(dir).name == name {
            self.mapped.insert(name.to_owned(), dir.clone());
        }
    }

    /// The first key of a project, and its row if it was not stored yet.
    fn key(&mut self, name: &str) -> (String, Option<Line>) {
        if let Some(key) = self.known.get(name) {
            return (key.clone(), None);
        }
        let (keys, root) = match self.mapped.get(name) {
            Some(dir) => {
                let project = project::identify(dir);
                (project.keys, project.root)
            }
            None => (vec![format!("claude-mem:{name}")], String::new()),
        };
        let key = keys.iter().min().cloned().unwrap_or_default();
        let row = json!({"type": "project", "keys": keys, "name": name, "root": root});
        self.known.insert(name.to_owned(), key.clone());
        (key, Some(line(&row)))
    }
}

/// A session of claude-mem.
#[derive(Clone, Debug, Default)]
struct Session {
    uuid: String,
    /// The client's session id.
    id: String,
}

struct Import<'a> {
    source: &'a Source,
    rows: Rows,
    projects: Projects,
    /// By claude-mem's own id of the session, and by `#` and its row id.
    sessions: BTreeMap<String, Session>,
    read: Read,
    progress: &'a Progress,
}

const SESSION: &[Wanted] = &[
    ("id", &["content_session_id", "claude_session_id", "session_id"]),
    ("memory", &["memory_session_id", "sdk_session_id"]),
    ("project", &["project"]),
    ("platform", &["platform_source"]),
    ("started", &["started_at_epoch", "created_at_epoch"]),
    ("completed", &["completed_at_epoch"]),
    ("status", &["status"]),
    ("prompts", &["prompt_counter"]),
];

const PROMPT: &[Wanted] = &[
    ("session_row", &["session_db_id"]),
    ("session", &["content_session_id", "claude_session_id"]),
    ("number", &["prompt_number"]),
    ("text", &["prompt_text"]),
    ("at", &["created_at_epoch"]),
];

const OBSERVATION: &[Wanted] = &[
    ("session", &["memory_session_id", "sdk_session_id", "session_id"]),
    ("project", &["project"]),
    ("merged", &["merged_into_project"]),
    ("kind", &["type"]),
    ("title", &["title"]),
    ("subtitle", &["subtitle"]),
    ("narrative", &["narrative"]),
    ("text", &["text"]),
    ("facts", &["facts"]),
    ("concepts", &["concepts", "keywords"]),
    ("files_read", &["files_read"]),
    ("files_modified", &["files_modified", "files_touched"]),
    ("number", &["prompt_number"]),
    ("agent_id", &["agent_id"]),
    ("agent_type", &["agent_type"]),
    ("at", &["created_at_epoch"]),
];

const SUMMARY: &[Wanted] = &[
    ("session", &["memory_session_id", "sdk_session_id", "session_id"]),
    ("project", &["project"]),
    ("merged", &["merged_into_project"]),
    ("request", &["request"]),
    ("investigated", &["investigated"]),
    ("learned", &["learned", "content"]),
    ("completed", &["completed"]),
    ("next_steps", &["next_steps"]),
    ("notes", &["notes"]),
    ("files_read", &["files_read"]),
    ("files_modified", &["files_edited"]),
    ("number", &["prompt_number"]),
    ("at", &["created_at_epoch"]),
];

type Found = Map<String, Value>;

impl Import<'_> {
    fn all(&mut self) -> Result<()> {
        self.table("sdk_sessions", SESSION, |import, _, _, row| {
            import.projects.learn(&text(row, "project"), &text(row, "id"));
            Ok(())
        })?;
        // The first releases had tables of other names, which later ones have kept.
        self.table("sessions", SESSION, Self::session)?;
        self.table("sdk_sessions", SESSION, Self::session)?;
        self.table("user_prompts", PROMPT, Self::prompt)?;
        self.table("memories", OBSERVATION, Self::observation)?;
        self.table("observations", OBSERVATION, Self::observation)?;
        self.table("overviews", SUMMARY, Self::summary)?;
        self.table("session_summaries", SUMMARY, Self::summary)
    }

    fn table(
        &mut self,
        table: &'static str,
        wanted: &[Wanted],
        take: fn(&mut Self, &'static str, i64, &Found) -> Result<()>,
    ) -> Result<()> {
        let mut after = i64::MIN;
        loop {
            let page = self.source.page(table, wanted, after, PAGE).context(table)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (id, row) in &page {
                take(self, table, *id, row)?;
            }
            let n = self.rows.n();
            self.progress.set(|| format!("{table}: {}", count(n, "row")));
        }
    }

    fn session(&mut self, table: &'static str, id: i64, row: &Found) -> Result<()> {
        self.read.sessions += 1;
        let content = text(row, "id");
        let platform = text(row, "platform");
        let client = client(&platform);
        let session = Session { uuid: uuid(&[client, "session", &content]), id: content.clone() };
        if table == "sdk_sessions" {
            self.sessions.insert(format!("#{id}"), session.clone());
        }
        let memory = text(row, "memory");
        let own = if memory.is_empty() { content.clone() } else { memory };
        self.sessions.entry(own).or_insert_with(|| session.clone());
        self.sessions.entry(format!("={content}")).or_insert_with(|| session.clone());
        let project = self.project(row)?;
        let started = epoch(row, "started");
        let completed = row.get("completed").and(Some(epoch(row, "completed")));
        self.rows.push(line(&json!({
            "type": "session", "uuid": session.uuid, "client": client, "session": content,
            "project": project, "status": if text(row, "status") == "failed" { "failed" } else { "completed" },
            "end_reason": "other", "prompts": number(row, "prompts"), "backend": "import",
            "started_at_epoch": started, "last_event_epoch": completed.unwrap_or(started).max(started),
            "completed_at_epoch": completed,
        })))
    }

    fn prompt(&mut self, _: &'static str, id: i64, row: &Found) -> Result<()> {
        self.read.prompts += 1;
        let by_row = row.get("session_row").map(|id| format!("#{id}"));
        let found = by_row.and_then(|key| self.sessions.get(&key));
        let found = found.or_else(|| self.sessions.get(&format!("={}", text(row, "session"))));
        let Some(session) = found.cloned() else {
            self.rows.counts.unknown += 1;
            return Ok(());
        };
        let at = epoch(row, "at");
        let external = format!("claude-mem:prompt:{}:{id}", session.id);
        self.rows.push(line(&json!({
            "type": "prompt", "uuid": uuid(&[&external]), "event_id": external,
            "session": session.uuid, "number": number(row, "number"), "text": text(row, "text"),
            "private": false, "created_at_epoch": at, "finalized_at_epoch": at,
            "finalized_by": "stop",
        })))
    }

    fn observation(&mut self, table: &'static str, id: i64, row: &Found) -> Result<()> {
        self.read.observations += 1;
        let own = text(row, "session");
        let session = self.sessions.get(&own).cloned();
        let project = self.project(row)?;
        let whole = text(row, "text");
        let narrative = Some(text(row, "narrative")).filter(|text| !text.is_empty());
        let narrative = narrative.unwrap_or_else(|| whole.clone());
        let first = whole.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let title = Some(text(row, "title")).filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| truncate(first, TITLE).to_string());
        let source = session.as_ref().map_or(own.as_str(), |s| s.id.as_str());
        let external = format!("claude-mem:{}:{source}:{id}", table.trim_end_matches('s'));
        let (kind, at) = (kind(&text(row, "kind")), epoch(row, "at"));
        let (facts, concepts) = (list(row, "facts"), list(row, "concepts"));
        let (read, modified) = (list(row, "files_read"), list(row, "files_modified"));
        let size = title.len() + narrative.len() + facts.iter().map(|f| f.len() + 1).sum::<usize>();
        let files = |paths: &[String], role: &'static str| -> Vec<Value> {
            paths.iter().map(|path| json!({"path": path, "role": role, "blob": null})).collect()
        };
        let all_files = [files(&read, "read"), files(&modified, "modified")].concat();
        self.rows.push(line(&json!({
            "type": "observation", "uuid": uuid(&[&external]), "external_id": external,
            "session": session.map(|s| s.uuid), "project": project, "scope": "project",
            "origin": "import", "prompt": number(row, "number"),
            "agent_id": row.get("agent_id"), "agent_type": row.get("agent_type"),
            "kind": kind, "title": title, "subtitle": row.get("subtitle"), "narrative": narrative,
            "facts": facts, "concepts": concepts, "files_read": read, "files_modified": modified,
            "backend": "import", "content_hash": hash(&[&kind, &title, &narrative]),
            "tokens": size.div_ceil(4), "created_at_epoch": at, "changed_at_epoch": at,
            "files": all_files,
        })))
    }

    fn summary(&mut self, table: &'static str, id: i64, row: &Found) -> Result<()> {
        self.read.summaries += 1;
        let own = text(row, "session");
        let session = self.sessions.get(&own).cloned();
        let project = self.project(row)?;
        let source = session.as_ref().map_or(own.as_str(), |s| s.id.as_str());
        let external = format!("claude-mem:{}:{source}:{id}", table.trim_end_matches('s'));
        let at = epoch(row, "at");
        let field = |key: &str| text(row, key);
        self.rows.push(line(&json!({
            "type": "summary", "uuid": uuid(&[&external]), "external_id": external,
            "session": session.map(|s| s.uuid), "project": project, "prompt": number(row, "number"),
            "title": truncate(field("request").lines().next().unwrap_or_default(), TITLE).to_string(),
            "request": field("request"), "investigated": field("investigated"),
            "learned": field("learned"), "completed": field("completed"),
            "next_steps": field("next_steps"), "notes": field("notes"),
            "files_read": list(row, "files_read"), "files_modified": list(row, "files_modified"),
            "backend": "import", "created_at_epoch": at, "changed_at_epoch": at,
        })))
    }

    /// The key of a row's project. Stores the project first.
    fn project(&mut self, row: &Found) -> Result<Option<String>> {
        let merged = text(row, "merged");
        let name = if merged.is_empty() { text(row, "project") } else { merged };
        if name.is_empty() {
            return Ok(None);
        }
        let (key, project) = self.projects.key(&name);
        if let Some(project) = project {
            self.rows.push(project)?;
        }
        Ok(Some(key))
    }
}

/// The client's name here.
fn client(platform: &str) -> &str {
    match platform {
        "" | "claude" | "claude-code" => "claude-code",
        "gemini" => "gemini-cli",
        other => other,
    }
}

/// The kind of an observation: one word.
fn kind(kind: &str) -> String {
    let kind = kind.trim().to_lowercase();
    let is_word = !kind.is_empty()
        && kind.len() <= 32
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_word { kind } else { "discovery".into() }
}

fn line(row: &Value) -> Line {
    Line::parse(&row.to_string()).expect("an object")
}

fn text(row: &Found, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn number(row: &Found, key: &str) -> i64 {
    row.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// Milliseconds since the epoch. The first releases stored seconds.
fn epoch(row: &Found, key: &str) -> i64 {
    const MILLISECONDS: i64 = 100_000_000_000;
    match number(row, key) {
        at if at.abs() < MILLISECONDS => at * 1000,
        at => at,
    }
}

/// A list: JSON, or texts between commas.
fn list(row: &Found, key: &str) -> Vec<String> {
    let text = text(row, key);
    match serde_json::from_str::<Vec<Value>>(&text) {
        Ok(values) => values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            })
            .collect(),
        Err(_) => {
            let parts = text.split([',', '\n']).map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
    }
}

fn uuid(parts: &[&str]) -> String {
    Uuid::new_v5(&NAMESPACE, parts.join("\n").as_bytes()).to_string()
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}
