//! Looks up a home directory in the password database of a Linux system.
//!
//! `getpwuid` of a statically linked C library loads shared libraries of the system, which crashes
//! if their version differs. So `/etc/passwd` is read here, and `getent` is asked about users of
//! network directories, who are not in that file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const PASSWD: &str = "/etc/passwd";
const GETENT: &str = "/usr/bin/getent";

/// How long `getent` may take. A directory service that is down must not block a hook.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Exit code of `getent` for a user that no database lists.
const NOT_FOUND: i32 = 2;

/// The home directory of a user. `None` if no database lists the user.
///
/// # Errors
/// A message if `getent` fails or does not answer in time.
pub fn account_home(uid: u32) -> Result<Option<PathBuf>, String> {
    let passwd = File::open(PASSWD).ok();
    match passwd.and_then(|file| home_in(BufReader::new(file), uid)) {
        Some(home) => Ok(Some(home)),
        None => ask(Path::new(GETENT), uid, TIMEOUT),
    }
}

/// The home directory of the first entry of `uid`: `name:password:uid:gid:comment:home:shell`.
/// Reads no further than that.
fn home_in(passwd: impl BufRead, uid: u32) -> Option<PathBuf> {
    let uid = uid.to_string();
    passwd.split(b'\n').map_while(Result::ok).find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':').skip(2);
        let home = (fields.next()? == uid.as_bytes()).then(|| fields.nth(2))??;
        Some(PathBuf::from(OsStr::from_bytes(home)))
    })
}

fn ask(getent: &Path, uid: u32, timeout: Duration) -> Result<Option<PathBuf>, String> {
    let fail = |why: &dyn std::fmt::Display| format!("cannot look up user {uid}: {why}");
    let mut command = Command::new(getent);
    command.args(["passwd", &uid.to_string()]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        // Systems without getent have no other databases.
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(&e)),
    };
    let mut stdout = child.stdout.take().expect("piped");
    let deadline = Instant::now() + timeout;
    let mut answer = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], left);
        let mut buffer = [0; 1024];
        match ready {
            Err(nix::errno::Errno::EINTR) => continue,
            Ok(1..) => match stdout.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => answer.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            },
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                let name = getent.display();
                return Err(fail(&format!("{name} did not answer within {timeout:?}")));
            }
        }
    }
    let status = child.wait().map_err(|e| fail(&e))?;
    match status.code() {
        Some(0) => Ok(home_in(&answer[..], uid)),
        Some(NOT_FOUND) => Ok(None),
        _ => Err(fail(&format!("{} failed: {status}", getent.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_home_directory_is_the_sixth_field_of_the_first_entry() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken\n\
            a:x:1000:5:A, B:/home/a b:/bin/sh\ntwin:x:1000:5::/evil:/bin/sh\nb:x:1001:5::\n";
        let check = |uid, want: Option<&str>| {
            assert_eq!(home_in(&passwd[..], uid), want.map(PathBuf::from), "{uid}");
        };
        check(0, Some("/root"));
        check(1000, Some("/home/a b"));
        check(1001, Some(""));
        check(5, None);
        check(100, None);
    }

    #[test]
    fn users_of_a_directory_service_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let script = |text: &str| {
            let path = dir.path().join("getent");
            // A file that is open for writing cannot be executed.
            let temp = dir.path().join("new");
            fs::write(&temp, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&temp, fs::Permissions::from_mode(0o700)).unwrap();
            fs::rename(temp, &path).unwrap();
            path
        };
        let long = Duration::from_secs(20);
        let answer = script("test \"$*\" = 'passwd 4711' && echo 'u:x:4711:1::/net/u:/bin/sh'");
        assert_eq!(ask(&answer, 4711, long), Ok(Some("/net/u".into())));
        assert_eq!(ask(&script("exit 2"), 4711, long), Ok(None));
        assert_eq!(ask(&dir.path().join("absent"), 4711, long), Ok(None));
        assert!(ask(&script("exit 3"), 4711, long).unwrap_err().contains("failed"));
        let hangs = ask(&script("exec cat /dev/zero"), 4711, Duration::ZERO).unwrap_err();
        assert!(hangs.contains("did not answer"), "{hangs}");
    }
}
