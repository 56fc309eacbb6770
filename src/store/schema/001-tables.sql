CREATE TABLE IF NOT EXISTS meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS projects (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  root TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS project_keys (
  key        TEXT PRIMARY KEY,
  project_id INTEGER NOT NULL REFERENCES projects(id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS project_keys_project ON project_keys(project_id);

CREATE TABLE IF NOT EXISTS sessions (
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
CREATE UNIQUE INDEX IF NOT EXISTS sessions_identity ON sessions(client, content_session_id);
CREATE INDEX IF NOT EXISTS sessions_project ON sessions(project_id, id);
CREATE INDEX IF NOT EXISTS sessions_active ON sessions(id) WHERE status = 'active';

CREATE TABLE IF NOT EXISTS user_prompts (
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
CREATE UNIQUE INDEX IF NOT EXISTS user_prompts_event ON user_prompts(event_id);
CREATE UNIQUE INDEX IF NOT EXISTS user_prompts_number ON user_prompts(session_id, prompt_number);
CREATE INDEX IF NOT EXISTS user_prompts_turn ON user_prompts(session_id, turn_id, prompt_number);
CREATE INDEX IF NOT EXISTS user_prompts_open ON user_prompts(session_id)
  WHERE finalized_at_epoch IS NULL;

CREATE TABLE IF NOT EXISTS pending_messages (
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
CREATE UNIQUE INDEX IF NOT EXISTS pending_messages_event ON pending_messages(event_id);
CREATE UNIQUE INDEX IF NOT EXISTS pending_messages_tool_use
  ON pending_messages(session_id, ifnull(turn_id, ''), tool_use_id, message_type)
  WHERE tool_use_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS pending_messages_order ON pending_messages(session_id, status, id);
CREATE INDEX IF NOT EXISTS pending_messages_worker
  ON pending_messages(worker_pid) WHERE worker_pid IS NOT NULL;
CREATE INDEX IF NOT EXISTS pending_messages_unfinished
  ON pending_messages(status, session_id) WHERE status IN ('pending', 'processing');

CREATE TABLE IF NOT EXISTS observations (
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
CREATE UNIQUE INDEX IF NOT EXISTS observations_external ON observations(external_id)
  WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS observations_content ON observations(session_id, content_hash)
  WHERE external_id IS NULL;
CREATE INDEX IF NOT EXISTS observations_project ON observations(project_id, id);
CREATE INDEX IF NOT EXISTS observations_turn ON observations(session_id, prompt_number, id);
CREATE INDEX IF NOT EXISTS observations_user ON observations(id) WHERE scope = 'user';
CREATE INDEX IF NOT EXISTS observations_pinned ON observations(project_id, id) WHERE pinned;

CREATE TABLE IF NOT EXISTS observation_files (
  observation_id INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  path           TEXT NOT NULL,
  role           TEXT NOT NULL,
  blob           TEXT,
  PRIMARY KEY (observation_id, path, role)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observation_files_path ON observation_files(path);

CREATE TABLE IF NOT EXISTS observation_sources (
  observation_id     INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  pending_message_id INTEGER NOT NULL REFERENCES pending_messages(id) ON DELETE CASCADE,
  PRIMARY KEY (observation_id, pending_message_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observation_sources_message ON observation_sources(pending_message_id);

CREATE TABLE IF NOT EXISTS session_summaries (
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
CREATE UNIQUE INDEX IF NOT EXISTS session_summaries_external ON session_summaries(external_id)
  WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS session_summaries_turn
  ON session_summaries(session_id, prompt_number) WHERE external_id IS NULL;
CREATE INDEX IF NOT EXISTS session_summaries_project ON session_summaries(project_id, id);
