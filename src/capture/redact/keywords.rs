//! The keywords of all rules.

use super::super::word_table::WordTable;
use super::foreign;
use super::gitleaks;
use super::own_tokens;
use super::programs;
use super::rule::{TokenRule, VendorRule};

/// What a keyword announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// A part of a token of this rule in [`token_rule`].
    Token(u16),
    /// The name of a vendor: an index in [`gitleaks::VENDORS`].
    Vendor(u16),
    /// A part of a name such as `password`, before its value.
    Name,
    /// The name of a password in another language, and its length.
    Foreign(u8),
    /// `://`, after which a URL may have a password.
    Url,
    /// A short option that may be followed by a password: `-u`, `-p`.
    Option,
    /// A program whose call has a password, such as `curl`: an index in [`programs::PROGRAMS`].
    Program(u8),
    /// A program whose input is a password: `chpasswd`.
    Input,
    /// `random_password` of a Terraform state.
    Generated,
    /// `mysql://`-like names of Go: `user:password@tcp(host)/db`.
    GoDsn,
    /// The words before a list of words or codes: `seed phrase`, `recovery codes`.
    Words,
    /// `PRIVATE KEY`.
    PrivateKey,
}

/// Parts of the names of secrets. Each name in [`super::name`] contains one of them.
const NAMES: &[&str] = &[
    "pass",
    "pwd",
    "psw",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "cooki",
    "session",
    "sessid",
    "salt",
    "pepper",
    "sig=",
    "signature",
    "jwt",
    "bearer",
    "mnemonic",
    "seed",
    "otp",
    "pin=",
    "dsn",
    "webhook",
    "nonce",
    "sid=",
    "csrf",
    "xsrf",
    "license",
    "private",
    "conn",
    "pat=",
    "pat:",
    "psk",
    "pw:",
    "pw=",
    " pw ",
    "requirep",
    "masterau",
    "dockerco",
];

const OPTIONS: &[&str] = &[" -u", " -p", " -a", " -w", " -k", " -b", " --user", " --proxy-user"];

const GENERATED: &[&str] = &["random_password"];

const GO_DSN: &[&str] = &["@tcp(", "@unix("];

const WORDS: &[&str] = &[
    "mnemonic",
    "seed phrase",
    "seed_phrase",
    "seedphrase",
    "recovery",
    "backup code",
    "seed:",
    "seed words",
    "wallet seed",
];

pub fn token_rule(index: u16) -> &'static TokenRule {
    let index = usize::from(index);
    match index.checked_sub(own_tokens::TOKENS.len()) {
        None => &own_tokens::TOKENS[index],
        Some(rest) => &gitleaks::TOKENS[rest],
    }
}

pub const N_TOKEN_RULES: usize = own_tokens::TOKENS.len() + gitleaks::TOKENS.len();

const fn count() -> usize {
    let mut n = NAMES.len() + OPTIONS.len() + GENERATED.len() + GO_DSN.len() + WORDS.len() + 5;
    n += programs::PROGRAMS.len() + programs::INPUTS.len() + foreign::NAMES.len();
    let mut i = 0;
    while i < own_tokens::TOKENS.len() {
        n += own_tokens::TOKENS[i].keywords.len();
        i += 1;
    }
    i = 0;
    while i < gitleaks::TOKENS.len() {
        n += gitleaks::TOKENS[i].keywords.len();
        i += 1;
    }
    i = 0;
    while i < gitleaks::VENDORS.len() {
        n += gitleaks::VENDORS[i].keywords.len();
        i += 1;
    }
    n
}

const ALL: [(&str, Keyword); count()] = {
    let mut all = [("", Keyword::Name); count()];
    let mut n = 0;
    let mut i = 0;
    while i < NAMES.len() {
        all[n] = (NAMES[i], Keyword::Name);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < foreign::NAMES.len() {
        all[n] = (foreign::NAMES[i], Keyword::Foreign(foreign::NAMES[i].len() as u8));
        n += 1;
        i += 1;
    }
    i = 0;
    while i < OPTIONS.len() {
        all[n] = (OPTIONS[i], Keyword::Option);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < programs::PROGRAMS.len() {
        all[n] = (programs::PROGRAMS[i].keyword, Keyword::Program(i as u8));
        n += 1;
        i += 1;
    }
    i = 0;
    while i < programs::INPUTS.len() {
        all[n] = (programs::INPUTS[i], Keyword::Input);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < GENERATED.len() {
        all[n] = (GENERATED[i], Keyword::Generated);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < GO_DSN.len() {
        all[n] = (GO_DSN[i], Keyword::GoDsn);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < WORDS.len() {
        all[n] = (WORDS[i], Keyword::Words);
        n += 1;
        i += 1;
    }
    all[n] = ("://", Keyword::Url);
    all[n + 1] = ("private key", Keyword::PrivateKey);
    all[n + 2] = ("private-lines:", Keyword::PrivateKey);
    all[n + 3] = ("private-mac:", Keyword::PrivateKey);
    all[n + 4] = ("ssh2 encrypted", Keyword::PrivateKey);
    n += 5;
    i = 0;
    while i < N_TOKEN_RULES {
        let rule = if i < own_tokens::TOKENS.len() {
            &own_tokens::TOKENS[i]
        } else {
            &gitleaks::TOKENS[i - own_tokens::TOKENS.len()]
        };
        let mut k = 0;
        while k < rule.keywords.len() {
            all[n] = (rule.keywords[k], Keyword::Token(i as u16));
            n += 1;
            k += 1;
        }
        i += 1;
    }
    i = 0;
    while i < gitleaks::VENDORS.len() {
        let rule: &VendorRule = &gitleaks::VENDORS[i];
        let mut k = 0;
        while k < rule.keywords.len() {
            all[n] = (rule.keywords[k], Keyword::Vendor(i as u16));
            n += 1;
            k += 1;
        }
        i += 1;
    }
    all
};

static TABLE: WordTable<Keyword, { count() }> = WordTable::new(ALL);

/// Calls `found` for each keyword in `text` with its position, in order of the positions. Stops if
/// `found` returns true.
pub fn scan(text: &[u8], found: impl FnMut(usize, Keyword) -> bool) {
    TABLE.scan(text, found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_in_any_case() {
        for (word, expected) in TABLE.words() {
            for text in [word.to_owned(), word.to_ascii_uppercase()] {
                let mut seen = Vec::new();
                scan(format!("x {text} y").as_bytes(), |at, keyword| {
                    seen.push((at, keyword));
                    false
                });
                assert!(seen.contains(&(2, expected)), "{text}: {seen:?}");
            }
        }
    }
}
