#!/bin/sh
# Runs `memctl hook EVENT` with the first memctl it finds. memctl reads the payload from stdin.
# Without a memctl that can be run it exits with 0 and prints nothing, because the client shows the
# output of a failing hook under every tool call. Shell builtins only: it runs before every hook.

trap 'exit 0' EXIT # a failed `exec` ends the shell
if [ -n "${BASH_VERSION-}" ]; then shopt -s execfail; fi # in bash it would skip the trap

run() {
    program=$1
    shift
    if [ -f "$program" ] && [ -x "$program" ]; then exec "$program" hook "$@"; fi
}

run "${MEMCTL_BIN-}" "$@"

# Only absolute entries: a work tree must not provide the memctl that runs.
set -f
IFS=:
for dir in $PATH; do
    case $dir in /*) run "$dir/memctl" "$@" ;; esac
done

run "${HOME-}/.local/bin/memctl" "$@"
run "${HOME-}/.cargo/bin/memctl" "$@"
run "${0%/*}/../bin/memctl" "$@"
