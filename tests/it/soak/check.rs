//! Compares the store with the acknowledged events.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;

use super::driver::{Event, Session, What};
use crate::support::World;

/// Counts, and a sentence for each violation.
#[derive(Default)]
pub struct Report {
    pub violations: Vec<String>,
    sessions: usize,
    run: usize,
    acknowledged: usize,
    /// Unacknowledged events that were stored all the same.
    kept: usize,
    lost: usize,
    doubled: usize,
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
            "{} sessions, {} events, {} acknowledged (and {} others stored): {} acknowledged lost, \
             {} doubled",
            self.sessions, self.run, self.acknowledged, self.kept, self.lost, self.doubled
        )?;
        write!(
            f,
            "{} turns stopped, {} of them with their summary; {} observations; {} workers owned a \
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
    let mut report = Rows::new();
    for row in w.rows(sql) {
        let cells: Vec<&str> = row.splitn(3, '|').collect();
        let [id, session, key] = cells[..] else { panic!("{row}") };
        let ids = report.entry((session.to_owned(), key.to_owned())).or_default();
        ids.push(id.parse().unwrap());
    }
    report
}

pub fn check(w: &World, sessions: &[Session]) -> Report {
    let mut report = Report { sessions: sessions.len(), ..Report::default() };
    files(w, &mut report);
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
            // Events that a hook has sent. A killed client is replaced by another one, with its own
            // events.
            "SELECT id, content_session_id, 'end' FROM pending_messages
             WHERE event = 'end' AND turn_id IS NULL AND substr(event_id, 15, 1) = '7'
             ORDER BY id",
        ),
    };
    // By the prompt's turn: events of a turn whose prompt was lost belong to the prompt before, and
    // their Stop asks for another summary of that prompt.
    let summaries = rows(
        w,
        "SELECT y.id, s.content_session_id, p.turn_id FROM session_summaries y
         JOIN sessions s ON s.id = y.session_id
         JOIN user_prompts p ON p.session_id = y.session_id AND p.prompt_number = y.prompt_number",
    );
    let filed: HashSet<String> = w
        .rows(
            "SELECT m.content_session_id, m.turn_id, m.id FROM pending_messages m
             JOIN user_prompts p ON p.session_id = m.session_id
               AND p.prompt_number = m.prompt_number AND p.turn_id = m.turn_id",
        )
        .into_iter()
        .collect();
    for session in sessions {
        stored.session(session, &filed, &mut report);
        turns(session, &summaries, &mut report);
    }
    stored.unknown(sessions, &mut report);
    processing(w, &mut report);
    owners(w, &mut report);
    report
}

/// No process, socket, lock or spool is left.
fn files(w: &World, report: &mut Report) {
    let left = [w.session_locks(), w.socket_files(), w.spools()].concat();
    report.violations.extend(left.iter().map(|file| format!("left behind: {}", file.display())));
    report.violations.extend(w.processes().iter().map(|pid| format!("still running: {pid}")));
    let dead = fs::read_dir(w.data().join("spool/dead")).into_iter().flatten().flatten();
    report.violations.extend(dead.map(|file| format!("quarantined: {}", file.path().display())));
}

struct Stored {
    prompts: Rows,
    tools: Rows,
    stops: Rows,
    ends: Rows,
}

impl Stored {
    /// The row ids of an event.
    fn ids(&self, session: &str, event: &Event) -> &[i64] {
        let (rows, key) = match &event.what {
            What::Prompt { text } => (&self.prompts, text.as_str()),
            What::Tool { id } => (&self.tools, id.as_str()),
            What::Stop => (&self.stops, event.turn.as_str()),
            What::End => (&self.ends, "end"),
        };
        rows.get(&(session.to_owned(), key.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn session(&self, session: &Session, filed: &HashSet<String>, report: &mut Report) {
        let name = &session.name;
        let (mut last_prompt, mut last_message) = (0, 0);
        let mut prompts = HashSet::new();
        for event in &session.events {
            report.run += 1;
            report.acknowledged += usize::from(event.acknowledged);
            if event.what == What::End {
                continue;
            }
            let ids = self.ids(name, event);
            if ids.len() > 1 {
                report.doubled += 1;
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
                report.kept += 1;
                continue;
            }
            let last = match event.what {
                What::Prompt { .. } => &mut last_prompt,
                _ => &mut last_message,
            };
            if id <= *last {
                report.violations.push(format!("{name}: {id} after {last}: {event:?}"));
            }
            *last = id;
            if matches!(event.what, What::Prompt { .. }) {
                prompts.insert(event.turn.as_str());
            } else if prompts.contains(event.turn.as_str())
                && !filed.contains(&format!("{name}|{}|{id}", event.turn))
            {
                report.violations.push(format!("{name}: filed under another turn: {event:?}"));
            }
        }
        self.ends(session, report);
    }

    /// Ends have no key; they are counted.
    fn ends(&self, session: &Session, report: &mut Report) {
        let ends = || session.events.iter().filter(|event| event.what == What::End);
        let Some(any) = ends().next() else { return };
        let (run, acknowledged) = (ends().count(), ends().filter(|end| end.acknowledged).count());
        let stored = self.ids(&session.name, any).len();
        // Unless nothing else of the session was stored.
        let known = session.events.iter().any(|e| e.what != What::End && e.acknowledged);
        report.kept += stored.saturating_sub(acknowledged);
        if stored > run {
            report.doubled += stored - run;
            report.violations.push(format!("{}: {stored} ends of {run}", session.name));
        }
        if known && stored < acknowledged {
            report.lost += acknowledged - stored;
            report.violations.push(format!("{}: {stored} ends, {acknowledged} kept", session.name));
        }
    }

    /// The store contains no unknown event.
    fn unknown(&self, sessions: &[Session], report: &mut Report) {
        let sent = |pick: fn(&Event) -> Option<&str>| -> usize {
            let of = |s: &Session| s.events.iter().filter_map(pick).collect::<HashSet<_>>().len();
            sessions.iter().map(of).sum()
        };
        let prompts = sent(|e| match &e.what {
            What::Prompt { text } => Some(text),
            _ => None,
        });
        let tools = sent(|e| match &e.what {
            What::Tool { id } => Some(id),
            _ => None,
        });
        let stops = sent(|e| (e.what == What::Stop).then_some(e.turn.as_str()));
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

/// Every stopped turn has one summary, every other turn at most one.
fn turns(session: &Session, summaries: &Rows, report: &mut Report) {
    let acknowledged = |turn: &str, stop: bool| {
        session.events.iter().any(|event| {
            event.acknowledged
                && event.turn == turn
                && match event.what {
                    What::Prompt { .. } => !stop,
                    What::Stop => stop,
                    _ => false,
                }
        })
    };
    for turn in session.events.iter().map(|e| e.turn.as_str()).collect::<HashSet<_>>() {
        let key = (session.name.clone(), turn.to_owned());
        let n = summaries.get(&key).map_or(0, Vec::len);
        let stopped = acknowledged(turn, false) && acknowledged(turn, true);
        report.stopped += usize::from(stopped);
        report.summaries += usize::from(stopped && n == 1);
        if stopped && n != 1 || acknowledged(turn, false) && n > 1 {
            report.violations.push(format!("{}: {n} summaries of {turn}", session.name));
        }
    }
}

/// The owners of a session take effect one after the other: a fenced-off worker commits nothing
/// more. Each batch is logged under the store lock.
fn owners(w: &World, report: &mut Report) {
    for log in fs::read_dir(w.data().join("logs")).unwrap().flatten() {
        let text = fs::read_to_string(log.path()).unwrap();
        let stored = text.lines().filter(|line| line.contains(" stored a batch"));
        let pids: Vec<&str> = stored.filter_map(|line| line.split_whitespace().nth(2)).collect();
        report.batches += pids.len();
        let mut owners: Vec<&str> = pids.clone();
        owners.dedup();
        let distinct: HashSet<&str> = owners.iter().copied().collect();
        if distinct.len() != owners.len() {
            let name = log.file_name();
            report.violations.push(format!("{}: owners alternate: {owners:?}", name.display()));
        }
    }
}

/// The queue is empty, and each message took effect once.
fn processing(w: &World, report: &mut Report) {
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
    // Two tool uses may produce equal observations; one use may not, except for replaced ones.
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
