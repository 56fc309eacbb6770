//! Which sentences of a final message may stand for what a turn did. A sentence counts if it says that
//! something changed, or names what the tools name. Others explain, hope or praise. And which of its lines
//! say how things stand at its end. Once there is later work, they are told no more: what is still so stands
//! among the open ends.

use super::claims;
use super::labels::{Heading, Label, heading};
use super::markers::{Marker, Text};
use super::marks::{Mark, Marked};
use super::message::inline::has_question;
use super::message_forms::{Form, Setting, form};
use super::phrases::words;
use crate::memory::{Block, BlockKind, CommitMade, Evidence, Outcome};
use crate::text::sentences_of_prose as sentences;

/// Shorter names stand in many texts.
const MIN_NAME: usize = 4;

/// What the tools of a turn name: changed files, commits, identifiers of edits, counts of passed checks.
pub struct Grounds<'a> {
    names: Vec<&'a str>,
    commits: &'a [CommitMade],
    counts: Vec<String>,
    /// A check passed, and the evidence tells it.
    has_passed: bool,
}

impl<'a> Grounds<'a> {
    pub fn of(evidence: &'a Evidence) -> Grounds<'a> {
        let files = evidence.files.iter().filter(|file| !file.scratch).flat_map(|file| {
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            [name, name.split('.').next().unwrap_or(name)]
        });
        let links = evidence.effects.iter().map(|effect| effect.link.as_str());
        let names = files.chain(evidence.names.iter().map(String::as_str)).chain(links);
        let passed = evidence.checks.iter().filter(|check| check.outcome == Outcome::Pass);
        let is_count = |word: &String| word.bytes().all(|b| b.is_ascii_digit()) && word != "0";
        Grounds {
            names: names.filter(|name| name.len() >= MIN_NAME).collect(),
            commits: &evidence.commits,
            has_passed: passed.clone().next().is_some(),
            counts: passed.flat_map(|check| words(&check.counts)).filter(is_count).collect(),
        }
    }

    /// Whether the line says that something changed, or names what the tools name. A line that only tells
    /// of checks says nothing of the work.
    fn bear(&self, line: &str) -> bool {
        !claims::only_tells_checks(line) && self.names_change(line)
    }

    /// A line that only names it must not deny anything: `` `load.rs` does not read it ``.
    fn names_change(&self, line: &str) -> bool {
        claims::tells_change(line) || self.names(line) && !Marked::read(line).has(Mark::Not)
    }

    fn names(&self, line: &str) -> bool {
        const HASH: usize = 7;
        let is_commit =
            |commit: &CommitMade| commit.hash.get(..HASH).is_some_and(|short| line.contains(short));
        self.names.iter().any(|name| line.contains(name))
            || self.commits.iter().any(is_commit)
            || words(line).iter().any(|word| self.counts.contains(word))
    }
}

/// What a message says of a turn that changed something.
#[derive(Debug, Default, PartialEq)]
pub struct Split {
    pub done: Vec<Block>,
    /// Explanations, how it was before, what is left, offers.
    pub background: Vec<Block>,
    /// Why something was wrong.
    pub cause: Vec<Block>,
}

/// Separates what was done from what is said beside it, by the forms of the lines. A paragraph's line
/// counts if it is borne out. A message often begins with its result in the present tense, so its first
/// sentence counts if it names something. Where something was wrong, what stands before the first change is
/// the cause. If no sentence is borne out, the first result stays. A line about
/// checks that the evidence has is left out beside others.
pub fn split(body: Vec<Block>, grounds: &Grounds<'_>, setting: Setting) -> Split {
    let form_of = |line: &str| form(&Marked::read(line), setting);
    let mut split = Split::default();
    let first = first_line(&body);
    let counts = |block: &Block, line: &String| {
        form_of(line) == Form::Plain && (grounds.bear(line) || is_result(line, block, &first))
    };
    let is_borne = |block: &Block| {
        block.kind != BlockKind::Paragraph || block.lines.iter().any(|line| counts(block, line))
    };
    let any = body.iter().any(is_borne);
    let mut is_before = setting.repairs
        && body.iter().flat_map(|block| &block.lines).any(|line| claims::tells_change(line));
    let is_plain = |line: &&String| form_of(line) == Form::Plain;
    let first_plain = body.iter().flat_map(|block| &block.lines).find(is_plain).cloned();
    for mut block in body {
        let is_paragraph = block.kind == BlockKind::Paragraph;
        if any && grounds.has_passed && is_paragraph {
            block.lines.retain(|line| !claims::only_tells_checks(line));
        }
        let is_guessed = !is_paragraph && form_of(&block.lead_in) != Form::Plain;
        let mut parts = [Vec::new(), Vec::new(), Vec::new()];
        for line in block.lines.clone() {
            is_before &= !claims::tells_change(&line);
            let to = match form_of(&line) {
                Form::Plain if is_before && is_paragraph => 2,
                Form::Cause if is_paragraph || Marked::read(&line).has(Mark::Cause) => 2,
                Form::Cause if claims::tells_change(&line) => 0,
                Form::Cause => 1,
                Form::Plain if is_guessed => 1,
                Form::Plain if is_paragraph && any && !counts(&block, &line) => 1,
                Form::Plain if !any && Some(&line) != first_plain.as_ref() => 1,
                Form::Plain if !is_paragraph && denies(&line) => 1,
                Form::Plain => 0,
                _ => 1,
            };
            parts[to].push(line);
        }
        let to = [&mut split.done, &mut split.background, &mut split.cause];
        for (lines, to) in parts.into_iter().zip(to) {
            if !lines.is_empty() {
                to.push(Block { lines, ..block.clone() });
            }
        }
    }
    split
}

/// Whether it denies something, and does not say that something was changed.
fn denies(line: &str) -> bool {
    Marked::read(line).has(Mark::Not) && !claims::tells_change(line)
}

/// Whether a line is the result in the author's eyes: it begins the message and names something in code
/// (`` `eur()` formats cents. ``), or it follows `Done:`.
fn is_result(line: &str, block: &Block, first: &str) -> bool {
    let is_statement = block.kind == BlockKind::Paragraph
        && !is_momentary(line)
        && !claims::only_tells_checks(line);
    let begins = || line == first && Marked::read(line).has_code();
    let is_labelled = || {
        heading(&block.heading).map(Heading::label) == Some(Label::Done)
            && block.lines.first().is_some_and(|first| first == line)
    };
    is_statement && (begins() || is_labelled())
}

fn first_line(blocks: &[Block]) -> String {
    blocks.first().and_then(|block| block.lines.first()).cloned().unwrap_or_default()
}

/// The first sentence of a cause, or its list, and what follows.
pub fn split_cause(cause: Vec<Block>) -> (Vec<Block>, Vec<Block>) {
    let mut rest = Vec::new();
    let mut first = Vec::new();
    for mut block in cause {
        if first.is_empty() {
            if block.kind == BlockKind::Paragraph && block.lines.len() > 1 {
                let lines = block.lines.split_off(1);
                rest.push(Block { lines, ..Block::default() });
                block.more = 0;
            }
            first.push(block);
        } else {
            rest.push(block);
        }
    }
    (first, rest)
}

/// Marks the lines that only held when the turn ended. Of what was done, a line lasts that is borne out.
pub fn mark_done(done: &mut [Block], grounds: &Grounds<'_>) {
    let first = first_line(done);
    let lasts = |block: &Block, line: &String| {
        !is_momentary(line) && (grounds.bear(line) || is_result(line, block, &first))
    };
    let any = done.iter().any(|block| block.lines.iter().any(|line| lasts(block, line)));
    for block in done {
        let lasting: Vec<bool> = block.lines.iter().map(|line| lasts(block, line)).collect();
        let lines = block.lines.iter().enumerate();
        let passing =
            lines.filter(|(at, line)| if any { !lasting[*at] } else { is_momentary(line) });
        block.momentary = passing.map(|(at, _)| at).collect();
    }
}

/// The same of an answer: it lasts if the user asked a question, or if it repeats what the user said. Why
/// something fails, and what it lacks, may be what the user asked.
pub fn mark_answer(answer: &mut [Block], request: &str) {
    let asks = has_question(request) || Text::new(request).has(Marker::Why);
    let said = words(request);
    let repeats =
        |line: &str| words(line).iter().any(|word| is_telling(word) && said.contains(word));
    let is_passing = |line: &String| match asks {
        true => has_mark(line, &PASSING),
        false => !repeats(line) || is_momentary(line),
    };
    for block in answer {
        mark(block, is_passing);
    }
}

/// Whether a word that both sides use shows that they speak of the same thing.
fn is_telling(word: &str) -> bool {
    word.len() >= MIN_NAME || word.bytes().any(|b| b.is_ascii_digit())
}

fn mark(block: &mut Block, is_momentary: impl Fn(&String) -> bool) {
    let lines = block.lines.iter().enumerate();
    block.momentary = lines.filter(|(_, line)| is_momentary(line)).map(|(at, _)| at).collect();
}

/// Marks of a sentence that holds only while it is said.
const PASSING: [Mark; 4] = [Mark::Unpublished, Mark::Running, Mark::Expected, Mark::Boast];

/// Whether a sentence of the line names a failure, something left undone or running, depends on the user,
/// or tells how it was before.
fn is_momentary(line: &str) -> bool {
    const LEFT: [Mark; 5] = [Mark::Must, Mark::Stated, Mark::Deferred, Mark::Handoff, Mark::Former];
    let is_left = |sentence| Marked::read(sentence).is_open() || claims::tells_failure(sentence);
    has_mark(line, &PASSING) || has_mark(line, &LEFT) || sentences(line).into_iter().any(is_left)
}

/// Whether a sentence of the line has one of the marks, or says that something goes on.
fn has_mark(line: &str, marks: &[Mark]) -> bool {
    sentences(line).into_iter().any(|sentence| {
        let marked = Marked::read(sentence);
        marks.iter().any(|mark| marked.has(*mark)) || Text::new(sentence).has(Marker::Still)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{CheckRun, FileChange};

    fn paragraph(lines: &[&str]) -> Block {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Block { lines, ..Block::default() }
    }

    fn evidence() -> Evidence {
        let files = vec![FileChange { path: "boards/v3.overlay".into(), ..FileChange::default() }];
        Evidence { files, names: vec!["smoothed_ce".into()], ..Evidence::default() }
    }

    #[test]
    fn the_answer_to_a_question_may_tell_a_failure() {
        let left = |request: &str, lines: &[&str]| {
            let mut answer = [paragraph(lines)];
            mark_answer(&mut answer, request);
            let [block] = answer;
            let lasts = |at: &usize| !block.momentary.contains(at);
            (0..block.lines.len()).filter(lasts).collect::<Vec<_>>()
        };
        let lines = ["It can't work: MSVC 19.3 lacks `std::format`.", "Use 19.4."];
        assert_eq!(left("What about the build on windows?", &lines), [0, 1]);
        let lines = ["The migration 0007 was never applied in production.", "Apply 0007."];
        assert_eq!(left("Why does prod return 500?", &lines), [0, 1]);
        assert_eq!(left("Why is CI red?", &["The tests are still running."]), [0; 0]);
        assert_eq!(left("Thanks.", &["The build fails."]), [0; 0]);
    }

    #[test]
    fn explanations_are_told_beside_what_was_done() {
        let evidence = evidence();
        let grounds = Grounds::of(&evidence);
        let split = |lines: &[&str]| {
            let split = split(vec![paragraph(lines)], &grounds, Setting::default());
            [split.done, split.background]
                .map(|blocks| blocks.into_iter().flat_map(|block| block.lines).collect::<Vec<_>>())
        };
        let [done, background] = split(&[
            "The reading is steady now.",
            "The divider on v3 is 2 × 1 MΩ.",
            "`smoothed_ce` divides by the count.",
            "It should hold for a week.",
            "I first thought about a filter in `v3.overlay`.",
        ]);
        assert_eq!(done, ["The reading is steady now.", "`smoothed_ce` divides by the count."]);
        assert_eq!(background.len(), 3);
        let [done, background] = split(&["`eur()` formats cents.", "The sheet is read now."]);
        assert_eq!((done.len(), background.len()), (2, 0), "a message begins with its result");
        let [done, background] = split(&["The dog barks.", "The cat sleeps."]);
        assert_eq!((done.len(), background.len()), (1, 1), "better an explanation than nothing");
    }

    #[test]
    fn passed_checks_do_not_stand_for_what_was_done() {
        let check = CheckRun { outcome: Outcome::Pass, ..CheckRun::default() };
        let check = CheckRun { counts: "4 passed".into(), ..check };
        let evidence = Evidence { checks: vec![check], ..evidence() };
        let grounds = Grounds::of(&evidence);
        let split = |lines: &[&str]| split(vec![paragraph(lines)], &grounds, Setting::default());
        for lines in [
            ["`--dropped PATH` writes the dropped rows.", "4 tests pass."],
            ["`--json` gibt ein Array von Objekten aus.", "4 Tests bestanden."],
        ] {
            let mut told = split(&lines);
            assert_eq!(told.done, [paragraph(&lines[..1])]);
            assert_eq!(told.background, []);
            mark_done(&mut told.done, &grounds);
            assert!(told.done[0].momentary.is_empty(), "it lasts");
        }
        let both = ["The sum is odd.", "Now it evicts afterwards, and all tests pass."];
        assert_eq!(split(&both).done, [paragraph(&both[1..])]);
        assert_eq!(split(&["All 4 tests pass."]).done, [paragraph(&["All 4 tests pass."])]);
        let labelled = Block { heading: "Done".into(), ..paragraph(&["The rows are lazy."]) };
        let body = vec![paragraph(&["Here is more.", "It is read now."]), labelled.clone()];
        let split = super::split(body, &grounds, Setting::default());
        assert_eq!(split.done.get(1), Some(&labelled), "{split:?}");
    }

    #[test]
    fn a_cause_is_its_first_sentence_or_its_list() {
        let (first, rest) = split_cause(vec![
            paragraph(&["The guard is late.", "So it fails."]),
            paragraph(&["x"]),
        ]);
        assert_eq!(first, [paragraph(&["The guard is late."])]);
        assert_eq!(rest, [paragraph(&["So it fails."]), paragraph(&["x"])]);
        let list = Block { kind: BlockKind::List, ..paragraph(&["a", "b"]) };
        assert_eq!(split_cause(vec![list.clone()]), (vec![list], Vec::new()));
    }

    #[test]
    fn lines_last_that_are_borne_out() {
        let evidence = evidence();
        let grounds = Grounds::of(&evidence);
        let mut done = vec![paragraph(&["`v3.overlay` has 40 µs.", "The cat sleeps."])];
        mark_done(&mut done, &grounds);
        assert_eq!(done[0].momentary, [1]);
        let mut done = vec![paragraph(&["The cat sleeps.", "It still fails."])];
        mark_done(&mut done, &grounds);
        assert_eq!(done[0].momentary, [1], "nothing is borne out");
    }

    #[test]
    fn an_answer_lasts_if_it_was_asked_for_or_repeats_the_user() {
        let marked = |request: &str| {
            let mut answer = vec![paragraph(&["The cat sleeps."])];
            mark_answer(&mut answer, request);
            answer[0].momentary.len()
        };
        assert_eq!(marked("where is it?"), 0);
        assert_eq!(marked("find out why it barks"), 0);
        assert_eq!(marked("restarted, go on"), 1);
        assert_eq!(marked("from today, it sleeps at noon"), 0, "it repeats what the user said");
    }

    /// Sentences of labelled sessions, whose authors had not seen the rules.
    #[test]
    fn lines_that_hold_only_now_are_found() {
        for line in [
            "`reversal` still fails: the mark `RC` is read as a credit.",
            "I left out pinning, which is a matter of taste.",
            "Next time we could also look at geomorphing, but that is a bigger topic.",
            "The run over 30 epochs has started and writes `run30.log`.",
            "And `stg_web_sessions` holds bot traffic, which isn't filtered out here yet.",
            "需要的话我还可以加颜色或者按老师导出。",
            "I first thought about just awaiting `tick()` before focusing the list.",
            "レビューをお願いします。まだ直っていません。",
            "The import now fails with a timeout.",
            "Der Import bricht jetzt ab.",
        ] {
            assert!(is_momentary(line), "{line}");
        }
        for line in [
            "The parser reads Sparkasse and ING.",
            "Quads merge only if their AO is equal: 4.0 ms, 73k triangles.",
            "カンマ区切りに統一しました。",
            "Da 9,2 s a 0,06 s.",
            // Of a reader of the program's output.
            "Added error handling to the upload form.",
            "Added the missing index on orders.",
            "Negative amounts are parsed now.",
            "Negative Beträge werden jetzt gelesen.",
            "Full names are shown in the header now.",
            "Rows without a date are skipped by the importer now.",
            "The CLI now prints errors with line numbers.",
            "The button is red now.",
            "Added a retry for expired tokens.",
            "The parser rejects empty input now.",
            "Blocked users can no longer log in.",
        ] {
            assert!(!is_momentary(line), "{line}");
        }
    }
}
