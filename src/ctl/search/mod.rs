//! `memctl search`: finds memories by words.

mod batch;
mod json;
mod template;
mod text;

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::Value;

use super::format::{age, count, day};
use super::time::parse_past;
use super::{health, lookup, terminal};
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Failure, Result, failed, no_match, usage};
use crate::memory::Origin;
use crate::recall::{self, Filters, Found, Hit, Request, RowId};
use crate::store::notes::EXTERNAL;
use crate::store::words::{self, Side};
use crate::store::{Reader, claims, projects};
use crate::text::quote;
use template::Template;

/// The id of no project. Rows that hold in every project are found in it.
const NO_PROJECT: i64 = 0;

/// A younger row is dated by its age, an older one by its day.
const RECENT: i64 = 7 * 86_400_000;

/// How many rows are looked for elsewhere if nothing is found.
const ELSEWHERE: usize = 100;

const HELP: &str = "\
Examples
  memctl search retry queue                   Rows of this project that fit these words best
  memctl search why is the parser slow        A question works as well
  memctl search src/queue.rs                  So does a path, an identifier or an error message
  memctl search '\"dead letter\" -spool'      Rows with this text and without this word
  memctl search --type decision --after 30d   The newest decisions of 30 days
  memctl search -a 'type:bugfix leap'         In all projects, with a filter in the query
  memctl search -C 2 rollback                 With the rows before and after, of the same session
  memctl search --explain rollback            Why each row is where it is
  memctl search --json rollback | jq -r '.[].id'
  memctl search -a --format '{id}\t{title}' cache | fzf --preview 'memctl show {1}'

Words of a query
  word             A row need not have all words; those that few rows have count most
  \"two words\"      The row has this text. If no row has it, its words are searched
  -word            The row does not have this word. Write 'a -b', or -- before the query
  pre*             All words that begin so
  project:NAME     Only this project; project:* for all
  type:TYPE        Only rows of this type; prompt and summary are types, too
  file:PATH        Only rows about this file or directory
  session:ID       Only rows of this session
  branch:NAME      Only rows of this branch
  after:TIME       Only rows since this time: today, 3d, 2w, 2026-11, 2026-11-24
  before:TIME      Only rows before it
  origin:ORIGIN    Only rows from this source: user, assistant, repository, tool, import, web
  anything else    Is searched as it stands: no text is an error

Fields of --format
  id, title, snippet, type, project, session, branch, files, origin  What is stored
  date, age           The local day, and the time since then
  score, confidence   As in --json
  external_id         The id that a script gave the row
  {{, }}              Braces
  \\t, \\n, \\0, \\\\      A tab, a line break, a NUL, a backslash; a value has none of them

Lines of --batch, each a JSON object
  in       id, query; optional: project (without it: all), before_epoch, not_session, limit
  out      id, confidence and results, which are objects as --json prints them
  bad      id, line (its number) and error

Exit codes
  0  Rows were found; with --json and --batch also if none were
  1  Nothing was found, or a line of --batch is bad
  2  Invalid arguments

Keys of --json, the best row first
  id                Short name (memctl show ID)
  external_id       The id that a script gave the row (remember --jsonl), null for others
  session           The client's id of the session, null if there is none
  score             Fit of the row; comparable within one query only
  confidence        How sure it is that the query is answered, the same in each object; from 0.8 on, \
memories are told unasked
  snippet           The part of the row that fits best
  created_at_epoch  When it was stored
  title, type, project, origin, branch, files, pinned  What is stored
  superseded        true: a later row replaces it
  quarantined       true: it reads like an instruction, and no session gets it
  expires_at_epoch  When it stops being told; null: never
  explain           With --explain: words (of each: n, rows, idf, weight), row, passage, pairs, factor, \
verbatim
  before, after     With -C: rows of the same session, with id and title
";

/// Find memories by words
///
/// Searches observations, summaries, prompts and the names of files. The best rows come first. Texts of
/// web pages and replaced rows are found, too, although no session gets them unasked.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What to look for: words, a question, a path, an identifier, an error message
    #[arg(value_name = "QUERY", conflicts_with = "batch")]
    query: Vec<String>,
    /// Search this project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT", conflicts_with_all = ["all_projects", "batch"])]
    project: Option<String>,
    /// Search all projects
    #[arg(long, short, conflicts_with = "batch")]
    all_projects: bool,
    /// Print at most this many rows
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    /// Only rows of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "batch")]
    kinds: Vec<String>,
    /// Only rows about this file or directory; may be given several times
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::AnyPath, conflicts_with = "batch")]
    file: Vec<String>,
    /// Only rows of this session, or of those whose ids begin so
    #[arg(long, value_name = "SESSION", conflicts_with = "batch")]
    session: Option<String>,
    /// Only rows that were stored on this branch
    #[arg(long, value_name = "BRANCH", conflicts_with = "batch")]
    branch: Option<String>,
    /// Only rows since this time (2h, 7d, 2026-11-24)
    #[arg(long, value_name = "TIME", value_parser = parse_past, conflicts_with = "batch")]
    after: Option<i64>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME", value_parser = parse_past, conflicts_with = "batch")]
    before: Option<i64>,
    /// Only rows from this source; may be given several times
    #[arg(long, value_name = "ORIGIN", value_parser = ["user", "assistant", "repository", "tool", "import", "web"], conflicts_with = "batch")]
    origin: Vec<String>,
    /// Also print this many rows before and after each row, of the same session
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=20), conflicts_with_all = ["format", "batch"])]
    context: u64,
    /// Show the words, their weights and the parts of each score
    #[arg(long, conflicts_with_all = ["format", "batch"])]
    explain: bool,
    /// Print a line per row from this template, e.g. '{id}\t{title}'
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["json", "batch"])]
    format: Option<String>,
    /// Print a JSON array
    #[arg(long, conflicts_with = "batch")]
    json: bool,
    /// Answer the queries in a file, one JSON object per line; - is stdin
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    batch: Option<String>,
}

/// A hit with what is printed of it beside the row.
#[derive(Clone, Debug)]
pub struct Shown {
    hit: Hit,
    /// That of the query.
    confidence: f64,
    /// Name of the project.
    project: Option<String>,
    /// `3d ago`, or the day if that is longer ago.
    when: String,
    /// The local day.
    day: String,
    age: String,
    is_expired: bool,
    /// It has no word of the query: a row beside it fits.
    is_beside: bool,
}

impl Shown {
    /// `names`: the names of projects that are known by now.
    fn new(
        conn: &Connection,
        hit: Hit,
        confidence: f64,
        names: &mut HashMap<i64, String>,
    ) -> Result<Shown> {
        let project = match hit.project_id {
            None => None,
            Some(id) => {
                if let std::collections::hash_map::Entry::Vacant(entry) = names.entry(id) {
                    entry.insert(projects::name(conn, id).context("database")?);
                }
                names.get(&id).cloned()
            }
        };
        let (now, at) = (clock::now_ms(), hit.created_at_epoch);
        let (day, age) = (day(at), age(at, now));
        let when = if now - at < RECENT { format!("{age} ago") } else { day.clone() };
        let is_expired = hit.expires_at_epoch.is_some_and(|at| at <= now);
        let is_beside = hit.explain.words.is_empty() && hit.score > 0.0;
        Ok(Shown { hit, confidence, project, when, day, age, is_expired, is_beside })
    }

    /// The id that a script gave the row.
    fn external_id(&self) -> Option<&str> {
        let id = self.hit.external_id.as_deref()?;
        Some(id.strip_prefix(EXTERNAL).unwrap_or(id))
    }
}

/// A row beside a hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    row: RowId,
    title: String,
}

/// Both oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    before: Vec<Neighbour>,
    after: Vec<Neighbour>,
}

/// What is searched.
struct Place {
    /// `None`: all projects.
    project: Option<i64>,
    /// `project app`, `all projects`.
    name: String,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let limit = args.limit as usize;
    let template = args.format.as_deref().map(Template::parse).transpose().map_err(usage)?;
    let reader = Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")?;
    let conn = reader.as_ref().map(Reader::connection);
    if let Some(file) = &args.batch {
        return batch::run(conn, file, limit);
    }
    let query = args.query.join(" ");
    let filters = filters(args);
    if query.trim().is_empty() && filters == Filters::default() {
        return Err(usage("nothing to search for").hint("`memctl search --help` has examples"));
    }
    let Some(conn) = conn else {
        return match args.json {
            true => super::print_json(&Value::Array(Vec::new())),
            false => Err(failed("nothing is stored yet").hint(health::outlook(settings))),
        };
    };
    let place = place(conn, args)?;
    let request =
        Request { query: &query, project: place.project, filters, limit, for_injection: false };
    let found = recall::search(conn, &request).context("database")?;
    if found.incomplete {
        super::note("the index is being built: rows may be missing");
    }
    if found.hits.is_empty() && !args.json {
        return Err(nothing_found(conn, &request, &place));
    }
    print(conn, args, &place, found, template.as_ref())
}

fn print(
    conn: &Connection,
    args: &Args,
    place: &Place,
    mut found: Found,
    template: Option<&Template>,
) -> Result<()> {
    let mut names = HashMap::new();
    let hits = std::mem::take(&mut found.hits).into_iter();
    let shown: Vec<Shown> = hits
        .map(|hit| Shown::new(conn, hit, found.confidence, &mut names))
        .collect::<Result<_>>()?;
    let n_around = args.context as usize;
    if args.json {
        let object = |hit: &Shown| -> Result<Value> {
            let object = match args.explain {
                true => json::explained(hit, &found.words),
                false => json::hit(hit),
            };
            let around = around(conn, hit, n_around)?;
            Ok(json::with_neighbours(object, around.as_ref()))
        };
        let objects: Vec<Value> = shown.iter().map(object).collect::<Result<_>>()?;
        return super::print_json(&objects);
    }
    if let Some(template) = template {
        let lines: String = shown.iter().map(|hit| template.line(hit)).collect();
        return super::print_raw(&lines);
    }
    let width = terminal::width();
    let several = shown.iter().any(|hit| hit.hit.project_id != place.project);
    let mut out = String::new();
    if args.explain {
        out.push_str(&text::explained_query(&found, width));
    }
    for (n, hit) in shown.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&text::hit(hit, several, width));
        if args.explain {
            out.push_str(&text::explained_hit(hit, width));
        }
        if let Some(around) = around(conn, hit, n_around)? {
            out.push_str(&text::neighbours(hit, &around, width));
        }
    }
    super::print(&out)
}

/// The rows of the same session beside a hit.
fn around(conn: &Connection, shown: &Shown, n: usize) -> Result<Option<Around>> {
    if n == 0 {
        return Ok(None);
    }
    let Some(stored) = words::load(conn, shown.hit.row).context("database")? else {
        return Ok(None);
    };
    let rows = |side| -> crate::store::Result<Vec<Neighbour>> {
        let mut rows = Vec::new();
        for row in words::neighbours(conn, &stored, side, n)? {
            let Some(found) = words::load(conn, row)?.filter(|row| !row.hidden) else { continue };
            let document = found.document;
            let title = [document.title.as_str(), document.body.trim()];
            let title = title.into_iter().flat_map(str::lines).next().unwrap_or_default();
            rows.push(Neighbour { row, title: title.to_owned() });
        }
        Ok(rows)
    };
    let mut before = rows(Side::Before).context("database")?;
    before.reverse();
    Ok(Some(Around { before, after: rows(Side::After).context("database")? }))
}

fn filters(args: &Args) -> Filters {
    let origins = args.origin.iter().filter_map(|name| Origin::parse(name)).collect();
    Filters {
        types: args.kinds.iter().map(|kind| kind.to_lowercase()).collect(),
        origins,
        files: args.file.clone(),
        session: args.session.clone(),
        branch: args.branch.clone(),
        after: args.after,
        before: args.before,
        ..Filters::default()
    }
}

fn place(conn: &Connection, args: &Args) -> Result<Place> {
    if args.all_projects {
        return Ok(Place { project: None, name: "all projects".into() });
    }
    if let Some(name) = &args.project {
        let id = lookup::project(conn, name)?;
        let name = projects::name(conn, id).context("database")?;
        return Ok(Place { project: Some(id), name: format!("project {name}") });
    }
    let here = std::env::current_dir().context("current directory")?;
    let project = crate::project::identify(&here);
    let examined = claims::examine(conn, &project).context("database")?;
    let id = projects::find(conn, &examined.project).context("database")?;
    Ok(Place { project: Some(id.unwrap_or(NO_PROJECT)), name: format!("project {}", project.name) })
}

/// Says what was searched, and what would find something.
fn nothing_found(conn: &Connection, request: &Request, place: &Place) -> Failure {
    let what = match request.query.trim() {
        "" => "nothing fits these filters".to_owned(),
        query => format!("nothing found for '{}'", quote(query)),
    };
    super::note(&format!("{what} in {}", place.name));
    let count = |request: &Request| {
        let request = Request { limit: ELSEWHERE, ..request.clone() };
        let n = recall::search(conn, &request).map_or(0, |found| found.hits.len());
        let more = if n == ELSEWHERE { " or more" } else { "" };
        (n > 0).then(|| format!("{}{more}", count(n as u64, "row")))
    };
    let everywhere = Request { project: None, ..request.clone() };
    let unfiltered = Request { filters: Filters::default(), ..request.clone() };
    if let Some(n) = count(&everywhere).filter(|_| request.project.is_some()) {
        super::hint(&format!("--all-projects finds {n}"));
    } else if let Some(n) = count(&unfiltered).filter(|_| !request.query.trim().is_empty()) {
        super::hint(&format!("{n} without the filters"));
    }
    no_match()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::{RowKind, Snippet};

    /// A hit for tests of its output.
    pub fn shown() -> Shown {
        let hit = Hit {
            row: RowId { kind: RowKind::Observation, id: 7 },
            score: 2.5,
            title: "A\tb\nc".into(),
            snippet: Snippet::default(),
            project_id: Some(1),
            session_id: None,
            session: None,
            external_id: Some("jsonl:12".into()),
            kind: "note".into(),
            origin: Origin::User,
            branch: None,
            files: Vec::new(),
            pinned: false,
            quarantined: false,
            hidden: false,
            superseded: false,
            expires_at_epoch: None,
            created_at_epoch: 0,
            explain: recall::Explain::default(),
        };
        Shown {
            hit,
            confidence: 0.5,
            project: Some("app".into()),
            when: "3d ago".into(),
            day: "1970-01-01".into(),
            age: "3d".into(),
            is_expired: false,
            is_beside: false,
        }
    }
}
