//! Builds every [`Event`] from the text of a hook payload, a script's line or a replayed transcript.
//! No other module does. Private text and secrets are removed, then the rest is truncated. The only I/O
//! is reading the project's `.git`, the session's private words and the files that a tool used.
//!
//! ```text
//! bytes ── object_reader ──> text ── payload ──> Payload ── capture ──> Event
//!                            tags, then private words, then secrets, then truncation
//! ```

mod files;
mod json;
mod json_text;
mod key_lines;
mod known_secrets;
mod note;
mod object_reader;
mod payload;
mod plain_view;
mod private_files;
mod private_turns;
mod private_words;
mod redact;
mod secret_files;
mod tags;
mod texts;
mod tool_use;
mod truncate_json;
mod truncating_writer;
mod withhold;
mod word_table;

use std::path::Path;

use memctl_proto::event::{Agent, Event, Kind, Process, Project, Tool};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clients::{self, HookEvent, ToolUse};
use crate::config::{Limits, Recording, Redact};
use crate::project;
use crate::project::recording::{self, NotRecorded};
pub use files::hash_files;
pub use note::{NoteRedaction, hash_named_file};
pub use object_reader::{Object, ObjectReader, ReadError};
pub use payload::Payload;
use payload::text_of;
pub use private_turns::PrivateTurns;
pub use private_words::PrivateWords;
pub use redact::{Finding, find as find_secrets, redact as redact_secrets};
use texts::Texts;
use tool_use::Unrecorded;

/// Payloads with a longer session id are rejected.
const MAX_SESSION: usize = 512;
/// Longer turn ids and tool use ids are hashed; longer names are truncated.
const MAX_ID: usize = 200;
/// Longer paths are ignored.
const MAX_PATH: usize = 4096;

/// What is known about an event besides its payload.
#[derive(Clone, Copy, Debug)]
pub struct CaptureContext<'a> {
    /// The event's name from the command line. `None`: use the payload's `hook_event_name`.
    pub event: Option<&'a str>,
    pub client: &'a str,
    /// The directory in which the client was started (`CLAUDE_PROJECT_DIR`). `None`: use the payload's
    /// `cwd`.
    pub project_dir: Option<&'a Path>,
    /// The directory that decides whether the session is recorded, if neither is known.
    pub fallback_dir: Option<&'a Path>,
    pub recording: &'a Recording,
    pub limits: Limits,
    /// Phrases that are private in the turn. Those of the event are added.
    pub private: &'a PrivateWords,
    /// The user's own rules for secrets.
    pub redact: &'a Redact,
    /// Milliseconds since the epoch.
    pub now: i64,
    /// The client's process.
    pub process: Option<Process>,
}

/// The result of capturing a payload.
#[derive(Debug, PartialEq)]
pub enum Captured {
    /// An event to deliver. If [`Event::private`] is set, the whole prompt was private, and so is
    /// everything up to the next prompt that is not.
    Event(Box<Event>),
    /// A tool use that is about to happen. Nothing is recorded of it.
    BeforeTool(Box<BeforeTool>),
    /// Nothing is recorded of this event. The text is the reason.
    Ignored(&'static str),
    /// Nothing is recorded of this session.
    NotRecorded(NotRecorded, SessionEdge),
}

/// A tool use that is about to happen, for the question of what is known about it.
#[derive(Debug, PartialEq)]
pub struct BeforeTool {
    pub client: String,
    pub session: String,
    pub turn: Option<String>,
    pub cwd: Option<String>,
    pub used: ToolUse,
}

/// Whether an event that is not recorded begins or ends its session.
#[derive(Debug, PartialEq)]
pub enum SessionEdge {
    Start,
    /// The end without any text. A session that was recorded earlier has a worker, which must exit.
    End(Box<Event>),
    Neither,
}

/// Why a payload cannot be recorded.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum CaptureError {
    #[error("the payload is not valid JSON: {0}")]
    NotJson(String),
    #[error("the payload has no hook_event_name, and no event was given")]
    NoEvent,
    #[error("the payload has no session_id")]
    NoSession,
    #[error("the payload's session_id has {0} bytes; the maximum is {MAX_SESSION}")]
    LongSession(usize),
    #[error("the payload of a tool use has no tool_name")]
    NoTool,
    #[error("the event id '{0}' is not a UUID")]
    BadId(String),
    #[error(
        "a line reports tool uses only, not '{0}'; prompts and stops come from the client's hooks"
    )]
    NotAnObservation(String),
}

/// Builds the event that a payload reports.
///
/// # Errors
/// [`CaptureError`], if the payload is invalid. The caller should report it to the sender.
pub fn capture(payload: &Payload, context: &CaptureContext) -> Result<Captured, CaptureError> {
    let n_known = context.private.secrets.len();
    let captured = build(payload, context)?;
    if context.private.secrets.len() == n_known {
        return Ok(captured);
    }
    // A new secret may also be in a text that was read before it was found.
    build(payload, context)
}

fn build(payload: &Payload, context: &CaptureContext) -> Result<Captured, CaptureError> {
    let name = context.event.or(payload.hook_event_name.as_deref()).ok_or(CaptureError::NoEvent)?;
    let session = payload.session_id.as_deref().map_or("", str::trim);
    match session.len() {
        0 => return Err(CaptureError::NoSession),
        n if n > MAX_SESSION => return Err(CaptureError::LongSession(n)),
        _ => {}
    }
    let meaning = clients::hook_event(context.client, name);
    let cwd = payload.cwd.as_deref().filter(|p| !p.is_empty() && p.len() <= MAX_PATH);
    let started_in = context.project_dir.filter(|dir| dir.as_os_str().len() <= MAX_PATH);
    let dirs = [started_in, cwd.map(Path::new)].into_iter().flatten();
    let mut dirs: Vec<&Path> = dirs.collect();
    let dir = dirs.first().copied();
    if dirs.is_empty() {
        dirs.extend(context.fallback_dir);
    }
    if let Some(why) = recording::not_recorded(&dirs, context.recording) {
        let edge = match meaning {
            HookEvent::Start => SessionEdge::Start,
            HookEvent::End => {
                let end = Event::new(Kind::End, context.client, session, context.now);
                SessionEdge::End(Box::new(Event { process: context.process, ..end }))
            }
            _ => SessionEdge::Neither,
        };
        return Ok(Captured::NotRecorded(why, edge));
    }
    let texts = Texts { limits: context.limits, private: context.private, redact: context.redact };
    add_private_words(payload, context.private);
    let agent = agent(payload, &texts);
    let recorder = Recorder { payload, context, session, cwd, dir, texts, agent };
    match recorder.record(meaning) {
        Ok(captured) => Ok(captured),
        Err(Unrecorded::Ignored(why)) => Ok(Captured::Ignored(why)),
        Err(Unrecorded::Invalid(error)) => Err(error),
    }
}

/// A payload of a recorded session.
struct Recorder<'a> {
    payload: &'a Payload<'a>,
    context: &'a CaptureContext<'a>,
    session: &'a str,
    cwd: Option<&'a str>,
    /// The directory whose project the session belongs to.
    dir: Option<&'a Path>,
    texts: Texts<'a>,
    agent: Option<Agent>,
}

impl Recorder<'_> {
    fn record(&self, meaning: HookEvent) -> Result<Captured, Unrecorded> {
        let Recorder { payload, context, texts, .. } = self;
        let in_subagent = self.agent.is_some();
        let event = match meaning {
            HookEvent::Start => {
                let reason = payload.source.as_deref().and_then(|w| texts.word(w));
                Event { project: self.project(), reason, ..self.event(Kind::Start) }
            }
            HookEvent::Prompt => self.prompt(),
            HookEvent::Tool => {
                let tool = Some(tool_use::used_tool(payload, context, texts)?);
                Event { tool, ..self.event(Kind::Tool) }
            }
            HookEvent::ToolFailed => {
                let tool = Some(tool_use::failed_tool(payload, context, texts)?);
                Event { tool, ..self.event(Kind::ToolFailed) }
            }
            HookEvent::Subagent => self.subagent().map_err(Unrecorded::Ignored)?,
            HookEvent::Stop | HookEvent::StopFailed if in_subagent => {
                return Err(Unrecorded::Ignored("a stop inside a subagent"));
            }
            HookEvent::Stop => Event { text: self.message(), ..self.event(Kind::Stop) },
            HookEvent::StopFailed => self.failed_stop(),
            HookEvent::End => {
                let reason = payload.reason.as_deref().and_then(|w| texts.word(w));
                Event { reason, ..self.event(Kind::End) }
            }
            HookEvent::BeforeTool if in_subagent => {
                return Err(Unrecorded::Ignored(
                    "a tool use of a subagent is recorded when it has finished",
                ));
            }
            HookEvent::BeforeTool => {
                let (_, used, _) = tool_use::named_tool(payload, context)?;
                return Ok(Captured::BeforeTool(Box::new(BeforeTool {
                    client: context.client.to_owned(),
                    session: self.session.to_owned(),
                    turn: bounded_id(payload.turn.as_deref()),
                    cwd: self.cwd.map(str::to_owned),
                    used,
                })));
            }
            HookEvent::Unused => {
                return Err(Unrecorded::Ignored("events of this kind are not recorded"));
            }
            HookEvent::Unknown => return Err(Unrecorded::Ignored("an unknown event")),
        };
        Ok(Captured::Event(Box::new(texts::fit(event))))
    }

    fn event(&self, kind: Kind) -> Event {
        let Recorder { payload, context, .. } = self;
        Event {
            turn: bounded_id(payload.turn.as_deref()),
            cwd: self.cwd.map(str::to_owned),
            agent: self.agent.clone(),
            process: context.process,
            transcript: payload.transcript_path.as_deref().and_then(bounded_path),
            ..Event::new(kind, context.client, self.session, context.now)
        }
    }

    fn project(&self) -> Option<Project> {
        let mut project = project::identify(self.dir?);
        // A directory may be named like a token. The keys and the path stay: they find the project.
        project.name = redact::redact(&project.name, self.context.redact).into_owned();
        Some(project)
    }

    fn message(&self) -> Option<String> {
        self.payload.last_assistant_message.as_deref().and_then(|m| self.texts.text(m))
    }

    fn prompt(&self) -> Event {
        let payload = self.payload;
        let prompt = payload.prompt.as_deref().unwrap_or("");
        if clients::is_notification(prompt, payload.source.as_deref()) {
            return self.event(Kind::Notification);
        }
        let (text, private) = self.texts.prompt(prompt);
        let private = private || payload.prompt.is_none() && payload.lacks_private_part;
        Event { project: self.project(), text, private, ..self.event(Kind::Prompt) }
    }

    fn subagent(&self) -> Result<Event, &'static str> {
        let agent = self.agent.as_ref().filter(|a| !a.r#type.is_empty());
        let agent = agent.ok_or("the stop of a compaction, not of a subagent")?;
        let report = self.message().ok_or("a subagent without a report")?;
        let tool = Some(report_tool(agent, &report));
        Ok(Event { text: Some(report), tool, ..self.event(Kind::Subagent) })
    }

    fn failed_stop(&self) -> Event {
        let Recorder { payload, texts, .. } = self;
        let code = payload.error.and_then(text_of);
        let reason = code.and_then(|code| texts.word(&code));
        let details = payload.error_details.and_then(|d| texts.details(d));
        let parts: Vec<String> = [self.message(), details].into_iter().flatten().collect();
        let text = texts.text(&parts.join("\n"));
        Event { text, reason, ..self.event(Kind::StopFailed) }
    }
}

/// Finds the private parts of all texts first, because they may come back in any of them.
fn add_private_words(payload: &Payload, words: &PrivateWords) {
    let texts = [&payload.prompt, &payload.last_assistant_message].into_iter().flatten();
    let values = [payload.tool_input, payload.tool_response, payload.error, payload.error_details];
    let of_values = values.into_iter().flatten().filter_map(|raw| tags::split_json(raw.get()));
    for (private, open) in texts.filter_map(|text| tags::split(text)).chain(of_values) {
        words.add(&private, &open);
    }
}

/// Builds the event that a line of a script reports: `{"type":"observation", …}` with the field names
/// of a payload. `session` applies if the line has no `session_id`; otherwise the caller checks it. If
/// neither the context nor the line names an event, the line is a tool use, or a failed one if it has
/// an error.
///
/// A line is never a prompt or a stop: the user's words and the assistant's message come from the
/// client's hooks, not from a script.
///
/// # Errors
/// See [`CaptureError`].
pub fn capture_line(
    line: &str,
    session: &str,
    client: &str,
    context: &CaptureContext,
) -> Result<Captured, CaptureError> {
    let line = truncating_writer::repair(line);
    let mut payload = parse(&line)?;
    payload.session_id.get_or_insert(session.into());
    let failed = payload.is_error || payload.error.is_some();
    let event = match (context.event, &payload.hook_event_name) {
        (Some(name), _) => name,
        (None, Some(name)) => &name.clone(),
        (None, None) if failed => "PostToolUseFailure",
        (None, None) => "PostToolUse",
    };
    if !matches!(clients::hook_event(client, event), HookEvent::Tool | HookEvent::ToolFailed) {
        return Err(CaptureError::NotAnObservation(event.chars().take(80).collect()));
    }
    let id = match payload.id.as_deref() {
        None => None,
        Some(id) => Some(
            Uuid::try_parse(id).map_err(|_| CaptureError::BadId(id.chars().take(80).collect()))?,
        ),
    };
    let mut captured =
        capture(&payload, &CaptureContext { event: Some(event), client, ..*context })?;
    if let (Captured::Event(event), Some(id)) = (&mut captured, id) {
        event.id = id;
    }
    Ok(captured)
}

/// Reads a payload.
///
/// # Errors
/// [`CaptureError::NotJson`].
pub fn parse(text: &str) -> Result<Payload<'_>, CaptureError> {
    Payload::parse(text).map_err(|e| CaptureError::NotJson(e.to_string()))
}

/// Replaces secrets in a text that an earlier release stored. The rules may have been fewer then.
pub fn without_secrets(text: &str) -> String {
    redact::redact(text, &Redact::default()).into_owned()
}

/// What is stored of a text that the user writes: without private tags and secrets.
pub fn typed_text(text: &str, own: &Redact) -> String {
    redact::redact(tags::strip(text).text.trim(), own).into_owned()
}

/// Returns the tool for a subagent's report. Its id contains a hash of the text, so the store ignores
/// a second report with the same text.
fn report_tool(agent: &Agent, report: &str) -> Tool {
    let use_id = format!("report:{}:{}", agent.id, short_hash(report));
    Tool { name: "Subagent".into(), use_id: bounded_id(Some(&use_id)), ..Tool::default() }
}

fn agent(payload: &Payload, texts: &Texts) -> Option<Agent> {
    let r#type = payload.agent_type.as_deref().and_then(|t| texts.word(t)).unwrap_or_default();
    Some(Agent { id: bounded_id(payload.agent_id.as_deref())?, r#type })
}

/// Returns the id, or a hash of it if it is longer than [`MAX_ID`].
fn bounded_id(text: Option<&str>) -> Option<String> {
    match text?.trim() {
        "" => None,
        id if id.len() > MAX_ID => Some(format!("hash:{}", short_hash(id))),
        id => Some(id.to_owned()),
    }
}

fn short_hash(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..8])
}

/// Returns the path unless it is empty or longer than [`MAX_PATH`].
fn bounded_path(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_PATH).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
