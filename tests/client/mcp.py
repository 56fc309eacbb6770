"""Scenarios with the MCP server that the plugin registers."""

from api import all_text, text, tool

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


SCENARIOS = [mcp_tools]
