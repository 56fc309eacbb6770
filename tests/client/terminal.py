"""Scenarios with a client in a terminal."""

import os
import signal

from api import text, tool
from headless import SUBAGENT, SUBAGENT_ROWS, MESSAGES, PROMPTS, PYTHON, SESSIONS, SUMMARIES
from world import contains, injected, until

WAIT = f"{PYTHON} 'import time; time.sleep(40)'"


def conversation(check, world):
    """Prompts, an interrupt, /compact, /clear, /branch and /exit in one terminal."""
    w = world({
        "Lay the table": [tool("Bash", command="ls -la", description="list"),
                          tool("Bash", command="false", description="fail"),
                          text("Laid the table with marzipan plates.\n\nDecision: plates are made of marzipan.")],
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
    w.until_tool_runs("sleep(40)")
    t.key("Escape")
    check("the client shows the interruption", t.shows("Interrupted"), t.screen())
    t.key("C-u")
    t.ask("Carry on", "Carried on with the soup.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the next prompt closes the interrupted one", w.rows(PROMPTS, 1),
                [(1, "stop"), (2, "interrupted"), (3, "stop")])
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,)])

    before = w.rows("SELECT prompt_number, completed FROM session_summaries ORDER BY id")
    t.type("/compact")
    check("the conversation is compacted", t.shows("Compacted"), t.screen())
    compact = "SELECT count(*) FROM pending_messages WHERE event = 'checkpoint'"
    check("the compaction is recorded as a checkpoint",
          bool(until(lambda: w.rows(compact) == [(1,)])), w.rows(compact))
    w.settled()
    after = w.rows("SELECT prompt_number, completed FROM session_summaries ORDER BY id")
    check.equal("the compaction does not change the summaries", after, before)
    bodies = t.ask("After compacting", "Still here after compacting.")
    check("the compacted conversation gets the context once", [len(injected(b)) for b in bodies] == [1],
          [injected(b) for b in bodies])
    check("the context contains the work of this conversation",
          "marzipan" in "".join(injected(bodies[0])), injected(bodies[0]))
    check.equal("the prompt numbers continue after the compaction", w.rows(PROMPTS, 1)[3:],
                [(4, "stop")])
    subagents = w.rows("SELECT count(*) FROM pending_messages WHERE event = 'subagent'")
    check.equal("no subagent is recorded", subagents, [(0,)])

    t.type("/clear")
    ended = "SELECT end_reason FROM sessions WHERE id = 1"
    check("/clear ends the session", bool(until(lambda: w.rows(ended) == [("clear",)])),
          w.rows(ended))
    t.until_ready()
    bodies = t.ask("After clearing", "A fresh start.")
    check("a cleared conversation gets no context", not any(injected(b) for b in bodies))
    w.settled()
    check.equal("the cleared conversation is a new session", w.rows(PROMPTS, 2), [(1, "stop")])

    t.type("/branch")
    check("the conversation is branched", t.shows("Branched"), t.screen())
    bodies = t.ask("After branching", "On the branch.")
    check("a branch contains its history", contains(bodies[0], "A fresh start."))
    check("a branch gets no context", not injected(bodies[0]), injected(bodies[0]))
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the branch is stored with its parent",
                w.rows("SELECT parent_session_id, prompt_counter FROM sessions WHERE id = 3"),
                [(2, 1)])
    t.type("/exit")
    check("the client exits", t.exited(), t.screen())
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("each session has its end reason", w.rows(SESSIONS),
                [("completed", "clear", 4), ("completed", "resume", 1),
                 ("completed", "prompt_input_exit", 1)])
    check.clean(w)


def context_in_a_terminal(check, world):
    """A second terminal session gets the context, and the user does not see it."""
    w = world({"Lay the table": [text("Laid it.\n\nDecision: plates are made of marzipan.")],
               "What is on it": [tool("Bash", command="echo look", description="e"),
                                 text("Marzipan plates.")]})
    here = w.project("here")
    w.run(here, "Lay the table")
    w.settled()
    t = w.terminal(here)
    bodies = t.ask("What is on it", "Marzipan plates.")
    check("every request has the block once", [len(injected(b)) for b in bodies] == [1, 1],
          [injected(b) for b in bodies])
    check("the block contains the work", "marzipan" in "".join(injected(bodies[0])), injected(bodies[0]))
    blocks = {"".join(injected(b)) for b in bodies}
    check("the block is identical in all requests", len(blocks) == 1, blocks)
    t.type("/exit")
    check("the client exits", t.exited(), t.screen())
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def queued_prompt(check, world):
    """A prompt typed during a tool use belongs to the running turn."""
    w = world({"Dig a hole": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(4)'",
                                   description="dig"), text("Dug a hole.")],
               "And fill it": [text("Filled it.")]})
    t = w.terminal(w.project("here"))
    t.type("Dig a hole")
    w.until_tool_runs("sleep(4)")
    t.type("And fill it")
    check("both prompts are answered", t.shows("Filled it."), t.screen())
    t.type("/exit")
    check("the client exits", t.exited(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    prompts = w.rows(PROMPTS, 1)
    check.equal("each prompt is closed by a Stop", prompts, [(1, "stop"), (2, "stop")])
    turns = w.rows("SELECT count(DISTINCT turn_id) FROM user_prompts")
    check("the session has ended without a failure", w.rows(SESSIONS) ==
          [("completed", "prompt_input_exit", 2)], (w.rows(SESSIONS), turns, w.rows(MESSAGES, 1)))
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def background_subagent(check, world):
    """A background subagent reports after the turn has stopped."""
    w = world({
        "Ask a helper": [tool("Agent", description="count", subagent_type="general-purpose",
                              prompt="Count the beans", run_in_background=True),
                         text("A helper counts.")],
        "Count the beans": [tool("Bash", command=f"{PYTHON} 'import time; time.sleep(3)'",
                                 description="e"), text("There are 41 beans, said the helper.")],
        "<task-notification>": [text("The helper reports 41 beans.")],
        "Thank it": [text("Thanked.")]})
    t = w.terminal(w.project("here"))
    t.type("Ask a helper")
    check("the report is answered", t.shows("The helper reports 41 beans."), t.screen())
    t.ask("Thank it", "Thanked.")
    t.type("/exit")
    check("the client exits", t.exited(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("only the user's prompts are recorded", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check.equal("the call, the subagent's tool and its report are stored once, in their turn",
                w.rows(SUBAGENT), SUBAGENT_ROWS)
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,)])
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def terminal_killed(check, world):
    """After SIGKILL of an idle client, the worker exits within its grace period."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]})
    here = w.project("here")
    t = w.terminal(here)
    t.ask("Say hello", "Hello there.")
    check("a worker is running", "here" in w.memctl("ps"), w.memctl("ps"))
    w.until_in_transcript("Hello there.")
    os.kill(t.client(), signal.SIGKILL)
    ended = "SELECT end_reason FROM sessions"
    gone = until(lambda: w.rows(ended) == [("client_gone",)], 10)
    check("the worker ends the session", gone, w.rows(ended))
    left = w.left_behind()
    check("no process and no file is left", not left, "\n".join(left))
    back = w.terminal(here, "--continue")
    back.ask("Hello again", "Welcome back.")
    back.type("/exit")
    back.exited()
    w.settled()
    over = [("completed", "prompt_input_exit", 2)]
    check.equal("--continue continues the session", w.rows(SESSIONS), over)
    mentions = back.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def idle_terminal(check, world):
    """An idle worker exits although the client is running, and the next prompt starts another."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]},
              MEMCTL_WORKER_LINGER="1s")
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    check("the worker exits", bool(until(lambda: "no worker" in w.memctl("ps"))), w.memctl("ps"))
    check.equal("the session is still active", w.rows(SESSIONS), [("active", None, 1)])
    t.ask("Hello again", "Welcome back.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the prompt numbers continue", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check("the worker exits again", bool(until(lambda: "no worker" in w.memctl("ps"))), w.memctl("ps"))
    t.type("/exit")
    t.exited()
    over = [("completed", "prompt_input_exit", 2)]
    noted = until(lambda: w.rows(SESSIONS) == over)
    check("the end is stored although no worker was running", noted, w.rows(SESSIONS))
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def shell_command(check, world):
    """`!command` is not recorded as a prompt, and all hooks succeed."""
    w = world({"Say hello": [text("Hello there.")], "marsh": [text("I saw the marsh.")],
               "Bye": [text("Goodbye.")]})
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    t.key("!")
    t.type("echo marsh")
    check("the command was run", bool(until(lambda: t.screen().count("marsh") > 1)), t.screen())
    t.ask("Bye", "Goodbye.")
    t.type("/exit")
    check("the client exits", t.exited(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("only the typed prompts are recorded", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "prompt_input_exit", 2)])
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def worker_ended_by_kill(check, world):
    """After `memctl kill` under a live client, the next prompt starts another worker."""
    w = world({"Say hello": [text("Hello there.")], "Hello again": [text("Welcome back.")]})
    t = w.terminal(w.project("here"))
    t.ask("Say hello", "Hello there.")
    w.memctl("kill", "--all")
    ps = w.memctl("ps")
    check("no worker is running when `kill` returns", "no worker" in ps, ps)
    t.ask("Hello again", "Welcome back.")
    check("every event is distilled", w.settled(), w.memctl("queue"))
    check.equal("the prompt numbers continue", w.rows(PROMPTS, 1), [(1, "stop"), (2, "stop")])
    t.type("/exit")
    t.exited()
    w.settled()
    check.equal("the session has ended", w.rows(SESSIONS), [("completed", "prompt_input_exit", 2)])
    mentions = t.mentions_of_memctl()
    check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


def one_session_in_two_terminals(check, world):
    """A session resumed in two terminals has one worker, and no event is lost or duplicated."""
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
    check("both prompts are answered", left.shows("Went to the left.")
          and right.shows("Went to the right."), left.screen() + right.screen())
    until(lambda: w.rows("SELECT count(*) FROM pending_messages WHERE event = 'stop'") == [(3,)])
    ps = w.memctl("ps")
    check("there is one worker", len(ps.splitlines()) == 2, ps)
    for t in (left, right):
        t.type("/exit")
        check("the client exits", t.exited(), t.screen())
    check("every event is distilled", w.settled(), w.memctl("queue"))
    rows = w.rows("SELECT event, count(*) FROM pending_messages WHERE event IN ('tool', 'stop') "
                  "GROUP BY event ORDER BY event")
    check.equal("each event is stored once", rows, [("stop", 3), ("tool", 2)])
    numbers = [number for number, _ in w.rows(PROMPTS, 1)]
    check.equal("each prompt has its own number", numbers, [1, 2, 3])
    check.equal("each prompt has its summary", w.rows(SUMMARIES, 1), [(1,), (2,), (3,)])
    for t in (left, right):
        mentions = t.mentions_of_memctl()
        check("the screen does not mention memctl", not mentions, mentions)
    check.clean(w)


SCENARIOS = [conversation, context_in_a_terminal, queued_prompt, background_subagent, shell_command,
             worker_ended_by_kill, one_session_in_two_terminals, terminal_killed, idle_terminal]
