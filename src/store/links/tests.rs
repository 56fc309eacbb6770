use rusqlite::Connection;

use super::*;
use crate::store::testing::{in_memory_db, write};

/// Inserts a statement of the user and returns its id.
fn say(conn: &mut Connection, at: i64, columns: &[(&str, &str)], title: &str) -> i64 {
    let mut row: Vec<(&str, String)> = vec![
        ("uuid", format!("'u{at}'")),
        ("project_id", "1".into()),
        ("origin", "'user'".into()),
        ("type", "'decision'".into()),
        ("title", format!("'{}'", title.replace('\'', "''"))),
        ("backend", "'x'".into()),
        ("content_hash", format!("'{at}'")),
        ("created_at_epoch", at.to_string()),
        ("changed_at_epoch", at.to_string()),
    ];
    for (name, value) in columns {
        row.retain(|(known, _)| known != name);
        row.push((name, (*value).to_owned()));
    }
    let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    write(conn, |tx| {
        let names = names.join(", ");
        let values = values.join(", ");
        tx.execute(&format!("INSERT INTO observations ({names}) VALUES ({values})"), [])?;
        let id = tx.last_insert_rowid();
        reconcile(tx, &[id], 100 + at)?;
        Ok(id)
    })
}

fn db() -> Connection {
    let conn = in_memory_db();
    let project = "INSERT INTO projects (id, name, root) VALUES (1, 'p', '/p')";
    conn.execute(project, []).unwrap();
    conn
}

/// The rows that are out: `1<2 replaces`.
fn out(conn: &Connection) -> Vec<String> {
    let mut rows = conn.prepare("SELECT id FROM observations ORDER BY id").unwrap();
    let ids: Vec<i64> = rows.query_map([], |r| r.get(0)).unwrap().map(|id| id.unwrap()).collect();
    let link = |id: &i64| successor(conn, *id).unwrap().map(|l| (*id, l));
    let links = ids.iter().filter_map(link);
    links.map(|(id, l)| format!("{id}<{} {}", l.id, l.kind.as_str())).collect()
}

#[test]
fn the_newest_decision_of_three_holds() {
    let mut conn = db();
    say(&mut conn, 1, &[], "The ledger uses MySQL");
    say(&mut conn, 2, &[], "Amounts are integer cents");
    say(&mut conn, 3, &[], "Switch the ledger from MySQL to PostgreSQL");
    say(&mut conn, 4, &[], "The ledger uses CockroachDB instead of PostgreSQL");
    assert_eq!(out(&conn), ["1<3 replaces", "3<4 replaces"]);
    let titles = replaced_titles(&conn, 1, 9).unwrap();
    assert_eq!(titles, ["Switch the ledger from MySQL to PostgreSQL", "The ledger uses MySQL"]);
}

#[test]
fn a_replayed_old_statement_replaces_no_newer_one() {
    let mut conn = db();
    say(&mut conn, 20, &[], "The API listens on port 8443");
    say(&mut conn, 10, &[], "The API listens on port 8080");
    assert_eq!(out(&conn), ["2<1 replaces"]);
}

#[test]
fn a_lower_origin_replaces_no_higher_one() {
    let mut conn = db();
    let tool = ("origin", "'tool'");
    say(&mut conn, 1, &[], "The API listens on port 8080");
    say(&mut conn, 2, &[tool], "The API listens on port 8443");
    assert_eq!(out(&conn), [] as [&str; 0]);
    say(&mut conn, 3, &[tool], "The API listens on port 8080.");
    assert_eq!(out(&conn), ["2<3 replaces", "3<1 copies"], "a copy of a lower origin counts once");
    say(&mut conn, 4, &[], "The API listens on port 9000");
    assert_eq!(out(&conn), ["1<4 replaces", "2<3 replaces", "3<1 copies"]);
}

/// What was done stays true, what is told as a state does not.
#[test]
fn a_state_that_is_told_as_a_change_is_replaced() {
    let mut conn = db();
    let of_script = [("type", "'change'"), ("origin", "'import'")];
    say(&mut conn, 1, &of_script, "The minimum version is 1.74");
    say(&mut conn, 2, &of_script, "The broker is RabbitMQ");
    say(&mut conn, 3, &of_script, "Bump serde to 1.0.3");
    say(&mut conn, 4, &of_script, "The minimum version raised to 1.82");
    let explained = ("narrative", "'RabbitMQ is switched off. It was slow.'");
    say(&mut conn, 5, &[of_script[0], of_script[1], explained], "The broker moved to Redis");
    say(&mut conn, 6, &of_script, "Bump serde to 1.0.4");
    assert_eq!(out(&conn), ["1<4 replaces", "2<5 replaces"]);
    say(&mut conn, 7, &[], "Run the linter before each commit");
    say(&mut conn, 8, &[], "Before every commit, run the linter.");
    assert_eq!(out(&conn), ["1<4 replaces", "2<5 replaces", "7<8 copies"]);
}

#[test]
fn pinned_and_temporary_rows() {
    let mut conn = db();
    say(&mut conn, 1, &[("pinned", "1")], "The API listens on port 8080");
    say(&mut conn, 2, &[], "The API listens on port 8443");
    say(&mut conn, 3, &[], "The API listens on port 8080!");
    assert_eq!(out(&conn), ["2<3 replaces", "3<1 copies"]);
    say(&mut conn, 4, &[], "Releases go out on Tuesdays");
    say(&mut conn, 5, &[("expires_at_epoch", "99")], "Releases go out on Mondays");
    assert_eq!(out(&conn).len(), 2, "what holds for a while replaces nothing");
}

#[test]
fn copies_count_once_and_the_one_that_tells_more_stays() {
    let mut conn = db();
    say(
        &mut conn,
        1,
        &[("narrative", "'npm breaks the lockfile'")],
        "Install with pnpm, never npm",
    );
    say(&mut conn, 2, &[], "Install with pnpm, never npm!");
    say(&mut conn, 3, &[("narrative", "'something else'")], "Install with pnpm, never npm");
    assert_eq!(out(&conn), ["2<1 copies"]);
    let change = [("type", "'change'"), ("origin", "'tool'")];
    say(&mut conn, 4, &change, "Update the report");
    say(&mut conn, 5, &change, "Update the report");
    say(
        &mut conn,
        6,
        &[change[0], change[1], ("files_modified", "'[\"a\"]'")],
        "Update the report",
    );
    assert_eq!(out(&conn), ["2<1 copies", "4<5 copies"]);
}

#[test]
fn branches_and_prompts() {
    let mut conn = db();
    let on = |branch| [("origin", "'assistant'"), ("branch", branch)];
    say(&mut conn, 1, &on("'main'"), "The API listens on port 8080");
    say(&mut conn, 2, &on("'try'"), "The API listens on port 8443");
    assert_eq!(out(&conn), [] as [&str; 0], "the branch may never be merged");
    say(&mut conn, 3, &on("'main'"), "The API listens on port 9000");
    assert_eq!(out(&conn), ["1<3 replaces"]);
    conn.execute(
        "INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch,
        last_event_epoch) VALUES (1, 's', 'c', 's', 0, 0)",
        [],
    )
    .unwrap();
    let of_prompt = [("session_id", "1"), ("prompt_number", "4")];
    say(&mut conn, 4, &of_prompt, "Line length is 88");
    say(&mut conn, 5, &of_prompt, "Line length is 100");
    assert_eq!(out(&conn), ["1<3 replaces"], "both stand in one prompt");
}

#[test]
fn metadata_names_what_is_replaced() {
    let mut conn = db();
    say(&mut conn, 1, &[("external_id", "'jsonl:a'")], "Tea is in the left drawer");
    say(&mut conn, 2, &[("metadata", "'{\"supersedes\": [\"jsonl:a\"]}'")], "Coffee only");
    say(&mut conn, 3, &[("metadata", "'{\"supersedes\": \"o2\"}'"), ("origin", "'web'")], "Tea");
    assert_eq!(out(&conn), ["1<2 replaces"]);
}

#[test]
fn answers_to_one_question() {
    let mut conn = db();
    let asked = |question| [("concepts", "'[\"choice\"]'"), ("narrative", question)];
    say(&mut conn, 1, &asked("'Which database?'"), "SQLite");
    say(&mut conn, 2, &asked("'Which cache?'"), "SQLite");
    say(&mut conn, 3, &asked("'Which database?'"), "PostgreSQL");
    assert_eq!(out(&conn), ["1<3 replaces"]);
}

#[test]
fn an_undone_link_is_not_made_again() {
    let mut conn = db();
    let old = say(&mut conn, 1, &[], "The API listens on port 8080");
    let new = say(&mut conn, 2, &[], "The API listens on port 8443");
    let undone = write(&mut conn, |tx| undo(tx, old, 300));
    assert_eq!(undone.map(|link| link.id), Some(new));
    assert_eq!(write(&mut conn, |tx| undo(tx, old, 301)), None);
    write(&mut conn, |tx| reconcile(tx, &[new], 302));
    assert_eq!(out(&conn), [] as [&str; 0]);
    assert!(replaced_titles(&conn, 1, 9).unwrap().is_empty());
    assert!(write(&mut conn, |tx| supersede_by_user(tx, old, new, 303)));
    assert!(!write(&mut conn, |tx| supersede_by_user(tx, new, old, 304)), "no circle");
    assert_eq!(out(&conn), ["1<2 replaces"]);
}

#[test]
fn rules_of_an_older_release_are_linked_once() {
    let mut conn = db();
    say(&mut conn, 1, &[], "Deploy with Ansible");
    conn.execute_batch(
        "UPDATE projects SET linked = 0;
         INSERT INTO observations (uuid, project_id, origin, type, title, backend, content_hash,
           created_at_epoch, changed_at_epoch)
         VALUES ('old', 1, 'user', 'decision', 'Drop Ansible, use Nix', 'x', 'h', 2, 2);",
    )
    .unwrap();
    assert_eq!(out(&conn), [] as [&str; 0]);
    say(&mut conn, 3, &[], "Answers are short");
    assert_eq!(out(&conn), ["1<2 replaces"]);
}

#[test]
fn only_a_note_replaces_a_note() {
    let mut conn = db();
    conn.execute_batch(
        "INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch,
           last_event_epoch) VALUES (1, 's', 'c', 'x', 0, 0)",
    )
    .unwrap();
    let in_session = ("session_id", "1");
    say(&mut conn, 1, &[], "The API listens on port 8080");
    say(&mut conn, 2, &[in_session], "The API listens on port 8443");
    assert_eq!(out(&conn), [] as [&str; 0]);
    say(&mut conn, 3, &[in_session, ("prompt_number", "2")], "The API listens on port 8080.");
    assert_eq!(out(&conn), ["2<3 replaces", "3<1 copies"]);
    say(&mut conn, 4, &[], "The API listens on port 9000");
    assert_eq!(out(&conn), ["1<4 replaces", "2<3 replaces", "3<1 copies"]);
    say(&mut conn, 5, &[in_session, ("prompt_number", "3")], "The ledger uses MySQL");
    let edit =
        "INSERT INTO revisions (id, observation_id, content, at_epoch) VALUES (1, 5, '{}', 0)";
    conn.execute(edit, []).unwrap();
    let later = [in_session, ("prompt_number", "4")];
    say(&mut conn, 6, &later, "Switch the ledger from MySQL to PostgreSQL");
    assert_eq!(out(&conn).len(), 3, "a session does not replace what the user has edited");
}

#[test]
fn a_row_that_is_not_told_keeps_nothing_out() {
    let mut conn = db();
    say(&mut conn, 1, &[], "The ledger uses MySQL");
    let newer = say(&mut conn, 2, &[], "Switch the ledger from MySQL to PostgreSQL");
    write(&mut conn, |tx| release_replaced(tx, newer, 50));
    assert_eq!(out(&conn), [] as [&str; 0]);
    write(&mut conn, |tx| reconcile(tx, &[newer], 60));
    assert_eq!(out(&conn), ["1<2 replaces"]);
    say(&mut conn, 3, &[("hidden", "1")], "The ledger uses CockroachDB instead of PostgreSQL");
    say(&mut conn, 4, &[("feedback", "'wrong'")], "The ledger does not use PostgreSQL any more");
    assert_eq!(out(&conn), ["1<2 replaces"]);
}

#[test]
fn a_row_with_other_texts_is_compared_anew() {
    let mut conn = db();
    say(&mut conn, 1, &[], "The API listens on port 8080");
    let newer = say(&mut conn, 2, &[], "The API listens on port 8443");
    assert_eq!(out(&conn), ["1<2 replaces"]);
    write(&mut conn, |tx| {
        tx.execute("UPDATE observations SET title = 'Use Nix for builds' WHERE id = ?1", [newer])?;
        reset(tx, newer, 50)?;
        reconcile(tx, &[newer], 50)
    });
    assert_eq!(out(&conn), [] as [&str; 0]);
}
