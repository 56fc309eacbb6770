"""A temporary world: home, data directory, projects, a scripted API, and the client.

The client inherits no environment. Every wait polls a condition until a deadline.
"""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from api import Api, all_text

REPOSITORY = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOLS = "Bash,Write,Read,Edit,Agent,mcp__plugin_memctl_memctl"
BLOCK = re.compile(r"<memctl-context>.*?</memctl-context>", re.S)
TIMED = re.compile(
    r"Hooks: (\S+) \[[^\]]*run\.sh[^\]]*\].*?finished with status (-?\d+) \((\d+)ms\)")
# Earlier versions of the client log no time.
ENDED_EARLIER = re.compile(r"\] Hook (\S+) \(\w+\) (success|error|cancelled)")
ENDED = re.compile(r"(SessionEnd:\S+) \[[^\]]*run\.sh[^\]]*\] completed with status (-?\d+)")
MENTION = re.compile(r"memctl|\bhooks?\b|non-blocking", re.I)


def until(condition, seconds=20):
    """Polls `condition` and returns its first truthy value, or its last value at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.05)


def commands():
    """Returns the command lines of all processes."""
    listed = subprocess.run(["ps", "-Ao", "args="], text=True, capture_output=True)
    return listed.stdout.splitlines()


class Run:
    """The result of a headless client."""

    def __init__(self, stdout, stderr, code, bodies):
        self.stdout, self.stderr, self.code, self.bodies = stdout, stderr, code, bodies


class World:
    def __init__(self, claude, memctl, script, **settings):
        # Short, because a socket's path has at most 103 bytes.
        self.root = tempfile.mkdtemp(prefix="mc-", dir="/tmp")
        self.claude = claude
        self.api = Api(script)
        self.n_logs = 0
        self.terminals = 0
        for name in ("bin", "home/.claude", "sock", "tmp"):
            os.makedirs(f"{self.root}/{name}")
        # A copy of the binary, so that `ps` distinguishes the processes of this world.
        self.memctl_path = f"{self.root}/bin/memctl"
        shutil.copy(memctl, self.memctl_path)
        self.env = {
            "HOME": f"{self.root}/home",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TMPDIR": f"{self.root}/tmp",
            "CLAUDE_CODE_TMPDIR": f"{self.root}/tmp",
            "TMUX_TMPDIR": f"{self.root}/tmp",
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": self.api.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "MEMCTL_BIN": self.memctl_path,
            "MEMCTL_DATA_DIR": f"{self.root}/data",
            "MEMCTL_SOCKET_DIR": f"{self.root}/sock",
            "MEMCTL_CONTEXT_NOTICE": "false",
            **settings,
        }
        self.env = {name: value for name, value in self.env.items() if value is not None}

    def project(self, name):
        path = f"{self.root}/{name}"
        os.makedirs(path, exist_ok=True)
        return path

    # The client.

    def command(self, *args, plugin=REPOSITORY, allowed=TOOLS):
        self.n_logs += 1
        log = f"{self.root}/client-{self.n_logs}.log"
        plugins = ["--plugin-dir", plugin] if plugin else []
        return [self.claude, *plugins, "--allowedTools", allowed,
                "--permission-mode", "acceptEdits", "--debug-file", log, *args]

    def start(self, project, prompt, *args, plugin=REPOSITORY):
        """Starts a headless client."""
        return subprocess.Popen(
            self.command("-p", prompt, *args, plugin=plugin), cwd=project, env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, project, prompt, *args, plugin=REPOSITORY):
        """Runs a headless client until it exits."""
        mark = self.api.mark()
        client = self.start(project, prompt, *args, plugin=plugin)
        try:
            stdout, stderr = client.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            client.kill()
            stdout, stderr = client.communicate()
        return Run(stdout.strip(), stderr.strip(), client.returncode, self.api.since(mark))

    def terminal(self, project, *args):
        self.terminals += 1
        return Terminal(self, f"t{self.terminals}", project, args)

    def manage(self, *args):
        """Runs `claude plugin …` and returns its exit code and output."""
        done = subprocess.run([self.claude, *args], env=self.env, cwd=self.root, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout

    # The state of memctl.

    def memctl(self, *args, project=None):
        done = subprocess.run([self.memctl_path, *args], env=self.env, cwd=project or self.root,
                              text=True, capture_output=True, timeout=30)
        return done.stdout.strip()

    def rows(self, query, *values):
        """Queries the database read-only. A missing database has no rows."""
        path = f"{self.root}/data/memctl.db"
        if not os.path.exists(path):
            return []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    def write(self, statement, *values):
        """Changes rows directly. No worker may be running."""
        with sqlite3.connect(f"{self.root}/data/memctl.db") as db:
            db.execute(statement, values)
        db.close()

    def settled(self, seconds=20):
        """Waits until every accepted event has been distilled. Returns whether that happened."""
        def done():
            waiting = "SELECT count(*) FROM pending_messages WHERE status <> 'processed'"
            open_prompts = "SELECT count(*) FROM user_prompts WHERE finalized_at_epoch IS NULL"
            return (self.rows("SELECT 1 FROM sessions") and not self.spooled()
                    and self.rows(waiting) == [(0,)] and self.rows(open_prompts) == [(0,)])
        return bool(until(done, seconds))

    def spooled(self):
        """Returns the spooled files that no worker has drained."""
        found = []
        for top in (f"{self.root}/data/spool", f"{self.root}/sock"):
            for folder, _, files in os.walk(top):
                found += [f"{folder}/{f}" for f in files if not f.endswith(".sock")]
        return found

    def processes(self):
        """Returns the processes of this world: those whose command line has its path or a session id."""
        listed = subprocess.run(["ps", "-Ao", "pid=,args="], text=True, capture_output=True)
        sessions = self.rows("SELECT content_session_id FROM sessions")
        names = [self.root] + [row[0] for row in sessions]
        lines = [line.strip() for line in listed.stdout.splitlines()]
        return [line for line in lines if any(name in line for name in names)
                and "tmux" not in line.split(None, 1)[1][:20]]

    def until_tool_runs(self, words):
        """Waits until the prompt is accepted and a tool's command that contains `words` runs."""
        until(lambda: self.rows("SELECT 1 FROM user_prompts WHERE finalized_at_epoch IS NULL"))
        return until(lambda: any(words in c and self.claude not in c for c in commands()))

    def until_in_transcript(self, words):
        """Waits until the client has written `words` to its transcript."""
        def written():
            for folder, _, files in os.walk(f"{self.root}/home/.claude/projects"):
                for name in files:
                    with open(f"{folder}/{name}", errors="replace") as file:
                        if words in file.read():
                            return True
            return False
        return until(written)

    def configure(self, toml):
        folder = f"{self.root}/home/.config/memctl"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/config.toml", "w") as file:
            file.write(toml)

    def left_behind(self, seconds=20):
        """Waits until no process and no file is left. Returns what is left at the deadline."""
        def left():
            data = f"{self.root}/data"
            stay = ("store.lock", "recover.lock", "starts")
            # The next recovery deletes the list of a session that ended without a worker.
            locks = [f for f in _names(f"{data}/run") if f not in stay and not f.endswith(".given")]
            sockets = [f for _, _, files in os.walk(f"{self.root}/sock") for f in files]
            folders = [f for f in _names(f"{data}/spool") if f.endswith(".d")]
            # `lost` always exists, and is empty unless events were lost.
            lost = [f for f in ("lost", "spool/dead")
                    if os.path.exists(f"{data}/{f}") and (f != "lost" or os.path.getsize(f"{data}/{f}"))]
            return self.processes() + locks + sockets + folders + lost + self.spooled()
        until(lambda: not left(), seconds)
        return left()

    def warnings(self):
        """Returns the warnings and errors in memctl's logs."""
        found = []
        for name in _names(f"{self.root}/data/logs"):
            with open(f"{self.root}/data/logs/{name}", errors="replace") as log:
                found += [line.strip() for line in log if re.search(r" (WARN|ERROR) ", line)]
        return found

    def hooks(self):
        """Returns (event, status, milliseconds or None) of each hook, from the logs of the client."""
        seen = []
        for n in range(1, self.n_logs + 1):
            path = f"{self.root}/client-{n}.log"
            if not os.path.exists(path):
                continue
            with open(path, errors="replace") as log:
                for line in log:
                    if found := TIMED.search(line):
                        seen.append((found[1], int(found[2]), int(found[3])))
                    elif found := ENDED.search(line):
                        seen.append((found[1], int(found[2]), None))
                    elif found := ENDED_EARLIER.search(line):
                        seen.append((found[1], int(found[2] != "success"), None))
        return seen

    def silent_hooks(self):
        """Returns the number of hooks that succeeded without output. The client logs no more of them."""
        silent = re.compile(r"Hook output does not start with \{")
        logs = [f"{self.root}/client-{n}.log" for n in range(1, self.n_logs + 1)]
        return sum(len(silent.findall(open(log, errors="replace").read())) for log in logs)

    def files_with(self, word):
        """Returns the files in the data and socket directories that contain `word`."""
        found = []
        for top in (f"{self.root}/data", f"{self.root}/sock"):
            for folder, _, files in os.walk(top):
                for name in files:
                    if name.endswith(".sock"):
                        continue
                    with open(f"{folder}/{name}", "rb") as file:
                        if word.encode() in file.read():
                            found.append(name)
        return found

    def close(self):
        """Kills the remaining processes and removes all files."""
        if self.terminals:
            subprocess.run(["tmux", "-L", "check", "kill-server"], env=self.env,
                           capture_output=True)
        for line in self.processes():
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        self.api.stop()
        shutil.rmtree(self.root, ignore_errors=True)


class Terminal:
    """An interactive client in its own terminal."""

    def __init__(self, world, name, project, args):
        self.world, self.name = world, name
        config = f"{world.root}/home/.claude.json"
        state = json.load(open(config)) if os.path.exists(config) else {}
        state.setdefault("projects", {})[project] = {
            "hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        state.update(hasCompletedOnboarding=True, theme="dark",
                     customApiKeyResponses={"approved": ["dummy"], "rejected": []})
        with open(config, "w") as file:
            json.dump(state, file)
        inner = shlex.join(["env", "-i", *(f"{k}={v}" for k, v in world.env.items()),
                            *world.command(*args)])
        # The shell keeps running, so that the screen can be read after the client has exited.
        script = f"echo $$ > {world.root}/{name}.pid; {inner}; echo \"[exited $?]\"; exec cat"
        self.tmux("new-session", "-d", "-s", name, "-x", "150", "-y", "50", "-c", project, script)
        self.until_ready()

    def tmux(self, *args):
        return subprocess.run(["tmux", "-f", "/dev/null", "-L", "check", *args], env=self.world.env,
                              capture_output=True, text=True).stdout

    def screen(self):
        """Returns the text on the screen."""
        return self.tmux("capture-pane", "-p", "-S", "-", "-t", self.name).strip()

    def until_ready(self):
        """Waits until the client accepts input."""
        return until(lambda: re.search(r"^❯\s*$", self.screen(), re.M))

    def type(self, words):
        self.tmux("send-keys", "-t", self.name, "-l", words)
        # If text and Enter arrive together, the client treats them as a paste.
        until(lambda: words[:40] in self.screen().replace("\n", ""), 5)
        self.tmux("send-keys", "-t", self.name, "Enter")

    def key(self, name):
        self.tmux("send-keys", "-t", self.name, name)

    def shows(self, words, seconds=20):
        return bool(until(lambda: words in self.screen(), seconds))

    def ask(self, prompt, answer):
        """Types a prompt, waits for its Stop and returns the requests of the conversation that it caused. The client
        also asks for titles and the like, without tools."""
        mark = self.world.api.mark()
        count = len([h for h in self.world.hooks() if h[0] == "Stop"])
        self.type(prompt)
        self.shows(answer)
        until(lambda: len([h for h in self.world.hooks() if h[0] == "Stop"]) > count)
        return [body for body in self.world.api.since(mark) if body.get("tools")]

    def client(self):
        """Returns the pid of the client."""
        with open(f"{self.world.root}/{self.name}.pid") as file:
            shell = file.read().strip()
        found = subprocess.run(["ps", "-Ao", "pid=,ppid="], text=True, capture_output=True).stdout
        return next((int(pid) for pid, parent in map(str.split, found.splitlines())
                     if parent == shell), None)

    def exited(self, seconds=20):
        """Waits until the client has exited."""
        return bool(until(lambda: "[exited " in self.screen(), seconds))

    def mentions_of_memctl(self):
        """Returns the lines on the screen that mention memctl or hooks."""
        lines = [line for line in self.screen().splitlines() if MENTION.search(line)]
        return [line.strip() for line in lines if not line.strip().startswith("❯")]


def injected(body):
    """Returns the context blocks of memctl in a request."""
    return BLOCK.findall(_plain(body))


def _plain(body):
    texts = []
    for message in [{"content": body.get("system") or []}, *body.get("messages", [])]:
        content = message["content"]
        for block in [{"text": content}] if isinstance(content, str) else content:
            inside = block.get("content")
            texts.append(block.get("text") or (inside if isinstance(inside, str) else ""))
    return "\n".join(texts)


def contains(body, word):
    return word in all_text(body)


def _names(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []
