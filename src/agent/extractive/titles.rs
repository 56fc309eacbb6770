//! Titles that stand alone in a list: what was done, to what, without cut sentences.

use super::cures;
use super::kind;
use super::prose::{self, capital, fit};
use super::request;
use super::sentences::{self, About, Sentence};
use super::words;
use super::work::{FileChange, Work};
use crate::activity::{ChangeKind, Commit};
use crate::text::is_name;

/// A title is at most this many characters.
pub const MOST: usize = 120;

/// The title of a work. `said` are the sentences that belong to it.
pub fn of_work(work: &Work, kind: &str, prompt: &str, said: &[Sentence]) -> String {
    if let Some(commit) = &work.commit
        && commit.is_own
    {
        return tidy(without_prefix(&commit.subject));
    }
    if kind == "bugfix"
        && let Some(fix) = work.main_fix(!said.is_empty())
    {
        return cures::of_fix(fix, work, said);
    }
    let whole = |s: &&Sentence| {
        !leans_inside(&s.text)
            && stands_alone(&s.text)
            && !is_vacuous(&s.text)
            && !delivers(&s.text)
    };
    let opening = sentences::opening(said).map(|at| &said[at]).filter(|s| !s.item).filter(whole);
    if let Some(opening) = opening {
        return tidy(&without_subject(&opening.text));
    }
    let done: Vec<&Sentence> =
        said.iter().filter(|s| s.about == About::Done && s.depth == 0).filter(whole).collect();
    // One item of several tells a part; the request tells the whole.
    let main = done.iter().find(|s| !s.item || done.len() == 1);
    if let Some(main) = main {
        return tidy(&without_subject(&main.text));
    }
    if let Some(request) = as_title(prompt) {
        return with_files(&request, work);
    }
    if let Some(item) = done.first() {
        return tidy(&without_subject(&item.text));
    }
    if let Some(plain) =
        said.iter().filter(whole).find(|s| matches!(s.about, About::Plain | About::Done))
    {
        return tidy(&plain.text);
    }
    match (&work.commit, work.side_effects.first()) {
        (Some(commit), _) => of_commit(commit),
        (None, Some(deed)) if work.files.is_empty() => tidy(deed),
        (None, _) => of_files(work),
    }
}

/// The title of a commit whose subject somebody else wrote.
fn of_commit(commit: &Commit) -> String {
    format!("Committed {}", commit.hash)
}

/// What a work came to by its own evidence, when nobody said it.
pub fn of_evidence(work: &Work) -> String {
    let fix = work.fixes.iter().find(|f| !f.files.is_empty() && !f.failure.after_edits);
    match (&work.commit, fix) {
        (Some(commit), _) if commit.is_own => tidy(without_prefix(&commit.subject)),
        (Some(commit), _) => of_commit(commit),
        (None, Some(fix)) => cures::of_fix(fix, work, &[]),
        (None, None) if work.files.is_empty() => {
            work.side_effects.first().map(|d| tidy(d)).unwrap_or_default()
        }
        (None, None) => of_files(work),
    }
}

/// A request that says little by itself (`Implement x-12`), with the files it came to.
fn with_files(request: &str, work: &Work) -> String {
    let files = of_files(work);
    let named = work.files.iter().any(|f| request.contains(file_name(&f.path)));
    if request.chars().count() >= 45 || work.files.is_empty() || named {
        return request.to_owned();
    }
    let both = format!("{request}: {}", lower(&files));
    if both.chars().count() <= MOST {
        return both;
    }
    let weight = |f: &&FileChange| (!kind::is_test(&f.path), f.added + f.removed);
    let first = work.files.iter().max_by_key(weight).map(|f| short(&f.path));
    fit(
        &format!(
            "{request}: {} and {} more files",
            first.unwrap_or_default(),
            work.files.len() - 1
        ),
        MOST,
    )
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the files themselves tell: `Changed parse and lex in src/parser.rs`.
pub fn of_files(work: &Work) -> String {
    let mut files: Vec<&FileChange> = work.files.iter().collect();
    files.sort_by_key(|f| (kind::is_test(&f.path), std::cmp::Reverse(f.added + f.removed)));
    let Some(first) = files.first() else { return "Worked on the project".to_owned() };
    let verb = match first.change {
        ChangeKind::Created => "Created",
        ChangeKind::Changed => "Changed",
        ChangeKind::Removed => "Removed",
    };
    let names: Vec<&str> = first.names.iter().take(2).map(String::as_str).collect();
    let what = match (names.is_empty(), first.change) {
        (false, ChangeKind::Changed) => {
            format!("{} in {}", names.join(" and "), short(&first.path))
        }
        _ => short(&first.path),
    };
    let more = match files.len() {
        1 => String::new(),
        2 => format!(" and {}", short(&files[1].path)),
        n => format!(" and {} more files", n - 1),
    };
    tidy(&format!("{verb} {what}{more}"))
}

/// A long path by its last parts, as many as stay readable.
pub fn short(path: &str) -> String {
    if path.chars().count() <= 50 {
        return path.to_owned();
    }
    let name = file_name(path);
    let folder =
        path[..path.len() - name.len()].trim_end_matches('/').rsplit('/').next().unwrap_or("");
    if name.chars().count() > 40 { fit(name, 80) } else { format!("{folder}/{name}") }
}

/// The best sentence of an answer, or the question it answers.
pub fn of_answer(prompt: &str, said: &[Sentence]) -> Option<String> {
    let useful = |s: &&Sentence| s.about != About::Question && s.about != About::Next;
    let telling = |s: &&Sentence| {
        stands_alone(&s.text) && names_something(&s.text) && !(s.item && labelled(&s.text))
    };
    let best = said.iter().filter(useful).take(8).find(telling);
    if let Some(best) = best {
        return Some(tidy(&best.text));
    }
    let request = as_title(prompt);
    request.or_else(|| {
        said.iter().filter(useful).find(|s| stands_alone(&s.text)).map(|s| tidy(&s.text))
    })
}

/// What a subagent was sent to find out. Its report is the text of another agent, so no sentence of it
/// becomes a title.
pub fn of_report(task: &str, agent_type: Option<&str>) -> String {
    match (task, agent_type.filter(|kind| is_name(kind))) {
        ("", None) => "Subagent report".to_owned(),
        ("", Some(kind)) => format!("Subagent report ({kind})"),
        (task, _) => tidy(&format!("Subagent report: {task}")),
    }
}

/// `Location: …`, `Purpose: …`: a line of a form, about something named above it.
pub fn labelled(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(label, _)| !label.contains([' ', '`', '/']))
}

/// A prompt's essence as a title; none when it says nothing by itself (`go on`).
pub fn as_title(prompt: &str) -> Option<String> {
    let request = first_sentence(&request::from_prompt(prompt, MOST));
    let request = request
        .strip_prefix("also ")
        .or(request.strip_prefix("Also "))
        .unwrap_or(&request)
        .to_owned();
    if leans_inside(&request) {
        return None;
    }
    let words = request.split_whitespace().count();
    let wide = request.chars().filter(|c| !c.is_ascii()).count() >= 5;
    (words >= 3 || wide || words == 2 && request.chars().count() >= 14).then(|| tidy(&request))
}

/// The first sentence that says something: what follows it explains.
fn first_sentence(request: &str) -> String {
    let sentences = prose::split(request);
    let telling = sentences.iter().find(|s| s.split_whitespace().count() >= 3 || !s.is_ascii());
    telling.or(sentences.first()).cloned().unwrap_or_default()
}

/// Whether a sentence can be read without the one before it.
pub fn stands_alone(text: &str) -> bool {
    let length = text.chars().count();
    let first = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .find(|w| !w.is_empty())
        .unwrap_or("")
        .to_lowercase();
    let n_words = text.split_whitespace().count();
    let wide = text.chars().filter(|c| !c.is_ascii()).count() >= 8;
    (12..=220).contains(&length)
        && (n_words >= 3 || wide)
        && !words::LEANING.are(&first)
        && !is_report_of_tests(text)
}

/// Whether it speaks of something named before: `Documented it in the README`.
pub fn leans_inside(text: &str) -> bool {
    let mut words = text.split_whitespace().skip(1).take(3);
    text.split_whitespace().count() < 9
        && words.any(|w| {
            matches!(
                w.trim_end_matches(['.', ',', '!']),
                "it" | "them" | "that" | "this" | "these" | "those"
            )
        })
}

/// `The rename is complete.`
fn is_vacuous(text: &str) -> bool {
    text.split_whitespace().count() <= 6 && words::VACUOUS.inside(&text.to_lowercase())
}

/// `I pushed with --force-with-lease.`: how it got there, not what it is.
fn delivers(text: &str) -> bool {
    let low = without_subject(text).to_lowercase();
    ["pushed ", "committed ", "tagged ", "merged ", "rebased "].iter().any(|w| low.starts_with(w))
}

/// `All 12 tests pass.`: true, and no title.
pub fn is_report_of_tests(text: &str) -> bool {
    let low = text.to_lowercase();
    low.contains("tests pass")
        || low.contains("test suite")
        || low.contains("all tests")
        || low.contains("tests are green")
        || low.contains(" tests, 0 failures")
        || low.contains("compiles clean")
        || low.contains("test") && (low.contains(" passed") || low.contains(" passes"))
}

/// Characters of a text that are words and no code.
pub fn prose_in(text: &str) -> usize {
    text.split('`').step_by(2).map(|part| part.chars().filter(|c| c.is_alphabetic()).count()).sum()
}

/// Code, a path, a number or a name in mixed letters: something one can look up.
fn names_something(text: &str) -> bool {
    text.contains(['`', '/', '_'])
        || text.split_whitespace().skip(1).any(|w| {
            let bare = w.trim_matches(|c: char| !c.is_alphanumeric());
            bare.chars().any(|c| c.is_ascii_digit())
                || bare.contains('.')
                || bare.chars().skip(1).any(char::is_uppercase)
                || bare.chars().next().is_some_and(char::is_uppercase)
        })
}

/// Without `I've`, `We have`: what was done, said first.
pub fn without_subject(text: &str) -> String {
    let mut rest = text;
    for lead in [
        "I've ",
        "I have ",
        "We've ",
        "We have ",
        "I also ",
        "I ",
        "We ",
        "Successfully ",
        "Also ",
        "Now ",
    ] {
        let bare = rest.strip_prefix(lead);
        rest = bare.filter(|bare| !words::NEGATIVE.begin(&bare.to_lowercase())).unwrap_or(rest);
    }
    rest.to_owned()
}

/// A commit's title with its conventional scope: `Replace moment (reports, billing)`.
pub fn with_scope(work: &Work) -> Option<String> {
    let subject = &work.commit.as_ref().filter(|commit| commit.is_own)?.subject;
    let rest = without_prefix(subject);
    let (_, scope) = subject[..subject.len() - rest.len()].split_once('(')?;
    let scope = scope.split(')').next().filter(|s| !s.is_empty())?;
    Some(tidy(&format!("{rest} ({scope})")))
}

/// A conventional subject without its `feat(x):`.
fn without_prefix(subject: &str) -> &str {
    let Some((head, rest)) = subject.split_once(": ") else { return subject };
    let word = head.split(['(', '!']).next().unwrap_or("");
    const WORDS: [&str; 14] = [
        "feat", "feature", "fix", "hotfix", "refactor", "style", "docs", "chore", "test", "tests",
        "build", "ci", "perf", "revert",
    ];
    if WORDS.contains(&word) { rest } else { subject }
}

pub fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let second_upper = text.chars().nth(1).is_some_and(char::is_uppercase);
    match chars.next() {
        Some(first) if !second_upper => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// One line that fits, with a capital and no full stop.
pub fn tidy(text: &str) -> String {
    let line = fit(text, MOST);
    let line = line.trim_end_matches(['.', '。', ':', ';', ',']).trim();
    capital(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_prompts_are_titles() {
        assert_eq!(as_title("continue"), None);
        assert_eq!(as_title("yes please"), None);
        assert_eq!(as_title("add a --verbose flag").as_deref(), Some("Add a --verbose flag"));
    }

    #[test]
    fn some_sentences_stand_alone() {
        assert!(stands_alone("Retries are configured in `config/http.rs`."));
        assert!(!stands_alone("It is configured there."));
        assert!(!stands_alone("All 12 tests pass now."));
    }
}
