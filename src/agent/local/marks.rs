//! Words that say what a sentence of the assistant wants or claims: an order, an offer, a condition, what
//! is left; a check and its pass, a written file, a commit, a failure.

use std::sync::LazyLock;

use super::message::inline::is_question;
use super::phrases::{Found, Phrases, rows, words};
use crate::text::codes;

/// Longer sentences are read up to here, in characters.
const MAX_SENTENCE: usize = 600;

rows! {
    Mark:
    /// The user has to do something: `you need to`, `don't forget to`.
    Must = "must",
    /// A verb that begins an order: `run`, `set`.
    Imperative = "imperative",
    /// Words before an order: `then`.
    Connect = "connect",
    /// The order only shows something: `to try it`.
    Usage = "usage",
    /// A condition, at the beginning of a sentence.
    If = "if",
    /// It is left open whether: `you can`, `if you want`.
    Hypothetical = "hypothetical",
    /// The assistant would do it: `shall I`.
    Offer = "offer",
    /// An offer that says nothing: `anything else`.
    Courtesy = "courtesy",
    /// A choice: `which`.
    Which = "which",
    /// What is left is stated: `the next step is`.
    Stated = "stated",
    /// What was not done, if the sentence names it: `doesn't know it yet`, `I left out`.
    Deferred = "deferred",
    /// Work that is only on this machine: `not pushed`. It is a state and no step.
    Unpublished = "unpublished",
    /// Work that goes on without the assistant: `runs in the background`, `has started`.
    Running = "running",
    /// Why something was not done, or that it was looked for only: `as you asked`, `I haven't found`.
    Requested = "requested",
    /// Nobody has to do it: `no need to`.
    Needless = "needless",
    /// Before a deed that has no doer, `must be set`: `must`.
    Modal = "modal",
    /// A deed outside of the code: `be verified`, `be rotated`.
    Handled = "handled",
    /// The assistant cannot do what the sentence before asks for: `I can't do that`.
    Handoff = "handoff",
    /// What comes next: `next up`, `ready for`.
    Follow = "follow",
    Nothing = "nothing",
    /// How it was before, or what was thought of and not done: `used to`, `I considered`.
    Former = "former",
    /// Words of courtesy before what is told: `you're right`.
    Praise = "praise",
    /// The beginning of a clause before an order: `before`, `once`.
    Before = "before",
    /// What is hoped for and was not seen: `should`.
    Expected = "expected",
    /// Praise of the own work: `everything works`, `ready to merge`.
    Boast = "boast",
    /// The assistant did not do it: `I did not`, `I left`.
    NotMe = "not_me",
    /// It is not done, or put off: `not yet`, `for now`.
    Undone = "undone",
    /// A ban: `don't`, `never`.
    Forbid = "forbid",
    /// What a ban or an order waits for: `until`, `before`.
    Until = "until",
    /// The work cannot go on: `I have no access`.
    Blocked = "blocked",
    /// It is as before: `still`. What `Fine` says may be so.
    Still = "still",
    Fine = "fine",
    /// What names a cause: `came from`, `due to`.
    Cause = "cause",
    /// What joins a cause and its effect: `because`, `so`.
    Because = "because",
    /// A verb in the past: `was`.
    Past = "past",
    /// A request reports that something is wrong: `fix`, `error`.
    Repair = "repair",
    /// A question without a question mark begins so: `how`.
    Asks = "asks",
    /// A denial that leaves nothing undone: `found no`, `no longer`.
    Untold = "untold",
    /// A part of a plan: `phase`, `ticket`. This mark and those below also stand in code.
    Unit = "unit",
    Test = "test",
    Build = "build",
    Lint = "lint",
    Types = "types",
    Pass = "pass",
    /// What makes a claimed pass none: a denial, a condition, a failure.
    Not = "not",
    All = "all",
    /// A part of the checks: `new`, `unit`.
    Part = "part",
    Wrote = "wrote",
    /// What makes a written file none.
    Negated = "negated",
    /// Words before a file that was only read: `from`.
    Source = "source",
    Committed = "committed",
    Pushed = "pushed",
    Fail = "fail",
    /// A failure as the verb of the sentence: `fails`, `is broken`.
    Breaks = "breaks",
    Need = "need",
    Solved = "solved",
    Hook = "hook",
    Ci = "ci",
    /// A new state against the one before: `now`, `no longer`.
    Now = "now",
}

static PHRASES: LazyLock<Phrases<Mark>> =
    LazyLock::new(|| Phrases::read(include_str!("marks.tsv"), row));

fn row(name: &str) -> Option<Mark> {
    Mark::ALL.iter().find(|(_, known)| *known == name).map(|(mark, _)| *mark)
}

/// A sentence with its marks.
#[derive(Debug)]
pub struct Marked<'a> {
    pub text: &'a str,
    pub words: Vec<String>,
    marks: Vec<Found<Mark>>,
}

impl<'a> Marked<'a> {
    pub fn read(text: &'a str) -> Marked<'a> {
        let read = text.char_indices().nth(MAX_SENTENCE).map_or(text, |(at, _)| &text[..at]);
        let (words, is_code) = with_code(read);
        let is_said = |found: &Found<Mark>| {
            // `deploy.yml` begins no order.
            found.row as u8 >= Mark::Unit as u8
                || !is_code.get(found.start).copied().unwrap_or_default()
        };
        let marks = PHRASES.find(&words).filter(is_said).collect();
        Marked { text, words, marks }
    }

    pub fn has(&self, mark: Mark) -> bool {
        self.all(mark).next().is_some()
    }

    pub fn all(&self, mark: Mark) -> impl Iterator<Item = &Found<Mark>> {
        self.marks.iter().filter(move |found| found.row == mark)
    }

    /// Whether a mark says more than that work is not pushed or committed.
    pub fn says_beyond_git(&self, mark: Mark) -> bool {
        let is_git = |found: &Found<Mark>| {
            self.all(Mark::Unpublished).any(|git| git.start < found.end && found.start < git.end)
        };
        self.all(mark).any(|found| !is_git(found))
    }

    /// Whether it states what is left.
    pub fn states(&self) -> bool {
        self.says_beyond_git(Mark::Stated)
    }

    /// Whether it names something that was left undone without being asked to.
    pub fn defers(&self) -> bool {
        self.says_beyond_git(Mark::Deferred) && !self.has(Mark::Requested) && self.names_something()
    }

    /// Whether something must be done and nobody is named: `X must also be verified`.
    pub fn must_be_handled(&self) -> bool {
        const NEAR: usize = 8;
        // `Rows that must be checked are listed`.
        const RELATIVE: [&str; 6] = ["that", "which", "who", "die", "qui", "che"];
        let is_relative = |modal: &Found<Mark>| {
            let before = modal.start.checked_sub(1).and_then(|at| self.words.get(at));
            before.is_some_and(|word| RELATIVE.contains(&word.as_str()))
        };
        self.all(Mark::Modal).filter(|modal| !is_relative(modal)).any(|modal| {
            self.all(Mark::Handled).any(|deed| (modal.end..=modal.end + NEAR).contains(&deed.start))
        })
    }

    pub fn begins(&self, mark: Mark) -> bool {
        self.at(0, mark).is_some()
    }

    /// The end of the longest phrase of this mark that begins at a word.
    fn at(&self, at: usize, mark: Mark) -> Option<usize> {
        let found = self.marks.iter().filter(|found| found.row == mark && found.start == at);
        found.map(|found| found.end).max()
    }

    /// The word after the connecting words at `at`.
    fn connected(&self, mut at: usize) -> usize {
        while let Some(end) = self.at(at, Mark::Connect) {
            at = end;
        }
        at
    }

    pub fn is_question(&self) -> bool {
        is_question(self.text)
    }

    /// Whether the assistant asks or offers, or the sentence begins with a condition.
    pub fn is_offered(&self) -> bool {
        self.begins(Mark::If) || self.has(Mark::Offer) || self.is_question()
    }

    /// Whether the sentence, or what follows its first connecting words, begins with a condition.
    pub fn begins_with_condition(&self) -> bool {
        self.begins(Mark::If) || self.at(self.connected(0), Mark::If).is_some()
    }

    /// Whether it only depends: a condition, an option, an offer, a question.
    pub fn is_open(&self) -> bool {
        self.is_offered() || self.begins_with_condition() || self.has(Mark::Hypothetical)
    }

    /// Whether the sentence, or a clause of it after a condition of time, begins with a verb of this
    /// mark: `Then run`, `Before you deploy, set`, `It is missing, so install`.
    pub fn orders(&self, mark: Mark) -> bool {
        // `Agregué` and `Agregue` are the same word without accents.
        let first = self.text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty());
        if first.is_some_and(|word| word.ends_with('é')) {
            return false;
        }
        let order = |at: usize| self.at(at, mark).is_some_and(|end| !self.is_noun(end));
        let first = self.connected(0);
        if order(first) {
            return true;
        }
        let is_timed = |at: usize| {
            [at, self.connected(at)].into_iter().any(|at| self.at(at, Mark::Before).is_some())
        };
        let timed = is_timed(0);
        let mut clause_before = 0;
        self.clauses().into_iter().any(|at| {
            let connected = self.connected(at);
            // `It is saved; when you have read it, run`.
            let timed = timed || is_timed(clause_before);
            clause_before = at;
            (timed || connected > at) && order(connected)
        }) || timed && self.has_other_script(mark)
    }

    /// Whether it has a verb in the past. `It is requested` has none.
    pub fn is_past(&self) -> bool {
        const NOW: [&str; 7] = ["is", "are", "be", "being", "gets", "get", "now"];
        let is_now =
            |at: usize| self.words.get(at).is_some_and(|word| NOW.contains(&word.as_str()));
        self.all(Mark::Past).any(|found| !found.start.checked_sub(1).is_some_and(is_now))
    }

    /// Whether a clause begins at this word, or its connecting words end there.
    pub fn begins_clause_at(&self, word: usize) -> bool {
        let begins = |at: usize| at == word || self.connected(at) == word;
        begins(0) || self.clauses().into_iter().any(begins)
    }

    /// Whether the verb before word `at` is a noun instead: `Test coverage is`, `Open issues were`,
    /// `Commit 1a2b3c4`.
    fn is_noun(&self, at: usize) -> bool {
        const BE: [&str; 8] = ["is", "are", "was", "were", "has", "have", "does", "will"];
        const CLAUSE: [&str; 9] =
            ["which", "that", "so", "if", "until", "because", "as", "once", "and"];
        const NEAR: usize = 6;
        if self.words.get(at).is_some_and(|word| is_commit(word)) {
            return true;
        }
        let rest = self.words.iter().skip(at).take(NEAR).map(String::as_str);
        rest.take_while(|word| !CLAUSE.contains(word)).any(|word| BE.contains(&word))
    }

    /// Whether a mark is in another script than Latin. Russian has no comma after `перед деплоем`.
    fn has_other_script(&self, mark: Mark) -> bool {
        let mut found = self.marks.iter().filter(|found| found.row == mark);
        found.any(|found| self.words.get(found.start).is_some_and(|word| !word.is_ascii()))
    }

    /// The first words of the clauses after the first.
    fn clauses(&self) -> Vec<usize> {
        const MAX_CLAUSES: usize = 20;
        let breaks = [',', ';', ':', '—', '–', '，', '、', '；', '：', '،', '('];
        let mut at = 0;
        let mut starts = Vec::new();
        for clause in self.text.split(breaks).take(MAX_CLAUSES) {
            at += words(clause).len();
            starts.push(at);
        }
        starts
    }

    /// Whether it names something: code, a variable, an address, a path.
    pub fn names_something(&self) -> bool {
        let is_name = |word: &str| {
            let is_ticket = word
                .trim_start_matches('(')
                .strip_prefix('#')
                .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
            let word = word.trim_matches(['.', ',', ';', ':', '(', ')', '"', '\'', '!']);
            let is_constant = word.contains('_')
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            let is_address =
                word.contains("://") || word.contains('@') && word.contains('.') && word.len() > 5;
            let is_path = word.contains('/') && word.contains('.') && word.len() > 4;
            is_constant || is_address || is_path || is_ticket
        };
        // A call or a flag alone describes the program, a commit is what was done.
        let is_told =
            |code: &&str| !code.ends_with("()") && !code.starts_with('-') && !is_commit(code);
        codes(self.text).iter().any(is_told) || self.text.split_whitespace().any(is_name)
    }

    pub fn has_code(&self) -> bool {
        !codes(self.text).is_empty()
    }

    /// Whether it names a part of a plan by its number or key, or a command of the client: `Phase 3`,
    /// `AUTH-12`, `/plan-next`.
    pub fn names_unit(&self) -> bool {
        let is_number =
            |word: &str| word.chars().any(|c| c.is_numeric() || "一二三四五六七八九十".contains(c));
        let numbered = |word: Option<&String>| word.is_some_and(|word| is_number(word));
        let mut units = self.marks.iter().filter(|found| found.row == Mark::Unit);
        let is_command = |code: &&str| {
            code.strip_prefix('/').is_some_and(|name| {
                let name = name.split(' ').next().unwrap_or_default();
                name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains(['/', '.'])
            })
        };
        let codes = codes(self.text);
        units.any(|unit| {
            numbered(self.words.get(unit.end))
                || unit.start > 0 && numbered(self.words.get(unit.start - 1))
                // `TASK-12`, `014-auth.md`.
                || codes.iter().any(|code| is_number(code))
        }) || codes.iter().any(is_command)
            || self.text.split(|c: char| !c.is_alphanumeric() && c != '-').any(is_key)
    }

    /// Share of the words of `other` that stand in this sentence too, in percent.
    pub fn covers(&self, other: &Marked<'_>) -> usize {
        let long = |word: &&String| word.chars().count() > 2 || !word.is_ascii();
        let (mut all, mut shared) = (0, 0);
        for word in other.words.iter().filter(long) {
            all += 1;
            shared += usize::from(self.words.contains(word));
        }
        (shared * 100).checked_div(all).unwrap_or(0)
    }
}

/// The sentence without courtesy at its beginning: `You're right, the rows are virtual.` Empty if it is
/// nothing else.
pub fn without_praise(text: &str) -> &str {
    const BREAKS: [char; 12] = [',', '.', '!', ';', ':', '—', '–', '，', '。', '！', '、', '،'];
    let mut rest = text;
    loop {
        let at = rest.find(BREAKS).unwrap_or(rest.len());
        let head = Marked::read(&rest[..at]);
        if head.words.is_empty() || head.at(0, Mark::Praise) != Some(head.words.len()) {
            return rest;
        }
        rest = rest[at..].trim_start_matches(BREAKS).trim_start();
    }
}

/// The words of a text, and which of them stand in code.
fn with_code(text: &str) -> (Vec<String>, Vec<bool>) {
    let mut all = Vec::new();
    let mut is_code = Vec::new();
    let mut rest = text;
    let mut add = |text: &str, code: bool| {
        all.extend(words(text));
        is_code.resize(all.len(), code);
    };
    for code in codes(text) {
        // The same text may stand before its code.
        let from = rest.find('`').unwrap_or_default();
        let Some(at) = rest[from..].find(code).map(|at| from + at) else { continue };
        add(&rest[..at], false);
        add(code, true);
        rest = rest[at + code.len()..].trim_start_matches(['`', ' ']);
    }
    add(rest, false);
    (all, is_code)
}

/// Whether a word is the hash of a commit: `1a2b3c4`.
fn is_commit(word: &str) -> bool {
    (7..=40).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_hexdigit())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Whether a word is the key of a ticket: `AUTH-12`.
fn is_key(word: &str) -> bool {
    /// Names of standards look the same.
    const STANDARDS: [&str; 8] = ["UTF", "SHA", "ISO", "RFC", "AES", "RSA", "IEEE", "CVE"];
    word.split_once('-').is_some_and(|(project, number)| {
        !project.is_empty()
            && project.bytes().all(|b| b.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
            && !STANDARDS.contains(&project)
    })
}

#[cfg(test)]
mod tests {
    use super::super::phrases::check_table;
    use super::*;

    #[test]
    fn the_table_is_complete() {
        check_table(include_str!("marks.tsv"), row);
    }

    #[test]
    fn orders_begin_a_clause() {
        for text in [
            "Run `make db`.",
            "Then run `make db`.",
            "Before you deploy, set `A`.",
            "It is missing here, so install `jq`.",
            "Once that is merged: restart the worker.",
            "The plan is saved; when you have read it, run `make db`.",
        ] {
            assert!(Marked::read(text).orders(Mark::Imperative), "{text}");
        }
        for text in [
            "It is fast, test coverage grew in `a.rs`.",
            "Test coverage is 80 %.",
            "The job will run `make db`.",
            "Open issues are listed in `todo.md`.",
            "Commit `1a2b3c4`, tests in `a.rs`.",
            "The role exists, and `deploy.yml` uses it.",
            "The flag is gone, and `DELETE /a/{id}` answers 404.",
        ] {
            assert!(!Marked::read(text).orders(Mark::Imperative), "{text}");
        }
    }

    #[test]
    fn words_in_code_are_known() {
        let (words, is_code) = with_code("Run make `make db` in db `db`, then `a");
        assert_eq!(words, ["run", "make", "make", "db", "in", "db", "db", "then", "a"]);
        let code = [false, false, true, true, false, false, true, false, false];
        assert_eq!(is_code, code);
    }

    #[test]
    fn units_have_numbers_or_keys() {
        for text in ["Phase 3", "AUTH-12 comes next", "`/plan-next`"] {
            assert!(Marked::read(text).names_unit(), "{text}");
        }
        for text in ["UTF-8 comes next", "a-12", "A-b", "Phase out the flag"] {
            assert!(!Marked::read(text).names_unit(), "{text}");
        }
    }
}
