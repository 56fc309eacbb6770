-- What a context asks for: statements of the user that newer ones replace, and the rows of the branch that
-- is checked out. Most rows are on a main branch and need no entry.
CREATE INDEX IF NOT EXISTS observations_newest_replaced
  ON observations(project_id, created_at_epoch) WHERE origin = 'user' AND superseded_by NOTNULL;
CREATE INDEX IF NOT EXISTS observations_newest_of_branch
  ON observations(project_id, branch, created_at_epoch) WHERE branch NOT IN ('', 'main', 'master');
