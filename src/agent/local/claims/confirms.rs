//! Whether a message speaks of a failure that the tools saw.

use super::super::marks::{Mark, Marked};
use super::super::phrases::words;
use crate::memory::{Blocker, BlockerKind};
use crate::text::sentences_of_prose as sentences;

/// Whether the texts speak of the failure: its name near a word of failure or need.
pub fn confirms<'a>(texts: impl Iterator<Item = &'a str>, blocker: &Blocker) -> bool {
    let names = Names::of(blocker);
    let mut failed_before = false;
    let mut named_before = false;
    for sentence in texts.flat_map(sentences) {
        let marked = Marked::read(sentence);
        let solved = marked.has(Mark::Solved);
        let fails = !solved && (marked.has(Mark::Fail) || marked.has(Mark::Need));
        let named = !solved && names.are_in(&marked, blocker.kind);
        let weakly = !solved && marked.has(Mark::Fail) && names.weakly_in(&marked);
        if weakly || named && (fails || failed_before) || named_before && fails {
            return true;
        }
        failed_before = fails;
        named_before = named;
    }
    false
}

/// What a blocker may be called.
struct Names {
    /// Its subject, its command, its program.
    strong: Vec<Vec<String>>,
    /// Words of its command: `push`.
    weak: Vec<String>,
}

impl Names {
    fn of(blocker: &Blocker) -> Names {
        /// Programs that many commands begin with.
        const COMMON: [&str; 24] = [
            "git", "sudo", "npm", "npx", "pnpm", "yarn", "cargo", "make", "sh", "bash", "python",
            "python3", "pip", "pip3", "uv", "apt", "apt-get", "brew", "gh", "curl", "ssh", "node",
            "go", "env",
        ];
        let command: Vec<&str> =
            blocker.command.split_whitespace().filter(|word| !word.starts_with('-')).collect();
        let program = command.iter().find(|word| !COMMON.contains(word));
        let is_common = command.first().is_some_and(|word| COMMON.contains(word));
        let program = program.filter(|_| !is_common).copied().unwrap_or_default();
        let sudo = if blocker.kind == BlockerKind::Credentials && command.first() == Some(&"sudo") {
            "sudo"
        } else {
            ""
        };
        // `deploy.yml` is called `deploy`, too.
        let stem = blocker.subject.rsplit('/').next().unwrap_or_default();
        let stem = stem.split_once('.').map_or("", |(stem, _)| stem);
        let strong = [blocker.subject.as_str(), stem, &blocker.command, program, sudo];
        let strong = strong.into_iter().map(words).filter(|words| !words.is_empty()).collect();
        let weak = command.iter().skip(1).filter(|word| word.len() >= 4).copied();
        Names { strong, weak: weak.flat_map(words).collect() }
    }

    fn are_in(&self, marked: &Marked<'_>, kind: BlockerKind) -> bool {
        let by_kind = match kind {
            BlockerKind::Hook => marked.has(Mark::Hook),
            BlockerKind::Ci => marked.has(Mark::Ci),
            BlockerKind::Other => marked.has(Mark::Build),
            _ => false,
        };
        let contains =
            |name: &Vec<String>| marked.words.windows(name.len()).any(|w| w == name.as_slice());
        by_kind || self.strong.iter().any(contains)
    }

    fn weakly_in(&self, marked: &Marked<'_>) -> bool {
        self.weak.iter().any(|word| marked.words.contains(word))
    }
}
