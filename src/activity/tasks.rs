//! Reads changes of the client's own task list. Some clients send the whole list each time, others one
//! task.

use serde_json::Value;

use super::payload::Payload;
use super::shorten::fit;
use crate::memory::{Task, TaskState};

/// A change of the task list.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskChange {
    /// The whole list. A task that is missing from it is dropped.
    List(Vec<Task>),
    /// One task, new or known. A field that is `None` does not change.
    One { id: String, text: Option<String>, state: Option<TaskState> },
}

/// Maximum number of tasks of a list.
const MAX_TASKS: usize = 100;
/// Maximum number of characters of a task.
const MAX_TEXT: usize = 200;

/// The changes that a successful use of a task tool makes.
pub fn read(input: &Payload, response: &Payload) -> Vec<TaskChange> {
    let Some(input) = input.object() else { return Vec::new() };
    const LISTS: [&str; 6] = ["todos", "todoList", "todo_list", "plan", "items", "tasks"];
    if let Some(list) = LISTS.iter().find_map(|key| input.get(*key)) {
        let tasks: Vec<Task> = match list {
            Value::Array(items) => items.iter().take(MAX_TASKS).filter_map(item).collect(),
            Value::String(text) => text.lines().filter_map(line).take(MAX_TASKS).collect(),
            _ => return Vec::new(),
        };
        let merges = input.get("merge") == Some(&Value::Bool(true));
        return if merges {
            tasks.into_iter().map(one).collect()
        } else {
            vec![TaskChange::List(tasks)]
        };
    }
    single(&input, response).into_iter().collect()
}

fn one(task: Task) -> TaskChange {
    let text = Some(task.text).filter(|text| !text.is_empty());
    TaskChange::One { id: task.id, text, state: Some(task.state) }
}

/// `TaskCreate`, whose response has the id, or `TaskUpdate`.
fn single(input: &Value, response: &Payload) -> Option<TaskChange> {
    let text = text_of(input);
    let status = input.get("status").and_then(Value::as_str).map(state);
    if let Some(id) = ["taskId", "task_id"].iter().find_map(|key| id_of(input.get(*key)?)) {
        if response.value("success") == Some(&Value::Bool(false)) {
            return None;
        }
        return Some(TaskChange::One { id, text, state: status });
    }
    let text = text?;
    let id = response.value("task").and_then(|task| id_of(task.get("id")?));
    let id = id.or_else(|| id_in_text(&response.text())).unwrap_or_else(|| text.clone());
    Some(TaskChange::One { id, text: Some(text), state: Some(status.unwrap_or_default()) })
}

/// The id in `Task #5 created successfully: …`.
fn id_in_text(text: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix("Task #")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.trim().is_empty() => Some(fit(id, MAX_TEXT)),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// An item of a list. Without a text of its own, it is a change of the task with its id.
fn item(value: &Value) -> Option<Task> {
    if let Value::String(text) = value {
        return line(text).or_else(|| {
            let text = fit(text, MAX_TEXT);
            (!text.is_empty()).then(|| Task { id: text.clone(), text, state: TaskState::Open })
        });
    }
    let text = text_of(value).unwrap_or_default();
    let id = value.get("id").and_then(id_of).unwrap_or_else(|| text.clone());
    let state = ["status", "state"].iter().find_map(|key| value.get(*key)?.as_str()).map(state);
    let done = ["done", "completed"].iter().any(|key| value.get(*key) == Some(&Value::Bool(true)));
    let state = state.unwrap_or(if done { TaskState::Done } else { TaskState::Open });
    (!id.is_empty()).then_some(Task { id, text, state })
}

fn text_of(value: &Value) -> Option<String> {
    const KEYS: [&str; 9] = [
        "content",
        "subject",
        "title",
        "step",
        "text",
        "task",
        "name",
        "description",
        "activeForm",
    ];
    let found =
        KEYS.iter().find_map(|key| value.get(*key)?.as_str().filter(|t| !t.trim().is_empty()));
    found.map(|text| fit(text, MAX_TEXT))
}

/// A line of a checklist: `- [x] done`, `2. [in_progress] half done`.
fn line(line: &str) -> Option<Task> {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | '-' | '*' | '+' | ' ');
    let (mark, text) = line.trim().trim_start_matches(number).strip_prefix('[')?.split_once(']')?;
    let state = match mark.trim() {
        "" => TaskState::Open,
        "x" | "X" | "✓" | "✔" => TaskState::Done,
        "~" | "-" | ">" | "/" => TaskState::Started,
        word => state(word),
    };
    let text = fit(text, MAX_TEXT);
    (!text.is_empty()).then(|| Task { id: text.clone(), text, state })
}

/// The state that a client's word means. An unknown word is an open task.
fn state(word: &str) -> TaskState {
    let word: String = word.chars().filter(char::is_ascii_alphabetic).collect();
    match word.to_ascii_lowercase().as_str() {
        "inprogress" | "started" | "active" | "doing" | "running" => TaskState::Started,
        "completed" | "complete" | "done" | "finished" | "closed" => TaskState::Done,
        "cancelled" | "canceled" | "deleted" | "removed" | "dropped" | "skipped" => {
            TaskState::Dropped
        }
        _ => TaskState::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::{Done, Dropped, Open, Started};

    fn changes(input: &str, response: &str) -> Vec<TaskChange> {
        read(&Payload::read(Some(input)), &Payload::read(Some(response)))
    }

    fn list(input: &str) -> Vec<(String, String, TaskState)> {
        match changes(input, "ok").as_slice() {
            [TaskChange::List(tasks)] => {
                tasks.iter().map(|t| (t.id.clone(), t.text.clone(), t.state)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_lists_of_all_clients_are_read() {
        let check = |input: &str, expected: &[(&str, &str, TaskState)]| {
            let found = list(input);
            let found: Vec<_> =
                found.iter().map(|(i, t, s)| (i.as_str(), t.as_str(), *s)).collect();
            assert_eq!(found, expected, "{input}");
        };
        // Claude Code
        check(
            r#"{"todos":[{"content":"Build","status":"in_progress","activeForm":"Building"},{"content":"Test","status":"pending","activeForm":"Testing"}]}"#,
            &[("Build", "Build", Started), ("Test", "Test", Open)],
        );
        // OpenCode, Qwen Code
        check(
            r#"{"todos":[{"content":"one","status":"cancelled","priority":"low","id":"1"}]}"#,
            &[("1", "one", Dropped)],
        );
        // Gemini CLI
        check(
            r#"{"todos":[{"description":"Port the loader","status":"completed"}]}"#,
            &[("Port the loader", "Port the loader", Done)],
        );
        // Codex
        check(
            r#"{"explanation":"x","plan":[{"step":"Read","status":"completed"},{"step":"Write","status":"in_progress"}]}"#,
            &[("Read", "Read", Done), ("Write", "Write", Started)],
        );
        // Copilot in VS Code
        check(
            r#"{"operation":"write","todoList":[{"id":1,"title":"Inspect","status":"not-started"},{"id":2,"title":"Adapt","status":"in-progress"}]}"#,
            &[("1", "Inspect", Open), ("2", "Adapt", Started)],
        );
        // Copilot CLI and Droid send text.
        check(
            r#"{"todos":"- [x] Read\n- [ ] Write the  test\n"}"#,
            &[("Read", "Read", Done), ("Write the test", "Write the test", Open)],
        );
        check(
            r#"{"todos":"1. [completed] Read\n2. [in_progress] Write\n3. [pending] Test"}"#,
            &[("Read", "Read", Done), ("Write", "Write", Started), ("Test", "Test", Open)],
        );
        check(r#"{"todos":[]}"#, &[]);
    }

    #[test]
    fn one_task_is_created_and_changed() {
        let one = |id: &str, text: Option<&str>, state| TaskChange::One {
            id: id.into(),
            text: text.map(str::to_owned),
            state,
        };
        let create = r#"{"subject":"First job","description":"Do it","activeForm":"Doing it"}"#;
        let created = one("1", Some("First job"), Some(Open));
        assert_eq!(changes(create, r#"{"task":{"id":"1","subject":"First job"}}"#), [created]);
        let created = one("5", Some("First job"), Some(Open));
        assert_eq!(changes(create, "Task #5 created successfully: First job"), [created]);
        let created = one("First job", Some("First job"), Some(Open));
        assert_eq!(changes(create, ""), [created]);
        let update = r#"{"taskId":"1","status":"completed"}"#;
        assert_eq!(changes(update, r#"{"success":true}"#), [one("1", None, Some(Done))]);
        assert_eq!(changes(update, r#"{"success":false,"error":"Task not found"}"#), []);
        let update = r#"{"taskId":2,"subject":"Other","owner":"me"}"#;
        assert_eq!(changes(update, "ok"), [one("2", Some("Other"), None)]);
        let update = r#"{"taskId":"1","status":"deleted"}"#;
        assert_eq!(changes(update, "ok"), [one("1", None, Some(Dropped))]);
        // Cursor merges by id.
        let merge = r#"{"merge":true,"todos":[{"id":"a","status":"completed"}]}"#;
        assert_eq!(changes(merge, "ok"), [one("a", None, Some(Done))]);
    }

    #[test]
    fn arbitrary_input_changes_nothing() {
        for input in ["", "null", "[]", "7", r#"{"todos":7}"#, r#"{"todos":[7,null,{}]}"#, "{\"to"]
        {
            let found = changes(input, "");
            assert!(found.is_empty() || found == [TaskChange::List(Vec::new())], "{input}");
        }
    }
}
