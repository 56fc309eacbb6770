//! Renders the lines of the sections without a file of their own. All stored text passes through
//! [`markdown`], one line at a time, so that no row can close the block, open a fence or impersonate the
//! client.

use std::cell::OnceCell;

use super::blocks::MAX_TITLE;
use super::dates::day;
use super::earlier::{Earlier, Finding};
use super::filler::Filler;
use super::markdown::{self, truncate};
use super::open::OpenKind;
use super::retire::Left;
use super::rules::is_said;
use super::seen::Seen;
use super::similarity::{WordSet, sentences};
use super::{Selection, Told};
use crate::freshness::Freshness;
use crate::store::observations::Headline;
use crate::store::words::RowId;

const MAX_RULES: usize = 40;
const MAX_REASON: usize = 160;
/// A section is full after this many lines that did not fit.
pub const MISSES: usize = 5;

/// What the drafts of a page are made from. Texts that several drafts need are rendered once.
pub struct Texts<'a> {
    pub selection: &'a Selection,
    pub earlier: Vec<Earlier<'a>>,
    rules: Vec<Row<'a>>,
    discoveries: Vec<Row<'a>>,
    changes: Vec<Row<'a>>,
    /// The questions that the told sessions answer, by session, as inert texts.
    questions: Vec<(i64, String)>,
    /// What must not be told. A rule that a newer one replaces is not quoted in an old request either.
    pub withdrawn: Seen,
}

impl<'a> Texts<'a> {
    pub fn new(selection: &'a Selection) -> Texts<'a> {
        let mut withdrawn = Seen::beside(&selection.native);
        selection.withdrawn.iter().for_each(|text| withdrawn.add(text));
        let rows = |rows: &'a [Headline]| rows.iter().map(Row::new).collect();
        let answered = |told: &'a Told| {
            let answers = told.session.answers.iter();
            let id = told.session.session_id;
            answers.filter_map(move |a| Some((id?, markdown::line(&a.question))))
        };
        Texts {
            selection,
            earlier: selection.earlier.iter().map(Earlier::new).collect(),
            rules: rows(&selection.rules),
            discoveries: rows(&selection.found.discoveries),
            changes: rows(&selection.found.changes),
            questions: selection.sessions().flat_map(answered).collect(),
            withdrawn,
        }
    }
}

/// An observation with its line, which is rendered when a draft wants it.
struct Row<'a> {
    headline: &'a Headline,
    line: OnceCell<RowLine>,
}

struct RowLine {
    /// Inert. The line is not told if the block contains it.
    title: String,
    text: String,
}

impl<'a> Row<'a> {
    fn new(headline: &'a Headline) -> Row<'a> {
        Row { headline, line: OnceCell::new() }
    }
}

/// The user's rules and decisions, and pinned rows.
pub fn rules(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    of_user(texts, filler, seen, |rule| !is_said(rule));
}

/// What the user said and may be no rule.
pub fn said(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    of_user(texts, filler, seen, is_said);
}

fn of_user(texts: &Texts, filler: &mut Filler, seen: &mut Seen, wanted: fn(&Headline) -> bool) {
    let mut misses = 0;
    for row in texts.rules.iter().filter(|row| wanted(row.headline)).take(MAX_RULES) {
        let RowLine { title, text } =
            row.line.get_or_init(|| rule_line(row.headline, texts.selection, seen));
        if title.is_empty() || seen.contains(title) {
            continue;
        }
        let id = format!("o{}", row.headline.id);
        let fits = match is_whole(row.headline, text) {
            true => filler.push_whole(text.clone(), id),
            false => filler.push(text.clone(), id),
        };
        if fits {
            seen.add(title);
        } else {
            misses += 1;
        }
        if misses == MISSES {
            break;
        }
    }
}

/// Whether the line of a note tells all of it. Other rows have a session, or texts of their own.
fn is_whole(rule: &Headline, line: &str) -> bool {
    let text = rule.text.as_deref().unwrap_or_default();
    let mut told = [rule.title.as_str(), text].into_iter().map(markdown::paragraph);
    rule.is_note() && told.all(|text| line.contains(&text))
}

/// `seen` only knows the words of texts: a line does not depend on the rest of the block.
fn rule_line(rule: &Headline, selection: &Selection, seen: &Seen) -> RowLine {
    let title = truncate(&markdown::line(&rule.title), 240);
    let mut text = format!("- {title}");
    if let Some(more) = reason(rule, &title, seen) {
        text.push_str(&format!(" — {more}"));
    }
    let pinned = if rule.pinned { ", pinned" } else { "" };
    let scope = if rule.scope == "user" { ", all projects" } else { "" };
    let day = day(rule.created_at_epoch, selection.utc_offset);
    let files = files_of(rule, &title, &selection.freshness);
    let files = files.trim_start_matches(" (").trim_end_matches(')');
    let files = if files.is_empty() { String::new() } else { format!(", {files}") };
    text.push_str(&format!(" ({day}, o{}{pinned}{scope}{files})", rule.id));
    RowLine { title, text }
}

/// What the row says beside its title: the question, or what was refused. Not the prompt that the rule
/// was taken from, which the title quotes, and no question that asks for nothing in particular.
fn reason(rule: &Headline, title: &str, seen: &Seen) -> Option<String> {
    let text = markdown::paragraph(rule.text.as_deref().unwrap_or_default());
    if !rule.pinned && !rule.is_note() && text.chars().count() > MAX_REASON {
        return None;
    }
    let text = truncate(&text, 240);
    let (words, of_title) = (WordSet::words(&text), WordSet::words(title));
    let is_quoted = of_title.common(&words) * 10 >= of_title.len() * 8;
    let says_more = words.len() >= 3 && !is_quoted && !seen.is_among(&text, &[title]);
    says_more.then_some(text)
}

/// What is left to do.
pub fn open(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    for left in &texts.selection.open {
        // The last session tells its requests, and how it ended.
        if left.open.kind == OpenKind::Unfinished && left.sessions_ago == 0 {
            continue;
        }
        let text = truncate(&markdown::paragraph(&left.open.text), 280);
        if text.is_empty() || seen.contains(&text) {
            continue;
        }
        if filler.push(open_line(left, &text), format!("s{}", left.open.id)) {
            seen.add(&text);
        }
    }
}

fn open_line(left: &Left, text: &str) -> String {
    let open = &left.open;
    let label = match open.kind {
        OpenKind::Failing(_) | OpenKind::Blocked | OpenKind::Stated | OpenKind::Task => "",
        OpenKind::Complaint => "The user reported: ",
        OpenKind::Unfinished => "Interrupted before it was done: ",
        OpenKind::Asked => "Asked the user, without an answer: ",
        OpenKind::ForUser => "Left to the user: ",
    };
    let age = match left.sessions_ago {
        0 => String::new(),
        1 => ", 1 session ago".into(),
        n => format!(", {n} sessions ago"),
    };
    format!("- {label}{text} ({}, s{}{age})", day(open.at_epoch, open.utc_offset), open.id)
}

/// What was found out: observations, then causes and answers of earlier sessions, then files.
pub fn found(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    let selection = texts.selection;
    // A question without its answer says nothing.
    let is_told = |h: &Headline, _: &Seen| {
        h.title.ends_with(['?', '？', '؟']) || repeats(h, &texts.questions)
    };
    if !push_headlines(&texts.discoveries, selection, filler, seen, is_told) {
        return;
    }
    // Those of the last session stand there.
    let mut misses = 0;
    for finding in texts.earlier.iter().flat_map(Earlier::findings) {
        misses += usize::from(!tell(filler, seen, finding));
        if misses == MISSES {
            return;
        }
    }
    let files = selection.last.iter().flat_map(|told| &told.session.files);
    let told: Vec<&str> = files.map(|file| file.path.as_str()).collect();
    let often = selection.often_changed.iter().filter(|(path, _)| !told.contains(&path.as_str()));
    let often: Vec<String> =
        often.map(|(path, n)| format!("{} ({n})", markdown::path(path))).collect();
    if let (false, Some(told)) = (often.is_empty(), selection.sessions().next()) {
        let id = format!("s{}", told.session.id());
        filler.push(format!("- Files that most sessions changed: {}", often.join(", ")), id);
    }
}

/// Whether the title of the row is one of these requests of sessions, which are told from their turns.
fn repeats(h: &Headline, requests: &[(i64, String)]) -> bool {
    let title = h.title.trim_end_matches('…').trim_end();
    let of_row = requests.iter().filter(|(session, _)| h.session_id == Some(*session));
    of_row
        .into_iter()
        .any(|(_, request)| request.starts_with(title) || title.starts_with(request.as_str()))
}

/// Adds `- question → answer (2026-11-20, s36)` without the texts that the block contains already. If it contains the
/// beginning of the second text, it contains what matters. Returns false if the line does not fit.
fn tell(filler: &mut Filler, seen: &mut Seen, finding: &Finding) -> bool {
    let Finding { id, day, texts } = finding;
    if sentences(&texts[1]).first().is_none_or(|first| seen.contains(first)) {
        return true;
    }
    let told: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty() && !seen.contains(text))
        .collect();
    let fits = filler.push(format!("- {} ({day}, s{id})", told.join(" → ")), format!("s{id}"));
    if fits {
        told.into_iter().for_each(|text| seen.add(text));
    }
    fits
}

/// What was changed, in sessions that no section before tells, or in files that the work tree changes. What the
/// user asked for in the last session stands there.
pub fn changes(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    let selection = texts.selection;
    let found = &selection.found;
    let asks = selection.last.iter().flat_map(|told| {
        let asks = told.session.asks.iter();
        asks.filter_map(|ask| Some((told.session.session_id?, markdown::line(&ask.text))))
    });
    let asks: Vec<(i64, String)> = asks.collect();
    let is_told = |h: &Headline, seen: &Seen| {
        repeats(h, &asks) || seen.has_session(h.session_id) && !found.about_changed.contains(&h.id)
    };
    push_headlines(&texts.changes, selection, filler, seen, is_told);
}

/// Adds the rows that are not told yet, until the section is full. Returns false then.
fn push_headlines(
    rows: &[Row],
    selection: &Selection,
    filler: &mut Filler,
    seen: &mut Seen,
    is_told: impl Fn(&Headline, &Seen) -> bool,
) -> bool {
    let mut misses = 0;
    for row in rows {
        let fits = is_told(row.headline, seen) || push_row(row, selection, filler, seen);
        misses += usize::from(!fits);
        if misses == MISSES {
            return false;
        }
    }
    true
}

/// Adds the line of a row if the block does not contain its title yet. Returns false if the line does not
/// fit.
fn push_row(row: &Row, selection: &Selection, filler: &mut Filler, seen: &mut Seen) -> bool {
    let RowLine { title, text } =
        row.line.get_or_init(|| headline_line(row.headline, selection, seen));
    let bare = without_file(title);
    if title.is_empty() || seen.contains(title) || seen.contains(bare) {
        return true;
    }
    let fits = filler.push(text.clone(), format!("o{}", row.headline.id));
    if fits {
        seen.add(title);
        seen.add(bare);
        seen.add(selection.results.text(RowId::observation(row.headline.id)));
    }
    fits
}

/// A title may end with its file.
pub fn without_file(title: &str) -> &str {
    let bare = title.rsplit_once(" (").filter(|_| title.ends_with(')'));
    bare.map_or(title, |(bare, _)| bare)
}

/// `- bugfix: title → result (src/a.rs, src/b.rs +2: changed since) (2026-11-20, o412)`. See [`rule_line`].
fn headline_line(h: &Headline, selection: &Selection, seen: &Seen) -> RowLine {
    let title = truncate(&markdown::line(&h.title), MAX_TITLE);
    let kind = truncate(&markdown::line(&h.kind), 20);
    let mut line = format!("- {kind}: {title}");
    let result = selection.results.text(RowId::observation(h.id));
    if !result.is_empty() && !seen.is_among(result, &[&title]) {
        line.push_str(&format!(" → {result}"));
    }
    let text = truncate(&markdown::paragraph(h.text.as_deref().unwrap_or_default()), 240);
    if !text.is_empty() && !seen.is_among(&text, &[&title]) {
        line.push_str(&format!(" — {text}"));
    }
    line.push_str(&files_of(h, &title, &selection.freshness));
    line.push_str(&format!(" ({}, o{})", day(h.created_at_epoch, selection.utc_offset), h.id));
    RowLine { title, text: line }
}

/// At most two files, unless the title names one: modified ones, or if there are none, those that were
/// read. Files outside of the project only if there are none inside. Then what became of them.
pub fn files_of(h: &Headline, title: &str, freshness: &Freshness) -> String {
    let files = if h.files_modified.is_empty() { &h.files_read } else { &h.files_modified };
    let (inside, outside): (Vec<_>, Vec<_>) = files.iter().partition(|f| !f.starts_with('/'));
    let files = if inside.is_empty() { outside } else { inside };
    let phrase = |file: &str| {
        freshness.state(h.id, file).map_or(String::new(), |state| state.phrase(markdown::path))
    };
    let states: Vec<String> = files.iter().map(|file| phrase(file)).collect();
    let same = states.first().filter(|first| states.iter().all(|state| state == *first));
    let name = |file: &str| markdown::line(file.rsplit('/').next().unwrap_or_default());
    let is_named = |file: &&&String| {
        let name = name(file);
        !name.is_empty() && title.contains(&name)
    };
    if let Some(named) = files.iter().find(is_named) {
        let state = phrase(named);
        return if state.is_empty() { state } else { format!(" ({state})") };
    }
    let with_state = |(file, state): (&&String, &String)| match (markdown::path(file), state) {
        (path, _) if path.is_empty() => None,
        (path, state) if same.is_some() || state.is_empty() => Some(path),
        (path, state) => Some(format!("{path} {state}")),
    };
    let shown: Vec<String> = files.iter().zip(&states).take(2).filter_map(with_state).collect();
    let others = match files.len() - shown.len() {
        0 => String::new(),
        others => format!(" +{others}"),
    };
    let state = same.filter(|state| !state.is_empty()).map_or(String::new(), |s| format!(": {s}"));
    match shown.is_empty() {
        true => String::new(),
        false => format!(" ({}{others}{state})", shown.join(", ")),
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
