//! `memctl feedback`: says whether a memory is worth telling.

use super::change::{Reach, mark, say_undoable, titled};
use super::say;
use crate::config::Settings;
use crate::failure::Result;
use crate::store::marks::Feedback;

const HELP: &str = "\
Examples
  memctl feedback wrong o412    It is not true: no session receives it, nor a later memory that says so
  memctl feedback stale o412    It was true: it comes last in the context; a session is told without its stale turns
  memctl feedback helpful o412  Prefer it to similar ones
  memctl feedback --undo o412   Take it back
";

/// Say that memories are helpful, stale or wrong
///
/// The statement of a wrong memory is rejected: it does not come back if a session says it again, is
/// replayed or imported. memctl keeps a salted hash of each statement and compares its words, not their
/// meaning; a statement in other words is another one. `memctl edit` corrects a memory instead.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Args {
    /// What they are
    #[arg(value_name = "VERDICT", group = "what", requires = "ids")]
    verdict: Option<Verdict>,
    /// Ids of observations (o412) and summaries (s37), also of other projects
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Take back what was said about these memories
    #[arg(long, value_name = "ID", num_args = 1.., group = "what")]
    undo: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Verdict {
    Helpful,
    Stale,
    Wrong,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let feedback = args.verdict.map(|verdict| match verdict {
        Verdict::Helpful => Feedback::Helpful,
        Verdict::Stale => Feedback::Stale,
        Verdict::Wrong => Feedback::Wrong,
    });
    let effect = match feedback {
        Some(Feedback::Helpful) => "helpful: it comes before similar ones",
        Some(Feedback::Stale) => {
            "stale: it comes last in the context, and its session is told without it"
        }
        Some(Feedback::Wrong) => "wrong: no session receives it, nor what states the same",
        None => "",
    };
    let ids = if feedback.is_some() { &args.ids } else { &args.undo };
    let unchanged =
        if feedback.is_some() { "has this feedback already" } else { "has no feedback" };
    mark(
        settings,
        (ids, Reach::Memory),
        |marks| marks.feedback = feedback,
        unchanged,
        |memory| match feedback {
            Some(_) => say_undoable(
                &format!("{} is {effect}", titled(memory)),
                &format!("feedback --undo {}", memory.id),
            ),
            None => say(&format!("{} has no feedback any more", titled(memory))),
        },
    )
}
