//! The last check of what a block tells. Rows of an older release were stored without it.

use crate::memory::Origin;
use crate::provenance::{Speaker, reads_like_instruction, without_instructions};
use crate::store::observations::Headline;
use crate::store::summaries::SummaryRow;

/// Removes the sentences of summaries, and the observations, that read like an instruction to the
/// model.
pub fn screen(summaries: &mut [SummaryRow], headlines: &mut Vec<Headline>) {
    for row in summaries {
        let s = &mut row.summary;
        s.request = without_instructions(&s.request, Speaker::User);
        for field in [&mut s.learned, &mut s.completed, &mut s.next_steps, &mut s.notes] {
            *field = without_instructions(field, Speaker::Other);
        }
    }
    headlines.retain(|h| {
        let speaker = if h.origin == Origin::User { Speaker::User } else { Speaker::Other };
        let texts = [Some(&h.title), h.text.as_ref()];
        !texts.into_iter().flatten().any(|text| reads_like_instruction(text, speaker))
    });
    for headline in headlines {
        for files in [&mut headline.files_read, &mut headline.files_modified] {
            files.retain(|file| !reads_like_instruction(file, Speaker::Other));
        }
    }
}
