//! Applies an event to the store. Both delivery paths, socket and spool, call [`accept`].
//!
//! `accept` numbers prompts, finds the prompt that an event belongs to, opens and closes prompts,
//! and enqueues the messages to distill. It is idempotent: the sender creates the event id, and a
//! repeated event changes nothing.

use memctl_proto::event::{Event, Kind, Project};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::forgotten::UNUSED_MESSAGE;
use super::forgotten_texts::ForgottenTexts;
use super::turns::{self, Prompt, Summarize};
pub use super::turns::{ClosedBy, OpenPrompts, WhichPrompts, close_open, open_prompts};
use super::words::{self, RowId};
use super::{claims, memory_use, new_uuid, private, projects, sessions, tombstones};
use crate::activity::PromptCost;
use crate::memory::Cause;

/// If hooks are registered twice, a prompt is reported twice with different event ids. Equal texts
/// of one turn within this time count as one prompt.
const SAME_PROMPT_MS: i64 = 2000;

/// The effect of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    pub kind: Kind,
    /// The event is a repeat, or its session was forgotten after it happened. Nothing changed.
    pub duplicate: bool,
    /// `None` if the event had no session to apply to: it ends an unknown session, its session
    /// was forgotten, or its kind is unknown.
    pub session_id: Option<i64>,
    /// Number of the prompt that the event belongs to, or 0 if there is none.
    pub prompt: i64,
    /// Number of prompts that the event closed.
    pub closed: u64,
    /// The prompts of the session that are open now.
    pub open: OpenPrompts,
}

/// Whether the event deletes texts that were stored before: those of a turn that becomes private.
pub fn deletes_texts(event: &Event) -> bool {
    event.kind == Kind::Prompt && event.private && event.turn.is_some()
}

/// What the caller finds out about an event before the transaction begins, because it takes time.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    pub cost: Option<PromptCost>,
    /// The project that the event's directory belongs to.
    pub project: Option<Project>,
}

impl Prepared {
    /// Examines the claims of the event's directory.
    pub fn new(conn: &Connection, event: &Event, cost: Option<PromptCost>) -> Result<Prepared> {
        let examined = event.project.as_ref().map(|project| claims::examine(conn, project));
        let project = examined.transpose()?.map(|examined| examined.project);
        Ok(Prepared { cost, project })
    }
}

/// Applies a prepared event. `now` is in milliseconds since the epoch.
pub fn accept_prepared(
    tx: &Transaction,
    event: &Event,
    prepared: &Prepared,
    now: i64,
) -> Result<Accepted> {
    apply(tx, event, prepared.cost, prepared.project.as_ref(), now)
}

/// Applies an event whose directory claims no project but its own. `now` is in milliseconds since the
/// epoch.
pub fn accept(
    tx: &Transaction,
    event: &Event,
    cost: Option<PromptCost>,
    now: i64,
) -> Result<Accepted> {
    apply(tx, event, cost, event.project.as_ref(), now)
}

fn apply(
    tx: &Transaction,
    event: &Event,
    cost: Option<PromptCost>,
    project: Option<&Project>,
    now: i64,
) -> Result<Accepted> {
    let unchanged = |duplicate| Accepted {
        kind: event.kind,
        duplicate,
        session_id: None,
        prompt: 0,
        closed: 0,
        open: OpenPrompts::default(),
    };
    let cleaned = ForgottenTexts::load(tx)?.clean_event(event);
    let event = cleaned.as_ref().unwrap_or(event);
    // Refuse an event from before its session was forgotten. A later event creates the session
    // again.
    let forgotten = tombstones::forgotten_at(tx, &event.client, &event.session)?;
    if forgotten.is_some_and(|at| event.at <= at) {
        return Ok(unchanged(true));
    }
    let known = sessions::id_of(tx, &event.client, &event.session)?;
    let session = match (event.kind, known) {
        (Kind::Unknown, _) | (Kind::End | Kind::Finalize, None) => return Ok(unchanged(false)),
        (_, Some(id)) => id,
        (Kind::Start, None) if event.is_recall() => return Ok(unchanged(false)),
        (_, None) => sessions::insert(tx, event, forgotten, now)?,
    };
    let acceptor = Acceptor {
        tx,
        event,
        cost,
        project,
        session,
        turn: event.turn.as_deref().filter(|t| !t.is_empty()),
        at: event.at.min(now),
        now,
    };
    let Effect { duplicate, prompt, closed } = match event.kind {
        Kind::Prompt => acceptor.accept_prompt()?,
        Kind::Notification => acceptor.accept_notification()?,
        Kind::Tool => acceptor.accept_observation(Cause::Tool)?,
        Kind::ToolFailed => acceptor.accept_observation(Cause::ToolFailed)?,
        Kind::Subagent => acceptor.accept_observation(Cause::Subagent)?,
        Kind::Stop => acceptor.accept_stop(ClosedBy::Stop, Cause::Stop)?,
        Kind::StopFailed => acceptor.accept_stop(ClosedBy::StopFailed, Cause::StopFailed)?,
        Kind::Start => acceptor.accept_start()?,
        Kind::End => acceptor.accept_end()?,
        Kind::Finalize => acceptor.close_all(ClosedBy::Finalize, Cause::Stop)?,
        Kind::Unknown => unreachable!("handled above"),
    };
    if !duplicate {
        acceptor.update_session()?;
        memory_use::record_injected(tx, session, &event.uses)?;
    }
    let open = open_prompts(tx, session)?;
    Ok(Accepted { kind: event.kind, duplicate, session_id: Some(session), prompt, closed, open })
}

/// One event, and the transaction that accepts it.
struct Acceptor<'a> {
    tx: &'a Transaction<'a>,
    event: &'a Event,
    cost: Option<PromptCost>,
    project: Option<&'a Project>,
    session: i64,
    turn: Option<&'a str>,
    /// The time of the event, at most `now`.
    at: i64,
    now: i64,
}

struct Effect {
    duplicate: bool,
    prompt: i64,
    closed: u64,
}

impl Effect {
    fn applied(prompt: i64) -> Effect {
        Effect { duplicate: false, prompt, closed: 0 }
    }

    fn duplicate(prompt: i64) -> Effect {
        Effect { duplicate: true, prompt, closed: 0 }
    }
}

impl Acceptor<'_> {
    /// Numbers the prompt, makes an ended session active again, and closes the open prompts of
    /// other turns.
    fn accept_prompt(&self) -> Result<Effect> {
        let turn_prompt = match self.turn {
            Some(turn) => turns::newest_of_turn(self.tx, self.session, turn)?,
            None => None,
        };
        let private = self.event.private || turn_prompt.is_some_and(|p| p.private);
        let text = self.event.text.as_deref().filter(|_| !private);
        let id = self.event.id.to_string();
        let known: Option<i64> = self
            .tx
            .prepare_cached("SELECT prompt_number FROM user_prompts WHERE event_id = ?1")?
            .query_row([&id], |r| r.get(0))
            .optional()?;
        if let Some(number) = known.or(self.same_prompt(text)?) {
            return Ok(Effect::duplicate(number));
        }
        let mut open = turns::all_open(self.tx, self.session)?;
        open.retain(|p| self.turn.is_none() || p.turn.as_deref() != self.turn);
        let closed = open.len() as u64;
        turns::close(
            self.tx,
            self.session,
            &open,
            ClosedBy::Interrupted,
            Some(self.event.id),
            self.now,
        )?;
        let number: i64 = self
            .tx
            .prepare_cached(
                "UPDATE sessions SET prompt_counter = prompt_counter + 1, status = 'active',
                   end_reason = NULL, completed_at_epoch = NULL
                 WHERE id = ?1 RETURNING prompt_counter",
            )?
            .query_row([self.session], |r| r.get(0))?;
        let row: i64 = self
            .tx
            .prepare_cached(&format!(
                "INSERT INTO user_prompts (id, uuid, event_id, session_id, turn_id, prompt_number,
                   prompt_text, private, created_at_epoch)
                 VALUES ({}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
                tombstones::UNUSED_PROMPT
            ))?
            .query_row(
                params![
                    new_uuid(self.now),
                    id,
                    self.session,
                    self.turn,
                    number,
                    text,
                    private,
                    self.at
                ],
                |r| r.get(0),
            )?;
        words::add(self.tx, RowId::prompt(row))?;
        if private && let Some(turn) = self.turn {
            private::scrub_turn(self.tx, self.session, turn, self.now)?;
        }
        Ok(Effect { duplicate: false, prompt: number, closed })
    }

    /// Number of the prompt with the same turn and text within [`SAME_PROMPT_MS`].
    fn same_prompt(&self, text: Option<&str>) -> Result<Option<i64>> {
        Ok(self
            .tx
            .prepare_cached(
                "SELECT prompt_number FROM user_prompts
                 WHERE session_id = ?1 AND turn_id IS ?2 AND prompt_text IS ?3
                   AND created_at_epoch BETWEEN ?4 - ?5 AND ?4 + ?5
                 ORDER BY prompt_number DESC LIMIT 1",
            )?
            .query_row(params![self.session, self.turn, text, self.at, SAME_PROMPT_MS], |r| {
                r.get(0)
            })
            .optional()?)
    }

    /// Makes an ended session active again. A notification means that the client continues without
    /// the user, so no prompt is numbered or closed.
    fn accept_notification(&self) -> Result<Effect> {
        let number = self.prompt_number()?;
        if !self.record_event("notification", number)? {
            return Ok(Effect::duplicate(number));
        }
        self.tx
            .prepare_cached(
                "UPDATE sessions SET status = 'active', end_reason = NULL,
                   completed_at_epoch = NULL WHERE id = ?1 AND status <> 'active'",
            )?
            .execute([self.session])?;
        Ok(Effect::applied(number))
    }

    /// Enqueues an observation. It reopens a closed prompt, unless the event or its turn is
    /// private: then only the ids are kept, and there is nothing to distill.
    fn accept_observation(&self, cause: Cause) -> Result<Effect> {
        let event = self.event;
        let prompt = turns::prompt_of_turn(self.tx, self.session, self.turn)?;
        let number = prompt.as_ref().map_or(0, |p| p.number);
        let private = event.private || prompt.as_ref().is_some_and(|p| p.private);
        let tool = event.tool.as_ref();
        let agent = event.agent.as_ref();
        let files = tool
            .filter(|t| !t.files.is_empty())
            .map(|t| serde_json::to_string(&t.files).expect("files serialize to JSON"));
        fn unless_private(private: bool, text: Option<&String>) -> Option<&str> {
            text.map(String::as_str).filter(|t| !private && !t.is_empty())
        }
        let added = self
            .tx
            .prepare_cached(&format!(
                "INSERT INTO pending_messages (id, event_id, session_id, content_session_id,
                   turn_id, tool_use_id, agent_id, agent_type, message_type, event, tool_name,
                   tool_input, tool_response, cwd, last_assistant_message, prompt_number, status,
                   created_at_epoch, completed_at_epoch, files, prompt_events, prompt_bytes)
                 VALUES ({UNUSED_MESSAGE}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'observation', ?8, ?9, ?10,
                   ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) ON CONFLICT DO NOTHING",
            ))?
            .execute(params![
                event.id.to_string(),
                self.session,
                event.session,
                self.turn,
                tool.and_then(|t| t.use_id.as_deref()).filter(|id| !id.is_empty()),
                agent.map(|a| a.id.as_str()).filter(|id| !id.is_empty()),
                unless_private(private, agent.map(|a| &a.r#type)),
                cause.as_str(),
                unless_private(private, tool.map(|t| &t.name)),
                unless_private(private, tool.and_then(|t| t.input.as_ref())),
                unless_private(private, tool.and_then(|t| t.response.as_ref())),
                unless_private(private, event.cwd.as_ref()),
                unless_private(private, event.text.as_ref()),
                number,
                if private { "processed" } else { "pending" },
                self.at,
                private.then_some(self.now),
                unless_private(private, files.as_ref()),
                self.cost.map(|cost| cost.events as i64),
                self.cost.map(|cost| cost.bytes as i64),
            ])?;
        if added == 0 {
            return Ok(Effect::duplicate(number));
        }
        if let Some(prompt) = prompt.filter(|p| p.closed && !private) {
            self.tx
                .prepare_cached("UPDATE user_prompts SET finalized_at_epoch = NULL WHERE id = ?1")?
                .execute([prompt.id])?;
        }
        Ok(Effect::applied(number))
    }

    /// Closes the prompt of the Stop and the other open prompts of its turn, and enqueues a
    /// `summarize`. A turn may stop more than once; each Stop rewrites the same summary row.
    fn accept_stop(&self, by: ClosedBy, cause: Cause) -> Result<Effect> {
        let prompt = turns::prompt_of_turn(self.tx, self.session, self.turn)?;
        let number = prompt.as_ref().map_or(0, |p| p.number);
        let request = Summarize {
            event_id: self.event.id.to_string(),
            cause,
            turn: self.turn.map(str::to_owned),
            text: self.event.text.clone().filter(|t| !t.is_empty() && !self.event.private),
        };
        let (at, now) = (self.at, self.now);
        if !turns::enqueue_summarize(self.tx, self.session, prompt.as_ref(), &request, at, now)? {
            return Ok(Effect::duplicate(number));
        }
        if let Some(message) = &request.text {
            memory_use::record_cited(self.tx, self.session, message, at)?;
        }
        let mut open = turns::all_open(self.tx, self.session)?;
        open.retain(|p| prompt.as_ref().is_some_and(|own| same_turn(p, own)));
        turns::mark_closed(self.tx, &open, by, now)?;
        if let Some(prompt) = &prompt {
            turns::supersede_outcome(self.tx, self.session, prompt, by, now)?;
            sessions::complete_if_finished(self.tx, self.session)?;
        }
        Ok(Effect { duplicate: false, prompt: number, closed: open.len() as u64 })
    }

    /// Applies the start, resumption, fork or compaction of a session. Nothing is stored under the
    /// event's turn id, because that may be a turn of the session that this one continues.
    fn accept_start(&self) -> Result<Effect> {
        if let Some(shown) = self.event.shown_epoch {
            self.tx
                .prepare_cached(
                    "UPDATE sessions SET context_epoch = max(ifnull(context_epoch, ?2), ?2)
                     WHERE id = ?1",
                )?
                .execute(params![self.session, shown])?;
        }
        let newest = turns::newest(self.tx, self.session)?;
        let number = newest.as_ref().map_or(0, |p| p.number);
        match self.event.reason.as_deref() {
            Some("fork") => {
                if let (Some(process), Some(turn)) = (self.event.process, self.turn)
                    && let Some(parent) = sessions::parent_of_fork(
                        self.tx,
                        &self.event.client,
                        process,
                        turn,
                        self.session,
                    )?
                {
                    self.tx
                        .prepare_cached(
                            "UPDATE sessions SET parent_session_id = ?2
                             WHERE id = ?1 AND parent_session_id IS NULL",
                        )?
                        .execute(params![self.session, parent])?;
                }
            }
            Some("compact") if newest.is_some() => {
                let request = Summarize {
                    event_id: self.event.id.to_string(),
                    cause: Cause::Checkpoint,
                    turn: newest.as_ref().and_then(|p| p.turn.clone()),
                    text: None,
                };
                let (at, now) = (self.at, self.now);
                if !turns::enqueue_summarize(
                    self.tx,
                    self.session,
                    newest.as_ref(),
                    &request,
                    at,
                    now,
                )? {
                    return Ok(Effect::duplicate(number));
                }
            }
            _ => {}
        }
        Ok(Effect::applied(number))
    }

    /// Ends the session. A session that has already ended keeps its status and reason.
    fn accept_end(&self) -> Result<Effect> {
        let has_unfinished_turn = open_prompts(self.tx, self.session)?.never_closed > 0;
        let effect = self.close_all(ClosedBy::End, Cause::End)?;
        if effect.duplicate {
            return Ok(effect);
        }
        self.tx
            .prepare_cached(
                "UPDATE sessions SET status = ?2, end_reason = ?3, completed_at_epoch = ?4
                 WHERE id = ?1 AND status = 'active'",
            )?
            .execute(params![
                self.session,
                if has_unfinished_turn { "failed" } else { "completed" },
                self.event.reason.as_deref().filter(|r| !r.is_empty()).unwrap_or("other"),
                self.at,
            ])?;
        Ok(effect)
    }

    /// Closes all open prompts.
    fn close_all(&self, by: ClosedBy, cause: Cause) -> Result<Effect> {
        let number = self.prompt_number()?;
        if !self.record_event(cause.as_str(), number)? {
            return Ok(Effect::duplicate(number));
        }
        let open = turns::all_open(self.tx, self.session)?;
        turns::close(self.tx, self.session, &open, by, Some(self.event.id), self.now)?;
        Ok(Effect { duplicate: false, prompt: number, closed: open.len() as u64 })
    }

    /// Records the event id in a row without content, so that a repeat of the event cannot undo
    /// later events. Returns `false` if the id was already recorded.
    fn record_event(&self, event: &str, number: i64) -> Result<bool> {
        let added = self
            .tx
            .prepare_cached(&format!(
                "INSERT INTO pending_messages (id, event_id, session_id, content_session_id,
                   turn_id, message_type, event, prompt_number, status, created_at_epoch,
                   completed_at_epoch)
                 VALUES ({UNUSED_MESSAGE}, ?1, ?2, ?3, ?4, 'summarize', ?5, ?6, 'processed', ?7, ?8)
                 ON CONFLICT DO NOTHING",
            ))?
            .execute(params![
                self.event.id.to_string(),
                self.session,
                self.event.session,
                self.turn,
                event,
                number,
                self.at,
                self.now,
            ])?;
        Ok(added > 0)
    }

    fn prompt_number(&self) -> Result<i64> {
        Ok(turns::prompt_of_turn(self.tx, self.session, self.turn)?.map_or(0, |p| p.number))
    }

    /// Copies time, client process, directory and project from the event to its session. A project
    /// also applies to rows that the session stored before it had one.
    fn update_session(&self) -> Result<()> {
        let event = self.event;
        let sets_cwd = matches!(event.kind, Kind::Prompt | Kind::Start);
        self.tx
            .prepare_cached(
                "UPDATE sessions SET last_event_epoch = max(last_event_epoch, ?2),
                   client_pid = iif(?3 IS NULL, client_pid, ?3),
                   client_start = iif(?3 IS NULL, client_start, ?4),
                   cwd = iif(?6, ifnull(?5, cwd), ifnull(cwd, ?5)), root = ifnull(?7, root)
                 WHERE id = ?1",
            )?
            .execute(params![
                self.session,
                self.at,
                event.process.map(|p| p.pid),
                event.process.map(|p| p.start as i64),
                event.cwd,
                sets_cwd,
                self.project.map(|p| p.root.trim()).filter(|root| !root.is_empty()),
            ])?;
        let Some(project) = self.project else { return Ok(()) };
        let Some(project) = projects::resolve(self.tx, project)? else { return Ok(()) };
        let is_without: bool = self
            .tx
            .prepare_cached("SELECT project_id IS NULL FROM sessions WHERE id = ?1")?
            .query_row([self.session], |r| r.get(0))?;
        if !is_without {
            return Ok(());
        }
        words::changing(self.tx, &words::of_session(self.tx, self.session)?, || {
            let assign = "UPDATE sessions SET project_id = ?2 WHERE id = ?1";
            self.tx.execute(assign, [self.session, project])?;
            for table in ["observations", "session_summaries"] {
                self.tx.execute(
                    &format!(
                        "UPDATE {table} SET project_id = ?2, changed_at_epoch = ?3
                         WHERE session_id = ?1 AND project_id IS NULL"
                    ),
                    [self.session, project, self.now],
                )?;
            }
            Ok(())
        })
    }
}

fn same_turn(a: &Prompt, b: &Prompt) -> bool {
    a.id == b.id || (a.turn.is_some() && a.turn == b.turn)
}

#[cfg(test)]
mod tests;
