//! The host that an alias in the user's `~/.ssh/config` stands for.
//!
//! `Host`, `Match`, `HostName` and `Include` are read, as in `man ssh_config`. Of `Match`, only `all`, `host` and
//! `originalhost` are static: a block with another condition does not count, and no program is run for one.

use std::path::Path;

use super::user_files::UserFiles;
use crate::git::MAX_CONFIG_DEPTH;

/// The host name of an alias. `None` if the file does not name one.
pub fn host_name(alias: &str, files: &mut UserFiles) -> Option<String> {
    let path = files.ssh_config();
    let name = find(&path, alias, files, MAX_CONFIG_DEPTH)?;
    Some(name.replace("%h", alias).replace("%%", "%"))
        .filter(|name| !name.eq_ignore_ascii_case(alias))
}

/// The first host name that a file sets for the alias: ssh uses the first one, too.
fn find(path: &Path, alias: &str, files: &mut UserFiles, depth: usize) -> Option<String> {
    let text = files.read(path)?;
    let mut applies = true;
    for line in text.lines() {
        let mut words = words(line);
        if words.is_empty() {
            continue;
        }
        let keyword = words.remove(0).to_ascii_lowercase();
        match keyword.as_str() {
            "host" => applies = matches(alias, &words),
            "match" => applies = meets(alias, &words),
            "hostname" if applies && !words.is_empty() => return words.into_iter().next(),
            "include" if applies && depth > 0 => {
                for pattern in words {
                    let ssh_dir = files.ssh_config();
                    let pattern = files.resolve(&pattern, ssh_dir.parent().unwrap_or(path));
                    let found = glob::glob(&pattern.to_string_lossy()).into_iter().flatten();
                    for included in found.flatten() {
                        if let Some(name) = find(&included, alias, files, depth - 1) {
                            return Some(name);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// The keyword and the arguments of a line. An equals sign may separate them, and quotes may surround an
/// argument.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut words = vec![keyword.to_owned()];
    let (mut word, mut quoted) = (String::new(), false);
    for c in rest.chars() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Whether all conditions of a `Match` hold. No host name is set yet, so `host` is the alias, too.
fn meets(alias: &str, words: &[String]) -> bool {
    // `host=a` is `host a`.
    let mut words = words.iter().flat_map(|word| word.splitn(2, '=')).filter(|w| !w.is_empty());
    let mut n_conditions = 0;
    while let Some(word) = words.next() {
        n_conditions += 1;
        let (name, is_negated) = word.strip_prefix('!').map_or((word, false), |name| (name, true));
        let holds = match name.to_ascii_lowercase().as_str() {
            "all" => n_conditions == 1 && words.next().is_none(),
            "host" | "originalhost" => {
                let Some(patterns) = words.next() else { return false };
                let patterns: Vec<String> = patterns.split(',').map(str::to_owned).collect();
                matches(alias, &patterns)
            }
            // What it depends on is not known, also if it is negated.
            _ => return false,
        };
        if holds == is_negated {
            return false;
        }
    }
    n_conditions > 0
}

/// Whether one of the patterns is the alias, and none that begins with `!` is.
fn matches(alias: &str, patterns: &[String]) -> bool {
    let alias = alias.to_ascii_lowercase();
    let is_it = |pattern: &str| {
        let pattern = pattern.to_ascii_lowercase();
        matches_pattern(pattern.as_bytes(), alias.as_bytes())
    };
    let (not, yes): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|p| p.starts_with('!'));
    yes.iter().any(|p| is_it(p)) && !not.iter().any(|p| is_it(&p[1..]))
}

/// Compares with a pattern of `*` and `?`, in time proportional to the product of the lengths.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to continue if the last `*` must match one byte more.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t + 1));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after, next)) => {
                    (p, t) = (after, next);
                    retry = Some((after, next + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(home: &Path, alias: &str, expected: Option<&str>) {
        let mut files = UserFiles::new(home, home.join(".config"));
        assert_eq!(host_name(alias, &mut files).as_deref(), expected, "{alias}");
    }

    #[test]
    fn the_first_host_name_of_an_alias_is_found() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        check(home.path(), "work", None);
        write(
            ".ssh/config",
            "Include conf.d/* ~/elsewhere\n# Host work\nHost work  other\n  User git\n  HostName = github.com\n\
             Host work\n  HostName late.example.org\nHost *.corp !no.corp\n  hostname %h.example.org\n\
             Match exec \"touch ran\" host executed\n  HostName ignored.example.org\n\
             Match host executed !exec false\n  HostName ignored.example.org\n\
             Match originalhost matched,second,!third user git\n  HostName ignored.example.org\n\
             Match host=matched,sec*,!third\n  HostName matched.example.org\n\
             Match !host other.* originalhost *.far\n  HostName far.example.org\nMatch all\nHostName\n\
             Host \"quoted\" # comment\n\tHostName \"quoted.example.org\"\n",
        );
        write(".ssh/conf.d/a", "Host included\nHostName included.example.org\nInclude a\n");
        write("elsewhere", "Host elsewhere\nHostName elsewhere.example.org\n");
        write(".ssh/conf.d/dir/x", "");
        for (alias, expected) in [
            ("work", Some("github.com")),
            ("WORK", Some("github.com")),
            ("other", Some("github.com")),
            ("git.corp", Some("git.corp.example.org")),
            ("no.corp", None),
            ("matched", Some("matched.example.org")),
            ("second", Some("matched.example.org")),
            ("third", None),
            ("executed", None),
            ("a.far", Some("far.example.org")),
            ("other.far", None),
            ("quoted", Some("quoted.example.org")),
            ("included", Some("included.example.org")),
            ("elsewhere", Some("elsewhere.example.org")),
            ("github.com", None),
        ] {
            check(home.path(), alias, expected);
        }
    }

    /// A pipe blocks a reader that opens it, and a file that includes itself never ends.
    #[test]
    fn odd_files_are_read_in_bounded_time() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        fs::create_dir(&ssh).unwrap();
        nix::unistd::mkfifo(&ssh.join("config"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        check(home.path(), "work", None);
        fs::remove_file(ssh.join("config")).unwrap();
        fs::write(ssh.join("config"), "Include config config config config\n".repeat(1000))
            .unwrap();
        check(home.path(), "work", None);
        fs::write(ssh.join("config"), format!("Host {}\nHostName x\n", "*a".repeat(5000))).unwrap();
        check(home.path(), &"a".repeat(300), None);
        fs::write(ssh.join("config"), [0xff, 0, b'\n', b'=', b'"']).unwrap();
        check(home.path(), "work", None);
    }
}
