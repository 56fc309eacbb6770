//! Titles that stand alone in a list: what was done, to what, without cut sentences.

use super::edit::Made;
use super::kind;
use super::prose::{self, About, Sentence, capital, fit};
use super::work::{FileChange, Fix, Work, last_part};

/// A title is at most this many characters.
pub const MOST: usize = 120;

/// The title of a work. `said` are the sentences that belong to it.
pub fn of_work(work: &Work, kind: &str, prompt: &str, said: &[Sentence]) -> String {
    if let Some(commit) = &work.commit {
        return tidy(without_prefix(&commit.subject));
    }
    let fix = work.fixes.iter().find(|f| !f.files.is_empty());
    if kind == "bugfix"
        && let Some(fix) = fix
    {
        return of_fix(fix, work, said);
    }
    let done = said
        .iter()
        .filter(|s| s.about == About::Done && s.depth == 0)
        .find(|s| stands_alone(&s.text));
    if let Some(done) = done {
        return tidy(&without_subject(&done.text));
    }
    if let Some(request) = as_title(prompt) {
        return request;
    }
    if let Some(plain) =
        said.iter().find(|s| matches!(s.about, About::Plain | About::Done) && stands_alone(&s.text))
    {
        return tidy(&plain.text);
    }
    match work.deeds.first().filter(|_| work.files.is_empty()) {
        Some(deed) => tidy(deed),
        None => of_files(work),
    }
}

/// `Fixed failing test parse_empty: added a guard for empty input in src/parser.rs`.
fn of_fix(fix: &Fix, work: &Work, said: &[Sentence]) -> String {
    let trouble = &fix.trouble;
    let place = fix_place(fix, work);
    let head = match trouble.failing.as_slice() {
        [] => match trouble.telling.first() {
            Some(line) => format!("Fixed {}", fit(line, 80)),
            None => format!("Fixed failing {}", trouble.command()),
        },
        [name] => format!("Fixed failing test {}", fit(last_part(name), 60)),
        [name, rest @ ..] => {
            format!("Fixed failing test {} and {} more", fit(last_part(name), 50), rest.len())
        }
    };
    let how =
        said.iter().filter(|s| s.about == About::Done).map(|s| without_subject(&s.text)).find(
            |s| {
                s.split_whitespace().count() >= 3
                    && !is_report_of_tests(s)
                    && !s.to_lowercase().contains("test")
            },
        );
    let short = how
        .map(|h| lower(h.trim_end_matches('.')))
        .filter(|h| h.chars().count() + head.chars().count() + 2 <= MOST);
    let mut title = match short {
        Some(how) => format!("{head}: {how}"),
        None => head,
    };
    if !place.is_empty()
        && !title.contains(&place)
        && title.chars().count() + place.chars().count() + 4 <= MOST
    {
        title.push_str(&format!(" in {place}"));
    }
    title
}

/// The file the fix was made in: the one that is no test, if there is one.
fn fix_place(fix: &Fix, work: &Work) -> String {
    let files: Vec<&str> =
        work.files.iter().map(|f| f.path.as_str()).filter(|f| fix.files.contains(*f)).collect();
    files
        .iter()
        .find(|f| !kind::is_test(f))
        .or(files.first())
        .map(|f| (*f).to_owned())
        .unwrap_or_default()
}

/// What the files themselves tell: `Changed parse and lex in src/parser.rs`.
pub fn of_files(work: &Work) -> String {
    let mut files: Vec<&FileChange> = work.files.iter().collect();
    files.sort_by_key(|f| (kind::is_test(&f.path), std::cmp::Reverse(f.added + f.removed)));
    let Some(first) = files.first() else { return "Worked on the project".to_owned() };
    let verb = match first.made {
        Made::Created => "Created",
        Made::Changed => "Changed",
        Made::Removed => "Removed",
    };
    let names: Vec<&str> = first.names.iter().take(2).map(String::as_str).collect();
    let what = match (names.is_empty(), first.made) {
        (false, Made::Changed) => format!("{} in {}", names.join(" and "), first.path),
        (false, Made::Created) => format!("{} with {}", first.path, names.join(" and ")),
        _ => first.path.clone(),
    };
    let more = match files.len() {
        1 => String::new(),
        2 => format!(" and {}", files[1].path),
        n => format!(" and {} more files", n - 1),
    };
    tidy(&format!("{verb} {what}{more}"))
}

/// The best sentence of an answer, or the question it answers.
pub fn of_answer(prompt: &str, said: &[Sentence]) -> Option<String> {
    let useful = |s: &&Sentence| s.about != About::Question && s.about != About::Next;
    let telling = |s: &&Sentence| stands_alone(&s.text) && names_something(&s.text);
    let best = said.iter().filter(useful).take(8).find(telling);
    if let Some(best) = best {
        return Some(tidy(&best.text));
    }
    let request = as_title(prompt);
    request.or_else(|| {
        said.iter().filter(useful).find(|s| stands_alone(&s.text)).map(|s| tidy(&s.text))
    })
}

/// A prompt's essence as a title; none when it says nothing by itself (`go on`).
pub fn as_title(prompt: &str) -> Option<String> {
    let request = request(prompt, MOST);
    let words = request.split_whitespace().count();
    let wide = request.chars().filter(|c| !c.is_ascii()).count() >= 5;
    (words >= 3 || wide || words == 2 && request.chars().count() >= 14).then(|| tidy(&request))
}

/// What a prompt asks for, in at most `max` characters: its first sentences, without pasted text.
pub fn request(prompt: &str, max: usize) -> String {
    let mut in_code = false;
    let mut out: Vec<String> = Vec::new();
    let mut room = max;
    for line in clean_prompt(prompt).lines() {
        let line = line.trim();
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code || line.is_empty() {
            continue;
        }
        let text = prose::inline(line.trim_start_matches(['#', '>', ' ']).trim_start_matches("- "));
        for sentence in prose::split(&text) {
            let length = sentence.chars().count();
            if out.is_empty() && length > max {
                return fit(&sentence, max);
            }
            if length + 1 > room {
                return out.join(" ");
            }
            room -= length + 1;
            out.push(sentence);
        }
    }
    out.join(" ")
}

/// A prompt as its author meant it: a slash command as typed, a notification by its summary, no
/// reminders of the client's.
fn clean_prompt(prompt: &str) -> String {
    let inside = |tag: &str| {
        let (_, rest) = prompt.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(inner, _)| inner.trim().to_owned())
    };
    if let Some(command) = inside("command-name") {
        let args = inside("command-args").unwrap_or_default();
        return format!("{command} {args}").trim().to_owned();
    }
    if prompt.trim_start().starts_with("<task-notification>") {
        return inside("summary").unwrap_or_default();
    }
    let mut out = String::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once("<system-reminder>") {
        out.push_str(before);
        rest = after.split_once("</system-reminder>").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

/// Whether a sentence can be read without the one before it.
pub fn stands_alone(text: &str) -> bool {
    let length = text.chars().count();
    let first = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .find(|w| !w.is_empty())
        .unwrap_or("")
        .to_lowercase();
    const LEANS: [&str; 28] = [
        "it",
        "this",
        "that",
        "they",
        "these",
        "those",
        "here",
        "yes",
        "no",
        "so",
        "but",
        "and",
        "also",
        "then",
        "both",
        "there",
        "he",
        "she",
        "its",
        "it's",
        "however",
        "note",
        "which",
        "all",
        "everything",
        "otherwise",
        "ok",
        "good",
    ];
    let words = text.split_whitespace().count();
    let wide = text.chars().filter(|c| !c.is_ascii()).count() >= 8;
    (12..=220).contains(&length)
        && (words >= 3 || wide)
        && !LEANS.contains(&first.as_str())
        && !is_report_of_tests(text)
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
fn without_subject(text: &str) -> String {
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
        rest = rest.strip_prefix(lead).unwrap_or(rest);
    }
    rest.to_owned()
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

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let second_upper = text.chars().nth(1).is_some_and(char::is_uppercase);
    match chars.next() {
        Some(first) if !second_upper => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

/// One line that fits, with a capital and no full stop.
fn tidy(text: &str) -> String {
    let line = fit(text, MOST);
    let line = line.trim_end_matches(['.', '。', ':', ';', ',']).trim();
    capital(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_become_requests() {
        for (prompt, expected) in [
            ("Add a flag.\n\n```\nlog\n```\nThanks!", "Add a flag. Thanks!"),
            (
                "<command-name>/review</command-name>\n<command-args>PR 3</command-args>",
                "/review PR 3",
            ),
            ("<system-reminder>x</system-reminder>fix it", "fix it"),
            ("/saything kind words", "/saything kind words"),
        ] {
            assert_eq!(request(prompt, 200), expected, "{prompt}");
        }
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
