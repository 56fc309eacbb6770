//! `memctl config set` and `unset`, with a warning if the change has no effect.

use std::path::Path;

use super::secret;
use crate::config::{self, BACKENDS, Key, Scope, Settings, ValueSource, edit, env_name};
use crate::failure::{Context, Result, failed, usage};
use crate::project;

const EXCLUDE: &str = "exclude";

/// Finds a setting by name. The error suggests the nearest name.
pub fn find(name: &str) -> Result<&'static Key> {
    config::find(name).map_err(|why| usage(why).hint("`memctl config` lists all settings"))
}

pub fn set(settings: &Settings, name: &str, value: &str) -> Result<()> {
    let key = find(name)?;
    let value = &*edit::plain(key, value);
    config::check(key, value).map_err(usage)?;
    let file = file(settings, key)?;
    edit::set(file, key, value).map_err(failed)?;
    crate::ctl::print(&format!("{name} = {value}\n"))?;
    tell_file(file);
    let reloaded = reload()?;
    warn_if_not_in_effect(&reloaded, key);
    remember_exclusions(&reloaded, key)?;
    if key.name == "agent.backend" && BACKENDS.contains(&value) {
        secret::warn_if_missing(&reloaded, value);
    }
    Ok(())
}

pub fn unset(settings: &Settings, name: &str) -> Result<()> {
    let key = find(name)?;
    let file = file(settings, key)?;
    if key.name == EXCLUDE && !file.exists() {
        settings.forget_exclusions().context("cannot forget the last exclude list")?;
    }
    let was_set = edit::unset(file, key).map_err(failed)?;
    let tell = || was_set.then(|| tell_file(file));
    let reloaded = reload()?;
    remember_exclusions(&reloaded, key)?;
    crate::ctl::print(&if was_set {
        format!("{name} = {} (default)\n", key.default)
    } else {
        let value = &super::value(&reloaded, key.name).text;
        format!("{name} was not set; its value is {value}\n")
    })?;
    tell();
    warn_if_not_in_effect(&reloaded, key);
    Ok(())
}

/// Says which of the config files has changed: the public settings may have one of their own.
fn tell_file(file: &Path) {
    crate::ctl::note(&format!("changed in {}", file.display()));
}

fn file<'a>(settings: &'a Settings, key: &Key) -> Result<&'a Path> {
    settings.file_of(key).ok_or_else(|| {
        let failure = failed(format!("no location for the config file with {}", key.name));
        match key.scope {
            Scope::Public => failure.hint("set HOME or MEMCTL_CONFIG"),
            Scope::UserOnly | Scope::Restriction => failure
                .hint("this setting needs a home directory for your user in the password database"),
        }
    })
}

/// The settings after the change, for the current directory.
pub fn reload() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    project::settings(here.as_deref().as_slice()).map_err(failed)
}

fn remember_exclusions(settings: &Settings, key: &Key) -> Result<()> {
    match key.name {
        EXCLUDE => settings.remember_exclusions().context("cannot remember the exclude list"),
        _ => Ok(()),
    }
}

/// Warns if an environment variable takes precedence over the config file, or if the file is not
/// trusted.
fn warn_if_not_in_effect(settings: &Settings, key: &Key) {
    let ignored = format!("{} is ignored: ", key.name);
    let problems = settings.config.problems.iter();
    problems.filter(|problem| problem.starts_with(&ignored)).for_each(|why| crate::ctl::warn(why));
    let value = super::value(settings, key.name);
    if value.source == ValueSource::Environment {
        let variable = env_name(key.name);
        crate::ctl::warn(&format!(
            "{variable} in the environment takes precedence: {} = {}",
            key.name, value.text
        ));
    }
}
