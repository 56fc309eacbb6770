//! Recognizes the names of files that hold secrets.

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
    name_parts(text.as_bytes()).next().is_some()
}

/// Where `text` may name such a file, in order.
pub fn possible_names(text: &str) -> Vec<usize> {
    name_parts(text.as_bytes()).collect()
}

/// The positions where one of [`NAME_PARTS`] has its second half, in order.
fn name_parts(text: &[u8]) -> impl Iterator<Item = usize> {
    const BLOCK: usize = 64;
    // The compiler vectorizes this for whole blocks, because it has no early exit.
    let may_have_part = |start: &usize| {
        let before = start.checked_sub(1);
        let block = before.and_then(|before| text[before..].first_chunk::<{ BLOCK + 2 }>());
        block.is_none_or(|b| (0..BLOCK).fold(false, |any, i| any | meets(b[i], b[i + 1], b[i + 2])))
    };
    let is_part = |at: &usize| {
        let (before, after) = text.split_at(*at);
        let (last, next) = (before.last().copied(), after.get(1).copied());
        meets(last.unwrap_or(0), after[0], next.unwrap_or(0))
            && NAME_PARTS.iter().any(|(head, tail)| {
                let start = before.len().checked_sub(head.len());
                let before = start.map_or(&[][..], |start| &before[start..]);
                let after = &after[..tail.len().min(after.len())];
                before.eq_ignore_ascii_case(head.as_bytes())
                    && after.eq_ignore_ascii_case(tail.as_bytes())
            })
    };
    let blocks = (0..text.len()).step_by(BLOCK).filter(may_have_part);
    blocks.flat_map(move |start| (start..text.len().min(start + BLOCK)).filter(is_part))
}

/// Whether a half of [`NAME_PARTS`] that begins with `byte` may lie between these bytes.
fn meets(before: u8, byte: u8, after: u8) -> bool {
    let (before, after) = (before | 0x20, after | 0x20);
    let dot = (after.wrapping_sub(b'd') <= b'p' - b'd') | (before == b's');
    let underscore = (after == b'n') | (before == b'd');
    (byte == b'.') & dot | (byte == b'_') & underscore | (byte | 0x20 == b'a') & (before == b'i')
}

/// Every name of a secret file contains one of these, in two halves. In JSON a backslash may precede
/// the slash behind a folder.
const NAME_PARTS: [(&str, &str); 24] = [
    ("credenti", "a"),
    ("", ".env"),
    ("", ".netrc"),
    ("", "_netrc"),
    ("", ".pgpass"),
    ("", ".npmrc"),
    ("", ".pypirc"),
    ("", ".htpass"),
    ("secrets", "."),
    ("id", "_rsa"),
    ("id", "_dsa"),
    ("id", "_ecdsa"),
    ("id", "_ed255"),
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
}
