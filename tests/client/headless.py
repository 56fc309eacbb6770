"""Scenarios with `claude -p`."""

import json
import os
import shlex
import subprocess
import threading

from api import text, tool, tools
from world import MENTION, Run, contains, injected

PYTHON = "python3 -c"
BUILT = "Built the parser with a table named quenlift; one test still fails."


def parser(folder):
    """A turn with one tool of each kind, one of which fails."""
    path = f"{folder}/parser.txt"
    return {"Build the parser": [
        tool("Bash", command="ls -la", description="list"),
        tool("Bash", command="false", description="fail"),
        tool("Write", file_path=path, content="alpha\nbeta\n"),
        tool("Read", file_path=path),
        tool("Edit", file_path=path, old_string="beta", new_string="gamma"),
        text(BUILT),
    ], "What did we do": [text("We did what memory says.")]}


PARSER_ROWS = [("tool", "Bash"), ("tool_failed", "Bash"), ("tool", "Write"), ("tool", "Read"),
               ("tool", "Edit"), ("stop", None), ("end", None)]

MESSAGES = "SELECT event, tool_name FROM pending_messages WHERE session_id = ? ORDER BY id"
SESSIONS = "SELECT status, end_reason, prompt_counter FROM sessions ORDER BY id"
PROMPTS = "SELECT prompt_number, finalized_by FROM user_prompts WHERE session_id = ? ORDER BY id"
# The call of a background subagent, its only tool use and its report, sorted because their order varies.
SUBAGENT = ("SELECT event, tool_name, agent_id IS NOT NULL, prompt_number FROM pending_messages "
            "WHERE message_type = 'observation' ORDER BY event, tool_name")
SUBAGENT_ROWS = [("subagent", "Subagent", 1, 1), ("tool", "Agent", 0, 1), ("tool", "Bash", 1, 1)]
SUMMARIES = "SELECT prompt_number FROM session_summaries WHERE session_id = ? ORDER BY id"


def two_sessions(check, world):
    """The second session of a project gets the context of the first."""
    script = {}
    w = world(script)
    here = w.project("here")
    script.update(parser(here))
    first = w.run(here, "Build the parser")
    check.equal("the client succeeds", first.code, 0)
    check.equal("its output is only the answer", first.stdout, BUILT)
    check("an empty memory gives no context", not any(injected(b) for b in first.bodies))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "other", 1)])
    check.equal("each event is stored once, in order", w.rows(MESSAGES, 1), PARSER_ROWS)
    check.equal("the Stop closes the prompt", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("there is one summary", w.rows(SUMMARIES, 1), [(1,)])

    expected = w.memctl("context", project=here)
    check("the context contains the work", "quenlift" in expected, expected)
    second = w.run(here, "What did we do")
    check("every request of the second session has the block once",
          [len(injected(b)) for b in second.bodies] == [1], [injected(b) for b in second.bodies])
    check("the block is what `memctl context` prints",
          [injected(b) for b in second.bodies[:1]] == [[expected]], injected(second.bodies[0]))
    check("the client marks the block as context of a hook",
          contains(second.bodies[0], "SessionStart hook additional context: <memctl-context>"))
    check.equal("the prompt numbers of a new session start at 1", w.rows(PROMPTS, 2), [(1, "stop")])
    check.clean(w, first, second)


def two_projects(check, world):
    """Two projects at once get separate memories."""
    script = {}
    w = world(script)
    folders = {name: w.project(name) for name in ("red", "blue")}
    for name, folder in folders.items():
        script[f"Paint the {name} wall"] = [
            tool("Bash", command=f"echo {name}-output", description="echo"),
            tool("Write", file_path=f"{folder}/{name}.txt", content=name),
            text(f"Painted the wall with {name}-ochre, two coats, and it dries until Monday.")]
        script[f"Look at the {name} wall"] = [text("It is dry.")]
    runs = _run_parallel(w, [(folder, f"Paint the {name} wall") for name, folder in folders.items()])
    check.equal("both clients succeed", [r.code for r in runs], [0, 0])
    check("every event is distilled", w.settled(), w.memctl("queue"))
    for name, folder in folders.items():
        other = next(n for n in folders if n != name)
        run = w.run(folder, f"Look at the {name} wall")
        blocks = "\n".join(injected(run.bodies[0]))
        check(f"{name} gets its own context", f"{name}-ochre" in blocks, blocks)
        check(f"{name} gets no context of {other}", other not in blocks, blocks)
        runs.append(run)
    third = w.run(w.project("green"), "Look at the red wall")
    check("a third project gets no context", not injected(third.bodies[0]), injected(third.bodies[0]))
    check.clean(w, *runs, third)


def six_sessions(check, world):
    """Six sessions of one project run at the same time."""
    script = {}
    w = world(script)
    here = w.project("here")
    for n in range(6):
        script[f"Task number {n}"] = [
            tools(*(tool("Bash", command=f"echo {n}-{i}", description="e") for i in range(3))),
            tool("Write", file_path=f"{here}/{n}.txt", content=str(n)),
            text(f"Task {n} is done.")]
    runs = _run_parallel(w, [(here, f"Task number {n}") for n in range(6)])
    check.equal("all clients succeed", [r.code for r in runs], [0] * 6)
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("all six sessions have ended", w.rows(SESSIONS), [("completed", "other", 1)] * 6)
    expected = [("tool", "Bash")] * 3 + [("tool", "Write"), ("stop", None), ("end", None)]
    for n in range(1, 7):
        check.equal(f"each event of session {n} is stored once", w.rows(MESSAGES, n), expected)
    count = w.rows("SELECT count(*), count(DISTINCT session_id) FROM session_summaries")
    check.equal("each session has one summary", count, [(6, 6)])
    # With this many clients, one may report a problem with its own configuration file.
    ours = [run.stderr for run in runs if MENTION.search(run.stderr)]
    check("stderr does not mention memctl", not ours, ours)
    check.clean(w)


def resumed(check, world):
    """--continue, --resume and --fork-session."""
    script = {"Begin the work": [tool("Bash", command="echo one", description="e"),
                                 text("Began with vellum.")],
              "Another session": [text("Moved it.\n\nDecision: the ledger is kept in cellar nine.")],
              "Go on": [tool("Bash", command="echo two", description="e"), text("Went on.")],
              "Go further": [text("Went further.")],
              "Fork off": [text("Forked off.")]}
    w = world(script)
    here = w.project("here")
    runs = [w.run(here, "Begin the work")]
    w.settled()
    [(first,)] = w.rows("SELECT content_session_id FROM sessions")
    runs.append(w.run(here, "Go on", "--continue"))
    check("a resumed conversation does not get its own work",
          not injected(runs[-1].bodies[0]), injected(runs[-1].bodies[0]))
    check.equal("--continue continues the session", w.rows(SESSIONS), [("completed", "other", 2)])
    check.equal("--continue continues the prompt numbers", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    runs.append(w.run(here, "Another session"))
    w.settled()
    runs.append(w.run(here, "Go further", "--resume", first))
    blocks = "\n".join(injected(runs[-1].bodies[0]))
    check("--resume injects the work of other sessions", "cellar nine" in blocks, blocks)
    check("--resume does not inject the session's own work", "vellum" not in blocks, blocks)
    w.settled()
    runs.append(w.run(here, "Go further", "--resume", first))
    check("the context is not repeated",
          len(injected(runs[-1].bodies[0])) <= 1, injected(runs[-1].bodies[0]))
    runs.append(w.run(here, "Fork off", "--resume", first, "--fork-session"))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT content_session_id = ?, prompt_counter, status FROM sessions ORDER BY id",
                  first)
    check.equal("a fork is a new session", rows,
                [(1, 4, "completed"), (0, 1, "completed"), (0, 1, "completed")])
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,), (4,)])
    check.clean(w, *runs)


def parallel_tools(check, world):
    """Parallel tool uses, one of which fails, are stored once each."""
    w = world({"Run them all": [
        tools(*(tool("Bash", command=f"echo {n}; exit {n // 3}", description="e")
                for n in range(4))),
        text("Ran them all.")]})
    run = w.run(w.project("here"), "Run them all")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT event, count(*), count(DISTINCT tool_use_id) FROM pending_messages "
                  "WHERE message_type = 'observation' GROUP BY event ORDER BY event")
    check.equal("three tool uses and one failed one are stored", rows, [("tool", 3, 3), ("tool_failed", 1, 1)])
    check.clean(w, run)


def large_tool_use(check, world):
    """A Write of 1.2 MB and an output of 200 KB are stored."""
    script = {}
    w = world(script)
    here = w.project("here")
    script["Write a lot"] = [
        tool("Write", file_path=f"{here}/large.txt", content="0123456789abcdef\n" * 72000),
        tool("Bash", command="seq 1 40000", description="numbers"), text("Wrote a lot.")]
    run = w.run(here, "Write a lot")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("both tool uses are stored", w.rows(MESSAGES, 1)[:2], [("tool", "Write"), ("tool", "Bash")])
    size = os.path.getsize(f"{w.root}/data/memctl.db")
    check("the database stays small", size < 1 << 20, size)
    check.clean(w, run)


def subagent_in_background(check, world):
    """The tools and the report of a background subagent belong to the turn that started it."""
    w = world({
        "Ask a helper": [tool("Agent", description="count", subagent_type="general-purpose",
                              prompt="Count the beans"), text("A helper counts.")],
        "Count the beans": [tool("Bash", command="echo beans", description="e"),
                            text("There are 41 beans, said the helper.")],
        "<task-notification>": [text("The helper reports 41 beans.")]})
    run = w.run(w.project("here"), "Ask a helper")
    check.equal("the client succeeds", run.code, 0)
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the call, the subagent's tool and its report are stored once",
                w.rows(SUBAGENT), SUBAGENT_ROWS)
    check.equal("a notification is not recorded as a prompt", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("there is one summary", w.rows(SUMMARIES, 1), [(1,)])
    check.clean(w, run)


def long_context(check, world):
    """The client does not cut a context of the largest size."""
    script = {}
    w = world(script)
    w.configure("[context]\ntokens = 20000\n")
    here = w.project("here")
    # More than fits. The client counts UTF-16 units, and the crab has two.
    for n in range(120):
        w.memctl("remember", "--global", f"Shelf {n} of room {n * 7} holds Grüße, ünïque 🦀 wörds and crate {n * 3}.")
    script["How much"] = [text("Much.")]
    run = w.run(here, "How much")
    blocks = injected(run.bodies[0])
    check("the block is complete", len(blocks) == 1, run.bodies[0]["messages"])
    units = len("".join(blocks).encode("utf-16-le")) // 2
    check("the block is long, but within the limit of the client", 3000 < units <= 9500, units)
    check("the client did not move the block to a file", not contains(run.bodies[0], "persisted-output"))
    check.clean(w, run)


def clones(check, world):
    """Clones of one repository share a memory; another directory with the same name does not."""
    w = world({"Fix the roof": [text("Fixed it.\n\nDecision: all shingles are made of copper.")],
               "What about the roof": [text("It is fixed.")]})
    runs = []
    one, two = w.project("one/house"), w.project("two/house")
    origin = "https://user:word@example.org/some/House.git"
    identity = ["-c", "user.name=N", "-c", "user.email=n@example.org"]
    for command in (["-C", one, "init", "-q"], ["-C", one, "remote", "add", "origin", origin],
                    ["-C", one, *identity, "commit", "-q", "--allow-empty", "-m", "first"],
                    ["clone", "-q", one, two], ["-C", two, "remote", "set-url", "origin", origin]):
        subprocess.run(["git", *command], env=w.env, check=True)
    runs.append(w.run(one, "Fix the roof"))
    w.settled()
    runs.append(w.run(two, "What about the roof"))
    check("a clone gets the context", "copper" in "".join(injected(runs[-1].bodies[0])))
    runs.append(w.run(w.project("three/house"), "What about the roof"))
    check("another directory with the same name gets no context", not injected(runs[-1].bodies[0]))
    runs.append(w.run(w.project("one/house/cellar"), "What about the roof"))
    check("a subdirectory gets the context", "copper" in "".join(injected(runs[-1].bodies[0])))
    tree = f"{w.root}/one/tree"
    subprocess.run(["git", "worktree", "add", "-q", tree], cwd=one, env=w.env, check=True)
    runs.append(w.run(tree, "What about the roof"))
    check("a worktree gets the context", "copper" in "".join(injected(runs[-1].bodies[0])))
    names = w.rows("SELECT name FROM projects ORDER BY id")
    check("there are two projects", len(names) == 2, names)
    check("no file contains the credentials of the URL", not w.files_with("user:word"))
    changed = subprocess.run(["git", "status", "--short"], cwd=one, env=w.env,
                             text=True, capture_output=True).stdout
    check("nothing was written into the work tree", not changed, changed)
    check.clean(w, *runs)


def excluded(check, world):
    """An excluded project is not recorded."""
    w = world({"Hush": [tool("Bash", command="echo quince", description="e"), text("Hushed.")]})
    here = w.project("clients/acme")
    w.configure(f'exclude = ["{w.root}/clients/*"]\n')
    run = w.run(here, "Hush the quince")
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Hushed."))
    check("no session is stored", not w.rows("SELECT * FROM sessions"))
    check("no file contains its text", not w.files_with("quince"), w.files_with("quince"))
    check.clean(w, run)


def nested(check, world):
    """A client that a tool starts is a separate session."""
    script = {}
    w = world(script)
    here = w.project("here")
    inner = shlex.join(w.command("-p", "Be inside"))
    script.update({
        "Start another": [tool("Bash", command=f"{inner} < /dev/null", description="e"),
                          tool("Bash", command="echo outside", description="e"),
                          text("Started another client, which reported from the inside.")],
        "Be inside": [tool("Bash", command="echo inside", description="e"),
                      text("Looked at the inside of the nested session.")]})
    run = w.run(here, "Start another")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("both sessions have ended", w.rows(SESSIONS), [("completed", "other", 1)] * 2)
    check.equal("the events of the outer session are stored", w.rows(MESSAGES, 1),
                [("tool", "Bash"), ("tool", "Bash"), ("stop", None), ("end", None)])
    check.equal("the events of the inner session are stored", w.rows(MESSAGES, 2),
                [("tool", "Bash"), ("stop", None), ("end", None)])
    check.clean(w, run)


def blocked_stop(check, world):
    """If a Stop hook blocks, there are several Stops, but one prompt and one summary."""
    w = world({"Finish up": [text("Added the index on orders.date; the query takes 3 ms now."),
                             text("Added the index, and dropped the old one for good.")]})
    block = ('grep -q \'"stop_hook_active":true\' || echo \'{"decision":"block",'
             '"reason":"Once more, please."}\'')
    with open(f"{w.root}/home/.claude/settings.json", "w") as file:
        json.dump({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": block}]}]}}, file)
    run = w.run(w.project("here"), "Finish up")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("both Stops are stored", w.rows(MESSAGES, 1),
                [("stop", None), ("stop", None), ("end", None)])
    check.equal("there is one prompt", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("there is one summary", w.rows(SUMMARIES, 1), [(1,)])
    last = w.rows("SELECT ifnull(completed, '') || ifnull(learned, '') || ifnull(notes, '') FROM session_summaries")
    check("the summary contains the last answer", last and "for good" in (last[0][0] or ""), last)
    check.clean(w, run)


def private_and_secret(check, world):
    """Private text and keys never reach the disk."""
    key = "MIIEowIBAAKCAQEAx7Vq0example0quartzite0key0material0of0no0use0at0all"
    armor = f"-----BEGIN RSA PRIVATE KEY-----\n{key}\n{key}\n-----END RSA PRIVATE KEY-----\n"
    script = {}
    w = world(script)
    here = w.project("here")
    script["the rest is fine"] = [
        tool("Write", file_path=f"{here}/deploy.txt", content=armor),
        tool("Bash", command="cat deploy.txt", description="e"),
        tool("Write", file_path=f"{here}/.env", content="WORD=gooseberry\n"),
        text("Wrote it.")]
    run = w.run(here, "<private>the word is zanzibar</private> and the rest is fine")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    for what, word in (("private word", "zanzibar"), ("key", "quartzite"), (".env", "gooseberry")):
        check(f"no file contains the {what}", not w.files_with(word), w.files_with(word))
    prompts = w.rows("SELECT prompt_text FROM user_prompts")
    check("the rest of the prompt is stored", prompts and "rest is fine" in prompts[0][0], prompts)
    check.clean(w, run)


def internal_client(check, world):
    """A client that a memory agent starts (MEMCTL_INTERNAL) is not recorded."""
    w = world({"Be silent": [tool("Bash", command="echo x", description="e"), text("Silent.")]},
              MEMCTL_INTERNAL="1")
    run = w.run(w.project("here"), "Be silent")
    check.equal("its output is only the answer", run.stdout, "Silent.")
    check("there is no data directory", not os.path.exists(f"{w.root}/data"))
    check.clean(w, run)


def _run_parallel(w, runs):
    """Runs headless clients in parallel, one for each (project, prompt)."""
    clients = [w.start(project, prompt) for project, prompt in runs]
    done = [None] * len(clients)

    def wait(n):
        out, err = clients[n].communicate(timeout=90)
        done[n] = Run(out.strip(), err.strip(), clients[n].returncode, [])

    threads = [threading.Thread(target=wait, args=(n,)) for n in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


SCENARIOS = [two_sessions, two_projects, six_sessions, resumed, parallel_tools, large_tool_use,
             subagent_in_background, nested, blocked_stop, long_context, clones, private_and_secret,
             excluded, internal_client]
