//! What the memory agents learnt from the errors of servers, and the pauses that servers asked for. All
//! workers share both.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;

/// A model at an address.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    pub backend: &'a str,
    pub model: &'a str,
    pub address: &'a str,
}

/// A lesson holds for a week, because a server may be started with another context.
const KEEP_MS: i64 = 7 * 24 * 3600 * 1000;

/// What was learnt about the model, unless it is too old.
pub fn learnt(conn: &Connection, of: &Model, now: i64) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached(
            "SELECT learnt FROM agent_limits
             WHERE backend = ?1 AND model = ?2 AND address = ?3 AND learnt_at_epoch > ?4",
        )?
        .query_row(params![of.backend, of.model, of.address, now - KEEP_MS], |r| r.get(0))
        .optional()?)
}

/// Records what was learnt. A lesson that is added to another one begins a new week for both.
pub fn learn(tx: &Transaction, of: &Model, learnt: &str, now: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM agent_limits WHERE learnt_at_epoch <= ?1")?
        .execute([now - KEEP_MS])?;
    tx.prepare_cached(
        "INSERT INTO agent_limits (backend, model, address, learnt, learnt_at_epoch)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (backend, model, address)
         DO UPDATE SET learnt = excluded.learnt, learnt_at_epoch = excluded.learnt_at_epoch",
    )?
    .execute(params![of.backend, of.model, of.address, learnt, now])?;
    Ok(())
}

/// Forgets all lessons, because the user has changed a setting of the agents.
pub fn forget(tx: &Transaction) -> Result<()> {
    tx.execute("DELETE FROM agent_limits", [])?;
    Ok(())
}

/// Ends the pauses of all backends, because the user asks for another try.
pub fn end_pauses(tx: &Transaction) -> Result<()> {
    tx.execute("DELETE FROM agent_pauses", [])?;
    Ok(())
}

/// Why a backend is not asked, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub reason: String,
    pub until: i64,
}

/// The pause of a backend with these settings for a session at `now`. After the pause, the first session
/// may ask, and the others wait a little for its answer.
pub fn pause(
    tx: &Transaction,
    backend: &str,
    settings: &str,
    session: Option<i64>,
    now: i64,
) -> Result<Option<Pause>> {
    let row: Option<(Pause, Option<i64>)> = tx
        .prepare_cached(
            "SELECT reason, until_epoch, probe FROM agent_pauses
             WHERE backend = ?1 AND settings = ?2",
        )?
        .query_row([backend, settings], |r| {
            Ok((Pause { reason: r.get(0)?, until: r.get(1)? }, r.get(2)?))
        })
        .optional()?;
    let Some((pause, probe)) = row else { return Ok(None) };
    if pause.until > now {
        return Ok(Some(pause).filter(|_| probe.is_none() || probe != session));
    }
    tx.prepare_cached("UPDATE agent_pauses SET probe = ?2, until_epoch = ?3 WHERE backend = ?1")?
        .execute(params![backend, session, now + PROBE_MS])?;
    Ok(None)
}

/// How long the other sessions wait for the answer to the first call after a pause.
const PROBE_MS: i64 = 5000;

/// The least pause; it doubles with each one in a row.
const FIRST_MS: i64 = 1000;
/// The first pause if the server names no time.
const UNNAMED_MS: i64 = 60_000;
/// The longest pause that doubling leads to.
const LONGEST_MS: i64 = 59 * 60 * 1000;

/// Pauses a backend at least for `asked` milliseconds. Each pause in a row is twice as long, and up to a
/// quarter longer, so that not all sessions ask at the same moment. An error of a call that began before
/// the current pause does not count. Returns the end of the pause.
pub fn begin_pause(
    tx: &Transaction,
    backend: &str,
    settings: &str,
    asked: Option<i64>,
    reason: &str,
    now: i64,
) -> Result<i64> {
    let known: Option<(i64, i64, Option<i64>)> = tx
        .prepare_cached(
            "SELECT count, until_epoch, probe FROM agent_pauses
             WHERE backend = ?1 AND settings = ?2",
        )?
        .query_row([backend, settings], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let (count, until, probe) = known.unwrap_or((0, 0, None));
    let is_same = until > now && probe.is_none();
    let doubled = |first: i64| (first << count.clamp(0, 20)).min(LONGEST_MS);
    let delay = match asked {
        Some(asked) => asked.max(doubled(FIRST_MS)),
        None => doubled(UNNAMED_MS),
    };
    let random: i64 = tx.query_row("SELECT abs(random() % 1000)", [], |r| r.get(0))?;
    let longer = (delay / 4).min(LONGEST_MS / 4) * random / 1000;
    let end = if is_same { until.max(now + asked.unwrap_or(0)) } else { now + delay + longer };
    tx.prepare_cached(
        "INSERT INTO agent_pauses (backend, settings, count, until_epoch, reason)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (backend) DO UPDATE SET settings = excluded.settings, count = excluded.count,
           until_epoch = excluded.until_epoch, reason = excluded.reason, probe = NULL",
    )?
    .execute(params![backend, settings, count + i64::from(!is_same), end, reason])?;
    Ok(end)
}

/// Whether a backend has paused, with any settings.
pub fn has_paused(conn: &Connection, backend: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM agent_pauses WHERE backend = ?1)")?
        .query_row([backend], |r| r.get(0))?)
}

/// Ends the pause of a backend that has answered.
pub fn end_pause(tx: &Transaction, backend: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM agent_pauses WHERE backend = ?1")?.execute([backend])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{in_memory_db, write};

    const DAY: i64 = 24 * 3600 * 1000;

    #[test]
    fn a_lesson_holds_for_one_model_at_one_address_and_a_week() {
        let mut conn = in_memory_db();
        let of = |model| Model { backend: "openai", model, address: "http://a" };
        write(&mut conn, |tx| learn(tx, &of("m"), "one", DAY));
        assert_eq!(learnt(&conn, &of("m"), DAY).unwrap().as_deref(), Some("one"));
        assert_eq!(learnt(&conn, &of("n"), DAY).unwrap(), None);
        let other = Model { address: "http://b", ..of("m") };
        assert_eq!(learnt(&conn, &other, DAY).unwrap(), None);
        assert_eq!(learnt(&conn, &of("m"), 9 * DAY).unwrap(), None);
        write(&mut conn, |tx| learn(tx, &of("n"), "two", 9 * DAY));
        let rows: i64 =
            conn.query_row("SELECT count(*) FROM agent_limits", [], |r| r.get(0)).unwrap();
        assert_eq!(rows, 1, "the old one is deleted");
    }

    #[test]
    fn pauses_in_a_row_double_until_an_answer() {
        let mut conn = in_memory_db();
        let mut now = DAY;
        let begin = |conn: &mut Connection, asked, now| {
            let mut end = 0;
            write(conn, |tx| {
                end = begin_pause(tx, "openai", "s", asked, "limit", now)?;
                Ok(())
            });
            end - now
        };
        for n in 0..5 {
            let delay = begin(&mut conn, Some(1000), now);
            let least = 1000 << n;
            assert!((least..=least * 5 / 4).contains(&delay), "{n}: {delay}");
            let again = begin(&mut conn, Some(1000), now + 1);
            assert_eq!(again, (delay - 1).max(1000), "a call that was on its way does not count");
            now += delay.max(again + 1) + 1;
        }
        let ask = |conn: &mut Connection, settings: &str, session, now| {
            let mut found = None;
            write(conn, |tx| {
                found = pause(tx, "openai", settings, Some(session), now)?;
                Ok(())
            });
            found.map(|pause| pause.reason)
        };
        assert_eq!(ask(&mut conn, "s", 1, now), None, "the first session asks");
        assert_eq!(ask(&mut conn, "s", 1, now + 1), None, "again, with a shorter prompt");
        assert_eq!(ask(&mut conn, "s", 2, now + 2).as_deref(), Some("limit"), "the second waits");
        let long = begin(&mut conn, Some(7 * DAY), now);
        assert!(long >= 7 * DAY);
        assert_eq!(ask(&mut conn, "other", 1, now), None, "another key");
        assert_eq!(ask(&mut conn, "s", 1, now).as_deref(), Some("limit"));
        write(&mut conn, |tx| end_pause(tx, "openai"));
        assert!(begin(&mut conn, None, now) <= 75_000 && has_paused(&conn, "openai").unwrap());
    }
}
