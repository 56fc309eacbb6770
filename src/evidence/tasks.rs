//! The client's own task list, as it stood last. Open tasks go on from turn to turn, because a client
//! keeps its list for the whole session.

use crate::activity::{Activity, Event, TaskChange};
use crate::memory::{Evidence, Task, TaskState, Turn};

/// Maximum number of tasks that are kept. Finished ones are left out first.
const MAX_TASKS: usize = 60;

/// Adds the tasks that were open at the end of the session's last turn. Does nothing if the turn's
/// earlier batches did.
pub fn carry(evidence: &mut Evidence, earlier: &[Turn]) {
    let Some(last) = earlier.last().filter(|_| evidence.tasks.is_empty()) else { return };
    let is_open = |task: &&Task| matches!(task.state, TaskState::Open | TaskState::Started);
    evidence.tasks = last.evidence.tasks.iter().filter(is_open).cloned().collect();
}

pub fn add(evidence: &mut Evidence, event: &Event) {
    let Activity::Tasks(changes) = event.activity else { return };
    for change in changes {
        match change {
            // A subagent has a list of its own. Single tasks it shares with the session.
            TaskChange::List(_) if event.message.agent_id.is_some() => {}
            TaskChange::List(list) => replace(&mut evidence.tasks, list),
            TaskChange::One { id, text, state } => {
                change_one(&mut evidence.tasks, id, text.as_deref(), *state);
            }
        }
    }
    limit(&mut evidence.tasks);
}

/// Replaces the list. A task that is missing was dropped, unless it was done.
fn replace(tasks: &mut Vec<Task>, list: &[Task]) {
    tasks.retain(|old| !list.iter().any(|new| new.text == old.text));
    for old in tasks.iter_mut().filter(|old| old.state != TaskState::Done) {
        old.state = TaskState::Dropped;
    }
    tasks.extend(list.iter().filter(|task| !task.text.is_empty()).cloned());
}

fn change_one(tasks: &mut Vec<Task>, id: &str, text: Option<&str>, state: Option<TaskState>) {
    // Dropped ids are used again by the next list.
    let known = tasks.iter_mut().rev().find(|t| t.id == id && t.state != TaskState::Dropped);
    match (known, text) {
        (Some(task), _) => {
            if let Some(text) = text {
                text.clone_into(&mut task.text);
            }
            task.state = state.unwrap_or(task.state);
        }
        (None, Some(text)) => {
            let state = state.unwrap_or_default();
            tasks.push(Task { id: id.to_owned(), text: text.to_owned(), state });
        }
        // It was created before the session was recorded.
        (None, None) => {}
    }
}

fn limit(tasks: &mut Vec<Task>) {
    for ended in [TaskState::Dropped, TaskState::Done] {
        let mut excess = tasks.len().saturating_sub(MAX_TASKS);
        tasks.retain(|task| {
            let goes = excess > 0 && task.state == ended;
            excess -= usize::from(goes);
            !goes
        });
    }
    tasks.truncate(MAX_TASKS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;
    use TaskState::{Done, Dropped, Open, Started};

    fn tasks(session: &Session) -> Vec<(String, TaskState)> {
        let fold = session.fold(add);
        fold.tasks.into_iter().map(|task| (task.text, task.state)).collect()
    }

    fn check(session: &Session, expected: &[(&str, TaskState)]) {
        let found = tasks(session);
        let found: Vec<_> = found.iter().map(|(text, state)| (text.as_str(), *state)).collect();
        assert_eq!(found, expected);
    }

    fn todos(items: &[(&str, &str)]) -> serde_json::Value {
        let item = |(text, status): &(&str, &str)| serde_json::json!({ "content": text, "status": status });
        serde_json::json!({ "todos": items.iter().map(item).collect::<Vec<_>>() })
    }

    #[test]
    fn the_last_list_counts() {
        let mut session = Session::default();
        let first = todos(&[("a", "completed"), ("b", "in_progress"), ("c", "pending")]);
        session.tool("TodoWrite", &first, "ok");
        let second = todos(&[("b", "completed"), ("d", "pending")]);
        session.tool("TodoWrite", &second, "ok");
        check(&session, &[("a", Done), ("c", Dropped), ("b", Done), ("d", Open)]);
        session.tool("TodoWrite", &todos(&[]), "ok");
        check(&session, &[("a", Done), ("c", Dropped), ("b", Done), ("d", Dropped)]);
    }

    #[test]
    fn recorded_task_tools_are_folded() {
        let mut session = Session::default();
        session.recorded("PostToolUse.TaskCreate");
        check(&session, &[("First job", Open)]);
        session.recorded("PostToolUse.TaskUpdate");
        check(&session, &[("First job", Started)]);
        let done = serde_json::json!({ "taskId": "1", "status": "completed" });
        session.tool("TaskUpdate", &done, r#"{"success":true,"taskId":"1"}"#);
        check(&session, &[("First job", Done)]);
        let unknown = serde_json::json!({ "taskId": "9", "status": "in_progress" });
        session.tool("TaskUpdate", &unknown, r#"{"success":true,"taskId":"9"}"#);
        check(&session, &[("First job", Done)]);
    }

    #[test]
    fn open_tasks_go_on_in_the_next_turn() {
        let mut session = Session::default();
        session.tool("TodoWrite", &todos(&[("a", "completed"), ("b", "pending")]), "ok");
        let evidence = session.fold(add);
        let earlier = [Turn { evidence, ..Turn::default() }];
        let mut next = Evidence::default();
        carry(&mut next, &earlier);
        assert_eq!(next.tasks.iter().map(|t| t.text.as_str()).collect::<Vec<_>>(), ["b"]);
        // A later batch of the turn goes on with its own list.
        let mut done = Evidence {
            tasks: vec![Task { state: Done, ..Task::default() }],
            ..Evidence::default()
        };
        carry(&mut done, &earlier);
        assert_eq!(done.tasks.len(), 1);
    }

    #[test]
    fn a_subagent_does_not_replace_the_list() {
        let mut session = Session::default();
        session.tool("TodoWrite", &todos(&[("a", "pending")]), "ok");
        session.tool("TodoWrite", &todos(&[("x", "pending")]), "ok");
        session.last().agent_id = Some("agent".to_owned());
        check(&session, &[("a", Open)]);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut session = Session::default();
        for n in 0..90 {
            let status = if n % 2 == 0 { "completed" } else { "pending" };
            let input = serde_json::json!({ "subject": format!("t{n}"), "status": status });
            session.tool("TaskCreate", &input, "");
        }
        let found = tasks(&session);
        assert_eq!(found.len(), MAX_TASKS);
        assert_eq!(found.iter().filter(|(_, state)| *state == Open).count(), 45);
    }
}
