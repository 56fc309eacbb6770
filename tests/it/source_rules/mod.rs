//! Rules about the sources that the compiler and clippy do not check.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use modules::{Module, Modules};

use super::support::notes;

/// The top-level modules in layers, from top to bottom. A module may name modules of its own layer and
/// of lower layers.
const LAYERS: [&[&str]; 17] = [
    &["hook", "worker", "recover", "ctl", "mcp"],
    &["injection"],
    &["deliver", "context", "agent"],
    &["recall"],
    &["provenance", "freshness"],
    &["capture"],
    &["spool"],
    &["store"],
    &["evidence", "truth"],
    &["activity"],
    &["clients"],
    &["memory", "project"],
    &["git"],
    &["lock", "process", "log"],
    &["testpoint", "clock", "config"],
    &["paths", "failure", "guard", "text", "terms"],
    &["files"],
];

/// Longer files cause a note, not a failure.
const LONG_FILE: usize = 500;

/// Words that only these modules may contain in a path, a macro or an attribute.
const HOMES: [(&str, &[&str]); 11] = [
    ("target_os", &["process"]),
    ("tokio", &["worker", "agent", "ctl", "mcp"]),
    ("rmcp", &["mcp"]),
    ("clap", &["ctl"]),
    ("reqwest", &["agent"]),
    ("bincode", &[]),
    ("var_os", &["config", "process"]),
    ("vars_os", &["config"]),
    ("current_dir", &["ctl", "hook", "agent::claude::child"]),
    ("duration_since", &["clock"]),
    ("OpenOptions", &["files", "config::edit", "process", "git::blob"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layer_of(top_level: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&top_level))
}

/// Returns every reference from one module of the crate to another: the module, the target, and the
/// path as written.
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

/// The other tests rely on this reader.
#[test]
fn the_reader_finds_every_path_outside_of_tests() {
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
        let top_level = &module.name[0];
        assert!(
            layer_of(top_level).is_some(),
            "src has a new module {top_level}: give it a place in LAYERS"
        );
    }
}

/// The map for newcomers and the head of the program show the layers as they are checked.
#[test]
fn the_layers_are_listed_in_their_order() {
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    let modules = &main[main.find("\nmod ").unwrap()..main.find("\nuse ").unwrap()];
    let of_main: Vec<BTreeSet<&str>> = modules
        .trim()
        .split("\n\n")
        .map(|layer| layer.lines().filter_map(|l| l.strip_prefix("mod ")?.strip_suffix(';')))
        .map(Iterator::collect)
        .collect();
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let block = architecture.split("```\n").find(|block| block.starts_with("hook ")).unwrap();
    let of_map: Vec<BTreeSet<&str>> =
        block.lines().map(|layer| layer.split_whitespace().collect()).collect();
    let layers: Vec<BTreeSet<&str>> =
        LAYERS.iter().map(|layer| layer.iter().copied().collect()).collect();
    assert_eq!(of_main, layers, "src/main.rs");
    assert_eq!(of_map, layers, "ARCHITECTURE.md");
}

/// Each path between backticks that names a folder, or a file by its extension.
#[test]
fn the_paths_of_the_architecture_exist() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let is_path = |text: &&str| {
        text.contains('/')
            && !text.starts_with('/')
            && text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c))
    };
    let paths: BTreeSet<&str> =
        architecture.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(paths.len() > 50, "{paths:?}");
    let exists = |path: &&str| {
        ["src", "."].iter().any(|dir| {
            let path = root().join(dir).join(path);
            path.exists() || path.with_extension("rs").exists()
        })
    };
    let missing: Vec<&str> = paths.into_iter().filter(|path| !exists(path)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn modules_name_only_their_own_layer_and_those_below() {
    let modules = Modules::read(root());
    let mut upward = Vec::new();
    for (from, target, path) in references(&modules) {
        let (Some(top_level), Some(used)) = (from.name.first(), target.module.name.first()) else {
            if !from.name.is_empty() {
                upward.push(format!("{} names {path} of main.rs", from.file.display()));
            }
            continue;
        };
        if layer_of(used) < layer_of(top_level) {
            upward
                .push(format!("{} names {path}, which is above {top_level}", from.file.display()));
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn imports_have_no_cycles() {
    let modules = Modules::read(root());
    let mut graph = Graph::default();
    for (from, target, path) in references(&modules) {
        let to = target.module;
        let (Some(top_level), Some(used)) = (from.name.first(), to.name.first()) else { continue };
        if top_level != used {
            graph.add(top_level, used, &path);
        }
        // A module may use its own submodules and they may use it. An import of a whole module counts
        // only where its items are used.
        let nested = from.name.starts_with(&to.name) || to.name.starts_with(&from.name);
        if top_level == used && target.is_item && !nested {
            graph.add(&from.name.join("::"), &to.name.join("::"), &path);
        }
    }
    let cycles = graph.cycles();
    let cycles: Vec<String> = cycles.iter().map(|cycle| graph.describe(cycle)).collect();
    assert!(cycles.is_empty(), "{}", cycles.join("\n"));
}

/// The modules that each module uses, with the paths by which it names them.
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

    /// Returns the strongly connected components: sets of modules that all reach each other.
    fn cycles(&self) -> Vec<Vec<&str>> {
        let reachable: BTreeMap<&str, _> =
            self.0.keys().map(|module| (module.as_str(), self.reachable(module))).collect();
        let mut cycles: Vec<Vec<&str>> = Vec::new();
        for (module, reached) in &reachable {
            if reached.contains(module) && !cycles.iter().any(|cycle| cycle.contains(module)) {
                let returns = |other: &&&str| {
                    reachable.get(**other).is_some_and(|reached| reached.contains(module))
                };
                cycles.push(reached.iter().filter(returns).copied().collect());
            }
        }
        cycles
    }

    fn describe(&self, cycle: &[&str]) -> String {
        let mut lines = vec![format!("import cycle of {}:", cycle.join(", "))];
        for from in cycle {
            for (to, paths) in self.0[*from].iter().filter(|(to, _)| cycle.contains(&to.as_str())) {
                let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
                lines.push(format!("  {from} uses {to}: {}", paths.join(", ")));
            }
        }
        lines.join("\n")
    }
}

#[test]
fn dependencies_and_system_calls_stay_in_their_modules() {
    for module in Modules::read(root()).iter() {
        let name = module.name.join("::");
        for (word, homes) in HOMES {
            let is_allowed =
                homes.iter().any(|home| (name.clone() + "::").starts_with(&format!("{home}::")));
            let uses = module.paths.iter().any(|path| path.iter().any(|segment| segment == word));
            assert!(
                is_allowed || !uses,
                "{} contains {word}, which only {homes:?} may",
                module.file.display()
            );
        }
    }
}

#[test]
fn only_the_store_contains_sql() {
    let statements = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE ", "PRAGMA "];
    for module in Modules::read(root())
        .iter()
        .filter(|module| module.name.first().is_none_or(|top_level| top_level != "store"))
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
fn only_paths_builds_file_names() {
    let endings = [".sock", ".lock", ".d", "memctl.db"];
    for module in Modules::read(root()).iter().filter(|module| module.name != ["paths"]) {
        for literal in &module.literals {
            let is_name =
                endings.iter().any(|ending| literal.trim_end_matches('"').ends_with(ending));
            assert!(!is_name, "{} builds the file name {literal}", module.file.display());
        }
    }
}

/// A hook may take about 1 ms. Starting a runtime takes 0.1 ms, and clap 0.07 ms.
#[test]
fn hooks_use_neither_an_async_runtime_nor_clap() {
    let modules = Modules::read(root());
    let mut graph = Graph::default();
    for (from, target, path) in references(&modules) {
        if let (Some(top_level), Some(used)) = (from.name.first(), target.module.name.first()) {
            graph.add(top_level, used, &path);
        }
    }
    let reached = graph.reachable("hook");
    for top_level in ["worker", "recover", "ctl", "agent"] {
        assert!(!reached.contains(top_level), "hook reaches {top_level} through its imports");
    }
    for module in modules
        .iter()
        .filter(|m| m.name.first().is_some_and(|top_level| reached.contains(top_level.as_str())))
    {
        for word in ["tokio", "clap", "reqwest"] {
            let uses =
                module.paths.iter().any(|path| path.first().is_some_and(|first| first == word));
            assert!(!uses, "{} names {word}, and hooks reach it", module.file.display());
        }
    }
}

#[test]
fn every_file_starts_with_a_doc_comment() {
    for module in Modules::read(root()).iter() {
        let text = fs::read_to_string(root().join(&module.file)).unwrap();
        assert!(text.starts_with("//!"), "{} begins without //!", module.file.display());
        let lines = text.lines().count();
        if lines > LONG_FILE {
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
        "PreToolUse",
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
            // `tests/it/install.rs` runs the command.
            assert_eq!(hook["command"], "/bin/sh");
            let args = hook["args"].as_array().unwrap();
            let script = "${CLAUDE_PLUGIN_ROOT}/hooks/run.sh";
            assert_eq!(args[2..], [script, event], "exec form with the event as last argument");
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
