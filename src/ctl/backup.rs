//! `memctl backup` and `memctl restore`: a checked copy of the database, and its way back.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::format::{self, count};
use super::health::workers::probe_all;
use super::progress::Progress;
use super::{kill, open};
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::store::backup;
use crate::store::{LockWait, StoreError};

/// How long `restore` waits for the store lock.
const LOCK: std::time::Duration = std::time::Duration::from_secs(10);

const NAME_BACKUP: &str = "name a file that `memctl backup` has written";

const BACKUP_HELP: &str = "\
Examples
  memctl backup ~/memctl-backup.db    Copy the database to a new file

Keys of --json
  file, bytes                         The copy and its size
  sessions, observations, summaries   Numbers of rows in it
";

/// Copy the database to a new file, and check the copy
///
/// Sessions are recorded meanwhile. Events that wait in the spool are not in the copy, and neither are the
/// settings.
#[derive(clap::Args)]
#[command(after_long_help = BACKUP_HELP)]
pub struct BackupArgs {
    /// The new file
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const RESTORE_HELP: &str = "\
Examples
  memctl restore ~/memctl-backup.db                  Go back to a backup
  memctl restore ~/memctl-backup.db --end-workers    End the workers first

Keys of --json
  file, kept                          The backup, and the directory of the earlier database
  sessions, observations, summaries   Numbers of rows that are stored now
  left_out                            Number of rows that were deleted for good since the backup
";

/// Replace the database with a backup
///
/// The present database stays in a directory of its own, which the command names. What was deleted for good since
/// the backup, with `forget --now` or when its undo ended, is not restored.
#[derive(clap::Args)]
#[command(after_long_help = RESTORE_HELP)]
pub struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// End all workers first; their sessions go on with the next event
    #[arg(long)]
    end_workers: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn backup(settings: &Settings, args: &BackupArgs) -> Result<()> {
    let name = args.file.display();
    if args.file.symlink_metadata().is_ok() {
        return Err(usage(format!("{name} exists already")).hint("name a new file"));
    }
    let dir = args.file.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        return Err(usage(format!("{} is no directory", dir.display())));
    }
    let reader = open::stored(settings)?.without_time_limit()?;
    // A file that is not complete has another name.
    let part = part_of(&args.file);
    let progress = Progress::new(&format!("{name}"));
    let copied = backup::copy_to(&reader, &part, |percent| {
        progress.set(|| format!("{name}: {percent} %"));
    });
    drop(progress);
    let counts = copied.inspect_err(|_| drop(fs::remove_file(&part))).context(&name)?;
    fs::File::open(&part).and_then(|file| file.sync_all()).context(&name)?;
    // A hard link fails if the name is taken meanwhile.
    let linked = fs::hard_link(&part, &args.file);
    let _ = fs::remove_file(&part);
    linked.context(&name)?;
    let bytes = fs::metadata(&args.file).context(&name)?.len();
    if args.json {
        return super::print_json(&json!({
            "file": args.file.display().to_string(), "bytes": bytes, "sessions": counts.sessions,
            "observations": counts.observations, "summaries": counts.summaries,
        }));
    }
    super::say(&format!(
        "{name}: {}, {} and {} from {}, checked",
        format::bytes(bytes),
        count(counts.observations, "observation"),
        format::summaries(counts.summaries),
        count(counts.sessions, "session"),
    ))
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    file.with_file_name(name)
}

pub fn restore(mut settings: Settings, args: &RestoreArgs) -> Result<()> {
    let name = args.file.display().to_string();
    if !args.file.is_file() {
        return Err(usage(format!("{name} is not a file")).hint(NAME_BACKUP));
    }
    settings.paths.create().context("cannot create the data dir")?;
    if args.end_workers {
        kill::end_all(&settings)?;
    }
    let busy = || {
        let workers = probe_all(&settings);
        let n = workers.live + workers.hung + workers.elsewhere;
        (n > 0).then(|| format!("{} running", count(n, "worker")))
    };
    let wait = LockWait::Within(LOCK);
    let replaced = backup::replace(&settings.paths, &args.file, wait, clock::now_ms(), busy);
    let replaced = match replaced {
        Err(e @ StoreError::Busy(_)) => {
            return Err(failed(e).hint("end the workers with `memctl restore --end-workers FILE`"));
        }
        Err(e @ (StoreError::Refused(_) | StoreError::Fault { .. })) => {
            return Err(failed(format!("{name}: {e}")).hint(NAME_BACKUP));
        }
        replaced => replaced.context(&name)?,
    };
    let (counts, kept) = (replaced.counts, replaced.kept.map(|dir| dir.display().to_string()));
    if args.json {
        return super::print_json(&json!({
            "file": name, "kept": kept, "sessions": counts.sessions,
            "observations": counts.observations, "summaries": counts.summaries,
            "left_out": replaced.left_out,
        }));
    }
    let left_out = match replaced.left_out {
        0 => String::new(),
        n => format!("Left out: {} that you have forgotten for good since.\n", count(n, "row")),
    };
    let kept = kept.map_or(String::new(), |dir| format!("The earlier database is in {dir}.\n"));
    super::say(&format!(
        "restored {} and {} from {}\n{left_out}{kept}",
        count(counts.observations, "observation"),
        format::summaries(counts.summaries),
        count(counts.sessions, "session"),
    ))
}
