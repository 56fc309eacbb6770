//! `memctl import claude-mem`: databases with the schemas of its versions become memory, once.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{end, prompt, stop};

/// The tables of version 13, as its `SessionStore.ts` creates and alters them.
const VERSION_13: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE schema_versions (id INTEGER PRIMARY KEY, version INTEGER UNIQUE NOT NULL, applied_at TEXT NOT NULL);
CREATE TABLE sdk_sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, content_session_id TEXT NOT NULL, memory_session_id TEXT UNIQUE,
  project TEXT NOT NULL, platform_source TEXT NOT NULL DEFAULT 'claude', user_prompt TEXT,
  started_at TEXT NOT NULL, started_at_epoch INTEGER NOT NULL, completed_at TEXT,
  completed_at_epoch INTEGER,
  status TEXT NOT NULL DEFAULT 'active' CHECK(status IN ('active', 'completed', 'failed')),
  worker_port INTEGER, prompt_counter INTEGER DEFAULT 0, custom_title TEXT);
CREATE UNIQUE INDEX ux_sdk_sessions_platform_content ON sdk_sessions(platform_source, content_session_id);
CREATE TABLE observations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, memory_session_id TEXT NOT NULL, project TEXT NOT NULL,
  text TEXT, type TEXT NOT NULL, title TEXT, subtitle TEXT, facts TEXT, narrative TEXT, concepts TEXT,
  files_read TEXT, files_modified TEXT, prompt_number INTEGER, discovery_tokens INTEGER DEFAULT 0,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL, content_hash TEXT,
  generated_by_model TEXT, relevance_count INTEGER DEFAULT 0, merged_into_project TEXT,
  agent_type TEXT, agent_id TEXT, metadata TEXT, synced_at INTEGER, origin_device_id TEXT,
  origin_local_id TEXT, sync_rev TEXT NOT NULL DEFAULT '1',
  FOREIGN KEY(memory_session_id) REFERENCES sdk_sessions(memory_session_id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE session_summaries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, memory_session_id TEXT NOT NULL, project TEXT NOT NULL,
  request TEXT, investigated TEXT, learned TEXT, completed TEXT, next_steps TEXT, files_read TEXT,
  files_edited TEXT, notes TEXT, prompt_number INTEGER, discovery_tokens INTEGER DEFAULT 0,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL, merged_into_project TEXT,
  synced_at INTEGER, origin_device_id TEXT, origin_local_id TEXT, sync_rev TEXT NOT NULL DEFAULT '1',
  FOREIGN KEY(memory_session_id) REFERENCES sdk_sessions(memory_session_id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE user_prompts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, session_db_id INTEGER, content_session_id TEXT NOT NULL,
  prompt_number INTEGER NOT NULL, prompt_text TEXT NOT NULL, created_at TEXT NOT NULL,
  created_at_epoch INTEGER NOT NULL, synced_at INTEGER,
  FOREIGN KEY(session_db_id) REFERENCES sdk_sessions(id) ON DELETE CASCADE);
CREATE VIRTUAL TABLE user_prompts_fts USING fts5(prompt_text, content='user_prompts', content_rowid='id');
";

/// The tables of version 4: other names of the session ids, one text per observation.
const VERSION_4: &str = "
CREATE TABLE sdk_sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, claude_session_id TEXT UNIQUE NOT NULL, sdk_session_id TEXT UNIQUE,
  project TEXT NOT NULL, user_prompt TEXT, started_at TEXT NOT NULL, started_at_epoch INTEGER NOT NULL,
  completed_at TEXT, completed_at_epoch INTEGER,
  status TEXT CHECK(status IN ('active', 'completed', 'failed')) NOT NULL DEFAULT 'active');
CREATE TABLE observations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sdk_session_id TEXT NOT NULL, project TEXT NOT NULL,
  text TEXT NOT NULL,
  type TEXT NOT NULL CHECK(type IN ('decision', 'bugfix', 'feature', 'refactor', 'discovery')),
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL);
CREATE TABLE session_summaries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sdk_session_id TEXT UNIQUE NOT NULL, project TEXT NOT NULL,
  request TEXT, investigated TEXT, learned TEXT, completed TEXT, next_steps TEXT, files_read TEXT,
  files_edited TEXT, notes TEXT, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL);
INSERT INTO sdk_sessions VALUES (1, 'old', 'sdk-old', 'app', 'go', '', 1760000000000, NULL, NULL, 'active');
INSERT INTO observations VALUES (1, 'sdk-old', 'app', 'The exporter writes version 2.' || char(10) || 'It was version 1 before.', 'decision', '', 1760000001000);
INSERT INTO session_summaries VALUES (1, 'sdk-old', 'app', 'Port the exporter', '', 'Version 2 has a header', 'Ported it', '', 'a.rs, b.rs', '[\"c.rs\"]', NULL, '', 1760000002000);
";

/// The tables of version 3: chunks of transcripts, times in seconds.
const VERSION_3: &str = "
CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT UNIQUE NOT NULL,
  project TEXT NOT NULL, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL,
  source TEXT NOT NULL DEFAULT 'compress', archive_path TEXT);
CREATE TABLE memories (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, text TEXT NOT NULL,
  document_id TEXT UNIQUE, keywords TEXT, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL,
  project TEXT NOT NULL, archive_basename TEXT, origin TEXT NOT NULL DEFAULT 'transcript', title TEXT,
  subtitle TEXT, facts TEXT, concepts TEXT, files_touched TEXT);
CREATE TABLE overviews (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, content TEXT NOT NULL,
  created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL, project TEXT NOT NULL,
  origin TEXT NOT NULL DEFAULT 'claude');
INSERT INTO sessions VALUES (1, 'oldest', 'app', '', 1750000000, 'compress', NULL);
INSERT INTO memories VALUES (1, 'oldest', 'The parser is recursive.', 'd', 'parser', '', 1750000001, 'app', NULL, 'transcript', NULL, NULL, NULL, NULL, NULL);
INSERT INTO overviews VALUES (1, 'oldest', 'The parser was written.', '', 1750000002, 'app', 'claude');
";

fn database(w: &World, schema: &str) -> (PathBuf, Connection) {
    let dir = w.path("home").join(".claude-mem");
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("claude-mem.db");
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch(schema).unwrap();
    (file, conn)
}

/// Sessions with two prompts, four observations and two summaries of each prompt.
fn fill(conn: &Connection, sessions: i64) {
    for n in 1..=sessions {
        let at = 1_770_000_000_000 + n * 1_000_000;
        conn.execute(
            "INSERT INTO sdk_sessions (content_session_id, memory_session_id, project, started_at,
               started_at_epoch, status, prompt_counter)
             VALUES (?1, ?2, ?3, '', ?4, 'active', 2)",
            (format!("content-{n}"), format!("memory-{n}"), format!("p{}", n % 3), at),
        )
        .unwrap();
        for p in 1..=2 {
            conn.execute(
                "INSERT INTO user_prompts (session_db_id, content_session_id, prompt_number, prompt_text,
                   created_at, created_at_epoch) VALUES (?1, ?2, ?3, ?4, '', ?5)",
                (n, format!("content-{n}"), p, format!("Prompt {p} of {n}"), at + p),
            )
            .unwrap();
            for o in 0..4 {
                conn.execute(
                    "INSERT INTO observations (memory_session_id, project, type, title, narrative, facts,
                       concepts, files_read, files_modified, prompt_number, created_at, created_at_epoch)
                     VALUES (?1, ?2, 'bugfix', ?3, ?4, '[\"a fact\"]', '[\"gotcha\"]', '[]',
                       '[\"src/a.rs\"]', ?5, '', ?6)",
                    (
                        format!("memory-{n}"),
                        format!("p{}", n % 3),
                        format!("Fixed the exporter {n}.{p}.{o}"),
                        "It wrote the wrong version.",
                        p,
                        at + p,
                    ),
                )
                .unwrap();
            }
            for s in 0..2 {
                conn.execute(
                    "INSERT INTO session_summaries (memory_session_id, project, request, learned,
                       completed, prompt_number, created_at, created_at_epoch)
                     VALUES (?1, ?2, ?3, 'Headers matter', ?4, ?5, '', ?6)",
                    (
                        format!("memory-{n}"),
                        format!("p{}", n % 3),
                        format!("Request {p} of session {n}"),
                        format!("The exporter {n} writes version {s} now."),
                        p,
                        at + p,
                    ),
                )
                .unwrap();
            }
        }
    }
}

fn import(w: &World, args: &[&str]) -> Value {
    w.memctl(&[&["import", "claude-mem", "--json"], args].concat()).json()
}

fn counts(w: &World) -> Vec<i64> {
    let tables = ["sessions", "user_prompts", "observations", "session_summaries", "projects"];
    tables.map(|table| w.count(&format!("SELECT count(*) FROM {table}"))).to_vec()
}

#[test]
fn the_newest_schema_is_taken_in_once_while_its_program_writes() {
    let w = World::new();
    let (file, conn) = database(&w, VERSION_13);
    fill(&conn, 30);
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    let report = import(&w, &[]);
    conn.execute_batch("ROLLBACK").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before, "nothing was written");
    let read = ["sessions", "prompts", "observations", "summaries"];
    assert_eq!(read.map(|key| report[key].as_i64().unwrap()), [30, 60, 240, 120], "{report}");
    assert_eq!(counts(&w), [30, 60, 240, 120, 3]);
    assert_eq!(w.rows("SELECT DISTINCT origin || scope FROM observations"), ["importproject"]);
    assert_eq!(w.rows("SELECT DISTINCT status FROM sessions"), ["completed"]);
    assert_eq!(w.unfinished(), 0);
    let report = import(&w, &[]);
    assert_eq!(report["new"], 0, "{report}");
    assert_eq!(counts(&w), [30, 60, 240, 120, 3]);
    let context = w.memctl(&["context", "--project", "p0"]).ok();
    assert!(context.contains("Request 2 of session 30"), "{context}");
    // What is forgotten does not come back.
    w.memctl(&["forget", "content-30", "--yes"]).ok();
    let forgotten = counts(&w);
    import(&w, &[]);
    assert_eq!(counts(&w), forgotten);
}

#[test]
fn an_import_that_is_killed_is_completed_by_the_next_one() {
    let mut w = World::new();
    let (_, conn) = database(&w, VERSION_13);
    fill(&conn, 40);
    w.set("MEMCTL_TESTPOINT", "import.stored#2=kill");
    assert_eq!(w.memctl(&["import", "claude-mem"]).code, None);
    w.set("MEMCTL_TESTPOINT", "");
    assert!(counts(&w)[2] < 320);
    import(&w, &[]);
    assert_eq!(counts(&w), [40, 80, 320, 160, 3]);
}

#[test]
fn the_schemas_of_the_first_versions_are_read() {
    let w = World::new();
    database(&w, VERSION_4);
    let report = import(&w, &[]);
    assert_eq!(report["new"], 4, "a session, an observation, a summary and a project: {report}");
    let row = w.rows("SELECT type || '|' || title || '|' || narrative FROM observations").remove(0);
    assert!(row.starts_with("decision|The exporter writes version 2.|The exporter"), "{row}");
    assert!(row.ends_with("It was version 1 before."), "{row}");
    let files = "SELECT files_read || files_modified FROM session_summaries";
    assert_eq!(w.rows(files), ["[\"a.rs\",\"b.rs\"][\"c.rs\"]"]);

    let w = World::new();
    database(&w, VERSION_3);
    import(&w, &[]);
    assert_eq!(w.rows("SELECT title FROM observations"), ["The parser is recursive."]);
    let row = "SELECT learned || created_at_epoch FROM session_summaries";
    assert_eq!(w.rows(row), ["The parser was written.1750000002000"]);
}

#[test]
fn a_session_that_hooks_have_recorded_keeps_its_own_rows() {
    let w = World::new();
    let (_, conn) = database(&w, VERSION_13);
    fill(&conn, 1);
    w.hook(&prompt("content-1", "t", "typed live"));
    w.hook(&stop("content-1", "t", "The exporter is ported; it writes version 2 now."));
    w.hook(&end("content-1"));
    w.settle();
    import(&w, &[]);
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["typed live"]);
    assert_eq!(w.count("SELECT count(*) FROM sessions"), 1);
    assert_eq!(w.count("SELECT count(*) FROM observations WHERE origin = 'import'"), 8);
    w.hook(&prompt("content-1", "t2", "Go on."));
    w.hook(&end("content-1"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 2);
}

#[test]
fn a_project_is_found_by_its_transcripts_or_named_by_the_user() {
    let w = World::new();
    let (_, conn) = database(&w, VERSION_13);
    fill(&conn, 2);
    let dir = |name: &str| {
        let dir = w.path("home").join(name);
        fs::create_dir(&dir).unwrap();
        dir.to_str().unwrap().to_owned()
    };
    let (one, two) = (dir("p1"), dir("two"));
    let transcripts = w.path("home").join(".claude/projects/-p1");
    fs::create_dir_all(&transcripts).unwrap();
    let line = json!({"type": "user", "uuid": "u", "sessionId": "content-1", "cwd": one,
        "timestamp": "2026-03-02T10:00:00Z", "message": {"content": "hi"}});
    fs::write(transcripts.join("content-1.jsonl"), format!("{line}\n")).unwrap();
    import(&w, &["--map", &format!("p2={two}")]);
    let root = |dir: &str| w.memctl(&["context", "--project", dir]).ok();
    assert!(root(&one).contains("session 1"), "{}", root(&one));
    assert!(root(&two).contains("session 2"), "{}", root(&two));
    let output = w.memctl(&["import", "claude-mem", "--map", "p2"]);
    assert_eq!(output.code, Some(2), "{output:?}");
}

#[test]
fn another_file_is_refused() {
    let w = World::new();
    let output = w.memctl(&["import", "claude-mem"]);
    assert!(output.err.contains("no database of claude-mem at "), "{output:?}");
    assert!(output.err.contains("hint: name its file"), "{output:?}");
    let file = w.path("other.db");
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let output = w.memctl(&["import", "claude-mem", file.to_str().unwrap()]);
    assert!(output.err.contains("is not a database of claude-mem"), "{output:?}");
    assert!(output.err.contains("hint: name its file"), "{output:?}");
}
