//! Finds passwords in the cells below a header: tables of Markdown, of `psql`, and CSV.

use std::ops::Range;

use super::decision;
use super::name::{self, Strength};

/// Longer lines are no header.
const MAX_HEADER: usize = 300;
/// Maximum bytes of a table.
const MAX_TABLE: usize = 16 << 10;

/// Whether a name that ends at `end` can be a cell of a header: the cell ends there, too.
pub fn may_be_cell(text: &str, end: usize) -> bool {
    let rest = text.as_bytes()[end..].iter().find(|b| !matches!(b, b' ' | b'"'));
    rest.is_some_and(|b| matches!(b, b'|' | b',' | b'\t' | b';' | b'\r' | b'\n'))
}

/// Returns the passwords below the header in whose line `at` is, and the end of that line.
pub fn cells(text: &str, at: usize) -> (usize, Vec<(Range<usize>, &'static str)>) {
    let from = text.floor_char_boundary(at.saturating_sub(MAX_HEADER));
    let start = text[from..at].rfind('\n').map_or(from, |end| from + end + 1);
    let limit = text.floor_char_boundary(text.len().min(at + MAX_HEADER));
    let Some(end) = text[at..limit].find('\n').map(|len| at + len) else {
        return (limit, Vec::new());
    };
    (end, below(text, start..end).unwrap_or_default())
}

fn below(text: &str, header: Range<usize>) -> Option<Vec<(Range<usize>, &'static str)>> {
    let line = &text[header.clone()];
    let mark = ['|', ',', '\t', ';'].into_iter().find(|mark| line.contains(*mark))?;
    let is_cell = |cell: &str| {
        !cell.is_empty()
            && cell.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '))
    };
    let inner = line.trim().trim_matches('|');
    // A list of arguments has blanks behind its commas.
    if !inner.split(mark).map(|cell| cell.trim().trim_matches('"')).all(is_cell)
        || mark != '|' && inner.contains(' ')
    {
        return None;
    }
    let columns: Vec<_> = line
        .split(mark)
        .map(|cell| {
            name::classify(cell.trim().trim_matches('"')).filter(|n| n.strength > Strength::Weak)
        })
        .collect();
    let end = text.floor_char_boundary(text.len().min(header.end + 1 + MAX_TABLE));
    let mut at = header.end + 1;
    let mut rows = text[at..end].split('\n');
    if mark == '|' {
        let rule = rows.next().filter(|rule| is_rule(rule))?;
        at += rule.len() + 1;
    }
    let mut found = Vec::new();
    for row in rows {
        if row.split(mark).count() != columns.len() {
            break;
        }
        for (cell, name) in row.split(mark).zip(&columns) {
            let value = cell.trim().trim_matches(['"', '`']);
            if let Some(name) = name
                && decision::is_secret_cell(*name, value)
            {
                let start = at + cell.find(value).unwrap_or(0);
                found.push((start..start + value.len(), name.kind));
            }
            at += cell.len() + 1;
        }
    }
    Some(found)
}

/// Whether a line is the rule below a header.
fn is_rule(line: &str) -> bool {
    line.contains("--") && line.chars().all(|c| matches!(c, '-' | '|' | '+' | ':' | ' ' | '\r'))
}
