//! How many secrets the redactor finds, and how many harmless lines it spares.
//!
//! Generators write secrets of all kinds into the texts in which they occur, and texts that only
//! resemble secrets. They follow the public formats of tokens and files, not the rules of the
//! redactor. `memctl redact --check` reads each text on its own.
//!
//! ```text
//! MEMCTL_REDACTION_SEED      seed of the texts (1)
//! MEMCTL_REDACTION_SAMPLES   texts of each kind (1); 30 or more are judged by the goals, fewer only
//!                            by a floor, because one text more or less changes much
//! MEMCTL_REDACTION_EXAMPLES  number of missed secrets and redacted lines to print (0)
//! ```

#[rustfmt::skip] // one text per line
mod carriers;
#[rustfmt::skip] // one text per line
mod commands;
mod document;
#[rustfmt::skip] // one text per line
mod files;
mod keys;
mod look_alikes;
mod noise;
mod score;
mod template;
mod tokens;
mod values;

use document::Document;
use score::Score;
use template::{Named, Text, Texts};
use tokens::Token;

use crate::support::World;
use crate::support::random::Random;

/// The share of secrets that must be found, and the share of clean lines that may have a finding.
const GOALS: (f64, f64) = (0.99, 0.005);

/// The same for fewer samples than [`ENOUGH`].
const FLOOR: (f64, f64) = (0.97, 0.01);

/// Samples of each kind that make a share exact enough.
const ENOUGH: usize = 30;

type Generate = Box<dyn Fn(&mut Random) -> String>;

/// A kind of secret or look-alike, and the texts that contain it.
struct Shape {
    kind: &'static str,
    texts: Vec<(&'static str, Generate)>,
}

impl Shape {
    fn of_table((kind, texts): &(&'static str, Texts)) -> Shape {
        let texts = texts.iter().map(|(carrier, text)| {
            (*carrier, Box::new(|random: &mut Random| text.write(random, None)) as Generate)
        });
        Shape { kind, texts: texts.collect() }
    }

    fn of_token(token: &'static Token) -> Shape {
        let mut carriers: Vec<&(&str, Text)> = carriers::NAMING.iter().collect();
        if token.is_sent_in_headers() {
            carriers.extend(carriers::HEADERS);
        }
        if token.is_recognizable {
            carriers.extend(carriers::BARE);
        }
        let is_long = token.generate(&mut Random(0)).len() >= 32;
        if is_long {
            carriers.extend(carriers::SPLIT);
        }
        let texts = carriers.into_iter().map(|(carrier, text)| {
            let write = |random: &mut Random| {
                let value = token.generate(random);
                let name = random.pick(token.names);
                let named = Named::new(random, name, &value);
                text.write(random, Some(&named))
            };
            (*carrier, Box::new(write) as Generate)
        });
        Shape { kind: token.kind, texts: texts.collect() }
    }

    /// Writes `n` texts. Each carrier has a turn before one has a second.
    fn documents(&self, random: &mut Random, n: usize) -> Vec<Document> {
        let mut order: Vec<usize> = Vec::new();
        let write = |_| {
            if order.is_empty() {
                order = (0..self.texts.len()).collect();
            }
            let next = order.swap_remove(random.below(order.len() as u64) as usize);
            let (carrier, generate) = &self.texts[next];
            Document::new(self.kind, carrier, &generate(random))
        };
        (0..n).map(write).collect()
    }
}

fn secrets() -> Vec<Shape> {
    let tokens = tokens::RECOGNIZABLE.iter().chain(tokens::NAMED).map(Shape::of_token);
    let tables = files::FILES.iter().chain(commands::COMMANDS).map(Shape::of_table);
    tokens.chain(tables).chain(keys::shapes()).collect()
}

fn look_alikes() -> Vec<Shape> {
    look_alikes::TABLES.iter().copied().flatten().map(Shape::of_table).collect()
}

#[expect(clippy::disallowed_methods, reason = "settings of the test")]
fn setting(name: &str, default: usize) -> usize {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

#[test]
fn generated_secrets_are_found_and_look_alikes_are_spared() {
    let seed = setting("MEMCTL_REDACTION_SEED", 1);
    let samples = setting("MEMCTL_REDACTION_SAMPLES", 1);
    let examples = setting("MEMCTL_REDACTION_EXAMPLES", 0);
    let mut random = Random(seed as u64);
    let w = World::new();
    let mut score = Score::default();
    for shape in secrets().iter().chain(&look_alikes()) {
        let documents = shape.documents(&mut random, samples);
        score.check(&w, &documents);
    }
    println!("MEMCTL_REDACTION_SEED={seed} MEMCTL_REDACTION_SAMPLES={samples}");
    println!("{}", score.report(examples));
    let (recall, share) = (score.recall(), score.false_positives());
    let (least, most) = if samples >= ENOUGH { GOALS } else { FLOOR };
    assert!(recall >= least, "{:.2} % of the secrets are found", 100.0 * recall);
    assert!(share <= most, "{:.2} % of the clean lines have a finding", 100.0 * share);
}

#[test]
fn a_seed_determines_the_texts_and_each_kind_has_enough_of_them() {
    let (secrets, look_alikes) = (secrets(), look_alikes());
    assert!(secrets.len() >= 60 && look_alikes.len() >= 60);
    let mut kinds = std::collections::BTreeSet::new();
    for shape in secrets.iter().chain(&look_alikes) {
        assert!(kinds.insert(shape.kind), "{} has two homes", shape.kind);
        let texts = |seed| {
            let documents = shape.documents(&mut Random(seed), 30);
            documents.into_iter().map(|document| document.text).collect::<Vec<_>>()
        };
        let first = texts(7);
        assert_eq!(first, texts(7), "{}", shape.kind);
        assert_ne!(first, texts(8), "{}", shape.kind);
    }
    for shape in &secrets {
        assert!(shape.texts.len() >= 3, "{} has too few carriers", shape.kind);
        for document in shape.documents(&mut Random(1), 30) {
            assert!(!document.secrets.is_empty(), "{} in {}", document.kind, document.carrier);
        }
    }
    for document in look_alikes.iter().flat_map(|shape| shape.documents(&mut Random(1), 30)) {
        assert!(document.secrets.is_empty() && !document.clean_lines().is_empty());
    }
}
