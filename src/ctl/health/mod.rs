//! What may be wrong, looked at: each look says what it found and what to do about it. `status`
//! takes the quick ones, `doctor` all of them. Nothing here changes anything.

pub mod agents;
pub mod database;
pub mod files;
pub mod workers;

use crate::config::Settings;

use super::client_hooks::{self, HookStatus};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; it works all the same.
    Note,
    /// Something does not work, or is open to others.
    Wrong,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was looked at, in a word.
    pub check: &'static str,
    pub level: Level,
    pub says: String,
    /// What to do about it.
    pub todo: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, says: says.into(), todo: None }
    }

    pub fn note(check: &'static str, says: impl Into<String>) -> Finding {
        Finding { check, level: Level::Note, says: says.into(), todo: None }
    }

    pub fn wrong(check: &'static str, says: impl Into<String>) -> Finding {
        Finding { check, level: Level::Wrong, says: says.into(), todo: None }
    }

    pub fn todo(self, todo: impl Into<String>) -> Finding {
        Finding { todo: Some(todo.into()), ..self }
    }

    /// In one sentence, where there is no room for two.
    pub fn sentence(&self) -> String {
        match &self.todo {
            Some(todo) => format!("{}: {todo}", self.says),
            None => self.says.clone(),
        }
    }
}

/// Whether the client runs our hooks, and only once.
pub fn of_hooks(settings: &Settings) -> Vec<Finding> {
    let here = std::env::current_dir().unwrap_or_default();
    let in_project = client_hooks::in_project(&here, settings.home.as_deref());
    let installed = client_hooks::status(settings);
    let missing = |why: &str| Finding::note("hooks", why).todo(installed.remedy().join(" && "));
    let twice = |file: &std::path::Path| {
        let says = format!("the hooks are installed twice here, in {} too", file.display());
        Finding::note("hooks", says).todo("take the entries that run memctl out of it")
    };
    match installed {
        HookStatus::Installed if !in_project.is_empty() => {
            in_project.iter().map(|file| twice(file)).collect()
        }
        HookStatus::Installed => vec![Finding::ok("hooks", "installed in Claude Code")],
        HookStatus::Twice => vec![hooks_twice()],
        HookStatus::Disabled | HookStatus::Missing if !in_project.is_empty() => {
            vec![Finding::ok("hooks", "installed for this project alone")]
        }
        HookStatus::Disabled => vec![missing("the plugin is disabled in Claude Code")],
        HookStatus::Missing => {
            vec![missing("Claude Code's settings lack them: nothing is recorded")]
        }
    }
}

pub fn hooks_twice() -> Finding {
    Finding::note(
        "hooks",
        "the hooks are installed twice, as a plugin and in settings.json: every event costs two \
         processes and is kept once",
    )
    .todo("take the entries that run memctl out of settings.json")
}
