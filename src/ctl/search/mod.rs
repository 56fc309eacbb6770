//! `memctl search`: finds memories by words.

mod args;
mod batch;
mod json;
mod shown;
mod template;
mod text;

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::Value;

use super::format::count;
use super::{lookup, terminal};
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Failure, Result, no_match, usage};
use crate::recall::{self, Filters, Found, Request};
use crate::store::{Reader, claims, projects};
use crate::text::quote;
pub use args::Args;
use shown::{Shown, around};
use template::Template;

/// The id of no project. Rows that hold in every project are found in it.
const NO_PROJECT: i64 = 0;

/// How many rows are looked for elsewhere if nothing is found.
const ELSEWHERE: usize = 100;

/// How many rows of a turn are found at most times: a prompt, a summary, two observations.
const ROWS_OF_TURN: usize = 4;

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
    let mut reader = open::reader(settings)?;
    if args.batch.is_some() {
        // Queries without a pause count as one, and each of them has a limit on what it reads.
        reader = reader.map(Reader::without_time_limit).transpose()?;
    }
    let conn = reader.as_ref().map(Reader::connection);
    if let Some(file) = &args.batch {
        return batch::run(conn, file, limit);
    }
    let query = args.query.join(" ");
    let filters = args.filters();
    if query.trim().is_empty() && filters == Filters::default() {
        return Err(usage("nothing to search for").hint("`memctl search --help` has examples"));
    }
    let Some(conn) = conn else {
        return match args.json {
            true => super::print_json(&Value::Array(Vec::new())),
            false => Err(open::nothing_stored(settings)),
        };
    };
    let place = place(conn, args)?;
    // The rows of a turn are one hit.
    let limit = if template.is_none() { limit * ROWS_OF_TURN } else { limit };
    let request =
        Request { query: &query, project: place.project, filters, limit, for_injection: false };
    let found = recall::search(conn, &request)?;
    if found.incomplete {
        super::note("the index is being built: rows may be missing");
    }
    for (item, why) in &found.not_filters {
        super::note(&format!("{} is searched as text: {why}", quote(item)));
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
    let hits = std::mem::take(&mut found.hits);
    let hits = match template {
        Some(_) => hits.into_iter().map(|hit| (hit, Vec::new())).collect(),
        None => recall::by_turn(conn, hits, args.limit as usize)?,
    };
    let mut shown = Vec::new();
    for (hit, same_turn) in hits {
        let hit = Shown::new(conn, hit, found.confidence, &mut names)?;
        shown.push(Shown { same_turn, ..hit });
    }
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
    shown::mark_partial(&args.query.join(" "), &mut shown);
    let shown = shown::without_beside(found.words.len(), shown);
    let shown = if args.explain { shown } else { shown::without_weak(shown) };
    let width = terminal::width();
    let several = shown.iter().any(|hit| hit.hit.stored.project_id != place.project);
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

fn place(conn: &Connection, args: &Args) -> Result<Place> {
    if args.all_projects {
        return Ok(Place { project: None, name: "all projects".into() });
    }
    if let Some(name) = &args.project {
        let id = lookup::project(conn, name)?;
        let name = projects::name(conn, id)?;
        return Ok(Place { project: Some(id), name: format!("project {name}") });
    }
    let here = lookup::here()?;
    let project = crate::project::identify(&here);
    let examined = claims::examine(conn, &project)?;
    let id = projects::find(conn, &examined.project)?;
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
