//! Reports of subagents, grouped by the agents' type.

use std::collections::HashSet;

use crate::activity::{Activity, Event, fit};
use crate::memory::{Evidence, Reports};
use crate::text::words;

/// Maximum number of types, of tasks of a type and of reports that are quoted.
const MAX_TYPES: usize = 12;
const MAX_TASKS: usize = 5;
const MAX_EXCERPTS: usize = 4;
/// Maximum number of characters of a quoted report.
const EXCERPT: usize = 300;
/// Maximum number of bytes of a type.
const MAX_TYPE: usize = 40;
/// Maximum number of sources of a type.
const MAX_SOURCES: usize = 64;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let message = event.message;
    match event.activity {
        // Subagents of subagents belong to their parents.
        Activity::Launch { kind, task, .. } if message.agent_id.is_none() => {
            if let Some(group) = group(evidence, kind) {
                add_task(group, task);
            }
        }
        Activity::Report { text, kind, task } => {
            let kind = message.agent_type.as_deref().filter(|k| !k.is_empty()).unwrap_or(kind);
            let Some(group) = group(evidence, kind) else { return };
            group.count += 1;
            add_task(group, task);
            add_excerpt(group, text);
            if group.sources.len() < MAX_SOURCES {
                group.sources.push(message.id);
            }
        }
        _ => {}
    }
}

fn group<'a>(evidence: &'a mut Evidence, kind: &str) -> Option<&'a mut Reports> {
    let kind = if is_type(kind) { kind } else { "subagent" };
    let reports = &mut evidence.reports;
    let known = reports.iter().position(|group| group.agent_type == kind);
    let at = known.unwrap_or(reports.len());
    if known.is_none() && at < MAX_TYPES {
        reports.push(Reports { agent_type: kind.to_owned(), ..Reports::default() });
    }
    reports.get_mut(at)
}

/// Whether a type is an identifier, as clients name the types of their agents.
fn is_type(kind: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
    (1..=MAX_TYPE).contains(&kind.len()) && kind.bytes().all(is_part)
}

fn add_task(group: &mut Reports, task: &str) {
    if !task.is_empty() && group.tasks.len() < MAX_TASKS && !group.tasks.iter().any(|t| t == task) {
        group.tasks.push(task.to_owned());
    }
}

/// Quotes the first report, and those that share less than half of their words with every quoted one.
fn add_excerpt(group: &mut Reports, text: &str) {
    let excerpt = fit(text.get(..text.floor_char_boundary(4 * EXCERPT)).unwrap_or(text), EXCERPT);
    let differs = |quoted: &String| {
        let quoted: HashSet<&str> = words(quoted).collect();
        let own: HashSet<&str> = words(&excerpt).collect();
        own.intersection(&quoted).count() * 2 < own.len()
    };
    let is_new = !excerpt.is_empty() && group.excerpts.iter().all(differs);
    if is_new && group.excerpts.len() < MAX_EXCERPTS {
        group.excerpts.push(excerpt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;

    #[test]
    fn many_reports_of_one_type_are_one_group() {
        let mut session = Session::default();
        for n in 0..40 {
            let text = match n {
                17 => "Found a race between close and reconnect".to_owned(),
                _ => format!("Ticket {n} is a duplicate, nothing to do here"),
            };
            session.report("triage", &text);
        }
        session.report("Explore", "The parser lives in src/parse");
        let reports = session.fold(add).reports;
        assert_eq!(reports.len(), 2);
        assert_eq!((reports[0].agent_type.as_str(), reports[0].count), ("triage", 40));
        assert_eq!(reports[0].sources.len(), 40);
        assert_eq!(
            reports[0].excerpts,
            [
                "Ticket 0 is a duplicate, nothing to do here",
                "Found a race between close and reconnect"
            ]
        );
        assert_eq!(reports[1].count, 1);
    }

    #[test]
    fn tasks_come_from_the_launch_and_reports_from_the_agent() {
        let mut session = Session::default();
        session.recorded("PostToolUse.Agent-background");
        let found = session.fold(add).reports;
        assert_eq!((found.len(), found[0].count, found[0].tasks.len()), (1, 0, 1));
        let kind = found[0].agent_type.clone();
        session.report(&kind, "Done");
        let found = session.fold(add).reports;
        assert_eq!((found.len(), found[0].count, found[0].excerpts.len()), (1, 1, 1));
    }
}
