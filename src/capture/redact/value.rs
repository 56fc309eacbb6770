//! Judges values: whether a text can be a secret, or is a placeholder, code or words.

/// For each letter, the letters that follow it in at least 0.04 % of the letter pairs of English text
/// and source code. In words almost all pairs are in this table, in random letters fewer than half.
#[rustfmt::skip]
const COMMON_PAIRS: [&str; 26] = [
    "bcdfgiklmnprstuvwxy", // a
    "aceijlorsuy", // b
    "acdehiklmorstuy", // c
    "abdeilorstu", // d
    "abcdefgilmnopqrstvwxy", // e
    "adefilorstu", // f
    "aeghilnorsu", // g
    "aeiortu", // h
    "abcdefglmnoprstvxz", // i
    "e", // j
    "eils", // k
    "acdefilnopstuvy", // l
    "abdeilmopstu", // m
    "acdefgiklnopstuvy", // n
    "abcdfgiklmnoprstuvw", // o
    "adehiloprstuy", // p
    "u", // q
    "abcdefgiklmnoprstuvy", // r
    "acefhiklmnoprstuwy", // s
    "acdefhilmnoprstuwy", // t
    "abcdefgilmnoprst", // u
    "aeio", // v
    "aehinors", // w
    "ceipt", // x
    "eimnpst", // y
    "e", // z
];

/// Shannon entropy in bits per byte.
pub fn entropy(text: &str) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let len = text.len() as f32;
    let bits = |n: &u32| {
        let share = *n as f32 / len;
        -share * share.log2()
    };
    counts.iter().filter(|n| **n > 0).map(bits).sum()
}

/// Whether `value` stands for a secret that the reader has to fill in, or for no secret.
pub fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 62] = [
        "none",
        "null",
        "nil",
        "true",
        "false",
        "undefined",
        "unset",
        "unknown",
        "empty",
        "missing",
        "required",
        "optional",
        "string",
        "number",
        "boolean",
        "bytes",
        "object",
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "key",
        "apikey",
        "credentials",
        "credential",
        "hidden",
        "invalid",
        "valid",
        "expired",
        "disabled",
        "enabled",
        "default",
        "text",
        "value",
        "values",
        "todo",
        "fixme",
        "tbd",
        "test",
        "testing",
        "mock",
        "fake",
        "dummy",
        "foo",
        "bar",
        "baz",
        "abc",
        "here",
        "yes",
        "not",
        "set",
        "str",
        "any",
        "void",
        "static",
        "const",
        "mypassword",
        "mysecret",
        "mytoken",
        "hash",
        "username",
    ];
    const PARTS: [&str; 22] = [
        "yyyyyy",
        "example",
        "placeholder",
        "change-me",
        "change_me",
        "changeme",
        "changeit",
        "change-it",
        "your-",
        "your_",
        "yourpass",
        "yoursecret",
        "yourtoken",
        "yourkey",
        "yourapi",
        "redacted",
        "<your",
        "replace",
        "insert",
        "goes-here",
        "goes_here",
        "xxxx",
    ];
    let lower = value.to_ascii_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let Some(first) = core.chars().next() else { return true };
    if core.chars().all(|c| c == first) || matches!(core, "1234" | "12345" | "123456" | "abcdef") {
        // A row of one character, but not a number such as 0000.
        return !first.is_ascii_digit() || core.len() != value.len() || core.len() > 8;
    }
    let refers = lower.starts_with(['$', '<', '%', '@', '#'])
        && !value.contains(|c: char| c.is_ascii_digit())
        || ["${", "{{", "$(", "<%", "#{", "%(", "[redacted", "…["]
            .iter()
            .any(|m| lower.contains(m))
        || lower.starts_with('<') && lower.ends_with('>')
        || lower.starts_with('%') && lower.ends_with('%')
        || lower.starts_with('{') && lower.ends_with('}')
        || lower.starts_with(['{', '['])
        || lower.starts_with("((") && lower.ends_with("))");
    let words = || core.split(['-', '_', ' ', '.']).filter(|word| !word.is_empty());
    let is_filler = |word: &str| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        word.is_empty()
            || WORDS.contains(&word)
            || matches!(
                word,
                "my" | "your"
                    | "the"
                    | "a"
                    | "some"
                    | "is"
                    | "new"
                    | "old"
                    | "api"
                    | "db"
                    | "user"
                    | "auth"
                    | "access"
                    | "client"
                    | "app"
                    | "bearer"
                    | "put"
                    | "enter"
                    | "super"
                    | "very"
                    | "this"
                    | "sample"
                    | "pass"
                    | "pw"
                    | "module"
                    | "options"
                    | "admin"
            )
    };
    refers
        || PARTS.iter().any(|part| lower.contains(part))
        || (words().all(is_filler) && core.contains(|c: char| !c.is_ascii_digit()))
        || lower.starts_with("your")
}

/// Whether `value` only says where a secret is, or identifies one: `arn:…`, `op://…`, `sha256:…`, a public
/// key.
pub fn is_reference(value: &str) -> bool {
    const PREFIXES: [&str; 32] = [
        "arn:",
        "op://",
        "vault:",
        "ssm:",
        "secretsmanager:",
        "sops:",
        "env:",
        "file:",
        "keyring:",
        "keychain:",
        "awssm:",
        "gcpsm:",
        "azkv:",
        "sha1:",
        "sha224:",
        "sha256:",
        "sha384:",
        "sha512:",
        "sha1-",
        "sha256-",
        "sha384-",
        "sha512-",
        "md5:",
        "age1",
        "ssh-",
        "projects/",
        "AAAAC3Nza",
        "AAAAB3Nza",
        "AAAAE2Vj",
        "ecdsa-sha2-",
        "sk-ssh-",
        "key::",
    ];
    PREFIXES.iter().any(|prefix| value.starts_with(prefix))
}

/// Whether an unquoted value is an expression of a program, a path or a type.
pub fn is_code(value: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let is_path = |value: &str| {
        value.contains('.') && value.split('.').all(|part| is_identifier(part) && !is_random(part))
    };
    value.contains(['(', '[', '{', '\\'])
        || ["::", "->", "=>", "&&", "||"].iter().any(|mark| value.contains(mark))
        || is_path(value.trim_end_matches(['?', '!', ',', ';']))
        || is_file_path(value)
}

/// Whether `value` is a path of a file or a URL.
pub fn is_file_path(value: &str) -> bool {
    let is_drive = value.as_bytes().get(1..3) == Some(b":\\");
    let starts = ["/", "./", "../", "~/", "file:"].iter().any(|start| value.starts_with(start));
    let n_slashes = value.matches('/').count();
    let words = || value.split('/').filter(|part| !part.is_empty());
    is_drive
        || (starts && (n_slashes > 1 || value.len() < 20) && !words().any(is_random))
        || value.contains("://")
}

/// Whether `value` is a number with a unit or a type, or a date: `86u32`, `1.5s`, `1979-05-27T07:32:00Z`.
pub fn is_number(value: &str) -> bool {
    const UNITS: [&str; 20] = [
        "i", "u", "f", "usize", "isize", "ms", "s", "px", "em", "rem", "%", "kB", "KB", "MB", "GB",
        "ns", "us", "h", "min", "UL",
    ];
    let rest = value.trim_start_matches(['-', '+']);
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | ',');
    let after = rest.trim_start_matches(is_digit);
    let unit = after.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_unit = after.len() < rest.len() && UNITS.contains(&unit) && after.len() <= 5;
    let is_date = rest.len() >= 10
        && rest.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            10 => matches!(b, b'T' | b' '),
            _ => b.is_ascii_digit() || at > 10 && b"-+:.Z".contains(&b),
        });
    has_unit || is_date || value.contains('.') && value.parse::<f64>().is_ok()
}

/// Whether `value` has the form of a UUID.
pub fn is_uuid(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() == 36 && bytes.iter().enumerate().all(is_right)
}

/// Whether `value` is a hash in hexadecimal, by its length.
pub fn is_hex_hash(value: &str) -> bool {
    matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128)
        && value.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `value` looks random: no words, and characters of several kinds.
pub fn is_random(value: &str) -> bool {
    let n_digits = value.bytes().filter(u8::is_ascii_digit).count();
    let n_letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    if value.len() < 8 || value.contains(char::is_whitespace) || n_letters == 0 {
        return false;
    }
    let has_both_cases = value.contains(|c: char| c.is_ascii_uppercase())
        && value.contains(|c: char| c.is_ascii_lowercase());
    if n_digits == 0 && !has_both_cases && value.len() < 20 {
        return false;
    }
    let (_, n_pairs) = letter_pairs(value);
    let is_wordy = is_wordy(value);
    let changes = changes(value);
    let is_mixed = changes * 4 >= value.len();
    let enough = entropy(value) >= (value.len() as f32).log2().min(4.5) * 0.72;
    enough
        && (!is_wordy || is_mixed)
        && (n_pairs >= 4 || n_digits * 4 >= value.len() || is_mixed || has_both_cases)
}

/// Whether nearly all letters of `value` form words.
pub fn is_wordy(value: &str) -> bool {
    let (n_common, n_pairs) = letter_pairs(value);
    n_pairs >= 4 && n_common * 100 >= n_pairs * 80
}

/// How many pairs of adjacent letters are common in words, and how many there are. A change from
/// lower to upper case ends a word.
fn letter_pairs(value: &str) -> (usize, usize) {
    let (mut n_common, mut n_pairs) = (0, 0);
    for pair in value.as_bytes().windows(2) {
        let [a, b] = [pair[0], pair[1]];
        if a.is_ascii_alphabetic()
            && b.is_ascii_alphabetic()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
        {
            let row = COMMON_PAIRS[usize::from(a.to_ascii_lowercase() - b'a')];
            n_pairs += 1;
            n_common += usize::from(row.as_bytes().contains(&b.to_ascii_lowercase()));
        }
    }
    (n_common, n_pairs)
}

/// How often digits and letters alternate, and lower case follows upper case other than at a word's
/// start.
fn changes(value: &str) -> usize {
    let kind = |b: u8| match b {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    let pairs = value.as_bytes().windows(2).map(|pair| (kind(pair[0]), kind(pair[1])));
    pairs.filter(|(a, b)| a != b && *a != 0 && *b != 0 && (*a, *b) != (2, 3)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_differ_from_words() {
        for random in [
            "wJalrXUtnFEMI7K7MDENGbPxRfiCY",
            "3f9a81c07be245d6",
            "qL8z!vR2#kT9",
            "Zk3pQ9xW",
            "aGVsbG8gd29ybGQ5OTk=",
            "xkqzjvbwpfgmxrtqzkwp",
        ] {
            assert!(is_random(random), "{random}");
        }
        for words in [
            "test_recover_when_closed",
            "getUserPassword",
            "application/json",
            "internationalization",
            "my-service-name2",
            "AuthenticationToken",
            "user123",
            "2024-01-02T10:11:12",
            "",
        ] {
            assert!(!is_random(words), "{words}");
        }
    }

    #[test]
    fn placeholders_are_no_secrets() {
        for text in [
            "",
            "***",
            "xxxxxxxx",
            "<password>",
            "${TOKEN}",
            "$TOKEN",
            "{{ secret }}",
            "%PASSWORD%",
            "your-api-key",
            "changeme",
            "my-secret-token",
            "null",
            "password",
            "[redacted:password]",
            "AKIAIOSFODNN7EXAMPLE",
            "...",
            "________",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["hunter2", "swordfish", "S3cr3t!", "0000", "$ecret123"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
