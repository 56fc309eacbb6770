//! Finds a session by a prefix of its id, by `CLIENT:PREFIX` or by the current directory, a project by its
//! name or its directory, and a memory by its id.

use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::Connection;

use super::format::{self, short};
use crate::context::{self, OpenStep};
use crate::deliver::unfinished;
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::project;
use crate::store::sessions::{self, Filter, PrefixMatch, Session};
use crate::store::words::{RowId, RowKind};
use crate::store::{claims, observations, projects, summaries};

/// How many candidates an error lists.
const MAX_LISTED: usize = 8;

/// How many active sessions are loaded.
const MAX_LOADED: usize = 50;

/// The identity of a session: the client's name, and the client's session id.
pub type Identity<'a> = (&'a str, &'a str);

/// Finds a session by a prefix of its id that no other session has, or by `CLIENT:PREFIX`.
///
/// # Errors
/// Exit code 1 if no session matches, 2 with the candidates if several do.
pub fn session(conn: &Connection, prefix: &str) -> Result<Session> {
    match sessions::by_prefix(conn, prefix)? {
        PrefixMatch::One(session) => Ok(*session),
        PrefixMatch::Many(many) => Err(ambiguous(prefix, &identities(&many))),
        PrefixMatch::None => Err(failed(format!("no session starts with '{prefix}'"))
            .hint("`memctl list` prints the sessions of this project, `memctl list -a` all")),
    }
}

/// An observation or a summary.
#[derive(Clone, Debug)]
pub struct Memory {
    pub id: RowId,
    pub title: String,
}

/// Finds an observation or a summary by its short name or UUID, in any project.
///
/// # Errors
/// Exit code 1 if there is none, 2 if it is a prompt.
pub fn memory(conn: &Connection, name: &str) -> Result<Memory> {
    if let Some(row) = observations::by_name(conn, name)? {
        return Ok(Memory { id: RowId::observation(row.id), title: row.observation.title });
    }
    if let Some(row) = summaries::by_name(conn, name)?.filter(|s| !s.hidden) {
        let texts = [&row.title, &row.summary.request, &row.summary.completed];
        let title = texts.iter().find(|text| !text.trim().is_empty()).map(|text| text.as_str());
        let title = title.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        return Ok(Memory { id: RowId::summary(row.id), title });
    }
    if let Some(prompt) = sessions::prompt_by_name(conn, name)? {
        return Err(usage(format!("p{} is a prompt, and no memory", prompt.id))
            .hint("`memctl show SESSION` prints the observations and the summary of each prompt"));
    }
    Err(failed(format!("no memory matches '{name}'"))
        .hint("`memctl context` and `memctl show SESSION` print ids"))
}

/// The current observations of a summary's turn. An observation has none.
pub fn observations_of(conn: &Connection, memory: RowId) -> Result<Vec<Memory>> {
    let summary = match memory.kind {
        RowKind::Summary => summaries::by_id(conn, memory.id)?,
        _ => None,
    };
    let turn = summary.and_then(|row| Some((row.session_id?, row.prompt_number)));
    let Some((session, prompt_number)) = turn else { return Ok(Vec::new()) };
    let rows = observations::of_session(conn, session, i64::MAX as usize)?;
    let of_turn = rows.into_iter().filter(|row| {
        row.observation.prompt_number == prompt_number && row.superseded_by.is_none()
    });
    Ok(of_turn
        .map(|row| Memory { id: RowId::observation(row.id), title: row.observation.title })
        .collect())
}

/// The project of the current directory, as it claims to be.
pub fn this_project() -> Result<Project> {
    Ok(project::identify(&here()?))
}

/// The project of the current directory.
pub fn project_here(conn: &Connection) -> Result<Project> {
    Ok(claims::examine(conn, &this_project()?)?.project)
}

/// The row id of the project with this name or directory, or of the current directory. `None` if nothing
/// is stored for the current directory.
///
/// # Errors
/// As [`project()`].
pub fn project_or_here(conn: &Connection, name: Option<&str>) -> Result<Option<i64>> {
    match name {
        Some(name) => project(conn, name).map(Some),
        None => Ok(projects::find(conn, &project_here(conn)?)?),
    }
}

/// The name of a project.
/// What is open in a project, seen from the current directory if it is of the project.
pub fn open_ends(conn: &Connection, project_id: Option<i64>) -> Result<Vec<OpenStep>> {
    let Some(id) = project_id else { return Ok(Vec::new()) };
    let here = project_here(conn)?;
    let project = match projects::find(conn, &here)? {
        Some(found) if found == id => here,
        _ => projects::get(conn, id)?,
    };
    Ok(context::open_ends(conn, &project)?)
}

pub fn project_name(conn: &Connection, id: Option<i64>) -> Result<Option<String>> {
    Ok(id.map(|id| projects::name(conn, id)).transpose()?)
}

/// The current directory.
pub fn here() -> Result<PathBuf> {
    std::env::current_dir().context("current directory")
}

/// Finds the only active session of the project in the current directory.
///
/// # Errors
/// Exit code 1 if there is none, 2 with the candidates if there are several.
pub fn only_active(conn: &Connection) -> Result<Session> {
    let project = this_project()?;
    let none = || {
        failed(format!("project {} has no active session", project.name))
            .hint("name a session; `memctl list` prints them")
    };
    let examined = claims::examine(conn, &project)?;
    let id = projects::find(conn, &examined.project)?.ok_or_else(none)?;
    let active = Filter { project_id: Some(id), active: true, ..Filter::default() };
    let mut found = sessions::list(conn, active, MAX_LOADED)?;
    if found.len() > 1 {
        found.retain(|session| !unfinished::is_client_gone(session));
    }
    match found.len() {
        0 => Err(none()),
        1 => Ok(found.remove(0)),
        n => Err(usage(format!(
            "project {} has {n} active sessions: {}",
            project.name,
            join(&identities(&found))
        ))
        .hint("name one of them")),
    }
}

/// Finds a project by its directory or its name. The directory need not exist any more. A directory that
/// does not exist belongs to no repository around it: it may be the name of another project.
///
/// # Errors
/// Exit code 1 if no project matches, 2 with their directories if several do.
pub fn project(conn: &Connection, name: &str) -> Result<i64> {
    let dir = Path::new(name);
    let found = projects::by_name(conn, name)?;
    if dir.is_dir() {
        let id = project_of(conn, dir)?;
        match (id, &found[..]) {
            (Some(id), [(named, root)]) if id != *named => {
                return Err(usage(format!("'{name}' is a directory here and the project {root}"))
                    .hint(format!("use ./{name} or {root}")));
            }
            (Some(id), _) => return Ok(id),
            (None, _) => {}
        }
    }
    for removed in project::removed(dir) {
        if let Some(id) = projects::of_removed(conn, &removed)? {
            return Ok(id);
        }
    }
    match &found[..] {
        [(id, _)] => Ok(*id),
        [] => Err(failed(format!("nothing is stored for project '{name}'"))
            .hint("use its directory, or its name as `memctl project list` prints it")),
        several => {
            let roots: Vec<&str> = several.iter().map(|(_, root)| root.as_str()).collect();
            let n = roots.len();
            Err(usage(format!("{n} projects have the name '{name}': {}", roots.join(", ")))
                .hint("use the directory of one of them"))
        }
    }
}

/// The project that a directory belongs to. `None` if nothing is stored for it.
pub fn project_of(conn: &Connection, dir: &Path) -> Result<Option<i64>> {
    let examined = claims::examine(conn, &project::identify(dir))?;
    Ok(projects::find(conn, &examined.project)?)
}

/// The error for a name that several sessions share.
pub fn ambiguous(name: &str, found: &[Identity]) -> Failure {
    let n = found.len();
    let is_same_id = found.iter().all(|(_, id)| *id == found[0].1);
    usage(format!("{n} sessions start with '{name}': {}", join(found))).hint(match is_same_id {
        true => "use CLIENT:SESSION",
        false => "use a longer prefix",
    })
}

/// The sessions that a name means, as indexes: those with this id, else those whose id begins with it,
/// else the same for the id in `CLIENT:ID`.
pub fn matching(all: &[Identity], name: &str) -> Vec<usize> {
    let of_client = name.split_once(':').map(|(client, id)| (Some(client), id));
    for (client, id) in std::iter::once((None, name)).chain(of_client) {
        let is_client = |n: &usize| client.is_none_or(|client| all[*n].0 == client);
        let whole = |n: &usize| all[*n].1 == id;
        let prefix = |n: &usize| !id.is_empty() && all[*n].1.starts_with(id);
        let found: Vec<usize> = (0..all.len()).filter(is_client).filter(whole).collect();
        if !found.is_empty() {
            return found;
        }
        let found: Vec<usize> = (0..all.len()).filter(is_client).filter(prefix).collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The id of each session, with its client if another client uses the same id.
pub fn labels(all: &[Identity]) -> Vec<String> {
    let is_shared = |(client, id): &Identity| all.iter().any(|(c, i)| i == id && c != client);
    let label = |identity: &Identity| match is_shared(identity) {
        true => format!("{}:{}", identity.0, identity.1),
        false => identity.1.to_owned(),
    };
    all.iter().map(label).collect()
}

/// Whether the sessions have different clients.
pub fn has_several_clients<'a>(mut clients: impl Iterator<Item = &'a str>) -> bool {
    let first = clients.next();
    clients.any(|client| Some(client) != first)
}

fn identities(sessions: &[Session]) -> Vec<Identity<'_>> {
    sessions.iter().map(|s| (s.client.as_str(), s.content_session_id.as_str())).collect()
}

/// The sessions with shortened ids, as a list in a message.
pub fn join(found: &[Identity]) -> String {
    let ids: Vec<&str> = found.iter().map(|(_, id)| *id).collect();
    let n = format::distinct(&ids, 13);
    let short: Vec<String> = ids.iter().map(|id| short(id, n)).collect();
    let shown: Vec<Identity> =
        found.iter().zip(&short).map(|((client, _), id)| (*client, id.as_str())).collect();
    let mut listed = labels(&shown);
    if listed.len() > MAX_LISTED {
        let more = format!("{} more", listed.len() - MAX_LISTED);
        listed.truncate(MAX_LISTED);
        listed.push(more);
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_an_id_a_prefix_or_a_client_with_one_of_them() {
        let all = [("c", "one-1"), ("c", "one-2"), ("d", "one-2"), ("c", "one"), ("c", "x:y")];
        let check = |name, want: &[usize]| assert_eq!(matching(&all, name), want, "{name}");
        check("one-1", &[0]);
        check("one-2", &[1, 2]);
        check("one", &[3]);
        check("on", &[0, 1, 2, 3]);
        check("d:one-2", &[2]);
        check("d:o", &[2]);
        check("c:one-2", &[1]);
        check("x:y", &[4]);
        check("d:x", &[]);
        check("d:", &[]);
        check("", &[]);
        assert_eq!(labels(&all), ["one-1", "c:one-2", "d:one-2", "one", "x:y"]);
    }
}
