"""Scenes with a client in a terminal."""

import os
import signal

from api import text, tool
from headless import HELPED, HELPED_ROWS, MESSAGES, PROMPTS, PYTHON, SESSIONS, SUMMARIES
from world import says, injected, until

WAIT = f"{PYTHON} 'import time; time.sleep(40)'"


def conversation(check, world):
    """Prompts, an interrupt, /compact, /clear, /branch and /exit in one terminal."""
    w = world({
        "Lay the table": [tool("Bash", command="ls -la", description="list"),
                          tool("Bash", command="false", description="fail"),
                          text("Laid the table with marzipan plates.")],
        "Wait a while": [tool("Bash", command=WAIT, description="wait"), text("Waited.")],
        "Carry on": [text("Carried on with the soup.")],
        "After compacting": [text("Still here after compacting.")],
        "After clearing": [text("A fresh start.")],
        "After branching": [text("On the branch.")]})
    t = w.terminal(w.project("here"))
    bodies = t.ask("Lay the table", "Laid the table with marzipan plates.")
    check("an empty memory gives no context", not any(injected(b) for b in bodies))
    ps = w.memctl("ps")
    check("`memctl ps` shows the worker", len(ps.splitlines()) == 2 and "here" in ps, ps)

    t.type("Wait a while")
    w.tool_runs("sleep(40)")
    t.key("Escape")
    check("the client says that it was interrupted", t.shows("Interrupted"), t.screen())
    t.key("C-u")
    t.ask("Carry on", "Carried on with the soup.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the next prompt closed the interrupted one", w.rows(PROMPTS, 1),
                [(1, "stop"), (2, "interrupted"), (3, "stop")])
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,)])

    before = w.rows("SELECT prompt_number, completed FROM session_summaries ORDER BY id")
    t.type("/compact")
    check("the conversation is compacted", t.shows("Compacted"), t.screen())
    compact = "SELECT count(*) FROM pending_messages WHERE event = 'checkpoint'"
    check("a checkpoint is taken", bool(until(lambda: w.rows(compact) == [(1,)])), w.rows(compact))
    w.settled()
    after = w.rows("SELECT prompt_number, completed FROM session_summaries ORDER BY id")
    check.equal("it takes nothing from the summaries", after, before)
    bodies = t.ask("After compacting", "Still here after compacting.")
    check("the compacted conversation gets the context once", [len(injected(b)) for b in bodies] == [1],
          [injected(b) for b in bodies])
    check("with its own work", "marzipan" in "".join(injected(bodies[0])), injected(bodies[0]))
    check.equal("numbers go on, and the compaction's own agent is no event", w.rows(PROMPTS, 1)[3:],
                [(4, "stop")])
    subagents = w.rows("SELECT count(*) FROM pending_messages WHERE event = 'subagent'")
    check.equal("no subagent is recorded", subagents, [(0,)])

    t.type("/clear")
    ended = "SELECT end_reason FROM sessions WHERE id = 1"
    check("/clear ends the session", bool(until(lambda: w.rows(ended) == [("clear",)])),
          w.rows(ended))
    t.ready()
    bodies = t.ask("After clearing", "A fresh start.")
    check("a cleared conversation gets no context", not any(injected(b) for b in bodies))
    w.settled()
    check.equal("it is a session of its own", w.rows(PROMPTS, 2), [(1, "stop")])

    t.type("/branch")
    check("the conversation is branched", t.shows("Branched"), t.screen())
    bodies = t.ask("After branching", "On the branch.")
    check("a branch has its history", says(bodies[0], "A fresh start."))
    check("and gets nothing that it contains", not injected(bodies[0]), injected(bodies[0]))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("it knows its parent",
                w.rows("SELECT parent_session_id, prompt_counter FROM sessions WHERE id = 3"),
                [(2, 1)])
    t.type("/exit")
    check("the client exits", t.left(), t.screen())
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("how the sessions ended", w.rows(SESSIONS),
                [("completed", "clear", 4), ("completed", "resume", 1),
                 ("completed", "prompt_input_exit", 1)])
    check.quiet(w)


def context_in_a_terminal(check, world):
    """A second terminal session gets the context, and the user does not see it."""
    w = world({"Lay the table": [text("Laid the table with marzipan plates.")],
               "What is on it": [tool("Bash", command="echo look", description="e"),
                                 text("Marzipan plates.")]})
    here = w.project("here")
    w.run(here, "Lay the table")
    w.settled()
    t = w.terminal(here)
    bodies = t.ask("What is on it", "Marzipan plates.")
    check("every request has the block once", [len(injected(b)) for b in bodies] == [1, 1],
          [injected(b) for b in bodies])
    check("it contains the work", "marzipan" in "".join(injected(bodies[0])), injected(bodies[0]))
    blocks = {"".join(injected(b)) for b in bodies}
    check("it stays byte for byte the same", len(blocks) == 1, blocks)
    t.type("/exit")
    check("the client exits", t.left(), t.screen())
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def queued_prompt(check, world):
    """A prompt typed during a tool use belongs to the running turn."""
    w = world({"Dig a hole": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(4)'",
                                   description="dig"), text("Dug a hole.")],
               "And fill it": [text("Filled it.")]})
    t = w.terminal(w.project("here"))
    t.type("Dig a hole")
    w.tool_runs("sleep(4)")
    t.type("And fill it")
    check("both are answered", t.shows("Filled it."), t.screen())
    t.type("/exit")
    check("the client exits", t.left(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    prompts = w.rows(PROMPTS, 1)
    check.equal("two prompts, closed by Stops", prompts, [(1, "stop"), (2, "stop")])
    turns = w.rows("SELECT count(DISTINCT turn_id) FROM user_prompts")
    check("the session is over, nothing failed", w.rows(SESSIONS) ==
          [("completed", "prompt_input_exit", 2)], (w.rows(SESSIONS), turns, w.rows(MESSAGES, 1)))
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def background_helper(check, world):
    """A background subagent reports after the turn has stopped."""
    w = world({
        "Ask a helper": [tool("Agent", description="count", subagent_type="general-purpose",
                              prompt="Count the beans"), text("A helper counts.")],
        "Count the beans": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(3)'",
                                 description="e"), text("There are 41 beans, said the helper.")],
        "<task-notification>": [text("The helper reports 41 beans.")],
        "Thank it": [text("Thanked.")]})
    t = w.terminal(w.project("here"))
    t.type("Ask a helper")
    check("the report is answered", t.shows("The helper reports 41 beans."), t.screen())
    t.ask("Thank it", "Thanked.")
    t.type("/exit")
    check("the client exits", t.left(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("prompts are the user's only", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check.equal("the call, the helper's tool and its report, each once, in their turn",
                w.rows(HELPED), HELPED_ROWS)
    check.equal("a summary for each prompt", w.rows(SUMMARIES, 1), [(1,), (2,)])
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def terminal_killed(check, world):
    """After SIGKILL of an idle client, the worker exits within its grace period."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]})
    here = w.project("here")
    t = w.terminal(here)
    t.ask("Say hello", "Hello there.")
    check("a worker is running", "here" in w.memctl("ps"), w.memctl("ps"))
    w.remembered("Hello there.")
    os.kill(t.client(), signal.SIGKILL)
    ended = "SELECT end_reason FROM sessions"
    gone = until(lambda: w.rows(ended) == [("client_gone",)], 10)
    check("the session is ended for it", gone, w.rows(ended))
    left = w.left_behind()
    check("nothing is left behind", not left, "\n".join(left))
    back = w.terminal(here, "--continue")
    back.ask("Hello again", "Welcome back.")
    back.type("/exit")
    back.left()
    w.settled()
    over = [("completed", "prompt_input_exit", 2)]
    check.equal("--continue goes on with it", w.rows(SESSIONS), over)
    check("the screen does not mention memctl", not back.unquiet(), "\n".join(back.unquiet()))
    check.quiet(w)


def idle_terminal(check, world):
    """A worker exits after its linger time although the client lives; the next prompt starts another."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]},
              MEMCTL_WORKER_LINGER="1s")
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    check("the worker exits", bool(until(lambda: "no worker" in w.memctl("ps"))), w.memctl("ps"))
    check.equal("the session is not over", w.rows(SESSIONS), [("active", None, 1)])
    t.ask("Hello again", "Welcome back.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("numbers go on", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check("the worker exits again", bool(until(lambda: "no worker" in w.memctl("ps"))), w.memctl("ps"))
    t.type("/exit")
    t.left()
    over = [("completed", "prompt_input_exit", 2)]
    noted = until(lambda: w.rows(SESSIONS) == over)
    check("the end is stored without a worker", noted, w.rows(SESSIONS))
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def own_command(check, world):
    """`!command` is no prompt, and its hooks succeed."""
    w = world({"Say hello": [text("Hello there.")], "marsh": [text("I saw the marsh.")],
               "Bye": [text("Goodbye.")]})
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    t.key("!")
    t.type("echo marsh")
    check("the command was run", bool(until(lambda: t.screen().count("marsh") > 1)), t.screen())
    t.ask("Bye", "Goodbye.")
    t.type("/exit")
    check("the client exits", t.left(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("prompts are the typed ones", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check.equal("the session is over", w.rows(SESSIONS), [("completed", "prompt_input_exit", 2)])
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def worker_ended_by_its_user(check, world):
    """After `memctl kill` under a live client, the next prompt starts another worker."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]})
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    w.memctl("kill", "--all")
    ps = w.memctl("ps")
    check("it is gone when `kill` returns", "no worker" in ps, ps)
    t.ask("Hello again", "Welcome back.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("numbers go on", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    t.type("/exit")
    t.left()
    w.settled()
    check.equal("the session is over", w.rows(SESSIONS), [("completed", "prompt_input_exit", 2)])
    check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


def one_session_in_two_terminals(check, world):
    """A session resumed in two terminals has one worker, and no event is lost or doubled."""
    w = world({"Say hello": [text("Hello there.")],
               "To the left": [tool("Bash", command="echo left", description="e"),
                               text("Went to the left.")],
               "To the right": [tool("Bash", command="echo right", description="e"),
                                text("Went to the right.")]})
    here = w.project("here")
    w.run(here, "Say hello")
    w.settled()
    [(session,)] = w.rows("SELECT content_session_id FROM sessions")
    left, right = (w.terminal(here, "--resume", session) for _ in range(2))
    left.type("To the left")
    right.type("To the right")
    check("both are answered", left.shows("Went to the left.")
          and right.shows("Went to the right."), left.screen() + right.screen())
    until(lambda: w.rows("SELECT count(*) FROM pending_messages WHERE event = 'stop'") == [(3,)])
    ps = w.memctl("ps")
    check("there is one worker", len(ps.splitlines()) == 2, ps)
    for t in (left, right):
        t.type("/exit")
        check("the client exits", t.left(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT event, count(*) FROM pending_messages WHERE event IN ('tool', 'stop') "
                  "GROUP BY event ORDER BY event")
    check.equal("each event is there once", rows, [("stop", 3), ("tool", 2)])
    numbers = [number for number, _ in w.rows(PROMPTS, 1)]
    check.equal("each prompt has a number of its own", numbers, [1, 2, 3])
    check.equal("and a summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,)])
    for t in (left, right):
        check("the screen does not mention memctl", not t.unquiet(), "\n".join(t.unquiet()))
    check.quiet(w)


SCENES = [conversation, context_in_a_terminal, queued_prompt, background_helper, own_command,
          worker_ended_by_its_user, one_session_in_two_terminals, terminal_killed, idle_terminal]
