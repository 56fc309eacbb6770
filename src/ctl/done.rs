//! `memctl done`: lists the open steps of the project, and closes them.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::change::{say_undoable, shortened};
use super::lookup;
use super::style::{ID, paint};
use super::terminal::{self, wrapped};
use super::{format, open};
use crate::clock;
use crate::config::Settings;
use crate::context::{self, OpenStep, Reason, Steps};
use crate::failure::{Failure, Result, failed, usage};
use crate::store::{closed_steps, projects, summaries};
use crate::text::{Needle, sanitize, stem, words};

const HELP: &str = "\
Examples
  memctl done                   List the open steps of this project
  memctl done --all             List those that are not told any more, too
  memctl done changelog         Close the open step that contains this word
  memctl done s37               Close the open step of this summary
  memctl done --undo            Open the step again that was closed last
  memctl done --undo changelog  Open this step again

Keys of --json, without STEP
  id            Summary that names the step
  text          The step
  sessions_ago  Number of later sessions
  at_epoch      When it was recorded, in milliseconds
  retired       Null, or why it is not told any more: done, went_on, in_parts or old
  retired_by    Last summary of the session that did it or went on with the work, or null
";

/// List the open steps of this project, and close those that are done
///
/// A closed step leaves the context at the next start. A session that names it again opens it again.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Words of an open step, or the id of the summary that names it
    #[arg(value_name = "STEP")]
    step: Vec<String>,
    /// Open a closed step again; without a step, the one that was closed last
    #[arg(long)]
    undo: bool,
    /// List the steps that are not told any more, too, each with the reason
    #[arg(long, conflicts_with_all = ["step", "undo"])]
    all: bool,
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Print a JSON array of the open steps
    #[arg(long, conflicts_with_all = ["step", "undo"])]
    json: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let project = args.project.as_deref();
    match (args.step.join(" "), args.undo) {
        (step, false) if step.is_empty() => list(settings, project, args),
        (step, false) => close(settings, project, &step),
        (step, true) => reopen(settings, project, &step),
    }
}

/// The steps of the project with this name or directory, or of the current directory, and its name.
fn steps(conn: &Connection, project: Option<&str>) -> Result<(Steps, String)> {
    let project = match project {
        Some(name) => {
            let id = lookup::project(conn, name)?;
            projects::get(conn, id)?
        }
        None => lookup::project_here(conn)?,
    };
    let steps = context::steps(conn, &project)?;
    Ok((steps, project.name))
}

fn list(settings: &Settings, project: Option<&str>, args: &Args) -> Result<()> {
    let reader = open::reader(settings)?;
    let (mut steps, project) = match &reader {
        Some(reader) => steps(reader.connection(), project)?,
        None => (Steps::default(), lookup::this_project()?.name),
    };
    if !args.all {
        steps.retired.clear();
    }
    if args.json {
        let open = steps.open.iter().map(|step| object(step, None));
        let retired = steps.retired.iter().map(|(step, why)| object(step, Some(*why)));
        return super::print_json(&open.chain(retired).collect::<Vec<_>>());
    }
    if steps.open.is_empty() {
        super::note(&format!("project {project} has no open steps"));
    }
    let retired = |(step, why): &(OpenStep, Reason)| row(step, &format!(" ({})", reason(*why)));
    let open = steps.open.iter().map(|step| row(step, ""));
    let rows: String = open.chain(steps.retired.iter().map(retired)).collect();
    if rows.is_empty() { Ok(()) } else { super::print(&rows) }
}

fn object(step: &OpenStep, retired: Option<Reason>) -> Value {
    let (why, by) = match retired {
        None => (None, None),
        Some(Reason::Done(id)) => (Some("done"), Some(format!("s{id}"))),
        Some(Reason::WentOn(id)) => (Some("went_on"), Some(format!("s{id}"))),
        Some(Reason::InParts) => (Some("in_parts"), None),
        Some(Reason::Old) => (Some("old"), None),
    };
    json!({
        "id": format!("s{}", step.summary), "text": step.line(),
        "sessions_ago": step.sessions_ago, "at_epoch": step.at_epoch,
        "retired": why, "retired_by": by,
    })
}

fn reason(why: Reason) -> String {
    match why {
        Reason::Done(id) => format!("done in s{id}"),
        Reason::WentOn(id) => format!("s{id} went on with the work"),
        Reason::InParts => "done in later sessions".into(),
        Reason::Old => "old".into(),
    }
}

/// `note` follows the step.
fn row(step: &OpenStep, note: &str) -> String {
    let id = format!("{:<5} ", format!("s{}", step.summary));
    let text = format!("{}{note}", sanitize(&step.line()));
    wrapped(&paint(&id, ID), id.len(), &text, terminal::width())
}

fn close(settings: &Settings, project: Option<&str>, named: &str) -> Result<()> {
    let mut store = open::to_change(settings)?;
    let (Steps { open, closed, .. }, project) = steps(store.connection(), project)?;
    let step = match find(&open, named) {
        Found::One(step) => step,
        Found::Several(several) => return Err(ambiguous(named, &several)),
        Found::None => {
            check_id(store.connection(), named)?;
            if let Found::One(step) = find(&closed, named) {
                return super::print(&format!("{} is closed already\n", shortened(&step.text)));
            }
            return Err(none(named, &format!("no open step of project {project}"))
                .hint("`memctl done` lists the open steps"));
        }
    };
    let now = clock::now_ms();
    store.write(|tx| closed_steps::close(tx, step.summary, &step.text, now))?;
    let (text, id) = (shortened(&step.text), step.summary);
    say_undoable(&format!("closed {text} (s{id})"), "done --undo")
}

fn reopen(settings: &Settings, project: Option<&str>, named: &str) -> Result<()> {
    let mut store = open::to_change(settings)?;
    let (Steps { closed, project_id, .. }, project) = steps(store.connection(), project)?;
    let nothing = || failed(format!("no step of project {project} is closed"));
    let project_id = project_id.ok_or_else(nothing)?;
    let texts: Vec<&str> = closed.iter().map(|step| step.text.as_str()).collect();
    let step = if named.is_empty() {
        let last = closed_steps::closed_last(store.connection(), project_id, &texts);
        &closed[last?.ok_or_else(nothing)?]
    } else {
        match find(&closed, named) {
            Found::One(step) => step,
            Found::Several(several) => return Err(ambiguous(named, &several)),
            Found::None => {
                check_id(store.connection(), named)?;
                return Err(none(named, &format!("no closed step of project {project}")));
            }
        }
    };
    store.write(|tx| closed_steps::reopen(tx, project_id, &step.text))?;
    super::print(&format!("{} (s{}) is open again\n", shortened(&step.text), step.summary))
}

fn none(named: &str, what: &str) -> Failure {
    failed(match summaries::parse_id(named) {
        Some(_) => format!("{what} is named by {named}"),
        None => format!("{what} matches '{named}'"),
    })
}

/// # Errors
/// If the name is an id of something else than a summary.
fn check_id(conn: &Connection, named: &str) -> Result<()> {
    if summaries::parse_id(named).is_some() || named.contains(' ') {
        return Ok(());
    }
    match lookup::memory(conn, named) {
        Ok(memory) => Err(usage(format!("{} is no step", memory.id))
            .hint("use words of the step, or the id of its summary; `memctl done` lists them")),
        Err(_) => Ok(()),
    }
}

fn ambiguous(named: &str, several: &[&OpenStep]) -> Failure {
    several.iter().for_each(|step| super::eprint_line(row(step, "").trim_end()));
    let n = format::count(several.len() as u64, "step");
    let verb = if summaries::parse_id(named).is_some() { "are named by" } else { "match" };
    usage(format!("{n} {verb} '{named}'")).hint("use more words of the one that is meant")
}

enum Found<'a> {
    None,
    One(&'a OpenStep),
    Several(Vec<&'a OpenStep>),
}

/// The steps of a summary, else those that are the text, contain it, or have all of its words.
fn find<'a>(steps: &'a [OpenStep], named: &str) -> Found<'a> {
    let id = summaries::parse_id(named);
    let stems = |text: &str| -> Vec<String> {
        words(text).map(|word| stem(&word.to_lowercase()).to_owned()).collect()
    };
    let (needle, wanted) = (Needle::new(named), stems(named));
    let is_it: [&dyn Fn(&OpenStep) -> bool; 4] = [
        &|step| id == Some(step.summary),
        &|step| needle.is_in(&step.line()) && Needle::new(&step.line()).is_in(named),
        &|step| needle.is_in(&step.line()),
        &|step| {
            let found = stems(&step.text);
            !wanted.is_empty() && wanted.iter().all(|word| found.contains(word))
        },
    ];
    for is_it in is_it {
        let mut found: Vec<&OpenStep> = steps.iter().filter(|step| is_it(step)).collect();
        match found.len() {
            0 => {}
            1 => return Found::One(found.remove(0)),
            _ => return Found::Several(found),
        }
    }
    Found::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(named: &str, expected: &[i64]) {
        let step = |(summary, text): (i64, &str)| OpenStep {
            summary,
            text: text.into(),
            at_epoch: 0,
            sessions_ago: 0,
        };
        let steps: Vec<OpenStep> = [
            (1, "Write the changelog"),
            (2, "Write the changelog of 2.0"),
            (3, "Deploy to staging"),
            (3, "Rotate the keys"),
        ]
        .map(step)
        .into();
        let found: Vec<i64> = match find(&steps, named) {
            Found::None => Vec::new(),
            Found::One(step) => vec![step.summary],
            Found::Several(several) => several.iter().map(|step| step.summary).collect(),
        };
        assert_eq!(found, expected, "{named}");
    }

    #[test]
    fn a_step_is_found_by_its_words() {
        check("write the CHANGELOG", &[1]);
        check("changelog", &[1, 2]);
        check("2.0", &[2]);
        check("deployed staging", &[3]);
        check("s1", &[1]);
        check("s3", &[3, 3]);
        check("s9", &[]);
        check("docs", &[]);
    }
}
