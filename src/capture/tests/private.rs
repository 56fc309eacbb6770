use super::*;

#[test]
fn private_text_and_secrets_are_removed_before_truncation() {
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "MIIEvQIBADAN".repeat(4)
    );
    let limit = LIMITS.response;
    // The secret is before the cut, after it, or on it.
    for before in [limit / 2 - 100, limit / 2 - 20, limit / 2, limit / 2 + 300] {
        let text = format!("{}\n{pem}\n{}", "a ".repeat(before / 2), "b ".repeat(limit));
        for response in [
            json!(text),
            json!({"stdout": text}),
            json!({"lines": text.lines().collect::<Vec<_>>()}),
        ] {
            let tool = event(tool_payload("Bash", json!({"command": "x"}), response)).tool.unwrap();
            let kept = tool.response.unwrap();
            assert!(kept.len() <= limit && kept.len() > limit / 3, "{}", kept.len());
            assert!(!kept.contains("MIIEvQ"), "{before}");
        }
        let text = format!("<private>{text}</private>rest");
        let tool = event(tool_payload("Bash", json!({}), json!({"stdout": text}))).tool.unwrap();
        assert_eq!(tool.response.unwrap(), r#"{"stdout":"rest"}"#);
    }
}

#[test]
fn an_edit_is_recorded_without_copies_of_the_file() {
    let response = json!({"filePath": "/p/a", "originalFile": "old\n", "structuredPatch": [], "userModified": false});
    let tool =
        event(tool_payload("Edit", json!({"file_path": "/p/a", "new_string": "new"}), response))
            .tool
            .unwrap();
    assert_eq!(
        tool.response.unwrap(),
        r#"{"filePath":"/p/a","structuredPatch":[],"userModified":false}"#
    );
    // The file has private parts, and the response does not show whether the edit changed one.
    let response = json!({"filePath": "/p/a", "originalFile": "a\n<private>\nsecret\n</private>\n", "newString": "secret2"});
    let tool = event(tool_payload(
        "Edit",
        json!({"file_path": "/p/a", "new_string": "secret2"}),
        response,
    ))
    .tool
    .unwrap();
    assert_eq!((tool.input.unwrap(), tool.response), (r#"{"file_path":"/p/a"}"#.to_owned(), None));
}

#[test]
fn private_lines_of_a_long_patch_are_removed() {
    // The block opens before the patch and closes in lines that are dropped.
    let mut lines: Vec<String> = (0..60_000).map(|i| format!(" secret line {i}")).collect();
    lines.push(" </private>".into());
    lines.push(" after".into());
    let original = format!("<private>{}", "long ".repeat(200_000));
    for response in [
        json!({"structuredPatch": [{"lines": lines}], "filePath": "/p/a"}),
        json!({"filePath": "/p/a", "newString": "secret", "originalFile": original}),
    ] {
        let event = event(tool_payload(
            "Edit",
            json!({"file_path": "/p/a", "new_string": "word"}),
            response,
        ));
        assert!(event.to_json().contains("/p/a") && !event.to_json().contains("secret"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A private block at an arbitrary position in a payload of arbitrary length.
    #[test]
    fn no_private_word_is_recorded(
        sizes in proptest::collection::vec(prop_oneof![0usize..50, 0usize..40_000], 3),
        opened in any::<bool>(), closed in any::<bool>(), place in 0usize..4, chunk in 1000usize..70_000,
    ) {
        let words = |word: &str, n: usize| format!("{word} and\n").repeat(n);
        let text = [
            words("before", sizes[0]),
            if opened { "<private>".into() } else { String::new() },
            words("hidden", sizes[1] + 1),
            if closed || !opened { "</private>".into() } else { String::new() },
            words("after", sizes[2]),
        ].concat();
        let payload = match place {
            0 => tool_payload("Bash", json!({"command": "x"}), json!({"stdout": text, "stderr": ""})),
            1 => tool_payload("Write", json!({"file_path": "/a", "content": text}), json!({"content": text, "originalFile": text})),
            2 => tool_payload("Edit", json!({}), json!({"structuredPatch": [{"lines": text.lines().collect::<Vec<_>>()}]})),
            _ => json!({"session_id": "s", "hook_event_name": "Stop", "last_assistant_message": text}),
        }.to_string();
        let mut reader = ObjectReader::new();
        payload.as_bytes().chunks(chunk).for_each(|c| assert!(!reader.feed(c) || c.ends_with(b"}")));
        let text = reader.finish().unwrap().text;
        let Captured::Event(event) = capture(&parse(&text).unwrap(), &context()).unwrap() else { panic!() };
        prop_assert!(!event.to_json().contains("hidden"));
        // Text outside the block is still recorded.
        let shown = sizes[0] > 1 && opened || sizes[2] > 1 && (closed || !opened);
        let kept = event.to_json().contains(" and");
        prop_assert!(kept || !shown || payload.len() > 1 << 20 || matches!(place, 1 | 2));
    }
}
