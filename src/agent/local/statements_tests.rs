use super::*;
use crate::agent::local::prompt::read;

fn kept(prompt: &str, place: Place, answers: bool) -> Vec<(String, Kind)> {
    let said = read(prompt);
    let kinds = stated(&said, place, answers);
    said.into_iter().zip(kinds).filter_map(|(said, kind)| Some((said.text, kind?))).collect()
}

/// Prompts of which nothing, or each sentence, holds beyond the turn.
#[track_caller]
fn check(place: Place, holds: bool, prompts: &[&str]) {
    let is_wrong = |prompt: &&&str| {
        let n_kept = kept(prompt, place, false).len();
        n_kept != if holds { read(prompt).len() } else { 0 }
    };
    let wrong: Vec<_> = prompts.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{place:?}: {wrong:#?}");
}

#[test]
fn statements_hold_wherever_they_stand() {
    check(
        Place::Later,
        true,
        &[
            "No mocks in integration tests, we had bad experiences with them.",
            "pg_cron isn't available on RDS for us.",
            "Change of plan: no advisory lock, use a lease row instead.",
            "We dropped clang-format, use the .clang-tidy fixits.",
            "We decided in the team meeting to store amounts as int64 minor units.",
            "The customer wants German error messages only.",
            "bitte keine neuen Abhängigkeiten ohne Rückfrage",
            "only ASCII in identifiers please",
            "Les clients ont tous Windows 10, et leur proxy bloque les CDN.",
            "Los precios siempre llevan IVA, lo exige nuestra contabilidad.",
        ],
    );
}

#[test]
fn requests_remarks_and_reports_do_not() {
    check(
        Place::Later,
        false,
        &[
            "add dark mode",
            "could you rename the helper",
            "looks good, thanks",
            "it still crashes when I click save",
            "i pushed it, the build is red",
            "stop, look at the other failure first",
            "the second column is too wide",
            "stop, I need you on something else: prod returns 500 since the deploy. here's the log:",
            "where is the retry count set",
            "mach den Button blau",
            "corrige le test",
            "no me gusta, quita la animación",
        ],
    );
}

#[test]
fn an_answer_is_a_statement_and_yes_is_none() {
    let first = |prompt: &str| kept(prompt, Place::Later, true).first().map(|(_, kind)| *kind);
    assert!(first("integer cents, with the currency code").is_some());
    for prompt in ["yes", "ok, do it", "later, i have to ask them", "nein danke"] {
        assert_eq!(first(prompt), None, "{prompt}");
    }
}

#[test]
fn the_reason_beside_a_rule_is_kept_with_it() {
    let reason = "hotel wifi often kills long connections.";
    let prompt = format!("Our deploy freeze is from Dec 20 to Jan 6. {reason}");
    assert_eq!(kept(&prompt, Place::Later, false).len(), 2);
    assert!(kept(reason, Place::Later, false).is_empty());
}
