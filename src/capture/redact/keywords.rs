//! Finds the keywords of all rules in one pass over a text.
//!
//! A hook handles one text and ends, so an automaton that is built at run time costs more than it
//! saves: 0.1 ms for these keywords. All tables here are constants. A bitmap of hashed groups of three
//! bytes rules out almost all positions. For the others, a sorted table has the keywords that begin
//! with the same three or four bytes.

use super::gitleaks;
use super::own_tokens;
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
    /// `://`, after which a URL may have a password.
    Url,
    /// A short option that may be followed by a password: `-u`, `-p`.
    Option,
    /// A program whose arguments or input have a password: `curl`, `chpasswd`.
    Program,
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

const PROGRAMS: &[&str] = &[
    "curl ",
    "chpasswd",
    "sudo -s",
    "--stdin",
    "password-stdin",
    "htpasswd ",
    "oathtool",
    "random_password",
    "smbclient",
    "net use",
    "-pass:",
    "redis-cli",
    "openssl",
    "secret-tool",
    "wg pubkey",
];

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

/// A keyword, by the first bytes that identify it.
#[derive(Clone, Copy)]
struct Entry {
    /// The first four bytes, folded. For a keyword of three bytes the last one is 0.
    group: u32,
    text: &'static str,
    keyword: Keyword,
}

const fn count() -> usize {
    let mut n = NAMES.len() + OPTIONS.len() + PROGRAMS.len() + GO_DSN.len() + WORDS.len() + 5;
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

/// Sets the bit that differs between upper and lower case letters. Other bytes may become equal too.
const fn fold(group: u32) -> u32 {
    group | 0x2020_2020
}

const fn group_of(text: &str) -> u32 {
    let bytes = text.as_bytes();
    assert!(bytes.len() >= 3, "a keyword has at least three bytes");
    match bytes.len() {
        3 => first_three(fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))),
        _ => fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
    }
}

const fn first_three(group: u32) -> u32 {
    group & 0x00ff_ffff
}

const ENTRIES: [Entry; count()] = {
    let mut all = [Entry { group: 0, text: "", keyword: Keyword::Name }; count()];
    let mut n = 0;
    let mut i = 0;
    while i < NAMES.len() {
        all[n] = entry(NAMES[i], Keyword::Name);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < OPTIONS.len() {
        all[n] = entry(OPTIONS[i], Keyword::Option);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < PROGRAMS.len() {
        all[n] = entry(PROGRAMS[i], Keyword::Program);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < GO_DSN.len() {
        all[n] = entry(GO_DSN[i], Keyword::GoDsn);
        n += 1;
        i += 1;
    }
    i = 0;
    while i < WORDS.len() {
        all[n] = entry(WORDS[i], Keyword::Words);
        n += 1;
        i += 1;
    }
    all[n] = entry("://", Keyword::Url);
    all[n + 1] = entry("private key", Keyword::PrivateKey);
    all[n + 2] = entry("private-lines:", Keyword::PrivateKey);
    all[n + 3] = entry("private-mac:", Keyword::PrivateKey);
    all[n + 4] = entry("ssh2 encrypted", Keyword::PrivateKey);
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
            all[n] = entry(rule.keywords[k], Keyword::Token(i as u16));
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
            all[n] = entry(rule.keywords[k], Keyword::Vendor(i as u16));
            n += 1;
            k += 1;
        }
        i += 1;
    }
    // Insertion sort by group; a constant function cannot call `sort`.
    i = 1;
    while i < all.len() {
        let moved = all[i];
        let mut at = i;
        while at > 0 && all[at - 1].group > moved.group {
            all[at] = all[at - 1];
            at -= 1;
        }
        all[at] = moved;
        i += 1;
    }
    all
};

static SORTED: [Entry; count()] = ENTRIES;

const fn entry(text: &'static str, keyword: Keyword) -> Entry {
    Entry { group: group_of(text), text, keyword }
}

const HASH_BITS: u32 = 15;

const fn hash(group: u32) -> usize {
    (group.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

/// One bit for each hash of the first three bytes of a keyword.
static BITMAP: [u64; 1 << (HASH_BITS - 6)] = {
    let mut bits = [0; 1 << (HASH_BITS - 6)];
    let mut i = 0;
    while i < ENTRIES.len() {
        let hash = hash(first_three(ENTRIES[i].group));
        bits[hash >> 6] |= 1 << (hash & 63);
        i += 1;
    }
    bits
};

/// Calls `found` for each keyword in `text` with its position, in order of the positions. Stops if
/// `found` returns true.
pub fn scan(text: &[u8], mut found: impl FnMut(usize, Keyword) -> bool) {
    let Some(last) = text.len().checked_sub(4) else { return };
    for at in 0..=last {
        let group = fold(u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]));
        let hash = hash(first_three(group));
        if BITMAP[hash >> 6] >> (hash & 63) & 1 == 0 {
            continue;
        }
        for group in [group, first_three(group)] {
            let first = SORTED.partition_point(|entry| entry.group < group);
            for entry in SORTED[first..].iter().take_while(|entry| entry.group == group) {
                let word = text.get(at..at + entry.text.len());
                if word.is_some_and(|word| word.eq_ignore_ascii_case(entry.text.as_bytes()))
                    && found(at, entry.keyword)
                {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_in_any_case() {
        for entry in &SORTED {
            for text in [entry.text.to_owned(), entry.text.to_uppercase()] {
                let mut seen = Vec::new();
                scan(format!("x {text} y").as_bytes(), |at, keyword| {
                    seen.push((at, keyword));
                    false
                });
                assert!(seen.contains(&(2, entry.keyword)), "{text}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_text_without_keywords_has_none() {
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
        scan(text.as_bytes(), |at, keyword| panic!("{keyword:?} at {at}"));
        scan(b"ke", |_, _| panic!("too short"));
    }
}
