//! `memctl edit`: opens a memory in the user's editor.
//!
//! The record is a file in the data dir until its text is stored. A refused text stays there, and so does
//! that of a killed `memctl edit`. The next one continues with it.

mod editor;
pub mod leftovers;
mod record;

use super::change::{say_undoable, titled};
use super::lookup::{self, Memory};
use crate::capture;
use crate::clock;
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Context, Failure, Result, failed, usage};
use crate::files::Place;
use crate::store::revisions::{self, Editable};

const HELP: &str = "\
Examples
  memctl edit o412                      Correct an observation in your editor
  EDITOR='code --wait' memctl edit s37  Correct a summary in another editor
  memctl edit --undo o412               Restore the text before the last edit

Record
  o412  The fields type, title, subtitle, expires, facts, concepts, files_modified and files_read \
between two lines `---`, and the narrative below
  s37   A section for each text
";

/// Correct a memory in your editor
///
/// Opens one Markdown record in $VISUAL, $EDITOR or vi. An unchanged text changes nothing; an invalid
/// record is refused, and its text is kept. Statements that only the old text has
/// are rejected: they do not come back with a later session. The old text can be restored.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Id of an observation (o412) or a summary (s37), also of another project
    #[arg(value_name = "ID")]
    id: String,
    /// Restore the text before the last edit
    #[arg(long)]
    undo: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match args.undo {
        true => undo(settings, &args.id),
        false => edit(settings, &args.id),
    }
}

fn undo(settings: &Settings, name: &str) -> Result<()> {
    let mut store = open::to_change(settings)?;
    let memory = lookup::memory(store.connection(), name)?;
    let now = clock::now_ms();
    let is_undone = store.write(|tx| revisions::undo(tx, memory.id, now))?;
    if !is_undone {
        return Err(failed(format!("{} was not edited", memory.id)));
    }
    let memory = lookup::memory(store.connection(), name)?;
    super::print(&format!("restored {}\n", titled(&memory)))
}

fn edit(settings: &Settings, name: &str) -> Result<()> {
    let (memory, before) = load(settings, name)?;
    editor::check().map_err(|why| usage(why).hint("set VISUAL or EDITOR to a program"))?;
    let original = record::render(memory.id, &before);
    let file = file(settings, &memory, &original)?;
    // The database is closed while the editor runs: SQLite connections must not cross a fork.
    if let Err(why) = editor::open(file.path()) {
        remove_if(&file, &original);
        return Err(failed(why).hint("set VISUAL or EDITOR; nothing was changed"));
    }
    let text = read(&file, &memory)?;
    let unchanged = || super::print(&format!("{} is unchanged\n", titled(&memory)));
    if text == original {
        remove(&file)?;
        return unchanged();
    }
    let after =
        record::apply(memory.id, &before, &text).map_err(|why| refused(&file, &memory, why))?;
    let (after, n_removed) = cleaned(after, &before, settings);
    if after == before {
        remove(&file)?;
        return unchanged();
    }
    check(&after).map_err(|why| refused(&file, &memory, why))?;
    crate::testpoint::at("edit.read");
    let mut store = open::to_change(settings)?;
    let now = clock::now_ms();
    let stored = store.write(|tx| {
        let is_same = Editable::load(tx, memory.id)?.as_ref() == Some(&before);
        if is_same {
            revisions::edit(tx, memory.id, &after, now)?;
        }
        crate::testpoint::at("edit.changed");
        Ok(is_same)
    });
    if !stored.context("database").map_err(|e| e.hint(format!("the text is kept in {file}")))? {
        let why = "it was changed meanwhile".to_owned();
        return Err(refused(&file, &memory, why));
    }
    remove(&file)?;
    if n_removed > 0 {
        super::note("secrets or private texts were removed");
    }
    let memory = lookup::memory(store.connection(), name)?;
    say_undoable(&format!("changed {}", titled(&memory)), &format!("edit --undo {}", memory.id))
}

fn load(settings: &Settings, name: &str) -> Result<(Memory, Editable)> {
    let store = open::to_change(settings)?;
    let memory = lookup::memory(store.connection(), name)?;
    match Editable::load(store.connection(), memory.id)? {
        Some(editable) => Ok((memory, editable)),
        None => Err(failed(format!("{} was forgotten", memory.id))),
    }
}

/// The file of the record, with the text of an earlier edit if that was refused or killed.
fn file(settings: &Settings, memory: &Memory, original: &str) -> Result<Place> {
    let dir = settings.paths.edits();
    dir.make_dir().context(format!("cannot create {dir}"))?;
    let file = dir.join(format!("{}.md", memory.id));
    match file.read_to_string() {
        Ok(text) if text != original && !text.trim().is_empty() => {
            super::note(&format!("this is the text of an earlier edit, kept in {file}"));
            super::hint("delete the file to begin anew");
        }
        _ => {
            let written = file.write(original.as_bytes()).and_then(|file| file.sync_all());
            written.context(format!("cannot write {file}"))?;
        }
    }
    Ok(file)
}

fn read(file: &Place, memory: &Memory) -> Result<String> {
    if !file.exists() {
        return Err(failed(format!("{} was forgotten meanwhile, or its text removed", memory.id)));
    }
    let hint = |e: Failure| e.hint(format!("the text is kept in {file}; nothing was changed"));
    file.read_to_string().context("cannot read the text").map_err(hint)
}

fn remove(file: &Place) -> Result<()> {
    file.remove_file().context(format!("cannot remove {file}"))
}

/// Removes the file unless it has another text.
fn remove_if(file: &Place, text: &str) {
    if file.read_to_string().is_ok_and(|found| found == text) {
        let _ = file.remove_file();
    }
}

fn refused(file: &Place, memory: &Memory, why: String) -> Failure {
    let id = memory.id;
    usage(format!("{id} is not changed: {why}"))
        .hint(format!("the text is kept in {file}; `memctl edit {id}` opens it again"))
}

/// The memory without secrets and private texts in what the user wrote, and how many texts had some.
fn cleaned(after: Editable, before: &Editable, settings: &Settings) -> (Editable, usize) {
    let mut n_removed = 0;
    let own = &settings.config.redact;
    let mut clean = |text: &mut String| {
        let cleaned = capture::typed_text(text, own);
        n_removed += usize::from(cleaned != *text);
        *text = cleaned;
    };
    let mut cleaned = after;
    match (&mut cleaned, before) {
        (Editable::Observation { texts: o, .. }, Editable::Observation { texts: old, .. }) => {
            let lists = [&mut o.facts, &mut o.concepts, &mut o.files_modified, &mut o.files_read];
            for list in lists {
                list.iter_mut().for_each(&mut clean);
                list.retain(|text| !text.is_empty());
            }
            for (text, old) in
                [(&mut o.subtitle, &old.subtitle), (&mut o.narrative, &old.narrative)]
            {
                if text != old {
                    text.iter_mut().for_each(&mut clean);
                    *text = text.take().filter(|text| !text.is_empty());
                }
            }
            clean(&mut o.title);
        }
        (Editable::Summary { texts: s, turn }, Editable::Summary { texts: old, .. }) => {
            let written = s.clone();
            s.texts_mut().into_iter().for_each(&mut clean);
            if let Some(turn) = turn.as_mut().filter(|_| *s != *old) {
                turn.change_texts(&written, s);
            }
        }
        _ => {}
    }
    (cleaned, n_removed)
}

/// # Errors
/// If nothing is left of a text that the record needs.
fn check(memory: &Editable) -> std::result::Result<(), String> {
    match memory {
        Editable::Observation { texts, .. } if texts.title.is_empty() => {
            Err("the title is private".into())
        }
        _ => Ok(()),
    }
}
