//! Whatever a model says: it is read without a panic, and what is kept of it is bounded and holds no
//! control characters. The parser is taken in by its files, for memctl is no library.

#![no_main]
#![allow(dead_code, unused_imports, reason = "of these files only the parser is used")]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/memory.rs"]
mod memory;

#[path = "../../src/text/mod.rs"]
mod text;

#[path = "../../src/agent"]
mod agent {
    pub mod error;
    pub mod parse;
    pub mod tags;
}

use agent::parse::{Parsed, parse};

/// In characters.
const LONGEST: usize = 2000;

fn check(text: &str) {
    assert!(text.chars().count() <= LONGEST, "{} characters", text.chars().count());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

fuzz_target!(|text: &str| {
    let Parsed::Reply(reply) = parse(text) else { return };
    assert!(!reply.observations.is_empty() || reply.summary.is_some());
    assert!(reply.observations.len() <= 16);
    for said in &reply.observations {
        assert!(!said.title.is_empty());
        assert!(said.facts.len() <= 12 && said.concepts.len() <= 12 && said.events.len() <= 512);
        let texts = [Some(&said.title), said.subtitle.as_ref(), said.narrative.as_ref()];
        texts.into_iter().flatten().chain(&said.facts).chain(&said.concepts).for_each(|t| check(t));
    }
    if let Some(s) = &reply.summary {
        let fields =
            [&s.request, &s.investigated, &s.learned, &s.completed, &s.next_steps, &s.notes];
        fields.into_iter().for_each(|text| check(text));
    }
});
