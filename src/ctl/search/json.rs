//! Hits as JSON objects. `docs/json.md` documents the keys.

use serde_json::{Map, Value, json};

use super::shown::{Around, Neighbour, Shown};
use crate::recall::{Hit, QueryWord, RowId};

pub fn hit(hit: &Shown) -> Value {
    let Shown { hit: Hit { stored: row, score, snippet, .. }, confidence, project, .. } = hit;
    json!({
        "id": row.row.to_string(), "external_id": hit.external_id(), "session": row.session,
        "score": rounded(*score), "confidence": rounded(*confidence),
        "snippet": snippet.text, "created_at_epoch": row.created_at_epoch,
        "title": row.title(), "type": row.kind, "project": project, "origin": row.origin.as_str(),
        "branch": row.branch, "files": row.files, "pinned": row.pinned,
        "superseded": row.superseded, "quarantined": row.quarantined,
        "expires_at_epoch": row.expires_at_epoch,
        "same_turn": hit.same_turn.iter().map(RowId::to_string).collect::<Vec<_>>(),
    })
}

/// The same with the reasons for its place.
pub fn explained(shown: &Shown, words: &[QueryWord]) -> Value {
    let explain = &shown.hit.explain;
    let mut of_words = Map::new();
    for word in words {
        let n = explain.words.iter().find(|(known, _)| *known == word.word).map_or(0, |(_, n)| *n);
        let object = json!({
            "n": n, "rows": word.rows, "idf": rounded(word.idf), "weight": rounded(word.weight),
        });
        of_words.insert(word.word.clone(), object);
    }
    let mut object = hit(shown);
    object["explain"] = json!({
        "words": of_words, "row": rounded(explain.row), "passage": rounded(explain.passage),
        "pairs": rounded(explain.pairs), "factor": rounded(explain.factor),
        "verbatim": explain.verbatim,
    });
    object
}

/// Adds the rows of the same session.
pub fn with_neighbours(mut object: Value, around: Option<&Around>) -> Value {
    let list = |rows: &[Neighbour]| -> Value {
        rows.iter().map(|row| json!({ "id": row.row.to_string(), "title": row.title })).collect()
    };
    if let Some(around) = around {
        object["before"] = list(&around.before);
        object["after"] = list(&around.after);
    }
    object
}

/// Six decimals tell scores apart, and the same score is always printed the same.
pub fn rounded(number: f64) -> f64 {
    if number.is_finite() { (number * 1e6).round() / 1e6 + 0.0 } else { 0.0 }
}
