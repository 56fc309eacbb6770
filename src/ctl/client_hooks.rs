//! Checks in Claude Code's settings whether its hooks run memctl, and builds the commands that install
//! them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clients::native;
use crate::config::Settings;
use crate::text::shell_word;
use crate::{files, project};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookStatus {
    Installed,
    /// Both by the plugin and in the settings: each event is reported twice.
    Twice,
    /// The plugin is installed but disabled.
    Disabled,
    Missing,
}

impl HookStatus {
    /// The name in JSON output.
    pub fn name(self) -> &'static str {
        match self {
            HookStatus::Installed => "installed",
            HookStatus::Twice => "twice",
            HookStatus::Disabled => "disabled",
            HookStatus::Missing => "missing",
        }
    }

    /// The commands that install or enable the hooks. Empty if they are installed.
    pub fn install_commands(self) -> Vec<String> {
        match self {
            HookStatus::Installed | HookStatus::Twice => Vec::new(),
            HookStatus::Disabled => vec!["claude plugin enable memctl@memctl".into()],
            HookStatus::Missing => {
                let program = std::env::current_exe().and_then(|p| p.canonicalize());
                install_commands(&program.unwrap_or_default())
            }
        }
    }
}

/// Reads the settings and the plugin list of Claude Code.
pub fn status(settings: &Settings) -> HookStatus {
    match native::claude_dir(settings) {
        Some(dir) => status_in(&dir),
        None => HookStatus::Missing,
    }
}

/// Settings files of the project in `dir` whose hooks run memctl.
pub fn in_project(dir: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    if Some(dir) == home {
        return Vec::new();
    }
    let files = ["settings.json", "settings.local.json"].map(|f| dir.join(".claude").join(f));
    files.into_iter().filter(|file| runs_memctl(&read_json(file))).collect()
}

/// A variable of memctl that the client's settings set for its hooks.
pub struct Variable {
    pub name: String,
    pub value: String,
    pub file: PathBuf,
}

/// The variables of memctl in the client's settings of the user and of the project in `dir`.
pub fn variables(settings: &Settings, dir: Option<&Path>) -> Vec<Variable> {
    let mut dirs: Vec<PathBuf> = native::claude_dir(settings).into_iter().collect();
    if let Some(dir) = dir {
        let root = project::dir_of(dir).path;
        dirs.extend([root.join(".claude"), dir.join(".claude")]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for dir in dirs {
        for name in ["settings.json", "settings.local.json"] {
            let file = dir.join(name);
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files.iter().flat_map(|file| variables_in(&read_json(file), file)).collect()
}

fn variables_in(settings: &Value, file: &Path) -> Vec<Variable> {
    let variables = settings["env"].as_object().into_iter().flatten();
    let ours = variables.filter(|(name, _)| name.starts_with("MEMCTL_"));
    let variable = |(name, value): (&String, &Value)| Variable {
        name: name.clone(),
        value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        file: file.to_owned(),
    };
    ours.map(variable).collect()
}

/// Whether a hook in these settings runs memctl.
fn runs_memctl(settings: &Value) -> bool {
    settings["hooks"].to_string().contains("memctl")
}

/// Parses a JSON file. Returns null if it is missing or invalid.
pub(super) fn read_json(file: &Path) -> Value {
    let read = || serde_json::from_str(&files::read_regular(file).ok()?).ok();
    read().unwrap_or_default()
}

/// Whether the client runs the plugin of memctl, and whether it has it but is told not to.
pub(super) fn plugin(dir: &Path, settings: &Value) -> (bool, bool) {
    let is_ours = |name: &str| name.split('@').next() == Some("memctl");
    let enabled = settings["enabledPlugins"]
        .as_object()
        .and_then(|plugins| plugins.iter().find(|(name, _)| is_ours(name)));
    let listed = read_json(&dir.join("plugins/installed_plugins.json"));
    let plugins = listed["plugins"].as_object();
    let listed = plugins.is_some_and(|plugins| plugins.keys().any(|name| is_ours(name)));
    match enabled {
        Some((_, on)) => (*on != Value::Bool(false), *on == Value::Bool(false)),
        None => (listed, false),
    }
}

fn status_in(dir: &Path) -> HookStatus {
    let settings = read_json(&dir.join("settings.json"));
    let (plugin, off) = plugin(dir, &settings);
    match (runs_memctl(&settings), plugin) {
        (true, true) => HookStatus::Twice,
        (true, false) | (false, true) => HookStatus::Installed,
        (false, false) if off => HookStatus::Disabled,
        (false, false) => HookStatus::Missing,
    }
}

/// The commands that install the plugin of this binary. They run `make install` first if the binary is
/// in a build directory, because the client would copy that whole directory.
fn install_commands(program: &Path) -> Vec<String> {
    let is_plugin = |dir: &Path| dir.join(".claude-plugin/marketplace.json").is_file();
    let installed = program.ancestors().nth(2).map(|prefix| prefix.join("share/memctl-plugin"));
    let mut commands = Vec::new();
    let dir = match installed.filter(|dir| is_plugin(dir)) {
        Some(dir) => quoted(&dir),
        None => {
            let sources = program.ancestors().skip(1).find(|dir| is_plugin(dir));
            let sources = sources.map_or("MEMCTL-SOURCES".into(), quoted);
            commands.push(format!("make -C {sources} install"));
            "~/.local/share/memctl-plugin".into()
        }
    };
    commands.push(format!("claude plugin marketplace add {dir}"));
    commands.push("claude plugin install memctl@memctl".into());
    commands
}

fn quoted(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(settings: &str, plugins: &str, expected: HookStatus) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plugins")).unwrap();
        fs::write(dir.path().join("settings.json"), settings).unwrap();
        fs::write(dir.path().join("plugins/installed_plugins.json"), plugins).unwrap();
        assert_eq!(status_in(dir.path()), expected, "{settings} {plugins}");
    }

    #[test]
    fn the_status_is_read_from_settings_and_plugins() {
        let listed = r#"{"version":2,"plugins":{"memctl@memctl":[{"scope":"user"}]}}"#;
        check("", "", HookStatus::Missing);
        check("{}", r#"{"version":2,"plugins":{"other@memctl":[]}}"#, HookStatus::Missing);
        check("{}", listed, HookStatus::Installed);
        check(r#"{"enabledPlugins":{"memctl@memctl":true}}"#, "", HookStatus::Installed);
        check(r#"{"enabledPlugins":{"memctl@memctl":false}}"#, listed, HookStatus::Disabled);
        let in_settings = r#"{"hooks":{"Stop":[{"hooks":[{"command":"/opt/memctl hook Stop"}]}]}}"#;
        check(in_settings, "", HookStatus::Installed);
        check(in_settings, listed, HookStatus::Twice);
        let both = |on| {
            in_settings.replacen(
                '{',
                &format!(r#"{{"enabledPlugins":{{"memctl@memctl":{on}}},"#),
                1,
            )
        };
        check(&both(true), "", HookStatus::Twice);
        check(&both(false), listed, HookStatus::Installed);
        assert_eq!(status_in(Path::new("/nonexistent")), HookStatus::Missing);
    }

    #[test]
    fn a_built_binary_is_installed_before_its_plugin() {
        let dir = tempfile::tempdir().unwrap();
        let at = |part: &str| dir.path().join(part);
        let plugin = |part: &str| {
            fs::create_dir_all(at(part).join(".claude-plugin")).unwrap();
            fs::write(at(part).join(".claude-plugin/marketplace.json"), "{}").unwrap();
        };
        let first = |program: &str| install_commands(&at(program)).remove(0);
        assert_eq!(first("usr/bin/memctl"), "make -C MEMCTL-SOURCES install");
        plugin("src");
        let built = first("src/target/debug/memctl");
        assert_eq!(built, format!("make -C {} install", quoted(&at("src"))));
        plugin("usr/share/memctl-plugin");
        let add =
            format!("claude plugin marketplace add {}", quoted(&at("usr/share/memctl-plugin")));
        assert_eq!(first("usr/bin/memctl"), add);
        assert_eq!(install_commands(&at("usr/bin/memctl")).len(), 2);
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        let check = |path: &str, want: &str| assert_eq!(quoted(Path::new(path)), want);
        check("/home/me/memctl", "/home/me/memctl");
        check("/home/me/my tools", "'/home/me/my tools'");
        check("/it's", r"'/it'\''s'");
    }
}
