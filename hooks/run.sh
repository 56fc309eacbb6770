#!/bin/sh
# Runs `memctl hook EVENT` with the first memctl there is; the payload on stdin is its business.
# Without one, or with one that cannot be run, it succeeds silently: whatever else a hook does,
# the client shows the user under every tool call. Builtins only, for it runs before every hook.

trap 'exit 0' EXIT # an `exec` that fails ends the shell
if [ -n "${BASH_VERSION-}" ]; then shopt -s execfail; fi # or, in bash, skips the trap

run() {
    program=$1
    shift
    if [ -f "$program" ] && [ -x "$program" ]; then exec "$program" hook "$@"; fi
}

run "${MEMCTL_BIN-}" "$@"

# Only absolute entries: a work tree must not be able to bring its own memctl.
set -f
IFS=:
for dir in $PATH; do
    case $dir in /*) run "$dir/memctl" "$@" ;; esac
done

run "${HOME-}/.local/bin/memctl" "$@"
run "${HOME-}/.cargo/bin/memctl" "$@"
run "${0%/*}/../bin/memctl" "$@"
