"""Scenarios with faults: processes are killed or hang, files vanish, or memctl is missing."""

import os
import re
import signal
import time

from api import error, text, tool
from headless import MESSAGES, PROMPTS, PYTHON, SESSIONS
from world import until


def api_down(check, world):
    """The API returns errors: the turn ends with StopFailure."""
    w = world({"Try it": [tool("Bash", command="echo tried", description="e"),
                          error(400, "invalid_request_error", "no such thing")]})
    run = w.run(w.project("here"), "Try it")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the session has ended", [r[0] for r in w.rows(SESSIONS)],
                ["completed"])
    check.equal("the failure closes the turn", w.rows(PROMPTS, 1), [(1, "stop_failed")])
    check.equal("each event is stored once", w.rows(MESSAGES, 1),
                [("tool", "Bash"), ("stop_failed", None), ("end", None)])
    check("the output does not mention memctl", "memctl" not in run.stdout + run.stderr, run.stderr)
    check.clean(w)


def client_killed(check, world):
    """After SIGKILL during a tool use, the worker notices, closes the turn and exits."""
    w = world({"Take long": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(12)'",
                                  description="wait"), text("Took long.")],
               "Go on": [text("Went on after the kill.")]})
    here = w.project("here")
    client = w.start(here, "Take long")
    w.until_tool_runs("time.sleep(12)")
    client.send_signal(signal.SIGKILL)
    client.communicate()
    killed = time.monotonic()
    check("the worker closes the turn and distills every event", w.settled(15), w.memctl("queue"))
    took = time.monotonic() - killed
    check("the worker does so within 8 s", took < 8, took)
    check.equal("the session has ended", w.rows(SESSIONS), [("failed", "client_gone", 1)])
    left = w.left_behind()
    check("no process and no file is left", not [l for l in left if "time.sleep" not in l], left)
    run = w.run(here, "Go on", "--continue")
    w.settled()
    check.equal("--continue continues the session", w.rows(SESSIONS), [("completed", "other", 2)])
    check.clean(w, run)


def client_terminated(check, world):
    """After SIGTERM during a tool use, SessionEnd closes the turn."""
    w = world({"Take long": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(30)'",
                                  description="wait"), text("Took long.")]})
    client = w.start(w.project("here"), "Take long")
    w.until_tool_runs("time.sleep(30)")
    client.terminate()
    _, stderr = client.communicate()
    check("stderr does not mention memctl", not re.search("memctl|hook", stderr, re.I), stderr)
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the session has ended", w.rows(SESSIONS), [("failed", "other", 1)])
    check.equal("SessionEnd closes the prompt", w.rows(PROMPTS, 1), [(1, "end")])
    check.clean(w)


def signal_worker(name):
    """Returns a shell command that signals the workers of its data directory by pid."""
    return (f'{PYTHON} "import json, os, signal, subprocess as s; '
            "ps = json.loads(s.check_output([os.environ['MEMCTL_BIN'], 'ps', '--json'])); "
            f"[os.kill(w['pid'], signal.{name}) for w in ps if w['pid']]\"")


def worker_killed(check, world):
    """After SIGKILL of the worker during a turn, the next event starts another; nothing is lost."""
    script = {}
    w = world(script)
    here = w.project("here")
    # The tool kills the worker, so the hook of this tool use finds none.
    kill = signal_worker("SIGKILL")
    script["Kill it"] = [tool("Bash", command="echo before", description="e"),
                         tool("Bash", command=kill, description="kill"),
                         tool("Bash", command="echo after", description="e"),
                         text("Went through all of it.")]
    run = w.run(here, "Kill it")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("each event is stored once", w.rows(MESSAGES, 1),
                [("tool", "Bash")] * 3 + [("stop", None), ("end", None)])
    generation = w.rows("SELECT generation FROM sessions")
    check("another worker takes over", generation and generation[0][0] >= 2, generation)
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "other", 1)])
    check.clean(w, run)


def worker_hung(check, world):
    """With a stopped worker (SIGSTOP), hooks stay fast and another worker takes over."""
    hang = signal_worker("SIGSTOP")
    w = world({"Hang it": [tool("Bash", command="echo before", description="e"),
                           tool("Bash", command=hang, description="hang"),
                           tool("Bash", command="echo after", description="e"),
                           text("Went through all of it.")]}, MEMCTL_WORKER_HANG_TIMEOUT="1s")
    run = w.run(w.project("here"), "Hang it")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("each event is stored once", w.rows(MESSAGES, 1),
                [("tool", "Bash")] * 3 + [("stop", None), ("end", None)])
    slow = [h for h in w.hooks() if (h[2] or 0) > 400]
    check("no hook was slow", not slow, slow)
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "other", 1)])
    check("stderr is empty", not run.stderr, run.stderr)
    left = w.left_behind()
    check("no process and no file is left", not left, "\n".join(left))


def sockets_deleted(check, world):
    """After the sockets are deleted during a turn, the next event starts another worker."""
    # The client refuses to run a plain `sleep`, and an `rm` of a variable's content.
    sweep = ("import glob, os; "
             "[os.remove(s) for s in glob.glob(os.environ['MEMCTL_SOCKET_DIR'] + '/*')]")
    w = world({"Sweep": [tool("Bash", command="echo before", description="e"),
                         tool("Bash", command=f'{PYTHON} "{sweep}"', description="sweep"),
                         tool("Bash", command=f"{PYTHON} 'import time; time.sleep(1.5)'",
                              description="wait"),
                         text("Swept all of it and went on to the next room.")]})
    run = w.run(w.project("here"), "Sweep")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("each event is stored once", w.rows(MESSAGES, 1),
                [("tool", "Bash")] * 3 + [("stop", None), ("end", None)])
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "other", 1)])
    check("stderr is empty", not run.stderr, run.stderr)
    left = w.left_behind()
    check("no process and no file is left", not left, "\n".join(left))


def all_killed(check, world):
    """After SIGKILL of client and worker during a tool use, the next SessionStart recovers the session."""
    w = world({"Take long": [tool("Bash", command="echo before", description="e"),
                             tool("Bash", command=f"{PYTHON} 'import time; time.sleep(11)'",
                                  description="wait"), text("Took long.")],
               "Something else": [text("Did something else in the meantime.")]})
    here = w.project("here")
    client = w.start(here, "Take long")
    w.until_tool_runs("time.sleep(11)")
    until(lambda: w.rows("SELECT 1 FROM pending_messages"))
    client.send_signal(signal.SIGKILL)
    for line in w.processes():
        if "memctl worker" in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    client.communicate()
    run = w.run(here, "Something else")
    waiting = "SELECT count(*) FROM pending_messages WHERE status <> 'processed'"
    done = until(lambda: w.rows(waiting) == [(0,)])
    check("the events of the killed session are distilled", done, w.memctl("queue"))
    check.equal("its tool use is stored once", w.rows(MESSAGES, 1)[:1], [("tool", "Bash")])
    check("stderr is empty", not run.stderr, run.stderr)
    left = [line for line in w.left_behind() if "time.sleep" not in line]
    check("no process and no file is left", not left, "\n".join(left))


def binary_missing(check, world):
    """Without memctl, the hooks do nothing and print nothing."""
    w = world({"Work alone": [tool("Bash", command="echo x", description="e"),
                              tool("Bash", command="false", description="e"), text("Alone.")]},
              MEMCTL_BIN=None, PATH="/usr/bin:/bin")
    run = w.run(w.project("here"), "Work alone")
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Alone."))
    check("the hooks ran", w.silent_hooks() >= 5, w.silent_hooks())
    check("there is no data directory", not os.path.exists(f"{w.root}/data"))
    check("stderr is empty", not run.stderr, run.stderr)


def binary_broken(check, world):
    """If memctl cannot be executed, the client sees no error."""
    w = world({"Work alone": [tool("Bash", command="echo x", description="e"), text("Alone.")]})
    with open(w.memctl_path, "wb") as file:
        file.write(b"\x7fELF broken")
    run = w.run(w.project("here"), "Work alone")
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Alone."))
    check("there is no data directory", not os.path.exists(f"{w.root}/data"))
    check.clean(w, run)


def nowhere_to_write(check, world):
    """A file is in place of the data directory: the client sees no error."""
    w = world({"Work on": [tool("Bash", command="echo x", description="e"), text("Worked.")]})
    with open(f"{w.root}/data", "w") as file:
        file.write("in the way")
    run = w.run(w.project("here"), "Work on")
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Worked."))
    check("stderr is empty", not run.stderr, run.stderr)
    check("every hook succeeds", all(h[1] == 0 for h in w.hooks()), w.hooks())
    slow = [h for h in w.hooks() if (h[2] or 0) > 500]
    check("no hook was slow", not slow, slow)
    check("no process is left", bool(until(lambda: not w.processes())), w.processes())


SCENARIOS = [api_down, client_killed, client_terminated, all_killed, worker_killed, worker_hung,
             sockets_deleted, binary_missing, binary_broken, nowhere_to_write]
