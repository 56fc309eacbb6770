use rusqlite::{Connection, params};

use super::*;
use crate::store::testing::{in_memory_db, write};

#[path = "limits_tests.rs"]
mod limits;

/// A store of observations in the sessions `first` and `second` of project 1 and `third` of project 2.
struct Rows {
    conn: Connection,
    n: i64,
}

/// An observation of a session.
struct New<'a> {
    session: i64,
    title: &'a str,
    text: &'a str,
    origin: &'a str,
}

impl Rows {
    fn new() -> Rows {
        let conn = in_memory_db();
        conn.execute_batch(
            "INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one'), (2, 'two', '/two');
             INSERT INTO sessions (id, uuid, client, content_session_id, project_id,
               started_at_epoch, last_event_epoch)
             VALUES (1, 'a', 'c', 'first', 1, 0, 0), (2, 'b', 'c', 'second', 1, 0, 0),
               (3, 'c', 'c', 'third', 2, 0, 0);",
        )
        .unwrap();
        Rows { conn, n: 0 }
    }

    /// Adds an observation, one second after the one before.
    fn add(&mut self, session: i64, title: &str, text: &str) -> String {
        self.add_all([New { session, title, text, origin: "assistant" }]);
        format!("o{}", self.n)
    }

    fn add_all<'a>(&mut self, rows: impl IntoIterator<Item = New<'a>>) {
        let mut n = self.n;
        write(&mut self.conn, |tx| {
            for row in rows {
                n += 1;
                tx.prepare_cached(
                    "INSERT INTO observations (id, uuid, session_id, project_id, origin, type, title,
                       narrative, backend, content_hash, created_at_epoch, changed_at_epoch)
                     SELECT ?1, 'u' || ?1, id, project_id, ?5, 'discovery', ?3, ?4, 'b', ?1,
                       ?1 * 1000, 0 FROM sessions WHERE id = ?2",
                )?
                .execute(params![n, row.session, row.title, row.text, row.origin])?;
                words::add(tx, RowId::observation(n))?;
            }
            Ok(())
        });
        self.n = n;
    }

    /// Adds rows that say nothing about the questions of the tests.
    fn add_filler(&mut self, session: i64, n: usize) {
        let texts: Vec<String> = (0..n)
            .map(|i| format!("The module number{i} of layer{} keeps its table{}", i % 97, i % 41))
            .collect();
        let row = |text| New { session, title: "Filler", text, origin: "assistant" };
        self.add_all(texts.iter().map(|text| row(text)));
    }

    /// Adds many such rows to project 1 by SQL alone.
    fn add_much_filler(&mut self, n: usize) {
        let sql = format!(
            "CREATE TEMP TABLE filler AS WITH RECURSIVE n(i) AS
               (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {first} + {n})
             SELECT i, 'layer' || i % 97 AS layer, 'table' || i % 41 AS place FROM n;
             INSERT INTO observations (id, uuid, session_id, project_id, origin, type, title, narrative,
               backend, content_hash, created_at_epoch, changed_at_epoch)
             SELECT i, 'u' || i, 1, 1, 'assistant', 'discovery', 'Filler', 'The module number' || i ||
               ' of ' || layer || ' keeps its ' || place, 'b', i, i * 1000, 0 FROM filler;
             INSERT INTO words (rowid, text) SELECT (1 << 40) | (i << 2),
               'filler it keep ' || layer || ' modul number' || i || ' of ' || place || ' the' FROM filler;
             INSERT INTO word_totals (scope, kind, n_rows, n_words, first_id, last_id)
             VALUES (2, 0, {n}, {n} * 60, {first}, {first} + {n} - 1);
             DROP TABLE filler;",
            first = self.n + 1,
        );
        self.change(&sql);
        self.n += n as i64;
    }

    fn search(&self, query: &str) -> Found {
        self.search_with(Request { query, project: Some(1), limit: 10, ..Request::default() })
    }

    fn search_with(&self, request: Request) -> Found {
        search(&self.conn, &request).unwrap()
    }

    fn found(&self, query: &str) -> Vec<String> {
        names(&self.search(query))
    }

    fn change(&mut self, sql: &str) {
        self.conn.execute_batch(sql).unwrap();
    }
}

fn names(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| hit.stored.row.to_string()).collect()
}

#[test]
fn words_are_found_in_every_form() {
    let mut rows = Rows::new();
    let retry = rows.add(
        1,
        "Retries wait longer each time",
        "The client wrote getUserId to src/net/retry.rs",
    );
    rows.add(1, "The parser is total", "No input makes it fail");
    for query in [
        "retry",
        "retrying client",
        "user id",
        "getUserId",
        "getuserid",
        "src/net/retry.rs:42",
        "who writes",
        "\"wait longer\"",
        "retr*",
        "client -parser",
        "wait\u{301} clie\u{301}nt",
        "file: retry",
        "type:discovery retry",
        "session:fir retry",
        "project:one retry",
        "after:1970-01-01 origin:assistant retry",
        "nosuch:retry",
    ] {
        assert_eq!(rows.found(query).first(), Some(&retry), "{query}");
    }
    assert_eq!(rows.found("-parser")[0], "o2", "only a left-out word");
    for query in [
        "client -retries",
        "session:second retry",
        "before:1960 retry",
        "type:decision retry",
        "origin:user retry",
        "branch:main retry",
        "project:two retry",
        "zzz",
    ] {
        assert!(rows.found(query).is_empty(), "{query}");
    }
}

#[test]
fn scripts_without_spaces_and_compositions_are_found() {
    let mut rows = Rows::new();
    let memory = rows.add(1, "記憶の検索", "メモリを検索する");
    let cafe = rows.add(1, "Cafe\u{301} naïve", "Straße ΟΔΟΣ");
    let hangul = rows.add(1, "데이터베이스를 복구한다", "x");
    let thai = rows.add(1, "ฐานข้อมูลเสียหาย", "x");
    rows.add(1, "Other", "nothing");
    for (query, want) in [
        ("検索", &memory),
        ("憶", &memory),
        ("記", &memory),
        ("メモリ", &memory),
        ("café", &cafe),
        ("CAFE naive", &cafe),
        ("strasse", &cafe),
        ("οδος", &cafe),
        ("데이터베이스", &hangul),
        ("복구", &hangul),
        ("ข้อมูล", &thai),
    ] {
        assert_eq!(rows.found(query).first(), Some(want), "{query}");
    }
}

#[test]
fn no_text_is_an_error_and_rows_that_hold_it_come_first() {
    let mut rows = Rows::new();
    rows.add_filler(1, 300);
    let queries = [
        "pre-edit-check",
        "C++",
        "foo\"bar",
        "()*\"",
        "NOT",
        "a OR",
        "AND",
        "\"",
        "\"\"",
        "-",
        "*",
        "^a",
        "a*b",
        "NEAR(a b)",
        "x:y",
        "type:",
        "{}",
        "\\",
        "'; DROP TABLE words; --",
        "a:b:c",
        "--flag",
        "über-cool",
        "text:a",
        "rowid",
        "+a",
        "\u{0}",
        "…",
        "🦀",
    ];
    for query in queries {
        let text = format!("It says {query} here");
        let row = rows.add(1, "Odd text", &text);
        rows.add_filler(1, 3);
        assert_eq!(rows.found(query).first(), Some(&row), "{query:?}");
    }
    let brackets = "([{<\"*".repeat(2000);
    assert!(rows.found(&brackets).is_empty());
    rows.found(&"a b ".repeat(5000));
}

/// The answer shares no word with the question; the row beside it does.
#[test]
fn an_answer_beside_the_words_of_the_question_is_found() {
    for between in [false, true] {
        let mut rows = Rows::new();
        rows.add_filler(1, 50);
        rows.add(1, "Where do the nightly backups of the warehouse go?", "");
        if between {
            rows.add(2, "Another session", "in between");
        }
        let answer = rows.add(1, "To the bucket in Frankfurt", "");
        rows.add_filler(2, 50);
        let found = rows.found("where do nightly backups of the warehouse go");
        assert!(found.iter().take(5).any(|row| *row == answer), "{found:?}");
    }
}

#[test]
fn a_common_word_costs_a_bounded_number_of_postings() {
    let mut rows = Rows::new();
    let texts: Vec<String> = (0..20_000)
        .map(|i| match i % 5 {
            0 => format!("number{i}"),
            _ => format!("common number{i}"),
        })
        .collect();
    let row = |text| New { session: 1, title: "Row", text, origin: "assistant" };
    rows.add_all(texts.iter().map(|text| row(text)));
    let rare = rows.add(1, "Row", "rare common");
    rows.add_all(texts[..2000].iter().map(|text| row(text)));
    let found = rows.search("common");
    assert_eq!(found.hits.len(), 10);
    assert!(found.postings <= 20_000 + 2 * 256, "{}", found.postings);
    let found = rows.search("common rare");
    assert_eq!(names(&found)[0], rare);
    assert!(found.postings <= 20_000 + 4 * 256, "{}", found.postings);
    let known = |word: &str| found.words.iter().find(|w| w.word == word).unwrap().clone();
    let (common, rare) = (known("common"), known("rare"));
    assert!((common.rows as f64 / 17_600.0 - 1.0).abs() < 0.2, "{common:?}");
    assert!(rare.rows == 1 && rare.idf > 4.0 && common.idf < 0.5, "{rare:?} {common:?}");
}

#[test]
fn rows_of_other_projects_change_nothing_in_a_project_of_its_own() {
    let mut rows = Rows::new();
    rows.add_filler(1, 2500);
    for i in 0..20 {
        rows.add(1, "Backup", &format!("the nightly backup number{i} failed"));
    }
    let scores = |rows: &Rows| {
        let hits = rows.search("nightly backup failed").hits;
        hits.iter().map(|hit| (hit.stored.row, hit.score)).collect::<Vec<_>>()
    };
    let before = scores(&rows);
    for _ in 0..30 {
        rows.add(3, "Backup", "the nightly backup failed");
    }
    assert_eq!(scores(&rows), before);
}

#[test]
fn a_flood_from_the_web_changes_neither_place_nor_time_of_a_good_row() {
    let mut rows = Rows::new();
    rows.add_filler(1, 100);
    let good = rows.add(1, "Deploy with the blue button", "Deploy: press the blue button twice");
    let request = |for_injection| Request {
        query: "how to deploy with the blue button",
        project: Some(1),
        limit: 10,
        for_injection,
        ..Request::default()
    };
    let before = [rows.search_with(request(false)), rows.search_with(request(true))];
    let flood = "how to deploy with the blue button";
    let row = |_| New { session: 1, title: flood, text: flood, origin: "web" };
    rows.add_all((0..10_000).map(row));
    let after = [rows.search_with(request(false)), rows.search_with(request(true))];
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(names(before)[0], good);
        assert_eq!(names(after)[0], good);
    }
    assert_eq!(before[1].hits, after[1].hits);
    assert_eq!(before[1].postings, after[1].postings);
}

#[test]
fn what_is_never_told_is_found_and_not_injected() {
    let mut rows = Rows::new();
    rows.add(1, "Quarantined lighthouse", "");
    rows.add(1, "Superseded lighthouse", "");
    rows.add(1, "Expired lighthouse", "");
    let told = rows.add(1, "Current lighthouse", "");
    rows.change("UPDATE observations SET superseded_by = 'x' WHERE id = 2");
    rows.change("UPDATE observations SET expires_at_epoch = 5 WHERE id = 3");
    write(&mut rows.conn, |tx| {
        let row = RowId::observation(1);
        words::changing(tx, &[row], || {
            tx.execute("UPDATE observations SET quarantined = 1 WHERE id = 1", [])?;
            Ok(())
        })
    });
    assert_eq!(rows.search("lighthouse").hits.len(), 4);
    let request = Request {
        query: "lighthouse",
        project: Some(1),
        limit: 10,
        for_injection: true,
        ..Request::default()
    };
    assert_eq!(names(&rows.search_with(request)), [told]);
}

#[test]
fn rows_of_scope_user_are_found_in_every_project() {
    let mut rows = Rows::new();
    let everywhere = rows.add(3, "Commit messages are short", "");
    let elsewhere = rows.add(3, "Commit hooks are slow", "");
    write(&mut rows.conn, |tx| {
        words::changing(tx, &[RowId::observation(1)], || {
            tx.execute("UPDATE observations SET scope = 'user' WHERE id = 1", [])?;
            Ok(())
        })
    });
    assert_eq!(rows.found("commit"), std::slice::from_ref(&everywhere));
    let all = Request { query: "commit", limit: 10, ..Request::default() };
    let mut found = names(&rows.search_with(all));
    found.sort();
    assert_eq!(found, [everywhere, elsewhere]);
}

#[test]
fn confidence_tells_an_answer_from_shared_words() {
    let mut rows = Rows::new();
    rows.add_filler(1, 500);
    rows.add(
        1,
        "The login cookie expires after one hour",
        "Sessions end because the login cookie expires.",
    );
    for i in 0..20 {
        rows.add(
            1,
            "Note",
            &format!("a login was tested, and hour{i} of the cookie jar was cleaned"),
        );
    }
    let sure = rows.search("why does the login cookie expire after an hour").confidence;
    assert!(sure >= SURE, "{sure}");
    for foreign in [
        "write me a poem about the sea for one hour",
        "which kubernetes ingress controller terminates tls for staging",
        "what is the best way to learn the violin after work",
    ] {
        let found = rows.search(foreign);
        assert!(found.confidence < SURE, "{foreign}: {}", found.confidence);
    }
    assert_eq!(rows.search("zzz qqq").confidence, 0.0);
}

#[test]
fn a_snippet_shows_the_words_of_the_query() {
    let mut rows = Rows::new();
    let text = format!(
        "{} The cache is emptied at midnight. {}",
        "Lead. ".repeat(60),
        "Rest. ".repeat(60)
    );
    rows.add(1, "Cache", &text);
    let found = rows.search("when is the cache emptied");
    let snippet = &found.hits[0].snippet;
    let shown: Vec<&str> = snippet.highlights.iter().map(|r| &snippet.text[r.clone()]).collect();
    assert_eq!(shown, ["cache", "emptied"]);
    assert!(snippet.text.starts_with('…') && snippet.text.ends_with('…'), "{snippet:?}");
}

/// A row that meets the filter is found however many others rank higher.
#[test]
fn filters_apply_to_all_rows_and_not_to_the_best_ones() {
    let mut rows = Rows::new();
    let wanted = rows.add(1, "Old", "the deploy of the service was moved to the new cluster");
    let texts: Vec<String> =
        (0..25_000).map(|i| format!("deploy deploy service {}", i % 7)).collect();
    rows.add_all(texts.iter().map(|text| New {
        session: 2,
        title: "Deploy",
        text,
        origin: "tool",
    }));
    rows.change(
        "UPDATE observations SET type = 'decision', branch = 'topic',
           files_modified = '[\"src/deploy/steps.rs\"]' WHERE id = 1",
    );
    for query in [
        "type:decision deploy service",
        "file:src/deploy deploy service",
        "before:1970-01-02 session:first deploy service",
        "origin:assistant deploy",
        "branch:topic origin:assistant deploy",
        "type:decision dep*",
    ] {
        assert_eq!(rows.found(query), std::slice::from_ref(&wanted), "{query}");
    }
}

#[test]
fn a_short_prefix_reads_a_bounded_number_of_postings() {
    let mut rows = Rows::new();
    let texts: Vec<String> = (0..5000).map(|i| format!("reword{i} re{} common", i % 50)).collect();
    rows.add_all(texts.iter().map(|text| New { session: 1, title: "Row", text, origin: "tool" }));
    let row = rows.add(1, "Row", "reticulate");
    let found = rows.search("re*");
    assert_eq!(found.hits.len(), 10);
    assert!(found.postings <= 20_000 + 256, "{}", found.postings);
    assert_eq!(rows.found("retic*").first(), Some(&row));
}

#[test]
fn quotation_marks_and_flags_of_a_sentence_are_no_conditions() {
    let mut rows = Rows::new();
    rows.add_filler(1, 50);
    let row = rows.add(1, "The linker gets static flags from the build script", "also for musl");
    for query in [
        "why does the \"static linker\" get these flags from the build script",
        "cargo build fails: the linker gets static flags from our -build script",
    ] {
        assert_eq!(rows.found(query).first(), Some(&row), "{query}");
    }
    assert_ne!(rows.found("linker -static").first(), Some(&row));
}

#[test]
fn what_is_no_filter_is_searched_and_reported() {
    let mut rows = Rows::new();
    let row = rows.add(1, "The blah was replaced", "");
    let found = rows.search("after:blah replaced project:nowhere");
    assert_eq!(names(&found), [row]);
    let items: Vec<&str> = found.not_filters.iter().map(|(item, _)| item.as_str()).collect();
    assert_eq!(items, ["after:blah", "project:nowhere"]);
    assert!(rows.search("note: replaced file:src after:2w").not_filters.is_empty());
}

/// A search finds a word that only rows from the web have. Quarantined rows are ranked as others.
#[test]
fn rows_that_are_never_told_are_searched_by_all_their_words() {
    let mut rows = Rows::new();
    rows.add_filler(1, 20);
    rows.add_all([New { session: 1, title: "Page", text: "the zyzzyva header", origin: "web" }]);
    let page = format!("o{}", rows.n);
    assert_eq!(rows.found("zyzzyva"), [page]);
    rows.add(1, "The header is long", "");
    let quarantined = rows.add(1, "The header of the reply names the shard", "");
    let id = rows.n;
    write(&mut rows.conn, |tx| {
        words::changing(tx, &[RowId::observation(id)], || {
            tx.execute("UPDATE observations SET quarantined = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
    });
    assert_eq!(rows.found("which header of the reply names the shard")[0], quarantined);
}

/// General prompts share words with one-line facts, and none of the facts answers them.
#[test]
fn general_prompts_are_not_answered_by_one_line_facts() {
    let mut rows = Rows::new();
    let facts = [
        "Ana started a new job at the bakery in May",
        "Ana plans a trip to the mountains with her sister",
        "Ana adopted a dog named Bruno from the shelter",
        "Ana reads about gardening before work",
        "Ana bought paint for the kitchen last weekend",
        "Ana's friend Lea plays the guitar in a band",
        "Ana wants to save money for a small house",
        "Ana runs in the park every morning",
        "Ana wrote a letter to her old teacher",
        "Ana cooks pasta for her family on Sundays",
        "Ana's mother has her birthday in August",
        "Ana takes photographs of birds at the lake",
    ];
    for round in 0..20 {
        for fact in facts {
            rows.add(1, &format!("{fact} ({round})"), "");
        }
    }
    for prompt in [
        "write a letter to a friend about work at the bakery",
        "how can a friend save money for a band",
        "what is a good book for a trip with a dog to a lake",
        "plan a birthday for a teacher with pasta and birds",
        "cook pasta for a friend on a weekend trip",
    ] {
        let found = rows.search(prompt);
        assert!(found.confidence < SURE, "{prompt}: {}", found.confidence);
    }
    let found = rows.search("what is the name of the dog that Ana adopted from the shelter");
    assert!(found.confidence >= SURE, "{}", found.confidence);
}
