//! Memories as text, wrapped at the width of the terminal. Stored text is untrusted, so control
//! characters are removed.

use super::SessionContent;
use super::details::Details;
use super::source::Source;
use crate::ctl::format::{self, count};
use crate::ctl::style::{self, HEAD, ID, paint};
use crate::ctl::terminal::wrapped;
use crate::memory::PRIVATE;
use crate::store::links::Kind;
use crate::store::marks::{Feedback, Marks};
use crate::store::observations::ObservationRow;
use crate::store::sessions::StoredPrompt;
use crate::store::summaries::SummaryRow;
use crate::text::{escape, sanitize, truncate};

/// Maximum length of a text in the list of a session on a terminal.
const MAX_LISTED: usize = 400;

type Width = Option<usize>;

pub fn observation(
    row: &ObservationRow,
    details: &Details,
    source: &Source,
    width: Width,
) -> String {
    let o = &row.observation;
    let at = format::at(row.created_at_epoch);
    let source = source.about();
    let mut about = vec![o.kind.as_str()];
    about.extend(source.iter().map(String::as_str));
    about.push(&at);
    about.extend(o.quarantined.then_some("quarantined"));
    about.extend(marks(row.marks, row.edited));
    let mut out = head(&format!("o{}", row.id), &about, width);
    out.push_str(&wrapped("", 0, &clean(&o.title), width));
    let mut field = |name, text: &str| out.push_str(&field(name, text, width));
    field("Subtitle", o.subtitle.as_deref().unwrap_or_default());
    field("Narrative", o.narrative.as_deref().unwrap_or_default());
    out.push_str(&bulleted("Facts", &o.facts, width));
    let mut field = |name, text: &str| out.push_str(&self::field(name, text, width));
    let files = |paths: &[String]| {
        let state = |path: &String| match details.freshness.state(row.id, path) {
            Some(state) => format!("{path} ({})", state.phrase(str::to_owned)),
            None => path.clone(),
        };
        paths.iter().map(state).collect::<Vec<_>>().join("\n")
    };
    field("Files modified", &files(&o.files_modified));
    field("Files read", &files(&o.files_read));
    field("Origin", o.origin.as_str());
    if o.quarantined {
        field("Quarantined", "It reads like an instruction. No session and no model gets it.");
    }
    let named = |kind| {
        let links = details.predecessors.iter().filter(|link| link.kind == kind);
        links.map(|link| format!("o{}", link.id)).collect::<Vec<_>>().join(", ")
    };
    field("Replaces", &named(Kind::Replaces));
    field("Copies", &named(Kind::Copies));
    if let Some(link) = &details.successor {
        let name = match link.kind {
            Kind::Copies => "Same as",
            Kind::Replaces | Kind::Rewrites => "Replaced by",
        };
        field(name, &format!("o{} ({})", link.id, format::at(link.at_epoch)));
    }
    out
}

pub fn summary(row: &SummaryRow, source: &Source, width: Width) -> String {
    let s = &row.summary;
    let at = format::at(row.created_at_epoch);
    let source = source.about();
    let mut about: Vec<&str> = source.iter().map(String::as_str).collect();
    about.push(&at);
    about.extend(row.provisional.then_some("provisional"));
    about.extend(marks(row.marks, row.edited));
    let mut out = head(&format!("s{}", row.id), &about, width);
    let mut field = |name, text: &str| out.push_str(&field(name, text, width));
    field("Request", &s.request);
    field("Investigated", &s.investigated);
    field("Learned", &s.learned);
    field("Done", &s.completed);
    field("Open", &s.next_steps);
    field("Notes", &s.notes);
    field("Files modified", &s.files_modified.join("\n"));
    field("Files read", &s.files_read.join("\n"));
    out
}

/// What the user decided about a memory.
fn marks<'a>(marks: Marks, edited: bool) -> impl Iterator<Item = &'a str> {
    let Marks { pinned, hidden, feedback } = marks;
    let marks = [pinned.then_some("pinned"), hidden.then_some("hidden")];
    let feedback = feedback.map(Feedback::as_str);
    marks.into_iter().flatten().chain(feedback).chain(edited.then_some("edited"))
}

pub fn prompt(prompt: &StoredPrompt, source: &Source, width: Width) -> String {
    let at = format::at(prompt.created_at_epoch);
    let source = source.session_about();
    let mut about: Vec<&str> = source.iter().map(String::as_str).collect();
    about.push(&at);
    let head = head(&format!("p{}", prompt.id), &about, width);
    format!("{head}\n{}", wrapped("", 0, &prompt_text(prompt), width))
}

/// The prompts of a session, each with its summary and observations.
pub fn session(content: &SessionContent, width: Width) -> String {
    let s = content.session;
    let mut out = head(
        &escape(&s.content_session_id),
        &[&sanitize(s.project.as_deref().unwrap_or("no project")), &format::at(s.started_at_epoch)],
        width,
    );
    let reason = s.end_reason.as_deref().map(|r| format!(" ({})", escape(r))).unwrap_or_default();
    let counts = format!(
        "{}{reason}: {}, {}, {}",
        format::status(s),
        count(content.prompts.len() as u64, "prompt"),
        format::summaries(content.summaries.len() as u64),
        count(
            content.observations.iter().filter(|(o, _)| o.superseded_by.is_none()).count() as u64,
            "observation"
        ),
    );
    let status = format::status(s);
    let painted = paint(status, style::of_state(status));
    out.push_str(&wrapped("", 0, &counts, width).replacen(status, &painted, 1));
    for prompt in &content.prompts {
        let text = clip_for_list(&prompt_text(prompt), width);
        out.push('\n');
        out.push_str(&item(0, &format!("p{}", prompt.id), &text, width));
        out.push_str(&memories_of_prompt(content, |number| number == prompt.number, width));
    }
    let has_prompt = |number| content.prompts.iter().any(|p| p.number == number);
    let rest = memories_of_prompt(content, |number| !has_prompt(number), width);
    if !rest.is_empty() {
        out.push_str(&format!("\nWithout a prompt\n{rest}"));
    }
    out
}

fn memories_of_prompt(
    content: &SessionContent,
    wanted: impl Fn(i64) -> bool,
    width: Width,
) -> String {
    let mut out = String::new();
    for row in content.summaries.iter().filter(|row| wanted(row.prompt_number)) {
        let s = &row.summary;
        // Without a change, the answer tells more than what the tools prove.
        let is_answer =
            row.turn.as_ref().is_some_and(|t| t.done.is_empty() && !t.answer.is_empty());
        let answer = if is_answer { &s.notes } else { &s.completed };
        let texts = [answer, &s.completed, &s.learned, &s.notes, &s.request];
        let text = texts.iter().find(|text| !text.trim().is_empty()).map_or("", |t| t.as_str());
        // The summary of a turn without work is empty.
        if !text.is_empty() {
            out.push_str(&item(
                2,
                &format!("s{}", row.id),
                &clip_for_list(&clean(text), width),
                width,
            ));
        }
        if !s.next_steps.trim().is_empty() {
            let next = clip_for_list(&clean(&s.next_steps), width);
            let labeled = next.to_lowercase().starts_with("next");
            let next = if labeled { next } else { format!("Open: {next}") };
            out.push_str(&item(2, "", &next, width));
        }
    }
    let current = |row: &&ObservationRow| row.superseded_by.is_none();
    let of_prompt = |row: &&ObservationRow| wanted(row.observation.prompt_number);
    for row in content.observations.iter().map(|(row, _)| row).filter(current).filter(of_prompt) {
        let quarantined = if row.observation.quarantined { ", quarantined" } else { "" };
        let text =
            format!("{}{quarantined}: {}", row.observation.kind, clean(&row.observation.title));
        out.push_str(&item(2, &format!("o{}", row.id), &text, width));
    }
    out
}

/// An id and its text, wrapped beside it.
fn item(blanks: usize, id: &str, text: &str, width: Width) -> String {
    let indent = blanks + id.len().max(4) + 1;
    let gap = " ".repeat(indent - blanks - id.len());
    let first = format!("{}{}{gap}", " ".repeat(blanks), paint(id, ID));
    wrapped(&first, indent, text, width)
}

fn head(id: &str, about: &[&str], width: Width) -> String {
    let about: String = about.iter().map(|a| format!(" · {a}")).collect();
    wrapped("", 0, &format!("{id}{about}"), width).replacen(id, &paint(id, ID), 1)
}

/// A field name and its text. Empty if the text is empty.
fn field(name: &str, text: &str, width: Width) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    format!("\n{}\n{}", paint(name, HEAD), wrapped("  ", 2, &clean(text), width))
}

/// A field name and its items as a list.
fn bulleted(name: &str, items: &[String], width: Width) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| wrapped("  - ", 4, &clean(item), width)).collect();
    format!("\n{}\n{items}", paint(name, HEAD))
}

fn prompt_text(prompt: &StoredPrompt) -> String {
    clean(prompt.text.as_deref().unwrap_or(PRIVATE))
}

/// Truncates a text for the list on a terminal.
fn clip_for_list(text: &str, width: Width) -> String {
    if width.is_some() { truncate(text.trim(), MAX_LISTED) } else { text.trim().to_owned() }
}

fn clean(text: &str) -> String {
    text.lines().map(sanitize).collect::<Vec<_>>().join("\n")
}
