-- What the user decided about an observation. `feedback`: helpful, stale or wrong.
ALTER TABLE observations ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observations ADD COLUMN feedback TEXT;
-- The same for a summary, in a table of its own: a column behind the turn costs a read of its pages.
CREATE TABLE IF NOT EXISTS summary_marks (
  summary_id INTEGER PRIMARY KEY REFERENCES session_summaries(id) ON DELETE CASCADE,
  pinned     INTEGER NOT NULL DEFAULT 0,
  hidden     INTEGER NOT NULL DEFAULT 0,
  feedback   TEXT
);
-- The texts of a row before the user edited it: a JSON object of its columns.
CREATE TABLE IF NOT EXISTS revisions (
  id             INTEGER PRIMARY KEY,
  observation_id INTEGER REFERENCES observations(id) ON DELETE CASCADE,
  summary_id     INTEGER REFERENCES session_summaries(id) ON DELETE CASCADE,
  content        TEXT NOT NULL,
  at_epoch       INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS revisions_observation ON revisions(observation_id, id);
CREATE INDEX IF NOT EXISTS revisions_summary ON revisions(summary_id, id);
-- Statements that the user rejected, as salted hashes of their words. They outlast the rows that made
-- them, except those of an edit, which refer to the row. `reason`: feedback, forget or edit. `hint`: 16
-- bits of a fast hash, which rules most texts out.
CREATE TABLE IF NOT EXISTS rejected (
  id             INTEGER PRIMARY KEY,
  fingerprint    TEXT NOT NULL,
  hint           INTEGER NOT NULL,
  uuid           TEXT NOT NULL,
  reason         TEXT NOT NULL,
  revision       INTEGER,
  observation_id INTEGER REFERENCES observations(id) ON DELETE CASCADE,
  summary_id     INTEGER REFERENCES session_summaries(id) ON DELETE CASCADE,
  at_epoch       INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS rejected_uuid ON rejected(uuid, reason);
CREATE INDEX IF NOT EXISTS rejected_observation ON rejected(observation_id);
CREATE INDEX IF NOT EXISTS rejected_summary ON rejected(summary_id);
-- Open steps that the user closed: the summary that tells the step, and a salted hash of its words.
CREATE TABLE IF NOT EXISTS closed_steps (
  id          INTEGER PRIMARY KEY,
  summary_id  INTEGER NOT NULL REFERENCES session_summaries(id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  at_epoch    INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS closed_steps_summary ON closed_steps(summary_id);
INSERT OR IGNORE INTO meta (key, value) VALUES ('statement_salt', lower(hex(randomblob(16))));
