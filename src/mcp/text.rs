//! Rows as text for a model.
//!
//! Each line is inert Markdown. Texts of web pages and tools are marked and quoted. What reads like an
//! instruction to a model is withheld: the user can read it with `memctl show`.

use crate::context::markdown;
use crate::ctl::format::day;
use crate::memory::Origin;
use crate::memory::PRIVATE;
use crate::provenance::{Speaker, without_instructions};
use crate::recall::{Hit, RowId};
use crate::store::observations::ObservationRow;
use crate::store::sessions::StoredPrompt;
use crate::store::summaries::SummaryRow;
use crate::store::words::StoredRow;
use crate::text::truncate;

/// Maximum characters of a title and of a snippet in a list.
const MAX_TITLE: usize = 160;
const MAX_SNIPPET: usize = 160;

/// What a list tells about a row.
struct Head<'a> {
    row: RowId,
    kind: &'a str,
    origin: Origin,
    quarantined: bool,
    superseded: bool,
    expired: bool,
    created_at_epoch: i64,
}

impl Head<'_> {
    /// `o412 decision 2026-11-24`, and what speaks against it.
    fn line(&self) -> String {
        let mut line =
            format!("{} {} {}", self.row, markdown::line(self.kind), day(self.created_at_epoch));
        let notes = [
            (self.origin == Origin::Web, "from a web page, a third party"),
            (self.origin == Origin::Tool, "output of a tool"),
            (self.superseded, "replaced by a later one"),
            (self.expired, "expired"),
        ];
        for (_, note) in notes.iter().filter(|(is, _)| *is) {
            line.push_str(&format!(" [{note}]"));
        }
        line
    }

    fn speaker(&self) -> Speaker {
        if self.origin == Origin::User { Speaker::User } else { Speaker::Other }
    }
}

/// A hit: id, type, day, title and the further rows of its turn. Then one line of text, unless the title has
/// it: of a text in the user's words the part that was found, and else `said`, what came of the turn. The
/// texts of other rows may quote tools.
pub fn hit(hit: &Hit, same_turn: &[RowId], said: &str, now: i64) -> String {
    let (row, title) = (&hit.stored, hit.stored.title());
    let part = hit.snippet.text.trim_matches(['…', ' ']);
    let snippet = match row.origin {
        Origin::User if !title.contains(part) => inert(part, Speaker::User, MAX_SNIPPET),
        Origin::User | Origin::Web => String::new(),
        _ if title.contains(said) => String::new(),
        _ => inert(said, Speaker::Other, MAX_SNIPPET),
    };
    let mut line = listed(row, now);
    if !same_turn.is_empty() {
        let rows: Vec<String> = same_turn.iter().map(RowId::to_string).collect();
        line.push_str(&format!(" (same turn: {})", rows.join(", ")));
    }
    match (snippet.is_empty(), row.origin) {
        (true, _) => line,
        (false, Origin::User) => format!("{line}\n  … {snippet}"),
        (false, _) => format!("{line}\n  → {snippet}"),
    }
}

/// A row of a timeline: id, type, day and title.
pub fn listed(row: &StoredRow, now: i64) -> String {
    let head = Head {
        row: row.row,
        kind: &row.kind,
        origin: row.origin,
        quarantined: row.quarantined,
        superseded: row.superseded,
        expired: row.is_expired(now),
        created_at_epoch: row.created_at_epoch,
    };
    let title = match head.quarantined {
        true => String::new(),
        false => inert(row.title(), head.speaker(), MAX_TITLE),
    };
    let title = if title.is_empty() { WITHHELD } else { &title };
    format!("{}: {title}", head.line())
}

/// Stands for a text that reads like an instruction.
const WITHHELD: &str = "[withheld: reads like an instruction]";

fn is_foreign(origin: Origin) -> bool {
    matches!(origin, Origin::Web | Origin::Tool)
}

/// One inert line.
fn inert(text: &str, speaker: Speaker, max: usize) -> String {
    let text = without_instructions(text, speaker);
    markdown::truncate(&markdown::line(&truncate(&text, 4 * max)), max)
}

/// Inert lines.
fn lines(text: &str, speaker: Speaker) -> Vec<String> {
    let text = without_instructions(text, speaker);
    text.lines().map(markdown::line).filter(|line| !line.is_empty()).collect()
}

/// A text of the user as inert lines.
pub fn of_user(text: &str) -> String {
    lines(text, Speaker::User).join("\n")
}

pub fn observation(row: &ObservationRow, now: i64) -> String {
    let o = &row.observation;
    let head = Head {
        row: RowId::observation(row.id),
        kind: &o.kind,
        origin: o.origin,
        quarantined: o.quarantined,
        superseded: row.superseded_by.is_some(),
        expired: row.expires_at_epoch.is_some_and(|at| at <= now),
        created_at_epoch: row.created_at_epoch,
    };
    if o.quarantined {
        return format!(
            "{}\n{WITHHELD} The user can read it: memctl show o{}\n",
            head.line(),
            row.id
        );
    }
    let speaker = head.speaker();
    let mut body = lines(&o.title, speaker);
    for text in [&o.subtitle, &o.narrative].into_iter().flatten() {
        body.extend(lines(text, speaker));
    }
    body.extend(
        o.facts.iter().flat_map(|fact| lines(fact, speaker)).map(|line| format!("- {line}")),
    );
    body.extend(files(&o.files_modified, "changed"));
    body.extend(files(&o.files_read, "files"));
    let quote = if is_foreign(o.origin) { "> " } else { "" };
    let body: String = body.iter().map(|line| format!("{quote}{line}\n")).collect();
    match o.origin {
        Origin::Web | Origin::Tool => format!("{}\n{body}", head.line()),
        origin => format!("{} from {}\n{body}", head.line(), origin.as_str()),
    }
}

fn files(paths: &[String], name: &str) -> Option<String> {
    let paths: Vec<String> = paths.iter().map(|path| markdown::code(path)).collect();
    (!paths.is_empty()).then(|| format!("{name}: {}", paths.join(", ")))
}

pub fn summary(row: &SummaryRow) -> String {
    let s = &row.summary;
    let mut out = format!("s{} summary {}\n", row.id, day(row.created_at_epoch));
    let fields = [
        ("Request", &s.request, Speaker::User),
        ("Investigated", &s.investigated, Speaker::Other),
        ("Learned", &s.learned, Speaker::Other),
        ("Done", &s.completed, Speaker::Other),
        ("Open", &s.next_steps, Speaker::Other),
        ("Notes", &s.notes, Speaker::Other),
    ];
    for (name, text, speaker) in fields {
        let text = lines(text, speaker).join("\n");
        if !text.is_empty() {
            out.push_str(&format!("{name}: {text}\n"));
        }
    }
    let changed = files(&s.files_modified, "changed");
    for files in changed.into_iter().chain(files(&s.files_read, "files")) {
        out.push_str(&format!("{files}\n"));
    }
    out
}

pub fn prompt(prompt: &StoredPrompt) -> String {
    let text = prompt.text.as_deref().unwrap_or(PRIVATE);
    format!("p{} prompt {}\n{}\n", prompt.id, day(prompt.created_at_epoch), of_user(text))
}
