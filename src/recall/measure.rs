//! Measures the time of a query and the size of the index:
//!
//! ```text
//! cargo test --release --bin memctl recall::measure -- --ignored --nocapture
//! MEASURED_ROWS=1000000 …
//! ```

use std::time::{Duration, Instant};

use rusqlite::params;

use super::*;
use crate::store::Store;
use crate::store::testing::temp_paths;

/// Numbers that only look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A word; few are common and most are rare, as in texts.
    fn word(&mut self) -> String {
        const WORDS: f64 = 40_000.0;
        let rank = WORDS.powf(self.next()) as usize;
        let (consonants, vowels) = (b"btkdmrslnpgvzfhc", b"aeiou");
        let (mut rank, mut word) = (rank * 7919 + 11, String::new());
        while rank > 0 {
            word.push(consonants[rank % consonants.len()].into());
            word.push(vowels[rank / consonants.len() % vowels.len()].into());
            rank /= consonants.len() * vowels.len();
        }
        word
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text += &self.word();
            text.push(if self.next() < 0.1 { '.' } else { ' ' });
        }
        text
    }
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * share) as usize]
}

#[test]
#[ignore = "it takes minutes, and measures"]
fn the_time_of_a_query() {
    let rows = crate::config::process_env("MEASURED_ROWS")
        .and_then(|n| n.into_string().ok()?.parse().ok());
    for n_rows in rows.map_or(vec![10_000, 100_000], |n: i64| vec![n]) {
        measure(n_rows);
    }
}

fn measure(n_rows: i64) {
    let (_dir, paths) = temp_paths();
    let mut store = Store::open(&paths).unwrap();
    let mut random = Random(7);
    let since = Instant::now();
    store
        .write(|tx| {
            tx.execute_batch(
                "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one');
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                 INSERT INTO sessions (id, uuid, client, content_session_id, project_id,
                   started_at_epoch, last_event_epoch) SELECT i, 'u' || i, 'c', 's' || i, 1, 0, 0 FROM n",
            )?;
            Ok(())
        })
        .unwrap();
    let mut done = 0;
    let (mut in_index, mut in_rows) = (Duration::ZERO, Duration::ZERO);
    while done < n_rows {
        let texts: Vec<String> = (0..5000).map(|_| random.text(480)).collect();
        let begun = Instant::now();
        store
            .write(|tx| {
                for (i, text) in texts.iter().enumerate() {
                    let id = done + i as i64 + 1;
                    tx.prepare_cached(
                        "INSERT INTO observations (id, uuid, session_id, project_id, origin, type,
                           title, narrative, backend, content_hash, created_at_epoch, changed_at_epoch)
                         VALUES (?1, 'o' || ?1, 1 + ?1 / 50 % 20000, 1, 'tool', 'discovery', ?2, ?3,
                           'b', ?1, ?1, 0)",
                    )?
                    .execute(params![id, &text[..text.floor_char_boundary(40)], text])?;
                    let begun = Instant::now();
                    words::add(tx, RowId::observation(id))?;
                    in_index += begun.elapsed();
                }
                Ok(())
            })
            .unwrap();
        in_rows += begun.elapsed();
        done += 5000;
    }
    let size = |sql: &str| -> i64 {
        let pages: i64 = store.connection().query_row(sql, [], |r| r.get(0)).unwrap();
        pages
    };
    let index = size("SELECT sum(length(block) + 12) FROM words_data");
    let all = size("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    println!(
        "{n_rows} rows in {:?}: {:.0} rows/s ({:.0} % in the index), index {} B/row, database {} B/row",
        since.elapsed(),
        n_rows as f64 / in_rows.as_secs_f64(),
        100.0 * in_index.as_secs_f64() / in_rows.as_secs_f64(),
        index / n_rows,
        all / n_rows,
    );
    for (name, bytes) in [("question", 60), ("issue", 2000), ("prompt", 20_000)] {
        for for_injection in [false, true] {
            let (mut times, mut postings) = (Vec::new(), Vec::new());
            for _ in 0..300 {
                let query = random.text(bytes);
                let request = Request {
                    query: &query,
                    project: Some(1),
                    limit: 10,
                    for_injection,
                    ..Request::default()
                };
                let begun = Instant::now();
                let found = search(store.connection(), &request).unwrap();
                times.push(begun.elapsed());
                postings.push(found.postings);
            }
            postings.sort_unstable();
            println!(
                "  {name}{}: p50 {:?}, p99 {:?}; postings p50 {}, p99 {}",
                if for_injection { ", injected" } else { "" },
                percentile(&mut times, 0.5),
                percentile(&mut times, 0.99),
                postings[150],
                postings[296],
            );
        }
    }
    parts(store.connection(), &mut random, n_rows);
}

/// Where the time goes.
fn parts(conn: &Connection, random: &mut Random, n_rows: i64) {
    const N: u32 = 300;
    let transaction = conn.unchecked_transaction().unwrap();
    let mut times = [Duration::ZERO; 6];
    for i in 0..N {
        let text = random.text(60);
        let request = Request { query: &text, project: Some(1), limit: 10, ..Request::default() };
        let query = query::Query::parse(conn, &request, 0).unwrap();
        let mut add = |part: usize, since: Instant| times[part] += since.elapsed();
        let since = Instant::now();
        let mut selected = select::select(conn, &query, &request).unwrap();
        add(0, since);
        let since = Instant::now();
        score::score(conn, &query, &mut selected, &request).unwrap();
        add(1, since);
        let row = RowId::observation(1 + (i64::from(i) * 7919) % n_rows);
        let since = Instant::now();
        let stored = words::load(conn, row).unwrap().unwrap();
        add(2, since);
        let since = Instant::now();
        words::neighbours(conn, &stored, words::Side::Before, 2).unwrap();
        add(3, since);
        let since = Instant::now();
        stored.document.words();
        add(4, since);
        let range = words::Scope { project: 1, unasked: false }.range();
        let since = Instant::now();
        let word = random.word();
        let word = words::Expression::word(&word);
        words::postings(conn, &word, &range, words::Order::NewestFirst, 256).unwrap();
        add(5, since);
    }
    drop(transaction);
    let names = ["select", "score", "load a row", "a neighbour", "words of a row", "256 postings"];
    for (name, time) in names.iter().zip(times) {
        println!("  {name}: {:?}", time / N);
    }
}
