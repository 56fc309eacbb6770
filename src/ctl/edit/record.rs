//! A memory as a Markdown record: front matter, and the narrative as the body. A summary has a section
//! for each of its texts instead.
//!
//! The front matter has lines of the form `key: value`, and lists with an item a line. Values are taken
//! as they are, without quotes or escapes.

use jiff::{Timestamp, civil};

use crate::clock;
use crate::memory::{Observation, Summary};
use crate::store::revisions::Editable;
use crate::store::words::RowId;
use crate::text::collapse_spaces;

const FENCE: &str = "---";

/// Longest type and title, in characters.
const MAX_TYPE: usize = 40;
const MAX_TITLE: usize = 500;

/// The sections of a summary.
const SECTIONS: [&str; 6] = ["Request", "Investigated", "Learned", "Done", "Open", "Notes"];

/// Why a record is refused.
pub type Refusal = String;

/// Renders a memory.
pub fn render(id: RowId, memory: &Editable) -> String {
    match memory {
        Editable::Observation { texts: o, expires_at_epoch } => {
            let expires = expires_at_epoch.and_then(|at| Timestamp::from_millisecond(at).ok());
            let expires = expires.map(|at| at.to_string()).unwrap_or_default();
            let mut out = format!("{FENCE}\nid: {id}\n");
            let subtitle = o.subtitle.as_deref().unwrap_or_default();
            let values = [
                ("type", &*o.kind),
                ("title", &o.title),
                ("subtitle", subtitle),
                ("expires", &expires),
            ];
            for (key, value) in values {
                out.push_str(format!("{key}: {}", collapse_spaces(value)).trim_end());
                out.push('\n');
            }
            for (key, items) in lists(o) {
                out.push_str(&format!("{key}:\n"));
                for item in items.iter().map(|item| collapse_spaces(item)) {
                    out.push_str(&format!("  - {item}\n"));
                }
            }
            let body = o.narrative.as_deref().unwrap_or_default().trim();
            format!("{out}{FENCE}\n\n{body}\n")
        }
        Editable::Summary { texts, .. } => {
            let sections = SECTIONS.iter().zip(texts.texts()).map(|(heading, text)| {
                let text = text.trim();
                let gap = if text.is_empty() { "" } else { "\n" };
                format!("\n## {heading}\n\n{text}{gap}")
            });
            format!("{FENCE}\nid: {id}\n{FENCE}\n{}", sections.collect::<String>())
        }
    }
}

fn lists(o: &Observation) -> [(&'static str, &Vec<String>); 4] {
    [
        ("facts", &o.facts),
        ("concepts", &o.concepts),
        ("files_modified", &o.files_modified),
        ("files_read", &o.files_read),
    ]
}

/// The memory with what the record changes. `edited` is the record after the edit; only what differs from
/// the rendered `memory` is changed. Equal to `memory` if nothing is.
///
/// # Errors
/// Why the record is not valid, with its line.
pub fn apply(id: RowId, memory: &Editable, edited: &str) -> Result<Editable, Refusal> {
    let before = Record::parse(&render(id, memory))?;
    let after = Record::parse(edited)?;
    if after.value("id") != id.to_string() {
        return Err(format!("the id is '{}', not {id}", after.value("id")));
    }
    let mut memory = memory.clone();
    match &mut memory {
        Editable::Observation { texts, expires_at_epoch } => {
            after.check_keys(&[
                "id",
                "type",
                "title",
                "subtitle",
                "expires",
                "facts",
                "concepts",
                "files_modified",
                "files_read",
            ])?;
            change_observation(texts, &before, &after)?;
            let expires = after.value("expires");
            if expires != before.value("expires") {
                *expires_at_epoch = parse_time(expires)?;
            }
        }
        Editable::Summary { texts, turn } => {
            after.check_keys(&["id"])?;
            let old = texts.clone();
            change_summary(texts, &before, &after)?;
            if let Some(turn) = turn {
                turn.change_texts(&old, texts);
            }
        }
    }
    Ok(memory)
}

fn change_observation(o: &mut Observation, before: &Record, after: &Record) -> Result<(), Refusal> {
    let changed = |key: &str| {
        let value = after.value(key);
        (value != before.value(key)).then(|| value.to_owned())
    };
    if let Some(kind) = changed("type") {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if kind.is_empty() || kind.chars().count() > MAX_TYPE || !kind.chars().all(is_word) {
            return Err(format!(
                "the type '{kind}' is not one word, such as decision or discovery"
            ));
        }
        o.kind = kind;
    }
    if let Some(title) = changed("title") {
        if !title.contains(char::is_alphanumeric) {
            return Err("the title is empty".into());
        }
        if title.chars().count() > MAX_TITLE {
            return Err(format!("the title has more than {MAX_TITLE} characters"));
        }
        o.title = title;
    }
    if let Some(subtitle) = changed("subtitle") {
        o.subtitle = Some(subtitle).filter(|text| !text.is_empty());
    }
    let lists = [
        ("facts", &mut o.facts),
        ("concepts", &mut o.concepts),
        ("files_modified", &mut o.files_modified),
        ("files_read", &mut o.files_read),
    ];
    for (key, list) in lists {
        let items = after.items(key)?;
        if items != before.items(key)? {
            *list = items;
        }
    }
    if after.body != before.body {
        o.narrative = Some(after.body.clone()).filter(|text| !text.is_empty());
    }
    Ok(())
}

fn change_summary(s: &mut Summary, before: &Record, after: &Record) -> Result<(), Refusal> {
    let (before, after) = (sections(&before.body)?, sections(&after.body)?);
    for ((field, before), after) in s.texts_mut().into_iter().zip(before).zip(after) {
        if before != after {
            *field = after;
        }
    }
    Ok(())
}

/// The texts below the headings, in the order of [`SECTIONS`].
fn sections(body: &str) -> Result<[String; 6], Refusal> {
    let mut texts: [String; 6] = Default::default();
    let mut at = None;
    for line in body.lines() {
        let heading = line.strip_prefix("## ").map(str::trim);
        let known = SECTIONS.iter().position(|name| Some(*name) == heading);
        match (known, at) {
            (Some(n), _) => at = Some(n),
            (None, Some(n)) => {
                texts[n].push_str(line);
                texts[n].push('\n');
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => {
                let names = SECTIONS.join(", ");
                return Err(format!("'{line}' is below no heading; the headings are {names}"));
            }
        }
    }
    Ok(texts.map(|text| text.trim().to_owned()))
}

/// A day begins at local midnight.
fn parse_time(text: &str) -> Result<Option<i64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let day =
        || Some(text.parse::<civil::Date>().ok()?.to_zoned(clock::local_zone()).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(day);
    match time {
        Some(time) => Ok(Some(time.as_millisecond())),
        None => {
            Err(format!("expires is '{text}', not a time such as 2026-12-24 or 2026-12-24T09:30Z"))
        }
    }
}

/// A parsed record.
struct Record {
    /// Keys with their line, value and items.
    fields: Vec<Field>,
    body: String,
}

struct Field {
    key: String,
    line: usize,
    value: String,
    items: Vec<String>,
}

impl Record {
    fn parse(text: &str) -> Result<Record, Refusal> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim_end()));
        if lines.by_ref().find(|(_, line)| !line.is_empty()).is_none_or(|(_, line)| line != FENCE) {
            return Err(format!("the first line is not '{FENCE}'"));
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut is_closed = false;
        for (n, line) in lines.by_ref() {
            if line == FENCE {
                is_closed = true;
                break;
            }
            let item = line.trim_start();
            if item.is_empty() {
                continue;
            }
            if let Some(item) = item.strip_prefix("- ").or((item == "-").then_some("")) {
                let Some(field) = fields.last_mut() else {
                    return Err(format!("line {n}: an item without a list"));
                };
                field.items.extend(Some(item.trim().to_owned()).filter(|item| !item.is_empty()));
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                return Err(format!("line {n}: '{line}' has no colon after its name"));
            };
            let key = key.trim().to_owned();
            if fields.iter().any(|field| field.key == key) {
                return Err(format!("line {n}: a second '{key}'"));
            }
            let value = value.trim().to_owned();
            fields.push(Field { key, line: n, value, items: Vec::new() });
        }
        if !is_closed {
            return Err(format!("the line '{FENCE}' after the fields is missing"));
        }
        let body: Vec<&str> = lines.map(|(_, line)| line).collect();
        Ok(Record { fields, body: body.join("\n").trim().to_owned() })
    }

    fn value(&self, key: &str) -> &str {
        self.fields.iter().find(|field| field.key == key).map_or("", |field| &field.value)
    }

    /// The items of a list.
    fn items(&self, key: &str) -> Result<Vec<String>, Refusal> {
        match self.fields.iter().find(|field| field.key == key) {
            Some(field) if !field.value.is_empty() => {
                Err(format!("line {}: each item of {key} needs a line '  - item'", field.line))
            }
            Some(field) => Ok(field.items.clone()),
            None => Ok(Vec::new()),
        }
    }

    fn check_keys(&self, known: &[&str]) -> Result<(), Refusal> {
        let lists = ["facts", "concepts", "files_modified", "files_read"];
        for field in &self.fields {
            let Field { key, line, items, .. } = field;
            if !known.contains(&key.as_str()) {
                let names = known.join(", ");
                return Err(format!("line {line}: unknown field '{key}'; the fields are {names}"));
            }
            if !items.is_empty() && !lists.contains(&key.as_str()) {
                return Err(format!("line {line}: {key} is no list"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
