//! What a final message leaves to do: under a heading, told to the user, or standing ready.
//!
//! A step needs an explicit heading, an order to the user that names something, or a statement that
//! something is left. Offers, conditions and descriptions are no steps.

use super::labels::{Heading, Label, split_label};
use super::markers::{Marker, Text};
use super::marks::{Mark, Marked};
use super::message::Part;
use super::message::budget::cut;
use super::message::inline::without_colon;
use super::message_forms::{Form, Setting, form};
use crate::memory::{Evidence, Step, StepKind, TaskState};
use crate::text::sentences_of_prose as sentences;

/// Maximum steps of a turn, and characters of one.
const MAX_STEPS: usize = 12;
const MAX_CHARS: usize = 240;

/// How far from the end of the message a step without a heading may stand, in sentences. A list or
/// table counts as one.
const NEAR: usize = 11;
const VERY_NEAR: usize = 4;

/// Steps that say the same: so many of the words of the shorter one stand in the other, in percent.
const SAME: usize = 80;

/// A step, and the part and line of the message that it comes from.
#[derive(Debug, PartialEq)]
pub struct Found {
    pub step: Step,
    pub at: (usize, usize),
}

/// The steps that the message states, in its order.
pub fn stated(parts: &[Part], setting: Setting) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let sizes = parts.iter().map(|part| if is_listed(part) { 1 } else { part.lines.len() });
    let mut from_end: usize = sizes.sum();
    for (at, part) in parts.iter().enumerate() {
        from_end -= if is_listed(part) { 1 } else { part.lines.len() };
        if part.quoted || part.label() == Some(Label::Option) {
            continue;
        }
        if part.label() == Some(Label::Next) {
            announced(part, at, &mut found);
        } else if is_listed(part) {
            listed(part, at, from_end, setting, &mut found);
        } else {
            for (line, text) in part.lines.iter().enumerate() {
                let from_end = from_end + part.lines.len() - 1 - line;
                let marked = Marked::read(&text.text);
                let handed = part
                    .lines
                    .get(line + 1)
                    .is_some_and(|next| Marked::read(&next.text).has(Mark::Handoff));
                if let Some(kind) = said(part, &marked, from_end, setting, handed) {
                    let text = match kind {
                        StepKind::ForUser => with_subject(part, line, &marked),
                        StepKind::Stated if points_back(&marked) => {
                            with_sentence_before(part, line)
                        }
                        _ => text.text.clone(),
                    };
                    for text in halves(&text, setting) {
                        let step = Step { said: true, ..step(text, kind) };
                        found.push(Found { step, at: (at, line) });
                    }
                }
            }
        }
    }
    found.retain(|found| !found.step.text.is_empty());
    without_repeats(found, |found| &found.step)
}

/// The sentence; if it names nothing, with the one before that does: `Add it under Secrets.`
fn with_subject(part: &Part, line: usize, marked: &Marked<'_>) -> String {
    let before = line.checked_sub(1).and_then(|before| part.lines.get(before));
    match before.map(|line| line.text.as_str()) {
        Some(before)
            if !marked.names_something()
                && Marked::read(before).names_something()
                && before.chars().count() + marked.text.chars().count() < MAX_CHARS =>
        {
            format!("{before} {}", marked.text)
        }
        _ => marked.text.to_owned(),
    }
}

/// The two statements of `X is not covered, and Y has no test`, else the whole text.
fn halves(text: &str, setting: Setting) -> Vec<&str> {
    const JOINTS: [&str; 6] = [", and ", ", und ", ", et ", ", y ", ", e ", ", и "];
    let is_left = |half: &str| form(&Marked::read(half), setting) == Form::Undone;
    let split = JOINTS.iter().find_map(|joint| text.split_once(joint));
    match split.filter(|(first, second)| is_left(first) && is_left(second)) {
        Some((first, second)) => vec![first, second],
        None => vec![text],
    }
}

/// The text without the answer that stands before it: `Yes: the push is still refused`.
fn without_reply(text: &str) -> &str {
    let is_reply = |head: &str| {
        let head = Text::new(head);
        [Marker::Yes, Marker::No].iter().any(|marker| head.is(*marker))
    };
    match text.split_once([':', ',']).filter(|(head, _)| is_reply(head)) {
        Some((_, rest)) if !rest.trim().is_empty() => rest.trim_start(),
        _ => text,
    }
}

/// `Das ist noch offen.`: a short sentence whose subject is a pronoun and that names nothing.
fn points_back(marked: &Marked<'_>) -> bool {
    const MAX_WORDS: usize = 7;
    const PRONOUNS: [&str; 24] = [
        "this", "that", "these", "those", "it", "they", "both", "das", "dies", "es", "diese",
        "beides", "cela", "ça", "ceci", "eso", "esto", "isso", "isto", "questo", "это", "这",
        "これ", "이것",
    ];
    let first = marked.words.first().map(String::as_str).unwrap_or_default();
    PRONOUNS.contains(&first) && marked.words.len() <= MAX_WORDS && !marked.names_something()
}

/// The sentence with the one before it in its paragraph.
fn with_sentence_before(part: &Part, line: usize) -> String {
    let text = &part.lines[line].text;
    match line.checked_sub(1).map(|before| &part.lines[before].text) {
        Some(before) if before.chars().count() + text.chars().count() < MAX_CHARS => {
            format!("{before} {text}")
        }
        _ => text.clone(),
    }
}

/// All steps: those of the message, then open tasks of the client's list and steps of plans that were
/// not begun.
pub fn steps(parts: &[Part], evidence: &Evidence, setting: Setting) -> Vec<Step> {
    let mut steps: Vec<Step> = stated(parts, setting).into_iter().map(|found| found.step).collect();
    let open = |state| evidence.tasks.iter().filter(move |task| task.state == state);
    // Clients often leave the last item as started when the work is done and told.
    let told = !parts.is_empty() && steps.is_empty() && evidence.has_change();
    let last_is_done = told && open(TaskState::Open).count() == 0;
    let started = open(TaskState::Started).filter(|_| !last_is_done);
    let tasks = started.chain(open(TaskState::Open));
    steps.extend(tasks.map(|task| step(&task.text, StepKind::Task)));
    let plans = evidence.plans.iter().filter(|plan| plan.approved && !plan.begun);
    steps.extend(plans.flat_map(|plan| &plan.steps).map(|text| step(text, StepKind::Plan)));
    steps.retain(|step| !step.text.is_empty());
    let mut steps = without_repeats(steps, |step| step);
    steps.truncate(MAX_STEPS);
    steps
}

fn is_listed(part: &Part) -> bool {
    part.kind != crate::memory::BlockKind::Paragraph
}

/// The steps of a part below a heading such as `Next steps`.
fn announced(part: &Part, at: usize, found: &mut Vec<Found>) {
    let for_user = part.announced == Some(Heading::ForUser);
    let kind = if for_user { StepKind::ForUser } else { StepKind::Stated };
    for (line, text) in part.lines.iter().enumerate() {
        let marked = Marked::read(&text.text);
        let explains = !is_listed(part)
            && line > 0
            && !(marked.has(Mark::Must) || marked.orders(Mark::Imperative) || marked.states());
        let dropped = text.ticked == Some(true)
            || marked.begins(Mark::Nothing)
            || marked.is_question()
            || marked.has(Mark::Offer)
            || explains;
        if !dropped {
            let follows = !for_user && marked.names_unit();
            let kind = if follows { StepKind::FollowUp } else { kind };
            found.push(Found { step: step(&with_lead(part, &text.text), kind), at: (at, line) });
        }
    }
}

/// The steps of another list: items whose boxes are empty, all items if the lead-in says that the user
/// has to do them, else items that do so themselves.
fn listed(part: &Part, at: usize, from_end: usize, setting: Setting, found: &mut Vec<Found>) {
    let lead = Marked::read(&part.lead_in);
    let is_told = from_end <= NEAR && !is_silent(part);
    let for_user = is_told && lead.has(Mark::Must) && !lead.is_open();
    let is_left =
        setting.lists_left || is_told && setting.worked && form(&lead, setting) == Form::Undone;
    for (line, text) in part.lines.iter().enumerate() {
        // In a list of changes, an order may be the name of one.
        let said = || said(part, &Marked::read(&text.text), from_end, setting, false);
        let step = match text.ticked {
            Some(true) => None,
            Some(false) => Some(step(&text.text, StepKind::Stated)),
            None if for_user => Some(step(&with_lead(part, &text.text), StepKind::ForUser)),
            None if is_left => Some(step(&text.text, StepKind::Stated)),
            None => said().map(|kind| Step { said: true, ..step(&text.text, kind) }),
        };
        found.extend(step.map(|step| Found { step, at: (at, line) }));
    }
}

/// `You need to set these secrets: `A``: a name says what to do only with its lead-in.
fn with_lead(part: &Part, item: &str) -> String {
    const MAX_WORDS: usize = 3;
    let is_name = item.split_whitespace().count() <= MAX_WORDS && !part.lead_in.is_empty();
    if is_name && !Marked::read(item).orders(Mark::Imperative) {
        format!("{}: {item}", without_colon(&part.lead_in))
    } else {
        item.to_owned()
    }
}

/// Parts that give no orders: causes and how to run something.
fn is_silent(part: &Part) -> bool {
    part.announced == Some(Heading::Usage) || part.label() == Some(Label::Cause)
}

/// The kind of step that a sentence states without a heading. `handed`: the next sentence says that the
/// assistant cannot do it.
fn said(
    part: &Part,
    marked: &Marked<'_>,
    from_end: usize,
    setting: Setting,
    handed: bool,
) -> Option<StepKind> {
    if from_end > NEAR || is_silent(part) {
        return None;
    }
    let very_near = from_end <= VERY_NEAR;
    let follows = marked.has(Mark::Follow) && marked.names_unit() && !marked.is_offered();
    if follows && very_near {
        return Some(StepKind::FollowUp);
    }
    let Setting { worked, answers, .. } = setting;
    let names = marked.names_something();
    match form(marked, setting) {
        Form::Undone => {
            let is_told = match (worked, answers) {
                (_, true) => marked.has(Mark::NotMe),
                (true, false) => !setting.explains || marked.has(Mark::NotMe),
                (false, false) => very_near && (is_listed(part) || names),
            };
            let is_order = names && marked.orders(Mark::Imperative) || marked.must_be_handled();
            is_told.then_some(if is_order { StepKind::ForUser } else { StepKind::Stated })
        }
        Form::Forbidden => {
            (worked && (!answers || marked.has(Mark::Until))).then_some(StepKind::Stated)
        }
        // `I can't do that from here`: the sentence before is the step.
        Form::Blocked => {
            (worked && (names || !marked.has(Mark::Handoff))).then_some(StepKind::Stated)
        }
        Form::Due | Form::Plain | Form::Failing | Form::Guessed => {
            for_user(part, marked, very_near, setting, handed).then_some(StepKind::ForUser)
        }
        Form::Offered | Form::Cause => None,
    }
}

/// Whether the sentence leaves something to the user. An order in the answer to a question is the answer.
fn for_user(
    part: &Part,
    marked: &Marked<'_>,
    very_near: bool,
    setting: Setting,
    handed: bool,
) -> bool {
    let Setting { worked, answers, .. } = setting;
    if marked.has(Mark::Needless) || marked.has(Mark::Usage) {
        return false;
    }
    let names = marked.names_something();
    let must = marked.has(Mark::Must);
    // `You must call `init()``: a description.
    let is_deed = names || !marked.has_code();
    if must && is_deed && (worked || very_near && names) {
        return true;
    }
    let handed = handed || marked.has(Mark::Handoff);
    let is_handled = marked.must_be_handled() || handed && must;
    if worked && is_handled && (is_deed || handed) {
        return true;
    }
    let waits = marked.has(Mark::Until);
    let is_reason = (answers || setting.explains) && marked.has(Mark::Because);
    let orders = !is_reason && marked.orders(Mark::Imperative) && (is_deed || waits);
    worked && orders && (!answers || waits) && part.label() != Some(Label::Test) && !is_listed(part)
}

fn step(text: &str, kind: StepKind) -> Step {
    let text = without_reply(text);
    let text = if text.chars().count() > MAX_CHARS {
        // Whole sentences if one fits.
        let first = sentences(text).first().map_or(text, |first| *first);
        cut(first, MAX_CHARS)
    } else {
        text.to_owned()
    };
    // `Open: the docs`: the place where it is told says so.
    let text = match split_label(&text) {
        Some((Heading::Label(Label::Next), head, rest)) if head.split(' ').count() <= 2 => {
            rest.to_owned()
        }
        _ => text,
    };
    Step { text: without_colon(&text).to_owned(), kind, said: false }
}

/// Without steps that an earlier one contains, and without earlier ones that a later one says in more
/// words.
fn without_repeats<T>(all: Vec<T>, step: impl Fn(&T) -> &Step) -> Vec<T> {
    const MAX_COMPARED: usize = 60;
    let texts: Vec<String> =
        all.iter().take(MAX_COMPARED).map(|item| step(item).text.clone()).collect();
    let marked: Vec<Marked<'_>> = texts.iter().map(|text| Marked::read(text)).collect();
    let repeats = |at: usize| {
        (0..marked.len()).any(|other| {
            let same = marked[other].covers(&marked[at]) >= SAME;
            let back = marked[at].covers(&marked[other]) >= SAME;
            // Of two equal ones the first stays.
            other != at && same && (!back || other < at)
        })
    };
    let keep: Vec<bool> = (0..marked.len()).map(|at| !repeats(at)).collect();
    all.into_iter().zip(keep).filter_map(|(item, keep)| keep.then_some(item)).collect()
}
