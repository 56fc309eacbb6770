//! Changes beyond the work tree. Equal ones are counted.

use super::add_source;
use crate::activity::{Activity, Event};
use crate::memory::{Effect, EffectKind, Evidence};

/// Maximum number of different effects of a turn.
const MAX_EFFECTS: usize = 40;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let id = event.message.id;
    match event.activity {
        Activity::Run(run) => {
            run.effects.iter().for_each(|effect| record(evidence, effect.clone(), id));
        }
        Activity::Call { side_effect: Some(text), .. } => {
            let effect =
                Effect { kind: EffectKind::Remote, text: text.clone(), ..Effect::default() };
            record(evidence, effect, id);
        }
        _ => {}
    }
}

fn record(evidence: &mut Evidence, effect: Effect, id: i64) {
    let same = |known: &&mut Effect| (known.kind, &known.text) == (effect.kind, &effect.text);
    if let Some(known) = evidence.effects.iter_mut().find(same) {
        known.count += 1;
        if !effect.link.is_empty() {
            known.link = effect.link;
        }
        add_source(&mut known.sources, id);
    } else if evidence.effects.len() < MAX_EFFECTS {
        evidence.effects.push(Effect { count: 1, sources: vec![id], ..effect });
    }
}
