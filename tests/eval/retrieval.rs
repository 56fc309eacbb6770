//! Search compared with `bm25()` of SQLite: each row is the rest of a comment in the source of a library,
//! and a question is the first sentence of a comment.
//!
//! `retrieval.jsonl` is made of comments of jiff, memchr, walkdir, winapi-util (Unlicense or MIT) and
//! regex-lite (MIT or Apache-2.0). A file is a session, so that rows have neighbours.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::World;

const ROWS: &str = include_str!("retrieval.jsonl");

/// Search must find at least this share of the rows among the first five. It finds 0.642, and SQLite's
/// ranking 0.583.
const LEAST: f64 = 0.608;

#[test]
fn search_finds_more_than_bm25() {
    let rows: Vec<Value> = ROWS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let questions: Vec<(&str, &str)> = rows
        .iter()
        .filter_map(|row| Some((row["id"].as_str()?, row["question"].as_str()?)))
        .collect();
    let (found, by_bm25) = (by_search(&rows, &questions), by_bm25(&rows, &questions));
    println!("search: {found:.3} of the rows among the first five, bm25: {by_bm25:.3}");
    assert!(found >= by_bm25, "search {found:.3}, bm25 {by_bm25:.3}");
    assert!(found >= LEAST, "search {found:.3}");
}

/// The share of the questions whose row is among the first five that `memctl search` finds.
fn by_search(rows: &[Value], questions: &[(&str, &str)]) -> f64 {
    let world = World::new();
    let lines = rows.iter().enumerate().map(|(i, row)| {
        let line = json!({"id": row["id"], "session": row["session"], "text": row["text"],
            "project": "docs", "created_at_epoch": 1_700_000_000_000_i64 + 1000 * i as i64});
        format!("{line}\n")
    });
    world.memctl_with(&["remember", "--jsonl", "-"], lines.collect::<String>().as_bytes()).ok();
    let queries = questions.iter().map(|(id, question)| {
        format!("{}\n", json!({"id": id, "query": question, "project": "docs", "limit": 5}))
    });
    let input: String = queries.collect();
    let answers = world.memctl_with(&["search", "--batch", "-"], input.as_bytes()).ok();
    let is_hit = |line: &&str| {
        let answer: Value = serde_json::from_str(line).unwrap();
        let results = answer["results"].as_array().unwrap();
        results.iter().any(|result| result["external_id"] == answer["id"])
    };
    answers.lines().filter(is_hit).count() as f64 / questions.len() as f64
}

/// The same with SQLite's ranking, for any of the words, stemmed.
fn by_bm25(rows: &[Value], questions: &[(&str, &str)]) -> f64 {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE VIRTUAL TABLE t USING fts5(text, tokenize = 'porter unicode61')")
        .unwrap();
    let mut ids = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        let text = row["text"].as_str().unwrap();
        db.execute("INSERT INTO t (rowid, text) VALUES (?1, ?2)", (i as i64, text)).unwrap();
        ids.insert(row["id"].as_str().unwrap(), i as i64);
    }
    let mut first_five =
        db.prepare("SELECT rowid FROM t WHERE t MATCH ?1 ORDER BY rank LIMIT 5").unwrap();
    let mut n_hits = 0;
    for (id, question) in questions {
        let words = question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let query = words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        let found = first_five.query_map([query], |r| r.get::<_, i64>(0)).unwrap();
        n_hits += usize::from(found.map(Result::unwrap).any(|row| row == ids[id]));
    }
    n_hits as f64 / questions.len() as f64
}
