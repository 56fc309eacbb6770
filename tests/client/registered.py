"""Scenarios about the registration of the hooks."""

import json
import os
import shutil

from api import text, tool
from headless import BUILT, MESSAGES, PARSER_ROWS, PROMPTS, PYTHON, SUMMARIES, parser
from world import REPOSITORY, injected


def plugin_and_settings(check, world):
    """With the plugin and the same hooks in settings.json, each event is stored once."""
    script = {}
    w = world(script)
    here = w.project("here")
    script.update(parser(here))
    with open(f"{REPOSITORY}/hooks/hooks.json") as file:
        hooks = json.load(file)["hooks"]
    for entries in hooks.values():
        for hook in (hook for entry in entries for hook in entry["hooks"]):
            hook["args"] = [a.replace("${CLAUDE_PLUGIN_ROOT}", REPOSITORY) for a in hook["args"]]
    with open(f"{w.root}/home/.claude/settings.json", "w") as file:
        json.dump({"hooks": hooks}, file)
    run = w.run(here, "Build the parser")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    stops = [h for h in w.hooks() if h[0] == "Stop"]
    check.equal("both registrations run", len(stops), 2)
    once = [row for row in w.rows(MESSAGES, 1) if row[0] not in ("stop", "end")]
    check.equal("each tool use is stored once", once, PARSER_ROWS[:5])
    check.equal("the prompt is stored once", w.rows(PROMPTS, 1), [(1, "stop")])
    check.equal("there is one summary", w.rows(SUMMARIES, 1), [(1,)])
    second = w.run(here, "What did we do")
    blocks = injected(second.bodies[0])
    check("the context is injected", blocks, second.bodies)
    check("all injected blocks are identical", len(set(blocks)) == 1, blocks)
    check.clean(w, run, second)


def marketplace(check, world):
    """The plugin can be validated, installed from a marketplace, used and uninstalled."""
    script = {}
    w = world(script)
    here = w.project("here")
    script.update(parser(here))
    code, output = w.manage("plugin", "validate", "--strict", REPOSITORY)
    check("`plugin validate --strict` passes", code == 0, output)
    # Copy the files of the plugin, without build output.
    shop = f"{w.root}/shop"
    for part in (".claude-plugin", "hooks"):
        shutil.copytree(f"{REPOSITORY}/{part}", f"{shop}/{part}")
    code, output = w.manage("plugin", "marketplace", "add", shop)
    check("`plugin marketplace add` succeeds", code == 0, output)
    code, output = w.manage("plugin", "install", "memctl@memctl")
    check("`plugin install memctl@memctl` succeeds", code == 0, output)
    code, output = w.manage("plugin", "list", "--json")
    plugins = json.loads(output) if code == 0 else []
    # Client 2.1.332 also lists its built-in plugins.
    enabled = [p["enabled"] for p in plugins if p["id"] == "memctl@memctl"]
    check("the plugin is enabled", enabled == [True], output)
    first = w.run(here, "Build the parser", plugin=None)
    check.equal("the client succeeds", (first.code, first.stdout), (0, BUILT))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("each event is stored once, in order", w.rows(MESSAGES, 1), PARSER_ROWS)
    second = w.run(here, "What did we do", plugin=None)
    check("the second session gets the context", "quenlift" in "".join(injected(second.bodies[0])))
    third = w.run(here, "What did we do")
    check("with --plugin-dir and the installed plugin, the context is injected once",
          len(injected(third.bodies[0])) == 1)
    w.settled()
    check.equal("with both, each event is stored once", w.rows(MESSAGES, 3), [("stop", None), ("end", None)])
    code, output = w.manage("plugin", "uninstall", "memctl@memctl")
    check("`plugin uninstall` succeeds", code == 0, output)
    before = len(w.hooks())
    w.run(here, "What did we do", plugin=None)
    check.equal("after that, no hook runs", len(w.hooks()), before)
    check.clean(w, first, second, third)


def moved_program(check, world):
    """The plugin finds memctl on the PATH, in ~/.local/bin or in its own bin/."""
    for place in ("path", "home/.local/bin", "home/.cargo/bin", "plugin/bin"):
        script = {"Say hello": [tool("Bash", command="echo x", description="e"), text("Hello.")]}
        w = world(script, MEMCTL_BIN=None, PATH="/usr/bin:/bin")
        if place == "path":
            w.env["PATH"] += f":{w.root}/bin"
        else:
            os.makedirs(f"{w.root}/{place}")
            os.rename(w.memctl_path, f"{w.root}/{place}/memctl")
            w.memctl_path = f"{w.root}/{place}/memctl"
        for part in (".claude-plugin", "hooks"):
            shutil.copytree(f"{REPOSITORY}/{part}", f"{w.root}/plugin/{part}")
        w.run(w.project("here"), "Say hello", plugin=f"{w.root}/plugin")
        w.settled()
        check.equal(f"{place}: each event is stored once", w.rows(MESSAGES, 1),
                    [("tool", "Bash"), ("stop", None), ("end", None)])
        left = w.left_behind()
        check(f"{place}: no process and no file is left", not left, "\n".join(left))


def removed_plugin(check, world):
    """A session whose plugin is emptied goes on, and is recorded through the installed copy.

    The client itself reports a folder that does not exist, so `make uninstall` leaves it.
    """
    for installed in (True, False):
        script = {}
        w = world(script)
        script["Say hello"] = [
            tool("Bash", command="echo x", description="e"),
            tool("Bash", command=f"{PYTHON} \"import shutil; shutil.rmtree('{w.root}/plugin/hooks')\"",
                 description="sweep"),
            tool("Bash", command="echo y", description="e"),
            text("Hello."),
        ]
        for part in (".claude-plugin", "hooks"):
            shutil.copytree(f"{REPOSITORY}/{part}", f"{w.root}/plugin/{part}")
        if installed:
            shutil.copytree(f"{REPOSITORY}/hooks",
                            f"{w.root}/home/.local/share/memctl-plugin/hooks")
        run = w.run(w.project("here"), "Say hello", plugin=f"{w.root}/plugin")
        check.equal("the client succeeds", run.code, 0)
        if installed:
            w.settled()
            check.equal("each event is stored once", w.rows(MESSAGES, 1),
                        [("tool", "Bash")] * 3 + [("stop", None), ("end", None)])
            check.clean(w, run)
        else:
            check.equal("only the first tool use is stored", w.rows(MESSAGES, 1),
                        [("tool", "Bash")])
            failed = [hook for hook in w.hooks() if hook[1] != 0]
            check("every hook succeeds", not failed, failed)
            check.equal("stderr is empty", run.stderr, "")


SCENARIOS = [plugin_and_settings, marketplace, moved_program, removed_plugin]
