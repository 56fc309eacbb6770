//! Unusual environments: spaces, quotes and newlines in every path, a separate pid namespace, and
//! a client that kills its hook's process group.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::recordings::{edit, end, prompt, stop, tool};
use crate::support::{World, until};

const TOOL_IDS: &str = "SELECT tool_use_id FROM pending_messages WHERE event = 'tool' ORDER BY id";

/// Characters that are special to a shell, to word splitting and to path lists.
const ODD: &str = "a 'b\"$c\n*;";

/// Runs the plugin's command line like the client, without a shell.
fn run_plugin_hook(w: &World, root: &Path, project: &Path, payload: &Value) {
    let mut hook = w.command(&root.join("hooks/run.sh"));
    hook.arg(payload["hook_event_name"].as_str().unwrap());
    // PATH and HOME contain no memctl, so run.sh uses the plugin's own.
    hook.env("PATH", "/nowhere").env("CLAUDE_PROJECT_DIR", project).env("CLAUDE_PLUGIN_ROOT", root);
    hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = hook.spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let response = String::from_utf8(output.stdout).unwrap();
    assert_eq!(response, "{\"continue\":true,\"suppressOutput\":true}\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn paths_with_special_characters_work() {
    let w = World::with_prefix(ODD);
    let project = w.path("home").join(format!("project {ODD}"));
    let root = w.path("home").join(format!("plugin {ODD}"));
    fs::create_dir_all(project.join(".git")).unwrap();
    fs::create_dir_all(root.join("hooks")).unwrap();
    fs::create_dir_all(root.join("bin")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/run.sh");
    fs::copy(script, root.join("hooks/run.sh")).unwrap();
    symlink(env!("CARGO_BIN_EXE_memctl"), root.join("bin/memctl")).unwrap();
    let mut edited = edit("s", "t", "u1", "x");
    edited["tool_input"]["file_path"] = format!("{}/{ODD}.rs", project.display()).into();
    edited["tool_response"] = Value::Null;
    for mut payload in [prompt("s", "t", "go"), edited, stop("s", "t", "Done."), end("s")] {
        payload["cwd"] = project.to_str().unwrap().into();
        run_plugin_hook(&w, &root, &project, &payload);
    }
    w.settle();
    assert_eq!(w.rows(TOOL_IDS), ["u1"]);
    assert_eq!(
        w.rows("SELECT p.name = (SELECT name FROM projects), root FROM projects p"),
        [format!("1|{}", project.display())]
    );
    assert_eq!(w.rows("SELECT path FROM observation_files"), [format!("{ODD}.rs")]);
    let context = w.memctl_in(&project, &["context"]).ok();
    assert!(context.contains("(s1): Changed a "), "{context}");
    assert!(w.socket_files().is_empty());
}

/// A repository may set environment variables and contain any program.
#[test]
fn a_relative_program_is_not_run() {
    let w = World::new();
    let project = w.path("home");
    let program = project.join("evil");
    let mark = w.path("mark");
    fs::write(&program, format!("#!/bin/sh\n: >'{}'\n", mark.display())).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    for dir in ["bin", ".local/bin", ".cargo/bin"] {
        fs::create_dir_all(project.join(dir)).unwrap();
        symlink(&program, project.join(dir).join("memctl")).unwrap();
    }
    let root = w.path("plugin");
    fs::create_dir_all(root.join("hooks")).unwrap();
    for script in ["run.sh", "observe.sh"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(script);
        fs::copy(from, root.join("hooks").join(script)).unwrap();
    }
    let is_run = |script: &str, arg: &str, variables: &[(&str, &str)]| {
        let mut command = w.command(&root.join("hooks").join(script));
        command.arg(arg).current_dir(&project).env("PATH", "bin:/usr/bin:/bin").env("HOME", ".");
        command.envs(variables.iter().copied());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.stdout.is_empty(), "{output:?}");
        fs::remove_file(&mark).is_ok()
    };
    let absolute = program.to_str().unwrap();
    for name in ["evil", "./evil", "../home/evil", "bin/memctl"] {
        assert!(!is_run("run.sh", "Stop", &[("MEMCTL_BIN", name)]), "{name}");
        // `memctl` in PATH would be run instead, and the shell follows relative entries of PATH.
        let variables = [("MEMCTL_BIN", name), ("PATH", "/usr/bin:/bin")];
        assert!(!is_run("observe.sh", "ls", &variables), "{name}");
    }
    assert!(is_run("run.sh", "Stop", &[("MEMCTL_BIN", absolute)]));
    let home = project.to_str().unwrap();
    assert!(is_run("run.sh", "Stop", &[("HOME", home)]));
}

/// A shell that is process 1 of a pid namespace. When it exits, the kernel kills the namespace.
struct Container(Child);

impl Container {
    /// Runs a hook inside, then keeps the shell running. Returns `None` if the system refuses
    /// namespaces.
    fn new(w: &World, payload: &Value) -> Option<Container> {
        let namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
        Container::with(w, &namespace, "true", payload)
    }

    /// As [`Self::new`], with these options of `unshare` and a command that runs first.
    fn with(w: &World, namespace: &[&str], first: &str, payload: &Value) -> Option<Container> {
        let mut shell = w.command(Path::new("unshare"));
        shell.args(namespace).args(["sh", "-c"]);
        let hook = format!("'{}' hook >&2 <<'E'\n{payload}\nE\n", env!("CARGO_BIN_EXE_memctl"));
        shell.arg(format!("{first} || exit 1\n{hook} echo done; read forever"));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = shell.spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "done\n" {
            child.wait().unwrap();
            return None;
        }
        Some(Container(child))
    }

    fn end(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// As a snap or a service with `PrivateTmp`: both sides share the data dir, but not the sockets.
#[test]
fn a_worker_with_a_socket_directory_of_its_own_is_elsewhere_and_left_alone() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "200ms");
    let own_sockets = format!("mount -t tmpfs -o mode=700 memctl-test '{}'", w.sockets().display());
    let open_prompt = prompt("s", "t", "go");
    let Some(container) = Container::with(&w, &["--mount"], &own_sockets, &open_prompt) else {
        crate::support::notes::skipped("unshare is not permitted");
        return;
    };
    w.until_count("SELECT ifnull(max(generation), 0) FROM sessions", 1);
    let worker = until("a worker", || {
        let ps = w.memctl(&["ps", "--json"]).json();
        match (ps[0]["pid"].as_i64(), ps[0]["session"] == "s") {
            (Some(pid), true) => Ok(pid as i32),
            _ => Err(ps.to_string()),
        }
    });
    let state = || w.memctl(&["ps", "--json"]).json()[0]["state"].clone();
    assert_eq!(state(), "elsewhere");
    assert!(w.memctl(&["ps"]).ok().contains("elsewhere"));
    assert!(w.memctl(&["status"]).ok().contains("0 live, 0 hung, 0 stale, 1 elsewhere"));
    assert_eq!(w.memctl(&["status", "--json"]).json()["workers"]["hung"], 0);
    let doctor = w.memctl(&["doctor"]).out;
    assert!(doctor.contains("1 worker elsewhere") && !doctor.contains("not answering"), "{doctor}");

    // Repairs, recovery and the starter of an event leave it alone.
    assert_eq!(w.memctl(&["kill", "--stale"]).ok(), "no hung worker and no stale file\n");
    w.memctl(&["cleanup"]).ok();
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.hook(&crate::support::recordings::start("another"));
    let only_worker = || {
        until("starter and recovery have exited", || {
            let of_memctl = |pid: &i32| {
                let name = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                name.starts_with(b"memctl\0")
            };
            let alive: Vec<i32> = w.processes().into_iter().filter(of_memctl).collect();
            if alive == [worker] { Ok(()) } else { Err(format!("{alive:?}")) }
        });
    };
    only_worker();
    assert_eq!(state(), "elsewhere");
    assert_eq!(w.spools().len(), 1);

    // It is ended by name, and has drained the spool. The next event starts a worker here.
    let ended = w.memctl(&["kill", "s"]).ok();
    assert!(ended.starts_with("s: exited"), "{ended}");
    w.hooks(&[stop("s", "t", "Listed."), end("s")]);
    container.end();
    w.settle();
    assert_eq!(w.rows(TOOL_IDS), ["u1"]);
    assert_eq!(w.summarized_prompts(), [1]);
}

/// The two namespaces share the socket but not the process ids.
#[test]
fn a_worker_in_another_pid_namespace_serves_and_gets_no_signal_from_outside() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "200ms");
    let Some(container) = Container::new(&w, &prompt("s", "t", "go")) else {
        crate::support::notes::skipped("unshare is not permitted");
        return;
    };
    let inside = until("a worker inside", || {
        let worker = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.starts_with(b"memctl\0worker"))
        };
        let pid = w.processes().into_iter().find(worker).ok_or("none")?;
        w.socket_files().pop().map(|_| pid).ok_or_else(|| "no socket".to_owned())
    });
    w.until_count("SELECT ifnull(max(generation), 0) FROM sessions", 1);
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    until("the worker accepts the event", || match w.rows(TOOL_IDS) {
        rows if rows == ["u1"] => Ok(()),
        rows => Err(format!("{rows:?}")),
    });
    until("nothing is spooled", || w.spools().is_empty().then_some(()).ok_or(String::new()));
    // The worker hangs. Processes outside cannot identify it, so they must not signal it.
    w.signal(inside, Signal::SIGSTOP);
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    let kill = w.memctl(&["kill", "s"]);
    assert!(kill.code == Some(1) && kill.err.contains("another container"), "{kill:?}");
    let state = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    until("the starter has exited", || match w.processes().len() {
        // unshare, the shell, the worker
        3 => Ok(()),
        n => Err(n.to_string()),
    });
    assert!(state(inside).contains(") T "), "{}", state(inside));
    assert_eq!(w.spools().len(), 1);
    // When the container ends, the kernel releases the lock. The next event then starts a worker.
    container.end();
    w.hooks(&[tool("s", "t", "u3", "ls", "z"), stop("s", "t", "Listed."), end("s")]);
    w.settle();
    assert_eq!(w.rows(TOOL_IDS), ["u1", "u2", "u3"]);
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["2"]);
}

/// Starts a hook in its own process group and pauses it after it has started a worker.
fn start_paused_hook(w: &World, payload: &Value, paused: &Path) -> Child {
    let mut hook = w.program();
    hook.arg("hook").process_group(0);
    let points =
        format!("hook.delivered=pause:{0},worker.locked=pause:{0}-worker", paused.display());
    hook.env("MEMCTL_TESTPOINT", points);
    hook.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = hook.spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload.to_string().as_bytes()).unwrap();
    until("the event is delivered", || paused.exists().then_some(()).ok_or(String::new()));
    child
}

/// At a timeout the client kills the hook's process group and every descendant.
#[test]
fn killing_a_hooks_process_group_does_not_kill_the_worker() {
    for payload in [prompt("s", "t", "go"), end("s")] {
        let w = World::lingering();
        let paused: PathBuf = w.path("paused");
        if payload["hook_event_name"] == "SessionEnd" {
            let pid = w.worker_of("s");
            w.hook(&edit("s", "t", "u", "a.rs"));
            w.kill(pid);
        }
        let mut hook = start_paused_hook(&w, &payload, &paused);
        let worker_paused = w.path("paused-worker");
        let worker = until("a worker", || {
            fs::read_to_string(&worker_paused)
                .ok()
                .filter(|pid| !pid.is_empty())
                .ok_or(String::new())
        });
        let stat = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap();
        let field = |n: usize| stat.rsplit(')').next().unwrap().split_whitespace().nth(n).unwrap();
        assert_ne!(field(1), hook.id().to_string(), "the worker is not the hook's child");
        assert_ne!(field(3), hook.id().to_string(), "the worker has its own process session");
        killpg(Pid::from_raw(hook.id().cast_signed()), Signal::SIGKILL).unwrap();
        hook.wait().unwrap();
        fs::remove_file(&worker_paused).unwrap();
        if payload["hook_event_name"] != "SessionEnd" {
            w.until_count("SELECT count(*) FROM user_prompts", 1);
            w.hook(&end("s"));
        }
        w.settle();
        assert_eq!(w.count("SELECT count(*) FROM session_summaries"), 1);
        assert_eq!(w.session()["end_reason"], "other");
    }
}
