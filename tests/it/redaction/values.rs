//! Random values: texts of a pattern, checksums, passwords and words.
//!
//! No file of this directory contains a complete token. Patterns and encoders build them at run time,
//! because hosts refuse commits with anything that looks like a secret.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

use crate::support::random::Random;

/// Alphabet of the checksums of GitHub and npm.
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns a random text of a pattern: literal characters, and classes such as `[A-Za-z0-9_-]{20}`
/// or `[0-9]{8,10}`. Each character of a class is equally likely, which generators of regular
/// expressions do not promise.
pub fn fill(random: &mut Random, pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('[') {
        text.push_str(&rest[..at]);
        let end = at + rest[at..].find(']').expect("a closed class");
        let class = characters(&rest[at + 1..end]);
        rest = &rest[end + 1..];
        let mut length = 1;
        if let Some(count) = rest.strip_prefix('{') {
            let (count, after) = count.split_once('}').expect("a closed count");
            rest = after;
            let (least, most) = count.split_once(',').unwrap_or((count, count));
            let (least, most): (u64, u64) = (least.parse().unwrap(), most.parse().unwrap());
            length = least + random.below(most - least + 1);
        }
        text.extend((0..length).map(|_| random.pick(&class)));
    }
    text + rest
}

fn characters(class: &str) -> Vec<char> {
    let class: Vec<char> = class.chars().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            all.extend(class[at]..=class[at + 2]);
            at += 3;
        } else {
            all.push(class[at]);
            at += 1;
        }
    }
    all
}

pub fn hex(random: &mut Random, length: u64) -> String {
    fill(random, &format!("[0-9a-f]{{{length}}}"))
}

pub fn uuid(random: &mut Random) -> String {
    fill(random, "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
}

pub fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.next() as u8).collect()
}

/// Random bytes in base64, with padding.
pub fn base64(random: &mut Random, length: usize) -> String {
    BASE64.encode(&bytes(random, length))
}

pub fn base64_of(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}

pub fn base64_no_padding_of(text: &str) -> String {
    BASE64_NOPAD.encode(text.as_bytes())
}

pub fn base64url_of(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

/// Base64 in lines of 64 characters, as in PEM.
pub fn base64_lines(random: &mut Random, length: usize) -> Vec<String> {
    let text = base64(random, length);
    text.as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
}

/// CRC-32 as in zip.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// 30 random characters and their checksum in 6 characters of base 62, as GitHub and npm append it.
pub fn checked(random: &mut Random, prefix: &str) -> String {
    let body = fill(random, "[A-Za-z0-9]{30}");
    let mut checksum = crc32(body.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(checksum % 62) as usize];
        checksum /= 62;
    }
    format!("{prefix}{body}{}", str::from_utf8(&digits).unwrap())
}

/// A JSON web token with the claims of a user.
pub fn jwt(random: &mut Random) -> String {
    let algorithm = random.pick(&["HS256", "RS256", "ES256", "EdDSA"]);
    let header = match random.below(2) {
        0 => format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#),
        _ => format!(r#"{{"typ":"JWT","alg":"{algorithm}","kid":"{}"}}"#, hex(random, 16)),
    };
    let claims = format!(
        r#"{{"sub":"{}","iss":"https://login.{}.example","iat":{},"scope":"read write"}}"#,
        uuid(random),
        word(random),
        1_760_000_000 + random.below(30_000_000)
    );
    let signature = if algorithm == "RS256" { 256 } else { 32 };
    let signature = data_encoding::BASE64URL_NOPAD.encode(&bytes(random, signature));
    format!("{}.{}.{signature}", base64url_of(&header), base64url_of(&claims))
}

const WORDS: [&str; 64] = [
    "amber", "badger", "cobalt", "dahlia", "ember", "falcon", "garnet", "harbor", "indigo",
    "juniper", "kestrel", "lagoon", "maple", "nectar", "onyx", "pepper", "quartz", "raven",
    "saffron", "tundra", "umbra", "violet", "walnut", "yarrow", "zephyr", "anchor", "bramble",
    "cinder", "dune", "elder", "fjord", "glacier", "heron", "island", "jasper", "koala", "lantern",
    "meadow", "nimbus", "orchid", "prairie", "quill", "river", "sparrow", "thistle", "urchin",
    "velvet", "willow", "yonder", "zebra", "atlas", "beacon", "canyon", "delta", "echo", "forge",
    "grove", "hollow", "ivory", "jetty", "knoll", "ledger", "marble", "nova",
];

pub fn word(random: &mut Random) -> &'static str {
    random.pick(&WORDS)
}

pub fn capitalized(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// A password as people and password managers make them. It needs no escape in a URL, a shell or a
/// quoted string.
pub fn password(random: &mut Random) -> String {
    match random.below(6) {
        0 => fill(random, "[A-Za-z0-9]{6}[0-9][A-Za-z][A-Za-z0-9]{8,16}"),
        1 => fill(random, "[A-Za-z0-9]{5}[0-9][A-Za-z0-9_.!*-]{8,14}[A-Z][0-9]"),
        2 => {
            let (first, second) = (capitalized(word(random)), capitalized(word(random)));
            fill(random, &format!("{first}{second}[0-9]{{2,4}}[!*_.]"))
        }
        3 => {
            let words = [word(random), word(random), word(random), word(random)];
            fill(random, &format!("{}-[0-9]{{2}}", words.join("-")))
        }
        4 => {
            let word = capitalized(word(random)).replace('a', "4").replace('e', "3");
            fill(random, &format!("{word}[!_*][0-9]{{3}}[a-z]{{2}}"))
        }
        _ => hex(random, 24),
    }
}

pub fn user(random: &mut Random) -> &'static str {
    random.pick(&[
        "admin",
        "app",
        "backup",
        "deploy",
        "grafana",
        "jenkins",
        "postgres",
        "reporting",
        "root",
        "service",
        "svc_billing",
        "web",
    ])
}

pub fn host(random: &mut Random) -> String {
    let word = word(random);
    match random.below(5) {
        0 => format!("{word}.internal"),
        1 => format!("db-{}.{word}.example.com", random.below(9)),
        2 => format!("10.{}.{}.{}", random.below(250), random.below(250), random.below(250)),
        3 => format!("{word}-prod.c{}.eu-west-1.rds.amazonaws.com", hex(random, 10)),
        _ => "localhost".to_owned(),
    }
}

pub fn time(random: &mut Random) -> String {
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000)
    )
}

/// A token without a form of its own.
pub fn opaque(random: &mut Random) -> String {
    let pattern = random.pick(&[
        "[A-Za-z0-9]{32}",
        "[A-Za-z0-9_-]{43}[A-Za-z0-9]",
        "[0-9a-f]{40}",
        "[A-Za-z0-9_-]{86}[A-Za-z0-9]",
    ]);
    fill(random, pattern)
}

/// A user and a password as in the header of basic authorization.
pub fn basic(random: &mut Random) -> String {
    base64_of(&format!("{}:{}", user(random), password(random)))
}
