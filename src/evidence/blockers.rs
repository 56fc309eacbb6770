//! What kept commands from working, until the same thing works.

use super::add_source;
use crate::activity::{Activity, Event, Run};
use crate::memory::{Blocker, BlockerKind, CheckRun, EffectKind, Evidence, Outcome};

/// Maximum number of open blockers of a turn.
const MAX_BLOCKERS: usize = 12;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let Activity::Run(run) = event.activity else { return };
    evidence.blockers.retain(|blocker| !ends(run, blocker));
    for blocker in &run.blockers {
        let same = |known: &Blocker| {
            (known.kind, &known.command, &known.subject)
                == (blocker.kind, &blocker.command, &blocker.subject)
        };
        let known = evidence.blockers.iter().position(same);
        let mut sources = known.map_or_else(Vec::new, |at| evidence.blockers.remove(at).sources);
        add_source(&mut sources, event.message.id);
        if evidence.blockers.len() == MAX_BLOCKERS {
            evidence.blockers.remove(0);
        }
        evidence.blockers.push(Blocker { sources, ..blocker.clone() });
    }
}

/// Whether a run shows that what blocked works.
fn ends(run: &Run, blocker: &Blocker) -> bool {
    let subject = blocker.subject.as_str();
    let worked = |name: &str| run.worked.iter().any(|known| known == name);
    // `curl` of another server says nothing.
    let is_server = blocker.kind == BlockerKind::Service && subject.contains(':');
    if !is_server && worked(&blocker.command) {
        return true;
    }
    match blocker.kind {
        BlockerKind::Missing => {
            let installed = |text: &str| text.split([' ', ',']).any(|word| word == subject);
            let ran = run.checks.iter().filter(|check| check.outcome != Outcome::Unknown);
            worked(subject)
                || ran.into_iter().any(|check| check.key.split(' ').next() == Some(subject))
                || run
                    .effects
                    .iter()
                    .any(|effect| effect.kind == EffectKind::Installed && installed(&effect.text))
        }
        // Any `git` command works without a password, so only the same command counts.
        BlockerKind::Credentials => !matches!(subject, "git" | "ssh" | "npm") && worked(subject),
        BlockerKind::Service => worked(subject),
        BlockerKind::Hook => !run.commits.is_empty() && blocker.command == "git commit",
        BlockerKind::Ci => worked("ci"),
        BlockerKind::Other => {
            let passes =
                |check: &CheckRun| check.key == blocker.command && check.outcome == Outcome::Pass;
            run.checks.iter().any(passes)
        }
        BlockerKind::Denied => false,
    }
}
