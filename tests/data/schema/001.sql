PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES('schema','58d7405321c1a849 34 wal');
CREATE TABLE projects (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  root TEXT NOT NULL
);
INSERT INTO projects VALUES(1,'tally','/home/me/tally');
CREATE TABLE project_keys (
  key        TEXT PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects(id)
) WITHOUT ROWID;
INSERT INTO project_keys VALUES('dir:/home/me/tally',1);
CREATE TABLE sessions (
  id                 INTEGER PRIMARY KEY,
  uuid               TEXT NOT NULL UNIQUE,
  client             TEXT NOT NULL,
  content_session_id TEXT NOT NULL,
  parent_session_id  INTEGER REFERENCES sessions(id),
  memory_session_id  TEXT,
  project_id         INTEGER REFERENCES projects(id),
  root               TEXT,
  cwd                TEXT,
  status             TEXT NOT NULL DEFAULT 'active',
  end_reason         TEXT,
  prompt_counter     INTEGER NOT NULL DEFAULT 0,
  generation         INTEGER NOT NULL DEFAULT 0,
  restarts           INTEGER NOT NULL DEFAULT 0,
  backend            TEXT,
  client_pid         INTEGER,
  client_start       INTEGER,
  context_epoch      INTEGER,
  started_at_epoch   INTEGER NOT NULL,
  last_event_epoch   INTEGER NOT NULL,
  completed_at_epoch INTEGER
);
INSERT INTO sessions VALUES(1,'01a21c8d-d932-71ba-82f0-991a1e2a4365','claude-code','11111111-aaaa-4bbb-8ccc-000000000001',NULL,NULL,1,'/home/me/tally','/home/me/tally','completed','prompt_input_exit',3,1,0,'extractive',4243,1,NULL,1795775387889,1795775388025,1795775388025);
INSERT INTO sessions VALUES(2,'01a21c8d-e56a-79f9-9772-533643d1f9ed','claude-code','22222222-aaaa-4bbb-8ccc-000000000002',NULL,NULL,1,'/home/me/tally','/home/me/tally','active',NULL,1,1,1,NULL,4243,1,NULL,1795775391048,1795775391580,NULL);
CREATE TABLE user_prompts (
  id                 INTEGER PRIMARY KEY,
  uuid               TEXT NOT NULL UNIQUE,
  event_id           TEXT NOT NULL,
  session_id         INTEGER NOT NULL REFERENCES sessions(id),
  turn_id            TEXT,
  prompt_number      INTEGER NOT NULL,
  prompt_text        TEXT,
  private            INTEGER NOT NULL DEFAULT 0,
  created_at_epoch   INTEGER NOT NULL,
  finalized_at_epoch INTEGER,
  finalized_by       TEXT
);
INSERT INTO user_prompts VALUES(1,'01a21c8d-d932-7294-9140-af801d841445','01a21c8d-d8f1-71c3-81f9-c3bb3900ce15',1,'t1',1,'February counts one day too few, please fix it.',0,1795775387889,1795775387954,'stop');
INSERT INTO user_prompts VALUES(2,'01a21c8d-d932-7dd6-bfa7-678006e8fec3','01a21c8d-d944-763a-86d7-c0c85d40b747',1,'t2',2,NULL,1,1795775387954,1795775387954,'stop');
INSERT INTO user_prompts VALUES(3,'01a21c8d-d932-7a4f-93f9-14f7a7e18812','01a21c8d-d960-7623-98b4-20fcb61109d9',1,'t3',3,'Accept 29.02.2024, too.',0,1795775387954,1795775388023,'stop');
INSERT INTO user_prompts VALUES(4,'01a21c8d-e56a-71d7-b2b7-b721e9d99aa7','01a21c8d-e548-7473-a7a3-6a19fa0415c4',2,'t1',1,'Why is the report slow?',0,1795775391048,NULL,NULL);
CREATE TABLE pending_messages (
  id                          INTEGER PRIMARY KEY,
  event_id                    TEXT NOT NULL,
  session_id                  INTEGER NOT NULL REFERENCES sessions(id),
  content_session_id          TEXT NOT NULL,
  turn_id                     TEXT,
  tool_use_id                 TEXT,
  agent_id                    TEXT,
  agent_type                  TEXT,
  message_type                TEXT NOT NULL,
  event                       TEXT NOT NULL,
  tool_name                   TEXT,
  tool_input                  TEXT,
  tool_response               TEXT,
  cwd                         TEXT,
  last_assistant_message      TEXT,
  prompt_number               INTEGER NOT NULL DEFAULT 0,
  status                      TEXT NOT NULL DEFAULT 'pending',
  retry_count                 INTEGER NOT NULL DEFAULT 0,
  claims                      INTEGER NOT NULL DEFAULT 0,
  not_before_epoch            INTEGER,
  error                       TEXT,
  worker_pid                  INTEGER,
  created_at_epoch            INTEGER NOT NULL,
  started_processing_at_epoch INTEGER,
  completed_at_epoch          INTEGER
);
INSERT INTO pending_messages VALUES(1,'01a21c8d-d903-7734-97a1-9c4118a14a48',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1','u1',NULL,NULL,'observation','tool','Read',NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387907,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(2,'01a21c8d-d90b-72d4-bad8-5c46d655506a',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1','u2',NULL,NULL,'observation','tool','Bash',NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387915,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(3,'01a21c8d-d91d-704b-8c20-136b3ed7946c',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1','u3',NULL,NULL,'observation','tool','Edit',NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387933,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(4,'01a21c8d-d925-7205-9701-5c172a918f5f',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1','u4',NULL,NULL,'observation','tool','Bash',NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387941,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(5,'01a21c8d-d931-7310-b8e8-ce08539c05f8',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1','u5',NULL,NULL,'observation','tool','Bash',NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387953,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(6,'01a21c8d-d93d-7462-a0b2-1f0106435981',1,'11111111-aaaa-4bbb-8ccc-000000000001','t1',NULL,NULL,NULL,'summarize','stop',NULL,NULL,NULL,NULL,NULL,1,'processed',0,1,NULL,NULL,NULL,1795775387954,1795775388007,1795775388011);
INSERT INTO pending_messages VALUES(7,'01a21c8d-d951-769c-a0bf-1b5225016c22',1,'11111111-aaaa-4bbb-8ccc-000000000001','t2','u6',NULL,NULL,'observation','tool',NULL,NULL,NULL,NULL,NULL,2,'processed',0,0,NULL,NULL,NULL,1795775387954,NULL,1795775387954);
INSERT INTO pending_messages VALUES(8,'01a21c8d-d958-7283-bfde-b1b8a1bf6dda',1,'11111111-aaaa-4bbb-8ccc-000000000001','t2',NULL,NULL,NULL,'summarize','stop',NULL,NULL,NULL,NULL,NULL,2,'processed',0,0,NULL,NULL,NULL,1795775387954,NULL,1795775387954);
INSERT INTO pending_messages VALUES(9,'01a21c8d-d974-734d-b502-9e6011a36375',1,'11111111-aaaa-4bbb-8ccc-000000000001','t3','u7',NULL,NULL,'observation','tool','Edit',NULL,NULL,NULL,NULL,3,'processed',0,1,NULL,NULL,NULL,1795775388019,1795775388026,1795775388043);
INSERT INTO pending_messages VALUES(10,'01a21c8d-d977-7389-932d-2dd0e6093121',1,'11111111-aaaa-4bbb-8ccc-000000000001','t3',NULL,NULL,NULL,'summarize','stop',NULL,NULL,NULL,NULL,NULL,3,'processed',0,1,NULL,NULL,NULL,1795775388023,1795775388026,1795775388043);
INSERT INTO pending_messages VALUES(11,'01a21c8d-d979-757c-97b4-d3e0d3242844',1,'11111111-aaaa-4bbb-8ccc-000000000001',NULL,NULL,NULL,NULL,'summarize','end',NULL,NULL,NULL,NULL,NULL,3,'processed',0,0,NULL,NULL,NULL,1795775388025,NULL,1795775388039);
INSERT INTO pending_messages VALUES(12,'01a21c8d-e75d-70ca-8bc3-6c4771ca6c32',2,'22222222-aaaa-4bbb-8ccc-000000000002','t1','u1',NULL,NULL,'observation','tool','Read','{"file_path": "/home/me/tally/src/report.rs"}','{"type": "text", "file": {"filePath": "/home/me/tally/src/report.rs", "content": "fn month() {}\n", "numLines": 1, "startLine": 1, "totalLines": 1}}','/home/me/tally',NULL,1,'processing',0,1,NULL,NULL,4242,1795775391580,1795775391580,NULL);
INSERT INTO pending_messages VALUES(13,'019b0000-0000-7000-8000-00000000dead',2,'22222222-aaaa-4bbb-8ccc-000000000002','t1','toolu_failed',NULL,NULL,'observation','tool','Bash','{"command":"make docs"}','{"stdout":"prose"}',NULL,NULL,1,'failed',3,0,NULL,'prose instead of observations',NULL,1795775391580,NULL,1795775391589);
CREATE TABLE observations (
  id               INTEGER PRIMARY KEY,
  uuid             TEXT NOT NULL UNIQUE,
  external_id      TEXT,
  session_id       INTEGER REFERENCES sessions(id),
  project_id       INTEGER REFERENCES projects(id),
  scope            TEXT NOT NULL DEFAULT 'project',
  origin           TEXT NOT NULL,
  prompt_number    INTEGER NOT NULL DEFAULT 0,
  agent_id         TEXT,
  agent_type       TEXT,
  type             TEXT NOT NULL,
  title            TEXT NOT NULL,
  subtitle         TEXT,
  narrative        TEXT,
  facts            TEXT NOT NULL DEFAULT '[]',
  concepts         TEXT NOT NULL DEFAULT '[]',
  files_read       TEXT NOT NULL DEFAULT '[]',
  files_modified   TEXT NOT NULL DEFAULT '[]',
  metadata         TEXT NOT NULL DEFAULT '{}',
  backend          TEXT NOT NULL,
  content_hash     TEXT NOT NULL,
  tokens           INTEGER NOT NULL DEFAULT 0,
  pinned           INTEGER NOT NULL DEFAULT 0,
  weight           REAL NOT NULL DEFAULT 0,
  superseded_by    TEXT,
  expires_at_epoch INTEGER,
  created_at_epoch INTEGER NOT NULL,
  changed_at_epoch INTEGER NOT NULL
);
INSERT INTO observations VALUES(1,'01a21c8d-d96b-7f02-a086-7adce820f82e',NULL,1,1,'project','tool',1,NULL,NULL,'bugfix','Count leap days','February counts one day too few, please fix it.','Problem: `cargo test` failed in leap: test result: FAILED. 4 passed; 1 failed. Solution: February 29th counts now: `days_in` knows the leap years.','["Commit eaf42da on main: Count leap days (1 file changed, 1 insertion(+), 1 deletion(-))","cargo test: 5 passed","src/date.rs: `28` became `days_in(year, month)`"]','["problem-solution"]','[]','["src/date.rs"]','{}','extractive','d75fc1b537b6e786a477cff12d34ff53',92,0,0.0,NULL,NULL,1795775388011,1795775388011);
INSERT INTO observations VALUES(2,'01a21c8d-d98b-7a57-8f5d-ba427685b295',NULL,1,1,'project','repository',3,NULL,NULL,'change','Dotted dates are read now','Accept 29.02.2024, too.',NULL,'["src/date.rs: `28` became `days_in(year, month)`"]','["what-changed"]','[]','["src/date.rs"]','{}','extractive','256a62e6d38cb60504de17205ade0757',25,0,0.0,NULL,NULL,1795775388043,1795775388043);
CREATE TABLE observation_files (
  observation_id INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  path           TEXT NOT NULL,
  role           TEXT NOT NULL,
  blob           TEXT,
  PRIMARY KEY (observation_id, path, role)
) WITHOUT ROWID;
INSERT INTO observation_files VALUES(1,'src/date.rs','modified',NULL);
INSERT INTO observation_files VALUES(2,'src/date.rs','modified',NULL);
CREATE TABLE observation_sources (
  observation_id     INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  pending_message_id INTEGER NOT NULL REFERENCES pending_messages(id) ON DELETE CASCADE,
  PRIMARY KEY (observation_id, pending_message_id)
) WITHOUT ROWID;
INSERT INTO observation_sources VALUES(1,1);
INSERT INTO observation_sources VALUES(1,2);
INSERT INTO observation_sources VALUES(1,3);
INSERT INTO observation_sources VALUES(1,4);
INSERT INTO observation_sources VALUES(1,5);
INSERT INTO observation_sources VALUES(1,6);
INSERT INTO observation_sources VALUES(2,9);
INSERT INTO observation_sources VALUES(2,10);
CREATE TABLE session_summaries (
  id               INTEGER PRIMARY KEY,
  uuid             TEXT NOT NULL UNIQUE,
  external_id      TEXT,
  session_id       INTEGER REFERENCES sessions(id),
  project_id       INTEGER REFERENCES projects(id),
  prompt_number    INTEGER NOT NULL DEFAULT 0,
  turn_id          TEXT,
  request          TEXT NOT NULL DEFAULT '',
  investigated     TEXT NOT NULL DEFAULT '',
  learned          TEXT NOT NULL DEFAULT '',
  completed        TEXT NOT NULL DEFAULT '',
  next_steps       TEXT NOT NULL DEFAULT '',
  notes            TEXT NOT NULL DEFAULT '',
  files_read       TEXT NOT NULL DEFAULT '[]',
  files_modified   TEXT NOT NULL DEFAULT '[]',
  backend          TEXT NOT NULL,
  provisional      INTEGER NOT NULL DEFAULT 0,
  hidden           INTEGER NOT NULL DEFAULT 0,
  created_at_epoch INTEGER NOT NULL,
  changed_at_epoch INTEGER NOT NULL
);
INSERT INTO session_summaries VALUES(1,'01a21c8d-d932-72d2-94d0-437ee34e1eee',NULL,1,1,2,'t2','[private]','','','','','','[]','[]','none',0,1,1795775387954,1795775387954);
INSERT INTO session_summaries VALUES(2,'01a21c8d-d96b-7b03-876b-4880bd7de9e0',NULL,1,1,1,'t1','February counts one day too few, please fix it.','','`cargo test` failed in leap: test result: FAILED. 4 passed; 1 failed.','February 29th counts now: `days_in` knows the leap years. Committed as eaf42da. `cargo test`: 5 passed.','Accept dotted dates.','','["src/date.rs"]','["src/date.rs"]','extractive',0,0,1795775388011,1795775388011);
INSERT INTO session_summaries VALUES(3,'01a21c8d-d98b-7071-a38b-a420c783febe',NULL,1,1,3,'t3','Accept 29.02.2024, too.','','','Dotted dates are read now.','','','[]','["src/date.rs"]','extractive',0,0,1795775388043,1795775388043);
CREATE INDEX project_keys_project ON project_keys(project_id);
CREATE UNIQUE INDEX sessions_identity ON sessions(client, content_session_id);
CREATE INDEX sessions_project ON sessions(project_id, id);
CREATE INDEX sessions_active ON sessions(last_event_epoch) WHERE status = 'active';
CREATE UNIQUE INDEX user_prompts_event ON user_prompts(event_id);
CREATE UNIQUE INDEX user_prompts_number ON user_prompts(session_id, prompt_number);
CREATE INDEX user_prompts_turn ON user_prompts(session_id, turn_id, prompt_number);
CREATE INDEX user_prompts_open ON user_prompts(session_id)
  WHERE finalized_at_epoch IS NULL;
CREATE UNIQUE INDEX pending_messages_event ON pending_messages(event_id);
CREATE UNIQUE INDEX pending_messages_tool_use
  ON pending_messages(session_id, ifnull(turn_id, ''), tool_use_id, message_type)
  WHERE tool_use_id IS NOT NULL;
CREATE INDEX pending_messages_order ON pending_messages(session_id, status, id);
CREATE INDEX pending_messages_worker
  ON pending_messages(worker_pid) WHERE worker_pid IS NOT NULL;
CREATE INDEX pending_messages_unfinished
  ON pending_messages(status, session_id) WHERE status IN ('pending', 'processing');
CREATE UNIQUE INDEX observations_external ON observations(external_id)
  WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX observations_content ON observations(session_id, content_hash)
  WHERE external_id IS NULL;
CREATE INDEX observations_project ON observations(project_id, id);
CREATE INDEX observations_turn ON observations(session_id, prompt_number, id);
CREATE INDEX observations_user ON observations(id) WHERE scope = 'user';
CREATE INDEX observations_pinned ON observations(project_id, id) WHERE pinned;
CREATE INDEX observation_files_path ON observation_files(path);
CREATE INDEX observation_sources_message ON observation_sources(pending_message_id);
CREATE UNIQUE INDEX session_summaries_external ON session_summaries(external_id)
  WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX session_summaries_turn
  ON session_summaries(session_id, prompt_number) WHERE external_id IS NULL;
CREATE INDEX session_summaries_project ON session_summaries(project_id, id);
COMMIT;
PRAGMA user_version = 1;
