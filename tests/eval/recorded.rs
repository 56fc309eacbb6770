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
    /// What prompts receive while a session works.
    #[serde(default)]
    recall: BTreeMap<String, f64>,
    /// What is kept of the words of users.
    #[serde(default)]
    statements: BTreeMap<String, f64>,
    /// What sentences of final messages become.
    #[serde(default)]
    messages: BTreeMap<String, f64>,
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

    /// The recorded share of a figure of [`crate::recall`].
    pub fn recall(&self, figure: &str) -> Option<f64> {
        self.recall.get(figure).copied()
    }

    /// A sentence if a figure of [`crate::recall`] is worse than the recorded one.
    pub fn worse_recall(
        &self,
        figure: &str,
        higher_is_better: bool,
        count: Count,
    ) -> Option<String> {
        worse_than(self.recall(figure), higher_is_better, count)
            .map(|worse| format!("recall {figure}: {worse}"))
    }

    /// The same for a figure of [`crate::final_messages`].
    pub fn worse_message(
        &self,
        figure: &str,
        higher_is_better: bool,
        count: Count,
    ) -> Option<String> {
        worse_than(self.messages.get(figure).copied(), higher_is_better, count)
            .map(|worse| format!("final messages {figure}: {worse}"))
    }

    /// The figures that are worse than the recorded ones, one sentence each.
    pub fn worse(&self, scored: &[Scored]) -> Vec<String> {
        let mut worse = Vec::new();
        for part in [Part::Tune, Part::Test] {
            let score = part.score(scored);
            for figure in Figure::ALL {
                let recorded = self.share(part, figure);
                if is_worse(figure.higher_is_better(), score.count(figure), recorded) {
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
    pub fn write(&mut self, scored: &[Scored]) {
        for part in [Part::Tune, Part::Test] {
            let score = part.score(scored);
            let shares = Figure::ALL.map(|figure| (figure.name(), score.count(figure).share()));
            match part {
                Part::Tune => self.tune = shares_of(&shares),
                _ => self.test = shares_of(&shares),
            }
        }
        self.write_file();
    }

    /// The same for the figures of [`crate::recall`].
    pub fn write_recall(&mut self, shares: &[(&str, Option<f64>)]) {
        self.recall.extend(shares_of(shares));
        self.write_file();
    }

    /// A sentence if a figure of [`crate::statements`] is worse than the recorded one.
    pub fn worse_statement(&self, figure: &str, count: Count) -> Option<String> {
        let worse = worse_than(self.statements.get(figure).copied(), true, count)?;
        Some(format!("statements {figure}: {worse}"))
    }

    /// Writes the figures of [`crate::statements`].
    pub fn write_statements(&mut self, shares: &[(String, Option<f64>)]) {
        let shares = shares.iter().map(|(name, share)| (name.as_str(), *share));
        self.statements = shares_of(&shares.collect::<Vec<_>>());
        self.write_file();
    }

    /// The same for the figures of [`crate::final_messages`].
    pub fn write_messages(&mut self, shares: &[(String, Option<f64>)]) {
        let shares = shares.iter().map(|(name, share)| (name.as_str(), *share));
        self.messages = shares_of(&shares.collect::<Vec<_>>());
        self.write_file();
    }

    fn write_file(&self) {
        let mut text = HEADER.to_owned();
        let of_figures = |shares: &BTreeMap<String, f64>| {
            let share = |figure: Figure| Some((figure.name(), *shares.get(figure.name())?));
            Figure::ALL.into_iter().filter_map(share).collect::<Vec<_>>()
        };
        write_table(&mut text, "tune", &of_figures(&self.tune));
        write_table(&mut text, "test", &of_figures(&self.test));
        write_table(&mut text, "first_agent", &of_figures(&self.first_agent));
        for (table, shares) in [
            ("recall", &self.recall),
            ("statements", &self.statements),
            ("messages", &self.messages),
        ] {
            let shares = shares.iter().map(|(name, share)| (name.as_str(), *share));
            write_table(&mut text, table, &shares.collect::<Vec<_>>());
        }
        fs::write(path(), text).unwrap();
    }
}

fn worse_than(recorded: Option<f64>, higher_is_better: bool, count: Count) -> Option<String> {
    is_worse(Some(higher_is_better), count, recorded).then(|| {
        let [share, recorded] =
            [count.share(), recorded].map(|share| share.map_or("-".to_owned(), rounded));
        format!("{share}, recorded {recorded}")
    })
}

fn is_worse(higher_is_better: Option<bool>, count: Count, recorded: Option<f64>) -> bool {
    let (Some(higher_is_better), Some(recorded)) = (higher_is_better, recorded) else {
        return false;
    };
    match count.share() {
        Some(share) if higher_is_better => share < recorded - TOLERANCE,
        Some(share) => share > recorded + TOLERANCE,
        // Nothing of this kind is told any more. That costs recall, which has a figure of its own.
        None => false,
    }
}

fn shares_of(shares: &[(&str, Option<f64>)]) -> BTreeMap<String, f64> {
    shares.iter().filter_map(|(name, share)| Some((name.to_string(), (*share)?))).collect()
}

fn write_table(text: &mut String, name: &str, shares: &[(&str, f64)]) {
    let _ = write!(text, "\n[{name}]\n");
    for (figure, share) in shares {
        let _ = writeln!(text, "{figure} = {}", rounded(*share));
    }
}

fn rounded(share: f64) -> String {
    format!("{share:.3}")
}

#[test]
fn one_pattern_less_is_worse() {
    let count = |hits| Count { hits, of: 100 };
    assert!(is_worse(Figure::Told.higher_is_better(), count(79), Some(0.8)));
    assert!(!is_worse(Figure::Told.higher_is_better(), count(80), Some(0.8)));
    assert!(!is_worse(Figure::Told.higher_is_better(), count(81), Some(0.8)));
    assert!(is_worse(Figure::False.higher_is_better(), count(3), Some(0.02)));
    assert!(!is_worse(Figure::False.higher_is_better(), count(1), Some(0.02)));
    assert!(!is_worse(Figure::Budget.higher_is_better(), count(1), Some(0.5)));
    assert!(!is_worse(Figure::Told.higher_is_better(), count(1), None));
}
