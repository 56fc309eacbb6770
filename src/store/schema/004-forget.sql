-- Ids of forgotten rows. They keep an import from restoring a row, a late event from starting a
-- forgotten session again, and a new row from reusing a number. A session leaves two tombstones:
-- its uuid, and a hash of client and session id.
CREATE TABLE IF NOT EXISTS tombstones (
  uuid     TEXT PRIMARY KEY,
  kind     TEXT NOT NULL,
  id       INTEGER,
  at_epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstones_number ON tombstones(kind, id) WHERE id IS NOT NULL;
