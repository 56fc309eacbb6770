//! Recognizes the names of files that hold secrets.

use super::word_table::WordTable;
use crate::text::bytes::contains;

/// What a secret file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretFile {
    /// Lines with names and values: the values are secrets.
    Lines,
    /// Nothing but secrets: keys, key stores, passwords without names.
    Opaque,
}

/// Names of files.
const LINES: [&str; 88] = [
    ".env",
    ".envrc",
    ".flaskenv",
    ".dev.vars",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pypirc",
    ".my.cnf",
    ".pg_service.conf",
    ".dockercfg",
    ".dockerconfigjson",
    "credentials",
    "credentials.json",
    ".credentials.json",
    "credentials.toml",
    "credentials.yml",
    "credentials.yaml",
    "credentials.xml",
    "credentials.ini",
    "credentials.csv",
    ".credentials",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.xml",
    "secrets.ini",
    "secrets.properties",
    "secret.yaml",
    "secret.yml",
    "secret.json",
    "secret.toml",
    ".secrets",
    ".s3cfg",
    ".boto",
    ".authinfo",
    "credentials.tfrc.json",
    ".terraformrc",
    "terraform.rc",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "kubeconfig",
    "application_default_credentials.json",
    "serviceaccountkey.json",
    "service-account.json",
    "service_account.json",
    "client_secret.json",
    "client_secrets.json",
    "accesstokens.json",
    "msal_token_cache.json",
    "oauth_creds.json",
    "auth.json",
    "hosts.yml",
    "settings-security.xml",
    "keystore.properties",
    "signing.properties",
    "key.properties",
    "rclone.conf",
    ".rclone.conf",
    "wpa_supplicant.conf",
    ".smbcredentials",
    "smbcredentials",
    ".msmtprc",
    ".fetchmailrc",
    ".offlineimaprc",
    ".mbsyncrc",
    "sasl_passwd",
    "wp-config.php",
    "local_settings.py",
    "parameters.yml",
    "ngrok.yml",
    ".databrickscfg",
    ".snowsql",
    "connections.toml",
    "kaggle.json",
    ".sentryclirc",
    ".renviron",
    "passwords.txt",
    "password.txt",
    "secrets.txt",
    "filezilla.xml",
    "recentservers.xml",
    "sitemanager.xml",
    "sftp-config.json",
    "vault.yml",
];

const OPAQUE: [&str; 58] = [
    ".pgpass",
    "pgpass.conf",
    ".git-credentials",
    ".htpasswd",
    ".htdigest",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ed25519_sk",
    "id_ecdsa_sk",
    "id_xmss",
    "identity",
    ".vault-token",
    ".vault_pass",
    ".vault_pass.txt",
    ".vault_password",
    "vault_pass.txt",
    "vault-password",
    ".mylogin.cnf",
    ".passwd-s3fs",
    "passwd-s3fs",
    "shadow",
    "gshadow",
    "shadow-",
    "master.passwd",
    "master.key",
    "secring.gpg",
    "secring.pgp",
    "wallet.dat",
    "logins.json",
    "key4.db",
    "key3.db",
    "cookies.sqlite",
    "cookies.txt",
    "login data",
    "credentials.db",
    "access_tokens.db",
    "sui.keystore",
    "mnemonic.txt",
    "seed.txt",
    "private.txt",
    "privatekey.txt",
    "apikey.txt",
    "api_key.txt",
    "token.txt",
    "tokens.txt",
    "secret.txt",
    "passwd.txt",
    "pass.txt",
    ".token",
    ".apikey",
    ".api_key",
    ".secret",
    ".password",
    "secret_token",
    "access-token",
    "keys.txt",
];

/// Extensions, with the dot.
const LINES_EXTENSIONS: [&str; 13] = [
    ".env",
    ".tfvars",
    ".tfvars.json",
    ".kubeconfig",
    ".ovpn",
    ".nmconnection",
    ".secrets",
    ".secret",
    ".credentials",
    ".pgpass",
    ".netrc",
    ".publishsettings",
    ".rdp",
];

const OPAQUE_EXTENSIONS: [&str; 33] = [
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".bks",
    ".kdbx",
    ".kdb",
    ".ppk",
    ".p8",
    ".pk8",
    ".pkcs12",
    ".pkcs8",
    ".agekey",
    ".privkey",
    ".priv",
    ".pvk",
    ".snk",
    ".keytab",
    ".psafe3",
    ".keychain",
    ".keychain-db",
    ".wallet",
    ".gpg",
    ".asc",
    ".jceks",
    ".ovpn.key",
    ".cer.key",
    ".htpasswd",
    ".der.key",
    ".sec",
    ".token",
];

/// Folders and names of files in them. An empty name: any file.
const IN_FOLDERS: [(&str, &str, SecretFile); 35] = [
    (".kube", "config", SecretFile::Lines),
    (".docker", "config.json", SecretFile::Lines),
    (".aws", "config", SecretFile::Lines),
    (".gnupg", "", SecretFile::Opaque),
    (".password-store", "", SecretFile::Opaque),
    (".azure", "azureprofile.json", SecretFile::Lines),
    ("gh", "hosts.yml", SecretFile::Lines),
    ("glab-cli", "config.yml", SecretFile::Lines),
    (".config", "hub", SecretFile::Lines),
    ("doctl", "config.yaml", SecretFile::Lines),
    ("netlify", "config.json", SecretFile::Lines),
    (".netlify", "config.json", SecretFile::Lines),
    (".cargo", "credentials", SecretFile::Lines),
    (".bundle", "config", SecretFile::Lines),
    (".m2", "settings.xml", SecretFile::Lines),
    (".gradle", "gradle.properties", SecretFile::Lines),
    (".nuget", "nuget.config", SecretFile::Lines),
    ("wireguard", "", SecretFile::Lines),
    ("huggingface", "token", SecretFile::Opaque),
    (".huggingface", "token", SecretFile::Opaque),
    (".oci", "config", SecretFile::Lines),
    (".snowsql", "config", SecretFile::Lines),
    (".dbt", "profiles.yml", SecretFile::Lines),
    (".fly", "config.yml", SecretFile::Lines),
    (".railway", "config.json", SecretFile::Lines),
    ("configstore", "firebase-tools.json", SecretFile::Lines),
    (".stripe", "config.toml", SecretFile::Lines),
    ("stripe", "config.toml", SecretFile::Lines),
    ("hcloud", "cli.toml", SecretFile::Lines),
    (".circleci", "cli.yml", SecretFile::Lines),
    ("github-copilot", "hosts.json", SecretFile::Lines),
    ("github-copilot", "apps.json", SecretFile::Lines),
    (".mc", "config.json", SecretFile::Lines),
    (".vscode", "sftp.json", SecretFile::Lines),
    (".twilio-cli", "config.json", SecretFile::Lines),
];

/// Parts of names with more before or after them. What may stand inside of a word begins with a mark or with `ea`:
/// `client_secret_`, `service-account`, `serviceaccount`.
const AFFIXES: [&str; 12] = [
    ".env.",
    ".netrc.",
    "_secret_",
    "-account",
    "_account",
    "eaccount",
    "ssh_host_",
    "_rsa",
    "_ed25519",
    "_ecdsa",
    "_dsa",
    "keystore",
];

const N_WORDS: usize = LINES.len()
    + OPAQUE.len()
    + LINES_EXTENSIONS.len()
    + OPAQUE_EXTENSIONS.len()
    + IN_FOLDERS.len()
    + AFFIXES.len();

/// A part of every name above. Each begins where [`WordTable::scan_starts`] looks.
static WORDS: WordTable<(), N_WORDS> = {
    let mut all = [("", ()); N_WORDS];
    let mut n = 0;
    macro_rules! add {
        ($list:expr, $word:expr) => {
            let mut i = 0;
            while i < $list.len() {
                all[n] = ($word($list[i]), ());
                n += 1;
                i += 1;
            }
        };
    }
    const fn word(word: &'static str) -> &'static str {
        word
    }
    const fn folder(entry: (&'static str, &'static str, SecretFile)) -> &'static str {
        // The shorter folders have a longer file name.
        if entry.0.len() > 2 { entry.0 } else { entry.1 }
    }
    add!(LINES, word);
    add!(OPAQUE, word);
    add!(LINES_EXTENSIONS, word);
    add!(OPAQUE_EXTENSIONS, word);
    add!(IN_FOLDERS, folder);
    add!(AFFIXES, word);
    WordTable::new(all)
};

/// Recognizes a secret file by its path. A line number or a fragment may follow the name: `.env:3`,
/// `file:///p/.env#L3`.
pub fn secret_file(path: &str) -> Option<SecretFile> {
    if !has_word(path) {
        return None;
    }
    let path = path.trim().trim_matches(['"', '\'', '`']).to_ascii_lowercase();
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let (name, folder) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if path.ends_with(['/', '\\']) {
        return None;
    }
    by_name(folder, name).or_else(|| {
        let end = name.find([':', '#', '?'])?;
        by_name(folder, &name[..end])
    })
}

pub fn is_secret_file(path: &str) -> bool {
    secret_file(path).is_some()
}

fn by_name(folder: &str, name: &str) -> Option<SecretFile> {
    let stem_before = |extension: &&str| name.len() > extension.len() && name.ends_with(*extension);
    let in_folder = || {
        let is_it = |(in_folder, file, _): &&(&str, &str, SecretFile)| {
            *in_folder == folder && (file.is_empty() || *file == name)
        };
        IN_FOLDERS
            .iter()
            .find(is_it)
            .filter(|_| !name.ends_with(".pub") && !name.is_empty())
            .map(|(.., kind)| *kind)
    };
    if name.rsplit('.').next().is_some_and(is_sample) || name.ends_with(".pub") {
        return None;
    }
    if LINES.contains(&name) {
        return Some(SecretFile::Lines);
    }
    if OPAQUE.contains(&name) {
        return Some(SecretFile::Opaque);
    }
    if LINES_EXTENSIONS.iter().any(stem_before)
        || name.starts_with(".env.")
        || name.starts_with(".netrc.")
    {
        return Some(SecretFile::Lines);
    }
    let is_public = [
        "cert.pem",
        "chain.pem",
        "fullchain.pem",
        "ca.pem",
        "cacert.pem",
        "public.pem",
        "public.key",
        "pubkey.asc",
        "public.asc",
        "keys.asc",
        "key.asc",
        "keyring.gpg",
        "archive-keyring.gpg",
    ]
    .contains(&name);
    if OPAQUE_EXTENSIONS.iter().any(stem_before)
        && !(is_public && (name.ends_with(".asc") || name.ends_with(".gpg")))
    {
        return Some(SecretFile::Opaque);
    }
    let is_account = ["client_secret_", "service-account", "service_account", "serviceaccount"];
    if name.ends_with(".json") && is_account.iter().any(|part| name.contains(part)) {
        return Some(SecretFile::Lines);
    }
    let is_key =
        !name.contains('.') && ["_rsa", "_ed25519", "_ecdsa", "_dsa"].iter().any(stem_before);
    if is_key || name.starts_with("ssh_host_") && name.ends_with("_key") {
        return Some(SecretFile::Opaque);
    }
    in_folder()
}

/// Whether a command line names a secret file.
pub fn names_secret_file(command: &str) -> bool {
    named_files(command, "").is_some()
}

/// Returns the most secret file that `command` names. `folder` is the directory it runs in, or empty. A
/// word in brackets is code (`f(process.env)`), and a word that begins with a dot is often a field
/// (`jq .key`).
pub fn named_files(command: &str, folder: &str) -> Option<SecretFile> {
    let is_pattern = command.contains(['*', '?', '[', '{']);
    if !is_pattern && !has_word(command) && !has_word(folder) {
        return None;
    }
    let is_separator = |c: char| c.is_whitespace() || "\"'`|;&<>=,:@".contains(c);
    let command = command.to_ascii_lowercase();
    let kind = |word: &str| {
        let word = word.trim_start_matches(['$', '(', '{', '[', '!']);
        let word = word.trim_end_matches(['*', '}', ']', '?']);
        let word = if word.contains('(') { word } else { word.trim_end_matches(')') };
        match word {
            "credentials" | "identity" | "shadow" | "vault" => None,
            _ if word.starts_with('.') && !word.contains(['/', '\\']) => {
                by_name("", word).filter(|_| {
                    LINES.contains(&word) || OPAQUE.contains(&word) || word.starts_with(".env.")
                })
            }
            _ if folder.is_empty() || word.contains(['/', '\\']) || word.is_empty() => {
                secret_file(word)
                    .or_else(|| word.contains('{').then(|| secret_file(&word.replace('{', "")))?)
            }
            _ => secret_file(word).or_else(|| secret_file(&format!("{folder}/{word}"))),
        }
    };
    let by_pattern =
        |word: &str| word.contains(['*', '?', '[']).then(|| matched_by(word)).flatten();
    command.split(is_separator).filter_map(|word| kind(word).max(by_pattern(word))).max()
}

/// Returns the secret file that a pattern of a shell is meant to match: `.e?v`, `cred*`, `*.pem`.
fn matched_by(word: &str) -> Option<SecretFile> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let n_fixed = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').count();
    let fixed_start = name.find(['*', '?', '[']).unwrap_or(name.len());
    if n_fixed == 0 || !name.starts_with('.') && fixed_start < 4 && !name.starts_with("id_") {
        return None;
    }
    let pattern = glob::Pattern::new(name).ok()?;
    // As in a shell, only a dot matches the dot of a hidden file.
    let is_hidden = |file: &str| file.starts_with('.') && !name.starts_with(['.', '[']);
    let matches = |file: &&&str| !is_hidden(file) && pattern.matches(file);
    OPAQUE
        .iter()
        .find(matches)
        .map(|_| SecretFile::Opaque)
        .or_else(|| LINES.iter().find(matches).map(|_| SecretFile::Lines))
}

/// Whether `text` may name such a file anywhere: a quick test that has false positives only. An escape
/// of JSON may hide a name.
pub fn may_name_secret_file(text: &str) -> bool {
    has_word(text) || contains(text.as_bytes(), b"\\u")
}

/// Whether `text` contains a part of a name. If not, no path in it names a secret file.
fn has_word(text: &str) -> bool {
    let mut found = false;
    WORDS.scan_starts(text.as_bytes(), |_, ()| {
        found = true;
        true
    });
    found
}

/// Where `text` may name such a file, in order.
pub fn possible_names(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    WORDS.scan_starts(text.as_bytes(), |at, ()| {
        found.push(at);
        false
    });
    found
}

/// Whether this is the last part of a sample's name, such as `.env.example`.
fn is_sample(extension: &str) -> bool {
    matches!(extension, "example" | "sample" | "template" | "dist" | "defaults" | "tmpl" | "tpl")
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
    fn the_quick_test_matches_every_name_that_the_rules_match() {
        let parts = ["client_secret_", "service-account", "service_account", "serviceaccount"];
        let words = [&LINES[..], &OPAQUE, &LINES_EXTENSIONS, &OPAQUE_EXTENSIONS, &AFFIXES, &parts];
        let mut n_matched = 0;
        for word in words.concat() {
            for before in
                ["", "my", "my-", "my_", "my.", "7", "é", "gcp-prod.eu_west-1.of.all.the."]
            {
                for after in ["", "x", ".json", "1.json", "_key", ".key", ".local"] {
                    let name = format!("{before}{word}{after}");
                    if by_name("", &name).is_none() {
                        continue;
                    }
                    n_matched += 1;
                    let long = "a/b-c_d.e/".repeat(9);
                    let escaped = format!("{long}\\n{name}");
                    for text in [&name, &name.to_uppercase(), &format!("{long}{name}"), &escaped] {
                        assert!(has_word(text), "{text}");
                    }
                }
            }
        }
        assert!(n_matched > 2_000, "{n_matched}");
        for (folder, file, _) in IN_FOLDERS {
            let file = if file.is_empty() { "x" } else { file };
            assert!(is_secret_file(&format!("/home/u/{folder}/{file}")), "{folder}/{file}");
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
