"""Runs the scenarios, and prints one line per check and the latencies of the hooks."""

import os
import statistics
import sys
import time
import traceback

import faults
import headless
import mcp
import registered
import terminal
from world import World

SCENARIOS = [*headless.SCENARIOS, *mcp.SCENARIOS, *faults.SCENARIOS, *registered.SCENARIOS, *terminal.SCENARIOS]


class Check:
    """Prints and counts checks. A scenario calls it with a condition and the observed value, which is
    printed on failure."""

    def __init__(self):
        self.failed = []
        self.passed = 0
        self.hooks = []
        self.scenario = None

    def __call__(self, name, good, seen=None):
        if good:
            self.passed += 1
        else:
            self.failed.append(f"{self.scenario}: {name}")
        print(f"  {'ok    ' if good else 'FAILED'}  {name}", flush=True)
        if not good and seen is not None:
            for line in str(seen).splitlines()[:30]:
                print(f"            {line[:300]}")
        return good

    def equal(self, name, seen, expected):
        return self(name, seen == expected, f"expected {expected!r}\nseen     {seen!r}")

    def clean(self, world, *runs):
        """Makes the checks common to all scenarios: hooks succeed, stderr is empty, nothing is left."""
        hooks = world.hooks()
        self("every hook succeeds", hooks and all(h[1] == 0 for h in hooks),
             [h for h in hooks if h[1]] or "the client's logs contain no hook")
        if runs:
            stderr = "\n".join(run.stderr for run in runs if run.stderr)
            self("stderr is empty", not stderr, stderr)
        left = world.left_behind()
        self("no process and no file is left", not left, "\n".join(left))
        warnings = world.warnings()
        self("memctl's logs contain no warning", not warnings, "\n".join(warnings))


def run_scenario(check, claude, memctl, scenario):
    check.scenario = scenario.__name__
    print(f"{scenario.__name__}: {scenario.__doc__.strip().splitlines()[0]}", flush=True)
    began = time.monotonic()
    worlds = []

    def world(script, **settings):
        worlds.append(World(claude, memctl, script, **settings))
        return worlds[-1]

    try:
        scenario(check, world)
    except Exception:
        check("the scenario raises no exception", False, traceback.format_exc())
    for each in worlds:
        check.hooks += [(scenario.__name__, *hook) for hook in each.hooks()]
        if not os.environ.get("KEEP"):
            each.close()
        else:
            print(f"          kept: {each.root}")
    print(f"          {time.monotonic() - began:.1f} s")


def timings(hooks):
    by_event = {}
    for _, event, _, took in hooks:
        if took is not None:
            by_event.setdefault(event.split(":")[0], []).append(took)
    if by_event:
        print("latencies of the hooks, as measured by the client, in ms")
        print(f"  {'event':<20} {'n':>4} {'min':>5} {'median':>7} {'max':>5}")
    for event, took in sorted(by_event.items()):
        middle = statistics.median(took)
        print(f"  {event:<20} {len(took):>4} {min(took):>5} {middle:>7.0f} {max(took):>5}")
    slowest = sorted((took, event, scenario) for scenario, event, _, took in hooks if took is not None)
    text = ", ".join(f"{took} {event} in {scenario}" for took, event, scenario in slowest[:-4:-1])
    print(f"  slowest: {text}")


def main():
    args = sys.argv[1:]
    if args == ["-l"]:
        for scenario in SCENARIOS:
            print(f"{scenario.__name__:<24} {scenario.__doc__.strip().splitlines()[0]}")
        return 0
    if len(args) < 2 or not all(os.access(path, os.X_OK) for path in args[:2]):
        print("usage: run.sh CLAUDE_BINARY MEMCTL_BINARY [SCENARIO …]", file=sys.stderr)
        return 2
    claude, memctl = (os.path.realpath(path) for path in args[:2])
    check = Check()
    for scenario in SCENARIOS:
        if not args[2:] or any(word in scenario.__name__ for word in args[2:]):
            run_scenario(check, claude, memctl, scenario)
    timings(check.hooks)
    print(f"{check.passed} ok, {len(check.failed)} FAILED")
    for name in check.failed:
        print(f"  {name}")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
