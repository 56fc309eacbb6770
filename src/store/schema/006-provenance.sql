-- Text that reads like an instruction to the model: users can read it, no session or model gets it.
ALTER TABLE observations ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;
-- The newest rows that were stored before texts were checked for such instructions.
INSERT OR IGNORE INTO meta (key, value)
  SELECT 'unscreened_observation', coalesce(max(id), 0) FROM observations;
INSERT OR IGNORE INTO meta (key, value)
  SELECT 'unscreened_summary', coalesce(max(id), 0) FROM session_summaries;
-- What a session has seen of third parties: hashes of pairs of words, four bytes each, little-endian.
CREATE TABLE IF NOT EXISTS seen_text (
  session_id INTEGER PRIMARY KEY REFERENCES sessions(id) ON DELETE CASCADE,
  web        BLOB NOT NULL,
  tool       BLOB NOT NULL
);
