//! Remembers the last valid `exclude` list, for a config file that is later missing, damaged or not
//! trusted. The list is below the home directory, not in the data dir, which the environment can
//! move.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::file::{ConfigFile, Content, Files};
use super::{Config, Settings, edit};
use crate::paths;

/// Adds the patterns of the last valid list, unless the user's own config file has a valid one.
pub(super) fn add_last(config: &mut Config, files: &Files, home: &Path) {
    let own = files.own.as_ref();
    if own.is_some_and(ConfigFile::is_valid) && config.recording.fault.is_none() {
        return;
    }
    let path = paths::last_exclusions(home);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return,
        Err(e) => {
            let why = format!("cannot read {}: {e}", path.display());
            config.recording.fault.get_or_insert(why);
            return;
        }
    };
    let exclude = &mut config.recording.exclude;
    for pattern in text.lines().filter_map(|line| glob::Pattern::new(line).ok()) {
        if !exclude.contains(&pattern) {
            exclude.push(pattern);
        }
    }
    if let Some(own) = own.filter(|own| own.content == Content::Missing) {
        config.problems.push(format!(
            "{} is missing; its last exclude list still applies, until `memctl config unset exclude`",
            own.path.display()
        ));
    }
}

impl Settings {
    /// Remembers the exclude list if the config files are valid. A missing config file changes nothing.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub fn remember_exclusions(&self) -> io::Result<()> {
        let Some(home) = self.account_home.as_deref().filter(|_| self.own_config_is_valid) else {
            return Ok(());
        };
        let path = paths::last_exclusions(home);
        let lines = self.config.recording.exclude.iter().map(|p| format!("{p}\n"));
        let text: String = lines.collect();
        match fs::read_to_string(&path) {
            Ok(last) if last == text => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound && text.is_empty() => Ok(()),
            _ if text.is_empty() => fs::remove_file(&path),
            _ => edit::replace_file(&path, text.as_bytes()),
        }
    }

    /// Forgets the last valid list.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn forget_exclusions(&self) -> io::Result<()> {
        let Some(home) = self.account_home.as_deref() else { return Ok(()) };
        match fs::remove_file(paths::last_exclusions(home)) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}
