//! Checks of the installation. Each returns findings: a message and what to do. `status` runs the
//! fast checks, `doctor` runs all of them. Checks change nothing.

pub mod agents;
pub mod database;
pub mod files;
pub mod recording;
pub mod workers;

use crate::config::Settings;

use super::client_hooks::{self, HookStatus};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// Everything works, but the user should know this.
    Note,
    /// Something does not work or is not safe.
    Wrong,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    pub level: Level,
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, message: message.into(), fix: None }
    }

    pub fn note(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, level: Level::Note, message: message.into(), fix: None }
    }

    pub fn wrong(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, level: Level::Wrong, message: message.into(), fix: None }
    }

    pub fn fix(self, fix: impl Into<String>) -> Finding {
        Finding { fix: Some(fix.into()), ..self }
    }

    /// Message and fix on one line.
    pub fn sentence(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}; {fix}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Checks that Claude Code runs the hooks exactly once.
pub fn hooks(settings: &Settings) -> Vec<Finding> {
    let here = std::env::current_dir().unwrap_or_default();
    let in_project = client_hooks::in_project(&here, settings.home.as_deref());
    let installed = client_hooks::status(settings);
    let missing = |message: &str| {
        Finding::note("hooks", message)
            .fix(format!("run: {}", installed.install_commands().join(" && ")))
    };
    let twice = |file: &std::path::Path| {
        let message = format!("the hooks are installed twice: also in {}", file.display());
        Finding::note("hooks", message).fix("remove the entries that run memctl from this file")
    };
    match installed {
        HookStatus::Installed if !in_project.is_empty() => {
            in_project.iter().map(|file| twice(file)).collect()
        }
        HookStatus::Installed => vec![Finding::ok("hooks", "installed in Claude Code")],
        HookStatus::Twice => vec![hooks_twice()],
        HookStatus::Disabled | HookStatus::Missing if !in_project.is_empty() => {
            vec![Finding::ok("hooks", "installed for this project only")]
        }
        HookStatus::Disabled => {
            vec![missing("the plugin is disabled in Claude Code; sessions are not recorded")]
        }
        HookStatus::Missing => {
            vec![missing("not installed in Claude Code; sessions are not recorded")]
        }
    }
}

pub fn hooks_twice() -> Finding {
    Finding::note(
        "hooks",
        "the hooks are installed twice, as a plugin and in settings.json: each event starts two \
         processes",
    )
    .fix("remove the entries that run memctl from settings.json")
}
