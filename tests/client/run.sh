#!/bin/sh
# Checks memctl with a real client, against a scripted Messages API on loopback:
#
#   tests/client/run.sh CLAUDE_BINARY MEMCTL_BINARY [WORD …]
#
# One line for each check, exit code 1 if one failed. WORDs pick scenes by name, `-l` lists them.
# Needs Python 3.8 and tmux. Everything happens in throwaway folders under /tmp with an
# environment made from nothing: no key, no login, no network. No part of `make test`.
set -eu

for tool in python3 tmux; do
    command -v "$tool" >/dev/null 2>&1 || { echo "run.sh: $tool is missing" >&2; exit 2; }
done
exec python3 -B "${0%/*}/checks.py" "$@"
