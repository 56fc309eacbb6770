"""Scenarios with the MCP server that the plugin registers."""

import shutil

from api import all_text, text, tool
from world import REPOSITORY

SERVER = "mcp__plugin_memctl_memctl__"
ASKED = "Ask the memory"
NOTES = "SELECT origin, scope, title FROM observations ORDER BY id"


def mcp_tools(check, world):
    """The model's calls reach the MCP server of the plugin, and its answers reach the model."""
    w = world({ASKED: [
        tool("Bash", command="sleep 1", description="wait for the server"),
        tool(f"{SERVER}remember", text="The parser table is named quenlift", type="decision"),
        tool(f"{SERVER}search", query="quenlift"),
        tool(f"{SERVER}timeline", id="o1"),
        tool(f"{SERVER}get", ids=["o1"]),
        tool(f"{SERVER}feedback", ids=["o1"], verdict="helpful"),
        tool(f"{SERVER}status"),
        tool(f"{SERVER}forget", ids=["o1"]),
        text("Asked."),
    ]})
    here = w.project("here")
    run = w.run(here, ASKED)
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Asked."))
    last = all_text(run.bodies[-1]) if run.bodies else ""
    for name, answer in [
        ("remember", "remembered o1 for project here"),
        ("search", "Project here: 1 memory"),
        ("timeline", "> o1 decision"),
        ("get", "from assistant"),
        ("feedback", "helpful: o1"),
        ("status", "project here: recorded"),
        ("forget", "forgot 1 observation"),
    ]:
        check(f"the answer of {name} reaches the model", answer in last, last[-3000:])
    check.equal("the note is forgotten", w.rows(NOTES), [])
    w.memctl("forget", "--undo")
    restored = [("assistant", "project", "The parser table is named quenlift")]
    check.equal("the user can restore it", w.rows(NOTES), restored)
    calls = "SELECT count(*) FROM pending_messages WHERE tool_name LIKE '%memctl%'"
    check.equal("the calls are not recorded", w.rows(calls), [(0,)])
    check.clean(w, run)


def installed_mcp(check, world):
    """An installed plugin brings the server, without a further step."""
    w = world({ASKED: [
        tool("Bash", command="sleep 1", description="wait for the server"),
        tool(f"{SERVER}search", query="walnut ledger"),
        text("Asked."),
    ]})
    here = w.project("here")
    shop = f"{w.root}/shop"
    for part in (".claude-plugin", "hooks"):
        shutil.copytree(f"{REPOSITORY}/{part}", f"{shop}/{part}")
    for step in (("marketplace", "add", shop), ("install", "memctl@memctl")):
        code, output = w.manage("plugin", *step)
        check(f"`plugin {' '.join(step[:-1])}` succeeds", code == 0, output)
    w.memctl("remember", "The walnut ledger is a text file", project=here)
    run = w.run(here, ASKED, plugin=None)
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Asked."))
    last = all_text(run.bodies[-1]) if run.bodies else ""
    check("the answer reaches the model", "o1 note" in last and "walnut ledger" in last, last[-3000:])
    doctor = w.memctl("doctor", project=here)
    check("doctor names the registration", "registered in Claude Code by the plugin" in doctor, doctor)
    check.clean(w, run)


def first_day(check, world):
    """A new user installs the plugin, imports earlier sessions, and asks what was decided."""
    decided = "Please decide where the walnut ledger keeps its amounts."
    w = world({
        decided: [text("Decision: the walnut ledger keeps amounts as integer cents, because "
                       "floating point numbers lose cents.")],
        "Thanks": [text("You are welcome.")],
        ASKED: [
            tool("Bash", command="sleep 1", description="wait for the server"),
            tool(f"{SERVER}search", query="how does the walnut ledger keep amounts"),
            text("Integer cents."),
        ],
    })
    here = w.project("here")
    for prompt in (decided, "Thanks"):
        run = w.run(here, prompt, plugin=None)
        check.equal("the client works without memctl", run.code, 0)
    offer = w.memctl(project=here)
    check("memctl offers the import", "memctl import claude-code" in offer, offer)
    shop = f"{w.root}/shop"
    for part in (".claude-plugin", "hooks"):
        shutil.copytree(f"{REPOSITORY}/{part}", f"{shop}/{part}")
    for step in (("marketplace", "add", shop), ("install", "memctl@memctl")):
        code, output = w.manage("plugin", *step)
        check(f"`plugin {' '.join(step[:-1])}` succeeds", code == 0, output)
    imported = w.memctl("import", "claude-code", project=here)
    check("the last line says what is known", "sessions" in imported, imported)
    found = w.memctl("search", "walnut ledger amounts", project=here)
    check("a search finds the decision", "cents" in found, found)
    run = w.run(here, ASKED, plugin=None)
    check.equal("the client succeeds", (run.code, run.stdout), (0, "Integer cents."))
    first = all_text(run.bodies[0]) if run.bodies else ""
    check("the first request has the decision", "integer cents" in first, first[-3000:])
    last = all_text(run.bodies[-1]) if run.bodies else ""
    check("so has the answer of the tool", last.count("integer cents") > first.count("integer cents"),
          last[-3000:])
    check.clean(w, run)


SCENARIOS = [mcp_tools, installed_mcp, first_day]
