#!/usr/bin/env bash
# Guests of the chat example, by nc: nick names, rooms, a slow reader that is cut off, the goodbye at
# SIGINT.
set -u
skipped=77
chat=${EDO_BIN_DIR:?is set by ctest}/examples/${CHAT:-chat}
read -ra emulator <<<"${EDO_EMULATOR:-}" # what a program for another processor needs before it

[ "${EDO_DRIVER:-}" != chaos ] || exit $skipped # it is for test programs only
[ -x "$chat" ] || { echo "no $chat: examples are not built"; exit $skipped; }
command -v nc >/dev/null || { echo "there is no nc"; exit $skipped; }
. "$(dirname "$0")/../support/servers.sh"
work=$(mktemp -d)
children=()
trap 'kill -KILL "${children[@]}" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    head -c 2000 "$work"/*.out "$work/server" >&2
    exit 1
}

# await FILE TEXT: until the text stands in the file; ctest has the limit.
await() {
    until grep -qF -- "$2" "$work/$1" 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || fail "the server has gone before '$2' stood in $1"
        sleep 0.01
    done
}

# The shell would have a job in the background ignore SIGINT, and so would edo.
env --default-signal=INT "${emulator[@]}" "$chat" 127.0.0.1:0 >"$work/server" &
server=$!
children+=("$server")
await server "listening on"
port=$(sed -n 's/^listening on .*://p' "$work/server")

# guest NAME: connects; what is written to NAME.in goes to the server, its answers to NAME.out.
guest() {
    mkfifo "$work/$1.in"
    nc 127.0.0.1 "$port" <"$work/$1.in" >"$work/$1.out" &
    children+=($!)
    exec {input}>"$work/$1.in"
    inputs[$1]=$input
    says "$1" "$1"
    await "$1.out" "* you are in lobby"
}

says() {
    printf '%s\n' "$2" >&"${inputs[$1]}"
}

declare -A inputs
guest alice
guest bob
await alice.out "* bob has come"

says alice "good morning"
await bob.out "alice: good morning"
says bob "/nick robert"
await alice.out "* bob is now robert"

says bob "/join kitchen"
await bob.out "* you are in kitchen"
await alice.out "* robert has left"
says alice "nobody hears this"
says alice "/join kitchen"
await bob.out "* alice has come"
says alice "coffee?"
await bob.out "alice: coffee?"
! grep -q "nobody hears" "$work/bob.out" || fail "a line went to another room"
says alice "/who"
await alice.out "* 2 here"

# A guest who reads nothing, in a room where much is said: no more at a time than a room keeps, so that
# the others keep up on a busy machine, too.
exec {slow}<>"/dev/tcp/127.0.0.1/$port"
printf 'slow\n/join kitchen\n' >&"$slow"
await bob.out "* slow has come"
line=$(printf 'x%.0s' {1..150})
for ((batch = 1; ; batch++)); do
    for _ in {1..20}; do
        says alice "$line"
    done
    says alice "end of $batch"
    await bob.out "end of $batch"
    ! grep -qF "* slow has left" "$work/bob.out" || break
done
exec {slow}>&-

says alice "/quit"
await alice.out "* goodbye"
await bob.out "* alice has left"

end_server INT "$server" || fail "the server ended with status $?"
until grep -qF "* goodbye" "$work/bob.out"; do
    sleep 0.01
done
exit 0
