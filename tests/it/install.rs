//! `make install` and `make uninstall`, and the hooks of sessions that run meanwhile.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::World;
use crate::support::recordings::{end, prompt, stop, tool};

const NO_OP: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

fn source(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(part)
}

/// Runs a target of the Makefile. Cargo is replaced by a script that prints the path of `binary`, so
/// nothing is built.
fn make(w: &World, target: &str, binary: &Path) -> std::process::Output {
    let cargo = w.path("cargo");
    let executable = format!("{{\"executable\":\"{}\"}}", binary.display());
    fs::write(&cargo, format!("#!/bin/sh\necho '{executable}'\n")).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let mut make = w.command(Path::new("make"));
    make.arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args([target, "STATIC=0"]);
    make.arg(format!("PREFIX={}", w.path("prefix").display()));
    make.arg(format!("CARGO={}", cargo.display()));
    make.output().unwrap()
}

#[track_caller]
fn make_ok(w: &World, target: &str) -> String {
    let output = make(w, target, Path::new(env!("CARGO_BIN_EXE_memctl")));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The command of a hook, as the client takes it from hooks.json at the start of a session.
struct RegisteredHook {
    program: String,
    args: Vec<String>,
}

impl RegisteredHook {
    /// Reads the plugin in `root`. The client replaces the variable in the program and in arguments.
    fn read(root: &Path, event: &str) -> RegisteredHook {
        let hooks = fs::read(root.join("hooks/hooks.json")).unwrap();
        let hooks: Value = serde_json::from_slice(&hooks).unwrap();
        let hook = &hooks["hooks"][event][0]["hooks"][0];
        let text = |value: &Value| {
            value.as_str().unwrap().replace("${CLAUDE_PLUGIN_ROOT}", root.to_str().unwrap())
        };
        RegisteredHook {
            program: text(&hook["command"]),
            args: hook["args"].as_array().unwrap().iter().map(text).collect(),
        }
    }

    /// Runs the hook, which must exit 0 and print nothing on standard error. Returns its output.
    #[track_caller]
    fn run(&self, w: &World, payload: &Value) -> String {
        let mut hook = w.command(Path::new(&self.program));
        // No other memctl is in reach.
        hook.args(&self.args).env("PATH", "/nowhere").env("HOME", w.path("home"));
        output_of(&mut hook, payload)
    }
}

#[track_caller]
fn output_of(hook: &mut Command, payload: &Value) -> String {
    hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = hook.spawn().unwrap();
    // A hook may exit without reading its input.
    let _ = child.stdin.take().unwrap().write_all(payload.to_string().as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A copy of the plugin, as the client keeps it in its cache.
fn cached_plugin(w: &World) -> PathBuf {
    let cache = w.path("home/.claude/plugins/cache/memctl");
    fs::create_dir_all(cache.parent().unwrap()).unwrap();
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(w.path("prefix/share/memctl-plugin")).arg(&cache);
    assert!(copy.status().unwrap().success());
    cache
}

#[test]
fn hooks_of_running_sessions_outlive_the_removal_of_their_plugin() {
    let w = World::new();
    make_ok(&w, "install");
    let installed = w.path("prefix/share/memctl-plugin");
    fs::create_dir_all(w.path("home/.local/bin")).unwrap();
    let program = w.path("home/.local/bin/memctl");
    std::os::unix::fs::symlink(w.path("prefix/bin/memctl"), &program).unwrap();
    let cache = cached_plugin(&w);
    let hook = |root: &Path, event: &str| RegisteredHook::read(root, event);
    let from_cache = ["UserPromptSubmit", "PostToolUse", "Stop"].map(|event| hook(&cache, event));
    let [on_prompt, on_tool, on_stop] = from_cache;
    let in_place = hook(&installed, "PostToolUse");
    assert_eq!(on_prompt.run(&w, &prompt("s", "t", "go")), NO_OP);

    // The client sweeps its cache. The session is recorded through the installed copy.
    fs::remove_dir_all(&cache).unwrap();
    assert_eq!(on_tool.run(&w, &tool("s", "t", "u", "cargo test", "ok")), NO_OP);
    assert_eq!(on_stop.run(&w, &stop("s", "t", "Done.")), NO_OP);
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE tool_use_id = 'u'"), 1);
    assert_eq!(w.summarized_prompts(), [1]);

    // After `make uninstall`, hooks of all releases do nothing.
    let said = make_ok(&w, "uninstall");
    let stub = installed.join("hooks/run.sh");
    assert!(said.contains(&format!("rm -r {}", installed.display())), "{said}");
    let payload = tool("s", "t", "u2", "cargo test", "ok");
    for hook in [&on_tool, &in_place] {
        assert_eq!(hook.run(&w, &payload), "");
    }
    assert_eq!(output_of(w.command(&stub).arg("PostToolUse"), &payload), "");
    let left = Command::new("find").arg(w.path("prefix")).args(["-type", "f"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout).trim(), stub.to_str().unwrap());

    fs::remove_dir_all(&installed).unwrap();
    for hook in [&on_tool, &in_place] {
        assert_eq!(hook.run(&w, &payload), "");
    }
    assert!(!make_ok(&w, "uninstall").contains("rm -r /"), "a stub is left of nothing");
    assert!(!stub.exists());
}

/// A repository may set HOME and contain any file.
#[test]
fn the_hook_command_runs_no_script_below_a_relative_home() {
    let w = World::new();
    let mark = w.path("mark");
    let script = w.path("home/.local/share/memctl-plugin/hooks/run.sh");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::write(&script, format!(": >'{}'\n", mark.display())).unwrap();
    let hook = RegisteredHook::read(&source(""), "Stop");
    for (home, is_run) in [(".", false), ("", false), (w.path("home").to_str().unwrap(), true)] {
        let mut command = w.command(Path::new(&hook.program));
        // The plugin's own folder is gone.
        let args = hook.args.iter().map(|arg| arg.replace(env!("CARGO_MANIFEST_DIR"), "/gone"));
        command.args(args).env("HOME", home).current_dir(w.path("home"));
        output_of(&mut command, &stop("s", "t", "Done."));
        assert_eq!(fs::remove_file(&mark).is_ok(), is_run, "HOME={home}");
    }
}

#[test]
fn installation_replaces_each_file_by_rename() {
    let w = World::new();
    make_ok(&w, "install");
    let files = || {
        let files = Command::new("find").arg(w.path("prefix")).args(["-type", "f"]).output();
        let files = String::from_utf8(files.unwrap().stdout).unwrap();
        files.lines().map(PathBuf::from).collect::<Vec<PathBuf>>()
    };
    let before = files();
    for wanted in ["bin/memctl", "man1/memctl-ps.1", "hooks/run.sh", "hooks/observe.sh"] {
        assert!(before.iter().any(|file| file.ends_with(wanted)), "{wanted}: {before:?}");
    }
    // A second name of each file keeps it, so that its inode is not used again.
    let keep = w.path("keep");
    fs::create_dir(&keep).unwrap();
    let inode = |file: &PathBuf| fs::metadata(file).unwrap().ino();
    let kept: Vec<u64> = before
        .iter()
        .enumerate()
        .map(|(n, file)| {
            fs::hard_link(file, keep.join(n.to_string())).unwrap();
            inode(file)
        })
        .collect();
    make_ok(&w, "install");
    assert_eq!(files().len(), before.len(), "{:?}", files());
    for (file, kept) in before.iter().zip(kept) {
        assert_ne!(inode(file), kept, "{} is written in place", file.display());
    }
}

/// Otherwise each of them builds all dependencies.
#[test]
fn run_and_install_build_the_same_binary() {
    let arguments = |target: &str| {
        let make = Command::new("make").args(["-n", "-C"]).arg(source("")).arg(target).output();
        let recipe = String::from_utf8(make.unwrap().stdout).unwrap();
        let (_, from) =
            recipe.split_once(" build --bin memctl ").unwrap_or_else(|| panic!("{recipe}"));
        from.split_once(" --message-format").unwrap().0.to_owned()
    };
    assert_eq!(arguments("run"), arguments("install"));
    assert_eq!(arguments("run"), arguments("release"));
}

/// A shell's limit on the size of files stands for a full disk.
#[test]
fn an_installation_without_space_keeps_the_old_files() {
    let w = World::new();
    make_ok(&w, "install");
    let program = w.path("prefix/bin/memctl");
    let size = fs::metadata(&program).unwrap().len();
    let mut shell = w.command(Path::new("sh"));
    shell.arg("-c").arg(format!(
        "ulimit -f 800; exec make -C '{}' install STATIC=0 PREFIX='{}' CARGO='{}'",
        env!("CARGO_MANIFEST_DIR"),
        w.path("prefix").display(),
        w.path("cargo").display(),
    ));
    let output = shell.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(&program).unwrap().len(), size);
    assert_eq!(
        fs::read_dir(w.path("prefix/bin")).unwrap().count(),
        1,
        "a part of the new file stays"
    );
}
