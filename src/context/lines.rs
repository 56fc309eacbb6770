//! Renders the lines of each section. All stored text passes through [`markdown`], one line at a
//! time, so that no row can close the block, open a fence or impersonate the client.

use super::blocks;
use super::branches::Place;
use super::dates::{date_and_id, day};
use super::filler::Filler;
use super::last::{commits, effects, files};
use super::markdown::{self, truncate};
use super::open::OpenKind;
use super::retire::Left;
use super::rollup::Gotcha;
use super::similarity::{Seen, WordSet, sentences};
use super::stored_turn::has_substance;
use super::{Selection, Told};
use crate::memory::Block;
use crate::store::observations::Headline;

const MAX_RULES: usize = 40;
const MAX_TITLE: usize = 160;
const MAX_REASON: usize = 160;

/// The user's rules and decisions, and pinned rows.
pub fn rules(selection: &Selection, filler: &mut Filler, seen: &mut Seen) {
    for rule in selection.rules.iter().take(MAX_RULES) {
        let title = truncate(&markdown::line(&rule.title), 240);
        if title.is_empty() || seen.contains(&title) {
            continue;
        }
        let mut text = format!("- {title}");
        if let Some(more) = reason(rule, &title) {
            text.push_str(&format!(" — {more}"));
        }
        let pinned = if rule.pinned { ", pinned" } else { "" };
        let scope = if rule.scope == "user" { ", all projects" } else { "" };
        let day = day(rule.created_at_epoch, selection.utc_offset);
        text.push_str(&format!(" ({day}, o{}{pinned}{scope})", rule.id));
        if filler.push(text, vec![format!("o{}", rule.id)]) {
            seen.add(&title);
        }
    }
}

/// What the row says beside its title: the question, or what was refused. Not the prompt that the rule
/// was taken from, which the title quotes, and no question that asks for nothing in particular.
fn reason(rule: &Headline, title: &str) -> Option<String> {
    let text = markdown::paragraph(rule.text.as_deref().unwrap_or_default());
    if !rule.pinned && text.chars().count() > MAX_REASON {
        return None;
    }
    let text = truncate(&text, 240);
    let mut told = Seen::default();
    told.add(title);
    let (words, of_title) = (WordSet::words(&text), WordSet::words(title));
    let is_quoted = of_title.common(&words) * 10 >= of_title.len() * 8;
    (!text.is_empty() && !told.contains(&text) && !is_quoted && words.len() >= 3).then_some(text)
}

/// What is left to do.
pub fn open(selection: &Selection, filler: &mut Filler, seen: &mut Seen) {
    for left in &selection.open {
        // The last session tells its requests.
        let is_told = left.open.kind == OpenKind::Unfinished && left.sessions_ago == 0;
        let text = match is_told {
            true => "The last request was interrupted before it was done".to_owned(),
            false => truncate(&markdown::paragraph(&left.open.text), 280),
        };
        if text.is_empty() || seen.contains(&text) {
            continue;
        }
        if filler.push(open_line(left, &text, is_told), vec![format!("s{}", left.open.id)]) {
            seen.add(&text);
        }
    }
}

fn open_line(left: &Left, text: &str, is_told: bool) -> String {
    let open = &left.open;
    let label = match open.kind {
        OpenKind::Failing(_) | OpenKind::Blocked | OpenKind::Stated | OpenKind::Task => "",
        OpenKind::Complaint => "The user reported: ",
        OpenKind::Unfinished if is_told => "",
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

/// Lengths of a line about an earlier session, in characters.
const LENGTHS: [usize; 7] = [900, 600, 420, 300, 210, 150, 100];
/// The section is full after this many lines that did not fit.
const MISSES: usize = 3;

/// One line per session. The lines are as long as they can be without telling fewer sessions.
pub fn earlier(selection: &Selection, filler: &mut Filler, seen: &mut Seen) {
    let fill = |max: usize| {
        let (mut trial, mut trial_seen) = (filler.clone(), seen.clone());
        let mut misses = 0;
        for told in &selection.earlier {
            let Some(line) = earlier_line(told, max, &trial_seen) else { continue };
            let ids = vec![format!("s{}", told.session.id())];
            if trial.push(line.text, ids) {
                line.said.iter().for_each(|text| trial_seen.add(text));
                trial_seen.add_session(told.session.session_id);
            } else {
                misses += 1;
            }
            if misses == MISSES {
                break;
            }
        }
        (trial, trial_seen)
    };
    let mut lengths = LENGTHS.into_iter().rev();
    let mut best = lengths.next().map_or_else(|| (filler.clone(), seen.clone()), &fill);
    let mut is_longest = true;
    for length in lengths {
        let longer = fill(length);
        if longer.0.lines.len() < best.0.lines.len() {
            is_longest = false;
            break;
        }
        best = longer;
    }
    best.0.wants_more |= !is_longest && !best.0.lines.is_empty();
    (*filler, *seen) = best;
}

struct EarlierLine {
    text: String,
    said: Vec<String>,
}

/// `- 2026-11-23 (s36): title → cause → fix (src/a.rs +2)`. `None` if the block contains it already.
fn earlier_line(told: &Told, max: usize, seen: &Seen) -> Option<EarlierLine> {
    let session = &told.session;
    let mut said: Vec<String> = Vec::new();
    let mut add = |text: String, max: usize| {
        let text = blocks::whole_sentences(&text, max);
        let text = text.trim_end_matches(['.', ';', ':']).to_owned();
        let is_new = !text.is_empty() && !seen.contains(&text) && {
            let mut told = Seen::default();
            said.iter().for_each(|said: &String| told.add(said));
            !told.contains(&text)
        };
        if is_new {
            said.push(text);
        }
        is_new
    };
    let title = markdown::paragraph(&session.title);
    // The same request again, without a change.
    if seen.contains(&title) && !session.has_change() && session.gotchas.is_empty() {
        return None;
    }
    let title = blocks::without_seen(&title, seen);
    add(title, (max / 2).min(MAX_TITLE));
    match session.gotchas.last() {
        Some(gotcha) => {
            let cause = markdown::paragraph(&blocks::text(&gotcha.cause, max / 2));
            add(format!("cause: {cause}"), max / 3);
            add(markdown::paragraph(&gotcha.fix), max / 3);
        }
        None => {
            let has_commits =
                !session.commits.is_empty() && add(commits(session, max / 3), max / 2);
            if !has_commits || max >= 300 {
                let said = |blocks: &[Block]| {
                    let text = markdown::paragraph(&blocks::text(blocks, max / 2));
                    if has_substance(&text) { text } else { String::new() }
                };
                let done = blocks::without_claims(
                    &blocks::gist(&blocks::lasting(&session.done)),
                    &session.claims,
                );
                let done = add(said(&done), max / 2);
                if let Some(answered) = session.answers.last().filter(|_| !done) {
                    add(said(&blocks::lasting(&answered.answer)), max / 2);
                } else if !done && !has_commits {
                    add(effects(session), max / 3);
                }
            }
        }
    }
    if said.is_empty() {
        return None;
    }
    let place = match (told.place, &session.head) {
        (Place::Elsewhere, Some(head)) => format!("on branch {}: ", markdown::code(&head.branch)),
        (Place::Gone, Some(head)) => {
            format!("on the deleted branch {}: ", markdown::code(&head.branch))
        }
        _ => String::new(),
    };
    let sender = if session.by_user { "" } else { "not asked by the user: " };
    let alike = match told.n_alike {
        0 => String::new(),
        n => format!(" (newest of {} alike)", n + 1),
    };
    let files = match files(session, 1) {
        files if files.is_empty() || said.iter().any(|text| text.contains(&files)) => String::new(),
        files => format!(" ({files})"),
    };
    let text = said.join(" → ");
    Some(EarlierLine {
        text: format!("- {}: {place}{sender}{text}{alike}{files}", date_and_id(session)),
        said,
    })
}

/// What was found out: observations, then causes and answers of earlier sessions, then files.
pub fn found(selection: &Selection, filler: &mut Filler, seen: &mut Seen) {
    let mut misses = 0;
    for headline in &selection.found.discoveries {
        if !repeats_question(headline, selection) {
            push_headline(headline, filler, seen, &mut misses);
        }
        if misses == 5 {
            return;
        }
    }
    // Those of the last session stand there.
    for told in selection.earlier.iter().filter(|told| told.place == Place::Here) {
        let session = &told.session;
        for gotcha in session.gotchas.iter().rev().take(2) {
            tell(filler, seen, gotcha.id, &gotcha_texts(gotcha));
        }
        for answered in session.answers.iter().rev().take(2) {
            let question = blocks::whole_sentences(&markdown::paragraph(&answered.question), 120);
            let answer = blocks::text(&blocks::lasting(&answered.answer), 240);
            let answer = markdown::paragraph(&answer);
            tell(filler, seen, answered.id, &[question, answer]);
        }
    }
    let files = selection.last.iter().flat_map(|told| &told.session.files);
    let told: Vec<&str> = files.map(|file| file.path.as_str()).collect();
    let often = selection.often_changed.iter().filter(|(path, _)| !told.contains(&path.as_str()));
    let often: Vec<String> =
        often.map(|(path, n)| format!("{} ({n})", markdown::path(path))).collect();
    if let (false, Some(told)) = (often.is_empty(), selection.sessions().next()) {
        let ids = vec![format!("s{}", told.session.id())];
        filler.push(format!("- Files that most sessions changed: {}", often.join(", ")), ids);
    }
}

/// Whether the row is the question of a session whose answer is told from its turn.
fn repeats_question(h: &Headline, selection: &Selection) -> bool {
    let title = h.title.trim_end_matches('…').trim_end();
    let sessions = selection.sessions().map(|told| &told.session);
    let of_row =
        sessions.filter(|session| h.session_id.is_some() && session.session_id == h.session_id);
    of_row.flat_map(|session| &session.answers).any(|answered| {
        let question = markdown::line(&answered.question);
        question.starts_with(title) || title.starts_with(question.as_str())
    })
}

fn gotcha_texts(gotcha: &Gotcha) -> [String; 3] {
    [
        blocks::whole_sentences(&markdown::paragraph(&gotcha.failure), 120),
        markdown::paragraph(&blocks::text(&gotcha.cause, 200)),
        blocks::whole_sentences(&markdown::paragraph(&gotcha.fix), 120),
    ]
}

/// Adds `- s36: question → answer` without the texts that the block contains already. If it contains the
/// beginning of the second text, it contains what matters.
fn tell(filler: &mut Filler, seen: &mut Seen, id: i64, texts: &[String]) {
    let Some(answer) = texts.get(1) else { return };
    if sentences(answer).first().is_none_or(|first| seen.contains(first)) {
        return;
    }
    let told: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty() && !seen.contains(text))
        .collect();
    if filler.push(format!("- s{id}: {}", told.join(" → ")), vec![format!("s{id}")]) {
        told.into_iter().for_each(|text| seen.add(text));
    }
}

/// What was changed, in sessions that no section before tells, or in files that the work tree changes.
pub fn changes(selection: &Selection, filler: &mut Filler, seen: &mut Seen) {
    let mut misses = 0;
    let about_changed = &selection.found.about_changed;
    let told = seen.clone();
    let is_told = |h: &&Headline| told.has_session(h.session_id) && !about_changed.contains(&h.id);
    for headline in selection.found.changes.iter().filter(|h| !is_told(h)) {
        push_headline(headline, filler, seen, &mut misses);
        if misses == 5 {
            return;
        }
    }
}

/// Adds `- o412 bugfix: title (src/a.rs, src/b.rs +2)` if the block does not contain the title yet.
fn push_headline(h: &Headline, filler: &mut Filler, seen: &mut Seen, misses: &mut usize) {
    let title = truncate(&markdown::line(&h.title), MAX_TITLE);
    // A title may end with its file.
    let bare = title.rsplit_once(" (").filter(|_| title.ends_with(')'));
    let bare = bare.map_or(title.as_str(), |(bare, _)| bare);
    if title.is_empty() || seen.contains(&title) || seen.contains(bare) {
        return;
    }
    let kind = truncate(&markdown::line(&h.kind), 20);
    let mut line = format!("- o{} {kind}: {title}", h.id);
    let text = truncate(&markdown::paragraph(h.text.as_deref().unwrap_or_default()), 240);
    let mut told = Seen::default();
    told.add(&title);
    if !text.is_empty() && !told.contains(&text) {
        line.push_str(&format!(" — {text}"));
    }
    line.push_str(&files_of(h, &title));
    if filler.push(line, vec![format!("o{}", h.id)]) {
        seen.add(&title);
        seen.add(bare);
    } else {
        *misses += 1;
    }
}

/// At most two files, unless the title names one: modified ones, or if there are none, those that were
/// read. Files outside of the project only if there are none inside.
fn files_of(h: &Headline, title: &str) -> String {
    let files = if h.files_modified.is_empty() { &h.files_read } else { &h.files_modified };
    let (inside, outside): (Vec<_>, Vec<_>) = files.iter().partition(|f| !f.starts_with('/'));
    let files = if inside.is_empty() { outside } else { inside };
    let name = |file: &str| markdown::line(file.rsplit('/').next().unwrap_or_default());
    if files.iter().map(|file| name(file)).any(|name| !name.is_empty() && title.contains(&name)) {
        return String::new();
    }
    let shown: Vec<String> =
        files.iter().take(2).map(|f| markdown::path(f)).filter(|f| !f.is_empty()).collect();
    match files.len() - shown.len() {
        _ if shown.is_empty() => String::new(),
        0 => format!(" ({})", shown.join(", ")),
        others => format!(" ({} +{others})", shown.join(", ")),
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
