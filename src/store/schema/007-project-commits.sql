-- Commits that were checked out in a project's repositories. A directory that claims to belong to the
-- project must have one of them in its object store.
CREATE TABLE IF NOT EXISTS project_commits (
  project_id    INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  hash          TEXT NOT NULL,
  seen_at_epoch INTEGER NOT NULL,
  PRIMARY KEY (project_id, hash)
) WITHOUT ROWID;
-- 1: the user separated the project's directory from the project that it claims.
ALTER TABLE projects ADD COLUMN separate INTEGER NOT NULL DEFAULT 0;
