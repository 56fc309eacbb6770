//! The clients' own memory: instructions of the user, such as `CLAUDE.md`, and the notes that Claude Code
//! keeps for itself, `MEMORY.md`. A client gives both to its model at the start of a session. They are
//! read, never written.
//!
//! A file counts only if it is a regular file of this user or of the system. As for the client, the file may be
//! a symbolic link. Sizes and numbers are limited, because a session waits for them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{Env, Settings, process_env};
use crate::files::{self, FileId};
use crate::git::{self, Located, Repository};

/// How many bytes of a file are read, and of all files together.
const MAX_FILE: u64 = 64 << 10;
const MAX_ALL: u64 = 256 << 10;
const MAX_FILES: usize = 40;
/// How many entries of a directory of rules are looked at.
const MAX_ENTRIES: usize = 200;
/// Directories above the session's directory that are searched.
const MAX_PARENTS: usize = 32;
/// How often a file that was imported imports another one.
const MAX_IMPORTS: usize = 5;
/// How deep the directories of rules are searched.
const MAX_RULE_DIRS: usize = 4;
/// Where the administrators of a machine put instructions for all users of Claude Code.
const MANAGED: [&str; 2] = ["/etc/claude-code", "/Library/Application Support/ClaudeCode"];
/// How much of `MEMORY.md` Claude Code gives to its model.
const NOTES_LINES: usize = 200;
const NOTES_BYTES: usize = 25 << 10;
/// Claude Code shortens longer names of project directories, and adds a hash.
const MAX_PROJECT_NAME: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Written by the user, or by the project's authors.
    Instructions,
    /// Written by the client.
    Notes,
}

/// A memory file of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryFile {
    pub path: PathBuf,
    pub kind: Kind,
    /// Size of the file.
    pub bytes: u64,
    /// When it was changed, in milliseconds since the epoch.
    pub modified_epoch: i64,
    /// What the model reads of it.
    pub text: String,
}

/// The memory of a client in one directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub files: Vec<MemoryFile>,
    /// Why the client keeps no notes. `None` if it does, or cannot.
    pub notes_off: Option<String>,
}

/// A client's files, by the beginning of its name: below the home directory, and in a work tree.
struct Names {
    client: &'static str,
    of_user: &'static [&'static str],
    of_project: &'static [&'static str],
}

/// The last row is for clients that are not known.
const NAMES: [Names; 8] = [
    Names { client: "codex", of_user: &[".codex/AGENTS.md"], of_project: &["AGENTS.md"] },
    Names { client: "gemini", of_user: &[".gemini/GEMINI.md"], of_project: &["GEMINI.md"] },
    Names { client: "qwen", of_user: &[".qwen/QWEN.md"], of_project: &["QWEN.md", "AGENTS.md"] },
    Names {
        client: "opencode",
        of_user: &[".config/opencode/AGENTS.md"],
        of_project: &["AGENTS.md"],
    },
    Names {
        client: "copilot",
        of_user: &[".copilot/copilot-instructions.md"],
        of_project: &["AGENTS.md", ".github/copilot-instructions.md"],
    },
    Names { client: "droid", of_user: &[".factory/AGENTS.md"], of_project: &["AGENTS.md"] },
    Names { client: "pi", of_user: &[".pi/agent/AGENTS.md"], of_project: &["AGENTS.md"] },
    Names { client: "", of_user: &[], of_project: &["AGENTS.md"] },
];

/// The directory of Claude Code with its settings, transcripts and notes. `None` without a home directory.
pub fn claude_dir(settings: &Settings) -> Option<PathBuf> {
    let dir = process_env("CLAUDE_CONFIG_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    dir.or_else(|| Some(settings.home.as_ref()?.join(".claude")))
}

/// The name of a directory below Claude Code's `projects`. `None` if the client adds a hash to it.
fn project_name(dir: &Path) -> Option<String> {
    let dir = dir.to_str()?;
    let name: String =
        dir.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    (name.len() <= MAX_PROJECT_NAME).then_some(name)
}

/// Reads what the client gives to the model of a session in this directory.
pub fn find(settings: &Settings, client: &str, dir: &Path) -> Found {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let repository = match git::locate(&dir) {
        Located::Repository(repository) => Some(repository),
        Located::Unreachable(_) | Located::Outside => None,
    };
    let (home, env) = (settings.home.as_deref(), &process_env as Env);
    let mut reader = Reader::default();
    if client != "claude-code" {
        let names = NAMES.iter().find(|names| client.starts_with(names.client));
        reader.read_others(names.into_iter(), home, &dir, repository.as_ref());
        return Found { files: reader.files, notes_off: None };
    }
    let Some(own) = claude_dir(settings) else { return Found::default() };
    let managed = MANAGED.map(Path::new);
    let repository = repository.as_ref();
    let claude = Claude { managed: &managed, own: &own, home, dir: &dir, repository };
    let layers = claude.settings();
    if !env("CLAUDE_CODE_DISABLE_CLAUDE_MDS").is_some_and(|value| is_true(&value.to_string_lossy()))
    {
        reader.excluded = excluded(&layers);
        claude.read_instructions(&mut reader);
    }
    let notes_off = notes_off(&layers, env);
    if notes_off.is_none() {
        reader.read_notes(claude.notes(&layers));
    }
    Found { files: reader.files, notes_off }
}

/// A settings file of Claude Code, and whether it is the one that is part of the project.
struct Layer {
    file: PathBuf,
    settings: Value,
    is_checked_in: bool,
}

/// A session of Claude Code.
struct Claude<'a> {
    managed: &'a [&'a Path],
    own: &'a Path,
    home: Option<&'a Path>,
    dir: &'a Path,
    repository: Option<&'a Repository>,
}

impl Claude<'_> {
    fn root(&self) -> &Path {
        self.repository.map_or(self.dir, |repository| &repository.root)
    }

    /// The settings files, the ones that win first.
    fn settings(&self) -> Vec<Layer> {
        let of_project = |name| self.root().join(".claude").join(name);
        let managed = self.managed.iter().map(|dir| (dir.join("managed-settings.json"), false));
        let files = managed.chain([
            (of_project("settings.local.json"), false),
            (of_project("settings.json"), true),
            (self.own.join("settings.json"), false),
        ]);
        let layer = |(file, is_checked_in): (PathBuf, bool)| {
            let text = files::read_regular(&file).ok()?;
            Some(Layer { settings: serde_json::from_str(&text).ok()?, file, is_checked_in })
        };
        files.filter_map(layer).collect()
    }

    fn read_instructions(&self, reader: &mut Reader) {
        let imports = Imports { home: self.home, below: None };
        // The user cannot exclude these.
        let excluded = std::mem::take(&mut reader.excluded);
        for dir in self.managed {
            reader.read_with_imports(dir.join("CLAUDE.md"), &imports);
        }
        reader.excluded = excluded;
        reader.read_with_imports(self.own.join("CLAUDE.md"), &imports);
        reader.read_rules(&self.own.join("rules"));
        // The client asks before it reads an imported file outside of the session's directory.
        let imports = Imports { home: self.home, below: Some(self.dir) };
        let parents: Vec<&Path> = self.dir.ancestors().take(MAX_PARENTS).collect();
        for dir in parents.into_iter().rev() {
            for name in ["CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md"] {
                reader.read_with_imports(dir.join(name), &imports);
            }
            // The user's own directory was read.
            if dir.join(".claude") != self.own {
                reader.read_rules(&dir.join(".claude/rules"));
            }
        }
    }

    /// `MEMORY.md` of the repository. All of its work trees share one.
    fn notes(&self, layers: &[Layer]) -> Option<PathBuf> {
        let chosen = layers.iter().filter(|layer| !layer.is_checked_in);
        let chosen = chosen.filter_map(|layer| layer.settings["autoMemoryDirectory"].as_str());
        if let Some(dir) = chosen.into_iter().next() {
            return Some(expand(dir, self.home)?.join("MEMORY.md"));
        }
        let common = self.repository.map(Repository::common_dir);
        let common = common.and_then(|dir| fs::canonicalize(dir).ok());
        let main = common.filter(|dir| dir.ends_with(".git"));
        let main = main.as_deref().and_then(Path::parent).unwrap_or(self.root());
        Some(self.own.join("projects").join(project_name(main)?).join("memory/MEMORY.md"))
    }
}

/// `~/a` below the home directory, and other absolute paths as they are.
fn expand(path: &str, home: Option<&Path>) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(home?.join(rest)),
        None => Some(PathBuf::from(path)).filter(|path| path.is_absolute()),
    }
}

/// As the client reads its variables.
fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.trim().to_ascii_lowercase().as_str())
}

fn notes_off(layers: &[Layer], env: Env) -> Option<String> {
    const VARIABLE: &str = "CLAUDE_CODE_DISABLE_AUTO_MEMORY";
    if let Some(value) = env(VARIABLE).filter(|value| !value.is_empty()) {
        return is_true(&value.to_string_lossy()).then(|| format!("{VARIABLE} is set"));
    }
    let mut said = layers
        .iter()
        .filter_map(|layer| Some((&layer.file, layer.settings["autoMemoryEnabled"].as_bool()?)));
    let (file, is_on) = said.next()?;
    (!is_on).then(|| format!("autoMemoryEnabled is false in {}", file.display()))
}

/// Patterns of paths that the client does not read.
fn excluded(layers: &[Layer]) -> Vec<glob::Pattern> {
    let lists = layers.iter().filter_map(|layer| layer.settings["claudeMdExcludes"].as_array());
    let patterns = lists.flatten().filter_map(Value::as_str);
    patterns.filter_map(|pattern| glob::Pattern::new(pattern).ok()).collect()
}

/// Which imported files a client reads.
struct Imports<'a> {
    home: Option<&'a Path>,
    below: Option<&'a Path>,
}

#[derive(Default)]
struct Reader {
    files: Vec<MemoryFile>,
    bytes: u64,
    excluded: Vec<glob::Pattern>,
}

impl Reader {
    fn read_others<'a>(
        &mut self,
        names: impl Iterator<Item = &'a Names>,
        home: Option<&Path>,
        dir: &Path,
        repository: Option<&Repository>,
    ) {
        let root = repository.map_or(dir, |repository| &repository.root);
        let within = dir.ancestors().take(MAX_PARENTS).take_while(|dir| dir.starts_with(root));
        let dirs: Vec<&Path> = within.collect();
        for names in names {
            let of_user = names.of_user.iter().filter_map(|name| Some(home?.join(name)));
            for path in of_user {
                self.read(path, Kind::Instructions);
            }
            for dir in dirs.iter().rev() {
                for name in names.of_project {
                    self.read(dir.join(name), Kind::Instructions);
                }
            }
        }
    }

    /// Reads a file. Returns whether it counts.
    fn read(&mut self, path: PathBuf, kind: Kind) -> bool {
        let is_known = |file: &MemoryFile| file.path == path;
        if self.files.len() == MAX_FILES
            || self.bytes >= MAX_ALL
            || self.files.iter().any(is_known)
            || self.excluded.iter().any(|pattern| pattern.matches_path(&path))
            || !self.is_new(&path)
        {
            return false;
        }
        let Ok(file) = files::open_trusted(&path) else { return false };
        let Ok(meta) = file.metadata() else { return false };
        let mut bytes = Vec::new();
        if file.take(MAX_FILE.min(MAX_ALL - self.bytes)).read_to_end(&mut bytes).is_err() {
            return false;
        }
        self.bytes += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let modified_epoch = meta.mtime() * 1000;
        self.files.push(MemoryFile { path, kind, bytes: meta.len(), modified_epoch, text });
        true
    }

    /// Whether the file was not read under another name.
    fn is_new(&self, path: &Path) -> bool {
        let Ok(id) = FileId::at(path) else { return false };
        !self.files.iter().any(|file| FileId::at(&file.path).is_ok_and(|known| known == id))
    }

    fn read_with_imports(&mut self, path: PathBuf, imports: &Imports) {
        self.read_and_import(path, imports, MAX_IMPORTS);
    }

    fn read_and_import(&mut self, path: PathBuf, imports: &Imports, depth: usize) {
        let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
        if !self.read(path, Kind::Instructions) || depth == 0 {
            return;
        }
        let text = self.files.last().map_or("", |file| &file.text);
        for import in imported(text) {
            let path = match import.starts_with(['~', '/']) {
                true => expand(&import, imports.home),
                false => Some(dir.join(import)),
            };
            let path = path.and_then(|path| fs::canonicalize(path).ok());
            let is_read = |path: &PathBuf| imports.below.is_none_or(|dir| path.starts_with(dir));
            if let Some(path) = path.filter(is_read) {
                self.read_and_import(path, imports, depth - 1);
            }
        }
    }

    /// Rules of a directory and of those below it that count in every session. Those with `paths` count for
    /// some files only.
    fn read_rules(&mut self, dir: &Path) {
        self.read_rules_below(dir, MAX_RULE_DIRS);
    }

    fn read_rules_below(&mut self, dir: &Path, depth: usize) {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = entries.take(MAX_ENTRIES).collect();
        paths.sort();
        let (dirs, files): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.into_iter().partition(|p| p.is_dir());
        for path in files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
            if self.read(path, Kind::Instructions)
                && self.files.last().is_some_and(|file| has_paths(&file.text))
            {
                self.files.pop();
            }
        }
        if let Some(depth) = depth.checked_sub(1) {
            dirs.iter().for_each(|dir| self.read_rules_below(dir, depth));
        }
    }

    fn read_notes(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        if self.read(path, Kind::Notes)
            && let Some(file) = self.files.last_mut()
        {
            let lines: usize =
                file.text.split_inclusive('\n').take(NOTES_LINES).map(str::len).sum();
            file.text.truncate(file.text.floor_char_boundary(lines.min(NOTES_BYTES)));
        }
    }
}

/// Whether the front matter of a rule names the files for which it counts.
fn has_paths(text: &str) -> bool {
    let front = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---"));
    front.is_some_and(|(front, _)| front.lines().any(|line| line.starts_with("paths:")))
}

/// What `@path` imports, outside of code.
fn imported(text: &str) -> Vec<String> {
    let (mut found, mut is_fenced) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        if is_fenced {
            continue;
        }
        // Every second part is between backticks.
        let parts = line.split('`').step_by(2).flat_map(str::split_whitespace);
        let paths = parts.filter_map(|word| word.strip_prefix('@'));
        found.extend(paths.filter(|path| !path.is_empty()).map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_outside_of_code() {
        let text =
            "See @docs/git.md and `@not/this`.\n```\n@nor/this\n```\n- @~/own.md\nme@example.org @";
        assert_eq!(imported(text), ["docs/git.md", "~/own.md"]);
    }

    #[test]
    fn a_project_is_named_as_the_client_does() {
        let name = |dir: &str| project_name(Path::new(dir));
        assert_eq!(name("/home/me/my.app_2").as_deref(), Some("-home-me-my-app-2"));
        assert_eq!(name(&"/x".repeat(150)), None);
    }

    #[test]
    fn rules_for_some_files_are_recognized() {
        assert!(has_paths("---\npaths:\n  - \"src/**\"\n---\nUse tabs"));
        assert!(!has_paths("---\ntitle: x\n---\npaths: none"));
        assert!(!has_paths("# Rules"));
    }

    #[test]
    fn settings_and_a_variable_turn_notes_off() {
        let layer = |name: &str, text: &str| Layer {
            file: name.into(),
            settings: serde_json::from_str(text).unwrap(),
            is_checked_in: false,
        };
        let none: Env = &|_| None;
        let off = r#"{"autoMemoryEnabled": false}"#;
        assert_eq!(notes_off(&[], none), None);
        let why = notes_off(&[layer("local", "{}"), layer("user", off)], none);
        assert_eq!(why.as_deref(), Some("autoMemoryEnabled is false in user"));
        let on = r#"{"autoMemoryEnabled": true}"#;
        assert_eq!(notes_off(&[layer("local", on), layer("user", off)], none), None);
        let set: Env = &|_| Some("1".into());
        assert!(notes_off(&[layer("local", on)], set).is_some());
        let forced: Env = &|_| Some("0".into());
        assert_eq!(notes_off(&[layer("user", off)], forced), None);
    }

    /// The files that are read with these settings, by their names below `root`.
    fn read(root: &Path, settings: &str) -> Vec<String> {
        let (managed, own, dir) = (root.join("managed"), root.join("own"), root.join("app"));
        let managed = [managed.as_path()];
        let claude =
            Claude { managed: &managed, own: &own, home: None, dir: &dir, repository: None };
        write(&own.join("settings.json"), settings);
        let mut reader = Reader { excluded: excluded(&claude.settings()), ..Reader::default() };
        claude.read_instructions(&mut reader);
        let name =
            |file: MemoryFile| file.path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        reader.files.into_iter().map(name).collect()
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn instructions_are_those_that_the_client_reads() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        write(&root.join("managed/CLAUDE.md"), "Sign commits. @more.md");
        write(&root.join("managed/more.md"), "Use the proxy.");
        write(&root.join("shared/agents.md"), "Use tabs. @own.md");
        write(&root.join("own/CLAUDE.md"), "Answer in English.");
        write(&root.join("app/CLAUDE.md"), "@a.md");
        for (n, name) in ["a", "b", "c", "d", "e", "f", "g"].iter().enumerate() {
            let next = ["b", "c", "d", "e", "f", "g", "a"][n];
            write(&root.join(format!("app/{name}.md")), &format!("@{next}.md @../outside.md"));
        }
        write(&root.join("outside.md"), "not asked for");
        write(&root.join("app/.claude/rules/sub/one.md"), "One.");
        let link = |to: &str, at: &str| {
            std::os::unix::fs::symlink(root.join(to), root.join(at)).unwrap();
        };
        link("shared/agents.md", "app/CLAUDE.local.md");
        link("app/.claude/rules/sub/one.md", "app/.claude/rules/two.md");
        link("app/.claude/rules", "app/.claude/rules/sub/again");
        let found = read(&root, r#"{"claudeMdExcludes": ["**/managed/**", "**/own/CLAUDE.md"]}"#);
        assert_eq!(
            found,
            [
                "managed/CLAUDE.md",
                "managed/more.md",
                "app/CLAUDE.md",
                "app/a.md",
                "app/b.md",
                "app/c.md",
                "app/d.md",
                "app/e.md",
                "app/CLAUDE.local.md",
                "app/.claude/rules/two.md",
            ]
        );
    }
}
