//! Classifies the name before a value: `DB_PASSWORD`, `clientSecret`, `x-api-key`.

/// What the name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    pub strength: Strength,
    /// The kind in the marker.
    pub kind: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Any value that looks very random is a secret: `key`, `auth`, `salt`.
    Weak,
    /// Any value that does not consist of words is a secret: `token`, `api_key`.
    Token,
    /// Any value is a secret, except placeholders and code: `password`.
    Password,
}

const PASSWORDS: [&str; 20] = [
    "psk",
    "requirepass",
    "masterauth",
    "storepass",
    "keypass",
    "srcstorepass",
    "deststorepass",
    "userpass",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "passw",
    "psw",
    "pword",
    "pass",
    "passwort",
    "pswd",
    "pw",
];

const TOKENS: [(&str, &str); 14] = [
    ("token", "token"),
    ("tok", "token"),
    ("secret", "secret"),
    ("secrets", "secret"),
    ("jwt", "token"),
    ("bearer", "token"),
    ("credential", "secret"),
    ("credentials", "secret"),
    ("cred", "secret"),
    ("creds", "secret"),
    ("apikey", "api-key"),
    ("pat", "token"),
    ("dockerconfigjson", "secret"),
    ("credentialsjson", "secret"),
];

const WEAK: [(&str, &str); 20] = [
    ("key", "key"),
    ("keys", "key"),
    ("auth", "auth"),
    ("authentication", "auth"),
    ("authorization", "auth"),
    ("cookie", "cookie"),
    ("sessid", "session"),
    ("jsessionid", "session"),
    ("sid", "session"),
    ("salt", "secret"),
    ("pepper", "secret"),
    ("sig", "signature"),
    ("signature", "signature"),
    ("tokens", "token"),
    ("otp", "token"),
    ("nonce", "token"),
    ("csrf", "token"),
    ("xsrf", "token"),
    ("webhook", "webhook"),
    ("private", "key"),
];

/// Words before `key` that make it the name of a secret.
const KEY_OWNERS: [&str; 67] = [
    "unseal",
    "fernet",
    "data",
    "field",
    "enc",
    "root",
    "kms",
    "kek",
    "dek",
    "aead",
    "aes256",
    "aes128",
    "chacha20",
    "nacl",
    "box",
    "cookie",
    "db",
    "database",
    "backup",
    "luks",
    "volume",
    "tls",
    "ssl",
    "rsa",
    "vapid",
    "hashing",
    "totp",
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "encryption",
    "encrypt",
    "signing",
    "sign",
    "signature",
    "master",
    "account",
    "storage",
    "service",
    "app",
    "application",
    "client",
    "deploy",
    "consumer",
    "webhook",
    "subscription",
    "shared",
    "session",
    "admin",
    "jwt",
    "hmac",
    "aes",
    "cipher",
    "crypto",
    "license",
    "licence",
    "ssh",
    "preshared",
    "wg",
    "token",
    "integration",
    "server",
    "decryption",
    "personal",
    "recovery",
];

/// Ends of names that are written in one word: `dbpassword`, `authtoken`.
const SUFFIXES: [(&str, Strength, &str); 14] = [
    ("password", Strength::Password, "password"),
    ("passwd", Strength::Password, "password"),
    ("passphrase", Strength::Password, "password"),
    ("passwort", Strength::Password, "password"),
    ("apikey", Strength::Token, "api-key"),
    ("secretkey", Strength::Token, "secret"),
    ("accesskey", Strength::Token, "api-key"),
    ("privatekey", Strength::Token, "key"),
    ("presharedkey", Strength::Token, "key"),
    ("accountkey", Strength::Token, "api-key"),
    ("authkey", Strength::Token, "api-key"),
    ("masterkey", Strength::Token, "key"),
    ("secret", Strength::Token, "secret"),
    ("token", Strength::Token, "token"),
];

/// Words after a secret's name that do not change it: `password_prod`, `client_key_data`.
const NEUTRAL: [&str; 50] = [
    "base",
    "base64",
    "b64",
    "hex",
    "value",
    "val",
    "string",
    "str",
    "text",
    "raw",
    "plain",
    "plaintext",
    "prod",
    "production",
    "dev",
    "development",
    "staging",
    "stage",
    "test",
    "testing",
    "qa",
    "live",
    "sandbox",
    "old",
    "new",
    "prev",
    "previous",
    "next",
    "current",
    "default",
    "primary",
    "secondary",
    "main",
    "root",
    "admin",
    "backup",
    "ci",
    "local",
    "env",
    "data",
    "hash",
    "bytes",
    "confirm",
    "confirmation",
    "confirmed",
    "again",
    "repeat",
    "verify",
    "pem",
    "encoded",
];

/// Words after a secret's name that make it the name of something else: `token_type`, `key_id`.
const OTHER: [&str; 107] = [
    "cert",
    "certificate",
    "ca",
    "fingerprint",
    "digest",
    "checksum",
    "thumbprint",
    "pub",
    "public",
    "name",
    "names",
    "id",
    "ids",
    "type",
    "types",
    "kind",
    "count",
    "len",
    "length",
    "size",
    "min",
    "max",
    "limit",
    "limits",
    "url",
    "urls",
    "uri",
    "endpoint",
    "host",
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "dir",
    "folder",
    "field",
    "fields",
    "column",
    "label",
    "title",
    "placeholder",
    "hint",
    "prompt",
    "error",
    "errors",
    "message",
    "msg",
    "policy",
    "rule",
    "rules",
    "regex",
    "pattern",
    "format",
    "expiry",
    "expires",
    "expiration",
    "ttl",
    "at",
    "in",
    "date",
    "time",
    "timestamp",
    "age",
    "rotation",
    "manager",
    "service",
    "provider",
    "store",
    "vault",
    "arn",
    "ref",
    "reference",
    "version",
    "index",
    "idx",
    "state",
    "status",
    "enabled",
    "required",
    "valid",
    "class",
    "enum",
    "schema",
    "header",
    "param",
    "params",
    "arg",
    "args",
    "var",
    "variable",
    "algorithm",
    "alg",
    "method",
    "scheme",
    "mode",
    "strength",
    "usage",
    "used",
    "budget",
    "cost",
    "prefix",
    "suffix",
    "generator",
    "validator",
    "handler",
    "source",
];

/// Classifies the name that ends `text`, with the words before it: `Secret Access Key`, `public key`.
pub fn classify_words(before: &str, name: &str) -> Option<Name> {
    let own = classify(name);
    if name.contains(['_', '-', '.']) || own.is_some_and(|own| own.strength > Strength::Weak) {
        return own;
    }
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let words = before.strip_suffix(' ').map_or("", |before| {
        let start = before.trim_end_matches(|c: char| is_word(c) || c == ' ').len();
        &before[start..]
    });
    match words.rsplit(' ').next() {
        Some(word) if !word.is_empty() => {
            let joined = classify(&format!("{word}_{name}"));
            if matches!(
                word.to_ascii_lowercase().as_str(),
                "public" | "primary" | "foreign" | "cache"
            ) {
                None
            } else {
                joined.or(own)
            }
        }
        _ => own,
    }
}

/// Classifies a name. Returns `None` if its value is no secret.
pub fn classify(name: &str) -> Option<Name> {
    let words = words(name);
    let mut end = words.len();
    while end > 1 && is_neutral(&words[end - 1]) {
        end -= 1;
    }
    let word = words.get(end.checked_sub(1)?)?;
    let before = end.checked_sub(2).map(|at| words[at].as_str());
    if let Some(found) = secret_word(word, before) {
        return Some(found).filter(|_| before != Some("public"));
    }
    // A secret's name with more words: `SECRET_KEY_BASE`, `PASSWORD_ALICE`, but not `token_type`.
    if OTHER.contains(&word.as_str()) {
        return None;
    }
    let inner = (0..end - 1)
        .rev()
        .find_map(|at| secret_word(&words[at], at.checked_sub(1).map(|at| words[at].as_str())))?;
    (inner.strength > Strength::Weak)
        .then_some(Name { strength: Strength::Weak.max(weaker(inner.strength)), ..inner })
}

fn weaker(strength: Strength) -> Strength {
    if strength == Strength::Password { Strength::Token } else { Strength::Weak }
}

fn secret_word(word: &str, before: Option<&str>) -> Option<Name> {
    if PASSWORDS.contains(&word) {
        return Some(Name { strength: Strength::Password, kind: "password" });
    }
    if let Some((_, kind)) = TOKENS.iter().find(|(token, _)| *token == word) {
        return Some(Name { strength: Strength::Token, kind });
    }
    if word == "key" && before.is_some_and(|owner| KEY_OWNERS.contains(&owner)) {
        let kind = match before {
            Some("api" | "access") => "api-key",
            Some("secret") => "secret",
            _ => "key",
        };
        return Some(Name { strength: Strength::Token, kind });
    }
    if let Some((_, kind)) = WEAK.iter().find(|(weak, _)| *weak == word) {
        return Some(Name { strength: Strength::Weak, kind });
    }
    const PLAIN_WORDS: [&str; 7] =
        ["bypass", "compass", "encompass", "trespass", "overpass", "underpass", "surpass"];
    if word.len() > 5 && word.ends_with("pass") && !PLAIN_WORDS.contains(&word) {
        return Some(Name { strength: Strength::Password, kind: "password" });
    }
    let (_, strength, kind) = SUFFIXES.iter().find(|(suffix, ..)| word.ends_with(suffix))?;
    Some(Name { strength: *strength, kind })
}

fn is_neutral(word: &str) -> bool {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    NEUTRAL.contains(&word) || is_number(word) || word.strip_prefix('v').is_some_and(is_number)
}

/// The words of a name in lower case: `dbPassword`, `DB_PASSWORD` and `db-password` are equal.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = b'_';
    let bytes = name.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let next_is_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = !last.is_ascii_alphanumeric()
            || byte.is_ascii_uppercase()
                && (last.is_ascii_lowercase()
                    || last.is_ascii_digit()
                    || last.is_ascii_uppercase() && next_is_lower)
            || byte.is_ascii_digit() && last.is_ascii_lowercase() && !next_is_lower;
        if byte.is_ascii_alphanumeric() {
            match words.last_mut().filter(|_| !begins) {
                Some(word) => word.push(byte.to_ascii_lowercase() as char),
                None => words.push((byte.to_ascii_lowercase() as char).to_string()),
            }
        }
        last = *byte;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognized() {
        use Strength::{Password, Token, Weak};
        for (name, strength) in [
            ("password", Password),
            ("DB_PASSWORD", Password),
            ("dbPassword", Password),
            ("db.password", Password),
            ("--password", Password),
            ("PGPASSWORD", Password),
            ("MYSQL_PWD", Password),
            ("passwordConfirmation", Password),
            ("DB_PASSWORD_PROD", Password),
            ("token", Token),
            ("authToken", Token),
            ("authtoken", Token),
            ("_authToken", Token),
            ("AWS_SECRET_ACCESS_KEY", Token),
            ("x-api-key", Token),
            ("apikey", Token),
            ("APIKey", Token),
            ("client-key-data", Token),
            ("PASSWORD_ALICE", Token),
            ("SECRET_KEY_BASE", Token),
            ("TOKEN_GITHUB", Weak),
            ("key", Weak),
            ("auth", Weak),
        ] {
            assert_eq!(classify(name).map(|n| n.strength), Some(strength), "{name}");
        }
        for name in [
            "token_type",
            "tokenizer",
            "max_token_count",
            "password_field",
            "key_id",
            "AWS_ACCESS_KEY_ID",
            "secretName",
            "keyboard",
            "monkey",
            "author",
            "passed",
            "compass",
            "public_key",
            "secret-arn",
            "session_id",
        ] {
            assert_eq!(classify(name), None, "{name}");
        }
    }
}
