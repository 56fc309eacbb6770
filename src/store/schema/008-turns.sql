-- What a list of sessions needs of a turn. Before the turn itself: SQLite reads a row from its
-- beginning, and a turn takes pages of its own.
ALTER TABLE session_summaries ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE session_summaries ADD COLUMN sender TEXT NOT NULL DEFAULT 'user';
ALTER TABLE session_summaries ADD COLUMN tool_uses INTEGER NOT NULL DEFAULT 0;
-- A turn as data, in JSON. The text columns of the row are rendered from it. NULL in rows of older
-- releases and of imports.
ALTER TABLE session_summaries ADD COLUMN turn TEXT;
-- Identifiers and further paths, for search only. A JSON array.
ALTER TABLE observations ADD COLUMN names TEXT NOT NULL DEFAULT '[]';
-- HEAD of the work tree when the observation was stored.
ALTER TABLE observations ADD COLUMN branch TEXT;
ALTER TABLE observations ADD COLUMN head TEXT;
-- What the latest turn of a session proves so far. A turn of several batches continues with it.
CREATE TABLE IF NOT EXISTS turn_evidence (
  session_id    INTEGER PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
  prompt_number INTEGER NOT NULL,
  evidence      TEXT NOT NULL
);
-- The user's rules and decisions: every context looks for all of them.
CREATE INDEX IF NOT EXISTS observations_of_user ON observations(project_id, id) WHERE origin = 'user';
