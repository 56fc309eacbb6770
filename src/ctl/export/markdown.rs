//! A project as Markdown for a person: the rules, the sessions with what was done, and what was found.
//!
//! What no context may contain is left out: hidden and wrong entries, and texts of third parties. The file may
//! be given to a model.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::{is_terminal, replace};
use crate::ctl::format::{self, count, day};
use crate::failure::{Context, Result};
use crate::memory::Origin;
use crate::store::observations::{self, ObservationRow};
use crate::store::sessions::{self, Filter, Session};
use crate::store::summaries::{self, SummaryRow};
use crate::store::{portable, projects};
use crate::text::sanitize;

/// Begins each file. Only such files are replaced.
pub const MARK: &str = "<!-- memctl export -->\n";

/// Sessions of a project, and rows of a session.
const MAX_SESSIONS: usize = 100_000;
const MAX_ROWS: usize = 10_000;

/// Prints one project, or all.
pub fn print(conn: &Connection, project: Option<i64>) -> Result<()> {
    for (id, _) in chosen(conn, project)? {
        let text = page(conn, id)?;
        match is_terminal() {
            true => crate::ctl::print(&text)?,
            false => crate::ctl::print_raw(&text)?,
        }
    }
    Ok(())
}

/// Writes a file per project.
pub fn write(conn: &Connection, project: Option<i64>, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).context(dir.display())?;
    let mut names = BTreeSet::new();
    for (id, name) in chosen(conn, project)? {
        let mut file = file_name(&name);
        if !names.insert(file.to_lowercase()) {
            file = format!("{file}-{id}");
            names.insert(file.to_lowercase());
        }
        let path = dir.join(format!("{file}.md"));
        replace(&path, &page(conn, id)?)?;
        crate::ctl::print(&format!("{}\n", path.display()))?;
    }
    Ok(())
}

fn chosen(conn: &Connection, project: Option<i64>) -> Result<Vec<(i64, String)>> {
    match project {
        Some(id) => Ok(vec![(id, projects::name(conn, id)?)]),
        None => portable::project_names(conn).context("database"),
    }
}

/// The name without what a file system or a shell could mistake.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() { "project".into() } else { name.to_owned() }
}

fn page(conn: &Connection, id: i64) -> Result<String> {
    let project = projects::get(conn, id)?;
    let filter = Filter { project_id: Some(id), ..Filter::default() };
    let mut sessions = sessions::list(conn, filter, MAX_SESSIONS)?;
    sessions.sort_by_key(|s| std::cmp::Reverse((s.started_at_epoch, s.id)));
    let mut text = format!("{MARK}# {}\n\n", line(&project.name));
    text.push_str(&format!(
        "{} in `{}`.\n",
        count(sessions.len() as u64, "session"),
        line(&project.root)
    ));
    let (mut rules, mut told) = (Vec::new(), String::new());
    for session in &sessions {
        let rows = observations::of_session(conn, session.id, MAX_ROWS)?;
        let mut rows: Vec<ObservationRow> = rows.into_iter().filter(is_told).collect();
        rows.reverse();
        let (of_user, others): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.observation.origin == Origin::User);
        rules.extend(of_user);
        let summaries = summaries::of_session(conn, session.id, MAX_ROWS)?;
        let mut summaries: Vec<SummaryRow> =
            summaries.into_iter().filter(|row| !row.hidden && row.marks.is_told()).collect();
        summaries.reverse();
        if !summaries.is_empty() || !others.is_empty() {
            told.push_str(&self::session(session, &summaries, &others));
        }
    }
    let imported = observations::without_session(conn, id, MAX_ROWS)?;
    let (of_user, others): (Vec<_>, Vec<_>) = imported
        .into_iter()
        .filter(is_told)
        .partition(|row| row.observation.origin == Origin::User);
    rules.extend(of_user);
    if !rules.is_empty() {
        text.push_str("\n## Rules and decisions\n\n");
        rules.sort_by_key(|row| std::cmp::Reverse((row.created_at_epoch, row.id)));
        rules.iter().for_each(|row| text.push_str(&rule(row)));
    }
    if !told.is_empty() {
        text.push_str("\n## Sessions\n");
        text.push_str(&told);
    }
    if !others.is_empty() {
        text.push_str("\n## Other entries\n\n");
        others.iter().for_each(|row| text.push_str(&entry(row)));
    }
    Ok(text)
}

fn is_told(row: &ObservationRow) -> bool {
    let o = &row.observation;
    let holds = row.marks.is_told() && row.superseded_by.is_none();
    holds && !o.quarantined && o.origin != Origin::Web
}

fn session(session: &Session, summaries: &[SummaryRow], others: &[ObservationRow]) -> String {
    let title = summaries.iter().map(|row| row.title.as_str()).find(|title| !title.is_empty());
    let title = title.or(summaries.first().map(|row| row.summary.request.as_str()));
    let mut text = format!(
        "\n### {} — {}\n",
        format::at(session.started_at_epoch),
        short(title.unwrap_or("a session"))
    );
    for row in summaries {
        let s = &row.summary;
        if !s.request.is_empty() {
            text.push_str(&format!("\n**{}**\n\n", short(&s.request)));
        }
        let fields = [
            ("Done", &s.completed),
            ("Learned", &s.learned),
            ("Open", &s.next_steps),
            ("Notes", &s.notes),
        ];
        for (name, field) in fields.into_iter().filter(|(_, field)| !field.is_empty()) {
            text.push_str(&format!("- {name}: {}\n", paragraph(field)));
        }
        if !s.files_modified.is_empty() {
            text.push_str(&format!("- Files: {}\n", line(&s.files_modified.join(", "))));
        }
    }
    if !others.is_empty() {
        text.push('\n');
        others.iter().for_each(|row| text.push_str(&entry(row)));
    }
    text
}

fn rule(row: &ObservationRow) -> String {
    let o = &row.observation;
    let said = o.narrative.as_deref().filter(|said| !said.is_empty()).unwrap_or(&o.title);
    format!("- {} ({})\n", paragraph(said), day(row.created_at_epoch))
}

fn entry(row: &ObservationRow) -> String {
    let o = &row.observation;
    let mut text = format!("- {}: {}\n", line(&o.kind), line(&o.title));
    if let Some(narrative) = o.narrative.as_deref().filter(|n| !n.is_empty() && *n != o.title) {
        text.push_str(&format!("  {}\n", paragraph(narrative)));
    }
    o.facts.iter().for_each(|fact| text.push_str(&format!("  - {}\n", paragraph(fact))));
    text
}

/// One line without control characters, and without what begins a block.
fn line(text: &str) -> String {
    let text = sanitize(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("<!--", "<\\!--")
}

fn short(text: &str) -> String {
    const MAX: usize = 160;
    let text = line(text);
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The lines of a text, indented below their item.
fn paragraph(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
    lines.join("\n  ")
}
