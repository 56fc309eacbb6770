-- Why a row is out of the context. `kind`: `replaces` (the new row says something else about the same
-- thing), `copies` (it says the same), `rewrites` (it tells the same turn again). A link that the user
-- has undone stays, so that it is not made again.
CREATE TABLE IF NOT EXISTS observation_links (
  old_id          INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  new_id          INTEGER NOT NULL REFERENCES observations(id) ON DELETE CASCADE,
  kind            TEXT NOT NULL,
  at_epoch        INTEGER NOT NULL,
  undone_at_epoch INTEGER,
  PRIMARY KEY (old_id, new_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS observation_links_new ON observation_links(new_id);
-- 1: the rules that an older release stored are linked, too.
ALTER TABLE projects ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;
