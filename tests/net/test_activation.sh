#!/usr/bin/env bash
# edo-test: once
# Socket activation by systemd-socket-activate: the program that it starts takes over its sockets.
set -u
skipped=77
limit=30 # seconds; it takes less than one
program=${EDO_BIN_DIR:?is set by ctest}/tests/net/test_inherit

for tool in systemd-socket-activate ss; do
    command -v "$tool" >/dev/null || { echo "no $tool"; exit $skipped; }
done
[ -z "${EDO_EMULATOR:-}" ] || { echo "it cannot start programs of another processor"; exit $skipped; }

. "$(dirname "$0")/../support/servers.sh"
activator=
trap '[ -z "$activator" ] || kill -KILL "$activator" 2>/dev/null' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# A port that is in use ends the activator at once.
for try in 1 2 3 4 5; do
    port=$(random_port)
    systemd-socket-activate -l "127.0.0.1:$port" --fdname=front "$program" --serve 1 front \
        2>/dev/null &
    activator=$!
    await_port t "$port" "$activator" && break
    [ "$try" != 5 ] || fail "no activator in $try tries"
done

exec 3<>"/dev/tcp/127.0.0.1/$port" || fail "nobody listens on $port"
printf 'q' >&3
IFS= read -r -t "$limit" -n 1 -u 3 answer || fail "no answer"
[ "$answer" = q ] || fail "the answer is '$answer'"
exec 3>&-
wait "$activator"
status=$?
activator=
[ "$status" = 0 ] || fail "the server ended with status $status"
