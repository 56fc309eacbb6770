#!/bin/sh
# Reports a command and its output to a running worker, for tools without hooks.
#
#   cargo test 2>&1 | observe.sh 'cargo test'        the only worker that answers
#   cargo test 2>&1 | observe.sh 'cargo test' SOCKET
#
# Request and reply are one line of JSON each. The keys of the reply have no order:
#   {"type":"observation","tool_name":"Bash","tool_input":{"command":"…"},"tool_response":"…"}
#   {"duplicate":false,"id":"…","ok":true}
#
# Prints the reply. The exit code is 0 if the worker has stored the event. Of a long output the end is
# reported, because a line has at most 1 MiB.
set -u

say() {
    printf 'observe.sh: %s\n' "$1" >&2
    exit "${2-1}"
}

# Escapes stdin for a JSON string. Removes control characters other than tab and newline.
tab=$(printf '\t')
escape() {
    LC_ALL=C tr -d '\000-\010\013-\037\177' |
        LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$tab/\\\\t/g" |
        LC_ALL=C awk '{ printf "%s%s", sep, $0; sep = "\\n" }'
}

case ${1-} in '' | -h | --help) say 'usage: observe.sh COMMAND [SOCKET] <OUTPUT' 2 ;; esac
command -v nc >/dev/null 2>&1 ||
    say 'nc is missing; install netcat-openbsd (Debian) or nmap-ncat (Fedora)'

socket=${2-}
if [ -z "$socket" ]; then
    # A relative path would lead into the work tree.
    case ${MEMCTL_BIN-} in /*) memctl=$MEMCTL_BIN ;; *) memctl=memctl ;; esac
    # One worker per line. A quote inside of a string is escaped, so these patterns match keys only.
    socket=$("$memctl" ps --json | sed 's/}, *{"/},\
{"/g' | grep -E '"state": *"(serving|ending)"' | sed -n 's/.*"socket": *"\([^"]*\)".*/\1/p')
    case $socket in
    '') say 'no worker is running; the first prompt of a session starts one' ;;
    *'
'*) say "several workers are running; name the socket of one:
$socket" 2 ;;
    esac
fi
[ -S "$socket" ] || say "$socket is not a socket"

command=$(printf '%s\n' "$1" | escape)
response=$([ -t 0 ] || tail -c 400000 | escape)
answer=$(printf '{"type":"observation","tool_name":"Bash","tool_input":{"command":"%s"},"tool_response":"%s"}\n' \
    "$command" "$response" | nc -U "$socket") ||
    say "nc cannot connect to $socket; it must support -U (netcat-openbsd, ncat)"

printf '%s\n' "$answer"
case $answer in *'"ok":true'*) ;; *) exit 1 ;; esac
