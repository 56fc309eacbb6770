-- The directory that a key names, as the file system identifies it. It keeps these when it moves. `born`:
-- nanoseconds since the epoch.
ALTER TABLE project_keys ADD COLUMN device INTEGER;
ALTER TABLE project_keys ADD COLUMN inode INTEGER;
ALTER TABLE project_keys ADD COLUMN born INTEGER;
CREATE INDEX IF NOT EXISTS project_keys_inode ON project_keys(inode) WHERE inode IS NOT NULL;
-- Finds the projects that share a commit.
CREATE INDEX IF NOT EXISTS project_commits_hash ON project_commits(hash);
-- Reads the newest commits of all projects. It has their hashes, too.
CREATE INDEX IF NOT EXISTS project_commits_newest ON project_commits(seen_at_epoch);
-- Earlier releases kept the case of paths on hosts that ignore it.
INSERT OR IGNORE INTO project_keys (key, project_id)
  SELECT lower(key), project_id FROM project_keys
  WHERE key <> lower(key) AND (key LIKE 'git:github.com/%' OR key LIKE 'git:gitlab.com/%'
    OR key LIKE 'git:bitbucket.org/%' OR key LIKE 'git:dev.azure.com/%'
    OR key LIKE 'git:codeberg.org/%' OR key LIKE 'git:gitea.com/%')
  ORDER BY project_id;
-- Projects in which a summary is told, beside its own: its turn changed files there.
CREATE TABLE IF NOT EXISTS summary_projects (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  summary_id INTEGER NOT NULL REFERENCES session_summaries(id) ON DELETE CASCADE,
  PRIMARY KEY (project_id, summary_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS summary_projects_summary ON summary_projects(summary_id);
