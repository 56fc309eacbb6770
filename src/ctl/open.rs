//! Opens the store for a command.

use std::time::Duration;

use super::health;
use crate::config::Settings;
use crate::failure::{Failure, Result, failed};
use crate::store::{LockWait, Reader, Store};

/// How long a command waits for the database to become readable.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a command waits for the store lock.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the store to read it. Runs migration steps first if an older release wrote it. `None` if nothing
/// is stored.
pub fn reader(settings: &Settings) -> Result<Option<Reader>> {
    let found = Reader::open(&settings.paths, READ_TIMEOUT)?;
    if found.is_some() || !settings.paths.database().exists() {
        return Ok(found);
    }
    store(settings)?;
    Ok(Reader::open(&settings.paths, READ_TIMEOUT)?)
}

/// Opens the store to read it.
///
/// # Errors
/// If nothing is stored.
pub fn stored(settings: &Settings) -> Result<Reader> {
    reader(settings)?.ok_or_else(|| nothing_stored(settings))
}

/// Opens the store to change it. Creates it if it is missing.
pub fn store(settings: &Settings) -> Result<Store> {
    Ok(Store::open_within(&settings.paths, LockWait::Within(LOCK_TIMEOUT))?)
}

/// Opens the store to change what is stored.
///
/// # Errors
/// If nothing is stored.
pub fn to_change(settings: &Settings) -> Result<Store> {
    match settings.paths.data_dir_exists() {
        true => store(settings),
        false => Err(nothing_stored(settings)),
    }
}

/// The error of a command that needs stored rows. Its hint says what keeps sessions from being recorded.
pub fn nothing_stored(settings: &Settings) -> Failure {
    failed("nothing is stored yet").hint(health::outlook(settings))
}
