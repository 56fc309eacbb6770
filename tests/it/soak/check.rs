//! Compares the store with the acknowledged events.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;

use super::driver::{Event, Kind, Session};
use crate::support::World;

/// The counts of a run, and one message for each violation.
#[derive(Default)]
pub struct Report {
    pub violations: Vec<String>,
    sessions: usize,
    sent: usize,
    acknowledged: usize,
    /// Unacknowledged events that are stored.
    unacknowledged: usize,
    lost: usize,
    duplicated: usize,
    stopped: usize,
    summaries: usize,
    observations: i64,
    workers: i64,
    batches: usize,
    given_up: i64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} sessions, {} events, {} acknowledged, {} stored without acknowledgement; {} acknowledged \
             events lost, {} duplicated",
            self.sessions,
            self.sent,
            self.acknowledged,
            self.unacknowledged,
            self.lost,
            self.duplicated
        )?;
        write!(
            f,
            "{} stopped turns, {} of them with one summary; {} observations; {} workers owned a \
             session and stored {} batches; {} messages given up",
            self.stopped,
            self.summaries,
            self.observations,
            self.workers,
            self.batches,
            self.given_up
        )
    }
}

/// Ascending row ids, by session and event key.
type Rows = HashMap<(String, String), Vec<i64>>;

fn rows(w: &World, sql: &str) -> Rows {
    let mut rows = Rows::new();
    for row in w.rows(sql) {
        let cells: Vec<&str> = row.splitn(3, '|').collect();
        let [id, session, key] = cells[..] else { panic!("{row}") };
        let ids = rows.entry((session.to_owned(), key.to_owned())).or_default();
        ids.push(id.parse().unwrap());
    }
    rows
}

pub fn check(w: &World, sessions: &[Session]) -> Report {
    let mut report = Report { sessions: sessions.len(), ..Report::default() };
    nothing_left(w, &mut report);
    let stored = Stored {
        prompts: rows(
            w,
            "SELECT p.id, s.content_session_id, p.prompt_text FROM user_prompts p
             JOIN sessions s ON s.id = p.session_id ORDER BY p.id",
        ),
        tools: rows(
            w,
            "SELECT id, content_session_id, tool_use_id FROM pending_messages
             WHERE message_type = 'observation' ORDER BY id",
        ),
        stops: rows(
            w,
            "SELECT id, content_session_id, turn_id FROM pending_messages
             WHERE event = 'stop' ORDER BY id",
        ),
        ends: rows(
            w,
            // Only ends sent by a hook, which have a UUIDv7. A worker or a recovery that ends a session
            // itself uses another version.
            "SELECT id, content_session_id, 'end' FROM pending_messages
             WHERE event = 'end' AND turn_id IS NULL AND substr(event_id, 15, 1) = '7'
             ORDER BY id",
        ),
    };
    // By the turn of the prompt: if the prompt of a turn was lost, its events belong to the previous
    // prompt, and its Stop causes another summary of that prompt.
    let summaries = rows(
        w,
        "SELECT y.id, s.content_session_id, p.turn_id FROM session_summaries y
         JOIN sessions s ON s.id = y.session_id
         JOIN user_prompts p ON p.session_id = y.session_id AND p.prompt_number = y.prompt_number",
    );
    let in_own_turn: HashSet<String> = w
        .rows(
            "SELECT m.content_session_id, m.turn_id, m.id FROM pending_messages m
             JOIN user_prompts p ON p.session_id = m.session_id
               AND p.prompt_number = m.prompt_number AND p.turn_id = m.turn_id",
        )
        .into_iter()
        .collect();
    for session in sessions {
        stored.session(session, &in_own_turn, &mut report);
        summaries_of_turns(session, &summaries, &mut report);
    }
    stored.no_unknown_events(sessions, &mut report);
    effects(w, &mut report);
    commit_order(w, &mut report);
    report
}

/// Checks that no process, socket, lock, spool or dead letter is left.
fn nothing_left(w: &World, report: &mut Report) {
    let left = [w.session_locks(), w.socket_files(), w.spools()].concat();
    report.violations.extend(left.iter().map(|file| format!("left behind: {}", file.display())));
    report.violations.extend(w.processes().iter().map(|pid| format!("still running: {pid}")));
    let dead = fs::read_dir(w.data().join("spool/dead")).into_iter().flatten().flatten();
    report.violations.extend(dead.map(|file| format!("dead letter: {}", file.path().display())));
}

struct Stored {
    prompts: Rows,
    tools: Rows,
    stops: Rows,
    ends: Rows,
}

impl Stored {
    /// Returns the ids of the rows of an event.
    fn ids(&self, session: &str, event: &Event) -> &[i64] {
        let (rows, key) = match &event.kind {
            Kind::Prompt { text } => (&self.prompts, text.as_str()),
            Kind::Tool { id } => (&self.tools, id.as_str()),
            Kind::Stop => (&self.stops, event.turn.as_str()),
            Kind::End => (&self.ends, "end"),
        };
        rows.get(&(session.to_owned(), key.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn session(&self, session: &Session, in_own_turn: &HashSet<String>, report: &mut Report) {
        let name = &session.name;
        let (mut last_prompt, mut last_message) = (0, 0);
        let mut prompts = HashSet::new();
        for event in &session.events {
            report.sent += 1;
            report.acknowledged += usize::from(event.acknowledged);
            if event.kind == Kind::End {
                continue;
            }
            let ids = self.ids(name, event);
            if ids.len() > 1 {
                report.duplicated += 1;
                report.violations.push(format!("{name}: stored {} times: {event:?}", ids.len()));
            }
            let Some(&id) = ids.first() else {
                if event.acknowledged {
                    report.lost += 1;
                    report.violations.push(format!("{name}: lost: {event:?}"));
                }
                continue;
            };
            if !event.acknowledged {
                report.unacknowledged += 1;
                continue;
            }
            let last = match event.kind {
                Kind::Prompt { .. } => &mut last_prompt,
                _ => &mut last_message,
            };
            if id <= *last {
                report.violations.push(format!("{name}: {id} after {last}: {event:?}"));
            }
            *last = id;
            if matches!(event.kind, Kind::Prompt { .. }) {
                prompts.insert(event.turn.as_str());
            } else if prompts.contains(event.turn.as_str())
                && !in_own_turn.contains(&format!("{name}|{}|{id}", event.turn))
            {
                report
                    .violations
                    .push(format!("{name}: stored with the prompt of another turn: {event:?}"));
            }
        }
        self.ends(session, report);
    }

    /// Compares the number of ends, because ends have no key of their own.
    fn ends(&self, session: &Session, report: &mut Report) {
        let ends = || session.events.iter().filter(|event| event.kind == Kind::End);
        let Some(first) = ends().next() else { return };
        let (sent, acknowledged) = (ends().count(), ends().filter(|end| end.acknowledged).count());
        let stored = self.ids(&session.name, first).len();
        // The store ignores the end of a session of which it has no other event.
        let has_other_events = session.events.iter().any(|e| e.kind != Kind::End && e.acknowledged);
        report.unacknowledged += stored.saturating_sub(acknowledged);
        if stored > sent {
            report.duplicated += stored - sent;
            report.violations.push(format!("{}: {stored} ends stored, {sent} sent", session.name));
        }
        if has_other_events && stored < acknowledged {
            report.lost += acknowledged - stored;
            report.violations.push(format!(
                "{}: {stored} ends stored, {acknowledged} acknowledged",
                session.name
            ));
        }
    }

    /// Checks that the store contains no event that was not sent.
    fn no_unknown_events(&self, sessions: &[Session], report: &mut Report) {
        let sent = |pick: fn(&Event) -> Option<&str>| -> usize {
            let distinct =
                |s: &Session| s.events.iter().filter_map(pick).collect::<HashSet<_>>().len();
            sessions.iter().map(distinct).sum()
        };
        let prompts = sent(|e| match &e.kind {
            Kind::Prompt { text } => Some(text),
            _ => None,
        });
        let tools = sent(|e| match &e.kind {
            Kind::Tool { id } => Some(id),
            _ => None,
        });
        let stops = sent(|e| (e.kind == Kind::Stop).then_some(e.turn.as_str()));
        let kinds = [
            ("prompts", self.prompts.len(), prompts),
            ("tool uses", self.tools.len(), tools),
            ("stops", self.stops.len(), stops),
        ];
        for (kind, stored, sent) in kinds {
            if stored > sent {
                report.violations.push(format!("{stored} {kind} stored, {sent} sent"));
            }
        }
    }
}

/// Checks that every stopped turn has one summary, and every other turn at most one.
fn summaries_of_turns(session: &Session, summaries: &Rows, report: &mut Report) {
    let has_acknowledged = |turn: &str, is_kind: fn(&Kind) -> bool| {
        session.events.iter().any(|e| e.acknowledged && e.turn == turn && is_kind(&e.kind))
    };
    let is_prompt = |kind: &Kind| matches!(kind, Kind::Prompt { .. });
    for turn in session.events.iter().map(|e| e.turn.as_str()).collect::<HashSet<_>>() {
        let key = (session.name.clone(), turn.to_owned());
        let n = summaries.get(&key).map_or(0, Vec::len);
        let prompted = has_acknowledged(turn, is_prompt);
        let stopped = prompted && has_acknowledged(turn, |kind| *kind == Kind::Stop);
        report.stopped += usize::from(stopped);
        report.summaries += usize::from(stopped && n == 1);
        if stopped && n != 1 || prompted && n > 1 {
            report.violations.push(format!("{}: {n} summaries of {turn}", session.name));
        }
    }
}

/// Checks that no worker commits a batch after a newer worker of its session did. Workers log each
/// batch while they hold the store lock.
fn commit_order(w: &World, report: &mut Report) {
    for log in fs::read_dir(w.data().join("logs")).unwrap().flatten() {
        let text = fs::read_to_string(log.path()).unwrap();
        // A full disk cuts lines, so that a line may begin with a part of another.
        let stored = text.lines().filter_map(|line| line.split_once(" stored a batch"));
        let pids: Vec<&str> =
            stored.filter_map(|(start, _)| start.split_whitespace().last()).collect();
        report.batches += pids.len();
        let mut owners: Vec<&str> = pids.clone();
        owners.dedup();
        let distinct: HashSet<&str> = owners.iter().copied().collect();
        if distinct.len() != owners.len() {
            let name = log.file_name();
            report.violations.push(format!(
                "{}: commits of several workers alternate: {owners:?}",
                name.display()
            ));
        }
    }
}

/// Checks that the queue is empty, and that each message took effect once.
fn effects(w: &World, report: &mut Report) {
    report.observations = w.count("SELECT count(*) FROM observations");
    report.workers = w.count("SELECT sum(generation) FROM sessions");
    report.given_up = w.count(
        "SELECT count(*) FROM pending_messages
         WHERE status = 'failed' AND error = 'its worker died'",
    );
    let undone = w.rows(
        "SELECT id, content_session_id, event, status, claims, retry_count, error
         FROM pending_messages WHERE status <> 'processed'",
    );
    report.violations.extend(undone.into_iter().map(|row| format!("not processed: {row}")));
    // Two tool uses may produce equal observations. One use may not, unless one replaced the other.
    let twice = w.rows(
        "SELECT s.pending_message_id, o.session_id, o.type, o.title, count(*)
         FROM observations o JOIN observation_sources s ON s.observation_id = o.id
         WHERE o.superseded_by IS NULL
         GROUP BY s.pending_message_id, o.type, o.title HAVING count(*) > 1",
    );
    report.violations.extend(twice.into_iter().map(|row| format!("observed twice: {row}")));
    let open = w.rows(
        "SELECT session_id, prompt_number FROM user_prompts WHERE finalized_at_epoch IS NULL",
    );
    report.violations.extend(open.into_iter().map(|row| format!("never closed: {row}")));
    let active = w.rows("SELECT content_session_id FROM sessions WHERE status = 'active'");
    report.violations.extend(active.into_iter().map(|row| format!("still active: {row}")));
}
