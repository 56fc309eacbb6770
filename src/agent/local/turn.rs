//! Assembles a turn from its prompt, its evidence and what was said about it.

use std::collections::BTreeMap;

use super::claims::without_claims;
use super::grounded::{self, Grounds, Split};
use super::labels::Label;
use super::markers::{Marker, Text};
use super::message::Message;
use super::request;
use crate::activity::ParsedBatch;
use crate::memory::{
    self, Block, Cause, Claim, ClaimKind, Ending, Evidence, Step, StepKind, Summary, Turn,
};
use crate::text::words;

/// Maximum characters of the blocks of a turn that stopped several times.
const MAX_SAID: usize = 2_000;

/// Who wrote what a turn says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    Assistant,
    Model,
}

/// The turn that `stop` ends. `message` is the final message of the assistant, or a model's summary.
pub fn of(
    batch: &ParsedBatch,
    stop: &memory::Message,
    evidence: Evidence,
    message: Message,
    author: Author,
) -> Turn {
    let request = request::request(batch);
    let message = message.to(&request.text);
    let (ending, error_codes) = ending(stop, batch.previous.as_ref());
    let body = match author {
        Author::Assistant => message.body_beyond(&evidence, &batch.turns),
        // A model states steps in a column of their own.
        Author::Model => message.body(),
    };
    let (mut cause, mut background) = grounded::split_cause(message.blocks(Label::Cause));
    let (done, answer) = match (evidence.has_change(), author) {
        (true, Author::Assistant) => {
            let grounds = Grounds::of(&evidence);
            let split = grounded::split(body, &grounds, message.setting(&evidence));
            let Split { done, background: beside, cause: told } = split;
            background.extend(beside);
            if cause.is_empty() {
                cause = told;
            } else {
                background.extend(told);
            }
            (done, Vec::new())
        }
        (true, Author::Model) => (body, Vec::new()),
        (false, _) => (Vec::new(), body),
    };
    let mut next = message.next(&evidence);
    if !request.put_off.is_empty() {
        let is_idle = evidence.tool_uses == 0 && !evidence.has_change();
        next.extend(match is_idle {
            true => put_off(&request.put_off, batch.turns.last()),
            false => planned(&request.put_off),
        });
    }
    let is_confirmed = |at: &usize| message.confirms(&evidence.blockers[*at]);
    let mut turn = Turn {
        sender: request.sender,
        request: request.text,
        re: request.re,
        continues: request.continues,
        complains: request.complains,
        denies: request.denies,
        did: request.did,
        defers: request.defers,
        title: String::new(),
        done,
        answer,
        cause,
        background,
        decisions: message.decisions(),
        next,
        asked: message.asked(),
        closing: message.closing(&evidence),
        claims: claims(&message, &evidence, batch),
        confirmed_blockers: (0..evidence.blockers.len()).filter(is_confirmed).collect(),
        evidence: Evidence { blobs: BTreeMap::new(), ..evidence },
        head: batch.head.clone(),
        utc_offset: batch.utc_offset,
        ending,
        error_codes,
    };
    remove_claims(&mut turn.done, &turn.claims);
    remove_claims(&mut turn.answer, &turn.claims);
    remove_claims(&mut turn.background, &turn.claims);
    if let Some(previous) = &batch.previous {
        add_previous(&mut turn, previous, stop.cause);
    }
    grounded::mark_done(&mut turn.done, &Grounds::of(&turn.evidence));
    grounded::mark_answer(&mut turn.answer, &turn.request);
    turn
}

/// A model's summary as the message that it would be, so that the same rules read it.
pub fn as_message(summary: &Summary) -> String {
    let mut out = summary.completed.trim().to_owned();
    if out.is_empty() {
        summary.investigated.trim().clone_into(&mut out);
    }
    let notes = summary.notes.trim();
    if !notes.is_empty() {
        out = format!("{out}\n\n{notes}");
    }
    for (heading, text) in [("Cause", &summary.learned), ("Next steps", &summary.next_steps)] {
        let mut items = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = line.trim_start_matches(['-', '*', '•']).trim_start();
            items.push_str(&format!("- {line}\n"));
        }
        if !items.is_empty() {
            out = format!("{out}\n\n## {heading}\n\n{items}");
        }
    }
    out
}

/// What the user puts off: what the turn before said last, with the user's words. Its steps and its
/// question are open anyway.
fn put_off(words: &str, before: Option<&Turn>) -> Option<Step> {
    const MIN_WORDS: usize = 4;
    let before = before.filter(|turn| turn.asked.is_none())?;
    let text = match before.closing.as_str() {
        closing if before.next.is_empty() && !closing.is_empty() && answers(words, closing) => {
            format!("{closing} — \"{words}\"")
        }
        _ => {
            let text = Text::new(words);
            if text.length() < MIN_WORDS || !text.has(Marker::When) {
                return None;
            }
            return Some(quoted(words));
        }
    };
    Some(Step { text, kind: StepKind::ForUser, said: true })
}

/// What the team does later, said beside a request: `not now, after the release on Friday`.
fn planned(words: &str) -> Option<Step> {
    let text = Text::new(words);
    (text.has(Marker::When) && says_we(&text)).then(|| quoted(words))
}

fn quoted(words: &str) -> Step {
    Step { text: format!("\"{words}\""), kind: StepKind::ForUser, said: true }
}

fn says_we(text: &Text) -> bool {
    const WE: [&str; 11] =
        ["we", "we'll", "let", "lets", "they", "wir", "nous", "nosotros", "nós", "noi", "мы"];
    text.words().any(|word| WE.contains(&word))
}

/// Whether what the user puts off is what was said. `Next week we switch to node 24` is other work: it says
/// what the team does, without a word of what was said and without a pronoun for it.
fn answers(text: &str, closing: &str) -> bool {
    const MIN_WORD: usize = 4;
    let said = Text::new(text);
    let closing: Vec<String> = words(closing).map(str::to_lowercase).collect();
    let shares = |word: &str| word.chars().count() >= MIN_WORD && closing.iter().any(|c| c == word);
    !says_we(&said) || said.has(Marker::Pronoun) || said.words().any(shares)
}

/// Without a tool use, nothing can be shown: a transcript may lack them.
fn claims(message: &Message, evidence: &Evidence, batch: &ParsedBatch) -> Vec<Claim> {
    let mut claims = message.claims(evidence, &batch.turns);
    claims.retain(|claim| claim.kind != ClaimKind::UnprovenPass || evidence.tool_uses > 0);
    claims
}

/// How the turn ended. `previous`: the turn as it was told before `stop`.
fn ending(stop: &memory::Message, previous: Option<&Turn>) -> (Ending, Vec<String>) {
    match (stop.cause, previous) {
        // A late event reopened the turn. That does not change how it ended.
        (Cause::Late, Some(previous)) => {
            return (previous.ending, previous.error_codes.clone());
        }
        // The Stop had not been distilled, and its message is that of this closing.
        (Cause::Late, None) if stop.last_assistant_message.is_some() => {
            return (Ending::Stop, Vec::new());
        }
        _ => {}
    }
    match stop.cause {
        Cause::Stop => (Ending::Stop, Vec::new()),
        Cause::StopFailed => {
            (Ending::Error, codes(stop.last_assistant_message.as_deref().unwrap_or_default()))
        }
        Cause::Interrupted => (Ending::Interrupted, Vec::new()),
        Cause::Checkpoint => (Ending::Open, Vec::new()),
        _ => (Ending::SessionEnd, Vec::new()),
    }
}

/// `429`, `rate_limit_error`: of an error's text only the codes.
fn codes(text: &str) -> Vec<String> {
    const MAX_CODES: usize = 3;
    let is_status = |w: &str| w.len() == 3 && w.bytes().all(|b| b.is_ascii_digit());
    let is_code = |w: &str| {
        w.contains('_') && w.len() <= 40 && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let mut codes: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
        if codes.len() < MAX_CODES
            && (is_status(word) || is_code(word))
            && !codes.iter().any(|code| code == word)
        {
            codes.push(word.to_owned());
        }
    }
    codes
}

/// Removes the sentences that the evidence contradicts. They are told as claims only.
fn remove_claims(blocks: &mut Vec<Block>, claims: &[Claim]) {
    for block in blocks.iter_mut() {
        for line in &mut block.lines {
            *line = without_claims(line, claims);
        }
        block.lines.retain(|line| line.chars().any(char::is_alphanumeric));
    }
    blocks.retain(|block| !block.lines.is_empty());
}

/// Adds what an earlier Stop of the same prompt said. The client continues a turn by itself after a
/// notification or a hook, and the last message may say little.
fn add_previous(turn: &mut Turn, previous: &Turn, cause: Cause) {
    let says_nothing = turn.done.is_empty() && turn.answer.is_empty();
    if turn.request.is_empty() {
        turn.request.clone_from(&previous.request);
        turn.sender = previous.sender;
    }
    if says_nothing && cause != Cause::Stop {
        turn.next.clone_from(&previous.next);
        turn.asked.clone_from(&previous.asked);
    }
    if turn.cause.is_empty() {
        turn.cause.clone_from(&previous.cause);
    }
    let said_before = previous.done.iter().chain(&previous.answer);
    let to = if turn.evidence.has_change() { &mut turn.done } else { &mut turn.answer };
    let mut room = MAX_SAID.saturating_sub(to.iter().map(length).sum());
    let mut kept: Vec<Block> = Vec::new();
    for block in said_before.filter(|block| !to.contains(block)) {
        if length(block) > room {
            break;
        }
        room -= length(block);
        kept.push(block.clone());
    }
    // What was true then may be false now.
    remove_claims(&mut kept, &turn.claims);
    kept.append(to);
    *to = kept;
}

fn length(block: &Block) -> usize {
    block.heading.len() + block.lead_in.len() + block.lines.iter().map(String::len).sum::<usize>()
}

/// Whether a text says little by itself: `fix it`, `try again`, `ok now the second one`.
pub fn is_vague(text: &str) -> bool {
    const VAGUE: [&str; 58] = [
        "a", "again", "all", "also", "an", "and", "at", "can", "continue", "could", "do", "does",
        "done", "fix", "for", "go", "have", "hey", "hi", "how", "i", "in", "is", "it", "its",
        "just", "keep", "let", "lets", "make", "more", "my", "next", "now", "of", "ok", "okay",
        "on", "one", "please", "same", "so", "still", "that", "the", "them", "then", "these",
        "they", "this", "those", "to", "try", "up", "we", "why", "with", "you",
    ];
    let is_cjk = |c: char| c >= '\u{2e80}' && c.is_alphabetic();
    if text.chars().filter(|c| is_cjk(*c)).count() >= 6 {
        return false;
    }
    let has_name = text.contains(['`', '/', '_']) || text.contains("::");
    let telling = words(text).filter(|word| !VAGUE.contains(&word.to_lowercase().as_str()));
    telling.count() < if has_name { 1 } else { 3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vague_requests_are_recognized() {
        for text in ["fix it", "do the same again please", "ok now the next one", "weiter", "继续"]
        {
            assert!(is_vague(text), "{text}");
        }
        for text in [
            "Fix the date bug in the export",
            "rename `parse` everywhere",
            "Behebe den Fehler beim Export der Rechnungen",
            "修复导出文件中的日期错误",
        ] {
            assert!(!is_vague(text), "{text}");
        }
    }

    #[test]
    fn an_earlier_stop_loses_the_sentences_that_are_claims_now() {
        let done = |line: &str| vec![Block { lines: vec![line.into()], ..Block::default() }];
        let previous = Turn { done: done("The gate closes. All tests pass."), ..Turn::default() };
        let text = "All tests pass.".to_owned();
        let claims = vec![Claim { text, ..Claim::default() }];
        let mut turn = Turn { done: done("The log is written."), claims, ..Turn::default() };
        turn.evidence.commits = vec![memory::CommitMade::default()];
        add_previous(&mut turn, &previous, Cause::Stop);
        assert_eq!(turn.done, [done("The gate closes."), done("The log is written.")].concat());
    }

    #[test]
    fn what_the_team_does_later_is_a_step_beside_other_work() {
        let text = |words: &str| planned(words).map(|step| step.text);
        let words = "Let's move to cents, but not now: after the release on Friday";
        assert_eq!(text(words), Some(format!("\"{words}\"")));
        assert_eq!(text("It crashed on Friday"), None);
    }

    #[test]
    fn what_is_put_off_is_told_with_what_was_said_last() {
        let words = "i purge it on sunday";
        let text = |before: Turn| put_off(words, Some(&before)).map(|step| step.text);
        let closing = "The CDN has to be purged.".to_owned();
        let said = Turn { closing, ..Turn::default() };
        let whole = Some(format!("The CDN has to be purged. — \"{words}\""));
        assert_eq!(text(said.clone()), whole);
        let other = put_off("next week we switch to node 24", Some(&said)).map(|step| step.text);
        assert_eq!(other.as_deref(), Some("\"next week we switch to node 24\""));
        let listed = Turn { next: vec![Step::default()], ..said.clone() };
        assert_eq!(text(listed.clone()), Some(format!("\"{words}\"")));
        assert_eq!(put_off("have to ask them", Some(&listed)), None, "no time is named");
        let asked = Turn { asked: Some(Default::default()), ..said };
        assert_eq!(text(asked), None, "the question is open anyway");
        assert_eq!(put_off(words, None), None);
    }

    #[test]
    fn of_an_error_only_the_codes_are_kept() {
        assert_eq!(
            codes("API Error: 529 {\"type\":\"overloaded_error\"} please send your keys"),
            ["529", "overloaded_error"]
        );
    }
}
