//! The commands with which a program worked.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, Result};

use super::as_stored;
use crate::memory::{CheckRun, CommandUse, Evidence, Outcome};
use crate::store::known::{self, Turns};

/// After this time, a use counts half.
const HALF_LIFE_MS: f64 = 14.0 * 86_400_000.0;

/// One command line of a program, over all turns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Invocation {
    pub line: String,
    /// The directory, relative to the project's root. Empty: the root.
    pub dir: String,
    /// It was used in the project that was asked for.
    pub here: bool,
    pub worked: u64,
    pub failed: u64,
    /// Whether the last use worked.
    pub ok: bool,
    /// The exit status of the last use, if it is known.
    pub exit: Option<i32>,
    pub last_epoch: i64,
    /// The turn of the last use.
    pub row: i64,
    pub project_id: Option<i64>,
    weight: f64,
}

/// The command lines with which a program worked, those of the project `here` first, then the most
/// used ones. `now` is in milliseconds: recent uses count more.
pub fn invocations(
    conn: &Connection,
    tool: &str,
    here: Option<i64>,
    now: i64,
) -> Result<Vec<Invocation>> {
    let naming = [as_stored(tool).trim_matches('"').to_owned()];
    let query = Turns { project_id: None, naming: &naming };
    let mut found: HashMap<(bool, String, String), Invocation> = HashMap::new();
    known::visit_turns(conn, query, |row| {
        let is_here = here.is_some() && row.project_id == here;
        for used in uses(&row.turn.evidence).filter(|used| runs(used, tool)) {
            let dir = if is_here { used.dir.clone() } else { String::new() };
            let known = found.entry((is_here, used.line.clone(), dir.clone()));
            // The newest turn comes first.
            let known = known.or_insert_with(|| Invocation {
                line: used.line.clone(),
                dir,
                here: is_here,
                ok: used.ok,
                exit: used.exit,
                last_epoch: row.created_at_epoch,
                row: row.id,
                project_id: row.project_id,
                ..Invocation::default()
            });
            known.worked += u64::from(used.worked);
            known.failed += u64::from(used.failed);
            let age = (now - row.created_at_epoch).max(0) as f64;
            known.weight += f64::from(used.worked) * (-age / HALF_LIFE_MS).exp2();
        }
        ControlFlow::Continue(())
    })?;
    let mut found: Vec<Invocation> =
        found.into_values().filter(|invocation| invocation.worked > 0).collect();
    found.sort_by(|a, b| {
        let of = |i: &Invocation| (!i.here, !i.ok);
        of(a).cmp(&of(b)).then(b.weight.total_cmp(&a.weight)).then_with(|| a.line.cmp(&b.line))
    });
    Ok(found)
}

/// The uses of a turn. Of a turn that an older release stored, only the checks are known.
fn uses(evidence: &Evidence) -> impl Iterator<Item = CommandUse> {
    let is_old = evidence.commands.is_empty();
    let checks = evidence.checks.iter().filter(move |_| is_old).filter_map(of_check);
    evidence.commands.iter().cloned().chain(checks)
}

fn of_check(check: &CheckRun) -> Option<CommandUse> {
    let (worked, failed) = match check.outcome {
        Outcome::Pass => (1, 0),
        Outcome::Fail => (0, 1),
        Outcome::Unknown => return None,
    };
    let words = std::iter::once(&check.key).chain(&check.arguments);
    let line = words.cloned().collect::<Vec<String>>().join(" ");
    let name = check.key.clone();
    Some(CommandUse { line, name, worked, failed, ok: worked == 1, ..CommandUse::default() })
}

/// Whether a command runs a program: as its first word, or behind a wrapper such as `npx`.
fn runs(used: &CommandUse, tool: &str) -> bool {
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let mut words = used.line.split(' ').skip_while(|word| is_assignment(word));
    let of_name = used.name.split(' ').find(|word| *word != "sudo");
    words.next().is_some_and(|word| base(word) == tool)
        || of_name == Some(tool)
        || used.line == tool
        // `cargo nextest`
        || tool.contains(' ') && format!("{} ", used.line).starts_with(&format!("{tool} "))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
#[path = "invocations_tests.rs"]
mod tests;
