use super::*;
use crate::store::words::RowKind;

fn observation() -> Editable {
    let texts = Observation {
        kind: "decision".into(),
        title: "Deploys run on Fridays".into(),
        narrative: Some("Agreed with ops.\n\n- twice: a week".into()),
        facts: vec!["the job: is `deploy.sh`".into()],
        files_modified: vec!["ci/deploy.sh".into()],
        ..Observation::default()
    };
    Editable::Observation { texts: Box::new(texts), expires_at_epoch: Some(86_400_000) }
}

const ID: RowId = RowId { kind: RowKind::Observation, id: 7 };

#[track_caller]
fn edited(from: &str, to: &str) -> Result<Editable, Refusal> {
    let text = render(ID, &observation());
    assert!(text.contains(from), "{text}");
    apply(ID, &observation(), &text.replacen(from, to, 1))
}

#[test]
fn what_is_not_changed_stays() {
    assert_eq!(edited("\n\n", "\r\n\r\n").unwrap(), observation());
    let text = render(ID, &observation());
    assert!(
        text.starts_with("---\nid: o7\ntype: decision\ntitle: Deploys run on Fridays\n"),
        "{text}"
    );
    assert!(text.contains("expires: 1970-01-02T00:00:00Z\n"), "{text}");
    let mut odd = observation();
    if let Editable::Observation { texts, .. } = &mut odd {
        (texts.title, texts.facts) = ("two\nlines".into(), vec!["a\nb".into()]);
    }
    let text = render(ID, &odd);
    let changed = apply(ID, &odd, &text.replace("decision", "discovery")).unwrap();
    let Editable::Observation { texts, .. } = changed else { panic!() };
    assert_eq!((texts.title.as_str(), texts.facts[0].as_str()), ("two\nlines", "a\nb"));
    assert_eq!(texts.kind, "discovery");
}

#[test]
fn each_field_can_be_changed() {
    let texts = |from: &str, to: &str| match edited(from, to) {
        Ok(Editable::Observation { texts, .. }) => *texts,
        other => panic!("{from}: {other:?}"),
    };
    assert_eq!(texts("Fridays", "Thursdays: at 5").title, "Deploys run on Thursdays: at 5");
    assert_eq!(texts("type: decision", "type: discovery").kind, "discovery");
    assert_eq!(texts("subtitle:", "subtitle: all").subtitle.as_deref(), Some("all"));
    assert_eq!(texts("  - the job", "- new\n  - the job").facts.len(), 2);
    assert_eq!(texts("ci/deploy.sh", "ci/run.sh").files_modified, ["ci/run.sh"]);
    assert_eq!(
        texts("with ops", "with them").narrative.unwrap(),
        "Agreed with them.\n\n- twice: a week"
    );
    assert_eq!(texts("\nAgreed with ops.\n\n- twice: a week", "").narrative, None);
    let expires = edited("1970-01-02T00:00:00Z", "").unwrap();
    assert!(matches!(expires, Editable::Observation { expires_at_epoch: None, .. }));
}

#[test]
fn an_invalid_record_is_refused_with_the_reason() {
    let check = |from: &str, to: &str, why: &str| {
        let refused = edited(from, to).unwrap_err();
        assert!(refused.contains(why), "{from}: {refused}");
    };
    check("---\n", "", "the first line");
    check("---\n\nAgreed", "\nAgreed", "no colon");
    check("title: Deploys run on Fridays", "title: …", "the title is empty");
    check("type: decision", "type: two words", "not one word");
    check("title:", "titel:", "line 4: unknown field 'titel'");
    check("id: o7", "id: o8", "not o7");
    check("expires: 1970-01-02T00:00:00Z", "expires: soon", "not a time");
    check("facts:", "facts: one", "line 7: each item of facts");
    check("concepts:", "facts:", "a second 'facts'");
    check("id: o7", "- o7", "an item without a list");
    check("subtitle:", "subtitle:\n  - x", "subtitle is no list");
}

#[test]
fn a_summary_has_sections() {
    let texts = Summary {
        request: "Fix it".into(),
        completed: "Fixed.\n## Not a section".into(),
        ..Summary::default()
    };
    let summary = Editable::Summary { texts, turn: None };
    let id = RowId::summary(3);
    let text = render(id, &summary);
    assert_eq!(apply(id, &summary, &text).unwrap(), summary);
    let changed = apply(id, &summary, &text.replace("Fixed.", "It was fixed.")).unwrap();
    let Editable::Summary { texts, .. } = changed else { panic!() };
    assert_eq!(texts.completed, "It was fixed.\n## Not a section");
    let refused = apply(id, &summary, &text.replace("## Request", "Request")).unwrap_err();
    assert!(refused.contains("below no heading"), "{refused}");
}
