#!/bin/sh
# Replays a recorded session through the hooks of memctl in a temporary home, and shows the result.
# Fails if a summary or the context of the next session is missing, or if a worker does not exit.
#
#   tests/demo/run.sh MEMCTL
set -u

case ${1-} in
'') echo 'usage: tests/demo/run.sh MEMCTL' >&2 && exit 2 ;;
*/*) memctl=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") ;;
*) memctl=$(command -v "$1") ;;
esac
[ -x "$memctl" ] || { echo "demo: $1 is not executable; 'make run' builds it first" >&2 && exit 2; }
recording=$(cd "$(dirname "$0")" && pwd)/session.jsonl

# Use a temporary directory under /tmp, because a socket's path has at most 103 bytes on macOS.
for name in $(env | sed -n 's/^\([A-Z_0-9]*\)=.*/\1/p'); do
    case $name in MEMCTL_* | CLAUDE* | XDG_* | GIT_*) unset "$name" ;; esac
done
world=$(mktemp -d /tmp/memctl-demo.XXXXXX) || exit 1
finish() {
    code=$?
    trap - EXIT HUP INT TERM
    "$memctl" kill --all >/dev/null 2>&1
    rm -rf "$world"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM
export HOME="$world/home" MEMCTL_DATA_DIR="$world/data" MEMCTL_SOCKET_DIR="$world/s"

# The user's own config file is read whatever HOME says.
backend=$("$memctl" config get agent.backend) || exit 1
if [ "$backend" != extractive ]; then
    echo "demo: your config file sets agent.backend = $backend, which the demo would call" >&2
    exit 1
fi
case $("$memctl" status --json) in
*'"recording":"on"'* | *'"recording":"hooks"'*) ;;
*) echo 'demo: nothing is recorded; "memctl status" says why' >&2 && exit 1 ;;
esac
project=$HOME/tally
mkdir -p "$project" "$MEMCTL_SOCKET_DIR"
cd "$project" || exit 1
echo '# tally' >README.md
git init -q . 2>/dev/null || true # without git, the directory is the project
export CLAUDE_PROJECT_DIR="$project" CLAUDE_PID=$$

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
    export CLICOLOR_FORCE=1
else
    bold='' dim='' plain=''
fi

# memctl writes to a pipe here and cannot see the terminal's width, so pass it in COLUMNS.
columns=96
[ -t 1 ] && columns=$(stty size 2>/dev/null </dev/tty | cut -d ' ' -f 2)
export COLUMNS=$((${columns:-96} - 4))

heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
indent() { sed 's/^/    /'; }
fail() {
    printf '\ndemo: %s\n' "$1" >&2
    for log in "$MEMCTL_DATA_DIR"/logs/*; do
        [ -f "$log" ] && { echo "--- $log" && tail -n 20 "$log"; } >&2
    done
    exit 1
}
ms() {
    now=$(date +%s%N) # prints an N where date has no nanoseconds (macOS)
    case $now in *N) echo "${now%N}000" ;; *) echo "${now%??????}" ;; esac
}

# Prints the raw string value of a key that occurs once in a line of JSON.
field() {
    rest=${2#*\"$1\":\"}
    [ "$rest" = "$2" ] || printf '%s' "${rest%%\"*}"
}

hook() { printf '%s\n' "$2" | "$memctl" hook "$1" || fail "hook $1 exited with $?"; }

unfinished() { "$memctl" queue --json | grep -qE '"status": *"(pending|processing)"'; }
live_pids() { "$memctl" ps --json | grep -o '"pid": *[0-9]*' | tr -dc '0-9\n'; }
summarized() { ! unfinished && "$memctl" show "$1" >/dev/null 2>&1; }
all_exited() {
    for pid in $pids $(live_pids); do alive "$pid" && return 1; done
    ! unfinished
}
# A dead worker stays a zombie if the init process reaps no children, as in some containers.
alive() {
    kill -0 "$1" 2>/dev/null || return 1
    case $(cat "/proc/$1/stat" 2>/dev/null || ps -o stat= -p "$1") in
    Z* | *') Z '*) return 1 ;;
    esac
}

# Polls a condition for at most 20 seconds.
wait_until() {
    what=$1
    shift
    end=$(($(date +%s) + 20))
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || fail "timed out after 20 s: $what"
        sleep 0.02 2>/dev/null || sleep 1
    done
}

began=$(ms) n_hooks=0 in_hooks=0 turn=0 tools='' pids=''
heading 'A session of Claude Code, as its hooks send it to memctl'

# Prints the tools of the turn on one line.
show_tools() {
    [ -z "$tools" ] || printf '  %stools   %s%s\n' "$dim" "${tools# }" "$plain"
    tools=''
}

after_stop() {
    turn=$((turn + 1)) pids="$pids $(live_pids)"
    if [ "$turn" = 1 ]; then
        heading "memctl ps, while its worker is running"
        "$memctl" ps | indent
        [ -n "$(live_pids)" ] || fail 'no worker is running after the first turn'
    fi
    wait_until "summary s$turn exists" summarized "s$turn"
    heading "memctl show s$turn: the memory of this turn"
    "$memctl" show "s$turn" | indent
    [ "$turn" != 1 ] || heading 'The session continues'
}

while IFS= read -r line; do
    line=$(printf '%s' "$line" | sed "s|/home/dev|$HOME|g")
    event=$(field hook_event_name "$line")
    start=$(ms)
    answer=$(hook "$event" "$line") || exit 1
    in_hooks=$((in_hooks + $(ms) - start)) n_hooks=$((n_hooks + 1))
    case $answer in
    '{'*'}') ;;
    *) fail "hook $event printed no JSON object: $answer" ;;
    esac
    case $event in
    SessionStart) printf '  start   %s\n' "$(field source "$line")" ;;
    UserPromptSubmit) printf '  prompt  %s\n' "$(field prompt "$line" | cut -c 1-88)…" ;;
    PostToolUse) tools="$tools $(field tool_name "$line")" ;;
    PostToolUseFailure) tools="$tools $(field tool_name "$line")(failed)" ;;
    SubagentStop) tools="$tools $(field agent_type "$line")'s-report" ;;
    Stop)
        show_tools
        message=$(field last_assistant_message "$line")
        printf '  stop    %s\n' "$(printf '%s' "${message%%\\n*}" | cut -c 1-88)"
        after_stop
        ;;
    SessionEnd) printf '  end     %s\n' "$(field reason "$line")" ;;
    esac
done <"$recording"

wait_until 'the worker exits' all_exited
for socket in "$MEMCTL_SOCKET_DIR"/*.sock; do
    [ ! -e "$socket" ] || fail "a socket is left: $socket"
done

heading 'The next session starts. memctl context prints the context that it receives:'
next='{"session_id":"0d6c3c6a-75a8-4f0e-8d0b-b1a2f7e1c9d4","cwd":"'$project'",'
next=$next'"hook_event_name":"SessionStart","source":"startup"}'
case $(hook SessionStart "$next") in
*'"additionalContext":"'?*) ;;
*) fail 'the hook of the next session printed no context' ;;
esac
context=$("$memctl" context)
[ -n "$context" ] || fail 'memctl context printed nothing'
printf '%s\n' "$context" | indent

took=$(($(ms) - began))
heading "$n_hooks hooks in $in_hooks ms, shell included; $took ms in total, and no worker is left"
