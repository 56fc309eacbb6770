#!/bin/sh
# Checks memctl with a real client, against a scripted Messages API on loopback:
#
#   tests/client/run.sh CLAUDE_BINARY MEMCTL_BINARY [SCENARIO …]
#
# Prints one line per check. The exit code is 1 if a check failed. The optional arguments select the
# scenarios whose names contain one of them; `-l` lists all names.
#
# Needs Python 3.8 and tmux. The client runs in temporary directories under /tmp with an empty
# environment: no key, no login, no network. KEEP=1 keeps the directories.
#
# `make test` does not run these checks.
set -eu

for tool in python3 tmux; do
    command -v "$tool" >/dev/null 2>&1 || { echo "run.sh: $tool is missing" >&2; exit 2; }
done
exec python3 -B "${0%/*}/checks.py" "$@"
