//! Findings of `memctl redact --check`, compared with the marks of the documents.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::Range;

use serde_json::Value;

use super::document::Document;
use crate::support::World;

#[derive(Default)]
struct Kind {
    /// Documents with a secret, and those of them whose secrets were found whole.
    secrets: usize,
    found: usize,
    /// Lines without a secret, and those of them with a finding.
    clean: usize,
    redacted: usize,
    /// The carriers of missed secrets or redacted lines, with their number.
    carriers: BTreeMap<&'static str, usize>,
}

#[derive(Default)]
pub struct Score {
    kinds: BTreeMap<&'static str, Kind>,
    missed: Vec<String>,
    redacted: Vec<String>,
    /// Characters of secrets, and characters of their lines that were redacted without being one.
    secret_bytes: usize,
    excess_bytes: usize,
}

/// A finding on a byte range of the text.
struct Finding {
    range: Range<usize>,
    rule: String,
}

impl Score {
    /// Runs the redactor over each document.
    pub fn check(&mut self, w: &World, documents: &[Document]) {
        for document in documents {
            let findings = findings(w, &document.text);
            self.add(document, &findings);
        }
    }

    fn add(&mut self, document: &Document, findings: &[Finding]) {
        let text = document.text.as_bytes();
        let mut covered = vec![false; text.len()];
        for finding in findings {
            covered[finding.range.clone()].fill(true);
        }
        let kind = self.kinds.entry(document.kind).or_default();
        if !document.secrets.is_empty() {
            kind.secrets += 1;
            let mut secret = document.secrets.iter().flat_map(Clone::clone);
            // Quotes, padding and separators at the edges of a finding tell nothing.
            match secret.find(|at| !covered[*at] && text[*at].is_ascii_alphanumeric()) {
                None => kind.found += 1,
                Some(at) => {
                    *kind.carriers.entry(document.carrier).or_default() += 1;
                    let line = line_around(&document.text, at);
                    self.missed.push(format!("{} in {}: {line}", document.kind, document.carrier));
                }
            }
        }
        let mut expected = vec![false; text.len()];
        for range in document.secrets.iter().chain(&document.either) {
            expected[range.clone()].fill(true);
        }
        self.secret_bytes += expected.iter().filter(|is_secret| **is_secret).count();
        self.excess_bytes += (0..text.len()).filter(|at| covered[*at] && !expected[*at]).count();
        for line in document.clean_lines() {
            kind.clean += 1;
            let on_line = |f: &&Finding| f.range.start < line.end && line.start < f.range.end;
            if let Some(finding) = findings.iter().find(on_line) {
                kind.redacted += 1;
                *kind.carriers.entry(document.carrier).or_default() += 1;
                let shown = line_around(&document.text, line.start);
                let rule = &finding.rule;
                self.redacted.push(format!("{} by {rule}: {shown}", document.kind));
            }
        }
    }

    pub fn recall(&self) -> f64 {
        ratio(self.sum(|kind| kind.found), self.sum(|kind| kind.secrets))
    }

    /// The share of clean lines with a finding, in the texts of look-alikes or in those with secrets,
    /// whichever is larger.
    pub fn false_positives(&self) -> f64 {
        let share = |with_secrets: bool| {
            let kinds =
                || self.kinds.values().filter(move |kind| (kind.secrets > 0) == with_secrets);
            ratio(kinds().map(|kind| kind.redacted).sum(), kinds().map(|kind| kind.clean).sum())
        };
        share(true).max(share(false))
    }

    fn sum(&self, of: impl Fn(&Kind) -> usize) -> usize {
        self.kinds.values().map(of).sum()
    }

    /// A table of all kinds and, on request, this many misses and false positives.
    pub fn report(&self, examples: usize) -> String {
        let mut text = String::from(
            "kind                            secrets  recall   clean  redacted  missed or redacted in\n",
        );
        for (name, kind) in &self.kinds {
            let recall = match kind.secrets {
                0 => "-".to_owned(),
                n => format!("{:.1} %", 100.0 * ratio(kind.found, n)),
            };
            let row = format!(
                "{name:<31} {:>7} {recall:>7} {:>7} {:>9}",
                kind.secrets, kind.clean, kind.redacted
            );
            let carriers = kind.carriers.iter().map(|(carrier, n)| format!("{carrier} {n}"));
            let carriers: Vec<String> = carriers.collect();
            writeln!(text, "{row}  {}", carriers.join(", ")).unwrap();
        }
        let kinds_of_secrets = self.kinds.values().filter(|kind| kind.secrets > 0).count();
        writeln!(
            text,
            "{} secrets of {kinds_of_secrets} kinds, {:.2} % found; {} clean lines and {} kinds of look-alikes, {:.2} % redacted (in the worse part)",
            self.sum(|kind| kind.secrets),
            100.0 * self.recall(),
            self.sum(|kind| kind.clean),
            self.kinds.len() - kinds_of_secrets,
            100.0 * self.false_positives()
        )
        .unwrap();
        let excess = 100.0 * ratio(self.excess_bytes, self.secret_bytes);
        writeln!(text, "redacted beyond the secrets: {excess:.1} % of their length").unwrap();
        for (title, all) in [("missed", &self.missed), ("redacted", &self.redacted)] {
            let step = (all.len() / examples.max(1)).max(1);
            for example in all.iter().step_by(step).take(examples) {
                writeln!(text, "{title}: {example}").unwrap();
            }
        }
        text
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The line with this byte, cut to 160 characters.
fn line_around(text: &str, at: usize) -> String {
    let start = text.as_bytes()[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    line.escape_debug().to_string().chars().take(160).collect()
}

fn findings(w: &World, text: &str) -> Vec<Finding> {
    let file = w.path("sample.txt");
    fs::write(&file, text).unwrap();
    let output = w.memctl(&["redact", "--check", "--json", file.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&output.out)
        .unwrap_or_else(|e| panic!("{e}: {output:?} for {text:?}"));
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{report}")) as usize;
    let finding = |value: &Value| {
        let start = starts[number(&value["line"]) - 1] + number(&value["column"]) - 1;
        let end = (start + number(&value["length"])).min(text.len());
        Finding { range: start..end, rule: value["rule"].as_str().unwrap_or("-").to_owned() }
    };
    report["findings"].as_array().unwrap().iter().map(finding).collect()
}
