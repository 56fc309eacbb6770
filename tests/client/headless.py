"""Scenes with `claude -p`."""

import json
import os
import shlex
import subprocess
import threading

from api import text, tool, tools
from world import UNQUIET, Run, says, injected

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
# A background subagent's call, its only tool and its report; their order is not fixed.
HELPED = ("SELECT event, tool_name, agent_id IS NOT NULL, prompt_number FROM pending_messages "
          "WHERE message_type = 'observation' ORDER BY event, tool_name")
HELPED_ROWS = [("subagent", "Subagent", 1, 1), ("tool", "Agent", 0, 1), ("tool", "Bash", 1, 1)]
SUMMARIES = "SELECT prompt_number FROM session_summaries WHERE session_id = ? ORDER BY id"


def two_sessions(check, world):
    """The second session of a project gets the context of the first."""
    script = {}
    w = world(script)
    here = w.project("here")
    script.update(parser(here))
    first = w.run(here, "Build the parser")
    check.equal("the client succeeds", first.code, 0)
    check.equal("its output is the answer and nothing else", first.stdout, BUILT)
    check("an empty memory gives no context", not any(injected(b) for b in first.bodies))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the session is over", w.rows(SESSIONS), [("completed", "other", 1)])
    check.equal("each event is there once, in order", w.rows(MESSAGES, 1), PARSER_ROWS)
    check.equal("the prompt was closed by its Stop", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("there is one summary", w.rows(SUMMARIES, 1), [(1,)])

    expected = w.memctl("context", project=here)
    check("the context contains the work", "quenlift" in expected, expected)
    second = w.run(here, "What did we do")
    check("every request of the second session has the block once",
          [len(injected(b)) for b in second.bodies] == [1], [injected(b) for b in second.bodies])
    check("it is what `memctl context` prints",
          [injected(b) for b in second.bodies[:1]] == [[expected]], injected(second.bodies[0]))
    check("it is marked as the client marks a hook's context",
          says(second.bodies[0], "SessionStart hook additional context: <memctl-context>"))
    check.equal("its prompts are counted anew", w.rows(PROMPTS, 2), [(1, "stop")])
    check.quiet(w, first, second)


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
    runs = _at_once(w, [(folder, f"Paint the {name} wall") for name, folder in folders.items()])
    check.equal("both clients succeed", [r.code for r in runs], [0, 0])
    check("every event is distilled", w.settled(), w.memctl("queue"))
    for name, folder in folders.items():
        other = next(n for n in folders if n != name)
        run = w.run(folder, f"Look at the {name} wall")
        blocks = "\n".join(injected(run.bodies[0]))
        check(f"{name} gets its own context", f"{name}-ochre" in blocks, blocks)
        check(f"{name} gets nothing of {other}", other not in blocks, blocks)
        runs.append(run)
    third = w.run(w.project("green"), "Look at the red wall")
    check("a third project gets no context", not injected(third.bodies[0]), injected(third.bodies[0]))
    check.quiet(w, *runs, third)


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
    runs = _at_once(w, [(here, f"Task number {n}") for n in range(6)])
    check.equal("all clients succeed", [r.code for r in runs], [0] * 6)
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("six sessions are over", w.rows(SESSIONS), [("completed", "other", 1)] * 6)
    expected = [("tool", "Bash")] * 3 + [("tool", "Write"), ("stop", None), ("end", None)]
    for n in range(1, 7):
        check.equal(f"events of session {n}, each once", w.rows(MESSAGES, n), expected)
    count = w.rows("SELECT count(*), count(DISTINCT session_id) FROM session_summaries")
    check.equal("one summary per session", count, [(6, 6)])
    # With this many clients, one may report a problem with its own configuration file.
    ours = [run.stderr for run in runs if UNQUIET.search(run.stderr)]
    check("stderr does not mention memctl", not ours, ours)
    check.quiet(w)


def resumed(check, world):
    """--continue, --resume and --fork-session."""
    script = {"Begin the work": [tool("Bash", command="echo one", description="e"),
                                 text("Began with vellum.")],
              "Another session": [text("Meanwhile the ledger was moved to cellar nine.")],
              "Go on": [tool("Bash", command="echo two", description="e"), text("Went on.")],
              "Go further": [text("Went further.")],
              "Fork off": [text("Forked off.")]}
    w = world(script)
    here = w.project("here")
    runs = [w.run(here, "Begin the work")]
    w.settled()
    [(first,)] = w.rows("SELECT content_session_id FROM sessions")
    runs.append(w.run(here, "Go on", "--continue"))
    check("a resumed conversation gets nothing of its own",
          not injected(runs[-1].bodies[0]), injected(runs[-1].bodies[0]))
    check.equal("--continue goes on with it", w.rows(SESSIONS), [("completed", "other", 2)])
    check.equal("and with its numbers", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    runs.append(w.run(here, "Another session"))
    w.settled()
    runs.append(w.run(here, "Go further", "--resume", first))
    blocks = "\n".join(injected(runs[-1].bodies[0]))
    check("--resume tells what is new", "cellar nine" in blocks, blocks)
    check("and nothing that it did itself", "vellum" not in blocks, blocks)
    w.settled()
    runs.append(w.run(here, "Go further", "--resume", first))
    check("the context is not repeated",
          len(injected(runs[-1].bodies[0])) == 1, injected(runs[-1].bodies[0]))
    runs.append(w.run(here, "Fork off", "--resume", first, "--fork-session"))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT content_session_id = ?, prompt_counter, status FROM sessions ORDER BY id",
                  first)
    check.equal("a fork is a session of its own", rows,
                [(1, 4, "completed"), (0, 1, "completed"), (0, 1, "completed")])
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,), (4,)])
    check.quiet(w, *runs)


def parallel_tools(check, world):
    """Parallel tools, one of which fails, are counted once each."""
    w = world({"Run them all": [
        tools(*(tool("Bash", command=f"echo {n}; exit {n // 3}", description="e")
                for n in range(4))),
        text("Ran them all.")]})
    run = w.run(w.project("here"), "Run them all")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT event, count(*), count(DISTINCT tool_use_id) FROM pending_messages "
                  "WHERE message_type = 'observation' GROUP BY event ORDER BY event")
    check.equal("three succeeded, one failed", rows, [("tool", 3, 3), ("tool_failed", 1, 1)])
    check.quiet(w, run)


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
    check.equal("both are there", w.rows(MESSAGES, 1)[:2], [("tool", "Write"), ("tool", "Bash")])
    size = os.path.getsize(f"{w.root}/data/memctl.db")
    check("the database stays small", size < 1 << 20, size)
    check.quiet(w, run)


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
    check.equal("the call, the helper's tool and its report, each once",
                w.rows(HELPED), HELPED_ROWS)
    check.equal("a notification is no prompt", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("one summary", w.rows(SUMMARIES, 1), [(1,)])
    check.quiet(w, run)


def long_context(check, world):
    """The client does not cut a context of the largest size."""
    script = {}
    w = world(script)
    w.configure("[context]\ntokens = 20000\n")
    here = w.project("here")
    for n in range(4):
        script[f"Report {n}"] = [
            tool("Write", file_path=f"{here}/{n}.txt", content="x\n" * n),
            text(f"Wrote the report on the {n}. quarter; the figures of Görlitz are missing.")]
        w.run(here, f"Report {n}")
    w.settled()
    w.left_behind()
    # Longer than any backend writes. The client counts UTF-16 units, and the crab takes two.
    for column in ("learned", "completed", "next_steps", "notes"):
        words = "\n".join(f"{column} {n}: Grüße, ünïque 🦀 wörd." for n in range(200))
        w.write(f"UPDATE session_summaries SET {column} = id || ?", words)
    script["How much"] = [text("Much.")]
    run = w.run(here, "How much")
    blocks = injected(run.bodies[0])
    check("the block is complete", len(blocks) == 1, run.bodies[0]["messages"])
    units = len("".join(blocks).encode("utf-16-le")) // 2
    check("it is as long as the client allows", 3000 < units <= 9500, units)
    check("it was not put into a file", not says(run.bodies[0], "persisted-output"))
    check.quiet(w, run)


def clones(check, world):
    """Clones of one repository share a memory; another directory with the same name does not."""
    w = world({"Fix the roof": [text("Fixed the roof with copper shingles.")],
               "What about the roof": [text("It is fixed.")]})
    runs = []
    for place in ("one", "two"):
        path = w.project(f"{place}/house")
        for command in (["init", "-q"], ["remote", "add", "origin",
                                         "https://user:word@example.org/some/House.git"]):
            subprocess.run(["git", *command], cwd=path, env=w.env, check=True)
    runs.append(w.run(f"{w.root}/one/house", "Fix the roof"))
    w.settled()
    runs.append(w.run(f"{w.root}/two/house", "What about the roof"))
    check("a clone gets the context", "copper" in "".join(injected(runs[-1].bodies[0])))
    runs.append(w.run(w.project("three/house"), "What about the roof"))
    check("a directory of the same name does not", not injected(runs[-1].bodies[0]))
    runs.append(w.run(w.project("one/house/cellar"), "What about the roof"))
    check("a subdirectory does", "copper" in "".join(injected(runs[-1].bodies[0])))
    tree = f"{w.root}/one/tree"
    identity = ["-c", "user.name=N", "-c", "user.email=n@example.org"]
    for command in ([*identity, "commit", "-q", "--allow-empty", "-m", "first"],
                    ["worktree", "add", "-q", tree]):
        subprocess.run(["git", *command], cwd=f"{w.root}/one/house", env=w.env, check=True)
    runs.append(w.run(tree, "What about the roof"))
    check("a worktree does", "copper" in "".join(injected(runs[-1].bodies[0])))
    names = w.rows("SELECT name FROM projects ORDER BY id")
    check("there are two projects", len(names) == 2, names)
    check("no file contains the address", not w.mentions("user:word"))
    changed = subprocess.run(["git", "status", "--short"], cwd=f"{w.root}/one/house", env=w.env,
                             text=True, capture_output=True).stdout
    check("nothing was written into the work tree", not changed, changed)
    check.quiet(w, *runs)


def excluded(check, world):
    """An excluded project leaves no trace."""
    w = world({"Hush": [tool("Bash", command="echo quince", description="e"), text("Hushed.")]})
    here = w.project("clients/acme")
    w.configure(f'exclude = ["{w.root}/clients/*"]\n')
    run = w.run(here, "Hush the quince")
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Hushed."))
    check("no session is known", not w.rows("SELECT * FROM sessions"))
    check("no file contains its text", not w.mentions("quince"), w.mentions("quince"))
    check.quiet(w, run)


def nested(check, world):
    """A client that a tool starts is a session of its own."""
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
    check.equal("both sessions are over", w.rows(SESSIONS), [("completed", "other", 1)] * 2)
    check.equal("the outer one's events", w.rows(MESSAGES, 1),
                [("tool", "Bash"), ("tool", "Bash"), ("stop", None), ("end", None)])
    check.equal("the inner one's events", w.rows(MESSAGES, 2),
                [("tool", "Bash"), ("stop", None), ("end", None)])
    check.quiet(w, run)


def stopped_again(check, world):
    """With a Stop hook that blocks there are several Stops, but one prompt and one summary."""
    w = world({"Finish up": [text("Added the index on orders.date; the query takes 3 ms now."),
                             text("Added the index, and dropped the old one for good.")]})
    block = ('grep -q \'"stop_hook_active":true\' || echo \'{"decision":"block",'
             '"reason":"Once more, please."}\'')
    with open(f"{w.root}/home/.claude/settings.json", "w") as file:
        json.dump({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": block}]}]}}, file)
    run = w.run(w.project("here"), "Finish up")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("both Stops are there", w.rows(MESSAGES, 1),
                [("stop", None), ("stop", None), ("end", None)])
    check.equal("one prompt", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("one summary", w.rows(SUMMARIES, 1), [(1,)])
    last = w.rows("SELECT completed FROM session_summaries")
    check("it contains the last answer", last and "for good" in (last[0][0] or ""), last)
    check.quiet(w, run)


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
        check(f"the {what} is nowhere", not w.mentions(word), w.mentions(word))
    prompts = w.rows("SELECT prompt_text FROM user_prompts")
    check("the rest of the prompt is kept", prompts and "rest is fine" in prompts[0][0], prompts)
    check.quiet(w, run)


def own_hooks_off(check, world):
    """A client started by a memory agent (MEMCTL_INTERNAL) leaves no trace."""
    w = world({"Be silent": [tool("Bash", command="echo x", description="e"), text("Silent.")]},
              MEMCTL_INTERNAL="1")
    run = w.run(w.project("here"), "Be silent")
    check.equal("its output is the answer", run.stdout, "Silent.")
    check("no data dir was made", not os.path.exists(f"{w.root}/data"))
    check.quiet(w, run)


def _at_once(w, asked):
    """Runs headless clients in parallel: (project, prompt) each."""
    clients = [w.start(project, prompt) for project, prompt in asked]
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


SCENES = [two_sessions, two_projects, six_sessions, resumed, parallel_tools, large_tool_use,
          subagent_in_background, nested, stopped_again, long_context, clones, private_and_secret,
          excluded, own_hooks_off]
