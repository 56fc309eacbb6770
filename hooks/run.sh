#!/bin/sh
# Runs `memctl hook EVENT` with the first memctl found. memctl reads the payload from stdin.
# If there is none, exits with 0 and prints nothing, because the client shows the output of a failing
# hook under every tool call. Uses only shell builtins, because it runs before every hook.

trap 'exit 0' EXIT # A failed `exec` ends the shell.
# In bash, a failed `exec` skips the trap. With execfail it does not end the shell.
if [ -n "${BASH_VERSION-}" ]; then shopt -s execfail; fi

run() {
    program=$1
    shift
    if [ -f "$program" ] && [ -x "$program" ]; then exec "$program" hook "$@"; fi
}

run "${MEMCTL_BIN-}" "$@"

# Only absolute entries: a work tree must not supply the binary.
set -f
IFS=:
for dir in $PATH; do
    case $dir in /*) run "$dir/memctl" "$@" ;; esac
done

run "${HOME-}/.local/bin/memctl" "$@"
run "${HOME-}/.cargo/bin/memctl" "$@"
run "${0%/*}/../bin/memctl" "$@"
