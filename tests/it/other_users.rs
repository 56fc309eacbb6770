//! Foreign files, links, sockets and processes at our paths, and socket paths that are too long or
//! get deleted.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use nix::libc;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen};

use crate::support::recordings::{edit, end, prompt, stop, tool};
use crate::support::{World, until};

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
                    println!("{kind} is not tested, because only root can give files away: {e}");
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
    let listens = thread::scope(|scope| {
        // A peer sees the user that called listen. Only this thread changes its user.
        let as_another = || {
            // SAFETY: the raw system call changes the user of this thread only, and the
            // thread then exits.
            let done = unsafe { libc::syscall(libc::SYS_setresuid, -1, 1, -1) };
            done == 0 && listen(&fd, Backlog::new(8).unwrap()).is_ok()
        };
        scope.spawn(as_another).join().unwrap()
    });
    if !listens {
        crate::support::notes::skipped("only root can become another user");
        return;
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
        let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
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
