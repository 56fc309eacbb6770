//! Rules about the sources that the compiler and clippy do not check.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use modules::{Module, Modules};

use super::support::notes;

/// The top-level modules from the top to the bottom. A module may name modules of its own layer and
/// of the layers below it.
const LAYERS: [&[&str]; 12] = [
    &["hook", "worker", "recover", "ctl"],
    &["deliver", "context", "agent"],
    &["capture"],
    &["spool"],
    &["store"],
    &["activity"],
    &["clients"],
    &["memory", "project"],
    &["git"],
    &["lock", "process", "log"],
    &["testpoint", "clock", "config"],
    &["paths", "failure", "text"],
];

/// Longer files are reported, not refused: one idea may need them.
const LONG: usize = 500;

/// Circles that the rewrite of the local agent removes together with one of their modules.
const KNOWN_CIRCLES: [&[&str]; 3] = [
    &["agent::extractive::answers", "agent::extractive::observe"],
    &["agent::extractive::cures", "agent::extractive::titles"],
    &["agent::extractive::kind", "agent::extractive::work"],
];

/// Code outside these modules must not contain the word in a path, a macro or an attribute.
const HOMES: [(&str, &[&str]); 9] = [
    ("target_os", &["process"]),
    ("tokio", &["worker", "agent", "ctl"]),
    ("clap", &["ctl"]),
    ("reqwest", &["agent"]),
    ("bincode", &[]),
    ("var_os", &["config", "process"]),
    ("vars_os", &["config"]),
    ("current_dir", &["ctl", "agent::claude::child"]),
    ("duration_since", &["clock"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// Every reference from one module of the crate to another: from, to, and the path as written.
fn references(modules: &Modules) -> Vec<(&Module, modules::Target<'_>, String)> {
    let mut found = Vec::new();
    for module in modules.iter() {
        for path in &module.paths {
            if let Some(target) = modules.resolve(module, path)
                && target.module.name != module.name
            {
                found.push((module, target, path.join("::")));
            }
        }
    }
    found
}

/// The rules are worth no more than their reader.
#[test]
fn the_reader_sees_every_path_outside_tests() {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = dir.path().join("src").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("main.rs", "mod low; mod high; #[cfg(test)] mod missing;");
    write("low.rs", "pub struct A; pub struct B; pub fn f() {} pub mod deep { pub struct C; }");
    write(
        "high/mod.rs",
        "use crate::{low::{A, deep}, other::X as Y};
         #[cfg(test)] mod tests { use crate::test_1; }
         #[cfg(all(test, unix))] use crate::test_2;
         mod part;
         fn g(_: deep::C) { println!(\"{:?}\", crate::low::f()); }
         #[cfg(not(test))] impl A { #[cfg(test)] fn t() { crate::test_3(); } }",
    );
    write("high/part.rs", "fn h() { let _ = super::super::low::B; super::g(super::A); }");
    let modules = Modules::read(dir.path());
    let found: BTreeSet<String> = references(&modules)
        .iter()
        .filter(|(_, target, _)| target.is_item)
        .map(|(from, target, path)| {
            format!("{} {path} {}", from.name.join("::"), target.module.name.join("::"))
        })
        .collect();
    let expected = [
        "high crate::low::A low",
        "high crate::low::f low",
        "high crate::other::X ",
        "high deep::C low::deep",
        "high A low",
        "high::part super::super::low::B low",
        "high::part super::g high",
        "high::part super::A low",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn every_top_level_module_has_a_layer() {
    for module in Modules::read(root()).iter().filter(|module| module.name.len() == 1) {
        let room = &module.name[0];
        assert!(layer_of(room).is_some(), "src has a new module {room}: give it a place in LAYERS");
    }
}

#[test]
fn modules_name_only_their_own_layer_and_those_below() {
    let modules = Modules::read(root());
    let mut upward = Vec::new();
    for (from, target, path) in references(&modules) {
        let (Some(room), Some(used)) = (from.name.first(), target.module.name.first()) else {
            if !from.name.is_empty() {
                upward.push(format!("{} names {path} of main.rs", from.file.display()));
            }
            continue;
        };
        if layer_of(used) < layer_of(room) {
            upward.push(format!("{} names {path}, which is above {room}", from.file.display()));
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let modules = Modules::read(root());
    let mut graph = Graph::default();
    for (from, target, path) in references(&modules) {
        let to = target.module;
        let (Some(room), Some(used)) = (from.name.first(), to.name.first()) else { continue };
        if room != used {
            graph.add(room, used, &path);
        }
        // A module and the modules inside it are one unit. An import of a module counts where its
        // items are used.
        let nested = from.name.starts_with(&to.name) || to.name.starts_with(&from.name);
        if room == used && target.is_item && !nested {
            graph.add(&from.name.join("::"), &to.name.join("::"), &path);
        }
    }
    let circles = graph.circles();
    for known in KNOWN_CIRCLES {
        assert!(circles.iter().any(|c| c == known), "this circle is gone, delete it: {known:?}");
    }
    let new: Vec<String> = circles
        .iter()
        .filter(|circle| !KNOWN_CIRCLES.contains(&circle.as_slice()))
        .map(|circle| graph.describe(circle))
        .collect();
    assert!(new.is_empty(), "{}", new.join("\n"));
}

/// Modules by name, the modules that each one uses, and the paths by which it does.
#[derive(Default)]
struct Graph(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Graph {
    fn add(&mut self, from: &str, to: &str, path: &str) {
        let uses = self.0.entry(from.to_owned()).or_default();
        uses.entry(to.to_owned()).or_default().insert(path.to_owned());
    }

    fn reachable<'a>(&'a self, from: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            let uses = self.0.get(module).into_iter().flat_map(BTreeMap::keys);
            open.extend(uses.map(String::as_str).filter(|used| reached.insert(*used)));
        }
        reached
    }

    /// The sets of modules of which each reaches each other one, in alphabetical order.
    fn circles(&self) -> Vec<Vec<&str>> {
        let reachable: BTreeMap<&str, _> =
            self.0.keys().map(|module| (module.as_str(), self.reachable(module))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (module, reached) in &reachable {
            if reached.contains(module) && !circles.iter().any(|circle| circle.contains(module)) {
                let returns = |other: &&&str| {
                    reachable.get(**other).is_some_and(|reached| reached.contains(module))
                };
                circles.push(reached.iter().filter(returns).copied().collect());
            }
        }
        circles
    }

    fn describe(&self, circle: &[&str]) -> String {
        let mut lines = vec![format!("a circle of {}:", circle.join(", "))];
        for from in circle {
            for (to, paths) in self.0[*from].iter().filter(|(to, _)| circle.contains(&to.as_str()))
            {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                lines.push(format!("  {from} uses {to}: {}", paths.join(", ")));
            }
        }
        lines.join("\n")
    }
}

#[test]
fn each_dependency_and_each_system_call_has_its_home() {
    for module in Modules::read(root()).iter() {
        let name = module.name.join("::");
        for (word, homes) in HOMES {
            let at_home =
                homes.iter().any(|home| (name.clone() + "::").starts_with(&format!("{home}::")));
            let uses = module.paths.iter().any(|path| path.iter().any(|segment| segment == word));
            assert!(at_home || !uses, "{} has {word}; its homes: {homes:?}", module.file.display());
        }
    }
}

#[test]
fn only_the_store_contains_sql() {
    let statements = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE ", "PRAGMA "];
    for module in Modules::read(root())
        .iter()
        .filter(|module| module.name.first().is_none_or(|room| room != "store"))
    {
        for literal in &module.literals {
            let is_sql = statements.iter().any(|statement| {
                literal.trim_start_matches('"').trim_start().starts_with(statement)
            });
            assert!(!is_sql, "{} contains SQL: {literal}", module.file.display());
        }
    }
}

#[test]
fn only_paths_builds_the_names_of_our_files() {
    let endings = [".sock", ".lock", ".d", "memctl.db"];
    for module in Modules::read(root()).iter().filter(|module| module.name != ["paths"]) {
        for literal in &module.literals {
            let is_name =
                endings.iter().any(|ending| literal.trim_end_matches('"').ends_with(ending));
            assert!(!is_name, "{} builds the file name {literal}", module.file.display());
        }
    }
}

/// A hook has a millisecond. A runtime costs 0.1 ms and clap 0.07 ms.
#[test]
fn hooks_reach_neither_a_runtime_nor_the_command_line() {
    let modules = Modules::read(root());
    let mut graph = Graph::default();
    for (from, target, path) in references(&modules) {
        if let (Some(room), Some(used)) = (from.name.first(), target.module.name.first()) {
            graph.add(room, used, &path);
        }
    }
    let reached = graph.reachable("hook");
    for room in ["worker", "recover", "ctl", "agent"] {
        assert!(!reached.contains(room), "hook reaches {room} through its imports");
    }
    for module in modules
        .iter()
        .filter(|m| m.name.first().is_some_and(|room| reached.contains(room.as_str())))
    {
        for word in ["tokio", "clap", "reqwest"] {
            let uses =
                module.paths.iter().any(|path| path.first().is_some_and(|first| first == word));
            assert!(!uses, "{} names {word}, and hooks reach it", module.file.display());
        }
    }
}

#[test]
fn every_file_says_what_it_owns() {
    for module in Modules::read(root()).iter() {
        let text = fs::read_to_string(root().join(&module.file)).unwrap();
        assert!(text.starts_with("//!"), "{} begins without //!", module.file.display());
        let lines = text.lines().count();
        if lines > LONG {
            notes::add("long file", &format!("{} has {lines} lines", module.file.display()));
        }
    }
}

#[test]
fn hooks_json_registers_each_known_event() {
    let text = fs::read_to_string(root().join("hooks/hooks.json")).unwrap();
    let hooks: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = hooks["hooks"].as_object().unwrap();
    let names: Vec<&str> = events.keys().map(String::as_str).collect();
    let mut wanted = vec![
        "SessionStart",
        "UserPromptSubmit",
        "PostToolUse",
        "PostToolUseFailure",
        "SubagentStop",
        "Stop",
        "StopFailure",
        "SessionEnd",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    for (event, groups) in events {
        for hook in groups.as_array().unwrap().iter().flat_map(|g| g["hooks"].as_array().unwrap()) {
            assert_eq!(hook["type"], "command");
            assert_eq!(
                hook["args"],
                serde_json::json!([event]),
                "exec form with the event as its argument"
            );
            assert_eq!(hook["command"], "${CLAUDE_PLUGIN_ROOT}/hooks/run.sh");
            let seconds = hook["timeout"].as_u64().unwrap();
            assert!((1..=30).contains(&seconds), "timeouts are seconds");
            assert!(hook.get("async").is_none() && hook.get("onFailure").is_none());
        }
    }
}

#[test]
fn the_changelog_and_the_plugin_name_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains("## Unreleased") || changelog.contains(env!("CARGO_PKG_VERSION")));
    let plugin = fs::read_to_string(root().join(".claude-plugin/plugin.json")).unwrap();
    let plugin: serde_json::Value = serde_json::from_str(&plugin).unwrap();
    assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
}
