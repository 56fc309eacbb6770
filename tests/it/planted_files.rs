//! Links, pipes and directories that another program has put in place of memctl's files, and
//! directories that a repository chooses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::world::Output;
use crate::support::{World, until};

const NO_OP: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// A hook's message when its timer or a signal ends it.
const ABORTED: &str = "aborted";

/// Files and directories of the data dir.
const DIRECTORIES: [&str; 5] = ["run", "logs", "spool", "spool/tmp", "spool/dead"];
const FILES: [&str; 10] = [
    "told",
    "lost",
    "memctl.db",
    "memctl.db-wal",
    "memctl.db-shm",
    "memctl.db-journal",
    "run/store.lock",
    "run/recover.lock",
    "run/starts",
    "logs/memctl.log",
];

/// Commands that use the data dir.
const READERS: [&[&str]; 11] = [
    &["status"],
    &["doctor"],
    &["ps"],
    &["queue"],
    &["stats"],
    &["logs"],
    &["context"],
    &["show", "p1"],
    &["search", "-a", "go"],
    &["remember", "a note"],
    &["config"],
];

/// Runs hooks and commands on whatever is in the data dir. All of them must end by themselves.
fn use_everything(w: &World) {
    fs::create_dir_all(w.path("home/.config/memctl")).unwrap();
    // Each key of the file is a problem, which the next session start reports.
    let config = "\"evil\\nalias ls='rm -rf ~'\\n\" = 1\n";
    let config_file = w.path("home/.config/memctl/config.toml");
    if fs::symlink_metadata(&config_file).is_err() {
        fs::write(&config_file, config).unwrap();
    }
    let mut private = prompt("s", "t", "<private>all of it</private>");
    private["prompt_id"] = "t2".into();
    let payloads = [
        start("s"),
        prompt("s", "t", "go"),
        tool("s", "t", "u1", "ls", "a"),
        stop("s", "t", "Done."),
        private,
        end("s"),
    ];
    for payload in payloads {
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(!output.err.contains(ABORTED), "{output:?}");
        serde_json::from_str::<serde_json::Value>(&output.out).expect("one JSON object");
    }
    for command in READERS.iter().chain(&[&["doctor", "--fix"] as &[&str]]) {
        let output = w.memctl(command);
        assert!(output.code.is_some(), "{command:?}: {output:?}");
    }
}

/// Every path below `dir`, with the content of files.
fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(snapshot(&path));
        }
        let content = fs::read(&path).unwrap_or_default();
        found.push((path, content));
    }
    found.sort();
    found
}

#[test]
fn links_in_the_data_dir_lead_nowhere() {
    for (name, is_dir) in
        DIRECTORIES.map(|name| (name, true)).into_iter().chain(FILES.map(|name| (name, false)))
    {
        for exists in [true, false] {
            let w = World::new();
            let victim = w.path("victim");
            fs::create_dir(&victim).unwrap();
            let target = victim.join("target");
            match (exists, is_dir) {
                (true, true) => fs::create_dir(&target).unwrap(),
                (true, false) => fs::write(&target, "# the user's own\n").unwrap(),
                (false, _) => {}
            }
            let before = snapshot(&victim);
            let link = w.data().join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(&target, &link).unwrap();
            use_everything(&w);
            assert_eq!(snapshot(&victim), before, "{name} was followed");
        }
    }
}

/// The name of a session's file below the data dir, with the session's key replaced.
fn session_files(w: &World) -> Vec<PathBuf> {
    w.hook(&prompt("s", "t0", "first"));
    w.worker();
    let lock = w.session_locks().remove(0);
    let key = lock.file_stem().unwrap().to_str().unwrap().to_owned();
    w.hook(&end("s"));
    w.settle();
    [
        format!("run/{key}.lock"),
        format!("run/{key}.private"),
        format!("logs/{key}.log"),
        format!("spool/{key}.d"),
    ]
    .map(|name| w.data().join(name))
    .to_vec()
}

#[test]
fn links_in_place_of_a_sessions_files_lead_nowhere() {
    for n in 0..4 {
        let w = World::new();
        let file = session_files(&w).remove(n);
        let victim = w.path("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("target"), "# the user's own\n").unwrap();
        let before = snapshot(&victim);
        let _ = fs::remove_file(&file);
        let target = if n == 3 { victim.clone() } else { victim.join("target") };
        symlink(target, &file).unwrap();
        use_everything(&w);
        assert_eq!(snapshot(&victim), before, "{} was followed", file.display());
    }
}

#[test]
fn pipes_and_directories_in_place_of_files_block_nothing() {
    for name in FILES.iter().chain(&["../home/.config/memctl/config.toml"]) {
        for kind in ["pipe", "directory"] {
            let w = World::new();
            fs::create_dir_all(w.data().join("run")).unwrap();
            let path = w.data().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match kind {
                "pipe" => mkfifo(&path, Mode::S_IRWXU).unwrap(),
                _ => fs::create_dir(&path).unwrap(),
            }
            use_everything(&w);
        }
    }
}

#[test]
fn pipes_in_place_of_directories_and_of_a_sessions_files_block_nothing() {
    for name in DIRECTORIES {
        let w = World::new();
        let path = w.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        use_everything(&w);
    }
    for n in 0..4 {
        let w = World::new();
        let file = session_files(&w).remove(n);
        let _ = fs::remove_file(&file);
        mkfifo(&file, Mode::S_IRWXU).unwrap();
        use_everything(&w);
    }
}

/// A session is drained although its spool contains files that are no events.
#[test]
fn pipes_directories_and_links_in_a_spool_do_not_stall_it() {
    let w = World::new();
    w.spool(&prompt("s", "t", "go"));
    let spool = w.spools().remove(0);
    mkfifo(&spool.join("0000000002.json"), Mode::S_IRWXU).unwrap();
    fs::create_dir_all(spool.join("0000000003.json/sub")).unwrap();
    fs::write(w.path("event"), prompt("s", "t9", "not ours").to_string()).unwrap();
    symlink(w.path("event"), spool.join("0000000004.json")).unwrap();
    mkfifo(&spool.join("pipe"), Mode::S_IRWXU).unwrap();
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
    w.settle();
    assert_eq!(w.summarized_prompts(), [1]);
    assert_eq!(fs::read_dir(w.data().join("spool/dead")).unwrap().count(), 4);
    assert!(w.path("event").exists());
}

/// The root of a repository below the world's directory, with a subdirectory.
fn repository(w: &World, name: &str) -> PathBuf {
    let root = w.path(name);
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    root
}

/// Runs a session in `cwd`. Returns the output of its hooks, the start first.
fn session_in(w: &World, cwd: &Path) -> Vec<Output> {
    let payloads = [start("s"), prompt("s", "t", "go"), stop("s", "t", "Done."), end("s")];
    let run = |mut payload: serde_json::Value| {
        payload["cwd"] = cwd.to_str().unwrap().into();
        let output = w.hook_bytes(&[], payload.to_string().as_bytes());
        assert_eq!(output.code, Some(0), "{output:?}");
        output
    };
    payloads.into_iter().map(run).collect()
}

/// A session in `cwd` records nothing, changes nothing in the repository and says why at its start.
#[track_caller]
fn assert_refused(w: &World, repository: &Path, cwd: &Path, variable: &str) {
    let before = snapshot(repository);
    let mut outputs = session_in(w, cwd).into_iter();
    let notice = outputs.next().unwrap().json()["systemMessage"].as_str().unwrap().to_owned();
    let expected = format!("memctl: nothing is recorded: {variable} is refused: ");
    assert!(notice.starts_with(&expected) && notice.lines().count() == 1, "{notice}");
    for output in outputs {
        assert_eq!((output.out.as_str(), output.err.as_str()), (NO_OP, ""));
    }
    let reports = ["config", "doctor", "status"];
    for command in READERS.iter().filter(|command| !reports.contains(&command[0])) {
        let Output { code, out, err } = w.memctl_in(cwd, command);
        let expected = format!("error: {variable} is refused: ");
        assert!(err.contains(&expected) && err.contains("hint: unset it"), "{command:?}: {err}");
        assert!(code == Some(1) && out.is_empty(), "{command:?}");
    }
    for command in ["doctor", "status"] {
        let report = w.memctl_in(cwd, &[command, "--json"]);
        assert!(report.out.contains("is refused"), "{command}");
    }
    assert_eq!(snapshot(repository), before, "{variable}");
}

#[test]
fn a_directory_inside_a_project_without_a_repository_is_refused() {
    let outside = World::new();
    let folder = outside.path("unpacked");
    fs::create_dir_all(folder.join("planted")).unwrap();
    for variable in ["MEMCTL_DATA_DIR", "MEMCTL_SOCKET_DIR", "XDG_DATA_HOME"] {
        let mut w = World::new().with("MEMCTL_DATA_DIR", "");
        w.set(variable, folder.join("planted").to_str().unwrap());
        assert_refused(&w, &folder, &folder, variable);
    }
}

#[test]
fn a_directory_inside_the_sessions_repository_is_refused() {
    let w = World::new();
    let root = repository(&w, "clone");
    symlink(&root, w.path("link")).unwrap();
    let world = w.path("").display().to_string();
    let before = snapshot(&root);
    for variable in ["MEMCTL_DATA_DIR", "MEMCTL_SOCKET_DIR", "XDG_DATA_HOME", "HOME"] {
        for path in ["clone/d", "clone", "clone/sub/../d", "link/new/d", "home/../clone/sub/x/../d"]
        {
            // An empty variable counts as unset.
            let mut w = World::new().with("MEMCTL_DATA_DIR", "");
            w.set(variable, &format!("{world}/{path}"));
            if path == "clone/d" {
                assert_refused(&w, &root, &root, variable);
            }
            for cwd in [&root.join("sub"), &PathBuf::from(&world).join("link/sub")] {
                let outputs = session_in(&w, cwd);
                assert!(outputs[0].out.contains("is refused"), "{variable} {path}: {outputs:?}");
            }
            // The client names the project, and the working directory is elsewhere.
            w.set("CLAUDE_PROJECT_DIR", root.join("sub").to_str().unwrap());
            let outputs = session_in(&w, Path::new("/"));
            assert!(outputs[0].out.contains("is refused"), "{variable} {path}: {outputs:?}");
            assert_eq!(snapshot(&root), before, "{variable} {path}");
        }
    }
}

#[test]
fn a_relative_directory_is_refused() {
    let outside = World::new();
    let root = repository(&outside, "clone");
    // The working directory of the commands, in which the directory exists.
    fs::create_dir_all(root.join("data/logs")).unwrap();
    for variable in ["MEMCTL_DATA_DIR", "MEMCTL_SOCKET_DIR", "HOME"] {
        for path in ["data", ".", "./data", "../clone/data", "sub/../data"] {
            let w = World::new().with("MEMCTL_DATA_DIR", "").with(variable, path);
            if path == "data" {
                assert_refused(&w, &root, &root, variable);
            }
            let before = snapshot(&root);
            for cwd in [&root, &outside.path("home")] {
                let outputs = session_in(&w, cwd);
                assert!(outputs[0].out.contains("is refused"), "{variable} {path}: {outputs:?}");
            }
            assert_eq!(snapshot(&root), before, "{variable} {path}");
            let worker = w.memctl(&["worker", "--client", "claude-code", "--session", "s"]);
            assert_ne!(worker.code, Some(0), "{worker:?}");
            assert_eq!(fs::read_dir(w.path("home")).unwrap().count(), 0, "{variable}={path}");
        }
    }
}

/// Many users keep their home directory in a repository. memctl's directories are in it.
#[test]
fn directories_in_a_home_that_is_a_repository_are_used() {
    for data in ["", "home/memory", "other/memory"] {
        let mut w = World::new();
        let home = repository(&w, "home");
        repository(&w, "other");
        let data = if data.is_empty() { home.join(".local/share/memctl") } else { w.path(data) };
        let is_default = data.starts_with(home.join(".local"));
        w.set("MEMCTL_DATA_DIR", if is_default { "" } else { data.to_str().unwrap() });
        fs::create_dir(home.join("sockets")).unwrap();
        w.set("MEMCTL_SOCKET_DIR", home.join("sockets").to_str().unwrap());
        for cwd in [home.clone(), home.join("sub")] {
            for output in session_in(&w, &cwd) {
                assert!(!output.out.contains("refused") && output.err.is_empty(), "{output:?}");
            }
        }
        assert!(data.join("run").exists(), "{}", data.display());
        until("the workers exit", || {
            let left = |dir: &str| fs::read_dir(data.join(dir)).unwrap().count();
            // The locks of the store and of recovery, and the list of session starts, stay.
            match (left("run"), left("spool")) {
                (0..=3, 0..=1) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
}

/// Foreign text in messages: a key with line breaks, in the notice and in the list of notices.
#[test]
fn quoted_foreign_text_is_one_line() {
    let w = World::new();
    w.hooks(&[prompt("s0", "t", "go"), stop("s0", "t", "Done."), end("s0")]);
    w.settle();
    let key = format!("evil\\nalias ls='rm -rf ~'\\n\\u001b[31m{}", "x".repeat(5000));
    fs::create_dir_all(w.path("home/.config/memctl")).unwrap();
    fs::write(w.path("home/.config/memctl/config.toml"), format!("\"{key}\" = 1\n")).unwrap();
    let notice = w.hook(&start("s"))["systemMessage"].as_str().unwrap().to_owned();
    assert!(notice.contains("evil alias ls"), "{notice}");
    assert!(!notice.contains(char::is_control) && notice.chars().count() < 600, "{notice}");
    let told = fs::read_to_string(w.data().join("told")).unwrap();
    assert!(told.lines().count() == 1 && !told.contains("\u{1b}"), "{told}");
    let output = w.memctl(&["ps"]);
    assert!(output.err.lines().all(|line| line.starts_with("warning: ")), "{output:?}");
    assert!(!output.err.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{output:?}");
    let mut w = w;
    w.set("MEMCTL_DATA_DIR", &format!("evil\n\u{1b}[31m/{}", "x/".repeat(400)));
    let output = w.memctl(&["ps"]);
    assert!(output.err.lines().count() == 3 && !output.err.contains('\u{1b}'), "{output:?}");
    let notice = w.hook(&start("s"))["systemMessage"].as_str().unwrap().to_owned();
    assert!(!notice.contains(char::is_control) && notice.chars().count() < 300, "{notice}");
}
