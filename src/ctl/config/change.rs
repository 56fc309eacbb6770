//! `memctl config set` and `unset`: one setting in the config file, and a word on what stands in
//! its way.

use std::path::Path;

use super::secret;
use crate::config::{self, BACKENDS, Key, Settings, ValueSource, edit, env_name, process_env};
use crate::failure::{Result, failed, usage};

/// The setting of this name, or the nearest one in the refusal.
pub fn find(name: &str) -> Result<&'static Key> {
    config::find(name).map_err(|why| usage(why).hint("memctl config lists them all"))
}

pub fn set(settings: &Settings, name: &str, value: &str) -> Result<()> {
    let key = find(name)?;
    config::check(key, value).map_err(usage)?;
    let file = file(settings)?;
    edit::set(file, key, value).map_err(failed)?;
    super::super::print(&format!("{name} = {value}\n"))?;
    let now = reload()?;
    warn_of_the_environment(&now, key);
    if settings.config_in_project && key.user_only {
        super::super::tell(&format!(
            "memctl: {name} is not obeyed in this directory: {} lies inside it",
            file.display()
        ));
    }
    if key.name == "agent.backend" && BACKENDS.contains(&value) {
        secret::missing(&now, value);
    }
    Ok(())
}

pub fn unset(settings: &Settings, name: &str) -> Result<()> {
    let key = find(name)?;
    let was_there = edit::unset(file(settings)?, key).map_err(failed)?;
    let now = reload()?;
    let holds = &super::value(&now, key.name).text;
    super::super::print(&if was_there {
        format!("{name} is {holds} again\n")
    } else {
        format!("{name} was not set: it is {holds}\n")
    })?;
    warn_of_the_environment(&now, key);
    Ok(())
}

fn file(settings: &Settings) -> Result<&Path> {
    settings.config_file.as_deref().ok_or_else(|| {
        failed("there is no place for a config file").hint("set HOME, or MEMCTL_CONFIG to its path")
    })
}

/// What holds after the change, for this directory.
fn reload() -> Result<Settings> {
    let here = std::env::current_dir().ok();
    config::load(&process_env, here.as_deref()).map_err(failed)
}

fn warn_of_the_environment(now: &Settings, key: &Key) {
    let value = super::value(now, key.name);
    if value.origin == ValueSource::Environment {
        let variable = env_name(key.name);
        super::super::tell(&format!(
            "memctl: {variable} in the environment comes first: {} is {}",
            key.name, value.text
        ));
    }
}
