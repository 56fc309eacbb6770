//! A home, a data dir and a place for sockets of its own, and the binary in a cleared
//! environment.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use super::until;

/// What a program said and how it ended.
#[must_use]
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Output {
    fn of(child: Child) -> Output {
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }
}

pub struct World {
    dir: TempDir,
    env: Vec<(String, String)>,
    /// Where small disks are mounted.
    disks: Vec<PathBuf>,
    data: &'static str,
}

impl World {
    pub fn new() -> World {
        World::called("mc")
    }

    /// One whose paths all have `prefix` in them. Short, for a socket's path has room for 103 bytes.
    pub fn called(prefix: &str) -> World {
        let dir = tempfile::Builder::new().prefix(prefix).tempdir_in("/tmp").unwrap();
        for part in ["home", "s"] {
            fs::create_dir(dir.path().join(part)).unwrap();
        }
        World { dir, env: Vec::new(), disks: Vec::new(), data: "data" }
            .with("MEMCTL_WORKER_LINGER", "100ms")
    }

    /// The same world with one more variable in its environment.
    pub fn with(mut self, name: &str, value: &str) -> World {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Mounts a tmpfs of this size at `part`. Returns `false` and reports a skipped check where the
    /// system does not allow it.
    pub fn mount(&mut self, part: &str, size: &str) -> bool {
        let place = self.path(part);
        fs::create_dir_all(&place).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "memctl-test"])
            .arg(&place)
            .output()
            .is_ok_and(|output| output.status.success());
        match mounted {
            true => self.disks.push(place),
            false => super::notes::skipped("this user may not mount a tmpfs"),
        }
        mounted
    }

    /// Mounted anew, with these options.
    ///
    /// # Errors
    /// Why the disk cannot have them.
    pub fn remount(&self, part: &str, options: &str) -> Result<(), String> {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        let output = mount.args(["-o", &options]).arg(self.path(part)).output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Makes the disk at `part` as small as what is on it.
    pub fn squeeze(&self, part: &str) -> Result<(), String> {
        let disk = statvfs(&self.path(part)).unwrap();
        // None at all would be no limit, which nothing takes back.
        let used = (disk.blocks() - disk.blocks_free()).max(1) * disk.fragment_size();
        self.remount(part, &format!("size={used}"))
    }

    /// Fills the disk at `part` to its last byte.
    pub fn fill(&self, part: &str) {
        let mut ballast = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(part).join("ballast"))
            .unwrap();
        for size in [1 << 16, 4096, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the room back that [`Self::fill`] took.
    pub fn empty(&self, part: &str) {
        fs::remove_file(self.path(part).join("ballast")).unwrap();
    }

    pub fn path(&self, part: &str) -> PathBuf {
        self.dir.path().join(part)
    }

    pub fn data(&self) -> PathBuf {
        self.path(self.data)
    }

    /// The data dir lies at `part` from now on.
    pub fn set_data(&mut self, part: &'static str) {
        self.data = part;
    }

    pub fn sockets(&self) -> PathBuf {
        self.path("s")
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("HOME", self.path("home")).env("MEMCTL_DATA_DIR", self.data());
        command.env("MEMCTL_SOCKET_DIR", self.sockets());
        command.envs(self.env.iter().map(|(n, v)| (n, v))).current_dir(self.path("home"));
        command
    }

    pub fn memctl(&self, args: &[&str]) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        run(command.args(args), b"")
    }

    /// The same with something on its standard input.
    pub fn memctl_with(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        run(command.args(args), input)
    }

    /// A `memctl` that is not waited for.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        command.args(args).stdin(Stdio::null()).spawn().unwrap()
    }

    /// A hook that is killed when its event lies in the spool, before it calls anybody.
    pub fn spooled(&self, payload: &Value) {
        let output = self.hook_at(payload, "deliver.spooled=kill");
        assert_eq!(output.code, None, "{output:?}");
    }

    /// `memctl hook` with these bytes on its standard input.
    pub fn hook_bytes(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        run(command.arg("hook").args(args), input)
    }

    /// A hook with this payload that is killed after `moment`, unless it has ended by then.
    pub fn hook_killed(&self, payload: &Value, moment: Duration) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        command.arg("hook").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Small enough for a pipe; who is dead already reads nothing.
        let _ = child.stdin.take().unwrap().write_all(payload.to_string().as_bytes());
        super::wait::jitter(moment);
        child.kill().unwrap();
        Output::of(child)
    }

    /// A hook with this payload; it, and what it starts, meet these test points.
    pub fn hook_at(&self, payload: &Value, points: &str) -> Output {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_memctl")));
        command.env("MEMCTL_TESTPOINT", points).arg("hook");
        run(&mut command, payload.to_string().as_bytes())
    }

    /// One payload through a hook, which must answer with one JSON object and exit 0.
    #[track_caller]
    pub fn hook(&self, payload: &Value) -> Value {
        let output = self.hook_bytes(&[], payload.to_string().as_bytes());
        assert!(output.err.is_empty(), "{output:?}");
        output.json()
    }

    #[track_caller]
    pub fn hooks(&self, payloads: &[Value]) {
        for payload in payloads {
            self.hook(payload);
        }
    }

    /// Waits until no worker is left, and nothing is spooled that one would have to take in. (A
    /// process in the middle of its exec has no environment to be known by, so that looking for
    /// processes alone would not do.)
    #[track_caller]
    pub fn rest(&self) {
        until("workers leave", || {
            let left = [self.session_locks(), self.spools()].concat();
            let alive = self.processes();
            match left.is_empty() && alive.is_empty() {
                true => Ok(()),
                false => Err(format!("{left:?}, processes {alive:?}")),
            }
        });
    }

    /// Lock files of sessions.
    pub fn session_locks(&self) -> Vec<PathBuf> {
        let of_session =
            |name: &str| name.ends_with(".lock") && name != "store.lock" && name != "recover.lock";
        list(&self.data().join("run"), of_session)
    }

    pub fn socket_files(&self) -> Vec<PathBuf> {
        list(&self.sockets(), |name| name.ends_with(".sock"))
    }

    /// Sessions' spools, at both places.
    pub fn spools(&self) -> Vec<PathBuf> {
        let second = self.sockets().join(format!("memctl-{}", nix::unistd::getuid()));
        let of = |dir: PathBuf| list(&dir, |name| name.ends_with(".d"));
        [of(self.data().join("spool")), of(second)].concat()
    }

    /// What the logs say, of all sessions.
    pub fn logs(&self) -> String {
        let files = list(&self.data().join("logs"), |_| true);
        files.iter().map(|f| fs::read_to_string(f).unwrap_or_default()).collect()
    }

    /// The store, for looking at rows.
    #[track_caller]
    pub fn store(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(self.data().join("memctl.db"), flags).unwrap();
        conn.busy_timeout(super::wait::DEADLINE).unwrap();
        conn
    }

    /// Changes rows behind everybody's back: what time would do.
    #[track_caller]
    pub fn change(&self, sql: &str) {
        let conn = Connection::open(self.data().join("memctl.db")).unwrap();
        conn.busy_timeout(super::wait::DEADLINE).unwrap();
        conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// One number out of the store; 0 while there is none.
    #[track_caller]
    pub fn count(&self, sql: &str) -> i64 {
        if !self.data().join("memctl.db").exists() {
            return 0;
        }
        match self.store().query_row(sql, [], |row| row.get(0)) {
            // It is just being made.
            Err(e) if e.to_string().contains("no such table") => 0,
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => 0,
            got => got.unwrap_or_else(|e| panic!("{sql}: {e}")),
        }
    }

    /// Waits until a query gives this number.
    #[track_caller]
    pub fn until_count(&self, sql: &str, expected: i64) {
        until(sql, || match self.count(sql) {
            n if n == expected => Ok(()),
            n => Err(format!("{n}, {expected} wanted")),
        });
    }

    /// Rows as text, columns joined by `|`.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let conn = self.store();
        let mut statement = conn.prepare(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let n = statement.column_count();
        let row = |row: &rusqlite::Row| {
            let cells = (0..n).map(|i| {
                row.get_ref(i).map(|v| match v {
                    rusqlite::types::ValueRef::Null => "-".to_owned(),
                    rusqlite::types::ValueRef::Integer(i) => i.to_string(),
                    rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
                    other => format!("{other:?}"),
                })
            });
            Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        };
        statement.query_map([], row).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    /// Pids of the processes that live in this world.
    pub fn processes(&self) -> Vec<i32> {
        let mark = format!("MEMCTL_DATA_DIR={}", self.data().display());
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environ = fs::read(entry.path().join("environ")).ok()?;
            let ours = environ.split(|b| *b == 0).any(|v| v == mark.as_bytes());
            (ours && !is_gone(pid)).then_some(pid)
        });
        pids.collect()
    }

    /// User and system time of a process so far.
    pub fn cpu(&self, pid: i32) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
        let ticks: u64 = fields.skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The one worker that lives. It listens: that it does so stands in its lock file.
    #[track_caller]
    pub fn worker(&self) -> i32 {
        let says = |lock: &PathBuf| fs::metadata(lock).is_ok_and(|meta| meta.len() > 0);
        until("one worker", || match self.processes()[..] {
            [pid] if self.session_locks().iter().any(says) => Ok(pid),
            ref other => Err(format!("{other:?}")),
        })
    }

    /// The worker of a new session that has one open prompt, and nothing left to do but to wait.
    #[track_caller]
    pub fn worker_of(&self, session: &str) -> i32 {
        self.hook(&super::recordings::prompt(session, "t", "go"));
        let pid = self.worker();
        until("it owns the session and nothing is spooled", || {
            match (self.count("SELECT ifnull(max(generation), 0) FROM sessions"), self.spools()) {
                (1, spools) if spools.is_empty() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        pid
    }

    /// Copies what is there to where it outlives the test, for whoever has to find out.
    pub fn keep(&self) -> PathBuf {
        let kept =
            tempfile::Builder::new().prefix("memctl-kept-").tempdir_in("/tmp").unwrap().keep();
        let copied = Command::new("cp").arg("-r").arg(self.dir.path()).arg(&kept).status().unwrap();
        assert!(copied.success());
        kept
    }

    pub fn signal(&self, pid: i32, signal: Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    pub fn kill(&self, pid: i32) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .ok();
        until("the killed process is gone", || {
            if self.processes().contains(&pid) { Err(format!("{pid}")) } else { Ok(()) }
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for pid in self.processes() {
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
        }
        if std::thread::panicking() {
            eprintln!("--- logs of the world\n{}", self.logs());
        }
        for disk in &self.disks {
            let _ = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = Output::of(child);
    writer.join().unwrap();
    output
}

fn list(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// Ended, and perhaps not reaped.
pub fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z') || rest.is_empty())
}
