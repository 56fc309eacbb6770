//! Finds passwords in the arguments and the input of programs. The tables say where each program has
//! its password.

use std::ops::Range;
use std::sync::OnceLock;

use regex_lite::Regex;

use super::value::{is_placeholder, is_random};

/// Maximum bytes of a line that are read to each side of a program or an option.
const MAX_LINE: usize = 1000;

/// How an option has its password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In the option's word: `-psecret`.
    Attached,
    /// In the option's word or in the next one.
    Word,
    /// The same, but a number is a port.
    WordNoPort,
    /// Behind the user's name: `-u user:password`, `-U user%password`.
    Pair,
    /// Behind the name of a cookie: `-b sid=…`.
    Cookie,
}

/// Options, and the programs in whose lines they have a password.
#[rustfmt::skip]
const OPTIONS: [(&[u8], Form, &[&str]); 10] = [
    (b"uUaA", Form::Pair, &[
        "curl", "wget", "http", "https", "xh", "httpie", "ab", "smbclient", "smbget", "rpcclient", "winexe",
    ]),
    (b"pP", Form::Attached, &[
        "mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "sshpass", "mysqlimport", "unrar",
        "rar",
    ]),
    (b"pP", Form::WordNoPort, &["mongo", "mongosh"]),
    (b"pP", Form::Word, &[
        "sshpass", "login", "mongodump", "mongorestore", "az", "nuget", "7z", "7za", "zip", "unzip", "sqlcmd",
        "bcp", "isql", "useradd", "usermod", "cqlsh", "rdesktop",
    ]),
    (b"P", Form::Word, &["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"]),
    (b"kK", Form::Word, &["openssl"]),
    (b"bB", Form::Cookie, &["curl"]),
    (b"aA", Form::Word, &["redis-cli"]),
    (b"wW", Form::Word, &["security", "ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami"]),
    // Any other program: see `option_password`.
    (b"uU", Form::Pair, &[]),
];

/// A program, and the regex of its call. The regex begins at the program. Its group is the password.
pub struct Program {
    /// In lower case.
    pub keyword: &'static str,
    regex: &'static str,
    /// The call has more than one line.
    has_lines: bool,
    /// Any word may be at the place of the password.
    must_be_strong: bool,
}

const fn program(keyword: &'static str, regex: &'static str) -> Program {
    Program { keyword, regex, has_lines: false, must_be_strong: false }
}

/// The password is one of the words behind the program, which may also be in a sentence.
const fn positional(keyword: &'static str, regex: &'static str) -> Program {
    Program { keyword, regex, has_lines: false, must_be_strong: true }
}

const fn block(keyword: &'static str, regex: &'static str) -> Program {
    Program { keyword, regex, has_lines: true, must_be_strong: false }
}

#[rustfmt::skip]
pub const PROGRAMS: [Program; 30] = [
    // curl -sSu user:password
    program("curl ", r#"^curl\s(?:.*?\s)?-[a-zA-Z]*u\s*['"]?[^\s:'"]+:([^\s'"]{3,})"#),
    program("htpasswd ", r#"^htpasswd\s+-\w*b\w*\s+(?:[\w./-]+\s+)?[\w.-]+\s+['"]?([^\s'"]{4,})"#),
    program("smbclient", r#"^smbclient\s(?:.*?\s)?-U\s*['"]?[^\s%'"]+%([^\s'"]{3,})"#),
    program("winexe ", r#"^winexe\s(?:.*?\s)?-U\s*['"]?[^\s%'"]+%([^\s'"]{3,})"#),
    program("oathtool", r"^oathtool\s(?:.*?\s)?['\x22]?([A-Z2-7]{16,}|[A-Z2-7 ]{19,}|[0-9a-fA-F]{20,})"),
    program("net use", r"^net use\s+(?:\S+:\s+)?\\\\\S+\s+(?:/user:\S+\s+)?([^\s/]\S{3,})"),
    program("net user", r"^net user\s+[^\s/]+\s+([^\s/]\S{3,})\s+/"),
    program("redis-cli", r#"^redis-cli.*?\sauth\s*['"]?([^\s'"]{4,})"#),
    program("openssl", r#"^openssl.*?\s-(?:k|pass(?:in|out)?\s+pass:)\s*['"]?([^\s'"]{4,})"#),
    program("lftp ", r#"^lftp\s(?:.*?\s)?-u\s*['"]?[^\s,'"]+,([^\s'"]{3,})"#),
    program("plink ", r#"^plink\s(?:.*?\s)?-pw\s+['"]?([^\s'"]{3,})"#),
    program("pscp ", r#"^pscp\s(?:.*?\s)?-pw\s+['"]?([^\s'"]{3,})"#),
    program("xfreerdp", r#"^xfreerdp3?\s(?:.*?\s)?/p:['"]?([^\s'"]{3,})"#),
    program("rabbitmqctl", r#"^rabbitmqctl\s(?:.*?\s)?(?:add_user|change_password|authenticate_user)\s+\S+\s+['"]?([^\s'"]{4,})"#),
    program("rclone obscure", r#"^rclone obscure\s+['"]?([^\s'"]{4,})"#),
    program("doctl auth", r#"^doctl auth init\s(?:.*?\s)?(?:-t|--access-token)[ =]['"]?([^\s'"]{4,})"#),
    positional("mysqladmin", r#"^mysqladmin\s(?:.*?\s)?password\s+['"]?([^\s'"]{4,})"#),
    positional("wpa_passphrase", r#"^wpa_passphrase\s+(?:"[^"]+"|'[^']+'|\S+)\s+['"]?([^\s'"]{8,})"#),
    positional("iwconfig ", r#"^iwconfig\s(?:.*?\s)?key\s+['"]?(?:s:)?([^\s'"]{5,})"#),
    positional("sqlplus ", r#"^sqlplus\s+(?:-\S+\s+)*['"]?[\w$#]+/['"]?([^\s'"@/.]{4,})['"]?(?:@|\s|$)"#),
    positional("impdp ", r#"^impdp\s+['"]?[\w$#]+/['"]?([^\s'"@/.]{4,})['"]?(?:@|\s|$)"#),
    positional("expdp ", r#"^expdp\s+['"]?[\w$#]+/['"]?([^\s'"@/.]{4,})['"]?(?:@|\s|$)"#),
    positional("ansible-vault encrypt_string", r#"^ansible-vault encrypt_string\s+(?:--\S+\s+)*['"]?([^\s'"-][^\s'"]{3,})"#),
    positional("config:set ", r#"^config:set\s(?:.*?\s)?\w+=['"]?([^\s'"]*[0-9][^\s'"]{8,}|[^\s'"]{8,}[0-9][^\s'"]*)"#),
    positional("convertto-securestring", r#"^convertto-securestring\s+(?:-string\s+)?['"]?([^\s'"$(]{4,})"#),
    positional("pscredential", r#"^pscredential\s*\(\s*['"][^'"]+['"]\s*,\s*\(?\s*['"]([^'"]{4,})"#),
    positional("setenvironmentvariable", r#"^setenvironmentvariable\(\s*['"]\w*(?:pw|pass|secret|token|key|cred)\w*['"]\s*,\s*['"]([^'"]{4,})"#),
    positional("set-item ", r#"^set-item\s+(?:-path\s+)?['"]?env:\w*(?:pw|pass|secret|token|key|cred)\w*['"]?\s+(?:-value\s+)?['"]?([^\s'"]{4,})"#),
    block("<input ", r#"^<input\s(?:[^<>]*?type=["']?password\b[^<>]*?\svalue=["']([^"'<>]{3,})|[^<>]*?\svalue=["']([^"'<>]{3,})["'][^<>]*?type=["']?password\b)"#),
    block("variable \"", r#"^variable "\w*(?:password|passwd|secret|token|api_key)\w*"\s*\{[^{}]*?\sdefault\s*=\s*"([^"]{4,})""#),
];

/// Words of a program whose input is a password.
#[rustfmt::skip]
pub const INPUTS: &[&str] = &[
    "chpasswd", "sudo -s", "--stdin", "password-stdin", "-pass:", "secret-tool", "secret set", "secret put",
    "secret create", "--with-token", "env add ", "luksopen", "pass insert",
];

/// The program of the line that was read last, so that a line is read once.
#[derive(Default)]
pub struct Line {
    /// The names in [`OPTIONS`] that are in the line so far.
    programs: Vec<&'static str>,
    end: usize,
    /// Where each of [`PROGRAMS`] may be read again.
    next: [usize; PROGRAMS.len()],
}

impl Line {
    /// Reads the words of the line until `at`.
    fn read(&mut self, text: &str, at: usize) {
        let is_same = self.end > 0 && at >= self.end && !text[self.end..at].contains('\n');
        let mut from = self.end;
        if !is_same {
            self.programs.clear();
            from = line_start(text, at);
        }
        self.end = at;
        for word in text[from..at].split(|c: char| c.is_whitespace() || "|;&(`\"'/$".contains(c)) {
            if !word.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            let mut names = OPTIONS.iter().flat_map(|(_, _, programs)| programs.iter());
            if let Some(name) = names.find(|name| **name == word)
                && !self.programs.contains(name)
            {
                self.programs.push(name);
            }
        }
    }
}

/// Returns where the line of `at` begins, at most [`MAX_LINE`] bytes before.
fn line_start(text: &str, at: usize) -> usize {
    let from = text.floor_char_boundary(at.saturating_sub(MAX_LINE));
    text[from..at].rfind('\n').map_or(from, |end| from + end + 1)
}

fn is_secret(value: &str) -> bool {
    value.len() >= 3 && !is_placeholder(value) && !value.starts_with(['-', '$', '/'])
}

/// Returns the password in the argument of the short option at `at`, if a program on its line takes one.
pub fn option_password(text: &str, at: usize, line: &mut Line) -> Option<Range<usize>> {
    line.read(text, at);
    let window = &text[at..text.floor_char_boundary(text.len().min(at + MAX_LINE))];
    let option = window.trim_start();
    let option_at = at + window.len() - option.len();
    let (flag, after) = match option.strip_prefix("--") {
        Some(long) => (b'u', &long[long.find("user")? + 4..]),
        None => (*option.as_bytes().get(1)?, option.get(2..)?),
    };
    let attached = !after.starts_with([' ', '=', '\t']);
    let value = after.trim_start_matches([' ', '=', '\t']);
    let from = option_at + option.len() - value.len();
    let (from, value) = match value.chars().next()? {
        quote @ ('"' | '\'') => (from + 1, value[1..].split(quote).next()?),
        _ => (from, value.split(|c: char| c.is_whitespace() || "\"'`|;<>)".contains(c)).next()?),
    };
    let behind = |mark: &[char]| {
        let (before, rest) = value.split_once(mark)?;
        let from = from + before.len() + 1;
        Some((rest, from..from + rest.len()))
    };
    for (flags, form, programs) in OPTIONS {
        let runs = programs.iter().any(|program| line.programs.contains(program));
        if !flags.contains(&flag) || !runs && !programs.is_empty() {
            continue;
        }
        return match form {
            Form::Attached if !attached => continue,
            Form::Pair if programs.is_empty() => {
                let (password, range) = behind(&[':'])?;
                let is_id = password.bytes().all(|b| b.is_ascii_digit())
                    || value[..range.start - from].contains('/');
                (is_secret(password) && !is_id && is_random(password)).then_some(range)
            }
            Form::Pair => {
                let (password, range) = behind(&[':', '%'])?;
                is_secret(password).then_some(range)
            }
            Form::Cookie => {
                let (cookie, range) = behind(&['='])?;
                (cookie.len() >= 8 && !is_placeholder(cookie)).then_some(range)
            }
            Form::WordNoPort if value.parse::<u16>().is_ok() => None,
            Form::Attached | Form::Word | Form::WordNoPort => {
                is_secret(value).then(|| from..from + value.len())
            }
        };
    }
    None
}

/// Returns the password in the call of the program at `at`.
pub fn program_password(text: &str, at: usize, n: u8, line: &mut Line) -> Option<Range<usize>> {
    static REGEXES: [OnceLock<Regex>; PROGRAMS.len()] = [const { OnceLock::new() }; PROGRAMS.len()];
    let index = usize::from(n);
    let rule = &PROGRAMS[index];
    if at < line.next[index] {
        return None;
    }
    // A call that follows soon is an argument of this one.
    line.next[index] = at + MAX_LINE / 2;
    let end = text.floor_char_boundary(text.len().min(at + MAX_LINE));
    let call = &text[at..end];
    let call = match call.find('\n').filter(|_| !rule.has_lines) {
        Some(len) => {
            line.next[index] = at + len.min(MAX_LINE / 2);
            &call[..len]
        }
        None => call,
    };
    let build = || Regex::new(&format!("(?i){}", rule.regex)).expect("tested");
    let captures = REGEXES[index].get_or_init(build).captures(call)?;
    let secret = captures.iter().skip(1).flatten().next()?;
    let value = secret.as_str();
    let is_strong = || !value.bytes().all(|b| b.is_ascii_lowercase());
    (!is_placeholder(value) && !value.starts_with(['-', '$', '*']))
        .then_some(())
        .filter(|()| !rule.must_be_strong || is_strong())
        .map(|()| at + secret.start()..at + secret.end())
}

/// Returns the passwords that a pipe and a here string pass to the program at `at`.
pub fn input_passwords(text: &str, at: usize) -> Vec<Range<usize>> {
    const MAX_INPUT: usize = 300;
    static PIPE: OnceLock<Regex> = OnceLock::new();
    static HERE: OnceLock<Regex> = OnceLock::new();
    let mut found = Vec::new();
    let mut add = |regex: &Regex, part: Range<usize>| {
        if let Some(secret) = regex.captures(&text[part.clone()]).and_then(|found| found.get(1))
            && !is_placeholder(secret.as_str())
            && !secret.as_str().starts_with(['-', '$'])
        {
            found.push(part.start + secret.start()..part.start + secret.end());
        }
    };
    let from = text.floor_char_boundary(at.saturating_sub(MAX_INPUT)).max(line_start(text, at));
    let before = &text[from..at];
    let is_argument = |c: char| c.is_alphanumeric() || "_./ -".contains(c);
    if before.trim_end_matches(is_argument).ends_with('|')
        && let Some(echo) = before.rfind("echo").max(before.rfind("printf"))
    {
        let regex = PIPE.get_or_init(|| {
            Regex::new(
                r#"^(?:echo|printf)\s+(?:-[a-zA-Z]+\s+)?(?:'%s(?:\\n)?'\s+|"%s(?:\\n)?"\s+|%s\s+)?['"]?(?:[\w.-]+:)?([^'"|\s:]{4,})['"]?\s*\|\s*[\w./ -]*$"#,
            )
            .expect("tested")
        });
        add(regex, from + echo..at);
    }
    let end = text.floor_char_boundary(text.len().min(at + MAX_INPUT));
    let after = text[at..end].split('\n').next().unwrap_or("");
    if let Some(here) = after.find("<<<") {
        let regex = HERE.get_or_init(|| {
            Regex::new(r#"^<<<\s*['"]?(?:[\w.-]+:)?([^'"\s]{4,})['"]?"#).expect("tested")
        });
        add(regex, at + here..at + after.len());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_regex_is_valid_and_begins_at_its_keyword() {
        for rule in PROGRAMS {
            Regex::new(&format!("(?i){}", rule.regex)).unwrap();
            assert!(rule.regex.starts_with('^'), "{}", rule.keyword);
            assert_eq!(rule.keyword, rule.keyword.to_ascii_lowercase());
        }
    }
}
