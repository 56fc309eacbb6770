//! The question that ends a message, and its options.

use super::labels::Label;
use super::marks::{Mark, Marked};
use super::message::Part;
use super::message::budget::cut;
use super::message::inline::has_question;
use crate::memory::{BlockKind, Question};

const MAX_OPTIONS: usize = 8;
const MAX_OPTION: usize = 200;
const MAX_QUESTION: usize = 300;

/// How many sentences may follow the question: `I'd go with B.`
const MAX_AFTER: usize = 2;

/// Takes the question and its options out of the parts. Offers that say nothing (`anything else?`) are
/// taken out too, and are no question.
pub fn take(parts: &mut Vec<Part>) -> Option<Question> {
    let asking = take_sentences(parts);
    let question = match asking {
        Some(Asked { text, part, listed }) => {
            let chooses = chooses(&text);
            let mut options = take_labelled(parts);
            if options.is_empty() && (listed || chooses) {
                options = take_list(parts, part, listed);
            }
            let offers = Marked::read(&text).has(Mark::Offer) && !chooses && options.is_empty();
            Some(Question { text: cut(&text, MAX_QUESTION), is_offer: offers, options })
        }
        None => None,
    };
    parts.retain(|part| !part.lines.is_empty());
    question
}

struct Asked {
    text: String,
    /// The part it stood in.
    part: usize,
    /// Its options follow it.
    listed: bool,
}

/// The question in the last part, or before or above the list that is the last part.
fn take_sentences(parts: &mut [Part]) -> Option<Asked> {
    let last = parts.len().checked_sub(1)?;
    if parts[last].quoted {
        return None;
    }
    if parts[last].kind == BlockKind::Paragraph {
        return in_paragraph(parts, last).map(|text| Asked { text, part: last, listed: false });
    }
    let lead = Marked::read(&parts[last].lead_in);
    if asks(&lead) || has_question(lead.text) {
        let text = std::mem::take(&mut parts[last].lead_in);
        return Some(Asked { text, part: last, listed: true });
    }
    // A list of questions.
    let lines = &parts[last].lines;
    if lines.iter().all(|line| Marked::read(&line.text).is_question()) {
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let text = texts.join(" ");
        parts[last].lines.clear();
        return Some(Asked { text, part: last, listed: false });
    }
    let before = last.checked_sub(1).filter(|before| {
        parts[*before].kind == BlockKind::Paragraph && parts[last].lead_in.is_empty()
    })?;
    let ends = parts[before].lines.last().is_some_and(|line| asks(&Marked::read(&line.text)));
    let text = ends.then(|| in_paragraph(parts, before)).flatten()?;
    Some(Asked { text, part: last, listed: true })
}

/// Takes the question and the offers near the end of a paragraph.
fn in_paragraph(parts: &mut [Part], at: usize) -> Option<String> {
    let lines = &parts[at].lines;
    let from = lines.len().saturating_sub(MAX_AFTER + 1);
    let mut asked: Vec<usize> = Vec::new();
    let mut dropped: Vec<usize> = Vec::new();
    for (line, text) in lines.iter().enumerate().skip(from) {
        let marked = Marked::read(&text.text);
        if !asks(&marked) {
            continue;
        }
        if marked.has(Mark::Courtesy) {
            dropped.push(line);
        } else {
            asked.push(line);
        }
    }
    let mut text: Vec<&str> = asked.iter().map(|line| lines[*line].text.as_str()).collect();
    // `Proceed?` and `Shall I change that?` say what only with the sentence before them.
    const SHORT: usize = 3;
    if let Some(before) = asked.first().and_then(|first| first.checked_sub(1)) {
        let (before, question) = (lines[before].text.as_str(), text.join(" "));
        let is_short = question.split_whitespace().count() <= SHORT && question.is_ascii();
        let names = |text: &str| Marked::read(text).names_something();
        let fits = before.chars().count() + question.chars().count() < MAX_QUESTION;
        if is_short || !names(&question) && names(before) && fits {
            text.insert(0, before);
        }
    }
    // `We could also cache it. Shall I do that?`: an idea.
    if let ([only], Some(before)) =
        (asked.as_slice(), asked.first().and_then(|at| at.checked_sub(1)))
        && is_idea(&Marked::read(&lines[before].text), &Marked::read(&lines[*only].text))
    {
        dropped.push(before);
        text.clear();
    }
    let text = text.join(" ");
    let gone = |line: usize| asked.contains(&line) || dropped.contains(&line);
    let mut line = 0;
    parts[at].lines.retain(|_| {
        line += 1;
        !gone(line - 1)
    });
    (!text.is_empty()).then_some(text)
}

fn is_idea(before: &Marked<'_>, asked: &Marked<'_>) -> bool {
    before.has(Mark::Hypothetical) && asked.has(Mark::Offer) && !asked.has_code()
}

/// Whether a sentence asks the user, with a question mark or without: `Let me know which you prefer.`
fn asks(marked: &Marked<'_>) -> bool {
    marked.is_question() || marked.has(Mark::Offer)
}

fn chooses(text: &str) -> bool {
    Marked::read(text).has(Mark::Which)
}

/// Parts below a heading such as `Options`. If each option has a heading of its own, the headings are
/// the options.
fn take_labelled(parts: &mut Vec<Part>) -> Vec<String> {
    let is_option = |part: &Part| part.label() == Some(Label::Option) && !part.quoted;
    let mut headings: Vec<&str> = Vec::new();
    for part in parts.iter().filter(|part| is_option(part)) {
        if headings.last() != Some(&part.heading.as_str()) {
            headings.push(&part.heading);
        }
    }
    let options = if headings.len() >= 2 {
        let said = |heading: &str| {
            let first = parts.iter().find(|part| is_option(part) && part.heading == heading);
            let line = first.and_then(|part| part.lines.first());
            // `Option A` alone does not say what it is.
            match line {
                Some(line) if heading.split_whitespace().count() <= 2 => {
                    format!("{heading}: {}", line.text)
                }
                _ => heading.to_owned(),
            }
        };
        headings.iter().map(|heading| said(heading)).collect()
    } else {
        let lines = parts.iter().filter(|part| is_option(part)).flat_map(|part| &part.lines);
        lines.map(|line| line.text.clone()).collect()
    };
    parts.retain(|part| !is_option(part));
    bounded(options)
}

/// The list that follows the question, else the one right before it.
fn take_list(parts: &mut [Part], part: usize, listed: bool) -> Vec<String> {
    let empty = parts.get(part).is_none_or(|part| part.lines.is_empty());
    let candidates = match listed {
        true => vec![part],
        // The part of the question may have other sentences before it.
        false if empty => part.checked_sub(1).into_iter().collect(),
        false => vec![part.saturating_sub(1)],
    };
    let list = candidates.into_iter().find(|at| {
        parts.get(*at).is_some_and(|part| {
            part.kind != BlockKind::Paragraph
                && !part.quoted
                && part.label() != Some(Label::Next)
                && part.lines.len() >= 2
        })
    });
    let Some(list) = list else { return Vec::new() };
    parts[list].lead_in.clear();
    bounded(std::mem::take(&mut parts[list].lines).into_iter().map(|line| line.text).collect())
}

fn bounded(mut options: Vec<String>) -> Vec<String> {
    options.truncate(MAX_OPTIONS);
    options.iter().map(|option| cut(option, MAX_OPTION)).collect()
}
