//! Lines of a final message that say how things stand at its end. Once there is later work, they are
//! told no more: what is still so stands among the open ends.

use super::claims;
use super::markers::{Marker, Text};
use super::marks::{Mark, Marked};
use super::message::inline::sentences;
use crate::memory::Block;

/// Positions of the momentary lines of a block.
pub fn lines(block: &Block) -> Vec<usize> {
    let lines = block.lines.iter().enumerate();
    lines.filter(|(_, line)| is_momentary(line)).map(|(at, _)| at).collect()
}

/// Whether a sentence of the line names a failure, something left undone or running, depends on the user,
/// or tells how it was before.
fn is_momentary(line: &str) -> bool {
    const LEFT: [Mark; 6] =
        [Mark::Must, Mark::Stated, Mark::Deferred, Mark::Unpublished, Mark::Handoff, Mark::Running];
    sentences(line).into_iter().any(|sentence| {
        let marked = Marked::read(sentence);
        marked.is_open()
            || LEFT.iter().any(|mark| marked.has(*mark))
            || claims::tells_failure(sentence)
            || Text::new(sentence).has(Marker::Still)
    })
}
