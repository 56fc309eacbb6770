//! Foreign files, links, sockets and processes at our paths, and socket paths that are too long or
//! get deleted.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::thread;

use nix::libc;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen};

use crate::support::recordings::{edit, end, prompt, start, stop, tool};
use crate::support::{World, notes, until};

const TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";
const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";
const SECOND_SUMMARY: &str = "SELECT prompt_number FROM session_summaries WHERE prompt_number = 2";

/// The paths of a session's socket and lock, after its worker has exited.
fn paths_of(w: &World, session: &str) -> (PathBuf, PathBuf) {
    w.hook(&prompt(session, "t0", "first"));
    w.worker();
    let found = (w.socket_files().remove(0), w.session_locks().remove(0));
    w.hook(&end(session));
    w.settle();
    found
}

/// Sends a turn and expects it to be stored, whatever is at the socket's path.
fn assert_turn_is_stored(w: &World, what: &str) {
    w.hooks(&[prompt("s", "t", "go"), edit("s", "t", "u1", "a.rs"), edit("s", "t", "u2", "b.rs")]);
    w.hook(&stop("s", "t", "Done."));
    until(what, || match (w.rows(SECOND_SUMMARY), w.spools()) {
        (rows, spools) if rows == ["2"] && spools.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(w.count(TOOLS), 2, "{what}");
}

#[test]
fn foreign_files_at_the_socket_path_stay_and_block_nothing() {
    for kind in ["a file", "a directory", "a link", "a link to a socket", "another user's socket"] {
        let w = World::new();
        let (socket, _) = paths_of(&w, "s");
        let elsewhere = w.path("elsewhere");
        let listener = match kind {
            "a file" => fs::write(&socket, "mine").map(|()| None),
            "a directory" => fs::create_dir(&socket).map(|()| None),
            "a link" => symlink(&elsewhere, &socket).map(|()| None),
            "a link to a socket" => {
                symlink(&elsewhere, &socket).unwrap();
                UnixListener::bind(&elsewhere).map(Some)
            }
            _ => {
                let listener = UnixListener::bind(&socket);
                if let Err(e) = chown(&socket, Some(1), None) {
                    notes::skipped(&format!("only root can give files away: {e}"));
                    continue;
                }
                listener.map(Some)
            }
        }
        .unwrap();
        let inode = fs::symlink_metadata(&socket).unwrap().ino();
        assert_turn_is_stored(&w, kind);
        w.hook(&end("s"));
        w.settle();
        assert_eq!(fs::symlink_metadata(&socket).unwrap().ino(), inode, "{kind}");
        let mut own = w.socket_files();
        own.retain(|file| *file != socket);
        assert!(own.is_empty(), "{kind}: {own:?}");
        if let Some(listener) = listener {
            listener.set_nonblocking(true).unwrap();
            let e = listener.accept().expect_err("no process connects to a foreign socket");
            assert_eq!(e.kind(), io::ErrorKind::WouldBlock, "{kind}");
        }
        let output = w.memctl(&["status"]).ok();
        assert!(!output.is_empty());
    }
}

/// A socket file with our owner on which another user's process listens.
#[test]
fn a_socket_of_another_users_process_gets_no_data() {
    let w = World::new();
    let (socket, _) = paths_of(&w, "s");
    let fd = nix::sys::socket::socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    bind(fd.as_raw_fd(), &UnixAddr::new(&socket).unwrap()).unwrap();
    // A peer sees the user that called listen.
    match as_other(|| listen(&fd, Backlog::new(8).unwrap())) {
        Some(listens) => listens.unwrap(),
        None => return,
    }
    // The first event is spooled. Its worker finds a socket file of its own user and replaces it.
    assert_turn_is_stored(&w, "another user's process");
    let listener = UnixListener::from(fd);
    listener.set_nonblocking(true).unwrap();
    let (mut peer, _) = listener.accept().expect("a process connects to check the user");
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_eq!(received, [0; 0], "no byte was sent");
}

#[test]
fn a_symlink_in_place_of_a_lock_file_is_not_followed_and_no_event_is_lost() {
    let w = World::new();
    let (_, lock) = paths_of(&w, "s");
    symlink(w.path("elsewhere"), &lock).unwrap();
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done.")]);
    until("the starter exits", || match w.processes()[..] {
        [] => Ok(()),
        ref pids => Err(format!("{pids:?}")),
    });
    assert!(!w.path("elsewhere").exists());
    assert_eq!(fs::read_dir(w.spools().remove(0)).unwrap().count(), 2);
    assert!(w.logs().contains("session lock"), "{}", w.logs());
    fs::remove_file(&lock).unwrap();
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.rows(SECOND_SUMMARY), ["2"]);
}

#[test]
fn the_longest_possible_socket_path_works_and_a_longer_one_falls_back() {
    for (length, served) in [(103, true), (104, false)] {
        let mut w = World::lingering();
        let name = w.path("s").as_os_str().len() + 1;
        let (socket, _) = paths_of(&w, "s");
        let padding = length - socket.as_os_str().len() - 1;
        let dir = w.path("s").join("d".repeat(padding));
        assert_eq!(name + padding + 1 + socket.file_name().unwrap().len(), length);
        fs::create_dir(&dir).unwrap();
        w.set("MEMCTL_SOCKET_DIR", dir.to_str().unwrap());
        assert_turn_is_stored(&w, "a long path");
        let sockets = fs::read_dir(&dir).unwrap().flatten();
        let sockets = sockets.filter(|entry| entry.file_name() == socket.file_name().unwrap());
        assert_eq!(sockets.count() == 1, served, "{length}");
        w.hook(&end("s"));
        w.settle();
    }
}

/// Programs that clean `/tmp` may also remove the directory in `MEMCTL_SOCKET_DIR`.
#[test]
fn a_session_recovers_after_its_socket_directory_is_deleted() {
    let w = World::new()
        .with("MEMCTL_WORKER_LINGER", "60s")
        .with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let first = w.worker_of("s");
    fs::remove_dir_all(w.sockets()).unwrap();
    // Without a socket, a new worker drains the spool and exits, and the next one replaces it.
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.until_count(TOOLS, 1);
    assert!(!w.processes().contains(&first));
    until("at most one worker is left", || match w.processes().len() {
        0 | 1 => Ok(()),
        n => Err(n.to_string()),
    });
    fs::create_dir(w.sockets()).unwrap();
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    w.until_count(TOOLS, 2);
    until("a socket again", || w.socket_files().pop().ok_or(String::new()));
    let second = w.worker();
    w.hooks(&[tool("s", "t", "u3", "ls", "z"), stop("s", "t", "Listed.")]);
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.worker(), second);
    assert_eq!(w.count(TOOLS), 3);
}

const OTHER: u32 = 1;

/// Runs `f` in a thread of another user. `None` if this user is not root.
fn as_other<T: Send>(f: impl FnOnce() -> T + Send) -> Option<T> {
    let done = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the raw system call changes the user of this thread only, and the thread then
            // exits.
            let done = unsafe { libc::syscall(libc::SYS_setresuid, -1, OTHER, -1) };
            (done == 0).then(f)
        });
        thread.join().unwrap()
    });
    if done.is_none() {
        notes::skipped("only root can become another user");
    }
    done
}

/// A worker reads nothing from a process of another user, whatever the modes of its socket are.
#[test]
fn another_users_process_gets_no_answer_from_a_worker() {
    let w = World::lingering();
    w.worker_of("s");
    let socket = w.socket_files().remove(0);
    for path in [w.path(""), w.sockets()] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
    let ask = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        // The worker may close the connection before it is written to.
        let _ = stream.write_all(b"{\"type\":\"ping\"}\n");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let Some(answer) = as_other(ask) else { return };
    assert_eq!(answer, "");
    assert!(ask().contains("true"), "the worker answers its own user");
    w.hook(&end("s"));
    w.settle();
}

/// Gives a file to another user. Only root can do that.
fn give_away(path: &Path) -> bool {
    match chown(path, Some(OTHER), Some(OTHER)) {
        Ok(()) => true,
        Err(e) => {
            notes::skipped(&format!("only root can give files away: {e}"));
            false
        }
    }
}

/// Commands that read the data dir. None of them may show what is in it.
const READERS: [&[&str]; 11] = [
    &["status"],
    &["ps"],
    &["stats"],
    &["queue"],
    &["logs"],
    &["context"],
    &["show", "p1"],
    &["search", "-a", "SECRET"],
    &["search", "-a", "--json", "SECRET"],
    &["resume", "list"],
    &["forget", "--query", "SECRET", "--dry-run"],
];

/// A data dir with one session, whose texts contain `SECRET`.
fn world_with_a_session() -> World {
    let w = World::new();
    w.hooks(&[
        prompt("s", "t", "SECRET go"),
        edit("s", "t", "u1", "SECRET.rs"),
        stop("s", "t", "SECRET done."),
        end("s"),
    ]);
    w.settle();
    w
}

#[test]
fn a_data_dir_of_another_user_is_used_by_no_command() {
    let w = world_with_a_session();
    for command in READERS {
        let output = w.memctl(command);
        assert!(!output.err.contains("belongs to user"), "{command:?}: {output:?}");
    }
    if !give_away(&w.data()) {
        return;
    }
    let message = format!("{} belongs to user {OTHER}", w.data().display());
    for command in READERS[1..].iter().chain(&[
        &["cleanup"] as &[&str],
        &["kill", "--all"],
        &["remember", "x"],
    ]) {
        let output = w.memctl(command);
        assert_eq!(output.code, Some(1), "{command:?}: {output:?}");
        assert!(output.err.contains(&message), "{command:?}: {output:?}");
        assert!(output.err.contains("hint:"), "{command:?}: {output:?}");
        assert!(!output.out.contains("SECRET"), "{command:?}: {output:?}");
    }
    for command in [&[] as &[&str], &["status"], &["status", "--json"], &["doctor"]] {
        let output = w.memctl(command);
        assert!(output.out.contains(&message), "{command:?}: {output:?}");
        assert!(!output.out.contains("SECRET"), "{command:?}: {output:?}");
        assert!(!output.out.contains("stored yet"), "{command:?}: {output:?}");
    }
    assert!(w.memctl(&["config"]).code == Some(0), "settings are not in the data dir");
    // Hooks neither read from it nor write to it. The session's user is told why.
    let files = || fs::read_dir(w.data()).unwrap().count();
    let n_files = files();
    let started = w.hook_bytes(&[], start("s2").to_string().as_bytes());
    let response = started.json();
    assert!(response["systemMessage"].as_str().unwrap().contains(&message), "{response}");
    assert!(response.get("hookSpecificOutput").is_none(), "{response}");
    let output = w.hook_bytes(&[], prompt("s2", "t", "next").to_string().as_bytes());
    assert!(output.err.contains(&message), "{output:?}");
    assert_eq!(output.code, Some(0));
    assert_eq!(files(), n_files);
}

#[test]
fn a_data_dir_that_others_can_write_is_restricted_before_it_is_used() {
    let w = world_with_a_session();
    let mode = || fs::metadata(w.data()).unwrap().permissions().mode() & 0o777;
    let open = |mode| fs::set_permissions(w.data(), Permissions::from_mode(mode)).unwrap();
    open(0o777);
    let output = w.memctl(&["show", "p1"]);
    assert!(output.code == Some(1) && output.err.contains("(mode 777)"), "{output:?}");
    assert!(output.err.contains("memctl doctor --fix"), "{output:?}");
    assert!(w.memctl(&["doctor", "--fix"]).out.contains("changed the mode"));
    assert_eq!(mode(), 0o700);
    assert!(w.memctl(&["show", "p1"]).ok().contains("SECRET"));
    open(0o777);
    w.hook(&prompt("s2", "t", "next"));
    assert_eq!(mode(), 0o700);
    w.hook(&end("s2"));
    w.settle();
}

#[test]
fn a_database_of_another_user_is_not_read() {
    for name in ["memctl.db", "memctl.db-wal"] {
        let w = world_with_a_session();
        let file = w.data().join(name);
        if !file.exists() {
            fs::write(&file, "").unwrap();
        }
        if !give_away(&file) {
            return;
        }
        for command in READERS {
            let output = w.memctl(command);
            assert!(!output.out.contains("SECRET"), "{name} {command:?}: {output:?}");
        }
        let message = format!("{} is not a regular file of this user", file.display());
        for command in [&[] as &[&str], &["status"], &["doctor"]] {
            let output = w.memctl(command);
            assert!(output.out.contains(&message), "{command:?}: {output:?}");
        }
        let response = w.hook_bytes(&[], start("s2").to_string().as_bytes()).json();
        assert!(!response.to_string().contains("SECRET"), "{response}");
        assert_eq!(fs::metadata(&file).unwrap().uid(), OTHER);
    }
}

/// Another user could write to the data dir before its mode was restricted.
#[test]
fn files_of_another_user_in_the_data_dir_are_neither_read_nor_changed() {
    let names = ["told", "lost", "run/starts", "run/store.lock", "logs/memctl.log"];
    for name in names {
        let w = world_with_a_session();
        let file = w.data().join(name);
        fs::write(&file, "PLANTED\n").unwrap();
        if !give_away(&file) {
            return;
        }
        w.hook_bytes(&[], b"not JSON").ok();
        for payload in [start("s2"), prompt("s2", "t", "go"), end("s2")] {
            w.hook_bytes(&[], payload.to_string().as_bytes()).ok();
        }
        for command in READERS {
            let output = w.memctl(command);
            assert!(!output.out.contains("PLANTED"), "{name} {command:?}: {output:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "PLANTED\n", "{name}");
        assert_eq!(fs::metadata(&file).unwrap().uid(), OTHER, "{name}");
    }
}

/// The owner of a directory can remove and replace what others put into it.
#[test]
fn directories_of_another_user_in_the_data_dir_are_not_used() {
    for name in ["logs", "spool", "run"] {
        let w = world_with_a_session();
        let dir = w.data().join(name);
        fs::write(dir.join("kept.log"), "PLANTED\n").unwrap();
        let names = || {
            let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let before = names();
        if !give_away(&dir) {
            return;
        }
        w.hook_bytes(&[], b"not JSON").ok();
        for payload in [start("s2"), prompt("s2", "t", "go")] {
            w.hook_bytes(&[], payload.to_string().as_bytes()).ok();
        }
        for command in READERS {
            let output = w.memctl(command);
            assert!(!output.out.contains("PLANTED"), "{name} {command:?}: {output:?}");
        }
        assert_eq!(names(), before, "{name}");
    }
}

#[test]
fn events_that_another_user_planted_in_a_spool_are_not_stored() {
    let w = World::new();
    w.spool(&prompt("s", "t", "ours"));
    let spool = w.spools().remove(0);
    let ours = fs::read_to_string(spool.join("0000000001.json")).unwrap();
    // The fallback location is in a directory that anyone can write.
    let fallback = w.sockets().join(format!("memctl-{}", nix::unistd::getuid()));
    let planted_dir = fallback.join(spool.file_name().unwrap());
    fs::create_dir_all(&planted_dir).unwrap();
    fs::set_permissions(&fallback, Permissions::from_mode(0o700)).unwrap();
    let planted = [spool.join("0000000002.json"), planted_dir.join("0000000001.json")];
    for file in &planted {
        fs::write(file, ours.replace("ours", "PLANTED").replace("{\"id\":\"0", "{\"id\":\"1"))
            .unwrap();
    }
    if ![&planted[0], &planted[1], &planted_dir, &fallback].into_iter().all(|p| give_away(p)) {
        return;
    }
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows("SELECT prompt_text FROM user_prompts"), ["ours"]);
    assert!(planted[1].exists());
    assert_eq!(fs::read_dir(w.data().join("spool/dead")).unwrap().count(), 1);
}

/// Commands of another user, on a data dir whose files anyone may read.
#[test]
fn another_user_sees_and_ends_nothing() {
    let w = World::lingering();
    let pid = w.worker_of("s");
    let as_other = |command: &[&str]| {
        let mut memctl = w.program();
        memctl.args(command).uid(OTHER).gid(OTHER).current_dir("/").env("HOME", "/nonexistent");
        memctl.output()
    };
    for path in [w.path(""), w.data(), w.sockets()] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    for part in ["memctl.db", "memctl.db-wal", "memctl.db-shm", "run", "spool", "logs"] {
        let _ = fs::set_permissions(w.data().join(part), Permissions::from_mode(0o777));
    }
    if let Err(e) = as_other(&["--version"]) {
        notes::skipped(&format!("only root can become another user: {e}"));
        return;
    }
    let message = format!("{} belongs to user {}", w.data().display(), nix::unistd::getuid());
    for command in READERS.iter().chain(&[&["kill", "--all"] as &[&str], &["cleanup"]]) {
        let output = as_other(command).unwrap();
        let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
        let report = if *command == ["status"] { &out } else { &err };
        assert!(report.contains(&message), "{command:?}: {output:?}");
        assert!(out.is_empty() || !out.contains("session-"), "{command:?}: {output:?}");
    }
    assert!(w.processes().contains(&pid));
    w.hooks(&[stop("s", "t", "Done."), end("s")]);
}
