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
    let said = &reply.observations[0];
    assert_eq!(said.kind, "bugfix");
    assert_eq!(said.title, "Parser keeps `a < b`");
    assert_eq!(said.facts, ["if a < b && c > d {", "Vec<String> stays"]);
    assert_eq!(said.narrative.as_deref().unwrap().lines().count(), 2);
    assert_eq!(said.events, [1, 2, 5]);
    let summary = reply.summary.unwrap();
    assert_eq!(summary.completed, "Fixed & tested");
    assert_eq!(summary.next_steps, "", "a word for nothing counts as nothing");
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
fn roots_may_have_any_order() {
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
        let said = &reply.observations[0];
        assert_eq!(said.title, whole.title, "{part}");
        assert!(said.facts.iter().all(|f| whole.facts.contains(f)), "{part}");
        assert!(said.narrative.is_none() || said.narrative == whole.narrative, "{part}");
    }
    let cut = &WHOLE[..WHOLE.find("</fact>").unwrap() + 12];
    assert_eq!(reply(cut).observations[0].facts.len(), 1);
}

#[test]
fn missing_fields_have_substitutes() {
    let one = |text: &str| reply(text).observations.remove(0);
    let said = one("<observation><narrative>It loops. On empty input.</narrative></observation>");
    assert_eq!((said.title.as_str(), said.kind.as_str()), ("It loops.", ""));
    let said = one("<observation><title>t</title><facts>- one\n- two</facts>\
        <concepts>a, b</concepts><files_modified>src/a.rs, b.rs</files_modified></observation>");
    assert_eq!(said.facts, ["one", "two"]);
    assert_eq!(said.concepts, ["a", "b"]);
    let long = format!("<observation><title>{}</title></observation>", "word ".repeat(900));
    assert!(one(&long).title.chars().count() <= TITLE + 1);
}

#[test]
fn refusals_and_prose_are_recognized() {
    let check = |text: &str, want: Parsed| assert_eq!(parse(text), want, "{text}");
    for nothing in [
        "",
        " \n",
        "```\n```",
        "<skip_summary/>",
        "```xml\n<skip_summary />\n```",
        "<think>hm</think>",
    ] {
        check(nothing, Parsed::Nothing);
    }
    check("I'm sorry, but I can't help with that.", Parsed::Prose("a refusal"));
    check("Claude AI usage limit reached|1764", Parsed::Prose("prose"));
    check("<!DOCTYPE html><html><title>502 Bad Gateway</title></html>", Parsed::Prose("a page"));
    check("The agent looked around.", Parsed::Prose("prose"));
    check("<observation></observation>", Parsed::Prose("elements without content"));
    let titled = |title: &str| format!("<observation><title>{title}</title></observation>");
    for title in [
        "No observations to record",
        "I cannot assist with this",
        "API Error: 529 overloaded",
        "Credit balance is too low",
    ] {
        check(&titled(title), Parsed::Prose("elements without content"));
    }
    for title in ["Error types live in one module", "Rate limit of 10 requests a second added"] {
        let told = format!(
            "<observation><title>{title}</title><narrative>It holds.</narrative></observation>"
        );
        assert_eq!(reply(&told).observations[0].title, title);
    }
    assert_eq!(
        reply(&titled("The API returns 429 above 10 requests a second")).observations.len(),
        1
    );
}

/// Tags, parts of tags and texts in any order.
fn soup() -> impl Strategy<Value = String> {
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
    fn any_text_is_parsed(text in soup()) {
        if let Parsed::Reply(reply) = parse(&text) {
            prop_assert!(reply.observations.len() <= OBSERVATIONS);
            for said in &reply.observations {
                prop_assert!(!said.title.is_empty());
                prop_assert!(said.title.chars().count() <= TITLE + 1);
                prop_assert!(said.facts.len() <= ITEMS);
                prop_assert!(!said.title.chars().any(char::is_control));
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
        let said = reply(&text).observations.remove(0);
        let fold = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(said.title, fold(&format!("x {title}")));
        let mut want: Vec<String> = facts.iter().map(|f| fold(f)).collect();
        want.dedup();
        prop_assert_eq!(said.facts, want);
    }
}
