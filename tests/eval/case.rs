use std::fs;
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub is_tune: bool,
    pub why: String,
    pub language: String,
    #[expect(dead_code, reason = "for readers of the cases")]
    trade: String,
    pub sessions: Vec<Session>,
    pub expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The user's local time with its offset.
    pub at: String,
    /// The branch at the session's start.
    pub branch: String,
    pub events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Event {
    Prompt {
        prompt: String,
    },
    Tool {
        tool: String,
        input: Value,
        #[serde(default)]
        failed: bool,
        response: Option<Value>,
    },
    Subagent {
        subagent: String,
        report: String,
    },
    Stop {
        stop: String,
    },
    /// The client calls no hook when the user interrupts it.
    Interrupt {
        #[expect(dead_code, reason = "the key is the event")]
        interrupt: bool,
    },
    StopFailed {
        stop_failed: String,
    },
}

/// The labels. Each pattern is matched against single lines of the context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub told: Vec<Pattern>,
    pub not_told: Vec<Pattern>,
    pub next: Vec<Pattern>,
    pub failing: Vec<Pattern>,
    pub rules: Vec<Pattern>,
    /// One per session. `None`: the session must not be told.
    pub title: Vec<Option<Pattern>>,
    /// Literal texts.
    pub search: Vec<String>,
}

/// A regular expression that ignores case in all scripts. It may begin with `^(?!.*X).*`: lines with X do
/// not match then. `regex-lite` has no other assertions of this kind.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    pub text: String,
    regex: Regex,
    unless: Option<Regex>,
}

impl TryFrom<String> for Pattern {
    type Error = regex_lite::Error;

    fn try_from(text: String) -> Result<Pattern, Self::Error> {
        let compile = |text: &str| Regex::new(&format!("(?i){}", fold_case(text)));
        let parts = text.strip_prefix("^(?!.*").and_then(|rest| rest.split_once(").*"));
        let (unless, wanted) = match parts {
            Some((unless, wanted)) => (Some(compile(unless)?), wanted),
            None => (None, text.as_str()),
        };
        let regex = compile(wanted)?;
        Ok(Pattern { text, regex, unless })
    }
}

impl Pattern {
    /// Whether one of the lines of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        text.lines().map(fold_case).any(|line| {
            let is_excused = self.unless.as_ref().is_some_and(|unless| unless.is_match(&line));
            !is_excused && self.regex.is_match(&line)
        })
    }
}

/// Lowercases letters outside of ASCII. `regex-lite` ignores case in ASCII only. A pattern's classes
/// such as `\W` stay as they are.
fn fold_case(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Turkish: the dot is part of the letter, or missing.
            'İ' | 'ı' => folded.push('i'),
            c if c.is_ascii() => folded.push(c),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// All cases in the order of their names.
pub fn all() -> Vec<Case> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval/cases");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Case {
    let text = fs::read_to_string(file).unwrap();
    let mut case: Case =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    case.name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let number = case.name.split('-').nth(1).and_then(|number| number.parse::<u32>().ok());
    case.is_tune = number.expect("a number after the language") % 2 == 1;
    assert_eq!(case.expect.title.len(), case.sessions.len(), "titles of {}", case.name);
    case
}

#[test]
fn patterns_ignore_case_in_all_scripts() {
    let matches =
        |pattern: &str, line| Pattern::try_from(pattern.to_owned()).unwrap().matches(line);
    assert!(matches("ОТЧЁТ", "ещё не готов отчёт"));
    assert!(matches("Çalıştır", "makefile: ÇALIŞTIR"));
    assert!(matches("istanbul", "İstanbul'da"));
    assert!(matches(r"\bparse\W+date", "Parse date"));
    assert!(!matches("a.b", "a\nb"));
}

#[test]
fn a_pattern_may_except_lines() {
    let pattern = Pattern::try_from("^(?!.*(not|never)).*tests? pass".to_owned()).unwrap();
    assert!(pattern.matches("The tests pass"));
    assert!(!pattern.matches("The tests do NOT pass"));
    assert!(pattern.matches("Not now\nAll tests pass"));
}
