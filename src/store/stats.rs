//! Counts of everything in the store, grouped by day, project, session or backend.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Days in the machine's time zone.
    Day,
    Project,
    Session,
    Backend,
}

/// One group. Events and prompts are 0 when grouped by backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// A day, project name, client session id or backend; empty if unknown.
    pub name: String,
    /// Sessions with a row in the group.
    pub sessions: u64,
    pub prompts: u64,
    /// Queued events, as long as the queue keeps their rows (`queue.keep`).
    pub events: u64,
    pub observations: u64,
    /// Model calls.
    pub turns: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// In US dollars.
    pub cost: f64,
    /// Calls of models without a known price. They count at the highest price.
    pub unpriced: u64,
    /// Calls without a complete usage report. They count at their estimate.
    pub estimated: u64,
}

/// Counts of the rows created since `since`. The newest group comes first, or the backend with the
/// most calls.
pub fn report(conn: &Connection, by: GroupBy, since: i64) -> Result<Vec<Group>> {
    // `x` is the counted table, `s` its session.
    let (key, name, order) = match by {
        GroupBy::Day => {
            ("date(x.created_at_epoch / 1000, 'unixepoch', 'localtime')", "key", "key DESC")
        }
        GroupBy::Project => {
            ("s.project_id", "(SELECT name FROM projects WHERE id = key)", "latest DESC")
        }
        GroupBy::Session => {
            ("s.id", "(SELECT content_session_id FROM sessions WHERE id = key)", "latest DESC")
        }
        GroupBy::Backend => ("x.backend", "key", "turns DESC, observations DESC"),
    };
    let select_rows = |table: &str, columns: &str, condition: &str| {
        format!(
            "SELECT {key} AS key, x.session_id AS session, x.created_at_epoch AS at, {columns}
             FROM {table} x LEFT JOIN sessions s ON s.id = x.session_id
             WHERE x.created_at_epoch >= ?1 {condition}"
        )
    };
    let user_rows = match by {
        GroupBy::Backend => vec![],
        GroupBy::Day | GroupBy::Project | GroupBy::Session => vec![
            select_rows("user_prompts", "1 AS p, 0 AS e, 0 AS o, NULL AS u", ""),
            select_rows("pending_messages", "0, 1, 0, NULL", "AND x.event <> 'late'"),
        ],
    };
    let model_rows = [
        select_rows("observations", "0 AS p, 0 AS e, 1 AS o, NULL AS u", ""),
        select_rows("agent_usage", "0, 0, 0, x.id", ""),
    ];
    let parts: Vec<String> = user_rows.into_iter().chain(model_rows).collect();
    let sql = format!(
        "SELECT ifnull({name}, '') AS name, count(DISTINCT session), sum(p), sum(e),
           sum(o) AS observations, ifnull(sum(u.turns), 0) AS turns,
           ifnull(sum(u.input_tokens), 0), ifnull(sum(u.output_tokens), 0),
           ifnull(sum(u.cost), 0.0), ifnull(sum(u.turns) FILTER (WHERE NOT u.priced), 0),
           ifnull(sum(u.turns) FILTER (WHERE u.status <> 'complete'), 0), max(at) AS latest
         FROM ({}) part LEFT JOIN agent_usage u ON u.id = part.u
         GROUP BY key ORDER BY {order}",
        parts.join(" UNION ALL ")
    );
    let mut rows = conn.prepare(&sql)?;
    let rows = rows.query_map([since], |r| {
        let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
        Ok(Group {
            name: r.get(0)?,
            sessions: count(1)?,
            prompts: count(2)?,
            events: count(3)?,
            observations: count(4)?,
            turns: count(5)?,
            input_tokens: count(6)?,
            output_tokens: count(7)?,
            cost: r.get(8)?,
            unpriced: count(9)?,
            estimated: count(10)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The total since `since`. A session counts once even if it spans several groups.
pub fn total(conn: &Connection, since: i64) -> Result<Group> {
    let groups = report(conn, GroupBy::Session, since)?;
    let mut total = Group::default();
    for group in groups {
        total.sessions += u64::from(!group.name.is_empty());
        total.prompts += group.prompts;
        total.events += group.events;
        total.observations += group.observations;
        total.turns += group.turns;
        total.input_tokens += group.input_tokens;
        total.output_tokens += group.output_tokens;
        total.cost += group.cost;
        total.unpriced += group.unpriced;
        total.estimated += group.estimated;
    }
    Ok(total)
}

/// Start of the day of `at` in the machine's time zone.
pub fn day_start(conn: &Connection, at: i64) -> Result<i64> {
    let sql = "SELECT unixepoch(date(?1 / 1000, 'unixepoch', 'localtime'), 'utc') * 1000";
    Ok(conn.query_row(sql, [at], |r| r.get(0))?)
}

/// Start of a day written as `2026-11-27`. `None` if there is no such day.
pub fn parse_day(conn: &Connection, day: &str) -> Result<Option<i64>> {
    let sql = "SELECT unixepoch(?1, 'utc') * 1000 WHERE date(?1) IS ?1";
    let start = conn.query_row(sql, [day], |r| r.get::<_, Option<i64>>(0)).optional()?;
    Ok(start.flatten())
}

/// A session with many observations, and its model usage.
#[derive(Clone, Debug, PartialEq)]
pub struct LargeSession {
    pub content_session_id: String,
    pub observations: u64,
    pub tokens: u64,
    pub cost: f64,
}

/// Sessions with more than `limit` observations, the largest first.
pub fn large_sessions(conn: &Connection, limit: u64) -> Result<Vec<LargeSession>> {
    let mut rows = conn.prepare(
        "SELECT s.content_session_id, n,
           (SELECT ifnull(sum(input_tokens + output_tokens), 0) FROM agent_usage
            WHERE session_id = s.id),
           (SELECT ifnull(sum(cost), 0.0) FROM agent_usage WHERE session_id = s.id)
         FROM (SELECT session_id, count(*) AS n FROM observations GROUP BY 1 HAVING n > ?1)
         JOIN sessions s ON s.id = session_id ORDER BY n DESC",
    )?;
    let rows = rows.query_map(params![limit as i64], |r| {
        let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
        Ok(LargeSession {
            content_session_id: r.get(0)?,
            observations: count(1)?,
            tokens: count(2)?,
            cost: r.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_memory_db;
    use super::*;

    const DAY: i64 = 86_400_000;

    fn store() -> Connection {
        let conn = in_memory_db();
        conn.execute_batch(
            "INSERT INTO projects (id, name, root) VALUES (1, 'tally', '/t'), (2, 'tally', '/u');
             INSERT INTO sessions (id, uuid, client, content_session_id, project_id,
               started_at_epoch, last_event_epoch) VALUES (1, 'u1', 'c', 's1', 1, 0, 0),
               (2, 'u2', 'c', 's2', 2, 0, 0), (3, 'u3', 'c', 's3', NULL, 0, 0);
             INSERT INTO user_prompts (uuid, event_id, session_id, prompt_number, created_at_epoch)
               VALUES ('p1', 'e1', 1, 1, 43200000), ('p2', 'e2', 2, 1, 43200000),
                      ('p3', 'e3', 1, 2, 129600000);
             INSERT INTO pending_messages (event_id, session_id, content_session_id, message_type,
               event, created_at_epoch) VALUES ('m1', 1, 's1', 'observation', 'tool', 43200000),
               ('m2', 3, 's3', 'observation', 'tool', 43200000),
               ('m3', 1, 's1', 'summarize', 'late', 43200000);
             INSERT INTO observations (uuid, session_id, origin, type, title, backend,
               content_hash, created_at_epoch, changed_at_epoch)
               VALUES ('o1', 1, 'user', 't', 't', 'extractive', 'h1', 43200000, 0),
                      ('o2', 1, 'user', 't', 't', 'claude', 'h2', 129600000, 0);
             INSERT INTO agent_usage (day, session_id, backend, model, input_tokens, output_tokens,
               cost, priced, status, created_at_epoch)
               VALUES ('1970-01-02', 1, 'claude', 'haiku', 100, 10, 0.5, 1, 'complete', 129600000),
                      ('1970-01-02', 1, 'claude', 'x', 200, 20, 0.25, 0, 'open', 129600000),
                      ('1970-01-02', NULL, 'gemini', 'g', 1, 1, 0, 1, 'complete', 129600000);",
        )
        .unwrap();
        conn
    }

    /// name: sessions prompts events observations turns tokens cost unpriced/estimated
    fn lines(by: GroupBy, since: i64) -> Vec<String> {
        let line = |g: Group| {
            let Group { name, sessions, prompts, events, observations, turns, .. } = g;
            let tokens = g.input_tokens + g.output_tokens;
            let counts = format!("{sessions} {prompts} {events} {observations} {turns}");
            format!("{name}: {counts} {tokens} {} {}/{}", g.cost, g.unpriced, g.estimated)
        };
        report(&store(), by, since).unwrap().into_iter().map(line).collect()
    }

    #[test]
    fn each_row_counts_once_in_its_group() {
        // Days are local. Noon UTC falls on the same day in all time zones within 12 hours of UTC.
        let days = lines(GroupBy::Day, 0);
        assert_eq!(days, ["1970-01-02: 1 1 0 1 3 332 0.75 1/1", "1970-01-01: 3 2 2 1 0 0 0 0/0"]);
        let mut projects = lines(GroupBy::Project, 0);
        projects.sort();
        let expected =
            [": 1 0 1 0 1 2 0 0/0", "tally: 1 1 0 0 0 0 0 0/0", "tally: 1 2 1 2 2 330 0.75 1/1"];
        assert_eq!(projects, expected);
        let sessions = lines(GroupBy::Session, 0);
        assert!(sessions.contains(&"s3: 1 0 1 0 0 0 0 0/0".to_owned()), "{sessions:?}");
        let backends = [
            "claude: 1 0 0 1 2 330 0.75 1/1",
            "gemini: 0 0 0 0 1 2 0 0/0",
            "extractive: 1 0 0 1 0 0 0 0/0",
        ];
        assert_eq!(lines(GroupBy::Backend, 0), backends);
        assert_eq!(lines(GroupBy::Day, DAY), ["1970-01-02: 1 1 0 1 3 332 0.75 1/1"]);
        let total = total(&store(), 0).unwrap();
        assert_eq!((total.sessions, total.prompts, total.events, total.turns), (3, 3, 2, 3));
    }

    #[test]
    fn a_day_starts_at_local_midnight() {
        let conn = in_memory_db();
        let noon = DAY + DAY / 2;
        let start = day_start(&conn, noon).unwrap();
        assert!((0..=DAY).contains(&(noon - start)), "{start}");
        let day = crate::clock::machine_day(noon);
        assert_eq!(parse_day(&conn, &day).unwrap(), Some(start));
        for wrong in ["2026-13-01", "2026-02-30", "yesterday", ""] {
            assert_eq!(parse_day(&conn, wrong).unwrap(), None, "{wrong}");
        }
    }

    #[test]
    fn large_sessions_are_listed_with_their_cost() {
        let large = large_sessions(&store(), 1).unwrap();
        let want = LargeSession {
            content_session_id: "s1".into(),
            observations: 2,
            tokens: 330,
            cost: 0.75,
        };
        assert_eq!(large, [want]);
    }
}
