//! Plans that the client showed to the user. An approved plan that was not begun goes on in the next
//! turn: its steps are what is left to do until a file changes.

use crate::activity::{Activity, Event};
use crate::memory::{Evidence, Plan, Turn};

/// Maximum number of plans of a turn.
const MAX_PLANS: usize = 4;

/// Adds the approved plans that the session's last turn did not begin. Does nothing if the turn's
/// earlier batches did. The added plans keep their sources, which are messages of an earlier turn.
pub fn carry(evidence: &mut Evidence, earlier: &[Turn]) {
    let Some(last) = earlier.last().filter(|_| evidence.plans.is_empty()) else { return };
    let waits = |plan: &&Plan| plan.approved && !plan.begun;
    evidence.plans = last.evidence.plans.iter().filter(waits).cloned().collect();
}

pub fn add(evidence: &mut Evidence, event: &Event) {
    match event.activity {
        // Plans of subagents are not shown to the user.
        Activity::Planned { plan, .. } if event.message.agent_id.is_none() => {
            // A plan replaces its earlier versions, and every plan that was not begun.
            evidence.plans.retain(|old| old.begun && old.title != plan.title);
            evidence.plans.push(Plan { sources: vec![event.message.id], ..plan.clone() });
            let excess = evidence.plans.len().saturating_sub(MAX_PLANS);
            evidence.plans.drain(..excess);
        }
        activity if changes_project(activity) => {
            evidence
                .plans
                .iter_mut()
                .filter(|plan| plan.approved)
                .for_each(|plan| plan.begun = true);
        }
        _ => {}
    }
}

/// Whether a file of the project changed, or a commit was made.
fn changes_project(activity: &Activity) -> bool {
    let is_inside = |path: &str| !path.starts_with('/');
    match activity {
        Activity::Edit(edits) => edits.iter().any(|edit| is_inside(&edit.path)),
        Activity::Run(run) => {
            !run.commits.is_empty() || !run.failed && run.changed_paths().any(is_inside)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;

    fn plans(session: &Session) -> Vec<Plan> {
        session.fold(add).plans
    }

    fn plan(text: &str) -> serde_json::Value {
        serde_json::json!({ "plan": text })
    }

    #[test]
    fn a_plan_begins_when_a_file_of_the_project_changes() {
        let mut session = Session::default();
        session.tool("ExitPlanMode", &plan("# Rotate keys\n1. Read\n2. Write"), "{}");
        let found = plans(&session);
        assert_eq!((found[0].title.as_str(), found[0].steps.len()), ("Rotate keys", 2));
        assert!(found[0].approved && !found[0].begun && found[0].sources == [1]);
        let outside = serde_json::json!({ "file_path": "/tmp/x.md", "content": "x" });
        session.tool("Write", &outside, "{}");
        assert!(!plans(&session)[0].begun);
        let inside = serde_json::json!({ "file_path": "/p/a.rs", "content": "x" });
        session.tool("Write", &inside, "{}");
        assert!(plans(&session)[0].begun);
    }

    #[test]
    fn a_new_version_replaces_a_plan_that_was_not_begun() {
        let mut session = Session::default();
        let no = "The user doesn't want to proceed with this tool use.";
        session.failed("ExitPlanMode", &plan("# One\n1. a"), no);
        assert!(!plans(&session)[0].approved);
        session.tool("ExitPlanMode", &plan("# Two\n1. b"), "{}");
        let found = plans(&session);
        assert_eq!(found.len(), 1);
        assert!(found[0].approved && found[0].title == "Two");
    }

    #[test]
    fn a_plan_that_waits_goes_on() {
        let mut session = Session::default();
        session.tool("ExitPlanMode", &plan("# Two\n1. b"), "{}");
        let evidence = session.fold(add);
        let mut next = Evidence::default();
        carry(&mut next, &[Turn { evidence, ..Turn::default() }]);
        assert_eq!(next.plans.len(), 1);
        next.plans[0].begun = true;
        let mut third = Evidence::default();
        carry(&mut third, &[Turn { evidence: next, ..Turn::default() }]);
        assert_eq!(third.plans, []);
    }
}
