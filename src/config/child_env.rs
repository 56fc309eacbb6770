//! The environment of child processes. It is an allowlist; nothing is inherited implicitly.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Agent, ProjectDir, Settings};

/// What starts a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// A hook or worker of the same session. The session's own variables are passed on.
    Session,
    /// Recovery, which another session started. That session's variables must not pay for this one or
    /// redirect its text, so API keys come only from the secrets file.
    Recovery,
}

/// Variables of every child process. `TZ`, because budgets count local days.
const ALWAYS: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "TZ"];
const ALWAYS_PREFIXES: [&str; 3] = ["LC_", "XDG_", "MEMCTL_"];

/// Variables with which Claude Code reaches its model: login and cloud provider.
const CLAUDE_VARIABLES: [&str; 5] = [
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
];
const CLAUDE_PREFIXES: [&str; 6] =
    ["ANTHROPIC_", "CLAUDE_CODE_USE_", "CLAUDE_CODE_SKIP_", "AWS_", "VERTEX_", "AZURE_"];

/// The environment of a worker or of recovery.
#[expect(clippy::disallowed_methods, reason = "filters the environment for a child")]
pub fn worker_env(settings: &Settings, started_by: StartedBy) -> Vec<(OsString, OsString)> {
    let passed = |name: &OsString| {
        name.to_str().is_some_and(|name| {
            is_passed(name, &settings.config.agent, started_by, settings.config_refused)
        })
    };
    std::env::vars_os().filter(|(name, _)| passed(name)).collect()
}

/// The environment of the claude program: an allowlist of variables, the configured proxy, and
/// `MEMCTL_INTERNAL`, which keeps hooks from recording the memory agent itself. `PATH` has only
/// absolute directories outside the session's project. The program is looked up there, and so is the
/// interpreter that it names.
#[expect(clippy::disallowed_methods, reason = "filters the environment for a child")]
pub fn claude_env(settings: &Settings, project: Option<&ProjectDir>) -> Vec<(OsString, OsString)> {
    let claude = &settings.config.agent.claude;
    let mut env: Vec<_> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_for_claude)).collect();
    // Recovery may have been started by a session of another account.
    if settings.started_by == StartedBy::Recovery {
        env.retain(|(name, _)| name != CONFIG_DIR);
        env.extend(claude_config_dir(settings).map(|dir| (CONFIG_DIR.into(), dir.into())));
    }
    for (_, path) in env.iter_mut().filter(|(name, _)| name == "PATH") {
        *path = trusted_path(path, &|dir| project.is_some_and(|p| settings.is_in(p, Some(dir))));
    }
    let added = [
        ("MEMCTL_INTERNAL", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_DISABLE_AUTO_MEMORY", "1"),
        // memctl does its own retries, with backoff.
        ("CLAUDE_CODE_MAX_RETRIES", "1"),
    ];
    env.extend(added.map(|(name, value)| (name.into(), value.into())));
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        env.extend(claude.proxy.iter().map(|proxy| (name.into(), proxy.into())));
    }
    env
}

/// The directories of `PATH` that a project cannot choose. A relative or empty entry depends on the
/// current directory.
fn trusted_path(path: &OsStr, is_in_project: &dyn Fn(&Path) -> bool) -> OsString {
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute() && !is_in_project(dir));
    // A directory from PATH has no separator in its name.
    std::env::join_paths(dirs).unwrap_or_default()
}

fn is_for_claude(name: &str) -> bool {
    let has_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    ALWAYS.contains(&name)
        || name == "CLAUDE_CONFIG_DIR"
        || CLAUDE_VARIABLES.contains(&name)
        || has_prefix(&["LC_", "XDG_"])
        || has_prefix(&CLAUDE_PREFIXES)
}

/// The variables of the environment that decide which account Claude Code uses, as `NAME=value`.
#[expect(clippy::disallowed_methods, reason = "reads the variables that a child gets")]
pub fn claude_account_env() -> Vec<String> {
    let is_account = |name: &str| {
        CLAUDE_VARIABLES.contains(&name) || CLAUDE_PREFIXES.iter().any(|p| name.starts_with(p))
    };
    let mut all: Vec<String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| is_account(name))
        .map(|(name, value)| format!("{name}={}", value.to_string_lossy()))
        .collect();
    all.sort();
    all
}

/// The variable with the directory of Claude Code's login.
const CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// The directory of Claude Code's login, if it is not the default one.
pub fn claude_config_dir(settings: &Settings) -> Option<PathBuf> {
    let dir = match settings.started_by {
        StartedBy::Session => super::process_env(CONFIG_DIR)?.into(),
        StartedBy::Recovery => PathBuf::from(settings.recorded_account.as_ref()?),
    };
    (!dir.as_os_str().is_empty()).then_some(dir)
}

/// The file in which Claude Code stores its login on most systems.
pub fn claude_credentials(settings: &Settings) -> Option<PathBuf> {
    let set = claude_config_dir(settings);
    let home = || Some(PathBuf::from(super::process_env("HOME")?).join(".claude"));
    Some(set.or_else(home)?.join(".credentials.json"))
}

/// Whether a variable is passed to a worker. `config_refused`: the config file that the environment names
/// is inside the session's project. The worker cannot check that, so it does not get the path.
fn is_passed(name: &str, agent: &Agent, started_by: StartedBy, config_refused: bool) -> bool {
    if config_refused && matches!(name, "MEMCTL_CONFIG" | "XDG_CONFIG_HOME") {
        return false;
    }
    let has_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if ALWAYS.contains(&name) || has_prefix(&ALWAYS_PREFIXES) {
        return true;
    }
    let chain = agent.chain();
    let claude = chain.contains(&"claude");
    // The directory of Claude Code's login. It is neither a key nor an address.
    if name == "CLAUDE_CONFIG_DIR" {
        return claude;
    }
    started_by == StartedBy::Session
        && (claude && (CLAUDE_VARIABLES.contains(&name) || has_prefix(&CLAUDE_PREFIXES))
            || chain.iter().any(|backend| agent.key_names(backend).iter().any(|key| key == name)))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[track_caller]
    fn check(file: &str, started_by: StartedBy, passed: &[&str], withheld: &[&str]) {
        let agent = Config::of_text(file).agent;
        for (names, want) in [(passed, true), (withheld, false)] {
            for name in names {
                assert_eq!(
                    is_passed(name, &agent, started_by, false),
                    want,
                    "{name} with {file:?}"
                );
            }
        }
    }

    #[test]
    fn a_worker_gets_only_the_keys_of_its_backends() {
        let always = ["PATH", "HOME", "LC_ALL", "MEMCTL_DATA_DIR", "TZ"];
        let keys = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_PROFILE", "CLAUDE_CONFIG_DIR"];
        check("", StartedBy::Session, &always, &keys);
        check("", StartedBy::Session, &[], &["LD_PRELOAD", "HTTPS_PROXY", "GITHUB_TOKEN"]);
        let claude = "[agent]\nbackend = 'claude'";
        let passed = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_USE_BEDROCK",
            "AWS_REGION",
        ];
        let withheld = ["OPENAI_API_KEY", "CLAUDECODE", "CLAUDE_PROJECT_DIR", "CLAUDE_PID"];
        check(claude, StartedBy::Session, &passed, &withheld);
        let anthropic = "[agent]\nbackend = 'anthropic'";
        check(anthropic, StartedBy::Session, &["ANTHROPIC_API_KEY"], &["ANTHROPIC_BASE_URL"]);
        let chain = "[agent]\nbackend = 'gemini'\nfallback = ['openai']\nopenai.key = 'OURS'";
        check(chain, StartedBy::Session, &["GOOGLE_API_KEY", "OURS"], &["OPENAI_API_KEY"]);
    }

    #[test]
    fn claude_gets_only_its_own_variables() {
        for name in ["PATH", "HOME", "ANTHROPIC_API_KEY", "CLAUDE_CONFIG_DIR", "AWS_REGION"] {
            assert!(is_for_claude(name), "{name}");
        }
        for name in ["CLAUDECODE", "CLAUDE_PID", "HTTPS_PROXY", "MEMCTL_DATA_DIR", "GEMINI_API_KEY"]
        {
            assert!(!is_for_claude(name), "{name}");
        }
    }

    #[test]
    fn the_path_of_claude_has_no_directory_of_the_project() {
        let check = |path: &str, want: &str| {
            let found = trusted_path(path.as_ref(), &|dir| dir.starts_with("/p"));
            assert_eq!(found, want, "{path}");
        };
        check("/usr/bin:/p/node_modules/.bin:/bin", "/usr/bin:/bin");
        check(".:/usr/bin::node_modules/.bin:", "/usr/bin");
        check("/p/bin", "");
    }

    #[test]
    fn recovery_passes_no_keys() {
        let file = "[agent]\nbackend = 'claude'\nfallback = ['anthropic', 'gemini']";
        let keys = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GEMINI_API_KEY", "AWS_PROFILE"];
        check(file, StartedBy::Recovery, &["PATH", "CLAUDE_CONFIG_DIR"], &keys);
    }

    #[test]
    fn a_config_file_that_is_refused_is_not_passed() {
        let agent = Config::of_text("").agent;
        for (name, want) in [("MEMCTL_CONFIG", false), ("XDG_CONFIG_HOME", false), ("PATH", true)] {
            assert_eq!(is_passed(name, &agent, StartedBy::Session, true), want, "{name}");
            assert!(is_passed(name, &agent, StartedBy::Session, false), "{name}");
        }
    }
}
