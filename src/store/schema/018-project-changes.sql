-- 1: the user has named the project, and its directories do not rename it.
ALTER TABLE projects ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
-- The project into which the user has merged this one. The row stays: its name still finds the memory.
ALTER TABLE projects ADD COLUMN merged_into INTEGER REFERENCES projects(id);
CREATE INDEX IF NOT EXISTS projects_merged ON projects(merged_into) WHERE merged_into IS NOT NULL;
-- What the user has changed in projects. `content`: what an undo needs, as JSON.
CREATE TABLE IF NOT EXISTS project_changes (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  other_id   INTEGER REFERENCES projects(id) ON DELETE CASCADE,
  content    TEXT NOT NULL,
  at_epoch   INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS project_changes_project ON project_changes(project_id);
CREATE INDEX IF NOT EXISTS project_changes_other ON project_changes(other_id);
