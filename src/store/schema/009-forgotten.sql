-- A `forget` that can be undone until `until_epoch`.
CREATE TABLE IF NOT EXISTS forgotten (
  id          INTEGER PRIMARY KEY,
  at_epoch    INTEGER NOT NULL,
  until_epoch INTEGER NOT NULL
);
-- What it removed, in this order: whole rows (`deleted`), and the earlier values of columns that it
-- changed (`changed`), as JSON objects.
CREATE TABLE IF NOT EXISTS forgotten_rows (
  id           INTEGER PRIMARY KEY,
  forgotten_id INTEGER NOT NULL REFERENCES forgotten(id) ON DELETE CASCADE,
  change       TEXT NOT NULL,
  table_name   TEXT NOT NULL,
  row_id       INTEGER,
  content      TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS forgotten_rows_order ON forgotten_rows(forgotten_id, id);
CREATE INDEX IF NOT EXISTS forgotten_rows_row ON forgotten_rows(table_name, row_id);
-- The other index on a session's summaries is partial.
CREATE INDEX IF NOT EXISTS session_summaries_session
  ON session_summaries(session_id, prompt_number);
-- The failed attempts to resume a session, of all keys that ever were in the resume store.
INSERT OR IGNORE INTO meta (key, value)
  SELECT 'resume_failures', coalesce(sum(failures), 0) FROM agent_sessions;
