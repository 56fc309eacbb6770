//! The environment of a test: a home, data directory, socket directory and variables of its own, and
//! functions that run the binary in it.

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

use super::recordings::{end, prompt};
use super::until;

/// Exit code and output of a program.
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
    /// Mount points of tmpfs disks.
    disks: Vec<PathBuf>,
    data: &'static str,
}

impl World {
    pub fn new() -> World {
        World::with_prefix("mc")
    }

    /// A world with `prefix` in all of its paths. Keep it short: a socket's path has at most 103
    /// bytes.
    /// A world whose workers stay after the end of their session.
    pub fn lingering() -> World {
        World::new().with("MEMCTL_WORKER_LINGER", "60s")
    }

    pub fn with_prefix(prefix: &str) -> World {
        let dir = tempfile::Builder::new().prefix(prefix).tempdir_in("/tmp").unwrap();
        for part in ["home", "s"] {
            fs::create_dir(dir.path().join(part)).unwrap();
        }
        World { dir, env: Vec::new(), disks: Vec::new(), data: "data" }
            .with("MEMCTL_WORKER_LINGER", "100ms")
    }

    /// Adds a variable to the environment.
    pub fn with(mut self, name: &str, value: &str) -> World {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(n, _)| n != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Mounts a tmpfs of this size at `part`. Returns `false` and notes a skipped check if the system
    /// does not allow it.
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

    /// Mounts the disk at `part` again with these options.
    ///
    /// # Errors
    /// The error of `mount`.
    pub fn remount(&self, part: &str, options: &str) -> Result<(), String> {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        let output = mount.args(["-o", &options]).arg(self.path(part)).output().unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Shrinks the disk at `part` to its content.
    pub fn shrink_to_fit(&self, part: &str) -> Result<(), String> {
        let disk = statvfs(&self.path(part)).unwrap();
        // A size of 0 means no limit, and the kernel does not accept a limit after that.
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

    /// Frees the space that [`Self::fill`] took.
    pub fn free(&self, part: &str) {
        fs::remove_file(self.path(part).join("ballast")).unwrap();
    }

    pub fn path(&self, part: &str) -> PathBuf {
        self.dir.path().join(part)
    }

    pub fn data(&self) -> PathBuf {
        self.path(self.data)
    }

    /// Uses the data directory at `part` from now on.
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
        // The home directory in the password database is not the developer's.
        command.env("MEMCTL_TEST_HOME", self.path("home"));
        command.envs(self.env.iter().map(|(n, v)| (n, v))).current_dir(self.path("home"));
        command
    }

    /// memctl, to be started in this world.
    pub fn program(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_memctl")))
    }

    pub fn memctl(&self, args: &[&str]) -> Output {
        run(self.program().args(args), b"")
    }

    /// Runs memctl in this directory.
    pub fn memctl_in(&self, dir: &Path, args: &[&str]) -> Output {
        run(self.program().current_dir(dir).args(args), b"")
    }

    /// Runs memctl with this standard input.
    pub fn memctl_with(&self, args: &[&str], input: &[u8]) -> Output {
        run(self.program().args(args), input)
    }

    /// Starts memctl without waiting for it.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.program().args(args).stdin(Stdio::null()).spawn().unwrap()
    }

    /// Runs a hook that is killed after it spooled its event, before it wakes or starts a worker.
    pub fn spool(&self, payload: &Value) {
        let output = self.hook_at(payload, "deliver.spooled=kill");
        assert_eq!(output.code, None, "{output:?}");
    }

    /// Runs `memctl hook` with these bytes on its standard input.
    pub fn hook_bytes(&self, args: &[&str], input: &[u8]) -> Output {
        run(self.program().arg("hook").args(args), input)
    }

    /// Runs a hook and kills it after `delay`, unless it has exited by then.
    pub fn hook_killed(&self, payload: &Value, delay: Duration) -> Output {
        let mut command = self.program();
        command.arg("hook").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The payload fits into the pipe's buffer, so the write does not block.
        let _ = child.stdin.take().unwrap().write_all(payload.to_string().as_bytes());
        super::wait::jitter(delay);
        child.kill().unwrap();
        Output::of(child)
    }

    /// Runs a hook with test points. The processes that it starts inherit them.
    pub fn hook_at(&self, payload: &Value, points: &str) -> Output {
        let mut command = self.program();
        command.env("MEMCTL_TESTPOINT", points).arg("hook");
        run(&mut command, payload.to_string().as_bytes())
    }

    /// Runs a hook, which must print one JSON object and exit 0.
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

    /// Waits until no process, session lock or spool is left.
    #[track_caller]
    pub fn settle(&self) {
        until("no process, session lock or spool is left", || {
            let left = [self.session_locks(), self.spools()].concat();
            let alive = [self.processes(), self.starting_processes()].concat();
            match left.is_empty() && alive.is_empty() {
                true => Ok(()),
                false => Err(format!("{left:?}, processes {alive:?}")),
            }
        });
    }

    /// The lock files of sessions.
    pub fn session_locks(&self) -> Vec<PathBuf> {
        let is_session_lock =
            |name: &str| name.ends_with(".lock") && name != "store.lock" && name != "recover.lock";
        list(&self.data().join("run"), is_session_lock)
    }

    pub fn socket_files(&self) -> Vec<PathBuf> {
        list(&self.sockets(), |name| name.ends_with(".sock"))
    }

    /// The path of the socket of session `s`, whose worker has exited.
    pub fn free_socket(&self) -> PathBuf {
        self.hook(&prompt("s", "t0", "first"));
        self.worker();
        let socket = self.socket_files().remove(0);
        self.hook(&end("s"));
        self.settle();
        socket
    }

    /// The spools of sessions, in the data directory and in the fallback location.
    pub fn spools(&self) -> Vec<PathBuf> {
        let fallback = self.sockets().join(format!("memctl-{}", nix::unistd::getuid()));
        let spools_in = |dir: PathBuf| list(&dir, |name| name.ends_with(".d"));
        [spools_in(self.data().join("spool")), spools_in(fallback)].concat()
    }

    /// The files below the data and socket directories that contain one of these words, each with
    /// the first word in it.
    pub fn files_with(&self, words: &[String]) -> Vec<String> {
        let first_word_in = |path: &Path| {
            let bytes = fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            words.iter().find(|word| text.contains(word.as_str()))
        };
        let files = files_below(vec![self.data(), self.sockets()]).into_iter();
        let found = |path: PathBuf| Some(format!("{}: {}", path.display(), first_word_in(&path)?));
        files.filter_map(found).collect()
    }

    /// The content of all log files.
    pub fn logs(&self) -> String {
        let files = list(&self.data().join("logs"), |_| true);
        files.iter().map(|f| fs::read_to_string(f).unwrap_or_default()).collect()
    }

    /// `show --json` of every session, oldest first.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        let by_session = ["stats", "--by", "session", "--since", "36500d", "--json"];
        let stats = self.memctl(&by_session).json();
        let names = stats["groups"].as_array().unwrap().iter().filter_map(|g| g["name"].as_str());
        let mut sessions: Vec<Value> =
            names.map(|name| self.memctl(&["show", name, "--json"]).json()).collect();
        sessions.sort_by_key(|session| session["started_at_epoch"].as_i64());
        sessions
    }

    /// `show --json` of the only session. A worker stores it soon after its first event.
    #[track_caller]
    pub fn session(&self) -> Value {
        until("one session is stored", || match <[Value; 1]>::try_from(self.sessions()) {
            Ok([session]) => Ok(session),
            Err(sessions) => Err(format!("{sessions:#?}")),
        })
    }

    /// `status|end_reason` of the only session.
    #[track_caller]
    pub fn session_state(&self) -> String {
        let session = self.session();
        format!("{}|{}", text(&session["status"]), text(&session["end_reason"]))
    }

    /// The prompts of all sessions as `prompt_number|finalized_by`.
    #[track_caller]
    pub fn prompts(&self) -> Vec<String> {
        let prompt = |p: &Value| format!("{}|{}", p["prompt_number"], text(&p["finalized_by"]));
        self.shown("prompts").iter().map(prompt).collect()
    }

    /// The summaries of all sessions.
    #[track_caller]
    pub fn summaries(&self) -> Vec<Value> {
        self.shown("summaries")
    }

    /// The numbers of the prompts that have a summary.
    #[track_caller]
    pub fn summarized_prompts(&self) -> Vec<i64> {
        self.summaries().iter().map(|s| s["prompt_number"].as_i64().unwrap()).collect()
    }

    /// The titles of all observations.
    #[track_caller]
    pub fn titles(&self) -> Vec<String> {
        self.shown("observations").iter().map(|o| text(&o["title"]).to_owned()).collect()
    }

    /// The objects of all sessions under one key of `show --json`, in the order of their ids.
    #[track_caller]
    fn shown(&self, key: &str) -> Vec<Value> {
        let sessions = self.sessions();
        let mut shown: Vec<Value> =
            sessions.iter().flat_map(|session| session[key].as_array().unwrap().clone()).collect();
        shown.sort_by_key(|object| text(&object["id"])[1..].parse::<i64>().unwrap());
        shown
    }

    /// Messages of the queue that are not processed.
    #[track_caller]
    pub fn unfinished(&self) -> i64 {
        let queue = self.memctl(&["queue", "--json"]).json();
        ["pending", "processing", "failed"].iter().map(|key| queue[*key].as_i64().unwrap()).sum()
    }

    /// A read-only connection to the database.
    #[track_caller]
    pub fn store(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = self.data().join("memctl.db");
        let open = |path: &Path, flags| {
            let conn = Connection::open_with_flags(path, flags).unwrap();
            conn.busy_timeout(super::wait::DEADLINE).unwrap();
            conn
        };
        let conn = open(&path, flags);
        match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            // The wal-index cannot be created on a full disk.
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure) => {
                let uri = format!("file:{}?readonly_shm=1", path.display());
                open(Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI)
            }
            _ => conn,
        }
    }

    /// Changes rows directly, for example to simulate the passing of time.
    #[track_caller]
    pub fn execute_sql(&self, sql: &str) {
        let conn = Connection::open(self.data().join("memctl.db")).unwrap();
        conn.busy_timeout(super::wait::DEADLINE).unwrap();
        conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Queries one number. 0 while there is no database.
    #[track_caller]
    pub fn count(&self, sql: &str) -> i64 {
        if !self.data().join("memctl.db").exists() {
            return 0;
        }
        match self.store().query_row(sql, [], |row| row.get(0)) {
            // The database is being created.
            Err(e) if e.to_string().contains("no such table") => 0,
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly) => 0,
            got => got.unwrap_or_else(|e| panic!("{sql}: {e}")),
        }
    }

    /// Overwrites a page in the middle of the database.
    pub fn damage_page(&self) {
        self.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)");
        let database = self.data().join("memctl.db");
        let mut bytes = fs::read(&database).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 4096].fill(0xa5);
        fs::write(&database, bytes).unwrap();
    }

    /// Waits until a query returns this number.
    #[track_caller]
    pub fn until_count(&self, sql: &str, expected: i64) {
        until(sql, || match self.count(sql) {
            n if n == expected => Ok(()),
            n => Err(format!("{n}, {expected} wanted")),
        });
    }

    /// Queries rows as text, columns joined by `|`.
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

    /// Pids of the live processes of this world.
    pub fn processes(&self) -> Vec<i32> {
        let mark = format!("MEMCTL_DATA_DIR={}", self.data().display());
        let is_ours = |environ: &[u8]| environ.split(|b| *b == 0).any(|v| v == mark.as_bytes());
        processes_with(|environ, _| is_ours(environ))
    }

    /// Pids of memctl processes that are inside execve(2), of this world or of another one.
    ///
    /// Such a process has its new memory before the kernel has written the environment into it, so
    /// that [`World::processes`] misses it. On a loaded machine that takes milliseconds.
    pub fn starting_processes(&self) -> Vec<i32> {
        processes_with(|environ, pid| environ.is_empty() && is_memctl(pid))
    }

    /// Waits until the only process is a worker that listens, and returns its pid. A worker writes its
    /// lock file when it listens.
    #[track_caller]
    pub fn worker(&self) -> i32 {
        let is_written = |lock: &PathBuf| fs::metadata(lock).is_ok_and(|meta| meta.len() > 0);
        until("one worker", || match self.processes()[..] {
            [pid] if self.session_locks().iter().any(is_written) => Ok(pid),
            ref other => Err(format!("{other:?}")),
        })
    }

    /// Starts a session with one open prompt, waits until its worker has drained the spool, and returns
    /// its pid.
    #[track_caller]
    pub fn worker_of(&self, session: &str) -> i32 {
        self.hook(&super::recordings::prompt(session, "t", "go"));
        let pid = self.worker();
        until("the worker owns the session and nothing is spooled", || {
            match (self.count("SELECT ifnull(max(generation), 0) FROM sessions"), self.spools()) {
                (1, spools) if spools.is_empty() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        pid
    }

    /// Copies the world to a directory that outlives the test, for debugging.
    pub fn copy_to_tmp(&self) -> PathBuf {
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
            if is_gone(pid) { Ok(()) } else { Err(format!("{pid}")) }
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

/// The text of a JSON string, or `-` for another value.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

pub fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = Output::of(child);
    writer.join().unwrap();
    output
}

fn list(dir: &Path, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&matches))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// All files below these directories that are neither links nor special files.
pub fn files_below(mut dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

/// Pids of the live processes whose environment and pid `is_wanted` accepts.
fn processes_with(is_wanted: impl Fn(&[u8], i32) -> bool) -> Vec<i32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let environ = fs::read(entry.path().join("environ")).ok()?;
        (is_wanted(&environ, pid) && !is_gone(pid)).then_some(pid)
    });
    pids.collect()
}

fn is_memctl(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe"))
        .is_ok_and(|exe| exe.starts_with(env!("CARGO_BIN_EXE_memctl")))
}

/// Whether all threads of a process have exited. The process may be a zombie.
///
/// `stat` shows only the main thread. If that is a zombie, another thread may still run and keep the
/// locks of the process.
pub fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    let n_threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    state.is_empty() || (state.starts_with('Z') && n_threads <= 1)
}
