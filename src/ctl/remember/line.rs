//! One line of `memctl remember --jsonl`: its fields, checked.

use serde_json::{Map, Value};

use super::draft::Draft;
use crate::memory::Origin;
use crate::text::{nearest, quote, without_controls};

/// The fields of a line.
const FIELDS: [&str; 11] = [
    "id",
    "project",
    "session",
    "title",
    "text",
    "files",
    "type",
    "origin",
    "created_at_epoch",
    "expires_at_epoch",
    "metadata",
];

/// Longer ids of rows and sessions are refused.
const MAX_ID: usize = 512;

/// Maximum number of files of a row.
const MAX_FILES: usize = 100;

/// The year 9999, in milliseconds since the epoch.
const MAX_TIME: i64 = 253_402_300_799_999;

/// The origins that a script may give its rows: none is more trusted than an import.
const ORIGINS: [Origin; 2] = [Origin::Import, Origin::Web];

#[derive(Clone, Debug)]
pub struct Line {
    pub id: String,
    pub project: Option<String>,
    pub session: Option<String>,
    pub draft: Draft,
    pub origin: Origin,
    pub created_at_epoch: Option<i64>,
    pub expires_at_epoch: Option<i64>,
}

type Checked<T> = Result<T, String>;

/// Parses a line. A field that is `null` counts as absent.
///
/// # Errors
/// The reason why the line cannot be stored.
pub fn parse(line: &str) -> Checked<Line> {
    let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(invalid)?;
    fields.retain(|_, value| !value.is_null());
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(unknown_field(name));
    }
    let id = match fields.remove("id") {
        Some(Value::Number(id)) => id.to_string(),
        Some(Value::String(id)) => checked_id("id", &id)?,
        Some(_) => return Err("id must be a text or a number".into()),
        None => return Err("id is missing".into()),
    };
    let session = string(&mut fields, "session")?;
    let session = session.map(|session| checked_id("session", &session)).transpose()?;
    let metadata = match fields.remove("metadata") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err("metadata must be an object".into()),
    };
    let project = string(&mut fields, "project")?;
    let draft = Draft {
        title: string(&mut fields, "title")?,
        text: string(&mut fields, "text")?.unwrap_or_default(),
        kind: string(&mut fields, "type")?,
        files: files(&mut fields)?,
        metadata,
    };
    Ok(Line {
        id,
        project,
        session,
        draft,
        origin: origin(&mut fields)?,
        created_at_epoch: time(&mut fields, "created_at_epoch")?,
        expires_at_epoch: time(&mut fields, "expires_at_epoch")?,
    })
}

fn invalid(error: serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => "expected a JSON object".into(),
        // A line has no other lines: only the column helps.
        _ => format!("invalid JSON at column {}", error.column()),
    }
}

fn unknown_field(name: &str) -> String {
    let known = nearest(name, FIELDS.into_iter());
    let known = known.map(|known| format!("; did you mean '{known}'?")).unwrap_or_default();
    format!("unknown field '{}'{known}", quote(name))
}

fn checked_id(field: &str, id: &str) -> Checked<String> {
    match id.trim() {
        "" => Err(format!("{field} is empty")),
        id if id.len() > MAX_ID => Err(format!("{field} is longer than {MAX_ID} bytes")),
        id if without_controls(id) != id => Err(format!("{field} has control characters")),
        id => Ok(id.to_owned()),
    }
}

fn string(fields: &mut Map<String, Value>, name: &str) -> Checked<Option<String>> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} must be a text")),
    }
}

fn files(fields: &mut Map<String, Value>) -> Checked<Vec<String>> {
    let wrong = || "files must be an array of paths".to_owned();
    let files = match fields.remove("files") {
        None => return Ok(Vec::new()),
        Some(Value::Array(files)) => files,
        Some(_) => return Err(wrong()),
    };
    if files.len() > MAX_FILES {
        return Err(format!("more than {MAX_FILES} files"));
    }
    files.into_iter().map(|file| file.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn origin(fields: &mut Map<String, Value>) -> Checked<Origin> {
    let Some(name) = string(fields, "origin")? else { return Ok(Origin::Import) };
    let known = ORIGINS.into_iter().find(|origin| origin.as_str() == name);
    known.ok_or_else(|| format!("origin must be import or web, not '{}'", quote(&name)))
}

fn time(fields: &mut Map<String, Value>, name: &str) -> Checked<Option<i64>> {
    let Some(value) = fields.remove(name) else { return Ok(None) };
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < MAX_TIME as f64).then_some(n as i64);
    let at = value.as_i64().or_else(|| whole(value.as_f64()?));
    match at.filter(|at| (0..=MAX_TIME).contains(at)) {
        Some(at) => Ok(Some(at)),
        None => Err(format!("{name} must be a number of milliseconds since 1970")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_known_fields_of_the_right_types() {
        let check = |line: &str, expected: &str| {
            assert_eq!(parse(line).map(|_| ()), Err(expected.to_owned()), "{line}");
        };
        check("[]", "expected a JSON object");
        check("{\"id\":", "invalid JSON at column 6");
        check(r#"{"text":"a"}"#, "id is missing");
        check(r#"{"id":[],"text":"a"}"#, "id must be a text or a number");
        check(r#"{"id":" ","text":"a"}"#, "id is empty");
        check(r#"{"id":1,"titel":"a"}"#, "unknown field 'titel'; did you mean 'title'?");
        check(r#"{"id":1,"text":7}"#, "text must be a text");
        check(r#"{"id":1,"files":"a"}"#, "files must be an array of paths");
        check(r#"{"id":1,"files":[1]}"#, "files must be an array of paths");
        check(r#"{"id":1,"metadata":[]}"#, "metadata must be an object");
        check(r#"{"id":1,"origin":"user"}"#, "origin must be import or web, not 'user'");
        for time in ["-1", "1.5", "\"1\"", "1e300"] {
            let line = format!(r#"{{"id":1,"created_at_epoch":{time}}}"#);
            check(&line, "created_at_epoch must be a number of milliseconds since 1970");
        }
    }

    #[test]
    fn numbers_are_ids_and_null_is_absent() {
        let line = r#"{"id":7,"text":"a","project":null,"session":null,"created_at_epoch":5.0}"#;
        let line = parse(line).unwrap();
        assert_eq!((line.id.as_str(), line.created_at_epoch), ("7", Some(5)));
        assert_eq!((line.project, line.session, line.origin), (None, None, Origin::Import));
    }
}
