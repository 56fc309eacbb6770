//! Identifiers that edits define or add, error classes and names of failed tests. They and further paths
//! are for search only: no context tells them.

use crate::activity::{Activity, Event, Payload, error_classes, is_error_class, looks_like_code};
use crate::memory::{Cause, Evidence};

/// Maximum number of names of a turn, and of further paths.
pub const MAX_NAMES: usize = 80;
pub const MAX_PATHS: usize = 56;

pub fn add(evidence: &mut Evidence, event: &Event) {
    match event.activity {
        Activity::Edit(edits) => {
            edits.iter().flat_map(|edit| &edit.identifiers).for_each(|name| push(evidence, name));
        }
        Activity::Run(run) => {
            let failing = run.report.iter().flat_map(|report| &report.failing);
            failing.for_each(|name| push(evidence, name));
            if run.failed || event.message.cause == Cause::ToolFailed {
                let output = Payload::read(event.message.tool_response.as_deref()).text();
                error_classes(&output).iter().for_each(|name| push(evidence, name));
            }
        }
        _ => {}
    }
}

/// Adds a name. If there are too many, the least telling one goes, and of equal ones the newest.
fn push(evidence: &mut Evidence, name: &str) {
    let names = &mut evidence.names;
    if names.iter().any(|known| known == name) {
        return;
    }
    names.push(name.to_owned());
    if names.len() > MAX_NAMES {
        let least = names.iter().map(|name| rank(name)).min();
        let at = names.iter().rposition(|name| Some(rank(name)) == least);
        names.remove(at.unwrap_or(MAX_NAMES));
    }
}

/// How telling a name is. A long name that looks like code hardly stands for anything else; the title
/// of a test consists of ordinary words.
fn rank(name: &str) -> usize {
    if name.contains(' ') {
        0
    } else if is_error_class(name) {
        30
    } else {
        10 * usize::from(looks_like_code(name)) + name.len().min(20)
    }
}

/// The names and further paths of a turn, for search. Paths in `told` are left out.
pub fn for_search(evidence: &Evidence, told: &[String]) -> Vec<String> {
    let changed = evidence.files.iter().map(|file| &file.path);
    let paths = changed.chain(&evidence.read).filter(|path| !told.contains(path)).take(MAX_PATHS);
    evidence.names.iter().take(MAX_NAMES).chain(paths).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;
    use crate::memory::FileChange;

    fn names(session: &Session) -> Vec<String> {
        session.fold(add).names
    }

    #[test]
    fn names_of_edits_and_failures_are_kept() {
        let mut session = Session::default();
        let edit = serde_json::json!({"file_path": "/p/a.rs", "old_string": "fn old_one() {}", "new_string": "fn parse_line() {}"});
        session.tool("Edit", &edit, "{}");
        let test = serde_json::json!({ "command": "cargo test" });
        let output = "Exit code 101\ntest parser::empty ... FAILED\nValueError: x\ntest result: FAILED. 3 passed; 1 failed; 0 ignored";
        session.failed("Bash", &test, output);
        assert_eq!(names(&session), ["parse_line", "parser::empty", "ValueError"]);
        session.tool("Bash", &serde_json::json!({ "command": "cat x" }), "KeyError");
        assert_eq!(names(&session).len(), 3);
    }

    #[test]
    fn the_most_telling_names_remain() {
        let mut session = Session::default();
        for n in 0..4 {
            let text: String =
                (0..30).map(|i| format!("fn plain{} long_name_{n}_{i}\n", "x".repeat(i))).collect();
            let input = serde_json::json!({"file_path": "/p/a.rs", "content": text});
            session.tool("Write", &input, "{}");
        }
        let found = names(&session);
        assert_eq!(found.len(), MAX_NAMES);
        assert!(found.iter().all(|name| name.starts_with("long_name")), "{found:?}");
    }

    #[test]
    fn paths_that_are_not_told_are_searched() {
        let file = |path: &str| FileChange { path: path.into(), ..FileChange::default() };
        let evidence = Evidence {
            files: vec![file("a.rs"), file("b.rs")],
            read: vec!["c.rs".into()],
            names: vec!["parse_line".into()],
            ..Evidence::default()
        };
        assert_eq!(for_search(&evidence, &["a.rs".into()]), ["parse_line", "b.rs", "c.rs"]);
    }
}
