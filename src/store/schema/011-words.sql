-- The words of observations, summaries and prompts. It holds no texts: which rows have a word, and no
-- positions. Its rowid is unasked << 62 | project << 40 | id << 2 | kind, so that the rows of a project
-- are one range; see store/words.
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', detail=none, columnsize=0, tokenize='ascii');
-- A deleted word leaves the file at once.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
-- How many rows of a kind a scope has in the index, their words, and the range of their ids. A scope is
-- project << 1 | unasked.
CREATE TABLE IF NOT EXISTS word_totals (
  scope    INTEGER NOT NULL,
  kind     INTEGER NOT NULL,
  n_rows   INTEGER NOT NULL,
  n_words  INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id  INTEGER NOT NULL,
  PRIMARY KEY (scope, kind)
) WITHOUT ROWID;
-- The rows of a session in the order of their time.
CREATE INDEX IF NOT EXISTS observations_time ON observations(session_id, created_at_epoch, id);
CREATE INDEX IF NOT EXISTS session_summaries_time
  ON session_summaries(session_id, created_at_epoch, id);
CREATE INDEX IF NOT EXISTS user_prompts_time ON user_prompts(session_id, created_at_epoch, id);
