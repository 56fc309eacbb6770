//! Reads the context for a starting session, and the notices that its user sees once. SessionStart
//! is the only hook that writes the database, and only to run migration steps after an upgrade.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use memctl_proto::Event;
use memctl_proto::event::Project;

use crate::config::Settings;
use crate::context::native::Native;
use crate::context::{Page, budget, start};
use crate::deliver::unfinished;
use crate::injection::given::Row;
use crate::spool;
use crate::store::claims::{self, Examined};
use crate::store::words::RowId;
use crate::store::{self, LockWait, Reader, Store, StoreError, look_alikes, notices, sessions};
use crate::text::one_line;

/// How long migration steps may wait for the store lock.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a statement waits for a lock.
const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub struct StartContext {
    pub block: String,
    /// The rows that the block includes, each with the estimated tokens of its lines.
    pub rows: Vec<Row>,
    /// The rows of which it includes open steps only.
    pub steps: Vec<Row>,
    /// One line for the user about new problems.
    pub notice: Option<String>,
    /// Time of the newest row that the block includes.
    pub newest_epoch: Option<i64>,
    /// Work is unfinished outside this session.
    pub unfinished: bool,
}

impl StartContext {
    /// The notice, with one quiet line about the block behind the problems if `says_size`.
    pub fn notice_with_size(&self, says_size: bool) -> Option<String> {
        if !says_size || self.block.is_empty() {
            return self.notice.clone();
        }
        let memories = match self.rows.len() + self.steps.len() {
            1 => "1 memory".to_owned(),
            n => format!("{n} memories"),
        };
        let tokens: u32 = self.rows.iter().chain(&self.steps).map(|(_, tokens)| tokens).sum();
        let size = format!("{memories}, {tokens} tokens");
        Some(match &self.notice {
            Some(problems) => format!("{problems}; {size}"),
            None => format!("memctl: {size}"),
        })
    }
}

/// The rows of a block in their order, each with the tokens of all its lines. Those of which it only has
/// open steps come second.
fn rows(page: &Page) -> (Vec<Row>, Vec<Row>) {
    let mut rows: Vec<(Row, bool)> = Vec::new();
    for section in &page.sections {
        for line in &section.lines {
            let Some(id) = RowId::parse(&line.id) else { continue };
            let tokens = budget::tokens_of_line(&line.text);
            match rows.iter_mut().find(|((row, _), _)| *row == id) {
                Some(((_, sum), only_steps)) => {
                    *sum += tokens;
                    *only_steps &= section.has_steps();
                }
                None => rows.push(((id, tokens), section.has_steps())),
            }
        }
    }
    let (steps, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, only_steps)| *only_steps);
    let plain = |rows: Vec<(Row, bool)>| rows.into_iter().map(|(row, _)| row).collect();
    (plain(rows), plain(steps))
}

/// Reads the context for `event`, a start. If the store cannot be read, the block is empty and the
/// error is returned with the rest. The database is closed when this returns.
pub fn load(settings: &Settings, event: &Event) -> (StartContext, Option<StoreError>) {
    if !settings.paths.data_dir_exists() {
        return (StartContext::default(), None);
    }
    let store = open(settings);
    let reader = store.as_ref().ok().and_then(Option::as_ref);
    let examined = reader.zip(event.project.as_ref());
    let examined =
        examined.map(|(reader, project)| claims::examine(reader.connection(), project)).transpose();
    let known = examined.as_ref().ok().and_then(Option::as_ref);
    let notice = take_notice(settings, reader, known);
    let (client, session) = (&event.client, &event.session);
    let unfinished =
        unfinished::in_other_sessions(&settings.paths, &store, client, session, event.at);
    let result = match (store, examined) {
        (Err(e), _) | (_, Err(e)) => Err(e),
        (Ok(Some(reader)), Ok(Some(examined))) => {
            load_block(settings, &reader, event, &examined.project)
        }
        (Ok(_), Ok(_)) => Ok(StartContext::default()),
    };
    let result = match result {
        // Another program has removed columns or tables.
        Err(StoreError::Schema(_)) => load_repaired(settings, event),
        result => result,
    };
    let (context, error) = match result {
        Ok(context) => (context, None),
        Err(e) => (StartContext::default(), Some(e)),
    };
    (StartContext { notice, unfinished, ..context }, error)
}

/// Repairs the schema and reads the context.
fn load_repaired(settings: &Settings, event: &Event) -> store::Result<StartContext> {
    let (Some(reader), Some(project)) = (migrate(settings)?, &event.project) else {
        return Ok(StartContext::default());
    };
    let examined = claims::examine(reader.connection(), project)?;
    load_block(settings, &reader, event, &examined.project)
}

fn load_block(
    settings: &Settings,
    reader: &Reader,
    event: &Event,
    project: &Project,
) -> store::Result<StartContext> {
    let reason = event.reason.as_deref().unwrap_or("startup");
    let is_enabled = settings.config.context.sources.iter().any(|source| source == reason);
    if !is_enabled {
        return Ok(StartContext::default());
    }
    let conn = reader.connection();
    let parent = match (event.process, &event.turn) {
        (Some(process), Some(turn)) if reason == "fork" => {
            let own = sessions::id_of(conn, &event.client, &event.session)?.unwrap_or(0);
            sessions::parent_of_fork(conn, &event.client, process, turn, own)?
        }
        _ => None,
    };
    let already_shown = start::already_shown(conn, &event.client, &event.session, reason, parent)?;
    let dir = event.cwd.as_deref().unwrap_or(&project.root);
    let native = Rc::new(Native::of_session(settings, &event.client, Path::new(dir)));
    let tokens = settings.config.context.tokens;
    let context = start::block(conn, project, &already_shown, &native, tokens)?;
    let (rows, steps) = rows(&context.page);
    Ok(StartContext {
        rows,
        steps,
        block: context.text,
        newest_epoch: context.newest_epoch,
        ..StartContext::default()
    })
}

/// Opens the store for reading. Runs migration steps first if the schema is older than this
/// program. Returns `None` if there is no database.
fn open(settings: &Settings) -> store::Result<Option<Reader>> {
    if let Some(reader) = Reader::open(&settings.paths, BUSY_TIMEOUT)? {
        return Ok(Some(reader));
    }
    if !settings.paths.database().exists() {
        return Ok(None);
    }
    migrate(settings)
}

/// Runs the missing migration steps and opens the store again.
fn migrate(settings: &Settings) -> store::Result<Option<Reader>> {
    Store::open_within(&settings.paths, LockWait::Within(MIGRATION_TIMEOUT))?;
    Reader::open(&settings.paths, BUSY_TIMEOUT)
}

/// Why the directory's memory may be less than the user expects: another project claims it, or a known
/// project looks like it.
fn doubt(reader: &Reader, examined: &Examined) -> Option<String> {
    if let Some(refused) = &examined.refused {
        return refused.sentence(&examined.project.root);
    }
    let found = look_alikes::of_directory(reader.connection(), &examined.project);
    let look_alike = found.ok().flatten()?;
    let (sentence, command) = (look_alike.sentence(), look_alike.command(true));
    Some(format!("{sentence}; its memory is separate until you run `{command}` there"))
}

/// Returns one line with the problems that the user has not seen, and records them as shown. `examined`
/// is the project of the session's directory.
fn take_notice(
    settings: &Settings,
    reader: Option<&Reader>,
    examined: Option<&Examined>,
) -> Option<String> {
    let mut problems: Vec<String> = settings.config.problems.clone();
    if let Err(e) = settings.paths.check() {
        problems.push(format!("cannot use the data dir: {e}"));
    }
    problems.extend(spool::loss_notice(&settings.paths));
    if let Some(reader) = reader {
        let stored = notices::list(reader.connection()).unwrap_or_default();
        problems.extend(stored.into_iter().map(|(_, text)| text));
    }
    if let (Some(reader), Some(examined)) = (reader, examined) {
        problems.extend(doubt(reader, examined));
    }
    // One line each in the list, whatever they quote.
    let problems = problems.iter().map(|problem| one_line(problem));
    let mut problems: Vec<String> = problems.collect();
    let path = settings.paths.notices_shown();
    let shown = path.read_to_string().unwrap_or_default();
    problems.retain(|problem| !shown.lines().any(|line| line == problem));
    if problems.is_empty() {
        return None;
    }
    // If this fails, the next start shows them again.
    let _ = path.append(problems.iter().map(|p| format!("{p}\n")).collect::<String>().as_bytes());
    Some(format!("memctl: {} (details: memctl status)", problems.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Line, Section};

    #[test]
    fn a_row_of_which_only_a_step_is_told_is_no_told_row() {
        let section = |heading, ids: &[&str]| {
            let line =
                |id: &&str| Line { text: "- text".into(), id: (*id).into(), is_whole: false };
            Section { heading, lines: ids.iter().map(line).collect() }
        };
        let sections = vec![
            section("Rules and decisions", &["o1"]),
            section("Open", &["s2", "s3", "s3"]),
            section("Last session", &["s3", "s3"]),
        ];
        let (told, steps) = rows(&Page { sections });
        let names = |rows: &[Row]| rows.iter().map(|(row, _)| row.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (names(&told), names(&steps)),
            (vec!["o1".into(), "s3".into()], vec!["s2".into()])
        );
        let one = budget::tokens_of_line("- text");
        assert_eq!(told[1].1, 4 * one, "all lines of a row count");
    }
}
