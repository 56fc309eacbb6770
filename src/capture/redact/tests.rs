use super::*;
use proptest::prelude::*;

const KEY: &str = "[redacted:private-key]";
const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n\
    VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu==\n";

#[test]
fn private_keys_are_replaced() {
    let check = |text: &str, expected: &str| {
        assert_eq!(redact(text, &Redact::default()), expected, "{text}")
    };
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
    check(&format!("-----BEGIN PRIVATE KEY-----\n{BODY}rest of it."), &format!("{KEY}rest of it."));
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

/// Found by fuzzing.
#[test]
fn armor_lines_that_share_dashes_do_not_panic() {
    let line = "-----END PRIVATE KEY-----";
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    for shared in 1..5 {
        for kind in ["END", "BEGIN"] {
            let next = &format!("-----{kind} PRIVATE KEY-----")[shared..];
            for text in [
                format!("x\nwordAN\n{line}{next}\n"),
                format!("{body}\n{line}{next}\n{body}\n-----END PRIVATE KEY-----"),
            ] {
                let redacted = redact(&text, &Redact::default());
                assert!(!redacted.contains(body), "{redacted}");
            }
        }
    }
}

// The test runner ends a test that takes longer than 30 s, which quadratic time does here.
#[test]
fn a_long_line_of_labels_takes_linear_time() {
    let text = "PRIVATE KEY ".repeat(40_000);
    assert_eq!(redact(&text, &Redact::default()), text);
}

/// The same limit holds here. The work for each repetition must not grow with their number.
#[test]
fn a_long_line_of_any_keyword_takes_linear_time() {
    for unit in [
        "password=",
        "key=",
        "key:",
        "curl ",
        "net use ",
        "oathtool ",
        "-p ",
        " -p ",
        "secret set <<<",
        "secret set ",
        "echo a|secret set ",
        "export password ",
        "cookie=a=",
        "key [",
        "://",
    ] {
        let text = unit.repeat((512 << 10) / unit.len());
        redact(&text, &Redact::default());
    }
}

/// The bound of the work does not let a secret through.
#[test]
fn a_password_behind_many_names_is_replaced() {
    for n in [1, 10, 1000] {
        let text = format!("{}hunter2Ok3rOINRYU9J", "key=".repeat(n));
        let redacted = redact(&text, &Redact::default());
        assert!(!redacted.contains("Ok3rOINRYU9J"), "{redacted}");
    }
}

#[test]
fn a_key_in_the_lines_of_a_patch_is_replaced() {
    let raw =
        r#"{"lines":["+-----BEGIN PRIVATE KEY-----","+MIIE","+-----END PRIVATE KEY-----","x"]}"#;
    let expected = r#"{"lines":["+[redacted:private-key]","","","x"]}"#;
    assert_eq!(redact_json(raw, &Redact::default(), &|_, _| {}).as_deref(), Some(expected));
    assert_eq!(redact_json(r#"{"a":"b"}"#, &Redact::default(), &|_, _| {}), None);
}

#[test]
fn the_text_of_a_here_string_is_replaced() {
    let check = |text: &str, expected: &str| assert_eq!(redact(text, &Redact::default()), expected);
    check("gh secret set X <<< Ok3rOINRYU9J", "gh secret set X <<< [redacted:password]");
    check(
        "# \u{65e5}\u{65e5} gh secret set \u{540d}\u{524d} <<< Ok3rOINRYU9J && ls",
        "# \u{65e5}\u{65e5} gh secret set \u{540d}\u{524d} <<< [redacted:password] && ls",
    );
}

/// What the rules look for, in the order of their modules, and what may stand between.
const PARTS: [&str; 48] = [
    "password",
    "API_KEY",
    "token",
    "secret",
    "Authorization: Bearer",
    "--api-key",
    "-p",
    "-u",
    "curl",
    "htpasswd",
    "smbclient",
    "oathtool",
    "net use",
    "redis-cli",
    "openssl",
    "gh secret set",
    "random_password",
    "echo",
    "<<<",
    "://",
    "@",
    "user:",
    "=",
    ":",
    "->",
    "|",
    "||",
    "<",
    ">",
    "(",
    ")",
    ",",
    ";",
    "[",
    "]",
    "\"",
    "'",
    "\\",
    "\\\"",
    "&quot;",
    "\u{1b}[",
    "\u{1b}[31m",
    "\\033[",
    "\n",
    " ",
    "Ok3rOINRYU9J",
    "is",
    "-----BEGIN PRIVATE KEY-----",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A repository prints what it likes. A panic would lose the event.
    #[test]
    fn no_text_ends_in_a_panic(
        parts in prop::collection::vec(
            prop_oneof![3 => prop::sample::select(&PARTS[..]).prop_map(str::to_owned), 2 => "[éß記🦀x7]{1,2}"],
            1..14,
        )
    ) {
        let text = parts.concat();
        let mut end = 0;
        for finding in find(&text, &Redact::default()) {
            prop_assert!(end <= finding.range.start && text.get(finding.range.clone()).is_some());
            end = finding.range.end;
        }
        redact(&text, &Redact::default());
        let raw = serde_json::to_string(&[&text]).expect("a text");
        redact_json(&raw, &Redact::default(), &|_, _| {});
    }
}

proptest! {
    #[test]
    fn no_key_survives_redaction(
        before in "[a-z <\n]{0,40}", after in "[a-z <\n]{0,40}", cut in 0usize..200
    ) {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----");
        let text = format!("{before}{}{after}", &pem[..pem.len() - cut.min(pem.len())]);
        let redacted = redact(&text, &Redact::default());
        prop_assert!(cut > 115 || !redacted.contains("MIIEvQ"), "{}", redacted);
    }
}
