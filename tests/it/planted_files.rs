//! Links, pipes and directories that another program has put in place of memctl's files, and
//! directories that a repository chooses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::World;
use crate::support::recordings::{end, prompt, start, stop, tool};

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

/// Commands that read the data dir.
const READERS: [&[&str]; 9] = [
    &["status"],
    &["doctor"],
    &["ps"],
    &["queue"],
    &["stats"],
    &["logs"],
    &["context"],
    &["show", "p1"],
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
