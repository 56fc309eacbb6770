//! Parses arbitrary model replies. The result is bounded and free of control characters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memctl_fuzz::agent::parse::{Parsed, parse};

/// Maximum length of a text, in characters.
const MAX_CHARS: usize = 2000;

fn check(text: &str) {
    assert!(text.chars().count() <= MAX_CHARS, "{} characters", text.chars().count());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

fuzz_target!(|text: &str| {
    let Parsed::Reply(reply) = parse(text) else { return };
    assert!(!reply.observations.is_empty() || reply.summary.is_some());
    assert!(reply.observations.len() <= 16);
    for observation in &reply.observations {
        assert!(!observation.title.is_empty());
        assert!(
            observation.facts.len() <= 12
                && observation.concepts.len() <= 12
                && observation.events.len() <= 512
        );
        let texts = [
            Some(&observation.title),
            observation.subtitle.as_ref(),
            observation.narrative.as_ref(),
        ];
        texts
            .into_iter()
            .flatten()
            .chain(&observation.facts)
            .chain(&observation.concepts)
            .for_each(|t| check(t));
    }
    if let Some(s) = &reply.summary {
        let fields =
            [&s.request, &s.investigated, &s.learned, &s.completed, &s.next_steps, &s.notes];
        fields.into_iter().for_each(|text| check(text));
    }
});
