-- Which memories the model of a session was given (`injected`), which its final messages named
-- (`cited`), and which the user looked at (`shown`, without a session). `place` is the hook: `start`,
-- `prompt`, `file`, `error`, `command`. `counted`: the weight of the observation includes it.
CREATE TABLE IF NOT EXISTS memory_use (
  id             INTEGER PRIMARY KEY,
  session_id     INTEGER REFERENCES sessions(id) ON DELETE CASCADE,
  observation_id INTEGER REFERENCES observations(id) ON DELETE CASCADE,
  summary_id     INTEGER REFERENCES session_summaries(id) ON DELETE CASCADE,
  use            TEXT NOT NULL,
  place          TEXT NOT NULL DEFAULT '',
  tokens         INTEGER NOT NULL DEFAULT 0,
  at_epoch       INTEGER NOT NULL,
  counted        INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS memory_use_observation
  ON memory_use(observation_id, session_id, use, place);
CREATE UNIQUE INDEX IF NOT EXISTS memory_use_summary
  ON memory_use(summary_id, session_id, use, place);
CREATE INDEX IF NOT EXISTS memory_use_session ON memory_use(session_id, id);
