//! What a sentence of a final message is, by its form: a result, or something left undone, forbidden,
//! blocked, due, failing, offered or guessed; or the cause of what was wrong.
//!
//! The form decides between the places where a sentence is told. A sentence that says that something is not
//! done is never told as done, and an offer is no step.

use super::claims;
use super::markers::{Marker, Text};
use super::marks::{Mark, Marked};
use super::phrases::Found;
use crate::memory::Evidence;

/// What a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It says what was done or how it is, or nothing of the below.
    Plain,
    /// Something was not done, or is put off.
    Undone,
    /// It must not be done, or not before something else.
    Forbidden,
    /// The work cannot go on.
    Blocked,
    /// Somebody has to do it.
    Due,
    /// It names a failure that it does not call solved.
    Failing,
    /// A question, an offer, an idea, a condition.
    Offered,
    /// What is hoped or supposed, and how it was before.
    Guessed,
    /// Why something was wrong.
    Cause,
}

/// What the turn is about, as far as its sentences depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// The tools did something.
    pub worked: bool,
    /// They changed something.
    pub changed: bool,
    /// The user asked how or what, and nothing was changed: the message is an answer.
    pub answers: bool,
    /// The user asked why, and nothing was changed.
    pub explains: bool,
    /// The user asked what is left.
    pub lists_left: bool,
    /// Something was wrong: the message may tell why.
    pub repairs: bool,
}

impl Setting {
    pub fn of(request: &str, evidence: &Evidence) -> Setting {
        let changed = evidence.has_change();
        let text = Text::new(request);
        let marked = Marked::read(request);
        let asks = marked.is_question() || marked.begins(Mark::Asks);
        let reports = [Marker::Still, Marker::Wrong, Marker::Why].iter().any(|m| text.has(*m));
        let failed = evidence.failed_before_edit.is_some()
            || evidence.checks.iter().any(|check| check.fixed);
        let repairs = failed || reports || marked.has(Mark::Repair);
        let lists_left = asks && !changed && (marked.has(Mark::Undone) || marked.states());
        Setting {
            worked: evidence.tool_uses > 0 || changed,
            changed,
            answers: asks && !changed && !reports && !lists_left,
            explains: !changed && repairs && !lists_left,
            lists_left,
            repairs,
        }
    }
}

/// The form of a sentence.
pub fn form(marked: &Marked<'_>, setting: Setting) -> Form {
    if marked.is_question() || marked.begins_with_condition() {
        return Form::Offered;
    }
    if forbids(marked) {
        return Form::Forbidden;
    }
    let untold = marked.has(Mark::Untold) || marked.has(Mark::Requested);
    if marked.says_beyond_git(Mark::NotMe) && !untold {
        return Form::Undone;
    }
    if is_cause(marked, setting) {
        return Form::Cause;
    }
    let must = marked.has(Mark::Must) || marked.must_be_handled();
    let is_supposed = marked.has(Mark::Expected) && !setting.changed && !must;
    if marked.has(Mark::Hypothetical) || is_supposed {
        return Form::Offered;
    }
    if !untold && is_undone(marked, setting) {
        return Form::Undone;
    }
    if !untold && marked.has(Mark::Blocked) {
        return Form::Blocked;
    }
    if setting.repairs && tells_why(marked) {
        return Form::Cause;
    }
    if marked.is_open() {
        return Form::Offered;
    }
    if must || marked.has(Mark::Handoff) {
        return Form::Due;
    }
    if claims::tells_failure(marked.text) {
        return Form::Failing;
    }
    let is_guess = [Mark::Former, Mark::Expected, Mark::Boast].iter().any(|m| marked.has(*m));
    if is_guess { Form::Guessed } else { Form::Plain }
}

/// `Don't merge it before`: a ban at the beginning of a clause. `Don't forget to` is none.
fn forbids(marked: &Marked<'_>) -> bool {
    let is_order = |ban: &Found<Mark>| {
        let covers = |must: &Found<Mark>| must.start <= ban.start && ban.end <= must.end;
        marked.all(Mark::Must).any(covers)
    };
    let mut bans = marked.all(Mark::Forbid).filter(|ban| !is_order(ban));
    // `It never charges before` is none: elsewhere, a ban has its verb.
    let waits = |ban: &Found<Mark>| ban.end - ban.start >= 3 && marked.has(Mark::Until);
    !marked.has(Mark::Needless) && bans.any(|ban| waits(ban) || marked.begins_clause_at(ban.start))
}

/// Whether it says that something is not done yet, without a person.
fn is_undone(marked: &Marked<'_>, setting: Setting) -> bool {
    // What is as before for a reason stays so.
    let is_fine =
        [Mark::Fine, Mark::Because].iter().any(|mark| marked.has(*mark)) && !marked.has(Mark::Fail);
    let still = setting.changed && marked.has(Mark::Still) && !is_fine;
    let undone = marked.says_beyond_git(Mark::Undone) && !marked.has(Mark::Now);
    marked.states() || undone || still || marked.defers()
}

/// Whether it names the cause of what was wrong: `It came from`.
fn is_cause(marked: &Marked<'_>, setting: Setting) -> bool {
    (setting.changed || setting.repairs) && marked.has(Mark::Cause) && !is_due(marked)
}

/// Whether it tells why something was wrong, or how it was, in other words. What begins with the deed or its
/// doer is what was done: `I used`, `Removed`.
fn tells_why(marked: &Marked<'_>) -> bool {
    const DOERS: [&str; 4] = ["i", "we", "ich", "wir"];
    let first = marked.words.first().map(String::as_str).unwrap_or_default();
    const BAD: [Mark; 4] = [Mark::Fail, Mark::Breaks, Mark::Former, Mark::Still];
    let is_bad = || BAD.iter().any(|mark| marked.has(*mark));
    let explains = marked.has(Mark::Because) || marked.is_past();
    let is_deed = DOERS.contains(&first) || marked.begins(Mark::Past);
    let is_told = explains && !is_deed && (is_bad() || !claims::tells_change(marked.text));
    is_told && !is_due(marked)
}

fn is_due(marked: &Marked<'_>) -> bool {
    marked.has(Mark::Must)
        || marked.is_open()
        || marked.has(Mark::Expected)
        || marked.orders(Mark::Imperative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::FileChange;

    fn changed() -> Evidence {
        let files = vec![FileChange { path: "a.py".into(), ..FileChange::default() }];
        Evidence { files, tool_uses: 3, ..Evidence::default() }
    }

    #[track_caller]
    fn check(request: &str, evidence: &Evidence, wanted: Form, lines: &[&str]) {
        let setting = Setting::of(request, evidence);
        for line in lines {
            assert_eq!(form(&Marked::read(line), setting), wanted, "{line}");
        }
    }

    #[test]
    fn sentences_say_that_something_is_left() {
        let undone = [
            "I'll leave the cleanup job for tomorrow.",
            "The query is not written yet.",
            "I did not update the docs.",
            "One test still fails; I stopped here.",
            "I skipped the Windows path for now.",
            "Next I would extract the parser.",
            "The flag has no test.",
            "The retry logic is still missing for uploads.",
            "I could not verify it on ARM.",
            "Die Doku fehlt noch.",
            "Die Übersetzung habe ich vorerst nicht angefasst.",
            "Je n'ai pas touché à la pagination.",
            "De momento solo está en español.",
            "Não testei no Windows.",
            "Per ora funziona solo con SQLite, il resto resta da fare.",
            "Документацию я не обновлял.",
            "文档还没有更新。",
            "テストはまだ書いていません。",
            "문서는 아직 고치지 않았습니다.",
            "Belgeleri henüz güncellemedim.",
        ];
        check("Add a helper to a.py", &changed(), Form::Undone, &undone);
        let due = [
            "Migration 0008 must be applied by hand before the deploy.",
            "Someone has to check the license of the icons.",
        ];
        check("Add a helper to a.py", &changed(), Form::Due, &due);
        let forbidden = [
            "Don't run the DAG for dates before November until then.",
            "Bitte nicht mergen, bevor die Migration durch ist.",
            "No borres la tabla hasta entonces.",
            "请勿在迁移之前部署。",
            "移行が終わるまでマージしないでください。",
        ];
        check("Add a helper to a.py", &changed(), Form::Forbidden, &forbidden);
        check(
            "Add a helper to a.py",
            &changed(),
            Form::Blocked,
            &["Blocked: I need access to the staging cluster."],
        );
    }

    #[test]
    fn offers_and_results_leave_nothing() {
        let plain = [
            "The old rows are no longer shown.",
            "Empty rows are not exported any more.",
            "The helper now checks its input.",
            "The old flag still works.",
            "I found no other caller.",
        ];
        check("Add a helper to a.py", &changed(), Form::Plain, &plain);
        let offered = [
            "Want me to add a flag?",
            "You could also cache it some day.",
            "If you like, I can add docs.",
            "Wenn du magst, mache ich danach die Tests.",
        ];
        check("Add a helper to a.py", &changed(), Form::Offered, &offered);
    }

    #[test]
    fn causes_are_told_where_something_was_wrong() {
        let causes = [
            "`load` rounds down to an int, so the first row is skipped.",
            "The data race came from `s.id`, which was set too late.",
            "It failed because the file was opened in text mode.",
            "This was due to a stale lock file.",
            "Der Fehler lag an der Zeitzone.",
            "The first version still wrote two rows since `post` used the wrong connection.",
        ];
        check("pytest fails, please fix it", &changed(), Form::Cause, &causes);
        let others = ["I used a lock instead.", "The helper now checks its input."];
        check("pytest fails, please fix it", &changed(), Form::Plain, &others);
        let explained = ["The list is sorted by day, so the newest comes first."];
        check("Add a helper to a.py", &changed(), Form::Plain, &explained);
    }
}
