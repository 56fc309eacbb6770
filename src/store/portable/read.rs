//! Reads the memory as JSON, in an order that does not depend on row ids.

use std::ops::ControlFlow;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Number, json};

use super::line::Object;
use super::tables::{Kind, TABLES, Table};
use super::{VERSION, decisions};
use crate::store::error::Result;

/// Visits the lines of an export: a header, the projects, and their rows. All of it is one snapshot.
/// `project_id`: only what belongs to this project.
///
/// # Errors
/// Those of the database.
pub fn visit(
    conn: &Connection,
    project_id: Option<i64>,
    mut visit: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<()> {
    let tx = conn.unchecked_transaction()?;
    let header = json!({"type": "memctl", "version": VERSION}).to_string();
    let projects = projects(&tx, project_id)?;
    if std::iter::once(&header).chain(&projects).try_for_each(|line| visit(line)).is_break() {
        return Ok(());
    }
    for table in &TABLES {
        let sql = row_sql(table);
        for id in ids(&tx, table, project_id)? {
            if visit(&line(&tx, table, &sql, id)?).is_break() {
                return Ok(());
            }
        }
    }
    decisions::visit(&tx, project_id, visit).map(drop)
}

/// Ids and names of all projects that have a row, by name.
pub fn project_names(conn: &Connection) -> Result<Vec<(i64, String)>> {
    let mut rows = conn.prepare(
        "SELECT id, name FROM projects p WHERE EXISTS (SELECT 1 FROM sessions WHERE project_id = p.id)
           OR EXISTS (SELECT 1 FROM observations WHERE project_id = p.id) ORDER BY name, id",
    )?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn projects(conn: &Connection, only: Option<i64>) -> Result<Vec<String>> {
    let mut rows = conn.prepare(
        "SELECT p.id, p.name, p.root, p.separate, p.named,
           (SELECT json_group_array(key) FROM
             (SELECT key FROM project_keys WHERE project_id = p.id ORDER BY key)),
           (SELECT json_group_array(json_object('hash', hash, 'seen_at_epoch', seen_at_epoch)) FROM
             (SELECT hash, seen_at_epoch FROM project_commits WHERE project_id = p.id ORDER BY hash))
         FROM projects p WHERE (?1 IS NULL OR p.id = ?1 OR EXISTS (SELECT 1 FROM turn_projects t
             JOIN sessions s ON s.id = t.session_id WHERE t.project_id = p.id AND s.project_id = ?1))
           AND p.merged_into IS NULL
         ORDER BY (SELECT min(key) FROM project_keys WHERE project_id = p.id)",
    )?;
    let rows = rows.query_map([only], |row| {
        let (name, root): (String, String) = (row.get(1)?, row.get(2)?);
        let (keys, commits): (String, String) = (row.get(5)?, row.get(6)?);
        let mut line = Object::new("project");
        line.put("keys", &keys);
        line.put("name", &json!(name).to_string());
        line.put("root", &json!(root).to_string());
        line.put("separate", &row.get::<_, bool>(3)?.to_string());
        line.put("named", &row.get::<_, bool>(4)?.to_string());
        line.put("commits", &commits);
        Ok(line.end())
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn ids(conn: &Connection, table: &Table, project_id: Option<i64>) -> Result<Vec<i64>> {
    let Table { name, time, .. } = table;
    let project = table.project_column();
    let mut rows = conn.prepare(&format!(
        "SELECT id FROM {name} WHERE ?1 IS NULL OR {project} = ?1 ORDER BY {time}, uuid"
    ))?;
    let rows = rows.query_map([project_id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn row_sql(table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.kind {
            Kind::Session => {
                format!("(SELECT uuid FROM sessions p WHERE p.id = r.{})", column.column)
            }
            Kind::Project => {
                format!(
                    "(SELECT min(key) FROM project_keys k WHERE k.project_id = r.{})",
                    column.column
                )
            }
            _ => format!("r.{}", column.column),
        })
        .collect();
    format!("SELECT {} FROM {} r WHERE r.id = ?1", columns.join(", "), table.name)
}

fn line(conn: &Connection, table: &Table, sql: &str, id: i64) -> Result<String> {
    let mut line = Object::new(table.kind);
    conn.prepare_cached(sql)?.query_row([id], |row| {
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(value) = value(row, at, column.kind)? {
                line.put(column.key, &value);
            }
        }
        Ok(())
    })?;
    if table.kind == "observation" {
        let files: String = conn
            .prepare_cached(
                "SELECT json_group_array(json_object('path', path, 'role', role, 'blob', blob)) FROM
                   (SELECT path, role, blob FROM observation_files WHERE observation_id = ?1
                    ORDER BY path, role)",
            )?
            .query_row([id], |row| row.get(0))?;
        line.put("files", &files);
    }
    if table.kind == "summary"
        && let Some(marks) = decisions::marks(conn, id)?
    {
        line.put("marks", &marks);
    }
    Ok(line.end())
}

/// The JSON of a column. `None` for NULL, and for what is not of the column's kind.
fn value(row: &Row, at: usize, kind: Kind) -> rusqlite::Result<Option<String>> {
    Ok(match (row.get_ref(at)?, kind) {
        (ValueRef::Text(text), Kind::Json) => {
            let text = String::from_utf8_lossy(text);
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            (is_json && !text.contains('\n')).then(|| text.into_owned())
        }
        (ValueRef::Text(text), _) => Some(json!(String::from_utf8_lossy(text)).to_string()),
        (ValueRef::Integer(n), Kind::Flag) => Some((n != 0).to_string()),
        (ValueRef::Integer(n), _) => Some(n.to_string()),
        (ValueRef::Real(n), _) => Number::from_f64(n).map(|n| n.to_string()),
        (ValueRef::Null | ValueRef::Blob(_), _) => None,
    })
}
