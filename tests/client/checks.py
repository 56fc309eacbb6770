"""The driver: runs the scenes, prints a line per check, and the times of the hooks."""

import os
import statistics
import sys
import time
import traceback

import headless
import registered
import terminal
import trouble
from world import World

SCENES = [*headless.SCENES, *trouble.SCENES, *registered.SCENES, *terminal.SCENES]


class Check:
    """Prints and counts. A scene calls it with a condition and, if it fails, the observed value."""

    def __init__(self):
        self.failed = []
        self.passed = 0
        self.hooks = []
        self.scene = None

    def __call__(self, name, good, seen=None):
        if good:
            self.passed += 1
        else:
            self.failed.append(f"{self.scene}: {name}")
        print(f"  {'ok    ' if good else 'FAILED'}  {name}", flush=True)
        if not good and seen is not None:
            for line in str(seen).splitlines()[:30]:
                print(f"            {line[:300]}")
        return good

    def equal(self, name, seen, expected):
        return self(name, seen == expected, f"expected {expected!r}\nseen     {seen!r}")

    def quiet(self, world, *runs):
        """Checks of every scene: hooks succeed, the user sees no message, no process or file is left."""
        hooks = world.hooks()
        self("every hook succeeded", all(h[1] == 0 for h in hooks), [h for h in hooks if h[1]])
        if runs:
            said = "\n".join(run.stderr for run in runs if run.stderr)
            self("nothing on standard error", not said, said)
        left = world.left_behind()
        self("nothing is left behind", not left, "\n".join(left))
        complaints = world.complaints()
        self("memctl's logs contain no warning", not complaints, "\n".join(complaints))


def run_scene(check, claude, memctl, scene):
    check.scene = scene.__name__
    print(f"{scene.__name__}: {scene.__doc__.strip().splitlines()[0]}", flush=True)
    began = time.monotonic()
    worlds = []

    def world(script, **settings):
        worlds.append(World(claude, memctl, script, **settings))
        return worlds[-1]

    try:
        scene(check, world)
    except Exception:
        check("the scene ran to its end", False, traceback.format_exc())
    for each in worlds:
        check.hooks += [(scene.__name__, *hook) for hook in each.hooks()]
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
        print("hooks as the client saw them, in ms")
        print(f"  {'event':<20} {'n':>4} {'min':>5} {'median':>7} {'max':>5}")
    for event, took in sorted(by_event.items()):
        middle = statistics.median(took)
        print(f"  {event:<20} {len(took):>4} {min(took):>5} {middle:>7.0f} {max(took):>5}")
    slowest = sorted((took, event, scene) for scene, event, _, took in hooks if took is not None)
    said = ", ".join(f"{took} {event} in {scene}" for took, event, scene in slowest[:-4:-1])
    print(f"  slowest: {said}")


def main():
    words = sys.argv[1:]
    if words == ["-l"]:
        for scene in SCENES:
            print(f"{scene.__name__:<24} {scene.__doc__.strip().splitlines()[0]}")
        return 0
    if len(words) < 2 or not all(os.access(path, os.X_OK) for path in words[:2]):
        print("usage: run.sh CLAUDE_BINARY MEMCTL_BINARY [SCENE …]", file=sys.stderr)
        return 2
    claude, memctl = (os.path.realpath(path) for path in words[:2])
    check = Check()
    for scene in SCENES:
        if not words[2:] or any(word in scene.__name__ for word in words[2:]):
            run_scene(check, claude, memctl, scene)
    timings(check.hooks)
    print(f"{check.passed} ok, {len(check.failed)} FAILED")
    for name in check.failed:
        print(f"  {name}")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
