CREATE TABLE IF NOT EXISTS agent_usage (
  id                 INTEGER PRIMARY KEY,
  day                TEXT NOT NULL,
  session_id         INTEGER REFERENCES sessions(id) ON DELETE SET NULL,
  backend            TEXT NOT NULL,
  model              TEXT NOT NULL,
  turns              INTEGER NOT NULL DEFAULT 1,
  input_tokens       INTEGER NOT NULL DEFAULT 0,
  output_tokens      INTEGER NOT NULL DEFAULT 0,
  cache_read_tokens  INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  cost               REAL NOT NULL DEFAULT 0,
  priced             INTEGER NOT NULL DEFAULT 0,
  status             TEXT NOT NULL DEFAULT 'open',
  created_at_epoch   INTEGER NOT NULL,
  settled_at_epoch   INTEGER
);
CREATE INDEX IF NOT EXISTS agent_usage_day ON agent_usage(day);
CREATE INDEX IF NOT EXISTS agent_usage_session ON agent_usage(session_id);

CREATE TABLE IF NOT EXISTS agent_sessions (
  key                TEXT PRIMARY KEY,
  agent_session_id   TEXT NOT NULL,
  failures           INTEGER NOT NULL DEFAULT 0,
  last_used_at_epoch INTEGER NOT NULL,
  created_at_epoch   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS agent_sessions_used ON agent_sessions(last_used_at_epoch);
