//! Whether the client's hooks run memctl, as far as the client's own files tell, and the command
//! that makes them. Only reads.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{Settings, process_env};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookStatus {
    Installed,
    /// By the plugin, and in the settings besides: each event is reported twice.
    Twice,
    /// Installed, and switched off.
    Disabled,
    Missing,
}

impl HookStatus {
    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            HookStatus::Installed => "installed",
            HookStatus::Twice => "twice",
            HookStatus::Disabled => "disabled",
            HookStatus::Missing => "missing",
        }
    }

    /// What to run, one command a line; nothing when all is well.
    pub fn remedy(self) -> Vec<String> {
        match self {
            HookStatus::Installed | HookStatus::Twice => Vec::new(),
            HookStatus::Disabled => vec!["claude plugin enable memctl@memctl".into()],
            HookStatus::Missing => {
                let program = std::env::current_exe().and_then(|p| p.canonicalize());
                remedy(&program.unwrap_or_default())
            }
        }
    }
}

/// Looks into Claude Code's settings and its list of plugins.
pub fn status(settings: &Settings) -> HookStatus {
    let dir = process_env("CLAUDE_CONFIG_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    match dir.or_else(|| Some(settings.home.as_ref()?.join(".claude"))) {
        Some(dir) => look_into(&dir),
        None => HookStatus::Missing,
    }
}

/// Settings of the project in `dir` that run memctl as well.
pub fn in_project(dir: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    if Some(dir) == home {
        return Vec::new();
    }
    let files = ["settings.json", "settings.local.json"].map(|f| dir.join(".claude").join(f));
    files.into_iter().filter(|file| runs_memctl(&read(file))).collect()
}

/// By a hook of its own, besides the plugin.
fn runs_memctl(settings: &Value) -> bool {
    settings["hooks"].to_string().contains("memctl")
}

/// Nothing, where there is nothing that can be read.
fn read(file: &Path) -> Value {
    let read = || serde_json::from_slice(&fs::read(file).ok()?).ok();
    read().unwrap_or_default()
}

fn look_into(dir: &Path) -> HookStatus {
    let settings = read(&dir.join("settings.json"));
    let is_ours = |name: &str| name.split('@').next() == Some("memctl");
    let switch = settings["enabledPlugins"]
        .as_object()
        .and_then(|plugins| plugins.iter().find(|(name, _)| is_ours(name)));
    let by_hand = runs_memctl(&settings);
    let listed = read(&dir.join("plugins/installed_plugins.json"));
    let plugins = listed["plugins"].as_object();
    let listed = plugins.is_some_and(|plugins| plugins.keys().any(|name| is_ours(name)));
    let (plugin, off) = match switch {
        Some((_, on)) => (*on != Value::Bool(false), *on == Value::Bool(false)),
        None => (listed, false),
    };
    match (by_hand, plugin) {
        (true, true) => HookStatus::Twice,
        (true, false) | (false, true) => HookStatus::Installed,
        (false, false) if off => HookStatus::Disabled,
        (false, false) => HookStatus::Missing,
    }
}

/// The commands that install the plugin which came with this program. One that was only built is
/// installed first: the client would copy its whole build directory.
fn remedy(program: &Path) -> Vec<String> {
    let is_plugin = |dir: &Path| dir.join(".claude-plugin/marketplace.json").is_file();
    let installed = program.ancestors().nth(2).map(|prefix| prefix.join("share/memctl-plugin"));
    let mut commands = Vec::new();
    let dir = match installed.filter(|dir| is_plugin(dir)) {
        Some(dir) => quoted(&dir),
        None => {
            let sources = program.ancestors().skip(1).find(|dir| is_plugin(dir));
            let sources = sources.map_or("SOURCES-OF-MEMCTL".into(), quoted);
            commands.push(format!("make -C {sources} install"));
            "~/.local/share/memctl-plugin".into()
        }
    };
    commands.push(format!("claude plugin marketplace add {dir}"));
    commands.push("claude plugin install memctl@memctl".into());
    commands
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text.into() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &str, plugins: &str, expected: HookStatus) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plugins")).unwrap();
        fs::write(dir.path().join("settings.json"), settings).unwrap();
        fs::write(dir.path().join("plugins/installed_plugins.json"), plugins).unwrap();
        assert_eq!(look_into(dir.path()), expected, "{settings} {plugins}");
    }

    #[test]
    fn the_clients_files_tell() {
        let listed = r#"{"version":2,"plugins":{"memctl@memctl":[{"scope":"user"}]}}"#;
        check("", "", HookStatus::Missing);
        check("{}", r#"{"version":2,"plugins":{"other@memctl":[]}}"#, HookStatus::Missing);
        check("{}", listed, HookStatus::Installed);
        check(r#"{"enabledPlugins":{"memctl@memctl":true}}"#, "", HookStatus::Installed);
        check(r#"{"enabledPlugins":{"memctl@memctl":false}}"#, listed, HookStatus::Disabled);
        let by_hand = r#"{"hooks":{"Stop":[{"hooks":[{"command":"/opt/memctl hook Stop"}]}]}}"#;
        check(by_hand, "", HookStatus::Installed);
        check(by_hand, listed, HookStatus::Twice);
        let both = |on| {
            by_hand.replacen('{', &format!(r#"{{"enabledPlugins":{{"memctl@memctl":{on}}},"#), 1)
        };
        check(&both(true), "", HookStatus::Twice);
        check(&both(false), listed, HookStatus::Installed);
        assert_eq!(look_into(Path::new("/nonexistent")), HookStatus::Missing);
    }

    #[test]
    fn the_plugin_is_found_beside_the_program_or_has_to_be_installed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |part: &str| dir.path().join(part);
        let plugin = |part: &str| {
            fs::create_dir_all(at(part).join(".claude-plugin")).unwrap();
            fs::write(at(part).join(".claude-plugin/marketplace.json"), "{}").unwrap();
        };
        let first = |program: &str| remedy(&at(program)).remove(0);
        assert_eq!(first("usr/bin/memctl"), "make -C SOURCES-OF-MEMCTL install");
        plugin("src");
        let built = first("src/target/debug/memctl");
        assert_eq!(built, format!("make -C {} install", quoted(&at("src"))));
        plugin("usr/share/memctl-plugin");
        let add =
            format!("claude plugin marketplace add {}", quoted(&at("usr/share/memctl-plugin")));
        assert_eq!(first("usr/bin/memctl"), add);
        assert_eq!(remedy(&at("usr/bin/memctl")).len(), 2);
    }

    #[test]
    fn a_shell_takes_the_path_as_one_word() {
        let check = |path: &str, want: &str| assert_eq!(quoted(Path::new(path)), want);
        check("/home/me/memctl", "/home/me/memctl");
        check("/home/me/my tools", "'/home/me/my tools'");
        check("/it's", r"'/it'\''s'");
    }
}
