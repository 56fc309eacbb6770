use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Rules,
    Open,
    Other,
}

/// A statement: a list item or a line of its own, with the lines below it.
#[derive(Debug, PartialEq)]
pub struct Item {
    pub section: Section,
    /// Lines without bullets and entities.
    pub text: String,
}

impl Item {
    /// An item of the section Open that says that something fails or is blocked: the program's words
    /// about a command, or the user's report.
    pub fn is_failing(&self) -> bool {
        const REPORT: &str = "The user reported: ";
        const VERBS: [&str; 9] = [
            "fails",
            "failed",
            "needs a password",
            "is missing",
            "does not start",
            "was refused",
            "is red in CI",
            "was denied",
            "did not work",
        ];
        let command = self.text.strip_prefix('`').and_then(|text| text.split_once("` "));
        let says_so = command.is_some_and(|(_, rest)| VERBS.iter().any(|v| rest.starts_with(v)));
        self.section == Section::Open && (says_so || self.text.starts_with(REPORT))
    }

    /// A claim that is told with its contradiction.
    pub fn is_contradicted(&self) -> bool {
        self.text.starts_with("Said, but not shown: ")
    }
}

/// The context in parts.
#[derive(Default)]
pub struct Told {
    pub items: Vec<Item>,
    /// The title of each told session by its number in the case.
    pub titles: BTreeMap<usize, String>,
    /// The numbers of the sessions that any line refers to.
    pub sessions: BTreeSet<usize>,
    /// Lines that introduce something that does not follow.
    pub dangling: Vec<String>,
    /// Lines whose text stands in another line, too.
    pub duplicates: Vec<String>,
}

impl Told {
    /// Reads the text of a context. `stored` are the sessions as `show` prints them.
    pub fn read(context: &str, stored: &[Value]) -> Told {
        let lines: Vec<&str> = context
            .lines()
            .skip_while(|line| !line.starts_with("## "))
            .filter(|line| !line.trim().is_empty())
            .filter(|line| !line.starts_with("More: ") && *line != "</memctl-context>")
            .collect();
        let mut told = Told { items: items(&lines), ..Told::default() };
        told.read_sessions(&lines, &sessions_of_ids(stored));
        told.dangling = dangling(&lines);
        told.duplicates = duplicates(&lines);
        told
    }

    /// Lines about work have the form `2026-11-24 (s2): title → outcome`.
    fn read_sessions(&mut self, lines: &[&str], sessions: &BTreeMap<String, usize>) {
        let id = Regex::new(r"\b[so][0-9]+\b").unwrap();
        let work =
            Regex::new(r"^(?:- )?[0-9]{4}-[0-9]{2}-[0-9]{2} \((s[0-9]+)[^)]*\):? ?(.*)$").unwrap();
        let mut first_ids = BTreeMap::new();
        for line in lines {
            let found = id.find_iter(line).filter_map(|id| sessions.get(id.as_str()));
            self.sessions.extend(found);
            let Some((_, [id, text])) = work.captures(line).map(|found| found.extract()) else {
                continue;
            };
            let Some(session) = sessions.get(id) else { continue };
            // A session with several lines is known by its first turn.
            let number: u64 = id[1..].parse().unwrap();
            let first = first_ids.entry(*session).or_insert(u64::MAX);
            if number < *first {
                *first = number;
                let title = text.split(" → ").next().unwrap_or_default();
                self.titles.insert(*session, title.to_owned());
            }
        }
    }

    pub fn in_section(&self, section: Section) -> impl Iterator<Item = &Item> + Clone {
        self.items.iter().filter(move |item| item.section == section)
    }
}

/// The number of the session that an id such as `s37` or `o412` belongs to.
fn sessions_of_ids(stored: &[Value]) -> BTreeMap<String, usize> {
    let mut sessions = BTreeMap::new();
    for (n, session) in stored.iter().enumerate() {
        for key in ["summaries", "observations"] {
            let rows = session[key].as_array().expect("an array");
            sessions.extend(rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), n)));
        }
    }
    sessions
}

fn items(lines: &[&str]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut section = Section::Other;
    let mut begins_new = true;
    for line in lines {
        if let Some(heading) = line.strip_prefix("## ") {
            section = section_of(heading);
            begins_new = true;
            continue;
        }
        if is_day(line) {
            begins_new = true;
            continue;
        }
        match items.last_mut() {
            Some(item) if !begins_new && is_indented(line) => {
                item.text.push('\n');
                item.text.push_str(&unescaped(bare(line)));
            }
            _ => items.push(Item {
                // Decisions may also stand in a list with other rows.
                section: if line.contains(" decision: ") { Section::Rules } else { section },
                text: unescaped(bare(line)),
            }),
        }
        begins_new = false;
    }
    items
}

fn section_of(heading: &str) -> Section {
    let heading = heading.to_lowercase();
    if heading.starts_with("open") {
        Section::Open
    } else if heading.contains("rule") || heading.contains("decision") {
        Section::Rules
    } else {
        Section::Other
    }
}

/// A line that is only a day groups the items below it.
fn is_day(line: &str) -> bool {
    line.len() == 10 && line.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The line without its indent and bullet.
fn bare(line: &str) -> &str {
    let line = line.trim();
    line.strip_prefix("- ").unwrap_or(line)
}

fn unescaped(line: &str) -> String {
    line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A line that ends with a colon, unless an item or a line with a greater indent follows.
fn dangling(lines: &[&str]) -> Vec<String> {
    let ends_open = |line: &str| {
        line.trim_end_matches(['*', '_', ' ']).ends_with([':', '：']) && !line.starts_with("## ")
    };
    let introduces = |line: &str, next: Option<&&str>| {
        next.is_some_and(|next| {
            indent(next) > indent(line) || (next.starts_with("- ") && !line.starts_with("- "))
        })
    };
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| ends_open(line) && !introduces(line, lines.get(at + 1)))
        .map(|(_, line)| (*line).to_owned())
        .collect()
}

/// Lines whose statement is contained in another line. Short ones may be repeated.
fn duplicates(lines: &[&str]) -> Vec<String> {
    const SHORT: usize = 24;
    // Dates, ids and labels around the statement.
    let frame = Regex::new(
        r"^[so][0-9]+( [a-z, ]+)?: |^[0-9-]{10} \([^)]*\):? ?|^[A-Z][a-z]+: | \([^()]*\b[so][0-9]+\b[^()]*\)$",
    )
    .unwrap();
    let statements: Vec<String> =
        lines.iter().map(|line| frame.replace_all(bare(line), "").trim().to_lowercase()).collect();
    let mut found = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let is_elsewhere = statements.iter().enumerate().any(|(other_at, other)| {
            other.contains(statement.as_str()) && (other.len() > statement.len() || other_at < at)
        });
        if statement.chars().count() >= SHORT && is_elsewhere {
            found.push(lines[at].to_owned());
        }
    }
    found
}

#[test]
fn a_context_is_read_in_parts() {
    let context = "<memctl-context>\nWhat memory holds.\n\n\
        ## Open next steps\n- Publish 0.3 (s3)\n- `pytest` fails:\n  - test_a\n\n\
        ## Latest work\n2026-11-24 (s3): Fix the clock → done\n- Done: All of it &lt; 5 s, as far as we know:\n\n\
        ## Earlier work\n- 2026-11-23 (s2, provisional): Second prompt → x\n\
        - 2026-11-23 (s1): First prompt → Publish the release 0.3 of the crate\n\n\
        ## Worth knowing\n2026-11-24\n- o4 decision: never use tabs\n\
        - o5 change: Publish the release 0.3 of the crate\n\n\
        More: `memctl show o4` shows the whole entry.\n</memctl-context>\n";
    let row = |id: &str| serde_json::json!({"id": id});
    let stored = [
        serde_json::json!({"summaries": [row("s1"), row("s2")], "observations": [row("o4")]}),
        serde_json::json!({"summaries": [row("s3")], "observations": []}),
        serde_json::json!({"summaries": [row("s9")], "observations": []}),
    ];
    let told = Told::read(context, &stored);
    let texts =
        |section| told.in_section(section).map(|item| item.text.as_str()).collect::<Vec<_>>();
    assert_eq!(texts(Section::Open), ["Publish 0.3 (s3)", "`pytest` fails:\ntest_a"]);
    assert_eq!(texts(Section::Rules), ["o4 decision: never use tabs"]);
    assert_eq!(told.items.iter().filter(|item| item.is_failing()).count(), 1);
    assert_eq!(told.items[3].text, "Done: All of it < 5 s, as far as we know:");
    assert_eq!(told.titles[&0], "First prompt");
    assert_eq!(told.titles[&1], "Fix the clock");
    assert_eq!(told.sessions, [0, 1].into());
    assert_eq!(told.dangling, ["- Done: All of it &lt; 5 s, as far as we know:"]);
    assert_eq!(told.duplicates, ["- o5 change: Publish the release 0.3 of the crate"]);
}

#[test]
fn open_ends_and_rules_are_read_with_their_dates() {
    let context = "<memctl-context>\nWhat memory holds.\n\n\
        ## Rules and decisions\n- Commit messages in English (2026-11-02, o12, all projects)\n\n\
        ## Open\n- `cargo test` fails: 1 failed (a) (2026-11-24, s2)\n\
        - `nvcc` is missing (`make gpu`) (2026-11-24, s2)\n\
        - The user reported: it still hangs (2026-11-24, s2)\n\
        - Left to the user: publish the release of the crate (2026-11-23, s1, 1 session ago)\n\n\
        ## Last session\n2026-11-24 (s2): Make the parser total\n\
        - Done: Publish the release of the crate\n\
        - Said, but not shown: \"all pass\" — no such run passed\n\n\
        ## Earlier sessions\n- 2026-11-23 (s1): on branch `x`: Tidy up → done (newest of 3 alike)\n\
        </memctl-context>\n";
    let row = |id: &str| serde_json::json!({"summaries": [{"id": id}], "observations": []});
    let told = Told::read(context, &[row("s1"), row("s2")]);
    let failing: Vec<bool> = told.in_section(Section::Open).map(Item::is_failing).collect();
    assert_eq!(failing, [true, true, true, false]);
    assert_eq!(told.in_section(Section::Rules).count(), 1);
    assert_eq!(told.titles[&0], "on branch `x`: Tidy up");
    assert_eq!(told.titles[&1], "Make the parser total");
    assert_eq!(told.items.iter().filter(|item| item.is_contradicted()).count(), 1);
    assert_eq!(told.duplicates, ["- Done: Publish the release of the crate"]);
}
