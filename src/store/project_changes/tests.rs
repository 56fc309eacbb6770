//! Any changes, undone from the last to the first, leave the database as it was.

use memctl_proto::event::Project;
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::store::links;
use crate::store::testing::{in_memory_db, write};
use crate::store::words::{self, RowId};

/// Three projects with four sessions each, every session with a prompt, a summary and two observations.
fn database() -> Connection {
    let conn = in_memory_db();
    for project in 1..=3 {
        conn.execute_batch(&format!(
            "INSERT INTO projects (id, name, root) VALUES ({project}, 'p{project}', '/p{project}');
             INSERT INTO project_keys (key, project_id)
               VALUES ('dir:/p{project}', {project}), ('dir:/p{project}/x/.git', {project}),
                 ('git:h/o/p{project}', {project});
             INSERT INTO project_commits VALUES ({project}, 'shared', 1), ({project}, 'c{project}', 2);"
        ))
        .unwrap();
        for n in 0..4 {
            let id = project * 10 + n;
            conn.execute_batch(&format!(
                "INSERT INTO sessions (id, uuid, client, content_session_id, project_id, root, cwd,
                   started_at_epoch, last_event_epoch)
                 VALUES ({id}, 'u{id}', 'c', 's{id}', {project}, '/p{project}', '/p{project}/x', {n}, {n});
                 INSERT INTO user_prompts (id, uuid, event_id, session_id, prompt_number, prompt_text,
                   created_at_epoch) VALUES ({id}, 'p{id}', 'e{id}', {id}, 1, 'walnut text', 1);
                 INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number, request,
                   completed, backend, created_at_epoch, changed_at_epoch)
                 VALUES ({id}, 's{id}', {id}, {project}, 1, 'ask {id}', 'done walnut', 'b', 1, 1);"
            ))
            .unwrap();
            for row in [id, id + 100] {
                conn.execute_batch(&format!(
                    "INSERT INTO observations (id, uuid, session_id, project_id, origin, type, title,
                       backend, content_hash, created_at_epoch, changed_at_epoch)
                     VALUES ({row}, 'o{row}', {id}, {project}, 'user', 'note', 'title {row}', 'b',
                       'h{row}', {row}, 1)"
                ))
                .unwrap();
            }
        }
    }
    conn.execute_batch("INSERT INTO turn_projects VALUES (1, 20, 1), (2, 30, 1), (3, 10, 1)")
        .unwrap();
    let mut conn = conn;
    write(&mut conn, |tx| {
        for id in (10..34).filter(|id| id % 10 < 4) {
            let rows = [RowId::prompt(id), RowId::summary(id), RowId::observation(id)];
            let rows = rows.into_iter().chain([RowId::observation(id + 100)]);
            rows.into_iter().try_for_each(|row| words::add(tx, row))?;
        }
        links::supersede(tx, 10, 11, links::Kind::Replaces, 5)?;
        links::supersede(tx, 21, 22, links::Kind::Copies, 5)
    });
    conn
}

/// What must be as before. Times of changes are not.
fn dump(conn: &Connection) -> Vec<String> {
    [
        "SELECT id || name || root || separate || named || ifnull(merged_into, '') FROM projects",
        "SELECT key || ' ' || project_id FROM project_keys",
        "SELECT project_id || hash || seen_at_epoch FROM project_commits",
        "SELECT project_id || ' ' || session_id || ' ' || prompt_number FROM turn_projects",
        "SELECT id || ' ' || project_id || root || cwd FROM sessions",
        "SELECT id || ' ' || project_id || ifnull(superseded_by, '') FROM observations",
        "SELECT id || ' ' || project_id FROM session_summaries",
        "SELECT old_id || ' ' || new_id || kind || at_epoch || ifnull(undone_at_epoch, '')
         FROM observation_links",
        "SELECT scope || ' ' || kind || ' ' || n_rows || ' ' || n_words FROM word_totals
         WHERE n_rows > 0",
        "SELECT rowid || '' FROM words('walnut')",
    ]
    .iter()
    .flat_map(|sql| {
        let mut rows = conn.prepare(&format!("{sql} ORDER BY 1")).unwrap();
        let rows = rows.query_map([], |r| r.get::<_, String>(0)).unwrap();
        rows.map(|row| row.unwrap()).collect::<Vec<_>>()
    })
    .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Rename(i64),
    Merge(i64, i64),
    Split(i64, Vec<i64>, bool),
    Link(i64, i64),
    Unlink(i64),
    Move(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let project = || 1..4_i64;
    prop_oneof![
        project().prop_map(Step::Rename),
        (project(), project()).prop_map(|(a, b)| Step::Merge(a, b)),
        (project(), proptest::collection::vec(0..4_i64, 1..4), any::<bool>())
            .prop_map(|(project, sessions, dir)| Step::Split(project, sessions, dir)),
        (project(), project()).prop_map(|(a, b)| Step::Link(a, b)),
        project().prop_map(Step::Unlink),
        project().prop_map(Step::Move),
    ]
}

/// The project in which the first one is by now.
fn current(conn: &Connection, id: i64) -> i64 {
    let sql = "SELECT merged_into FROM projects WHERE id = ?1";
    let into: Option<i64> = conn.query_row(sql, [id], |r| r.get(0)).unwrap();
    into.map_or(id, |into| current(conn, into))
}

fn planned(conn: &Connection, step: &Step) -> Option<Change> {
    let claimed = |id: i64| Project {
        keys: vec![format!("git:h/o/p{id}"), format!("dir:/p{id}")],
        name: format!("p{id}"),
        root: format!("/p{id}"),
    };
    Some(match step {
        Step::Rename(id) => rename(current(conn, *id), "renamed"),
        Step::Merge(a, b) => {
            let (a, b) = (current(conn, *a), current(conn, *b));
            (a != b).then(|| merge(conn, a, b).unwrap())?
        }
        Step::Split(id, sessions, dir) => {
            let sessions: Vec<i64> = sessions.iter().map(|n| id * 10 + n).collect();
            let project = current(conn, *id);
            let all = super::sessions(conn, project, &Sessions::default()).unwrap();
            let sessions: Vec<i64> = all.into_iter().filter(|s| sessions.contains(s)).collect();
            let new = NewProject {
                name: "new".into(),
                root: String::new(),
                named: true,
                separate: false,
            };
            let dir = dir.then(|| format!("/p{id}"));
            let dir = dir.as_deref().map(std::path::Path::new);
            split(conn, project, &sessions, dir, Target::New(new)).unwrap()
        }
        Step::Link(a, b) => {
            let change = link(conn, &claimed(*a), current(conn, *b)).unwrap();
            (!change.moved.is_empty()).then_some(change)?
        }
        Step::Unlink(id) => {
            let project = projects::by_key(conn, &format!("dir:/p{id}")).unwrap()?;
            unlink(conn, &claimed(*id), project).unwrap()
        }
        Step::Move(id) => {
            let (old, new) = (format!("/p{id}"), format!("/moved{id}"));
            relocate(conn, old.as_ref(), new.as_ref()).unwrap()?
        }
    })
}

/// Moves all rows of a change. Between the pieces, a session stores a row, and the store is one that an export can
/// tell. Returns how many rows were stored.
fn finish(conn: &mut Connection, now: i64, session: i64) -> i64 {
    let mut n = 0;
    while write(conn, |tx| move_piece(tx, now)) {
        let unlisted: i64 = conn
            .query_row(
                "SELECT count(*) FROM projects p
                 WHERE (merged_into NOTNULL OR NOT EXISTS (SELECT 1 FROM project_keys WHERE project_id = p.id))
                   AND (EXISTS (SELECT 1 FROM sessions WHERE project_id = p.id)
                     OR EXISTS (SELECT 1 FROM observations WHERE project_id = p.id))",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(unlisted, 0, "a project with rows has no key or is merged");
        write(conn, |tx| {
            tx.execute(
                "INSERT INTO observations (uuid, session_id, project_id, origin, type, title, backend,
                   content_hash, created_at_epoch, changed_at_epoch)
                 SELECT 'later ' || ?2 || ' ' || ?3, id, project_id, 'tool', 'change', 'later', 'b',
                   'later ' || ?2 || ' ' || ?3, ?2, ?2
                 FROM sessions WHERE id = ?1",
                [session, now, n],
            )?;
            words::add(tx, RowId::observation(tx.last_insert_rowid()))
        });
        n += 1;
    }
    n
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn undone_changes_leave_no_trace(
        steps in proptest::collection::vec(step(), 1..8),
        session in (1..4_i64, 0..4_i64).prop_map(|(project, n)| project * 10 + n),
    ) {
        let mut conn = database();
        let before = dump(&conn);
        let mut now = 100;
        let mut stored_meanwhile = 0;
        for step in &steps {
            now += 10;
            if let Some(change) = planned(&conn, step) {
                let counts = change.counts();
                let id = write(&mut conn, |tx| apply(tx, change, now));
                stored_meanwhile += finish(&mut conn, now, session);
                let made = get(&conn, id).unwrap().unwrap();
                prop_assert_eq!(made.change.counts().sessions, counts.sessions);
            }
        }
        let lost: i64 = conn
            .query_row("SELECT count(*) FROM sessions s WHERE NOT EXISTS
               (SELECT 1 FROM projects p WHERE p.id = s.project_id AND p.merged_into IS NULL)", [], |r| r.get(0))
            .unwrap();
        prop_assert_eq!(lost, 0, "a session belongs to a project that is listed");
        while let Some(stored) = list(&conn, None).unwrap().into_iter().next() {
            now += 10;
            prop_assert_eq!(later(&conn, &stored).unwrap(), None);
            let undone = write(&mut conn, |tx| undo(tx, &stored, now));
            prop_assert_eq!(undone, Undone::default());
            stored_meanwhile += finish(&mut conn, now, session);
        }
        let ids = "SELECT o.id FROM observations o JOIN sessions s ON s.id = o.session_id
             AND s.project_id = o.project_id WHERE o.title = 'later'";
        let later: Vec<i64> =
            conn.prepare(ids).unwrap().query_map([], |r| r.get(0)).unwrap().map(|id| id.unwrap()).collect();
        prop_assert_eq!(later.len() as i64, stored_meanwhile, "the rows of a session stay with it");
        write(&mut conn, |tx| {
            later.iter().try_for_each(|id| words::remove(tx, RowId::observation(*id)))?;
            Ok(tx.execute("DELETE FROM observations WHERE title = 'later'", [])?)
        });
        prop_assert_eq!(dump(&conn), before);
    }
}
