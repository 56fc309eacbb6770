-- Transcripts that were imported to their end: a hash of the session's identity, the size of the file,
-- and the time of its last event. A later import reads only files that have grown.
CREATE TABLE IF NOT EXISTS imported (
  identity      TEXT PRIMARY KEY,
  bytes         INTEGER NOT NULL,
  through_epoch INTEGER NOT NULL
) WITHOUT ROWID;
-- A context tells the newest rows by their own time: an imported session has higher ids than newer ones.
CREATE INDEX IF NOT EXISTS observations_newest ON observations(project_id, created_at_epoch);
CREATE INDEX IF NOT EXISTS observations_newest_of_user
  ON observations(project_id, created_at_epoch) WHERE origin = 'user';
CREATE INDEX IF NOT EXISTS observations_newest_pinned
  ON observations(project_id, created_at_epoch) WHERE pinned;
CREATE INDEX IF NOT EXISTS observations_newest_user
  ON observations(created_at_epoch) WHERE scope = 'user';
CREATE INDEX IF NOT EXISTS session_summaries_newest ON session_summaries(project_id, created_at_epoch);
