//! The environment that a process of ours is born with: a list, not an inheritance.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Agent, Claude, Settings};

/// On whose behalf a process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// The session's own hook or worker: what the session's environment says is its own word.
    Session,
    /// Somebody else, who finishes sessions that are not his: no key of his environment may pay
    /// for them, and no address in it may get their texts. Keys come from the secrets file only.
    Recovery,
}

/// Variables of every process of ours; `TZ`, because budgets are counted by local days.
const ALWAYS: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "TZ"];
const ALWAYS_FAMILIES: [&str; 3] = ["LC_", "XDG_", "MEMCTL_"];

/// What Claude Code takes from its environment to reach its model: the login, and the cloud
/// provider behind it. It is given as the client's own session has it.
const OF_CLAUDE: [&str; 5] = [
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
];
const OF_CLAUDE_FAMILIES: [&str; 6] =
    ["ANTHROPIC_", "CLAUDE_CODE_USE_", "CLAUDE_CODE_SKIP_", "AWS_", "VERTEX_", "AZURE_"];

/// The environment of a worker, or of whoever recovers.
#[expect(clippy::disallowed_methods, reason = "this and `process_env` are what reads it")]
pub fn worker_env(settings: &Settings, starter: StartedBy) -> Vec<(OsString, OsString)> {
    let given = |name: &OsString| {
        name.to_str().is_some_and(|name| {
            is_given(name, &settings.config.agent, starter, settings.config_in_project)
        })
    };
    std::env::vars_os().filter(|(name, _)| given(name)).collect()
}

/// The environment of the claude backend's program: what is its own of ours, the proxy of the
/// settings, and the sign that whoever runs inside is no session to be remembered.
#[expect(clippy::disallowed_methods, reason = "this and `process_env` are what reads it")]
pub fn claude_env(claude: &Claude) -> Vec<(OsString, OsString)> {
    let mut env: Vec<_> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_claudes)).collect();
    let ours = [
        ("MEMCTL_INTERNAL", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_DISABLE_AUTO_MEMORY", "1"),
        // We try again ourselves, and later.
        ("CLAUDE_CODE_MAX_RETRIES", "1"),
    ];
    env.extend(ours.map(|(name, value)| (name.into(), value.into())));
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        env.extend(claude.proxy.iter().map(|proxy| (name.into(), proxy.into())));
    }
    env
}

fn is_claudes(name: &str) -> bool {
    let family = |families: &[&str]| families.iter().any(|family| name.starts_with(family));
    ALWAYS.contains(&name)
        || name == "CLAUDE_CONFIG_DIR"
        || OF_CLAUDE.contains(&name)
        || family(&["LC_", "XDG_"])
        || family(&OF_CLAUDE_FAMILIES)
}

/// Where Claude Code keeps its login, where that is a file.
pub fn claude_credentials() -> Option<PathBuf> {
    let named = super::process_env("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let home = || Some(PathBuf::from(super::process_env("HOME")?).join(".claude"));
    Some(named.or_else(home)?.join(".credentials.json"))
}

/// `config_in_project`: the config file lies in the session's project. A worker does not know where
/// that is, so it is not told of such a file, and reads the user's own.
fn is_given(name: &str, agent: &Agent, starter: StartedBy, config_in_project: bool) -> bool {
    if config_in_project && matches!(name, "MEMCTL_CONFIG" | "XDG_CONFIG_HOME") {
        return false;
    }
    let family = |families: &[&str]| families.iter().any(|family| name.starts_with(family));
    if ALWAYS.contains(&name) || family(&ALWAYS_FAMILIES) {
        return true;
    }
    let chain = agent.chain();
    let claude = chain.contains(&"claude");
    // Where the user's login lies is no key, and nothing is sent to it.
    if name == "CLAUDE_CONFIG_DIR" {
        return claude;
    }
    starter == StartedBy::Session
        && (claude && (OF_CLAUDE.contains(&name) || family(&OF_CLAUDE_FAMILIES))
            || chain.iter().any(|backend| agent.key_names(backend).iter().any(|key| key == name)))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[track_caller]
    fn check(file: &str, starter: StartedBy, given: &[&str], kept_back: &[&str]) {
        let agent = Config::from(&|_| None, Some(file), false).agent;
        for (names, want) in [(given, true), (kept_back, false)] {
            for name in names {
                assert_eq!(is_given(name, &agent, starter, false), want, "{name} with {file:?}");
            }
        }
    }

    #[test]
    fn a_worker_gets_the_keys_that_its_backends_name_and_no_others() {
        let always = ["PATH", "HOME", "LC_ALL", "MEMCTL_DATA_DIR", "TZ"];
        let keys = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_PROFILE", "CLAUDE_CONFIG_DIR"];
        check("", StartedBy::Session, &always, &keys);
        check("", StartedBy::Session, &[], &["LD_PRELOAD", "HTTPS_PROXY", "GITHUB_TOKEN"]);
        let claude = "[agent]\nbackend = 'claude'";
        let of_claude = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_USE_BEDROCK",
            "AWS_REGION",
        ];
        let not = ["OPENAI_API_KEY", "CLAUDECODE", "CLAUDE_PROJECT_DIR", "CLAUDE_PID"];
        check(claude, StartedBy::Session, &of_claude, &not);
        let anthropic = "[agent]\nbackend = 'anthropic'";
        check(anthropic, StartedBy::Session, &["ANTHROPIC_API_KEY"], &["ANTHROPIC_BASE_URL"]);
        let chain = "[agent]\nbackend = 'gemini'\nfallback = ['openai']\nopenai.key = 'OURS'";
        check(chain, StartedBy::Session, &["GOOGLE_API_KEY", "OURS"], &["OPENAI_API_KEY"]);
    }

    #[test]
    fn a_program_of_ours_gets_its_own_and_nothing_else() {
        for name in ["PATH", "HOME", "ANTHROPIC_API_KEY", "CLAUDE_CONFIG_DIR", "AWS_REGION"] {
            assert!(is_claudes(name), "{name}");
        }
        for name in ["CLAUDECODE", "CLAUDE_PID", "HTTPS_PROXY", "MEMCTL_DATA_DIR", "GEMINI_API_KEY"]
        {
            assert!(!is_claudes(name), "{name}");
        }
    }

    #[test]
    fn who_recovers_takes_no_key_along() {
        let file = "[agent]\nbackend = 'claude'\nfallback = ['anthropic', 'gemini']";
        let keys = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GEMINI_API_KEY", "AWS_PROFILE"];
        check(file, StartedBy::Recovery, &["PATH", "CLAUDE_CONFIG_DIR"], &keys);
    }

    #[test]
    fn a_projects_own_config_file_is_not_passed_on() {
        let agent = Config::from(&|_| None, None, false).agent;
        for (name, want) in [("MEMCTL_CONFIG", false), ("XDG_CONFIG_HOME", false), ("PATH", true)] {
            assert_eq!(is_given(name, &agent, StartedBy::Session, true), want, "{name}");
            assert!(is_given(name, &agent, StartedBy::Session, false), "{name}");
        }
    }
}
