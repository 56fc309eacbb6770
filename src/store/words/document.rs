//! The text of a row for search: what its words are, and what of it can be shown.

use crate::memory::{Observation, Summary, Turn};
use crate::terms;

/// The text of a row. Words count in all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    pub title: String,
    pub body: String,
    /// Paths, names and what the tools of the turn said. Third parties may have written it, so that it is
    /// found and never told.
    pub names: String,
}

impl Document {
    pub fn of_observation(o: &Observation) -> Document {
        let body = o.subtitle.iter().chain(&o.narrative).chain(&o.facts);
        let lists = [&o.concepts, &o.files_read, &o.files_modified, &o.names];
        Document {
            title: o.title.clone(),
            body: lines(body.map(String::as_str)),
            names: lines(lists.into_iter().flatten().map(String::as_str)),
        }
    }

    pub fn of_summary(title: &str, s: &Summary, turn: Option<&Turn>) -> Document {
        let mut names: Vec<&str> = Vec::new();
        names.extend(s.files_read.iter().chain(&s.files_modified).map(String::as_str));
        if let Some(turn) = turn {
            add_evidence(&mut names, turn);
        }
        Document {
            title: title.to_owned(),
            body: lines(s.texts().into_iter().map(String::as_str)),
            names: lines(names),
        }
    }

    pub fn of_prompt(text: &str) -> Document {
        Document { body: text.to_owned(), ..Document::default() }
    }

    pub fn len(&self) -> usize {
        self.title.len() + self.body.len() + self.names.len()
    }

    /// The stems for the index, each once, and the number of words.
    pub fn words(&self) -> (String, usize) {
        terms::index_text(self.parts())
    }

    /// The parts, in the order in which words are counted.
    pub fn parts(&self) -> [&str; 3] {
        [&self.title, &self.body, &self.names]
    }
}

/// Adds what the evidence of a turn names: paths, errors, checks, commits.
fn add_evidence<'a>(names: &mut Vec<&'a str>, turn: &'a Turn) {
    let e = &turn.evidence;
    for file in &e.files {
        names.push(&file.path);
        names.extend(file.from.as_deref());
    }
    let lists = [&e.put_back, &e.read, &e.searched, &e.names, &turn.error_codes];
    names.extend(lists.into_iter().flatten().map(String::as_str));
    for commit in &e.commits {
        names.extend(
            [&commit.hash, &commit.branch, &commit.subject, &commit.body].map(String::as_str),
        );
    }
    for check in &e.checks {
        names.extend([&check.key, &check.reason].map(String::as_str));
        names.extend(check.arguments.iter().chain(&check.failing).map(String::as_str));
    }
    for blocker in &e.blockers {
        names.extend([&blocker.command, &blocker.subject, &blocker.reason].map(String::as_str));
    }
    for effect in &e.effects {
        names.extend([&effect.text, &effect.link].map(String::as_str));
    }
    for page in &e.pages {
        names.push(&page.subject);
    }
    for answer in &e.answers {
        names.extend([&answer.question, &answer.answer, &answer.note].map(String::as_str));
    }
    for plan in &e.plans {
        names.push(&plan.title);
        names.extend(plan.steps.iter().map(String::as_str));
    }
    if let Some(head) = &turn.head {
        names.push(&head.branch);
    }
}

/// The lines that are not empty.
fn lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(text);
    }
    out
}
