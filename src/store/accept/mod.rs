//! What an event does to the store: the one function in which both ways in, socket and spool, end.
//!
//! It gives numbers to prompts, finds the prompt an event belongs to, opens and closes, and puts
//! into the queue what is to be distilled. Every event has its effect once: the sender makes the
//! event id, and a repeat changes nothing.

use memctl_proto::event::{Event, Kind};
use rusqlite::{OptionalExtension, Transaction, params};

use super::error::Result;
use super::turns::{self, Prompt, Summarize};
pub use super::turns::{ClosedBy, OpenPrompts, WhichPrompts, close_open, open_prompts};
use super::{new_uuid, private, projects, sessions, tombstones};
use crate::memory::Cause;

/// Two registrations report one prompt; so close together, equal texts of one turn are one.
const SAME_PROMPT_MS: i64 = 2000;

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    pub kind: Kind,
    /// It was known, or its session was forgotten after it: nothing has changed.
    pub duplicate: bool,
    /// `None` only where an event did nothing at all: the end of an unknown session, or what was
    /// forgotten.
    pub session_id: Option<i64>,
    /// Number of the prompt it belongs to; 0 when there is none.
    pub prompt: i64,
    /// How many prompts it closed.
    pub closed: u64,
    /// What is open now.
    pub open: OpenPrompts,
}

/// Takes an event in. `now`: milliseconds since the epoch.
pub fn accept(tx: &Transaction, event: &Event, now: i64) -> Result<Accepted> {
    let nothing = |duplicate| Accepted {
        kind: event.kind,
        duplicate,
        session_id: None,
        prompt: 0,
        closed: 0,
        open: OpenPrompts::default(),
    };
    // What happened before its session was forgotten comes too late; what comes after is new.
    let forgotten = tombstones::of_session(tx, &event.client, &event.session)?;
    if forgotten.is_some_and(|at| event.at <= at) {
        return Ok(nothing(true));
    }
    let known = sessions::id_of(tx, &event.client, &event.session)?;
    let session = match (event.kind, known) {
        (Kind::Unknown, _) | (Kind::End | Kind::Finalize, None) => return Ok(nothing(false)),
        (_, Some(id)) => id,
        (_, None) => sessions::insert(tx, event, forgotten, now)?,
    };
    let taking = Taking {
        tx,
        event,
        session,
        turn: event.turn.as_deref().filter(|t| !t.is_empty()),
        at: event.at.min(now),
        now,
    };
    let Effect { duplicate, prompt, closed } = match event.kind {
        Kind::Prompt => taking.prompt()?,
        Kind::Notification => taking.notification()?,
        Kind::Tool => taking.observation(Cause::Tool)?,
        Kind::ToolFailed => taking.observation(Cause::ToolFailed)?,
        Kind::Subagent => taking.observation(Cause::Subagent)?,
        Kind::Stop => taking.stop(ClosedBy::Stop, Cause::Stop)?,
        Kind::StopFailed => taking.stop(ClosedBy::StopFailed, Cause::StopFailed)?,
        Kind::Start => taking.start()?,
        Kind::End => taking.end()?,
        Kind::Finalize => taking.close_all(ClosedBy::Finalize, Cause::Stop)?,
        Kind::Unknown => unreachable!("has returned"),
    };
    if !duplicate {
        taking.touch()?;
    }
    let open = open_prompts(tx, session)?;
    Ok(Accepted { kind: event.kind, duplicate, session_id: Some(session), prompt, closed, open })
}

/// One event on its way in.
struct Taking<'a> {
    tx: &'a Transaction<'a>,
    event: &'a Event,
    session: i64,
    turn: Option<&'a str>,
    /// When it happened, and not in the future.
    at: i64,
    now: i64,
}

struct Effect {
    duplicate: bool,
    prompt: i64,
    closed: u64,
}

impl Effect {
    fn on(prompt: i64) -> Effect {
        Effect { duplicate: false, prompt, closed: 0 }
    }

    fn repeat(prompt: i64) -> Effect {
        Effect { duplicate: true, prompt, closed: 0 }
    }
}

impl Taking<'_> {
    /// A prompt gets the next number, takes a session's end back and closes what other turns
    /// left open.
    fn prompt(&self) -> Result<Effect> {
        let of_turn = match self.turn {
            Some(turn) => turns::newest_of_turn(self.tx, self.session, turn)?,
            None => None,
        };
        let private = self.event.private || of_turn.is_some_and(|p| p.private);
        let text = self.event.text.as_deref().filter(|_| !private);
        let id = self.event.id.to_string();
        let known: Option<i64> = self
            .tx
            .prepare_cached("SELECT prompt_number FROM user_prompts WHERE event_id = ?1")?
            .query_row([&id], |r| r.get(0))
            .optional()?;
        if let Some(number) = known.or(self.same_prompt(text)?) {
            return Ok(Effect::repeat(number));
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
        self.tx
            .prepare_cached(&format!(
                "INSERT INTO user_prompts (id, uuid, event_id, session_id, turn_id, prompt_number,
                   prompt_text, private, created_at_epoch)
                 VALUES ({}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                tombstones::UNUSED_PROMPT
            ))?
            .execute(params![
                new_uuid(self.now),
                id,
                self.session,
                self.turn,
                number,
                text,
                private,
                self.at
            ])?;
        if private && let Some(turn) = self.turn {
            private::forget_turn(self.tx, self.session, turn, self.now)?;
        }
        Ok(Effect { duplicate: false, prompt: number, closed })
    }

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

    /// The client goes on by itself: the session lives, and nothing is closed or numbered.
    fn notification(&self) -> Result<Effect> {
        let number = self.number()?;
        if !self.mark("notification", number)? {
            return Ok(Effect::repeat(number));
        }
        self.tx
            .prepare_cached(
                "UPDATE sessions SET status = 'active', end_reason = NULL,
                   completed_at_epoch = NULL WHERE id = ?1 AND status <> 'active'",
            )?
            .execute([self.session])?;
        Ok(Effect::on(number))
    }

    /// Something to observe. It opens its prompt again when that was closed, unless there is
    /// nothing to distil: of private turns and texts only the ids are kept.
    fn observation(&self, cause: Cause) -> Result<Effect> {
        let event = self.event;
        let prompt = turns::belonging(self.tx, self.session, self.turn)?;
        let number = prompt.as_ref().map_or(0, |p| p.number);
        let private = event.private || prompt.as_ref().is_some_and(|p| p.private);
        let tool = event.tool.as_ref();
        let agent = event.agent.as_ref();
        let files = tool
            .filter(|t| !t.files.is_empty())
            .map(|t| serde_json::to_string(&t.files).expect("a list of two texts each"));
        fn keep(private: bool, text: Option<&String>) -> Option<&str> {
            text.map(String::as_str).filter(|t| !private && !t.is_empty())
        }
        let added = self
            .tx
            .prepare_cached(
                "INSERT INTO pending_messages (event_id, session_id, content_session_id, turn_id,
                   tool_use_id, agent_id, agent_type, message_type, event, tool_name, tool_input,
                   tool_response, cwd, last_assistant_message, prompt_number, status,
                   created_at_epoch, completed_at_epoch, files)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'observation', ?8, ?9, ?10, ?11, ?12, ?13,
                   ?14, ?15, ?16, ?17, ?18) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                event.id.to_string(),
                self.session,
                event.session,
                self.turn,
                tool.and_then(|t| t.use_id.as_deref()).filter(|id| !id.is_empty()),
                agent.map(|a| a.id.as_str()).filter(|id| !id.is_empty()),
                keep(private, agent.map(|a| &a.r#type)),
                cause.as_str(),
                keep(private, tool.map(|t| &t.name)),
                keep(private, tool.and_then(|t| t.input.as_ref())),
                keep(private, tool.and_then(|t| t.response.as_ref())),
                keep(private, event.cwd.as_ref()),
                keep(private, event.text.as_ref()),
                number,
                if private { "processed" } else { "pending" },
                self.at,
                private.then_some(self.now),
                keep(private, files.as_ref()),
            ])?;
        if added == 0 {
            return Ok(Effect::repeat(number));
        }
        if let Some(prompt) = prompt.filter(|p| p.closed && !private) {
            self.tx
                .prepare_cached("UPDATE user_prompts SET finalized_at_epoch = NULL WHERE id = ?1")?
                .execute([prompt.id])?;
        }
        Ok(Effect::on(number))
    }

    /// Closes the prompt it belongs to and the other open ones of its turn, and asks for the
    /// summary. A turn may stop more than once: each asks anew, for the same row.
    fn stop(&self, by: ClosedBy, cause: Cause) -> Result<Effect> {
        let prompt = turns::belonging(self.tx, self.session, self.turn)?;
        let number = prompt.as_ref().map_or(0, |p| p.number);
        let wanted = Summarize {
            event_id: self.event.id.to_string(),
            cause,
            turn: self.turn.map(str::to_owned),
            text: self.event.text.clone().filter(|t| !t.is_empty() && !self.event.private),
        };
        let (at, now) = (self.at, self.now);
        if !turns::summarize(self.tx, self.session, prompt.as_ref(), &wanted, at, now)? {
            return Ok(Effect::repeat(number));
        }
        let mut open = turns::all_open(self.tx, self.session)?;
        open.retain(|p| prompt.as_ref().is_some_and(|own| same_turn(p, own)));
        turns::mark_closed(self.tx, &open, by, now)?;
        Ok(Effect { duplicate: false, prompt: number, closed: open.len() as u64 })
    }

    /// The conversation goes on, here or from another session's. Its turn id may be one of the
    /// session before, so nothing is filed under it.
    fn start(&self) -> Result<Effect> {
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
                    && let Some(parent) =
                        sessions::parent(self.tx, &self.event.client, process, turn, self.session)?
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
                let wanted = Summarize {
                    event_id: self.event.id.to_string(),
                    cause: Cause::Checkpoint,
                    turn: newest.as_ref().and_then(|p| p.turn.clone()),
                    text: None,
                };
                let (at, now) = (self.at, self.now);
                if !turns::summarize(self.tx, self.session, newest.as_ref(), &wanted, at, now)? {
                    return Ok(Effect::repeat(number));
                }
            }
            _ => {}
        }
        Ok(Effect::on(number))
    }

    /// Ends the session; one that has ended keeps how it did.
    fn end(&self) -> Result<Effect> {
        let forced = open_prompts(self.tx, self.session)?.never_closed > 0;
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
                if forced { "failed" } else { "completed" },
                self.event.reason.as_deref().filter(|r| !r.is_empty()).unwrap_or("other"),
                self.at,
            ])?;
        Ok(effect)
    }

    /// Closes whatever is open.
    fn close_all(&self, by: ClosedBy, cause: Cause) -> Result<Effect> {
        let number = self.number()?;
        if !self.mark(cause.as_str(), number)? {
            return Ok(Effect::repeat(number));
        }
        let open = turns::all_open(self.tx, self.session)?;
        turns::close(self.tx, self.session, &open, by, Some(self.event.id), self.now)?;
        Ok(Effect { duplicate: false, prompt: number, closed: open.len() as u64 })
    }

    /// Keeps the event's own id in a row without content, for an event that may enqueue nothing
    /// and whose repeat must not undo what came after it. `false`: it was there.
    fn mark(&self, event: &str, number: i64) -> Result<bool> {
        let added = self
            .tx
            .prepare_cached(
                "INSERT INTO pending_messages (event_id, session_id, content_session_id, turn_id,
                   message_type, event, prompt_number, status, created_at_epoch,
                   completed_at_epoch)
                 VALUES (?1, ?2, ?3, ?4, 'summarize', ?5, ?6, 'processed', ?7, ?8)
                 ON CONFLICT DO NOTHING",
            )?
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

    fn number(&self) -> Result<i64> {
        Ok(turns::belonging(self.tx, self.session, self.turn)?.map_or(0, |p| p.number))
    }

    /// What the event tells about its session: that it lives, its client's process, its place.
    fn touch(&self) -> Result<()> {
        let event = self.event;
        let places = matches!(event.kind, Kind::Prompt | Kind::Start);
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
                places,
                event.project.as_ref().map(|p| p.root.trim()).filter(|root| !root.is_empty()),
            ])?;
        let Some(project) = &event.project else { return Ok(()) };
        let Some(project) = projects::resolve(self.tx, project)? else { return Ok(()) };
        let completed = self
            .tx
            .prepare_cached(
                "UPDATE sessions SET project_id = ?2 WHERE id = ?1 AND project_id IS NULL",
            )?
            .execute([self.session, project])?;
        if completed > 0 {
            for table in ["observations", "session_summaries"] {
                self.tx.execute(
                    &format!(
                        "UPDATE {table} SET project_id = ?2, changed_at_epoch = ?3
                         WHERE session_id = ?1 AND project_id IS NULL"
                    ),
                    [self.session, project, self.now],
                )?;
            }
        }
        Ok(())
    }
}

fn same_turn(a: &Prompt, b: &Prompt) -> bool {
    a.id == b.id || (a.turn.is_some() && a.turn == b.turn)
}

#[cfg(test)]
mod tests;
