#!/bin/sh
# The other way in: tells a living worker about a command, without memctl's hooks.
#
#   cargo test 2>&1 | hooks/observe.sh 'cargo test'        the only worker there is
#   cargo test 2>&1 | hooks/observe.sh 'cargo test' SOCKET
#
# A line of JSON goes to the worker's socket, and a line of JSON comes back:
#   {"type":"observation","tool_name":"Bash","tool_input":{"command":"…"},"tool_response":"…"}
#   {"ok":true,"id":"…","duplicate":false}
set -u

say() {
    printf 'observe.sh: %s\n' "$1" >&2
    exit "${2-1}"
}

# stdin as the inside of a JSON string. Control bytes other than tab and newline are left out.
tab=$(printf '\t')
escape() {
    LC_ALL=C tr -d '\000-\010\013-\037\177' |
        LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g" |
        LC_ALL=C awk '{ printf "%s%s", sep, $0; sep = "\\n" }'
}

case ${1-} in '' | -h | --help) say "usage: COMMAND'S OUTPUT | observe.sh COMMAND [SOCKET]" 2 ;; esac
command -v nc >/dev/null 2>&1 ||
    say 'nc is not installed; the package is netcat-openbsd (Debian), nmap-ncat (Fedora)'

socket=${2-}
if [ -z "$socket" ]; then
    socket=$("${MEMCTL_BIN:-memctl}" ps --json |
        grep -o '"socket": *"[^"]*"' | sed 's/^"socket": *"\(.*\)"$/\1/')
    case $socket in
    '') say 'no worker is running; one starts with the first prompt of a session' ;;
    *'
'*) say "several workers are running, name the socket of one:
$socket" 2 ;;
    esac
fi
[ -S "$socket" ] || say "$socket is no socket"

command=$(printf '%s\n' "$1" | escape)
response=$([ -t 0 ] || escape)
answer=$(printf '{"type":"observation","tool_name":"Bash","tool_input":{"command":"%s"},"tool_response":"%s"}\n' \
    "$command" "$response" | nc -U "$socket") ||
    say "nc could not talk to $socket; it must be an nc that knows -U (netcat-openbsd, ncat)"

printf '%s\n' "$answer"
case $answer in '{"ok":true'*) ;; *) exit 1 ;; esac
