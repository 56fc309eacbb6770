//! What each part of the score decides, and the bounds of a query's work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::recall::parts::Part;
use crate::recall::parts::tests::without;

/// The rows of each case are in sessions of their own, the answer is the first one and the older one.
#[test]
fn each_part_of_the_score_decides() {
    let words = |word: &str, n: usize| format!("{word} ").repeat(n);
    let check = |part: Part, query: &str, rows: Rows, answer: &str| {
        assert_eq!(rows.found(query)[0], answer, "{part:?}");
        let found = without(part, || rows.found(query));
        assert_ne!(found[0], answer, "without {part:?}");
    };

    let mut rows = Rows::new();
    let answer = rows.add(1, "Quokka", "");
    for _ in 0..200 {
        rows.add(2, "Report", &words("report", 8));
    }
    check(Part::Idf, "quokka report", rows, &answer);

    let mut rows = Rows::new();
    rows.add_filler(2, 120);
    let answer = rows.add(1, "Kiwi kiwi kiwi", &words("pear", 57));
    rows.add(2, "Kiwi kiwi", "");
    check(Part::Floor, "kiwi", rows, &answer);

    let mut rows = Rows::new();
    let long =
        |gap: usize| format!("pulley {} lantern {}", words("pear", gap), words("apple", 400 - gap));
    let answer = rows.add(1, "Near", &long(10));
    rows.add(2, "Far", &long(390));
    check(Part::Passages, "pulley lantern", rows, &answer);

    let mut rows = Rows::new();
    let answer = rows.add(1, "The pulley is red", "");
    rows.add(1, "It hangs beside a lantern", "");
    for i in 0..12 {
        rows.add(2, "A lantern", &format!("number{i}"));
    }
    rows.add_filler(2, 40);
    rows.add(2, "The pulley is red", "");
    check(Part::Neighbours, "pulley lantern", rows, &answer);

    let mut rows = Rows::new();
    let answer = rows.add(1, "lantern pulley apple pear plum grape", "");
    rows.add_filler(1, 20);
    rows.add_filler(2, 20);
    rows.add(2, "lantern apple pear plum grape pulley", "");
    check(Part::Pairs, "pulley lantern", rows, &answer);
}

/// A long prompt looks up 48 words and reads as many texts as a question. The work is that of SQLite's virtual
/// machine.
#[test]
fn a_long_prompt_costs_a_bounded_amount_of_work() {
    let mut rows = Rows::new();
    let common: Vec<String> = (0..400).map(|i| format!("common{}", i % 40)).collect();
    for i in 0..1_500 {
        rows.add(1, "Row", &format!("{} number{i}", common[i % 400..].join(" ")));
    }
    let work = |rows: &mut Rows, query: &str, for_injection| {
        let n = Arc::new(AtomicUsize::new(0));
        let counter = n.clone();
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        };
        rows.conn.progress_handler(100, Some(count)).unwrap();
        let found = rows.search_with(Request {
            query,
            project: Some(1),
            limit: 10,
            for_injection,
            ..Request::default()
        });
        assert!(!found.hits.is_empty());
        assert!(found.words.len() <= 48, "{}", found.words.len());
        n.load(Ordering::Relaxed)
    };
    let question = (0..10).map(|i| format!("common{i}")).collect::<Vec<_>>().join(" ");
    let mut prompt = String::new();
    while prompt.len() < 20_000 {
        prompt.push_str(&format!("common{} other{} ", prompt.len() % 40, prompt.len() % 900));
    }
    for for_injection in [false, true] {
        let short = work(&mut rows, &question, for_injection);
        let long = work(&mut rows, &prompt, for_injection);
        // An injection reads fewer rows, so that the words count more.
        let most = if for_injection { 4 } else { 2 };
        assert!(long <= most * short, "{long} against {short}, for injection: {for_injection}");
    }
}

#[test]
fn one_threshold_of_confidence_serves_stores_of_any_size() {
    for n in [10, 1_000, 100_000] {
        let mut rows = Rows::new();
        rows.add_much_filler(n);
        rows.add(
            1,
            "The login cookie expires after one hour",
            "Sessions end because the login cookie expires.",
        );
        let sure = rows.search("why does the login cookie expire after an hour").confidence;
        assert!(sure >= SURE, "{n} rows: {sure}");
        for foreign in [
            "which kubernetes ingress controller terminates tls for the staging module",
            "how do I keep a table of the best violin teachers",
        ] {
            let found = rows.search(foreign).confidence;
            assert!(found < SURE, "{n} rows: {foreign}: {found}");
        }
    }
}

/// Forty rows have the rare word, and the common one is read only of the newest rows.
#[test]
fn an_injection_finds_the_row_with_a_rare_and_a_common_word() {
    let mut rows = Rows::new();
    let answer = rows.add(1, "Quokka", "The parser of the quokka");
    let row = |text| New { session: 2, title: "Row", text, origin: "assistant" };
    let rare: Vec<String> = (0..40).map(|i| format!("quokka number{i}")).collect();
    rows.add_all(rare.iter().map(|text| row(text)));
    let common: Vec<String> = (0..6_000).map(|i| format!("parser number{i}")).collect();
    rows.add_all(common.iter().map(|text| row(text)));
    let found = rows.search_with(Request {
        query: "the parser of the quokka",
        project: Some(1),
        limit: 3,
        for_injection: true,
        ..Request::default()
    });
    assert_eq!(names(&found)[0], answer);
    assert!(found.postings < 1_000, "{}", found.postings);
}
