//! What went wrong with a command the last time.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rusqlite::{Connection, Result};

use super::{EXAMINED, Known, KnownKind, as_stored, in_turn};
use crate::activity::{WrittenCommand, written_commands};
use crate::memory::{Blocker, BlockerKind, CommandUse, Evidence};
use crate::store::known::{self, TurnRow, Turns};

/// What went wrong with one of the commands of a line the last time that it was used: it failed, the
/// user refused it, or its changes were taken back. `None` if it worked the last time. Checks are left
/// out, because they fail as a matter of course.
///
/// A risky command is also compared with uses of the same program and verb.
pub fn about_command(conn: &Connection, project_id: i64, command: &str) -> Result<Option<Known>> {
    for written in written_commands(command).iter().filter(|written| !written.is_check) {
        if let Some(known) = last_use(conn, project_id, written)? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn last_use(conn: &Connection, project_id: i64, written: &WrittenCommand) -> Result<Option<Known>> {
    let text = if written.is_risky { &written.name } else { &written.line };
    let naming = [as_stored(text).trim_matches('"').to_owned()];
    let query = Turns { project_id: Some(project_id), naming: &naming, examined: EXAMINED };
    let mut found = None;
    // Files that later turns of a session put back.
    let mut put_back: HashSet<(Option<i64>, String)> = HashSet::new();
    known::visit_turns(conn, query, |row| {
        let evidence = &row.turn.evidence;
        if let Some(known) = refused(&row, written) {
            found = Some(known);
            return ControlFlow::Break(());
        }
        let used = evidence.commands.iter().rev().find(|used| is_same(written, used));
        if let Some(used) = used {
            let is_back = |file: &String| put_back.contains(&(row.session_id, file.clone()));
            let undone = used.undone || used.files.iter().any(is_back);
            found = match (undone, used.ok) {
                (true, _) => Some(undone_use(&row, used)),
                (false, false) => Some(failed_use(&row, used, evidence)),
                (false, true) => None,
            };
            return ControlFlow::Break(());
        }
        put_back.extend(evidence.put_back.iter().map(|file| (row.session_id, file.clone())));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn is_same(written: &WrittenCommand, used: &CommandUse) -> bool {
    used.line == written.line || written.is_risky && used.name == written.name
}

fn refused(row: &TurnRow, written: &WrittenCommand) -> Option<Known> {
    let is_it = |what: &str| {
        written_commands(what).iter().any(|other| {
            other.line == written.line || written.is_risky && other.name == written.name
        })
    };
    let refusal = row.turn.evidence.refusals.iter().rev().find(|refusal| is_it(&refusal.what))?;
    let what = &refusal.what;
    let text = match refusal.words.trim() {
        "" => format!("The user refused `{what}` the last time{}.", in_turn(row)),
        words => format!("The user refused `{what}` the last time and said: “{words}”"),
    };
    Some(Known::of_turn(KnownKind::Refused, row, text))
}

fn undone_use(row: &TurnRow, used: &CommandUse) -> Known {
    let text = format!("What `{}` changed was taken back{}.", used.line, in_turn(row));
    Known::of_turn(KnownKind::Undone, row, text)
}

fn failed_use(row: &TurnRow, used: &CommandUse, evidence: &Evidence) -> Known {
    let exit = used.exit.map_or_else(String::new, |exit| format!(" with exit status {exit}"));
    let blocker = evidence.blockers.iter().rev().find(|blocker| blocker.command == used.name);
    let why = blocker.map(reason).unwrap_or_default();
    let instead = evidence.failures.iter().find(|failure| {
        failure.line == used.line && failure.passed && !failure.worked_as.is_empty()
    });
    let instead = instead.map_or_else(String::new, |f| format!("; `{}` worked", f.worked_as));
    let text = format!("`{}` failed{exit} the last time{why}{instead}{}.", used.line, in_turn(row));
    Known::of_turn(KnownKind::Failing, row, text)
}

/// What blocked a command. The program's own words are a third party's.
fn reason(blocker: &Blocker) -> String {
    let subject = &blocker.subject;
    match blocker.kind {
        BlockerKind::Credentials => format!(": `{subject}` needed a password or a login"),
        BlockerKind::Missing => format!(": `{subject}` was missing"),
        BlockerKind::Service => format!(": `{subject}` did not answer"),
        BlockerKind::Hook => format!(": the git hook `{subject}` refused it"),
        BlockerKind::Ci => ": the project's CI was red".to_owned(),
        BlockerKind::Denied if subject.is_empty() => ": permission was denied".to_owned(),
        BlockerKind::Denied => format!(": refused ({subject})"),
        BlockerKind::Other => String::new(),
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
