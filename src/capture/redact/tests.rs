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
        let text = unit.repeat((128 << 10) / unit.len());
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

/// Each was missed once.
#[rustfmt::skip]
#[test]
fn secrets_of_many_forms_are_replaced() {
    let cases = [
        ("contrase\u{f1}a=bn9HwqTZF3WB", "contrase\u{f1}a=[redacted:password]"),
        ("DB_SENHA=bn9HwqTZF3WB", "DB_SENHA=[redacted:password]"),
        ("kennwort: bn9HwqTZF3WB", "kennwort: [redacted:password]"),
        ("mot de passe : bn9HwqTZF3WB", "mot de passe : [redacted:password]"),
        ("wachtwoord: bn9HwqTZF3WB", "wachtwoord: [redacted:password]"),
        ("\u{15f}ifre: bn9HwqTZF3WB", "\u{15f}ifre: [redacted:password]"),
        ("\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}: bn9HwqTZF3WB", "\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}: [redacted:password]"),
        ("\u{5bc6}\u{7801}\u{ff1a}bn9HwqTZF3WB", "\u{5bc6}\u{7801}\u{ff1a}[redacted:password]"),
        ("\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}\u{306f}bn9HwqTZF3WB\u{3067}\u{3059}", "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}\u{306f}[redacted:password]\u{3067}\u{3059}"),
        ("\u{be44}\u{bc00}\u{bc88}\u{d638}: bn9HwqTZF3WB", "\u{be44}\u{bc00}\u{bc88}\u{d638}: [redacted:password]"),
        ("das Passwort f\u{fc}r den Server lautet horse-vJzhRO-lamp", "das Passwort f\u{fc}r den Server lautet [redacted:password]"),
        ("la contrase\u{f1}a es Kq8zzTT3x", "la contrase\u{f1}a es [redacted:password]"),
        ("le mot de passe est Hunter2x!", "le mot de passe est [redacted:password]"),
        ("the password for the server is horse-vJzhRO-lamp", "the password for the server is [redacted:password]"),
        ("\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c} \u{2014} Kq8zzTT3x", "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c} \u{2014} [redacted:password]"),
        ("curl https://api.telegram.org/bot6591982978:AAlrjXN4RKvqTMoGwzX4pVWrqWqQLUN5Lmd/getMe", "curl https://api.telegram.org/bot[redacted:telegram-bot-token]/getMe"),
        ("| user  | password       |\n|-------|----------------|\n| admin | KrVutrhUzObve9 |", "| user  | password       |\n|-------|----------------|\n| admin | [redacted:password] |"),
        (" id | username | api_key \n----+----------+---------\n  1 | bob      | xOMsUyqSRE7Z3f", " id | username | api_key \n----+----------+---------\n  1 | bob      | [redacted:api-key]"),
        ("username,password\nbob,KrVutrhUzObve9", "username,password\nbob,[redacted:password]"),
        ("<input type=\"password\" name=\"pw\" value=\"2T57TTMkp!\">", "<input type=\"password\" name=\"pw\" value=\"[redacted:password]\">"),
        ("$p = ConvertTo-SecureString 'i8Kd92mLx0Zq' -AsPlainText -Force", "$p = ConvertTo-SecureString '[redacted:password]' -AsPlainText -Force"),
        ("Set-Item env:PW Ok3rOINRYU9J", "Set-Item env:PW [redacted:password]"),
        ("[Environment]::SetEnvironmentVariable(\"DB_PW\",\"Ok3rOINRYU9J\")", "[Environment]::SetEnvironmentVariable(\"DB_PW\",\"[redacted:password]\")"),
        ("New-Object PSCredential(\"bob\",(\"Ok3rOINRYU9J\"))", "New-Object PSCredential(\"bob\",(\"[redacted:password]\"))"),
        ("smtp:\n  pass: 15zZltEyxIjBZ4\n", "smtp:\n  pass: [redacted:password]\n"),
        ("password: Some(\"zwhCRx9Hc72eSN\")", "password: Some(\"[redacted:password]\")"),
        ("variable \"db_password\" {\n  type = string\n  default = \"Zq8wKd92mLx0\"\n}", "variable \"db_password\" {\n  type = string\n  default = \"[redacted:password]\"\n}"),
        ("lftp -u bob,KgDxv2bhrAiFE3oH ftp.acme.io", "lftp -u bob,[redacted:password] ftp.acme.io"),
        ("rabbitmqctl add_user app Ok3rOINRYU9J", "rabbitmqctl add_user app [redacted:password]"),
        ("printf 'Ok3rOINRYU9Jab' | docker secret create db_password -", "printf '[redacted:password]' | docker secret create db_password -"),
        ("useradd -p Ok3rOINRYU9J bob", "useradd -p [redacted:password] bob"),
        ("echo \"Ok3rOINRYU9J\" | gh auth login --with-token", "echo \"[redacted:password]\" | gh auth login --with-token"),
        ("wrangler secret put X <<< \"Ok3rOINRYU9Jab\"", "wrangler secret put X <<< \"[redacted:password]\""),
        ("mosquitto_pub -u bob -P Ok3rOINRYU9J -t x", "mosquitto_pub -u bob -P [redacted:password] -t x"),
        ("mysqladmin -u root password Ok3rOINRYU9J", "mysqladmin -u root password [redacted:password]"),
        ("sqlplus scott/Ok3rOINRYU9J@db", "sqlplus scott/[redacted:password]@db"),
        ("cqlsh -u a -p Ok3rOINRYU9J", "cqlsh -u a -p [redacted:password]"),
        ("winexe -U bob%Ok3rOINRYU9J //x", "winexe -U bob%[redacted:password] //x"),
        ("xfreerdp /u:bob /p:Ok3rOINRYU9J /v:x", "xfreerdp /u:bob /p:[redacted:password] /v:x"),
        ("plink -pw Ok3rOINRYU9J x", "plink -pw [redacted:password] x"),
        ("heroku config:set STRIPE=Ok3rOINRYU9Jabcd", "heroku config:set STRIPE=[redacted:password]"),
        ("unrar x -pOk3rOINRYU9J a.rar", "unrar x -p[redacted:password] a.rar"),
        ("pass insert -e x <<< Ok3rOINRYU9J", "pass insert -e x <<< [redacted:password]"),
        ("net user bob Ok3rOINRYU9J /add", "net user bob [redacted:password] /add"),
        ("rclone obscure Ok3rOINRYU9J", "rclone obscure [redacted:password]"),
        ("ansible-vault encrypt_string Ok3rOINRYU9J --name x", "ansible-vault encrypt_string [redacted:password] --name x"),
        ("doctl auth init -t Ok3rOINRYU9J", "doctl auth init -t [redacted:password]"),
        ("wpa_passphrase Office Ok3rOINRYU9J", "wpa_passphrase Office [redacted:password]"),
        ("cryptsetup luksOpen x <<< Ok3rOINRYU9J", "cryptsetup luksOpen x <<< [redacted:password]"),
        ("ghp_16C7e42F292c6912E771\u{1b}[1m0c838347Ae178B4a\u{1b}[0m", "[redacted:github-token]\u{1b}[0m"),
        ("ghp_16C7e42F292c\u{200b}6912E7710c838347Ae178B4a", "[redacted:github-token]"),
        ("{\"pass\\u0077ord\":\"hunter2Xy9\"}", "{\"pass\\u0077ord\":\"[redacted:password]\"}"),
    ];
    for (text, expected) in cases {
        assert_eq!(redact(text, &Redact::default()), expected, "{text}");
    }
}

#[rustfmt::skip]
#[test]
fn sentences_and_calls_without_a_password_stay() {
    for text in [
        "Das Passwort ist zu kurz und muss 12-stellig sein",
        "the password is base64-encoded before it is sent",
        "the password is validated by TokenValidator",
        "the password was SHA-256 hashed",
        "la clave es \u{fa}nica por cada usuario",
        "la clave primaria es id_usuario",
        "clave: nombre del campo",
        "le mot de passe est obligatoire",
        "\u{5bc6}\u{7801}\u{957f}\u{5ea6}\u{81f3}\u{5c11}\u{4e3a} 12",
        "def login(user, password, otp):",
        "| password | the user's password |\n|---|---|\n| pass | yes |",
        "sqlplus is a client; sqlplus bin/setup.sql",
        "mosquitto_sub -p 1883 -t x",
        "our net user growth is 4000 / month",
    ] {
        assert_eq!(redact(text, &Redact::default()), text);
    }
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
