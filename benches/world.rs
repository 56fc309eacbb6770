//! A memctl with a home, data directory and sockets of its own, and the payloads of a client.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::measure::{self, Result, wait_for};

pub struct World {
    memctl: PathBuf,
    /// In the target directory, because /tmp may be a tmpfs, where a sync costs nothing.
    dir: TempDir,
    /// Under /tmp, because a socket's path has at most 103 bytes.
    sockets: TempDir,
}

/// A session with a live worker.
pub struct Session<'a> {
    pub world: &'a World,
    pub id: String,
    pub worker: i32,
}

impl World {
    pub fn new(memctl: &Path) -> Result<World> {
        let fail = |e: std::io::Error| e.to_string();
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(fail)?;
        let sockets = tempfile::tempdir_in("/tmp").map_err(fail)?;
        for part in ["home/.local/bin", "project/.git"] {
            fs::create_dir_all(dir.path().join(part)).map_err(fail)?;
        }
        // A repository of its own: memctl refuses a data dir inside the session's repository, and the
        // target directory is inside that of memctl.
        fs::write(dir.path().join("project/.git/HEAD"), "ref: refs/heads/main\n").map_err(fail)?;
        let installed = dir.path().join("home/.local/bin/memctl");
        std::os::unix::fs::symlink(memctl, installed).map_err(fail)?;
        Ok(World { memctl: memctl.to_owned(), dir, sockets })
    }

    /// Creates a world whose home is also that of the password database, because only the config file
    /// there chooses a model. Every call of memctl sees an `/etc/passwd` of its own.
    pub fn with_own_account(memctl: &Path) -> Result<World> {
        let fail = |e: std::io::Error| e.to_string();
        let mut world = World::new(memctl)?;
        let (passwd, script) = (world.path("passwd"), world.path("memctl"));
        let home = world.path("home");
        let entry = format!("bench:x:{}:0::{}:/bin/sh\n", nix::unistd::getuid(), home.display());
        fs::write(&passwd, entry).map_err(fail)?;
        let text = format!(
            "#!/bin/sh\nexec unshare --mount sh -c \
             'mount --bind \"$1\" /etc/passwd && shift && exec \"$@\"' sh '{}' '{}' \"$@\"\n",
            passwd.display(),
            memctl.display()
        );
        fs::write(&script, text).map_err(fail)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).map_err(fail)?;
        world.memctl = script;
        let command = &mut world.command(&world.memctl, &["--version"]);
        let ran = measure::whole_process(command, b"");
        ran.map_err(|why| format!("this user may not mount a file over /etc/passwd: {why}"))?;
        Ok(world)
    }

    /// Fails if the developer's own config file would change the measurements: it is read whatever the
    /// environment says.
    pub fn check_account(memctl: &Path) -> Result<()> {
        let world = World::new(memctl)?;
        let print = |args: &[&str]| {
            let (_, text) = measure::whole_process(&mut world.command(memctl, args), b"")?;
            Ok::<_, String>(text.trim().to_owned())
        };
        let backend = print(&["config", "get", "agent.backend"])?;
        if backend != "extractive" {
            return Err(format!(
                "your config file sets agent.backend = {backend}, which would be called"
            ));
        }
        let status: Value =
            serde_json::from_str(&print(&["status", "--json"])?).map_err(|e| e.to_string())?;
        // The benchmark runs hooks itself, whether or not they are installed.
        match (status["recording"].as_str(), status["recording_reason"].as_str()) {
            (Some("on" | "hooks"), _) | (_, None) => Ok(()),
            (_, Some(why)) => Err(why.to_owned()),
        }
    }

    /// Creates a world with a copy of the data directory.
    pub fn copy(&self) -> Result<World> {
        let world = World::new(&self.memctl)?;
        copy_dir(&self.data(), &world.data()).map_err(|e| e.to_string())?;
        Ok(world)
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory for the sockets of workers and of floor servers.
    pub fn socket_dir(&self) -> &Path {
        self.sockets.path()
    }

    /// A command with the environment of a client's hook.
    pub fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path("project"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("MEMCTL_DATA_DIR", self.data())
            .env("MEMCTL_SOCKET_DIR", self.sockets.path())
            .env("CLAUDE_PROJECT_DIR", self.path("project"))
            .env("CLAUDE_PID", std::process::id().to_string());
        command
    }

    /// A command of a user or a script.
    pub fn memctl(&self, args: &[&str]) -> Command {
        self.command(&self.memctl, args)
    }

    pub fn hook(&self, event: &str, payload: &str) -> Result<Duration> {
        let command = &mut self.command(&self.memctl, &["hook", event]);
        require_reply(event, measure::whole_process(command, payload.as_bytes())?)
    }

    /// Runs a hook as the plugin registers it.
    pub fn plugin_hook(&self, event: &str, payload: &str) -> Result<Duration> {
        let plugin: Value =
            serde_json::from_str(include_str!("../hooks/hooks.json")).map_err(|e| e.to_string())?;
        let hook = &plugin["hooks"][event][0]["hooks"][0];
        let text = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            text.replace("${CLAUDE_PLUGIN_ROOT}", env!("CARGO_MANIFEST_DIR"))
        };
        let args: Vec<String> = hook["args"].as_array().into_iter().flatten().map(text).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let command = &mut self.command(Path::new(&text(&hook["command"])), &args);
        require_reply(event, measure::whole_process(command, payload.as_bytes())?)
    }

    /// Returns a payload as the client sends it: one line of JSON.
    pub fn payload(&self, session: &str, event: &str, fields: Value) -> String {
        let mut payload = json!({
            "session_id": session,
            "transcript_path": self.path("transcript.jsonl"),
            "cwd": self.path("project"),
            "prompt_id": format!("turn-of-{session}"),
            "permission_mode": "default",
            "hook_event_name": event,
        });
        let all = payload.as_object_mut().expect("an object");
        all.extend(fields.as_object().cloned().unwrap_or_default());
        payload.to_string() + "\n"
    }

    /// Returns the payload of a tool use, with about `bytes` bytes.
    pub fn tool_use(&self, session: &str, number: usize, bytes: usize) -> String {
        let line = "test store::accept::numbers_are_given_in_order ... ok, 12 assertions\n";
        let output = line.repeat(bytes.saturating_sub(600) / (line.len() + 1));
        let fields = json!({
            "tool_name": "Bash",
            "tool_input": { "command": format!("cargo test part-{number}"), "description": "Test" },
            "tool_response": { "stdout": output, "stderr": "", "interrupted": false },
            "tool_use_id": format!("toolu_{number:024}"),
            "duration_ms": 31,
        });
        self.payload(session, "PostToolUse", fields)
    }

    /// Sends a prompt, which starts a worker.
    pub fn prompt(&self, id: &str) -> Result<Duration> {
        let prompt = self.payload(id, "UserPromptSubmit", json!({ "prompt": "Make it faster." }));
        self.hook("UserPromptSubmit", &prompt)
    }

    /// Sends a prompt and waits for the worker that it starts.
    pub fn start_session(&self, id: &str) -> Result<Session<'_>> {
        self.prompt(id)?;
        let worker = self.worker()?;
        Ok(Session { world: self, id: id.to_owned(), worker })
    }

    /// Runs one session from start to end, so that the schema and the project exist.
    pub fn run_one_session(&self) -> Result<()> {
        let id = "first-session";
        self.hook("SessionStart", &self.payload(id, "SessionStart", json!({"source": "startup"})))?;
        self.start_session(id)?;
        let last = json!({ "stop_hook_active": false, "last_assistant_message": "It is faster." });
        self.hook("Stop", &self.payload(id, "Stop", last))?;
        self.hook("SessionEnd", &self.payload(id, "SessionEnd", json!({ "reason": "other" })))?;
        wait_for("the worker to exit", || Ok(self.workers()?.is_empty().then_some(())))
    }

    /// Builds the index of words again, after rows were added by SQL, and checks that it answers `question`.
    pub fn index(&self, question: &str) -> Result<()> {
        let db = Connection::open(self.data().join("memctl.db")).map_err(|e| e.to_string())?;
        let forget = "DELETE FROM meta WHERE key = 'words'";
        db.execute_batch(forget).map_err(|e| format!("{forget}: {e}"))?;
        drop(db);
        let project = self.path("project");
        let project = project.to_string_lossy();
        for args in [&["doctor", "--fix"][..], &["search", "--project", project.as_ref(), question]]
        {
            let output = self.command(&self.memctl, args).output().map_err(|e| e.to_string())?;
            // Other findings of `doctor` do not matter here.
            if args[0] == "search" && !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("the index does not answer: {error}"));
            }
        }
        Ok(())
    }

    /// Waits for a worker and returns its pid.
    pub fn worker(&self) -> Result<i32> {
        wait_for("a worker", || Ok(self.workers()?.first().copied()))
    }

    pub fn workers(&self) -> Result<Vec<i32>> {
        let command = &mut self.command(&self.memctl, &["ps", "--json"]);
        let (_, printed) = measure::whole_process(command, b"")?;
        let listed: Vec<Value> = serde_json::from_str(&printed)
            .map_err(|e| format!("memctl ps --json did not print a JSON array ({e})"))?;
        let pid = |worker: &Value| i32::try_from(worker["pid"].as_i64()?).ok();
        Ok(listed.iter().filter_map(pid).filter(|pid| is_running(*pid)).collect())
    }

    /// Returns the number that a query selects.
    pub fn count(&self, sql: &str) -> Result<i64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let count = || {
            let db = Connection::open_with_flags(self.data().join("memctl.db"), flags)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.query_row(sql, [], |row| row.get(0))
        };
        count().map_err(|e: rusqlite::Error| format!("{sql}: {e}"))
    }

    /// Returns the number of events that hooks counted as lost.
    pub fn counted_lost(&self) -> usize {
        fs::metadata(self.data().join("lost")).map_or(0, |meta| meta.len() as usize)
    }

    /// Returns the size of the database and its write-ahead log in bytes.
    pub fn database_bytes(&self) -> u64 {
        let size = |name| fs::metadata(self.data().join(name)).map_or(0, |meta| meta.len());
        size("memctl.db") + size("memctl.db-wal")
    }

    /// Waits for a socket that accepts connections, and returns its path.
    pub fn socket(&self) -> Result<PathBuf> {
        wait_for("a socket", || {
            let mut entries = fs::read_dir(self.sockets.path()).map_err(|e| e.to_string())?;
            Ok(entries.find_map(|entry| {
                let path = entry.ok()?.path();
                UnixStream::connect(&path).is_ok().then_some(path)
            }))
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for pid in self.workers().unwrap_or_default() {
            let _ = kill_and_wait(pid);
        }
    }
}

/// Kills a process and waits until it is gone.
pub fn kill_and_wait(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|e| format!("kill {pid}: {e}"))?;
    wait_for("the killed worker to be gone", || Ok((!is_running(pid)).then_some(())))
}

/// Whether a process is running. A zombie is not.
fn is_running(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None).is_ok()
        && !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

fn require_reply(event: &str, (took, printed): (Duration, String)) -> Result<Duration> {
    if printed.starts_with('{') {
        return Ok(took);
    }
    Err(format!("memctl hook {event} did not print a JSON object"))
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
