//! Memories as JSON objects. `docs/json.md` documents the keys.

use serde_json::{Value, json};

use super::SessionContent;
use super::details::Details;
use super::source::Source;
use crate::git::FileState;
use crate::store::marks::Feedback;
use crate::store::observations::ObservationRow;
use crate::store::sessions::StoredPrompt;
use crate::store::summaries::SummaryRow;

pub fn observation(row: &ObservationRow, details: &Details) -> Value {
    let o = &row.observation;
    let supersedes = details.predecessors.iter();
    let supersedes =
        supersedes.map(|l| json!({"id": format!("o{}", l.id), "kind": l.kind.as_str()}));
    let files = details.blobs.iter().map(|(path, blob)| {
        let state = details.freshness.state(row.id, path);
        let moved_to = match state {
            Some(FileState::Moved(to)) => Some(to),
            _ => None,
        };
        json!({"path": path, "blob": blob, "state": state.map(FileState::word), "moved_to": moved_to})
    });
    json!({
        "id": format!("o{}", row.id), "uuid": row.uuid, "type": o.kind, "title": o.title,
        "subtitle": o.subtitle, "narrative": o.narrative, "facts": o.facts, "concepts": o.concepts,
        "files_read": o.files_read, "files_modified": o.files_modified, "origin": o.origin.as_str(),
        "scope": row.scope, "prompt_number": o.prompt_number, "agent_type": o.agent_type,
        "external_id": row.external_id,
        "metadata": metadata(row), "expires_at_epoch": row.expires_at_epoch,
        "backend": row.backend, "pinned": row.marks.pinned,
        "hidden": row.marks.hidden, "feedback": row.marks.feedback.map(Feedback::as_str),
        "edited": row.edited, "quarantined": o.quarantined, "superseded_by": row.superseded_by,
        "superseded_kind": details.successor.map(|link| link.kind.as_str()),
        "supersedes": supersedes.collect::<Vec<_>>(), "files": files.collect::<Vec<_>>(),
        "created_at_epoch": row.created_at_epoch,
    })
}

/// Invalid JSON, which only another program can have written, is shown as a text.
fn metadata(row: &ObservationRow) -> Value {
    serde_json::from_str(&row.metadata).unwrap_or_else(|_| json!(row.metadata))
}

pub fn summary(row: &SummaryRow) -> Value {
    let mut json = serde_json::to_value(&row.summary).expect("strings and lists serialize");
    json["id"] = json!(format!("s{}", row.id));
    json["uuid"] = json!(row.uuid);
    json["prompt_number"] = json!(row.prompt_number);
    json["turn_id"] = json!(row.turn_id);
    json["backend"] = json!(row.backend);
    json["provisional"] = json!(row.provisional);
    json["pinned"] = json!(row.marks.pinned);
    json["hidden"] = json!(row.marks.hidden);
    json["feedback"] = json!(row.marks.feedback.map(Feedback::as_str));
    json["edited"] = json!(row.edited);
    json["created_at_epoch"] = json!(row.created_at_epoch);
    json
}

pub fn prompt(prompt: &StoredPrompt) -> Value {
    json!({
        "id": format!("p{}", prompt.id), "prompt_number": prompt.number, "turn_id": prompt.turn_id,
        "text": prompt.text, "created_at_epoch": prompt.created_at_epoch,
        "finalized_at_epoch": prompt.finalized_at_epoch, "finalized_by": prompt.finalized_by,
    })
}

pub fn session(content: &SessionContent) -> Value {
    let s = content.session;
    let sourced = |row, number| Source::within(content, number).added_to(row);
    json!({
        "session": s.content_session_id, "client": s.client, "project": s.project, "cwd": s.cwd,
        "status": s.status, "end_reason": s.end_reason, "started_at_epoch": s.started_at_epoch,
        "last_event_epoch": s.last_event_epoch,
        "prompts": content.prompts.iter().map(|row| sourced(prompt(row), row.number))
            .collect::<Vec<_>>(),
        "summaries": content.summaries.iter()
            .map(|row| sourced(summary(row), row.prompt_number)).collect::<Vec<_>>(),
        "observations": content.observations.iter()
            .map(|(row, details)| sourced(observation(row, details), row.observation.prompt_number))
            .collect::<Vec<_>>(),
    })
}
