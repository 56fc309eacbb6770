//! Removes what the user rejected, and checks the rows that an older release stored. Since then, texts are
//! checked before they are stored (`provenance`). The check reads each sentence and is the dearest part of a
//! session start.

use crate::memory::{Origin, Turn};
use crate::provenance::{Speaker, reads_like_instruction, without_instructions};
use crate::store::observations::{Headline, Unscreened};
use crate::store::rejected::Rejected;
use crate::store::summaries::SummaryRow;

/// Removes the sentences of summaries that read like an instruction to the model.
pub fn summaries(summaries: &mut [SummaryRow], unscreened: Unscreened) {
    for row in summaries.iter_mut().filter(|row| row.id <= unscreened.summary_id) {
        let s = &mut row.summary;
        s.request = without_instructions(&s.request, Speaker::User);
        for field in [&mut s.learned, &mut s.completed, &mut s.next_steps, &mut s.notes] {
            *field = without_instructions(field, Speaker::Other);
        }
    }
}

/// Removes the observations that read like an instruction to the model.
pub fn headlines(headlines: &mut Vec<Headline>, unscreened: Unscreened) {
    let is_screened = |h: &Headline| h.id > unscreened.observation_id;
    headlines.retain(|h| {
        if is_screened(h) {
            return true;
        }
        let speaker = if h.origin == Origin::User { Speaker::User } else { Speaker::Other };
        let texts = [Some(&h.title), h.text.as_ref()];
        !texts.into_iter().flatten().any(|text| reads_like_instruction(text, speaker))
    });
    for headline in headlines.iter_mut().filter(|h| !is_screened(h)) {
        for files in [&mut headline.files_read, &mut headline.files_modified] {
            files.retain(|file| !reads_like_instruction(file, Speaker::Other));
        }
    }
}

/// Removes the statements that the user rejected from what a turn says, and from the request: a rule
/// that was rejected is not quoted either.
pub fn turn(turn: &mut Turn, rejected: &Rejected) {
    rejected.clean_turn(turn);
    for text in [&mut turn.request, &mut turn.title] {
        if let Some(kept) = rejected.without(text) {
            *text = kept;
        }
    }
}
