//! Time of a query and size of the store, for rows of about 500 characters with words as frequent as in texts:
//! `--only search`. The rows are stored by `remember --jsonl` and asked by `search --batch`, a line at a time.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::Programs;
use crate::measure::{Result, Samples, whole_process};
use crate::report::{Report, Row, heading};
use crate::world::World;

/// Queries of each kind.
const QUERIES: usize = 300;
/// Rows of a session.
const PER_SESSION: usize = 50;
/// A word that only one row has.
const RARE: &str = "zyxomma";

/// The number of rows, and the most milliseconds of a query.
const SIZES: [(usize, f64); 2] = [(10_000, 6.0), (100_000, 10.0)];

pub fn all(report: &mut Report, programs: &Programs) -> Result<()> {
    for (n_rows, most) in SIZES {
        size(report, programs, n_rows, most)?;
    }
    Ok(())
}

/// The same with a million rows, which takes minutes: only if it is asked for.
pub fn million(report: &mut Report, programs: &Programs) -> Result<()> {
    size(report, programs, 1_000_000, 20.0)
}

fn size(report: &mut Report, programs: &Programs, n_rows: usize, most: f64) -> Result<()> {
    heading(&format!("Search in {n_rows} rows"));
    let world = World::new(&programs.memctl)?;
    world.run_one_session()?;
    let mut random = Random(7);
    let rows: String = (0..n_rows).map(|i| random.row(i)).collect();
    let took = remember(&world, &rows)?;
    let rate = Row::single("bulk insert", n_rows as f64 / took, "rows/s");
    report.row(rate.at_least(5_000.0));
    let (index, database) = bytes(&world)?;
    let per_row = |bytes: i64| bytes as f64 / n_rows as f64;
    report.row(Row::single("index, a row", per_row(index), "B").at_most(100.0));
    report.row(Row::single("database, a row", per_row(database), "B").at_most(1000.0));
    let mut batch = Batch::start(&world)?;
    for (name, bytes) in [("a question", 60), ("an issue", 2_000), ("a long prompt", 20_000)] {
        let mut times = Vec::new();
        for _ in 0..QUERIES {
            let query = random.text(bytes);
            let begun = Instant::now();
            batch.ask(&query)?;
            times.push(begun.elapsed());
        }
        let row = Row::time(&Samples::new(name, times));
        report.row(row.p99_at_most(most));
    }
    drop(batch);
    if n_rows == SIZES[0].0 {
        flood(report, &world)?;
        forgotten(report, &world)?;
    }
    Ok(())
}

/// Rows of origin `web` change neither the place of another row nor the time of a query.
fn flood(report: &mut Report, world: &World) -> Result<()> {
    let question = format!("how is the {RARE} of the importer calibrated");
    let good = json!({ "id": "good", "session": "good", "text": format!("The {RARE} of the importer is calibrated twice.") });
    remember(world, &format!("{good}\n"))?;
    let measure = |name: &'static str| -> Result<(Row, Option<usize>)> {
        let mut batch = Batch::start(world)?;
        let (mut times, mut place) = (Vec::new(), None);
        for _ in 0..QUERIES {
            let begun = Instant::now();
            let found = batch.ask(&question)?;
            times.push(begun.elapsed());
            let results = found["results"].as_array().cloned().unwrap_or_default();
            place = results.iter().position(|hit| hit["external_id"] == "good");
        }
        Ok((Row::time(&Samples::new(name, times)), place))
    };
    let (before, first) = measure("a question, before the flood")?;
    let rows = (0..10_000).map(|i| {
        let text = format!("The {RARE} of the importer is calibrated never, says page {i}.");
        let row = json!({ "id": format!("web-{i}"), "session": format!("web-{}", i / 50), "text": text,
            "origin": "web" });
        format!("{row}\n")
    });
    remember(world, &rows.collect::<String>())?;
    let (after, place) = measure("a question, 10,000 rows of the web in front")?;
    let most = before.value * 1.5 + 0.5;
    report.row(before);
    report.row(after.at_most(most));
    let place = place.map_or(f64::INFINITY, |place| place as f64 + 1.0);
    if first != Some(0) {
        report.not_measured("the good row was not first before the flood".into());
    }
    report.row(Row::single("place of the good row behind it", place, "").at_most(1.0));
    Ok(())
}

/// A forgotten word is in no file of the store.
fn forgotten(report: &mut Report, world: &World) -> Result<()> {
    let word = "qwyjibohax";
    let row =
        json!({ "id": "secret", "session": "s", "text": format!("The launch word is {word}.") });
    remember(world, &format!("{row}\n"))?;
    let mut batch = Batch::start(world)?;
    let found = batch.ask(word)?;
    drop(batch);
    let id = found["results"][0]["id"].as_str().ok_or("the word is not found")?.to_owned();
    run(world, &["forget", &id, "--yes", "--now", "--verify"], "")?;
    let mut n_files = 0;
    for file in ["memctl.db", "memctl.db-wal"] {
        let bytes = std::fs::read(world.data().join(file)).unwrap_or_default();
        let has = bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
        n_files += usize::from(has);
    }
    report.row(Row::single("files with a forgotten word", n_files as f64, "").at_most(0.0));
    Ok(())
}

/// Stores rows in the world's project. Returns the seconds that it took.
fn remember(world: &World, rows: &str) -> Result<f64> {
    let project = world.path("project").display().to_string();
    run(world, &["remember", "--jsonl", "-", "--project", &project], rows)
}

fn run(world: &World, args: &[&str], stdin: &str) -> Result<f64> {
    let command = &mut world.memctl(args);
    Ok(whole_process(command, stdin.as_bytes())?.0.as_secs_f64())
}

/// The bytes of the index of words and of the whole database.
fn bytes(world: &World) -> Result<(i64, i64)> {
    let db = Connection::open(world.data().join("memctl.db")).map_err(|e| e.to_string())?;
    let size = |sql: &str| db.query_row(sql, [], |r| r.get(0)).map_err(|e| format!("{sql}: {e}"));
    Ok((
        size("SELECT sum(length(block) + 12) FROM words_data")?,
        size("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
    ))
}

/// A `memctl search --batch` that answers a line at a time.
struct Batch {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    project: String,
}

impl Batch {
    fn start(world: &World) -> Result<Batch> {
        let mut command = world.memctl(&["search", "--batch", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Ok(Batch { child, stdin, stdout, project: world.path("project").display().to_string() })
    }

    fn ask(&mut self, query: &str) -> Result<Value> {
        let line = json!({ "id": 1, "query": query, "project": self.project, "limit": 10 });
        let stdin = self.stdin.as_mut().expect("open until it is dropped");
        writeln!(stdin, "{line}").map_err(|e| e.to_string())?;
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).map_err(|e| e.to_string())?;
        serde_json::from_str(&answer).map_err(|e| format!("search --batch: {e}: {answer}"))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

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

    /// A row of 500 characters as a line of `remember --jsonl`.
    fn row(&mut self, number: usize) -> String {
        let text = self.text(460);
        let row = json!({
            "id": format!("row-{number}"),
            "session": format!("session-{}", number / PER_SESSION),
            "title": &text[..text.floor_char_boundary(40)],
            "text": text,
            "created_at_epoch": 1_700_000_000_000_i64 + number as i64 * 1_000,
        });
        format!("{row}\n")
    }
}
