use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::case::Case;
use crate::recorded::Recorded;
use crate::replay::Memory;
use crate::score::{Count, Figure, Score};

/// A played case with its score.
pub struct Scored<'a> {
    pub case: &'a Case,
    pub memory: Memory,
    pub score: Score,
}

/// A set of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    All,
    Tune,
    Test,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Part::All => "all",
            Part::Tune => "tune",
            Part::Test => "test",
        }
    }

    fn has(self, case: &Case) -> bool {
        match self {
            Part::All => true,
            Part::Tune => case.is_tune,
            Part::Test => !case.is_tune,
        }
    }

    /// The sum over the cases of this set.
    pub fn score(self, scored: &[Scored]) -> Score {
        Score::sum(scored.iter().filter(|s| self.has(s.case)).map(|s| &s.score))
    }
}

/// The figures of each set, and those of each language.
pub fn tables(scored: &[Scored], recorded: &Recorded) -> String {
    let [all, tune, test] = [Part::All, Part::Tune, Part::Test].map(|part| part.score(scored));
    let mut text = format!(
        "{} cases; share and count of each figure, the recorded share in brackets\n\n\
         {:<18} {:>14} {:>22} {:>22} {:>12}\n",
        scored.len(),
        "",
        "all",
        "tune",
        "test",
        "first agent"
    );
    for figure in Figure::ALL {
        let in_brackets = |part| format!("[{}]", percent(recorded.share(part, figure)));
        let _ = writeln!(
            text,
            "{:<18} {:>14} {:>14} {:>7} {:>14} {:>7} {:>12}",
            figure.name(),
            cell(all.count(figure)),
            cell(tune.count(figure)),
            in_brackets(Part::Tune),
            cell(test.count(figure)),
            in_brackets(Part::Test),
            percent(recorded.first_agent(figure)),
        );
    }
    text.push_str(&by_language(scored));
    text
}

fn by_language(scored: &[Scored]) -> String {
    let columns = [
        ("told", Figure::Told),
        ("false", Figure::False),
        ("next P", Figure::NextPrecision),
        ("next R", Figure::NextRecall),
        ("rules P", Figure::RulesPrecision),
        ("rules R", Figure::RulesRecall),
        ("titles", Figure::Titles),
        ("search", Figure::Search),
    ];
    let mut text = format!("\n{:<9} {:>5}", "language", "cases");
    columns.iter().for_each(|(name, _)| write!(text, " {name:>8}").unwrap());
    text.push_str("   tokens\n");
    let mut languages: BTreeMap<&str, Vec<&Scored>> = BTreeMap::new();
    for scored in scored {
        languages.entry(&scored.case.language).or_default().push(scored);
    }
    for (language, cases) in languages {
        let score = Score::sum(cases.iter().map(|scored| &scored.score));
        let _ = write!(text, "{language:<9} {:>5}", cases.len());
        for (_, figure) in columns {
            let _ = write!(text, " {:>8}", percent(score.count(figure).share()));
        }
        let tokens = score.count(Figure::Budget).hits as usize / cases.len();
        let _ = writeln!(text, " {tokens:>8}");
    }
    text
}

/// `83 % (5/6)`.
fn cell(count: Count) -> String {
    match count.share() {
        Some(_) if count.of >= 10_000 => percent(count.share()),
        Some(_) => format!("{} ({}/{})", percent(count.share()), count.hits, count.of),
        None => "-".to_owned(),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1}", 100.0 * share))
}

/// The context of a case and what is wrong with it.
pub fn case(scored: &Scored) -> String {
    let Scored { case, memory, score } = scored;
    let mut text = format!("=== {}\n{}\n\n{}\n", case.name, case.why, memory.context);
    for (figure, line) in &score.failures {
        let _ = writeln!(text, "{:<18} {}", figure.name(), line.replace('\n', "\n    "));
    }
    text
}

/// Writes the contexts and failures of the tune split to `target/eval/tune.txt`.
pub fn write_tune(scored: &[Scored]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/eval");
    fs::create_dir_all(&dir).unwrap();
    let tune = scored.iter().filter(|scored| scored.case.is_tune);
    let texts: Vec<String> = tune.map(case).collect();
    fs::write(dir.join("tune.txt"), texts.join("\n")).unwrap();
}
