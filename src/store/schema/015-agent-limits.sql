-- CLAUDE_CONFIG_DIR of the session: whose account the memory agent uses. Empty: the default one.
ALTER TABLE sessions ADD COLUMN agent_account TEXT;
-- What the errors of a server teach about a model at an address. The text is the memory agent's.
CREATE TABLE IF NOT EXISTS agent_limits (
  backend          TEXT NOT NULL,
  model            TEXT NOT NULL,
  address          TEXT NOT NULL,
  learnt           TEXT NOT NULL,
  learnt_at_epoch  INTEGER NOT NULL,
  PRIMARY KEY (backend, model, address)
) WITHOUT ROWID;
-- A backend that no worker asks before this time, with these settings.
CREATE TABLE IF NOT EXISTS agent_pauses (
  backend          TEXT PRIMARY KEY,
  settings         TEXT NOT NULL,
  count            INTEGER NOT NULL,
  until_epoch      INTEGER NOT NULL,
  reason           TEXT NOT NULL,
  -- The session that asks whether the pause is over. The others wait for its answer.
  probe            INTEGER
) WITHOUT ROWID;
