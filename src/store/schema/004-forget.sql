-- What was forgotten leaves its name: so that no import brings it back, no late event begins its
-- session anew, and no other memory is given its number. Of a session two are left: its uuid, and
-- a hash of client and session id.
CREATE TABLE IF NOT EXISTS tombstones (
  uuid     TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  id       INTEGER,
  at_epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstones_number ON tombstones(kind, id) WHERE id IS NOT NULL;
