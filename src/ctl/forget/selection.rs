//! The rows that the arguments select, and how they are shown.

use rusqlite::Connection;

use super::Args;
use crate::ctl::format::{self, count};
use crate::ctl::lookup;
use crate::failure::{Result, failed};
use crate::paths::session_key;
use crate::store::forget::{ForgetCounts, ForgetFilter, ForgetSet};
use crate::store::sessions::{self, PrefixMatch};
use crate::store::undo::{self, restore};
use crate::store::{Locked, observations, remnants, summaries};
use crate::text::{Needle, escape, sanitize, truncate};

/// Maximum number of items that are listed one by one.
const MAX_LISTED: usize = 12;

/// Maximum length of a listed title.
const MAX_TITLE: usize = 70;

/// What the arguments select.
pub struct Selection {
    pub set: ForgetSet,
    /// One line for each item, up to a limit.
    pub list: String,
    /// Long lines of its texts.
    pub passages: Vec<String>,
    /// The selected rows among those that can be restored. Only `--now` selects them.
    pub waiting: Vec<i64>,
}

impl Selection {
    pub fn of(conn: &Connection, args: &Args) -> Result<Selection> {
        let set = select(conn, args)?;
        let list = list(conn, &set)?;
        let passages = match args.verify {
            true => remnants::passages(conn, &set)?,
            false => Vec::new(),
        };
        Ok(Selection { set, list, passages, waiting: Vec::new() })
    }

    /// Also selects what was forgotten before and can still be restored.
    pub fn with_waiting(locked: &mut Locked, args: &Args) -> Result<Selection> {
        let all = undo::list(locked.connection())?;
        if all.is_empty() {
            return Selection::of(locked.connection(), args);
        }
        let selection = restore::with_restored(locked, &all, |conn, _| Selection::of(conn, args));
        let mut selection = selection??;
        let texts: Vec<Needle> = args.query.as_deref().map(Needle::new).into_iter().collect();
        let waiting = undo::selected(locked.connection(), &mut selection.set, &texts);
        selection.waiting = waiting?;
        Ok(selection)
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.waiting.is_empty()
    }
}

fn select(conn: &Connection, args: &Args) -> Result<ForgetSet> {
    let mut selection = ForgetSet::default();
    for name in &args.ids {
        if let Some(row) = observations::by_name(conn, name)? {
            selection.add_observations(conn, &[row.id])?;
        } else if let Some(row) = summaries::by_name(conn, name)? {
            selection.add_summary(conn, row.id)?;
        } else if let Some(prompt) = sessions::prompt_by_name(conn, name)? {
            selection.add_prompt(conn, prompt.id)?;
        } else if let PrefixMatch::None = sessions::by_prefix(conn, name)? {
            return Err(failed(format!("no memory or session matches '{name}'"))
                .hint("`memctl context` and `memctl show SESSION` print ids"));
        } else {
            let session = lookup::session(conn, name)?;
            selection.add_session(conn, session.id)?;
        }
    }
    if args.ids.is_empty() {
        selection.add_matching(conn, &filter(conn, args)?)?;
    }
    Ok(selection)
}

pub fn filter(conn: &Connection, args: &Args) -> Result<ForgetFilter> {
    let project = args.project.as_deref().map(|name| lookup::project(conn, name)).transpose()?;
    let text = args.query.as_deref().map(Needle::new);
    Ok(ForgetFilter { project, text, since: args.since, before: args.before })
}

/// The keys of the sessions that are deleted as a whole.
pub fn session_keys(conn: &Connection, set: &ForgetSet) -> crate::store::Result<Vec<String>> {
    let mut keys = Vec::new();
    for id in &set.sessions {
        if let Some(session) = sessions::get(conn, *id)? {
            keys.push(session_key(&session.client, &session.content_session_id));
        }
    }
    Ok(keys)
}

/// Lists the items, one line each, up to a limit. Parts of a listed session are not listed.
pub fn list(conn: &Connection, set: &ForgetSet) -> Result<String> {
    let mut lines = Vec::new();
    for id in &set.sessions {
        if let Some(s) = sessions::get(conn, *id)? {
            let project = s.project.unwrap_or_else(|| "no project".into());
            let at = format::at(s.started_at_epoch);
            lines.push(format!("{}  {}, {at}", escape(&s.content_session_id), escape(&project)));
        }
    }
    let in_listed_session =
        |session: Option<i64>| session.is_some_and(|id| set.sessions.contains(&id));
    if set.sessions.is_empty() {
        for id in &set.prompts {
            let name = format!("p{id}");
            if let Some(p) = sessions::prompt_by_name(conn, &name)? {
                lines.push(format!("{name}  {}", clipped(&p.text.unwrap_or_default())));
            }
        }
        for id in &set.summaries {
            if let Some(s) = summaries::by_id(conn, *id)? {
                lines.push(format!("s{id}  {}", clipped(&s.summary.request)));
            }
        }
    }
    for id in &set.observations {
        if lines.len() > MAX_LISTED {
            break;
        }
        if let Some(o) = observations::by_id(conn, *id)?
            && !in_listed_session(o.session_id)
        {
            lines.push(format!("o{id}  {}", clipped(&o.observation.title)));
        }
    }
    if lines.len() > MAX_LISTED {
        lines.truncate(MAX_LISTED);
        lines.push("…".into());
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// The first line of a text, without control characters.
fn clipped(text: &str) -> String {
    truncate(&sanitize(text.trim().lines().next().unwrap_or_default()), MAX_TITLE)
}

pub fn format_counts(n: &ForgetCounts, n_spooled: u64) -> String {
    let counts = [
        (n.sessions, count(n.sessions, "session")),
        (n.prompts, count(n.prompts, "prompt")),
        (n.summaries, format::summaries(n.summaries)),
        (n.observations, count(n.observations, "observation")),
        (n.versions, count(n.versions, "earlier text")),
        (n.events, count(n.events, "queued event")),
        (n_spooled, count(n_spooled, "spooled event")),
    ];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text);
    counts.collect::<Vec<_>>().join(", ")
}
