use super::*;
use crate::store::testing::in_memory_db;
use crate::store::{closed_steps, links, summaries};

fn open() -> Connection {
    let conn = in_memory_db();
    conn.execute_batch(
        "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
         INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch, last_event_epoch)
           VALUES (1, 'sa', 'c', 'a', 0, 0), (2, 'sb', 'c', 'b', 0, 0);",
    )
    .unwrap();
    conn
}

/// Adds an observation of project 1 and session 1; `columns` and `values` override its defaults.
fn add(conn: &Connection, id: i64, columns: &str, values: &str) {
    let mut all = vec![
        ("project_id", "1".to_owned()),
        ("session_id", "1".to_owned()),
        ("origin", "'tool'".to_owned()),
        ("narrative", "'a long narrative'".to_owned()),
    ];
    let given = columns.split(", ").zip(values.split(", ")).filter(|(c, _)| !c.is_empty());
    for (column, value) in given {
        all.retain(|(c, _)| *c != column);
        all.push((column, value.to_owned()));
    }
    let (columns, values): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    conn.execute_batch(&format!(
        "INSERT INTO observations (id, uuid, type, title, backend, content_hash,
           created_at_epoch, changed_at_epoch, {})
         VALUES ({id}, 'u{id}', 'change', 'title {id}', 'extractive', 'h{id}',
           {id}000, {id}000, {})",
        columns.join(", "),
        values.join(", ")
    ))
    .unwrap();
}

fn ids(headlines: Vec<Headline>) -> Vec<i64> {
    headlines.iter().map(|h| h.id).collect()
}

#[test]
fn short_names_are_parsed() {
    let check = |name, expected| assert_eq!(parse_id(name), expected, "{name}");
    check("o412", Some(412));
    check("412", Some(412));
    check("s412", None);
    check("o", None);
    check("", None);
    check("-4", None);
    check("o+4", None);
    check("99999999999999999999", None);
}

#[test]
fn a_row_is_read_by_short_name_and_uuid() {
    let conn = open();
    add(
        &conn,
        7,
        "facts, files_modified, pinned, superseded_by",
        r#"'["f"]', '["src/a.rs"]', 1, 'u9'"#,
    );
    let row = by_name(&conn, "o7").unwrap().unwrap();
    assert_eq!(by_name(&conn, "u7").unwrap().unwrap(), row);
    assert_eq!(row.observation.title, "title 7");
    assert_eq!(row.observation.facts, ["f"]);
    assert_eq!(row.observation.files_modified, ["src/a.rs"]);
    assert_eq!(row.superseded_by.as_deref(), Some("u9"));
    assert!(row.marks.pinned);
    assert_eq!(by_name(&conn, "o8").unwrap(), None);
}

#[test]
fn an_invalid_cell_does_not_hide_its_row() {
    let conn = open();
    add(&conn, 1, "files_read, origin", "'not json', 'oracle'");
    let row = by_id(&conn, 1).unwrap().unwrap();
    assert!(row.observation.files_read.is_empty());
    assert_eq!(row.observation.origin, Origin::Web);
}

#[test]
fn a_session_lists_its_newest_prompt_first() {
    let conn = open();
    add(&conn, 1, "prompt_number", "1");
    add(&conn, 2, "prompt_number", "2");
    add(&conn, 3, "prompt_number", "1");
    add(&conn, 4, "project_id, session_id", "2, 2");
    let ids = |rows: Vec<ObservationRow>| rows.iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!(ids(of_session(&conn, 1, 9).unwrap()), [2, 3, 1]);
}

#[test]
fn headlines_leave_out_web_quarantined_superseded_and_own_observations() {
    let conn = open();
    add(&conn, 1, "", "");
    add(&conn, 2, "origin", "'web'");
    add(&conn, 3, "superseded_by", "'u1'");
    add(&conn, 4, "session_id", "2");
    add(&conn, 5, "session_id, pinned", "NULL, 1");
    add(&conn, 6, "project_id, scope", "2, 'user'");
    add(&conn, 7, "project_id, scope, origin", "2, 'user', 'web'");
    add(&conn, 8, "pinned, origin", "1, 'web'");
    add(&conn, 9, "quarantined, pinned", "1, 1");
    assert_eq!(ids(newest_for_context(&conn, 1, &[], 9).unwrap()), [5, 4, 1]);
    assert_eq!(ids(newest_for_context(&conn, 1, &[1], 9).unwrap()), [5, 4]);
    assert_eq!(ids(newest_for_context(&conn, 1, &[], 1).unwrap()), [5]);
    assert_eq!(ids(pinned_for_context(&conn, 1, &[], 9).unwrap()), [5]);
    assert_eq!(ids(user_for_context(&conn, &[], 9).unwrap()), [6]);
}

#[test]
fn only_headlines_of_the_user_carry_text() {
    let conn = open();
    add(&conn, 1, "", "");
    add(&conn, 2, "pinned", "1");
    add(&conn, 3, "origin", "'user'");
    add(&conn, 4, "scope", "'user'");
    let texts: Vec<_> = newest_for_context(&conn, 1, &[], 9)
        .unwrap()
        .into_iter()
        .map(|h| h.text.is_some())
        .collect();
    assert_eq!(texts, [false, true, false, false]);
}

#[test]
fn observations_are_found_by_path() {
    let conn = open();
    for id in 1..=4 {
        add(&conn, id, "project_id", if id == 3 { "2" } else { "1" });
    }
    conn.execute_batch(
        "INSERT INTO observation_files (observation_id, path, role) VALUES
           (1, 'a.rs', 'read'), (1, 'a.rs', 'modified'), (2, 'b.rs', 'read'),
           (3, 'a.rs', 'read'), (4, 'a.rs', 'read')",
    )
    .unwrap();
    assert_eq!(mentioning(&conn, &["a.rs"]).unwrap(), [4, 3, 1]);
    assert_eq!(mentioning(&conn, &["b.rs", "a.rs", "c.rs"]).unwrap(), [4, 3, 2, 1]);
    let all = [4, 3, 2, 1];
    assert_eq!(ids(for_context_among(&conn, 1, &all, &[], 9).unwrap()), [4, 2, 1]);
    assert_eq!(ids(for_context_among(&conn, 1, &all, &[], 1).unwrap()), [4]);
    assert_eq!(ids(for_context_among(&conn, 2, &all, &[], 9).unwrap()), [3]);
    assert!(for_context_among(&conn, 1, &all, &[1], 9).unwrap().is_empty());
    assert_eq!(recent_paths(&conn, 1).unwrap(), ["a.rs", "b.rs"]);
    assert_eq!(recent_paths(&conn, 2).unwrap(), ["a.rs"]);
}

/// The cost of a session's start must not grow with the store. Every query walks an index from its
/// newest end; none sorts or scans a table.
#[test]
fn context_queries_use_an_index() {
    let conn = open();
    let check = |sql: &str, index: &str| {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let empty = vec![rusqlite::types::Value::Null; plan.parameter_count()];
        let steps: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(empty), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let costly = |step: &&String| {
            let harmless = *step == "SCAN o" // The subquery of that name.
                || step.starts_with("SCAN json_each ")
                || step.starts_with("SCAN wanted ")
                // The rows that the user marked or closed.
                || *step == "SCAN m" || *step == "SCAN c"
                // A partial index that holds only the wanted rows may be scanned.
                || step.starts_with("SCAN observations USING INDEX observations_newest_user");
            // Sorts at most 40 rows per changed file, or the few turns that belong to other projects.
            let few = [context_sql(AMONG), summaries::heads_sql()];
            let sorts_few = few.iter().any(|s| s == sql) && *step == "USE TEMP B-TREE FOR ORDER BY"
                || sql == marks::PINNED_SESSIONS;
            (step.starts_with("SCAN") && !harmless) || step.contains("TEMP B-TREE") && !sorts_few
        };
        assert_eq!(steps.iter().find(costly), None, "{sql}\n{steps:#?}");
        assert!(steps.iter().any(|s| s.contains(index)), "{index}\n{steps:#?}");
    };
    check(&context_sql(NEWEST), "observations_newest (project_id=?)");
    check(&context_sql(PINNED), "observations_newest_pinned (project_id=?)");
    check(&context_sql(OF_USER), "observations_newest_of_user (project_id=?)");
    check(&context_sql(USER), "SCAN observations USING INDEX observations_newest_user");
    check(&context_sql(AMONG), "INTEGER PRIMARY KEY (rowid=?)");
    check(MENTIONING, "observation_files_path (path=?)");
    check(RECENT_PATHS, "observations_newest (project_id=?)");
    check(SESSIONS_OF_BRANCH, "observations_newest_of_branch (project_id=? AND branch=?)");
    check(BLOBS_OF_SESSION, "observations_turn (session_id=?)");
    check(links::REPLACED_TITLES, "observations_newest_replaced (project_id=?)");
    check(marks::PINNED_SESSIONS, "SCAN m");
    check(&closed_steps::of_project_sql(), "SCAN c");
    check(&summaries::heads_sql(), "session_summaries_newest (project_id=?)");
    check(&summaries::of_session_sql("DESC"), "session_summaries_turn (session_id=?)");
}
