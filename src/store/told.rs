//! Conditions of queries on rows that are told in a further project, because their turn changed files there.
//! `told_turns` stores which turns are.

/// Rows whose turn is told in a project. `project` is a parameter, such as `?1`; `row` is the prefix of the
/// row's columns, such as `o.`, or empty.
pub(super) fn turn_in(project: &str, row: &str) -> String {
    format!(
        "({row}session_id, {row}prompt_number) IN
           (SELECT session_id, prompt_number FROM turn_projects WHERE project_id = {project})"
    )
}

/// The same for sessions: at least one of their turns is told there.
pub(super) fn session_in(project: &str, session: &str) -> String {
    format!("{session} IN (SELECT session_id FROM turn_projects WHERE project_id = {project})")
}
