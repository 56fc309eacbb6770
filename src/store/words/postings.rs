//! The rows that have a word.

use std::ops::RangeInclusive;

use rusqlite::{Connection, params};

use crate::store::error::Result;

/// A beginning of words stands for at most so many of them.
const MAX_EXPANDED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// What is looked up in the index: one stem, or some stems with the same beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expression(String);

impl Expression {
    pub fn word(stem: &str) -> Expression {
        // A stem has no quotation mark.
        Expression(format!("\"{stem}\""))
    }

    /// Rows with both.
    pub fn and(&self, other: &Expression) -> Expression {
        Expression(format!("({}) AND ({})", self.0, other.0))
    }

    /// Rows with one of them.
    pub fn or<'a>(words: impl Iterator<Item = &'a Expression>) -> Expression {
        let words: Vec<&str> = words.map(|word| word.0.as_str()).collect();
        Expression(words.join(" OR "))
    }

    /// One of these words of the index.
    pub(super) fn any(words: impl Iterator<Item = String>) -> Expression {
        let words: Vec<String> = words.map(|word| Expression::word(&word).0).collect();
        Expression(words.join(" OR "))
    }

    /// The first [`MAX_EXPANDED`] stems of the index that begin with `start`. SQLite's own search by a
    /// prefix reads the rows of all of them before it returns the first one.
    pub fn prefix(conn: &Connection, start: &str) -> Result<Expression> {
        list_words(conn)?;
        let mut next =
            conn.prepare_cached("SELECT term FROM temp.word_list WHERE term >= ?1 LIMIT 1")?;
        let mut words = vec![Expression::word(start).0];
        let mut from = start.to_owned();
        while words.len() <= MAX_EXPANDED {
            let mut rows = next.query([&from])?;
            let Some(row) = rows.next()? else { break };
            let term: String = row.get(0)?;
            if !term.starts_with(start) {
                break;
            }
            if term != start {
                words.push(Expression::word(&term).0);
            }
            // The next larger text.
            from = term + "\0";
        }
        Ok(Expression(words.join(" OR ")))
    }
}

/// Creates the list of the index's words for this connection. It reads the index and stores nothing.
fn list_words(conn: &Connection) -> Result<()> {
    let exists = "SELECT EXISTS (SELECT 1 FROM temp.sqlite_schema WHERE name = 'word_list')";
    if conn.query_row(exists, [], |r| r.get(0))? {
        return Ok(());
    }
    let is_reader: bool = conn.query_row("PRAGMA query_only", [], |r| r.get(0))?;
    conn.execute_batch("PRAGMA query_only = OFF")?;
    let created = conn.execute_batch(
        "CREATE VIRTUAL TABLE temp.word_list USING fts5vocab(main, words, instance)",
    );
    conn.pragma_update(None, "query_only", is_reader)?;
    Ok(created?)
}

/// The rowids in `range` of rows that have one of the stems: at most `limit`.
pub fn postings(
    conn: &Connection,
    word: &Expression,
    range: &RangeInclusive<i64>,
    order: Order,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let sql = match order {
        Order::NewestFirst => {
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid DESC LIMIT ?4"
        }
        Order::OldestFirst => {
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid LIMIT ?4"
        }
    };
    let mut rows = conn.prepare_cached(sql)?;
    let mut rows = rows.query(params![word.0, range.start(), range.end(), limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row.get(0)?);
    }
    Ok(found)
}
