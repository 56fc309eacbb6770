use super::*;
use proptest::prelude::*;

fn words(private: &str, open: &str) -> PrivateWords {
    let words = PrivateWords::default();
    words.add(private, open);
    words
}

/// Checks the result with the phrases in memory, and with their hashes.
#[track_caller]
fn check(private: &str, text: &str, expected: &str) {
    let words = words(private, "");
    let AddedHashes { values, others } = words.added();
    let mut read = PrivateWords::default();
    [values, others].into_iter().flatten().for_each(|text| read.read(&text));
    for words in [words, read] {
        let redacted = words.redact(text);
        assert_eq!(redacted.as_deref().unwrap_or(text), expected, "{private:?}");
    }
}

#[test]
fn a_word_that_is_not_common_is_found_alone() {
    check("the password is hunter2", "curl -u root:HUNTER2@host", "curl -u root:[private]@host");
    check("hunter2", "a 'hunter2', hunter2s", "a '[private]', hunter2s");
    check("my pin is 4711", "pin=4711; 47110", "pin=[private]; 47110");
    check(
        "the codename is bluefin",
        "git checkout feature/bluefin",
        "git checkout feature/[private]",
    );
    check("Anna Zimmermann is ill", "zimmermann, the user", "[private], the user");
    check("red", "a red line, reduce", "a [private] line, reduce");
    check("the", "the end", "the end");
    check(
        "its password is in the database",
        "open the password database",
        "open the password database",
    );
}

#[test]
fn a_word_to_which_others_are_glued_is_found() {
    check(
        "the customer vexmor",
        "vexmors, VexmorHandler, /srv/vexmordata, touch vexmor2.txt, VEXMOR_URL",
        "[private], /srv/[private], touch [private].txt, [private]_URL",
    );
    check("the customer acme", "acmes, devexmor", "acmes, devexmor");
}

#[test]
fn common_words_are_found_as_phrases() {
    check("the main server runs at night", "main-server, a server", "[private], a server");
    check("the main server runs at night", "on the main server at night", "on [private] at night");
    check("log in as the main user", "the user", "the user");
    check("blue sky", "blueSky BlueSky blue_sky blue%20sky", "[private]");
    check("10 Green Street", "10, green street", "[private]");
}

#[test]
fn separators_and_escapes_do_not_hide_a_word() {
    for text in [
        "S3cr3t-Pa$$",
        "s3cr3t_pa",
        "S3cr3tPa",
        r"\nS3cr3t\tPa",
        r"S3cr3t\u0050a",
        "S3cr3t%2DPa",
        "S3cr3%74%20pa",
        "S3cr3t&amp;Pa",
        "\u{1b}[1;31mS3cr3t\u{1b}[0mPa",
        "S3c\u{200b}r3t Pa",
        "S3cr3t\nPa",
    ] {
        let redacted = words("S3cr3t-Pa$$", "").redact(text).expect(text);
        let rest: String = redacted.replace(MARK, "").to_lowercase();
        assert!(!rest.contains("s3") && !rest.contains("pa"), "{text}: {redacted}");
    }
    check("DE89 3704 0044 0532 0130 00", "to DE89370400440532013000.", "to [private].");
    check("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "[private]");
    check("+49 170 1234567", "call 491701234567 or (170) 123 4567", "call [private] or ([private]");
    check("秘密は老虎です", "答えは老虎だ", "答え[private]だ");
}

#[test]
fn words_of_the_open_text_are_not_private() {
    let words = words("deploy bluefin to the cluster", "deploy to the cluster");
    assert_eq!(words.redact("deploy the cluster bluefin").unwrap(), "deploy the cluster [private]");
}

#[test]
fn private_lines_of_a_file_are_found_whole() {
    let words = PrivateWords::default();
    words.add_file("  the pin\n}\nnew line\nhunter2", "new line\n");
    let check = |text: &str, expected: &str| {
        assert_eq!(words.redact(text).as_deref().unwrap_or(text), expected);
    };
    assert_eq!(words.added(), AddedHashes::default(), "nothing was printed");
    check("a-b.md-12-  the pin\nthe pins", "a-b.md-12-  [private]\nthe pins");
    check("    3\u{2192}the pin\n}\n+a new line", "    3\u{2192}[private]\n}\n+a new line");
    check("cut hunter2", "cut [private]");
    assert!(words.added().values.is_some());
}

#[test]
fn phrases_in_json_are_replaced() {
    let words = words("pin 4711 of Zimmermann", "");
    let raw = r#"{"stdout":"a","zimmermann":[4711,"x\n4711"],"n":47}"#;
    let expected = r#"{"stdout":"a","[private]":["[private]","x\n[private]"],"n":47}"#;
    assert_eq!(words.redact_json(raw).as_deref(), Some(expected));
    assert_eq!(words.redact_json(r#"{"a":1}"#), None);
}

#[test]
fn only_values_outlast_a_turn() {
    let AddedHashes { values, others } = words("hunter2 of Zimmermann", "").added();
    let mut read = PrivateWords::default();
    read.read(&values.unwrap());
    assert_eq!(read.redact("hunter2, Zimmermann").unwrap(), "[private], Zimmermann");
    assert!(others.is_some());
    assert_eq!(words("", "").added(), AddedHashes::default());
    read.read("damaged xyz 0123456789abcdef 0123456789abcdef01234");
}

#[test]
fn long_texts_take_linear_time() {
    let private = words(&"7 8 word1 ".repeat(5_000), "");
    assert!(private.added.borrow().keys.len() < 100);
    let text = "1 2 ".repeat(50_000) + &"a".repeat(500_000);
    assert_eq!(private.redact(&text), None);
}

proptest! {
    /// A word with a digit is found wherever it stands alone.
    #[test]
    fn no_value_is_left(
        value in "[a-zA-Z]{1,6}[0-9]{3,6}", before in "[a-z ,.%&\\\\\n-]{0,20}[ ,:=\"]",
        after in "([ ,:=\"][a-z ,.%&\\\\\n-]{0,20})?",
    ) {
        let words = words(&format!("the key is {value} ok"), "");
        let text = format!("{before}{value}{after}");
        let redacted = words.redact(&text).unwrap_or(text);
        prop_assert!(!redacted.to_lowercase().contains(&value.to_lowercase()), "{redacted}");
    }

    #[test]
    fn arbitrary_text_does_not_panic(private in ".{0,60}", text in "[\\\\%&\u{1b}a-z0-9é記\\[;]{0,60}") {
        let words = words(&private, &text);
        words.add(&text, "");
        let _ = words.redact(&text);
    }
}
