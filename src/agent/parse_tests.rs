use proptest::prelude::*;

use super::*;

fn reply(text: &str) -> Reply {
    match parse(text) {
        Parsed::Reply(reply) => reply,
        other => panic!("{other:?}: {text}"),
    }
}

const WHOLE: &str = "<observation><type>bugfix</type><title>Parser keeps `a < b`</title>
<subtitle>It lost text</subtitle><narrative>The scanner took Vec<String> for a tag.\nNow it does not.</narrative>
<facts><fact>if a < b && c > d {</fact><fact>Vec<String> stays</fact></facts>
<concepts><concept>parser</concept></concepts><events>1 2, 5</events></observation>";

#[test]
fn a_complete_reply_is_parsed() {
    let reply = reply(&format!(
        "{WHOLE}<summary><request>Fix it</request><completed>Fixed &amp; tested</completed>\
         <next_steps>None.</next_steps></summary>"
    ));
    let observation = &reply.observations[0];
    assert_eq!(observation.kind, "bugfix");
    assert_eq!(observation.title, "Parser keeps `a < b`");
    assert_eq!(observation.facts, ["if a < b && c > d {", "Vec<String> stays"]);
    assert_eq!(observation.narrative.as_deref().unwrap().lines().count(), 2);
    assert_eq!(observation.events, [1, 2, 5]);
    let summary = reply.summary.unwrap();
    assert_eq!(summary.completed, "Fixed & tested");
    assert_eq!(summary.next_steps, "", "a placeholder is an empty field");
}

#[test]
fn text_around_the_elements_is_ignored() {
    let plain = reply(WHOLE);
    let check = |text: String| assert_eq!(reply(&text), plain, "{text}");
    check(format!("```xml\n{WHOLE}\n```"));
    check(format!("Here is what I noted:\n\n{WHOLE}\n\nLet me know if you need more!"));
    check(format!("<think><observation><title>draft</title></observation></think>{WHOLE}"));
    check(format!("<observations>{WHOLE}</observations>"));
    check(format!("<skip_summary/>{WHOLE}"));
    check(format!("{WHOLE}<observation></observation><summary></summary>"));
    check(WHOLE.replace("<title>", "<title lang=\"en\">").replace("<fact>", "<Fact >"));
    check(WHOLE.replace("a < b</title>", "a &lt; b</title>").replace("&&", "&amp;&#38;"));
    check(WHOLE.replace(
        "<fact>if a < b && c > d {</fact>",
        "<fact><![CDATA[if a < b && c > d {]]></fact>",
    ));
    check(WHOLE.replace("<facts>", "<facts><unknown>x</unknown>"));
    check(WHOLE.replace("</fact><fact>", "<fact>"));
}

#[test]
fn root_elements_may_have_any_order() {
    let text = "<summary><request>r</request></summary><observation><title>one</title>\
        <observation><title>two</title></observation></summary><observation><title>three</title>";
    let reply = reply(text);
    let titles: Vec<&str> = reply.observations.iter().map(|o| o.title.as_str()).collect();
    assert_eq!(titles, ["one", "two", "three"]);
    assert_eq!(reply.summary.unwrap().request, "r");
}

#[test]
fn a_truncated_reply_keeps_its_complete_fields() {
    let whole = reply(WHOLE).observations.remove(0);
    for end in 0..WHOLE.len() {
        let Some(part) = WHOLE.get(..end) else { continue };
        let Parsed::Reply(reply) = parse(part) else { continue };
        let observation = &reply.observations[0];
        assert_eq!(observation.title, whole.title, "{part}");
        assert!(observation.facts.iter().all(|f| whole.facts.contains(f)), "{part}");
        assert!(
            observation.narrative.is_none() || observation.narrative == whole.narrative,
            "{part}"
        );
    }
    let cut = &WHOLE[..WHOLE.find("</fact>").unwrap() + 12];
    assert_eq!(reply(cut).observations[0].facts.len(), 1);
}

#[test]
fn missing_fields_have_substitutes() {
    let one = |text: &str| reply(text).observations.remove(0);
    let observation =
        one("<observation><narrative>It loops. On empty input.</narrative></observation>");
    assert_eq!((observation.title.as_str(), observation.kind.as_str()), ("It loops.", ""));
    // A dot inside a name ends no sentence.
    for first in ["`src/date.rs` reads v1.2.", "See https://example.com/a.html first."] {
        let text = format!("<observation><narrative>{first} It loops.</narrative></observation>");
        assert_eq!(one(&text).title, first);
    }
    let observation = one("<observation><title>t</title><facts>- one\n- two</facts>\
        <concepts>a, b</concepts><files_modified>src/a.rs, b.rs</files_modified></observation>");
    assert_eq!(observation.facts, ["one", "two"]);
    assert_eq!(observation.concepts, ["a", "b"]);
    let words: String = (0..900).map(|n| format!("word{n} ")).collect();
    let long = format!("<observation><title>{words}</title></observation>");
    assert!(one(&long).title.chars().count() <= MAX_TITLE + 1);
}

#[test]
fn empty_replies_refusals_and_prose_are_told_apart() {
    let check = |text: &str, want: Parsed| assert_eq!(parse(text), want, "{text}");
    for empty in ["", " \n", "```\n```"] {
        check(empty, Parsed::Empty);
    }
    for nothing in [
        "<skip_summary/>",
        "```xml\n<skip_summary />\n```",
        r#"{"observations": [], "summary": []}"#,
        r#"{"observations": []}"#,
        r#"{"observations": [], "summary": null}"#,
    ] {
        check(nothing, Parsed::Nothing);
    }
    for broken in
        [r#"{"observations": [{"type": "change", "title": "cu"#, r#"{"title": "x"}"#, "{}"]
    {
        check(broken, Parsed::Unusable(BROKEN_JSON));
    }
    check("<think>hm</think>", Parsed::Unusable("thoughts only"));
    check(
        "<think>I could write <observation><title>a draft</title>",
        Parsed::Unusable("thoughts only"),
    );
    check("I'm sorry, but I can't help with that.", Parsed::Unusable("a refusal"));
    check("Claude AI usage limit reached|1764", Parsed::Unusable("prose"));
    check(
        "<!DOCTYPE html><html><title>502 Bad Gateway</title></html>",
        Parsed::Unusable("a web page"),
    );
    check("The agent looked around.", Parsed::Unusable("prose"));
    check("<observation></observation>", Parsed::Unusable("elements without content"));
    let titled = |title: &str| format!("<observation><title>{title}</title></observation>");
    for title in [
        "No observations to record",
        "I cannot assist with this",
        "API Error: 529 overloaded",
        "Credit balance is too low",
    ] {
        check(&titled(title), Parsed::Unusable("elements without content"));
    }
    for title in ["Error types live in one module", "Rate limit of 10 requests a second added"] {
        let text = format!(
            "<observation><title>{title}</title><narrative>It holds.</narrative></observation>"
        );
        assert_eq!(reply(&text).observations[0].title, title);
    }
    assert_eq!(
        reply(&titled("The API returns 429 above 10 requests a second")).observations.len(),
        1
    );
}

#[test]
fn a_json_object_has_the_fields_of_elements() {
    let json = r#"{"observations": [{"type": "bugfix", "title": "The parser stops at </title>",
        "narrative": "It looped.", "facts": ["`a < b` is text", "None", 7], "concepts": ["parser"],
        "events": [1, 2, 5], "more": {"x": 1}}],
        "summary": [{"request": "Fix it", "learned": "", "completed": "Fixed", "next_steps": "none"}]}"#;
    let observation = ModelObservation {
        kind: "bugfix".into(),
        title: "The parser stops at </title>".into(),
        subtitle: None,
        narrative: Some("It looped.".into()),
        facts: vec!["`a < b` is text".into()],
        concepts: vec!["parser".into()],
        events: vec![1, 2, 5],
    };
    let fenced = format!("<think>{{\"observations\": [</think>\n```json\n{json}\n```");
    for text in [json, &fenced] {
        let parsed = reply(text);
        assert_eq!(parsed.observations, std::slice::from_ref(&observation));
        let summary = parsed.summary.unwrap();
        assert_eq!((&*summary.request, &*summary.completed), ("Fix it", "Fixed"));
        assert_eq!((&*summary.learned, &*summary.next_steps), ("", ""));
    }
    // What was whole before the text ended stays.
    let first = r#"{"observations": [{"title": "One \"} ]", "facts": ["a"]}, {"title": "Two"#;
    assert_eq!(reply(first).observations[0].title, "One \"} ]");
    assert_eq!(reply(first).observations.len(), 1);
    let last = r#"{"observations": [{"title": "One"}], "summary": [{"completed": "Done"}"#;
    assert_eq!(reply(last).summary.unwrap().completed, "Done");
    // A server that does not apply the schema may leave out the lists.
    let alone = reply(r#"{"observations": {"title": "One"}, "summary": {"completed": "Done"}}"#);
    assert_eq!(alone.observations.len(), 1);
    assert_eq!(alone.summary.unwrap().completed, "Done");
    let example =
        r#"{"observations": [{"title": "fetch_page waits for Retry-After after a 429"}]}"#;
    assert_eq!(
        parse(example),
        Parsed::Unusable("elements without content"),
        "the prompt's example"
    );
}

#[test]
fn a_model_that_thinks_aloud_or_says_the_prompt_back_stores_nothing() {
    let plain = reply(WHOLE);
    assert_eq!(reply(&format!("<think>a <observation> of</think>{WHOLE}")), plain);
    let mention = "<observation><title>The parser drops <think> blocks</title></observation>";
    assert_eq!(reply(mention).observations[0].title, "The parser drops <think> blocks");
    assert_eq!(
        parse(SYSTEM_PROMPTS),
        Parsed::Unusable("elements without content"),
        "the example of the prompt"
    );
}

#[test]
fn a_text_that_stands_for_nothing_is_an_empty_field() {
    for text in [
        "None",
        "None.",
        "none at this time.",
        "(empty)",
        "[None]",
        "N/A",
        "-",
        "—",
        "Keine.",
        "*None so far*",
        "Aucune.",
        "Ninguno",
        "なし。",
        "无",
        "Nothing left to do.",
        "null",
        "...",
    ] {
        let summary = format!(
            "<summary><completed>Done it</completed><next_steps>{text}</next_steps></summary>"
        );
        assert_eq!(reply(&summary).summary.unwrap().next_steps, "", "{text}");
    }
    let step =
        "<summary><next_steps>None of the tests cover retries; add one</next_steps></summary>";
    assert!(reply(step).summary.unwrap().next_steps.starts_with("None of"));
}

/// As small models do: a sentence in every field, a sentence again and again until the output is cut, one
/// object again and again until the list is full.
#[test]
fn an_answer_that_repeats_itself_is_unusable() {
    let sentence = "The user asked the assistant to fix the date parser.";
    let again = format!("{sentence} ").repeat(9);
    let object = r#"{"type": "change", "title": "Fix the date parser", "subtitle": "",
        "narrative": "The date parser is fixed.", "facts": [], "concepts": ["parser"], "events": [1]}"#;
    let objects = [object; 12].join(",");
    for looping in [
        format!(
            "<summary><request>{sentence}</request><investigated>{sentence}</investigated>\
             <learned>{sentence}</learned><completed>{sentence}</completed>\
             <next_steps>{sentence}</next_steps></summary>"
        ),
        format!(
            "<observation><title>{sentence}</title><narrative>{sentence}</narrative>\
             <facts><fact>{sentence}</fact><fact>{sentence}</fact></facts></observation>"
        ),
        format!(
            "<summary><request>Fix the dates</request><completed>{again}</completed></summary>"
        ),
        format!("<summary><request>Fix the dates</request><completed>{again}"),
        format!(
            r#"{{"observations": [], "summary": [{{"request": "{sentence}", "investigated": "",
                "learned": "{sentence}", "completed": "{sentence}", "next_steps": "{sentence}"}}]}}"#
        ),
        format!(
            r#"{{"observations": [{{"title": "Dates", "narrative": "{again}"}}], "summary": []}}"#
        ),
        format!(r#"{{"observations": [{objects}], "summary": []}}"#),
        format!(r#"{{"observations": [{objects}, {{"type": "change", "title": "Fix the"#),
    ] {
        assert_eq!(parse(&looping), Parsed::Unusable(REPETITION), "{looping}");
    }
}

/// Each would take minutes if the parser searched the rest of the text at every mark.
#[test]
fn the_parser_takes_linear_time() {
    let pieces = [
        "<![CDATA[",
        "<title>",
        "<title></fact>",
        "</think>",
        "<think>",
        "&",
        "<",
        "<observation>",
        "<observation><title>a</title>",
        "]]>",
        "<title a=",
    ];
    for piece in pieces {
        let begin = std::time::Instant::now();
        let _ = parse(&piece.repeat(1_000_000 / piece.len()));
        let time = begin.elapsed();
        assert!(time.as_secs() < 5, "{piece}: {time:?}");
    }
}

/// Tags, parts of tags and text in any order.
fn any_reply() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<observation>".to_owned()),
        Just("</observation>".to_owned()),
        Just("<summary>".to_owned()),
        Just("</summary>".to_owned()),
        Just("<title>".to_owned()),
        Just("</title>".to_owned()),
        Just("<fact>".to_owned()),
        Just("</fact>".to_owned()),
        Just("<facts a='1'".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("&#x41;&amp".to_owned()),
        Just("<skip_summary/>".to_owned()),
        Just("</think>".to_owned()),
        "[ -~]{0,12}",
        ".{0,6}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_parsed(text in any_reply()) {
        if let Parsed::Reply(reply) = parse(&text) {
            prop_assert!(reply.observations.len() <= MAX_OBSERVATIONS);
            for observation in &reply.observations {
                prop_assert!(!observation.title.is_empty());
                prop_assert!(observation.title.chars().count() <= MAX_TITLE + 1);
                prop_assert!(observation.facts.len() <= MAX_ITEMS);
                prop_assert!(!observation.title.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn escaped_text_survives_the_parser(
        title in "[a-z<>&\"' ]{0,30}[a-z]", facts in proptest::collection::vec("[a-z]{3,9} [a-z<&>=;]{1,20}", 0..5)
    ) {
        let escape = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let facts_xml: String = facts.iter().map(|f| format!("<fact>{}</fact>", escape(f))).collect();
        let text = format!("<observation><title>x {}</title><facts>{facts_xml}</facts></observation>", escape(&title));
        let observation = reply(&text).observations.remove(0);
        let fold = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(observation.title, fold(&format!("x {title}")));
        let mut want: Vec<String> = facts.iter().map(|f| fold(f)).collect();
        want.dedup();
        prop_assert_eq!(observation.facts, want);
    }
}
