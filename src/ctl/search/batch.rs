//! `memctl search --batch`: a query per line, an answer per line, with one open database.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::json as rows;
use super::json::rounded;
use super::shown::Shown;
use crate::ctl::lines::Lines;
use crate::ctl::lookup;
use crate::failure::{Result, failed};
use crate::recall::{self, Filters, Request};
use crate::text::{nearest, quote};

/// The fields of a line.
const FIELDS: [&str; 6] = ["id", "query", "project", "before_epoch", "not_session", "limit"];

/// A query of a line.
struct Query {
    id: Value,
    text: String,
    project: Option<String>,
    before: Option<i64>,
    not_session: Option<String>,
    limit: Option<usize>,
}

type Checked<T> = std::result::Result<T, String>;

/// Answers each line of a file, or of stdin if its name is `-`. Without a database, nothing is found.
pub fn run(conn: Option<&Connection>, file: &str, limit: usize) -> Result<()> {
    let mut lines = Lines::open(file)?;
    let mut projects: HashMap<String, Checked<i64>> = HashMap::new();
    let mut names = HashMap::new();
    let mut n_bad: u64 = 0;
    while let Some(line) = lines.next()? {
        let mut id = Value::Null;
        let answer = line.text.and_then(|text| {
            let query = parse(&text, &mut id)?;
            answer(conn, &query, limit, &mut projects, &mut names)
        });
        let answer = answer.unwrap_or_else(|why| {
            n_bad += 1;
            json!({ "id": id, "line": line.number, "error": why })
        });
        crate::ctl::print_json(&answer)?;
    }
    match n_bad {
        0 => Ok(()),
        1 => Err(failed("1 line was not answered")),
        n => Err(failed(format!("{n} lines were not answered"))),
    }
}

fn answer(
    conn: Option<&Connection>,
    query: &Query,
    limit: usize,
    projects: &mut HashMap<String, Checked<i64>>,
    names: &mut HashMap<i64, String>,
) -> Checked<Value> {
    let Some(conn) = conn else {
        return Ok(json!({ "id": query.id, "confidence": 0.0, "results": [] }));
    };
    let project = match &query.project {
        None => None,
        Some(name) => {
            let find = || find_project(conn, name);
            Some(projects.entry(name.clone()).or_insert_with(find).clone()?)
        }
    };
    let filters = Filters {
        before: query.before,
        not_session: query.not_session.clone(),
        ..Filters::default()
    };
    let request = Request {
        query: &query.text,
        project,
        filters,
        limit: query.limit.unwrap_or(limit),
        for_injection: false,
    };
    let found = recall::search(conn, &request).map_err(|e| format!("database: {e}"))?;
    let confidence = found.confidence;
    let mut results = Vec::new();
    for hit in found.hits {
        let shown = Shown::new(conn, hit, confidence, names).map_err(|e| e.to_string())?;
        results.push(rows::hit(&shown));
    }
    Ok(json!({ "id": query.id, "confidence": rounded(confidence), "results": results }))
}

/// The project of a name. An unknown one has no rows.
fn find_project(conn: &Connection, name: &str) -> Checked<i64> {
    match lookup::project(conn, name) {
        Ok(id) => Ok(id),
        Err(e) if e.exit_code() == 1 => Ok(super::NO_PROJECT),
        Err(e) => Err(e.to_string()),
    }
}

/// Parses a line. `id` is set as soon as it is known.
fn parse(line: &str, id: &mut Value) -> Checked<Query> {
    let fields: Value =
        serde_json::from_str(line).map_err(|e| format!("invalid JSON at column {}", e.column()))?;
    let Value::Object(mut fields) = fields else { return Err("expected a JSON object".into()) };
    *id = fields.remove("id").unwrap_or_default();
    fields.retain(|_, value| !value.is_null());
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let known = nearest(name, FIELDS.into_iter());
        let known = known.map(|known| format!("; did you mean '{known}'?")).unwrap_or_default();
        return Err(format!("unknown field '{}'{known}", quote(name)));
    }
    let text = string(&mut fields, "query")?.ok_or("query is missing")?;
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64);
    let number = |value: Value, name: &str| -> Checked<i64> {
        let n = value.as_i64().or_else(|| whole(value.as_f64()?));
        n.ok_or_else(|| format!("{name} must be a whole number"))
    };
    let before = fields.remove("before_epoch").map(|value| number(value, "before_epoch"));
    let limit = match fields.remove("limit").map(|value| number(value, "limit")).transpose()? {
        None => None,
        Some(n @ 1..=1000) => Some(n as usize),
        Some(_) => return Err("limit must be between 1 and 1000".into()),
    };
    Ok(Query {
        id: id.clone(),
        text,
        project: string(&mut fields, "project")?,
        before: before.transpose()?,
        not_session: string(&mut fields, "not_session")?,
        limit,
    })
}

fn string(fields: &mut Map<String, Value>, name: &str) -> Checked<Option<String>> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} must be a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_query_or_an_error_that_names_its_id() {
        let check = |line: &str, expected: (Value, &str)| {
            let mut id = Value::Null;
            let error = parse(line, &mut id).err().unwrap();
            assert_eq!((id, error.as_str()), expected, "{line}");
        };
        check("{", (Value::Null, "invalid JSON at column 1"));
        check("7", (Value::Null, "expected a JSON object"));
        check(r#"{"id":"a"}"#, (json!("a"), "query is missing"));
        check(r#"{"id":[1],"query":1}"#, (json!([1]), "query must be a text"));
        check(r#"{"id":1,"qury":"x"}"#, (json!(1), "unknown field 'qury'; did you mean 'query'?"));
        let limit = "limit must be between 1 and 1000";
        check(r#"{"id":1,"query":"x","limit":0}"#, (json!(1), limit));
        let before = "before_epoch must be a whole number";
        check(r#"{"id":1,"query":"x","before_epoch":"1"}"#, (json!(1), before));
    }

    #[test]
    fn null_is_absent() {
        let line = r#"{"query":"x","project":null,"before_epoch":5.0,"not_session":"s","limit":3}"#;
        let query = parse(line, &mut Value::Null).unwrap();
        assert_eq!((query.id, query.project, query.before), (Value::Null, None, Some(5)));
        assert_eq!((query.limit, query.not_session.as_deref()), (Some(3), Some("s")));
    }
}
