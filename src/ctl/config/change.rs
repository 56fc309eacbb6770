//! `memctl config set` and `unset`, with a warning if the change has no effect.

use std::path::Path;

use super::secret;
use crate::config::{self, BACKENDS, Key, Settings, ValueSource, edit, env_name, process_env};
use crate::failure::{Result, failed, usage};

/// Finds a setting by name. The error suggests the nearest name.
pub fn find(name: &str) -> Result<&'static Key> {
    config::find(name).map_err(|why| usage(why).hint("`memctl config` lists all settings"))
}

pub fn set(settings: &Settings, name: &str, value: &str) -> Result<()> {
    let key = find(name)?;
    config::check(key, value).map_err(usage)?;
    let file = file(settings)?;
    edit::set(file, key, value).map_err(failed)?;
    crate::ctl::print(&format!("{name} = {value}\n"))?;
    let reloaded = reload()?;
    warn_if_overridden(&reloaded, key);
    if settings.config_in_project && key.user_only {
        crate::ctl::warn(&format!(
            "{name} is ignored in this directory because {} is inside it",
            file.display()
        ));
    }
    if key.name == "agent.backend" && BACKENDS.contains(&value) {
        secret::warn_if_missing(&reloaded, value);
    }
    Ok(())
}

pub fn unset(settings: &Settings, name: &str) -> Result<()> {
    let key = find(name)?;
    let was_set = edit::unset(file(settings)?, key).map_err(failed)?;
    let reloaded = reload()?;
    let value = &super::value(&reloaded, key.name).text;
    crate::ctl::print(&if was_set {
        format!("{name} = {value} (default)\n")
    } else {
        format!("{name} was not set; its value is {value}\n")
    })?;
    warn_if_overridden(&reloaded, key);
    Ok(())
}

fn file(settings: &Settings) -> Result<&Path> {
    settings
        .config_file
        .as_deref()
        .ok_or_else(|| failed("no location for the config file").hint("set HOME or MEMCTL_CONFIG"))
}

/// The settings after the change, for the current directory.
fn reload() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    config::load(&process_env, here.as_deref()).map_err(failed)
}

/// Warns if an environment variable takes precedence over the config file.
fn warn_if_overridden(settings: &Settings, key: &Key) {
    let value = super::value(settings, key.name);
    if value.source == ValueSource::Environment {
        let variable = env_name(key.name);
        crate::ctl::warn(&format!(
            "{variable} in the environment takes precedence: {} = {}",
            key.name, value.text
        ));
    }
}
