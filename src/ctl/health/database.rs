//! The memory itself: whether it can be read and is whole, what waits in its queue, what was
//! spent, and what the user must be told.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::Finding;
use crate::clock;
use crate::config::Settings;
use crate::ctl::PATIENCE;
use crate::ctl::format::{bytes, count, dollars, short, tokens};
use crate::ctl::stats::against_budget;
use crate::deliver::probe::{self, WorkerState};
use crate::failure::{Context, Result};
use crate::paths::session_key;
use crate::store::{
    self, Reader, StoreError, ensure, notices, quarantine, queue_admin, stats, usage,
};
use crate::text::sanitize;

/// More observations than a session has.
const MANY: u64 = 1000;

/// Most stuck events that are looked at.
const LOOKED_AT: usize = 10_000;

/// A database above this takes a while to read.
const LARGE: u64 = 500 << 20;

/// Whether it can be read and every page of it makes sense; and it, for the looks below.
pub fn open(settings: &Settings) -> (Vec<Finding>, Option<Reader>) {
    let path = settings.paths.database();
    let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
    let opened = Reader::open(&settings.paths, PATIENCE).and_then(|reader| {
        let Some(reader) = reader else { return Ok(None) };
        if size > LARGE {
            crate::ctl::tell(&format!("memctl: reading {} of memory", bytes(size)));
        }
        quarantine::check_integrity(reader.connection())?;
        let journal = ensure::journal_mode(reader.connection())?;
        Ok(Some((reader, journal)))
    });
    let (reader, journal) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) if path.exists() => {
            let says = "its schema is older than this program: nothing is shown of it";
            let older =
                Finding::note("database", says).todo("the next session brings it up to date");
            return (vec![older], None);
        }
        Ok(None) => return (vec![Finding::ok("database", "not there yet")], None),
        Err(e) => return (vec![unreadable(&e)], None),
    };
    let found = match journal.as_str() {
        "wal" => Finding::ok("database", format!("whole, {}", bytes(size))),
        mode => Finding::note("database", format!("whole, {}, journal mode {mode}", bytes(size)))
            .todo("a file system with shared memory has it faster"),
    };
    (vec![found], Some(reader))
}

/// Where readers and writers wait for each other.
pub fn log(conn: &Connection) -> store::Result<Option<Finding>> {
    let says = "no write-ahead log, which its file system does not allow: memory works, but \
      reading and writing wait for each other";
    Ok((!store::uses_wal(conn)?).then(|| Finding::note("database", says)))
}

fn unreadable(error: &StoreError) -> Finding {
    let found = Finding::wrong("database", error.to_string());
    match error {
        e if e.is_corruption() => {
            found.todo("memctl doctor --fix sets it aside and begins a new one; so does any worker")
        }
        StoreError::Busy(_) => found.todo("memctl ps shows who works"),
        _ => found,
    }
}

/// What failed, and what has waited for too long.
pub fn queue(settings: &Settings, conn: &Connection) -> store::Result<Vec<Finding>> {
    let counts = queue_admin::counts(conn, None)?;
    let mut found = Vec::new();
    if counts.failed > 0 {
        let says = format!("{} failed and stay undistilled", count(counts.failed, "event"));
        found.push(
            Finding::wrong("queue", says).todo("memctl queue says why, memctl queue retry --all"),
        );
    }
    let before = clock::now_ms() - settings.config.queue.stuck.as_millis() as i64;
    let mut for_reasons: BTreeMap<String, u64> = BTreeMap::new();
    let mut without = BTreeSet::new();
    for item in queue_admin::stuck(conn, None, before, LOOKED_AT)? {
        match item.error {
            Some(why) => *for_reasons.entry(why).or_default() += 1,
            None => {
                without.insert((item.client, item.content_session_id));
            }
        }
    }
    for (why, n) in for_reasons {
        let says = format!("{} waiting: {}", count(n, "event"), sanitize(&why));
        found.push(Finding::note("queue", says).todo("memctl queue"));
    }
    // Events of a turn that goes on wait for its end.
    without.retain(|(client, session)| {
        let key = session_key(client, session);
        !matches!(probe::probe(&settings.paths, &key), WorkerState::Live { .. })
    });
    if !without.is_empty() {
        let n = count(without.len() as u64, "session");
        let says = format!("events of {n} wait, and nobody works on them");
        found.push(Finding::wrong("queue", says).todo("memctl cleanup"));
    }
    if found.is_empty() {
        let waiting = counts.pending + counts.processing;
        found.push(Finding::ok("queue", format!("{} in it, none stuck", count(waiting, "event"))));
    }
    Ok(found)
}

/// What the user is to be told, of the last days.
pub fn notices(conn: &Connection) -> store::Result<Vec<Finding>> {
    const DAY: i64 = 86_400_000;
    let yesterday = usage::local_day(conn, clock::now_ms() - DAY)?;
    // A budget that was spent the day before yesterday is no news.
    let old =
        |kind: &str| kind.strip_prefix(usage::NOTICE).is_some_and(|day| day < yesterday.as_str());
    let all = notices::list(conn)?.into_iter().filter(|(kind, _)| !old(kind));
    Ok(all.map(|(_, text)| Finding::note("notice", text)).collect())
}

/// What models cost today, and which sessions are large.
pub fn spending(settings: &Settings, conn: &Connection) -> store::Result<Vec<Finding>> {
    let agent = &settings.config.agent;
    let today = usage::of_day(conn, &usage::local_day(conn, clock::now_ms())?)?;
    let mut found = Vec::new();
    if today.turns > 0 {
        let says = format!("today {}", against_budget(today, agent));
        let full = usage::is_exhausted(today, agent.budget.day);
        found.push(match full {
            false => Finding::ok("budget", says),
            true => Finding::note("budget", format!("{says}: extractive carries on"))
                .todo("memctl config set agent.budget.day_cost 5, or wait for tomorrow"),
        });
    }
    for large in stats::large_sessions(conn, MANY)? {
        let cost = match large.tokens {
            0 => "no model was used".to_owned(),
            n => format!("models used {} tokens, {}", tokens(n), dollars(large.cost)),
        };
        let session = short(&large.content_session_id, 36);
        let says = format!("session {session} has {} observations; {cost}", large.observations);
        found.push(
            Finding::note("sessions", says).todo("memctl show it; is an agent running in circles?"),
        );
    }
    Ok(found)
}

/// All looks into it.
pub fn findings(settings: &Settings) -> Result<Vec<Finding>> {
    let (mut found, reader) = open(settings);
    if let Some(reader) = reader {
        let conn = reader.connection();
        let looks = queue(settings, conn)
            .and_then(|queue| Ok((queue, spending(settings, conn)?, notices(conn)?)));
        let (queue, spending, notices) = looks.context("database")?;
        found.extend(queue.into_iter().chain(spending).chain(notices));
    }
    Ok(found)
}
