use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::case::{Case, Pattern};
use crate::replay::Memory;
use crate::told::{Item, Section};

/// The default of `context.tokens`.
const BUDGET: u32 = 2000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Facts that must be told and are.
    Told,
    /// Lines that state something false, stale or vacuous.
    False,
    /// Items of the section Open that are really open.
    NextPrecision,
    NextRecall,
    /// Items about failures that are true.
    FailingPrecision,
    FailingRecall,
    /// Items among the user's rules and decisions that are some.
    RulesPrecision,
    RulesRecall,
    /// Sessions with a title that can be understood alone.
    Titles,
    /// Sessions told that should not be.
    Noise,
    /// Identifiers that a search can find.
    Search,
    /// Lines that introduce something that does not follow.
    Dangling,
    /// Lines that are told twice.
    Duplicates,
    /// Tokens used of the budget.
    Budget,
}

impl Figure {
    pub const ALL: [Figure; 14] = [
        Figure::Told,
        Figure::False,
        Figure::NextPrecision,
        Figure::NextRecall,
        Figure::FailingPrecision,
        Figure::FailingRecall,
        Figure::RulesPrecision,
        Figure::RulesRecall,
        Figure::Titles,
        Figure::Noise,
        Figure::Search,
        Figure::Dangling,
        Figure::Duplicates,
        Figure::Budget,
    ];

    /// The name in tables and in `expected.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Figure::Told => "told",
            Figure::False => "false",
            Figure::NextPrecision => "next-precision",
            Figure::NextRecall => "next-recall",
            Figure::FailingPrecision => "failing-precision",
            Figure::FailingRecall => "failing-recall",
            Figure::RulesPrecision => "rules-precision",
            Figure::RulesRecall => "rules-recall",
            Figure::Titles => "titles",
            Figure::Noise => "noise",
            Figure::Search => "search",
            Figure::Dangling => "dangling",
            Figure::Duplicates => "duplicates",
            Figure::Budget => "budget",
        }
    }

    /// Whether a higher value is better. `None`: neither is.
    pub fn higher_is_better(self) -> Option<bool> {
        match self {
            Figure::Budget => None,
            Figure::False | Figure::Noise | Figure::Dangling | Figure::Duplicates => Some(false),
            _ => Some(true),
        }
    }
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    pub hits: u32,
    pub of: u32,
}

impl Count {
    /// From 0 to 1. `None` without a whole.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.hits) / f64::from(self.of))
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.hits += other.hits;
        self.of += other.of;
    }
}

/// The counts of a case, or their sums over cases.
#[derive(Default)]
pub struct Score {
    counts: BTreeMap<Figure, Count>,
    /// What lowered a figure, and the line or pattern.
    pub failures: Vec<(Figure, String)>,
}

impl Score {
    pub fn count(&self, figure: Figure) -> Count {
        self.counts.get(&figure).copied().unwrap_or_default()
    }

    pub fn sum<'a>(scores: impl Iterator<Item = &'a Score>) -> Score {
        let mut sum = Score::default();
        for score in scores {
            for (figure, count) in &score.counts {
                *sum.counts.entry(*figure).or_default() += *count;
            }
        }
        sum
    }

    /// Counts one statement. `text` describes it if it is a failure.
    fn add(&mut self, figure: Figure, hit: bool, text: impl FnOnce() -> String) {
        *self.counts.entry(figure).or_default() += Count { hits: hit.into(), of: 1 };
        if figure.higher_is_better().is_some_and(|higher| higher != hit) {
            self.failures.push((figure, text()));
        }
    }

    /// Counts the patterns that one of the items matches.
    fn recall<'a>(
        &mut self,
        figure: Figure,
        patterns: &[Pattern],
        items: impl Iterator<Item = &'a Item> + Clone,
    ) {
        for pattern in patterns {
            let found = items.clone().any(|item| pattern.matches(&item.text));
            self.add(figure, found, || pattern.text.clone());
        }
    }

    /// Counts the items that match one of the patterns.
    fn precision<'a>(
        &mut self,
        figure: Figure,
        patterns: &[&[Pattern]],
        items: impl Iterator<Item = &'a Item>,
    ) {
        for item in items {
            let expected = patterns.iter().copied().flatten().any(|p| p.matches(&item.text));
            self.add(figure, expected, || item.text.clone());
        }
    }
}

/// Compares what the memory tells with the labels of the case.
pub fn score(case: &Case, memory: &Memory) -> Score {
    let (expect, told) = (&case.expect, &memory.told);
    let mut score = Score::default();
    let open = told.in_section(Section::Open);
    let failing = told.items.iter().filter(|item| item.is_failing());
    let rules = told.in_section(Section::Rules);

    score.recall(Figure::Told, &expect.told, told.items.iter());
    for (item, line) in told.items.iter().flat_map(|i| i.text.lines().map(move |line| (i, line))) {
        let mut violated = expect.not_told.iter().find(|pattern| pattern.matches(line));
        if item.is_contradicted() {
            violated = None;
        }
        score.add(Figure::False, violated.is_some(), || {
            format!("{line}   [{}]", violated.map_or("", |pattern| &pattern.text))
        });
    }
    score.recall(Figure::NextRecall, &expect.next, open.clone());
    score.precision(Figure::NextPrecision, &[&expect.next, &expect.failing], open.clone());
    score.recall(Figure::FailingRecall, &expect.failing, open);
    // A failure may also be labelled as the step that repairs it.
    score.precision(Figure::FailingPrecision, &[&expect.failing, &expect.next], failing);
    score.recall(Figure::RulesRecall, &expect.rules, rules.clone());
    score.precision(Figure::RulesPrecision, &[&expect.rules], rules);
    for (n, label) in expect.title.iter().enumerate() {
        let title = told.titles.get(&n).map_or("", String::as_str);
        match label {
            Some(pattern) => {
                score.add(Figure::Titles, pattern.matches(title), || {
                    format!("session {}: {title:?}   [{}]", n + 1, pattern.text)
                });
            }
            None => score.add(Figure::Noise, told.sessions.contains(&n), || {
                format!("session {} is told: {title:?}", n + 1)
            }),
        }
    }
    for name in &expect.search {
        // As in a JSON string, because `stored` is JSON.
        let json = serde_json::to_string(&name.to_lowercase()).unwrap();
        let found = memory.stored.contains(json.trim_matches('"'));
        score.add(Figure::Search, found, || name.clone());
    }
    let n_lines = told.items.iter().map(|item| item.text.lines().count()).sum::<usize>() as u32;
    for (figure, lines) in
        [(Figure::Dangling, &told.dangling), (Figure::Duplicates, &told.duplicates)]
    {
        score.counts.insert(figure, Count { hits: lines.len() as u32, of: n_lines });
        score.failures.extend(lines.iter().map(|line| (figure, line.clone())));
    }
    score.counts.insert(Figure::Budget, Count { hits: memory.tokens, of: BUDGET });
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::Told;

    /// Scores a context of these items against labels.
    fn check(items: &[(Section, &str)], labels: &str) -> Score {
        let mut labels: serde_json::Value = serde_json::from_str(labels).unwrap();
        for key in ["told", "not_told", "next", "failing", "rules", "title", "search"] {
            if labels.get(key).is_none() {
                labels[key] = serde_json::json!([]);
            }
        }
        let case = serde_json::json!({"why": "", "language": "en", "trade": "", "sessions": [],
            "expect": labels});
        let items = items
            .iter()
            .map(|(section, text)| Item { section: *section, text: (*text).to_owned() });
        let told = Told { items: items.collect(), ..Told::default() };
        let memory = Memory { context: String::new(), told, tokens: 500, stored: String::new() };
        score(&serde_json::from_value(case).unwrap(), &memory)
    }

    fn count(hits: u32, of: u32) -> Count {
        Count { hits, of }
    }

    #[test]
    fn facts_and_false_statements_are_counted_by_pattern_and_by_line() {
        let items = [
            (Section::Other, "Fixed parse_date\nAll tests pass"),
            (Section::Other, "Said, but not shown: all tests pass — the last run failed"),
        ];
        let score = check(&items, r#"{"told": ["parse_date", "UTC"], "not_told": ["tests pass"]}"#);
        assert_eq!(score.count(Figure::Told), count(1, 2));
        assert_eq!(score.count(Figure::False), count(1, 3));
        assert_eq!(score.failures[0], (Figure::Told, "UTC".to_owned()));
        assert_eq!(score.count(Figure::Budget), count(500, 2000));
    }

    #[test]
    fn steps_count_in_the_open_section_only() {
        let items = [
            (Section::Open, "Push the tag"),
            (Section::Open, "`pytest` fails: test_a"),
            (Section::Open, "Let me know"),
            (Section::Other, "Rotate the key"),
        ];
        let labels = r#"{"next": ["push", "rotate"], "failing": ["test_a"]}"#;
        let score = check(&items, labels);
        assert_eq!(score.count(Figure::NextRecall), count(1, 2));
        assert_eq!(score.count(Figure::NextPrecision), count(2, 3));
        assert_eq!(score.count(Figure::FailingRecall), count(1, 1));
        assert_eq!(score.count(Figure::FailingPrecision), count(1, 1));
    }

    #[test]
    fn a_told_rule_that_is_none_lowers_precision() {
        let items = [(Section::Rules, "never use tabs"), (Section::Rules, "for now, skip it")];
        let score = check(&items, r#"{"rules": ["tabs", "MIT"]}"#);
        assert_eq!(score.count(Figure::RulesRecall), count(1, 2));
        assert_eq!(score.count(Figure::RulesPrecision), count(1, 2));
    }

    #[test]
    fn a_figure_without_a_whole_has_no_share() {
        assert_eq!(check(&[], "{}").count(Figure::NextPrecision).share(), None);
        assert_eq!(count(1, 4).share(), Some(0.25));
    }
}
