//! Reads values from git's config files.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// How deep files include each other.
pub const MAX_DEPTH: usize = 4;

/// One `key = value` of a config file.
#[derive(Debug, Default, PartialEq)]
pub struct Entry {
    /// Its case does not matter.
    section: String,
    pub subsection: String,
    /// Its case does not matter.
    key: String,
    pub value: String,
}

impl Entry {
    pub fn is(&self, section: &str, key: &str) -> bool {
        self.section.eq_ignore_ascii_case(section) && self.key.eq_ignore_ascii_case(key)
    }
}

/// The entries in their order. Keys without a value are left out.
pub fn entries(config: &str) -> Vec<Entry> {
    let joined = config.replace("\\\r\n", "").replace("\\\n", "");
    let (mut section, mut subsection) = (String::new(), String::new());
    let mut found = Vec::new();
    for line in joined.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let (header, rest) = header.split_at(header_end(header));
            (section, subsection) = names(header);
            line = rest.strip_prefix(']').unwrap_or(rest).trim();
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        found.push(Entry {
            section: section.clone(),
            subsection: subsection.clone(),
            key: key.trim().to_owned(),
            value: unquote(value),
        });
    }
    found
}

/// The first value of `key` in the section `[section]` or `[section "subsection"]`. Names of
/// sections and keys ignore case, names of subsections do not.
pub fn first_value(
    config: &str,
    section: &str,
    subsection: Option<&str>,
    key: &str,
) -> Option<String> {
    let subsection = subsection.unwrap_or_default();
    let is_it = |entry: &Entry| entry.is(section, key) && entry.subsection == subsection;
    entries(config).into_iter().find(is_it).map(|entry| entry.value)
}

/// What the conditions of `includeIf` ask.
#[derive(Default)]
pub struct Situation {
    pub home: Option<PathBuf>,
    /// The git directory of the work tree, as it is named and without symbolic links.
    pub git_dirs: Vec<PathBuf>,
    pub branch: Option<String>,
    pub remote_urls: Vec<String>,
}

/// The entries of a file and of those that it includes, where it includes them. `read` reads a file, and says
/// by `None` that it may not be read.
pub fn with_includes(
    path: &Path,
    situation: &Situation,
    read: &mut dyn FnMut(&Path) -> Option<String>,
) -> Vec<Entry> {
    let mut found = Vec::new();
    add_file(path, situation, read, MAX_DEPTH, &mut found);
    found
}

fn add_file(
    path: &Path,
    situation: &Situation,
    read: &mut dyn FnMut(&Path) -> Option<String>,
    depth: usize,
    found: &mut Vec<Entry>,
) {
    let Some(text) = read(path) else { return };
    let dir = path.parent().unwrap_or(Path::new("/"));
    for entry in entries(&text) {
        let is_conditional = entry.is("includeif", "path");
        let includes = entry.is("include", "path") && entry.subsection.is_empty()
            || is_conditional && situation.meets(&entry.subsection, dir);
        if includes && depth > 0 {
            let n = found.len();
            let included = match entry.value.strip_prefix("~/") {
                Some(rest) => situation.home.as_deref().map(|home| home.join(rest)),
                None => Some(dir.join(&entry.value)),
            };
            if let Some(included) = included {
                add_file(&included, situation, read, depth - 1, found);
            }
            if is_conditional && entry.subsection.starts_with(HAS_CONFIG) {
                // Git refuses a file that decides by the remotes and names one.
                let mut at = 0;
                found.retain(|entry| {
                    at += 1;
                    at <= n || !entry.is("remote", "url")
                });
            }
        }
        found.push(entry);
    }
}

const HAS_CONFIG: &str = "hasconfig:remote.*.url:";

impl Situation {
    /// Whether a condition of `includeIf` holds in a file of the directory `dir`. Unknown ones do not.
    fn meets(&self, condition: &str, dir: &Path) -> bool {
        let matches = |pattern: &str, text: &str, ignores_case: bool| {
            let options = MatchOptions {
                case_sensitive: !ignores_case,
                require_literal_separator: true,
                require_literal_leading_dot: false,
            };
            Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(text, options))
        };
        let below = |pattern: &str| match pattern.ends_with('/') {
            true => format!("{pattern}**"),
            false => pattern.to_owned(),
        };
        let is_dir = |pattern: &str, ignores_case| {
            let anchored = match (pattern.strip_prefix("~/"), pattern.strip_prefix("./")) {
                (Some(rest), _) => {
                    self.home.as_ref().map(|home| format!("{}/{rest}", escaped(home)))
                }
                (_, Some(rest)) => Some(format!("{}/{rest}", escaped(dir))),
                _ if pattern.starts_with('/') => Some(pattern.to_owned()),
                _ => Some(format!("**/{pattern}")),
            };
            let is_it = |pattern: &str| {
                self.git_dirs.iter().any(|at| matches(pattern, &at.to_string_lossy(), ignores_case))
            };
            anchored.is_some_and(|pattern| is_it(&below(&pattern)))
        };
        if let Some(pattern) = condition.strip_prefix("gitdir:") {
            is_dir(pattern, false)
        } else if let Some(pattern) = condition.strip_prefix("gitdir/i:") {
            is_dir(pattern, true)
        } else if let Some(pattern) = condition.strip_prefix("onbranch:") {
            self.branch.as_ref().is_some_and(|branch| matches(&below(pattern), branch, false))
        } else if let Some(pattern) = condition.strip_prefix(HAS_CONFIG) {
            self.remote_urls.iter().any(|url| matches(pattern, url, false))
        } else {
            false
        }
    }
}

/// The path as a pattern that matches only it.
fn escaped(path: &Path) -> String {
    Pattern::escape(path.to_string_lossy().trim_end_matches('/'))
}

/// Where the bracket is that closes a header.
fn header_end(header: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let ends = |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '"' => quoted = !quoted,
            '\\' => escaped = quoted,
            _ => {}
        }
        c == ']' && !quoted
    };
    header.find(ends).unwrap_or(header.len())
}

/// Section and subsection of `name "subsection"`, or of its old form `name.subsection`, which is in lower
/// case.
fn names(header: &str) -> (String, String) {
    let (name, rest) = header.split_at(header.find(char::is_whitespace).unwrap_or(header.len()));
    let rest = rest.trim();
    if !rest.is_empty() {
        return (name.to_owned(), unquote(rest));
    }
    let (name, subsection) = name.split_once('.').unwrap_or((name, ""));
    (name.to_owned(), subsection.to_lowercase())
}

/// A value without its quotes, escapes and comment. A comment starts with `#` or `;` outside of
/// quotes.
fn unquote(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => text.extend(chars.next()),
            '#' | ';' if !quoted => break,
            c => text.push(c),
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_url_of_the_origin_is_found() {
        let check = |config: &str, expected: Option<&str>| {
            let url = first_value(config, "remote", Some("origin"), "url");
            assert_eq!(url.as_deref(), expected, "{config}");
        };
        check("[core]\n bare=false\n[remote \"origin\"]\n\tURL = a:b\n", Some("a:b"));
        check("[Remote \"origin\"] url=\"a:b # c\" ; comment", Some("a:b # c"));
        check("[remote \"origin\"]\nurl = a:\\\nb # comment\n", Some("a:b"));
        check("[remote \"origin\"]\nurl = first\nurl = second\n", Some("first"));
        check("[remote.origin]\nurl = old", Some("old"));
        check("[remote \"a]b\"]\nurl = x\n[remote \"origin\"] url = y", Some("y"));
        check("[remote \"Origin\"]\nurl = x\n[remote \"fork\"]\nurl = y", None);
        check("[remote \"origin\"]\n# url = x\npushurl = y\n", None);
        check("[remote \"origin\"]\nurl =\n", Some(""));
        check("[include]\npath = x\n", None);
        check("[", None);
    }

    #[test]
    fn a_key_outside_of_a_subsection_is_found() {
        let check = |config: &str, expected: Option<&str>| {
            let format = first_value(config, "extensions", None, "objectformat");
            assert_eq!(format.as_deref(), expected, "{config}");
        };
        check("[extensions]\n\tobjectFormat = sha256\n", Some("sha256"));
        check("[core]\n\tobjectFormat = sha256\n", None);
        check("[extensions \"x\"]\n\tobjectFormat = sha256\n", None);
    }

    #[test]
    fn conditions_are_those_of_git() {
        let situation = Situation {
            home: Some("/home/u".into()),
            git_dirs: vec!["/home/u/Work/tally/.git".into()],
            branch: Some("feature/parse/dates".into()),
            remote_urls: vec!["https://example.org/acme/tally".into()],
        };
        for (condition, meets) in [
            ("gitdir:~/Work/", true),
            ("gitdir:~/work/", false),
            ("gitdir/i:~/work/", true),
            ("gitdir:Work/", true),
            ("gitdir:tally/.git", true),
            ("gitdir:tally", false),
            ("gitdir:./Work/tally/.git", true),
            ("gitdir:/home/*/Work/**", true),
            ("gitdir:/home/*/.git", false),
            ("gitdir:/home/**/.git", true),
            ("gitdir:/home/u/Work/tally/.git/", false),
            ("onbranch:feature/", true),
            ("onbranch:feature/*", false),
            ("onbranch:feature/**", true),
            ("onbranch:main", false),
            ("hasconfig:remote.*.url:https://example.org/**", true),
            ("hasconfig:remote.*.url:https://example.org/*", false),
            ("hasconfig:remote.*.url:https://other.org/**", false),
            ("worktree:x", false),
            ("", false),
        ] {
            assert_eq!(situation.meets(condition, Path::new("/home/u")), meets, "{condition}");
        }
        assert!(!Situation::default().meets("gitdir:~/", Path::new("/")));
    }

    #[test]
    fn included_entries_stand_where_they_are_included() {
        let mut files = vec![
            (
                "/c/config",
                "[a]\nk = 1\n[include]\npath = more\n[a]\nk = 4\n[include]\npath = config\n",
            ),
            (
                "/c/more",
                "[a]\nk = 2\n[includeIf \"hasconfig:remote.*.url:x:a/**\"]\npath = /d/remote\n",
            ),
            ("/d/remote", "[a]\nk = 3\n[remote \"origin\"]\nurl = planted\n"),
        ];
        files.push(("/c/other", "[a]\nk = 9\n"));
        let mut n_read = 0;
        let situation = Situation { remote_urls: vec!["x:a/b".into()], ..Situation::default() };
        let found = with_includes(Path::new("/c/config"), &situation, &mut |path| {
            n_read += 1;
            let is_it = |(name, _): &&(&str, &str)| Path::new(name) == path;
            files.iter().find(is_it).map(|(_, text)| (*text).to_owned())
        });
        let values: Vec<&str> =
            found.iter().filter(|e| e.is("a", "k")).map(|e| e.value.as_str()).collect();
        assert_eq!(values[..4], ["1", "2", "3", "4"]);
        assert!(!found.iter().any(|entry| entry.is("remote", "url")));
        assert_eq!(n_read, 3 * (MAX_DEPTH + 1) - 3, "a file that includes itself ends");
    }
}
