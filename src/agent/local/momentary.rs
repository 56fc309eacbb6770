//! Lines of a final message that say how things stand at its end. Once there is later work, they are
//! told no more: what is still so stands among the open ends.

use super::claims;
use super::markers::{Marker, Text};
use super::marks::{Mark, Marked};
use super::message::inline::sentences;

/// Whether a sentence of the line names a failure, something left undone or running, depends on the user,
/// or tells how it was before.
pub fn is_momentary(line: &str) -> bool {
    const LEFT: [Mark; 9] = [
        Mark::Must,
        Mark::Stated,
        Mark::Deferred,
        Mark::Unpublished,
        Mark::Handoff,
        Mark::Running,
        Mark::Former,
        Mark::Expected,
        Mark::Boast,
    ];
    sentences(line).into_iter().any(|sentence| {
        let marked = Marked::read(sentence);
        marked.is_open()
            || LEFT.iter().any(|mark| marked.has(*mark))
            || claims::tells_failure(sentence)
            || Text::new(sentence).has(Marker::Still)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences of labelled sessions, whose authors had not seen the rules.
    #[test]
    fn lines_that_hold_only_now_are_found() {
        for line in [
            "`reversal` still fails: the mark `RC` is read as a credit.",
            "I left out pinning, which is a matter of taste.",
            "Next time we could also look at geomorphing, but that is a bigger topic.",
            "The run over 30 epochs has started and writes `run30.log`.",
            "And `stg_web_sessions` holds bot traffic, which isn't filtered out here yet.",
            "需要的话我还可以加颜色或者按老师导出。",
            "I first thought about just awaiting `tick()` before focusing the list.",
            "レビューをお願いします。まだ直っていません。",
        ] {
            assert!(is_momentary(line), "{line}");
        }
        for line in [
            "The parser reads Sparkasse and ING.",
            "Quads merge only if their AO is equal: 4.0 ms, 73k triangles.",
            "カンマ区切りに統一しました。",
            "Da 9,2 s a 0,06 s.",
        ] {
            assert!(!is_momentary(line), "{line}");
        }
    }
}
