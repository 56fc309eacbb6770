-- Projects in which a turn is told, beside that of its session: the turn changed files there.
CREATE TABLE IF NOT EXISTS turn_projects (
  project_id    INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  session_id    INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
  prompt_number INTEGER NOT NULL,
  PRIMARY KEY (project_id, session_id, prompt_number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS turn_projects_turn ON turn_projects(session_id, prompt_number);
-- Before, only the summary was told there, and the index of words did not have it.
INSERT OR IGNORE INTO turn_projects (project_id, session_id, prompt_number)
  SELECT t.project_id, s.session_id, s.prompt_number
  FROM summary_projects t JOIN session_summaries s ON s.id = t.summary_id
  WHERE s.session_id NOTNULL;
DELETE FROM meta WHERE key = 'words' AND EXISTS (SELECT 1 FROM summary_projects);
DROP TABLE summary_projects;
