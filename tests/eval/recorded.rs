use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::report::{Part, Scored};
use crate::score::{Count, Figure};

/// Shares that differ by less are equal. The scores of the same program do not differ at all.
const TOLERANCE: f64 = 0.002;

const HEADER: &str = "\
# The scores that `make eval` must reach, and those of the first agent for comparison. Shares from 0
# to 1. `EVAL_RECORD=1 make eval` writes them.
";

/// `expected.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    tune: BTreeMap<String, f64>,
    test: BTreeMap<String, f64>,
    /// The scores of the first local agent over all cases.
    first_agent: BTreeMap<String, f64>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/eval/expected.toml")
}

impl Recorded {
    pub fn read() -> Recorded {
        let text = fs::read_to_string(path()).unwrap_or_default();
        if text.is_empty() {
            return Recorded::default();
        }
        toml::from_str(&text).unwrap_or_else(|e| panic!("tests/eval/expected.toml: {e}"))
    }

    pub fn share(&self, part: Part, figure: Figure) -> Option<f64> {
        let shares = match part {
            Part::Tune => &self.tune,
            Part::Test => &self.test,
            Part::All => return None,
        };
        shares.get(figure.name()).copied()
    }

    pub fn first_agent(&self, figure: Figure) -> Option<f64> {
        self.first_agent.get(figure.name()).copied()
    }

    /// The figures that are worse than the recorded ones, one sentence each.
    pub fn worse(&self, scored: &[Scored]) -> Vec<String> {
        let mut worse = Vec::new();
        for part in [Part::Tune, Part::Test] {
            let score = part.score(scored);
            for figure in Figure::ALL {
                let recorded = self.share(part, figure);
                if is_worse(figure, score.count(figure), recorded) {
                    let share = score.count(figure).share().map_or("-".to_owned(), rounded);
                    let recorded = recorded.map_or("-".to_owned(), rounded);
                    let (part, figure) = (part.name(), figure.name());
                    worse.push(format!("{part} {figure}: {share}, recorded {recorded}"));
                }
            }
        }
        worse
    }

    /// Writes the scores in the place of the recorded ones.
    pub fn write(&self, scored: &[Scored]) {
        let mut text = HEADER.to_owned();
        for part in [Part::Tune, Part::Test] {
            let score = part.score(scored);
            let shares = Figure::ALL.map(|figure| (figure.name(), score.count(figure).share()));
            write_table(&mut text, part.name(), &shares);
        }
        let shares = Figure::ALL.map(|figure| (figure.name(), self.first_agent(figure)));
        write_table(&mut text, "first_agent", &shares);
        fs::write(path(), text).unwrap();
    }
}

fn is_worse(figure: Figure, count: Count, recorded: Option<f64>) -> bool {
    let (Some(higher_is_better), Some(recorded)) = (figure.higher_is_better(), recorded) else {
        return false;
    };
    match count.share() {
        Some(share) if higher_is_better => share < recorded - TOLERANCE,
        Some(share) => share > recorded + TOLERANCE,
        // Nothing of this kind is told any more. That costs recall, which has a figure of its own.
        None => false,
    }
}

fn write_table(text: &mut String, name: &str, shares: &[(&str, Option<f64>)]) {
    let _ = write!(text, "\n[{name}]\n");
    for (figure, share) in shares {
        if let Some(share) = share {
            let _ = writeln!(text, "{figure} = {}", rounded(*share));
        }
    }
}

fn rounded(share: f64) -> String {
    format!("{share:.3}")
}

#[test]
fn one_pattern_less_is_worse() {
    let count = |hits| Count { hits, of: 100 };
    assert!(is_worse(Figure::Told, count(79), Some(0.8)));
    assert!(!is_worse(Figure::Told, count(80), Some(0.8)));
    assert!(!is_worse(Figure::Told, count(81), Some(0.8)));
    assert!(is_worse(Figure::False, count(3), Some(0.02)));
    assert!(!is_worse(Figure::False, count(1), Some(0.02)));
    assert!(!is_worse(Figure::Budget, count(1), Some(0.5)));
    assert!(!is_worse(Figure::Told, count(1), None));
}
