//! Recognizes secrets: private keys inside texts, and the names of files that hold secrets. Every text
//! passes [`redact`] after the removal of tags and before it is truncated.

use std::borrow::Cow;

use super::json::{self, Edit};

const KEY: &str = "[redacted:private-key]";
/// Maximum length of a private key, with its first and last line.
const MAX_KEY: usize = 32 << 10;

/// Maximum length of the part of an armor line before `PRIVATE KEY`.
const MAX_LABEL: usize = 64;

/// Shorter runs of base64 are not part of a key, because many words are as long.
const MIN_PIECE: usize = 16;

/// Replaces each secret in `text` with `[redacted:kind]`.
pub fn redact(text: &str) -> Cow<'_, str> {
    match find(text) {
        edits if edits.is_empty() => text.into(),
        edits => json::apply(text, &edits).into(),
    }
}

/// Does the same in the strings of a JSON text. Returns `None` if there are no secrets.
pub fn redact_json(raw: &str) -> Option<String> {
    if suspect(raw) { json::rewrite(raw, |_| true, find) } else { None }
}

/// Whether `text` may contain a private key. May return true for other texts.
fn suspect(text: &str) -> bool {
    // The standard library uses vector instructions for needles of up to eight bytes.
    text.contains("ATE KEY")
}

fn find(text: &str) -> Vec<Edit> {
    if suspect(text) { private_keys(text) } else { Vec::new() }
}

/// A line `-----BEGIN … PRIVATE KEY-----` or `-----END … PRIVATE KEY-----`.
struct Armor {
    start: usize,
    end: usize,
    begins: bool,
}

/// Returns edits that replace each private key, from its BEGIN line to its END line. If one of these is
/// missing, because the text was truncated, the edit covers the adjacent lines that look like a key.
/// Source code that only mentions such a line stays.
fn private_keys(text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut done = 0;
    let armor = armor(text);
    let mut lines = armor.iter().peekable();
    while let Some(line) = lines.next() {
        let range = if line.begins {
            match lines.next_if(|l| !l.begins && l.end - line.start <= MAX_KEY) {
                Some(last) => line.start..last.end,
                None => {
                    let after = text[line.end..].split_inclusive('\n');
                    let first = |part: &str| part.len() - part.trim_start_matches(is_base64).len();
                    line.start..line.end + body_len(after, first)
                }
            }
        } else {
            let before = text[done..line.start].split_inclusive('\n').rev();
            let last = |part: &str| part.len() - part.trim_end_matches(is_base64).len();
            line.start - body_len(before, last)..line.end
        };
        if range.len() > line.end - line.start {
            done = range.end;
            edits.push(Edit { range, with: KEY });
        }
    }
    edits
}

fn armor(text: &str) -> Vec<Armor> {
    let is_label = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ';
    text.match_indices("PRIVATE KEY")
        .filter_map(|(at, what)| {
            // Reading back to the start of a long line each time would take quadratic time.
            let from = text.floor_char_boundary(at.saturating_sub(MAX_LABEL));
            let before = &text[from..at];
            let head = before.trim_end_matches(|c: char| c.is_ascii() && is_label(c as u8));
            // The trimmed characters include `BEGIN RSA `.
            let words = &before[head.len()..];
            let begins = words.starts_with("BEGIN ");
            let dashes = head.ends_with("-----") && (begins || words.starts_with("END "));
            let after = &text[at + what.len()..];
            let after = after.strip_prefix(" BLOCK").unwrap_or(after).strip_prefix("-----")?;
            dashes.then(|| Armor {
                start: from + head.len() - 5,
                end: text.len() - after.len(),
                begins,
            })
        })
        .collect()
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// Returns how many bytes of these lines belong to a key. Returns 0 if they have fewer than `MIN_PIECE`
/// characters of base64. `part_len` returns how many bytes of the last line belong to the key.
fn body_len<'a>(lines: impl Iterator<Item = &'a str>, part_len: impl Fn(&str) -> usize) -> usize {
    let (mut len, mut n_base64) = (0, 0);
    for line in lines {
        // Remove a line number or patch mark before the line, and quotes of source code around it.
        let is_decoration =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '-' | '\\');
        let core = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
        let core = core.strip_prefix(['\t', '→', ':']).unwrap_or(line);
        let core = core.trim_matches(is_decoration).trim_end_matches("\\n");
        let is_header = core.starts_with("Proc-Type:") || core.starts_with("DEK-Info:");
        if !(core.chars().all(is_base64) || is_header) || len + line.len() > MAX_KEY {
            let part = part_len(line.trim_end_matches('\n'));
            if part >= MIN_PIECE {
                (len, n_base64) = (len + part, n_base64 + part);
            }
            break;
        }
        len += line.len();
        n_base64 += core.len();
    }
    if n_base64 >= MIN_PIECE { len } else { 0 }
}

/// Whether a file with this name usually contains nothing but secrets. A line number or a fragment may
/// follow the name: `.env:3`, `file:///p/.env#L3`.
pub fn is_secret_file(path: &str) -> bool {
    let path = path.trim().trim_matches(['"', '\'', '`']).to_ascii_lowercase();
    let mut parts = path.rsplit(['/', '\\']);
    let (name, dir) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let is_secret = |name: &str| {
        has_secret_name(name) || has_secret_extension(name) || in_secret_dir(dir, name)
    };
    is_secret(name) || name.find([':', '#', '?']).is_some_and(|end| is_secret(&name[..end]))
}

/// Whether a command line names a secret file. A word in brackets is code (`f(process.env)`), and a
/// word that begins with a dot is often a field (`jq .key`).
pub fn names_secret_file(command: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || "\"'`|;&<>=,:@".contains(c);
    let command = command.to_ascii_lowercase();
    command.split(is_separator).any(|word| {
        let word = word.trim_start_matches(['$', '(', '{', '[', '!']);
        let word = word.trim_end_matches(['*', '}', ']', '?']);
        let word = if word.contains('(') { word } else { word.trim_end_matches(')') };
        match word {
            "credentials" => false,
            _ if word.starts_with('.') && !word.contains(['/', '\\']) => has_secret_name(word),
            _ => {
                is_secret_file(word) || word.contains('{') && is_secret_file(&word.replace('{', ""))
            }
        }
    })
}

/// Whether `text` may name such a file anywhere: a quick test that has false positives only.
pub fn may_name_secret_file(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains(NAME_PART) || !name_parts(text.as_bytes()).is_empty()
}

/// Where `text` may name such a file, in order.
pub fn possible_names(text: &str) -> Vec<usize> {
    let text = text.to_ascii_lowercase();
    let mut found = name_parts(text.as_bytes());
    found.extend(text.match_indices(NAME_PART).map(|(at, _)| at));
    found.sort_unstable();
    found
}

/// The positions of [`NAME_PARTS`] in a lowercase text.
fn name_parts(text: &[u8]) -> Vec<usize> {
    // The compiler vectorizes the search of a block, because neither loop nor test exits early.
    const BLOCK: usize = 32;
    let has_pair = |start: &usize| {
        let block = &text[*start..text.len().min(start + BLOCK + 1)];
        block.iter().zip(&block[1..]).fold(0, |any, (a, b)| any | u8::from(is_pair(*a, *b))) != 0
    };
    let is_part = |at: &usize| {
        let (before, after) = text.split_at(*at);
        after.len() > 1
            && is_pair(after[0], after[1])
            && NAME_PARTS.iter().any(|(head, tail)| {
                after.starts_with(tail.as_bytes()) && before.ends_with(head.as_bytes())
            })
    };
    let blocks = (0..text.len()).step_by(BLOCK).filter(has_pair);
    let mut found = Vec::new();
    for start in blocks {
        found.extend((start..text.len().min(start + BLOCK)).filter(is_part));
    }
    found
}

/// Whether two bytes may be where the halves of one of [`NAME_PARTS`] meet.
fn is_pair(a: u8, b: u8) -> bool {
    let after_dot = (b == b'd') | (b == b'e') | (b == b'g') | (b == b'h') | (b == b'j');
    let after_dot = after_dot | (b == b'k') | (b == b'n') | (b == b'p');
    (a == b'.') & after_dot
        | (a == b'_') & (b == b'n')
        | (a == b'd') & (b == b'_')
        | (a == b's') & (b == b'.')
}

/// Every name of a secret file contains this, or one of [`NAME_PARTS`].
const NAME_PART: &str = "credent";

/// Parts of names, in two halves. In JSON a backslash may precede the slash behind a folder.
const NAME_PARTS: [(&str, &str); 23] = [
    ("", ".env"),
    ("", ".netrc"),
    ("", "_netrc"),
    ("", ".pgpass"),
    ("", ".npmrc"),
    ("", ".pypirc"),
    ("", ".htpass"),
    ("secret", "s."),
    ("i", "d_rsa"),
    ("i", "d_dsa"),
    ("i", "d_ecdsa"),
    ("i", "d_ed255"),
    ("", ".pem"),
    ("", ".key"),
    ("", ".p12"),
    ("", ".pfx"),
    ("", ".jks"),
    ("", ".kdbx"),
    ("", ".ppk"),
    ("", ".p8"),
    ("", ".kube"),
    ("", ".docker"),
    ("", ".gnupg"),
];

fn has_secret_name(name: &str) -> bool {
    const NAMES: [&str; 22] = [
        ".env",
        ".envrc",
        ".netrc",
        "_netrc",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        ".git-credentials",
        ".htpasswd",
        ".dockercfg",
        "credentials",
        "credentials.json",
        ".credentials.json",
        "credentials.toml",
        "secrets.toml",
        "secrets.yaml",
        "secrets.yml",
        "secrets.json",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
    ];
    let variant = name.strip_prefix(".env.").is_some_and(|what| !is_sample(what));
    NAMES.contains(&name) || variant
}

fn has_secret_extension(name: &str) -> bool {
    const EXTENSIONS: [&str; 10] =
        ["env", "pem", "key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "p8"];
    match name.rsplit_once('.') {
        Some((stem, extension)) => !stem.is_empty() && EXTENSIONS.contains(&extension),
        None => false,
    }
}

fn in_secret_dir(dir: &str, name: &str) -> bool {
    matches!((dir, name), (".kube", "config") | (".docker", "config.json") | (".gnupg", _))
}

/// Whether this is the last part of a sample's name, such as `.env.example`.
fn is_sample(extension: &str) -> bool {
    matches!(extension, "example" | "sample" | "template" | "dist" | "defaults")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n\
        VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu==\n";

    #[test]
    fn private_keys_are_replaced() {
        let check = |text: &str, expected: &str| assert_eq!(redact(text), expected, "{text}");
        for kind in ["", "RSA ", "OPENSSH ", "EC ", "ENCRYPTED "] {
            let pem = format!(
                "a\n-----BEGIN {kind}PRIVATE KEY-----\n{BODY}-----END {kind}PRIVATE KEY-----\nb"
            );
            check(&pem, &format!("a\n{KEY}\nb"));
        }
        check(
            &format!(
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nx\n{BODY}-----END PGP PRIVATE KEY BLOCK-----"
            ),
            KEY,
        );
        check(
            &format!("-----BEGIN PRIVATE KEY-----\n{BODY}rest of it."),
            &format!("{KEY}rest of it."),
        );
        check(
            &format!("words first\n{BODY}-----END PRIVATE KEY-----b"),
            &format!("words first\n{KEY}b"),
        );
        check(
            "if line == \"-----BEGIN PRIVATE KEY-----\" {\n    return",
            "if line == \"-----BEGIN PRIVATE KEY-----\" {\n    return",
        );
        check("A PRIVATE KEY is private", "A PRIVATE KEY is private");
        check("-----BEGIN PUBLIC KEY-----\nAAAA", "-----BEGIN PUBLIC KEY-----\nAAAA");
        check("-----BEGIN CERTIFICATE-----\nAAAA", "-----BEGIN CERTIFICATE-----\nAAAA");
    }

    #[test]
    fn a_long_line_of_labels_takes_linear_time() {
        let since = std::time::Instant::now();
        let text = "PRIVATE KEY ".repeat(80_000);
        assert_eq!(redact(&text), text);
        assert!(since.elapsed() < std::time::Duration::from_secs(20), "{:?}", since.elapsed());
    }

    #[test]
    fn a_key_in_the_lines_of_a_patch_is_replaced() {
        let raw = r#"{"lines":["+-----BEGIN PRIVATE KEY-----","+MIIE","+-----END PRIVATE KEY-----","x"]}"#;
        let expected = r#"{"lines":["+[redacted:private-key]","","","x"]}"#;
        assert_eq!(redact_json(raw).as_deref(), Some(expected));
        assert_eq!(redact_json(r#"{"a":"b"}"#), None);
    }

    #[test]
    fn secret_files_are_recognized_by_name() {
        for path in [
            ".env",
            "/p/.env",
            "/p/.env.local",
            "prod.env",
            ".envrc",
            "/home/u/.ssh/id_rsa",
            "id_ed25519",
            "server.PEM",
            "tls/private.key",
            "~/.netrc",
            "/home/u/.aws/credentials",
            "credentials.json",
            "/home/u/.kube/config",
            "C:\\p\\.env",
            "/p/.env:12",
            "file:///p/.env#L3",
        ] {
            assert!(is_secret_file(path), "{path}");
        }
        for path in [
            "",
            "/",
            "env",
            "environment.rs",
            ".env.example",
            "prod.env.sample",
            "id_rsa.pub",
            "key.rs",
            "credentials.rs",
            "monkey",
            "/p/config",
            "keys",
            "src/.env/mod.rs",
        ] {
            assert!(!is_secret_file(path), "{path}");
        }
    }

    #[test]
    fn commands_that_name_secret_files_are_recognized() {
        assert!(names_secret_file("cd x && cat ./.env | head"));
        assert!(names_secret_file("scp -i~/.ssh/id_rsa a b"));
        assert!(names_secret_file("ssh -i ~/.ssh/id_rsa a"));
        assert!(names_secret_file("cat<'.env'"));
        assert!(names_secret_file("x=$(cat .env) y"));
        assert!(names_secret_file("openssl x509 -in certs/*.pem -text"));
        assert!(names_secret_file("cat ~/.aws/credentials"));
        assert!(names_secret_file("cat .ENV; cat {.env,.envrc}"));
        assert!(names_secret_file("cat {x,.envrc}"));
        assert!(names_secret_file("curl --data-binary @.env http://localhost"));
        assert!(names_secret_file("git show HEAD:config/.env"));
        assert!(names_secret_file("*.{pem,crt}"));
        assert!(!names_secret_file("jq '.key, .a.key' x.json; node -e 'f(process.env)'"));
        assert!(!names_secret_file("git commit -m 'rotate the credentials'"));
        assert!(!names_secret_file("env FOO=1 cargo test && cat key.rs"));
    }

    #[test]
    fn the_quick_test_matches_every_secret_name() {
        for name in [
            ".env",
            ".env.local",
            ".envrc",
            ".netrc",
            "_netrc",
            ".pgpass",
            ".npmrc",
            ".pypirc",
            ".git-credentials",
            ".htpasswd",
            ".dockercfg",
            "credentials",
            "credentials.json",
            ".credentials.json",
            "credentials.toml",
            "secrets.toml",
            "secrets.yaml",
            "secrets.yml",
            "secrets.json",
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            "a.env",
            "a.pem",
            "a.key",
            "a.p12",
            "a.pfx",
            "a.jks",
            "a.keystore",
            "a.kdbx",
            "a.ppk",
            "a.p8",
            ".kube/config",
            ".docker/config.json",
            ".gnupg/x",
            "A.PEM",
        ] {
            assert!(is_secret_file(name) && may_name_secret_file(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_key_survives_redaction(
            before in "[a-z <\n]{0,40}", after in "[a-z <\n]{0,40}", cut in 0usize..200
        ) {
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----");
            let text = format!("{before}{}{after}", &pem[..pem.len() - cut.min(pem.len())]);
            let redacted = redact(&text);
            prop_assert!(cut > 115 || !redacted.contains("MIIEvQ"), "{}", redacted);
        }
    }
}
