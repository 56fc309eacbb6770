#!/bin/sh
# Runs `memctl hook EVENT` with the first memctl found. memctl reads the payload from stdin. With the
# argument `mcp`, runs `memctl mcp`, the MCP server of the plugin.
# hooks.json reads this file into a shell that does nothing if the file is gone, and falls back to
# the installed copy. Settings and sessions of earlier releases run the file itself.
# If there is none, exits with 0 and prints nothing, because the client shows the output of a failing
# hook under every tool call. Uses only shell builtins, because it runs before every hook.

trap 'exit 0' EXIT # A failed `exec` ends the shell.
# In bash, a failed `exec` skips the trap. With execfail it does not end the shell.
if [ -n "${BASH_VERSION-}" ]; then shopt -s execfail; fi

# This file may be read twice.
case ${1-} in mcp | hook) ;; *) set -- hook "$@" ;; esac

run() {
    program=$1
    shift
    if [ -f "$program" ] && [ -x "$program" ]; then exec "$program" "$@"; fi
}

# A relative path leads into the work tree, which must not supply the binary.
run_absolute() {
    case $1 in /*) run "$@" ;; esac
}

run_absolute "${MEMCTL_BIN-}" "$@"

set -f
IFS=:
for dir in $PATH; do run_absolute "$dir/memctl" "$@"; done

run_absolute "${HOME-}/.local/bin/memctl" "$@"
run_absolute "${HOME-}/.cargo/bin/memctl" "$@"
run "${0%/*}/../bin/memctl" "$@"
