//! What went wrong with a command the last time.

use rusqlite::{Connection, Result};

use super::{Known, KnownKind, in_turn};
use crate::activity::{WrittenCommand, written_commands};
use crate::memory::{Blocker, BlockerKind, CommandUse, Evidence};
use crate::store::known::{self, TurnRow};
use crate::store::words::{Name, named};

/// How many turns are read: the newest one tells the last use, unless it is hidden.
const MAX_TURNS: usize = 5;

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
    let name = match written.is_risky {
        true => Name::Program(&written.name),
        false => Name::Command(&written.line),
    };
    let rows = named(conn, project_id, &[name], MAX_TURNS)?;
    for row in known::turns(conn, &rows)? {
        let evidence = &row.turn.evidence;
        if let Some(known) = refused(&row, written) {
            return Ok(Some(known));
        }
        let used = evidence.commands.iter().rev().find(|used| is_same(written, used));
        let Some(used) = used else { continue };
        let undone = used.undone || was_put_back(conn, project_id, &row, used)?;
        return Ok(match (undone, used.ok) {
            (true, _) => Some(undone_use(&row, used)),
            (false, false) => Some(failed_use(&row, used, evidence)),
            (false, true) => None,
        });
    }
    Ok(None)
}

/// Whether a later turn of the session put back one of the command's files.
fn was_put_back(
    conn: &Connection,
    project_id: i64,
    row: &TurnRow,
    used: &CommandUse,
) -> Result<bool> {
    let names: Vec<Name> = used.files.iter().map(|path| Name::PutBack(path)).collect();
    let mut later = named(conn, project_id, &names, MAX_TURNS)?;
    later.retain(|named| named.id > row.id);
    let is_back = |later: &TurnRow| {
        let mut back = later.turn.evidence.put_back.iter();
        later.session_id == row.session_id && back.any(|path| used.files.contains(path))
    };
    Ok(known::turns(conn, &later)?.iter().any(is_back))
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
