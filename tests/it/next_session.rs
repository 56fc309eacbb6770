//! What the next session is told of the sessions before it, as its user reads it.

use serde_json::{Value, json};

use crate::support::{Work, World};

/// The block that a session in the project starts with.
fn start(work: &Work) -> String {
    work.memctl("", &["context"]).ok()
}

/// The lines of a section.
fn section<'a>(block: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = block.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// The lines about memories in a block that answers a prompt.
fn told(response: &Value) -> Vec<String> {
    let block = response["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    block.lines().filter(|line| line.starts_with("- ")).map(str::to_owned).collect()
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

#[track_caller]
fn lacks(text: &str, part: &str) {
    assert!(!text.contains(part), "{part:?} is in:\n{text}");
}

fn migration(work: &mut Work) {
    work.prompt(
        "The release is out. Line.price becomes priceCents, with a migration of the table.",
    );
    work.write("src/invoice.ts", "export interface Line { qty: number; priceCents: number }\n");
    work.stop(
        "`Line.priceCents` replaces `price`; the old column stays because billing-export reads it.\n\n\
         What's left:\n1. billing-export must read `price_cents`\n\
         2. then drop `price` (migration 009)\n3. the PDF template still divides by 1",
    );
}

#[test]
fn steps_of_other_work_stay_open() {
    let w = World::new();
    let mut first = Work::new(&w, "kontor", "first");
    migration(&mut first);
    let mut second = Work::new(&w, "kontor", "second");
    second.prompt("Let the PDF template divide by 100 instead of 1.");
    second.write("src/pdf.ts", "export const eur = (cents: number) => cents / 100;\n");
    second.stop(
        "The PDF template divides by 100 now.\n\nNext steps:\n- run the visual tests of the invoices",
    );
    let block = start(&second);
    let open = section(&block, "Open").join("\n");
    for step in ["billing-export must read", "then drop `price`", "visual tests"] {
        has(&open, step);
        has(&second.memctl("", &["done"]).ok(), step);
    }
    lacks(&open, "the PDF template still divides");
    let all = second.memctl("", &["done", "--all"]).ok();
    has(&all, "the PDF template still divides by 1 (done in s2)");
    let json = second.memctl("", &["done", "--all", "--json"]).json();
    let retired: Vec<&Value> =
        json.as_array().unwrap().iter().filter(|step| !step["retired"].is_null()).collect();
    assert_eq!(retired.len(), 1, "{json}");
    assert_eq!((&retired[0]["retired"], &retired[0]["retired_by"]), (&json!("done"), &json!("s2")));
}

#[test]
fn a_common_word_in_backticks_closes_no_step() {
    let w = World::new();
    let mut work = Work::new(&w, "kontor", "pages");
    work.prompt("Add cursor pagination to GET /invoices. Page size 50. Do not use OFFSET.");
    work.write("src/api/routes.ts", "const page = (after: string, n: number) => [after, n];\n");
    work.stop(
        "GET /invoices uses keyset pagination now: `?after=<id>`, 50 rows per page.\n\n\
         Left to do:\n- document `after` in the OpenAPI file\n- a test with more than 50 rows",
    );
    work.prompt("ok, sort by date too, but keep ?after compatible");
    work.edit("src/api/routes.ts", "[after, n]", "[after, n, 'issued_at']");
    work.stop(
        "Invoices are sorted by `(issued_at, id)` now. A plain number in `?after` is still accepted.",
    );
    has(&section(&start(&work), "Open").join("\n"), "document `after` in the OpenAPI file");
    work.prompt("now the OpenAPI file please");
    work.write("docs/openapi.yaml", "parameters:\n  - name: after\n");
    work.stop("`after` is documented in the OpenAPI file.");
    let block = start(&work);
    lacks(&section(&block, "Open").join("\n"), "OpenAPI");
    has(&section(&block, "Open").join("\n"), "more than 50 rows");
}

/// A session with two questions and a change that has nothing to do with them.
fn questions_and_a_test(work: &mut Work) {
    work.prompt("why does psql fail to connect?");
    work.fails("psql -c 'select 1'", 2, "psql: error: connection to server failed: No such file");
    work.stop("The database runs in Docker, so use `psql -h localhost`.");
    work.prompt("How do we round VAT?");
    work.runs("cat src/invoice.ts", "export const roundCents = (x: number) => Math.round(x);");
    work.stop("Per line, half up to cents, with `Number.EPSILON` added.");
    work.prompt("Write the test with more than 50 rows.");
    work.write("test/page.test.ts", "test('51 rows', () => {});\n");
    work.stop("Added `test/page.test.ts`: 51 rows give two pages, the second with one row.");
}

#[test]
fn answers_outlast_a_change_of_other_files() {
    let w = World::new();
    let mut work = Work::new(&w, "kontor", "questions");
    questions_and_a_test(&mut work);
    let block = start(&work);
    has(&block, "use `psql -h localhost`");
    has(&block, "half up to cents");
    // Also when it is not the last session any more.
    let mut later = Work::new(&w, "kontor", "later");
    later.prompt("Translate the footer of the invoice mails to German.");
    later.write("mail/footer.txt", "Mit freundlichen Grüßen\n");
    later.stop("The footer of the invoice mails is German now.");
    let block = start(&later);
    has(&block, "use `psql -h localhost`");
    has(&block, "half up to cents");
}

#[test]
fn an_answer_about_a_file_does_not_outlast_its_change() {
    let w = World::new();
    let mut work = Work::new(&w, "kontor", "pool");
    work.prompt("How many connections does the pool of the database open?");
    work.stop("`src/db.ts` opens at most ten connections, which is the default of the library.");
    work.prompt("Then let it open twenty, please.");
    work.write("src/db.ts", "export const pool = new Pool({ max: 20 });\n");
    work.stop("The pool opens up to twenty connections now.");
    let block = start(&work);
    has(&block, "up to twenty connections");
    lacks(&block, "at most ten");
}

#[test]
fn a_result_stands_behind_its_own_request() {
    let w = World::new();
    let mut work = Work::new(&w, "kontor", "questions");
    questions_and_a_test(&mut work);
    let mut later = Work::new(&w, "kontor", "later");
    later.prompt("Translate the footer of the invoice mails to German.");
    later.write("mail/footer.txt", "Mit freundlichen Grüßen\n");
    later.stop("The footer of the invoice mails is German now.");
    let block = start(&later);
    let earlier = section(&block, "Earlier sessions").join("\n");
    has(&earlier, "Then: Write the test with more than 50 rows → Added `test/page.test.ts`");
    lacks(&earlier, "connect? → Added");
}

#[test]
fn a_prompt_receives_a_turn_once_and_with_its_result() {
    let w = World::new();
    let mut work = Work::new(&w, "kontor", "sorting");
    work.prompt("what about sorting the invoices by date?");
    work.runs("cat src/api/routes.ts", "app.get('/invoices', page);");
    work.stop(
        "Sorting the invoices by date needs a compound cursor `(issued_at, id)`, because dates repeat.",
    );
    let mut next = Work::new(&w, "kontor", "next");
    let lines = told(&next.prompt("How can the invoices be sorted by their date?"));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    has(&lines[0], "compound cursor `(issued_at, id)`");
}

#[test]
fn a_prompt_receives_the_turn_that_redid_another_one() {
    let w = World::new();
    let mut work = Work::new(&w, "atlas", "rows");
    std::fs::write(work.dir.join("clean.py"), "def clean(rows):\n    return rows\n").unwrap();
    work.prompt("clean() shall log the dropped rows to dropped.csv");
    let first = "def clean(rows, dropped='dropped.csv'):";
    work.edit("clean.py", "def clean(rows):", first);
    work.stop("`clean` logs the dropped rows to `dropped.csv` in the working directory.");
    work.prompt("The directory is read-only in CI. Take an option for the dropped rows.");
    work.edit("clean.py", first, "def clean(rows, dropped=None):");
    work.stop("`clean` writes the dropped rows to the path of the new option --dropped.");
    let mut next = Work::new(&w, "atlas", "next");
    let lines = told(&next.prompt("To which file does clean() log the dropped rows?")).join("\n");
    has(&lines, "to the path of the new option --dropped");
    lacks(&lines, "in the working directory");
}
