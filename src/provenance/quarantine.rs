//! The rows that keep what a session is not told.

use crate::memory::{Message, Observation, Origin};
use crate::text::truncate;

/// A sentence that was left out of a reply or of the assistant's message.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub text: String,
    pub origin: Origin,
    pub quarantined: bool,
    /// The message that the text stands in. `None`: the last one of the batch.
    pub source: Option<i64>,
}

/// Maximum sentences of a row, and maximum characters of a sentence.
const MAX_SENTENCES: usize = 8;
const MAX_LENGTH: usize = 300;

/// One row for the findings of each origin, the quarantined ones apart.
pub fn rows(findings: &[Finding], last: &Message) -> Vec<Observation> {
    let mut rows: Vec<Observation> = Vec::new();
    for origin in Origin::ALL {
        for quarantined in [false, true] {
            let own =
                findings.iter().filter(|f| f.origin == origin && f.quarantined == quarantined);
            rows.extend(row(own, origin, quarantined, last));
        }
    }
    rows
}

fn row<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    origin: Origin,
    quarantined: bool,
    last: &Message,
) -> Option<Observation> {
    let mut texts: Vec<String> = Vec::new();
    let mut sources: Vec<i64> = Vec::new();
    for finding in findings {
        let text = truncate(finding.text.trim(), MAX_LENGTH);
        if texts.len() < MAX_SENTENCES && !texts.contains(&text) {
            texts.push(text);
            sources.push(finding.source.unwrap_or(last.id));
        }
    }
    if texts.is_empty() {
        return None;
    }
    sources.sort_unstable();
    sources.dedup();
    let title = match (quarantined, origin) {
        (false, Origin::Web) => "Text from the web that the assistant repeats",
        (false, _) => "Text of others that the assistant repeats",
        (true, Origin::Web) => "Quarantined text from the web",
        (true, Origin::User) => "Quarantined text of a prompt",
        (true, Origin::Assistant) => "Quarantined text of the assistant",
        (true, _) => "Quarantined text of a tool or a file",
    };
    Some(Observation {
        kind: "discovery".to_owned(),
        title: title.to_owned(),
        narrative: Some(texts.join("\n")),
        origin,
        quarantined,
        prompt_number: last.prompt_number,
        sources,
        ..Observation::default()
    })
}
