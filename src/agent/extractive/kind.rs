//! Which of `bugfix`, `feature`, `refactor` and `change` a work is: the commit says it best, then
//! the prompt, then what happened.

use super::sentences::{self, Sentence};
use super::words;
use super::work::{Fix, Work};
use crate::activity::{ChangeKind, CheckKind};

/// `said` are the sentences that speak of it.
pub fn of(work: &Work, prompt: &str, said: &[Sentence]) -> &'static str {
    let committed = work.commit.as_ref().map(|c| c.subject.as_str()).and_then(by_commit);
    if let Some(kind) = committed {
        return kind;
    }
    let asked = by_words(prompt);
    // A deployment that first failed is no bug; code that did not build or pass is.
    let of_code = |f: &&Fix| !f.files.is_empty() && f.failure.check.kind != CheckKind::Other;
    let cured = work.fixes.iter().any(|f| of_code(&f));
    let was_there = work.fixes.iter().any(|f| !f.files.is_empty() && !f.failure.after_edits);
    let created = work.files.iter().any(|f| f.change == ChangeKind::Created && is_code(&f.path));
    let plain = !work.files.is_empty() && work.files.iter().all(|f| !is_code(&f.path));
    match asked {
        Some("bugfix") => "bugfix",
        // Tests written first fail until the feature is there.
        Some("feature") if was_there && !created && !new_tests(work) => "bugfix",
        _ if plain && !was_there => "change",
        Some(kind) => kind,
        None if said.iter().any(|s| sentences::tells_cure(&s.text)) => "bugfix",
        None if was_there || cured && !created => "bugfix",
        None if created => "feature",
        None => "change",
    }
}

fn new_tests(work: &Work) -> bool {
    work.files.iter().any(|f| is_test(&f.path))
}

/// By the word in front of a conventional subject, else by its verb.
fn by_commit(subject: &str) -> Option<&'static str> {
    let low = subject.to_lowercase();
    let head = low.split(':').next().unwrap_or("");
    let conventional =
        low.contains(": ") && head.len() <= 40 && !head.trim_end_matches('!').contains("  ");
    if conventional {
        let word = head.split(['(', '!']).next().unwrap_or("").trim();
        match word {
            "fix" | "hotfix" | "bugfix" => return Some("bugfix"),
            "feat" | "feature" => return Some("feature"),
            "refactor" | "style" => return Some("refactor"),
            "docs" | "chore" | "test" | "tests" | "build" | "ci" | "perf" | "deps" | "release" => {
                return Some("change");
            }
            _ => {}
        }
    }
    let text = if conventional {
        low.split_once(": ").map_or(low.as_str(), |(_, rest)| rest)
    } else {
        &low
    };
    let first = text.split_whitespace().next().unwrap_or("");
    verb(first, 0)
}

/// The kind that a prompt's first telling word names, in the languages people write to agents in.
pub fn by_words(text: &str) -> Option<&'static str> {
    let low: String = text.chars().take(600).collect::<String>().to_lowercase();
    let words: Vec<&str> = low
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'')
        .filter(|w| !w.is_empty())
        .take(60)
        .collect();
    // "Keep the error format" is about no error.
    let about = |at: usize| words.get(at + 1).is_some_and(|next| words::OF_ERRORS.are(next));
    let by_verb = words.iter().enumerate().find_map(|(at, word)| {
        verb(word, at).filter(|_| !(word.starts_with("error") && about(at)))
    });
    by_verb.or_else(|| {
        let wide = [
            (words::FIX_WIDE, "bugfix"),
            (words::FEATURE_WIDE, "feature"),
            (words::REFACTOR_WIDE, "refactor"),
        ];
        let found = wide.into_iter().filter_map(|(stems, kind)| {
            Some((stems.iter().filter_map(|stem| low.find(stem)).min()?, kind))
        });
        found.min_by_key(|(at, _)| *at).map(|(_, kind)| kind)
    })
}

/// What a word asks for; `at` is its place, for some only count as verbs, near the front.
fn verb(word: &str, at: usize) -> Option<&'static str> {
    match word {
        // "It broke after I added the new export": what came before is not what is asked for.
        "added" | "adds" | "adding" if at > 1 => None,
        "new" | "build" | "write" | "support" | "move" | "split" | "clean" | "inline" | "allow"
        | "enable"
            if at > 3 =>
        {
            None
        }
        "add" | "adds" | "added" | "adding" | "create" | "build" | "new" | "write" | "allow"
        | "enable" => Some("feature"),
        "move" | "split" | "cleanup" | "clean" => Some("refactor"),
        "error" | "errors" => Some("bugfix"),
        "migrate" | "port" | "convert" if at <= 3 => Some("change"),
        "crates" => None,
        _ if word.starts_with("fixture") || word.starts_with("fixed-") => None,
        _ if words::FIX.begin(word) => Some("bugfix"),
        _ if words::REFACTOR.begin(word) => Some("refactor"),
        _ if words::FEATURE.begin(word) => Some("feature"),
        _ => None,
    }
}

/// Whether a path is a test by its name or its folder.
pub fn is_test(path: &str) -> bool {
    let low = path.to_lowercase();
    let file = low.rsplit('/').next().unwrap_or(&low);
    let stem = file.split('.').next().unwrap_or(file);
    low.split('/')
        .any(|part| matches!(part, "test" | "tests" | "spec" | "specs" | "__tests__" | "e2e"))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_spec")
        || stem.ends_with("test") && stem.len() > 4
        || file.contains(".test.")
        || file.contains(".spec.")
}

/// Whether a file is code rather than prose or data.
fn is_code(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let ending = file.rsplit_once('.').map_or("", |(_, e)| e);
    !matches!(
        ending.to_ascii_lowercase().as_str(),
        "md" | "mdx"
            | "txt"
            | "rst"
            | "adoc"
            | "json"
            | "jsonc"
            | "toml"
            | "yaml"
            | "yml"
            | "lock"
            | "ini"
            | "cfg"
            | "conf"
            | "env"
            | "csv"
            | "svg"
            | "png"
            | "snap"
            | "xml"
            | ""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(by_words(text), expected, "{text}");
    }

    #[test]
    fn prompts_name_a_kind() {
        check("Fix the failing test in parser", Some("bugfix"));
        check("add a --verbose flag, it's needed for debugging", Some("feature"));
        check("please rename Foo to Bar everywhere", Some("refactor"));
        check("the login page crashes when the name is empty", Some("bugfix"));
        check("corrige le test qui plante", Some("bugfix"));
        check("füge eine Suche hinzu", Some("feature"));
        check("修复空输入的错误", Some("bugfix"));
        check("検索を実装して", Some("feature"));
        check("bump the version to 2.0", None);
        check("use the fixtures", None);
        assert_eq!(by_commit("feat(parser)!: unified view (x-1)"), Some("feature"));
        assert_eq!(by_commit("parser: guard empty input"), None);
        assert_eq!(by_commit("Fix panic on empty input"), Some("bugfix"));
        assert_eq!(by_commit("docs: fix typo"), Some("change"));
    }

    #[test]
    fn tests_are_told_by_name() {
        for path in [
            "tests/a.rs",
            "src/x_test.go",
            "spec/a_spec.rb",
            "src/a.test.ts",
            "test_x.py",
            "src/FooTest.java",
        ] {
            assert!(is_test(path), "{path}");
        }
        assert!(!is_test("src/latest/contest.rs") || !is_test("src/attestation.rs"));
        assert!(!is_test("src/parser.rs"));
    }
}
