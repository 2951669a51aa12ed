#!/usr/bin/env bash
# iperf3 through the proxy example: bulk data, both directions, several connections, half-closes.
set -u
skipped=77
limit=60 # seconds for one run; it takes less than one
proxy=${EDO_BIN_DIR:?is set by ctest}/examples/proxy
read -ra emulator <<<"${EDO_EMULATOR:-}"

[ "${EDO_DRIVER:-}" != chaos ] || exit $skipped # it is for test programs only
[ -x "$proxy" ] || { echo "no $proxy: examples are not built"; exit $skipped; }
for tool in iperf3 ss; do
    command -v "$tool" >/dev/null || { echo "no $tool"; exit $skipped; }
done

children=()
work=$(mktemp -d)
trap 'kill "${children[@]}" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    cat "$work"/* >&2
    exit 1
}

. "$(dirname "$0")/../support/servers.sh"

# start NAME PORT COMMAND...: starts a server, and waits until it listens on the port. Fails if it
# ends before, for instance because the port is in use.
start() {
    local name=$1 port=$2
    shift 2
    "$@" >"$work/$name" 2>&1 &
    children+=($!)
    await_port t "$port" "${children[-1]}"
}

# start_somewhere NAME COMMAND...: the same on a port that is free; @PORT@ stands for it in the command.
# The port is then in $port.
start_somewhere() {
    local name=$1 try
    shift
    for try in 1 2 3 4 5; do
        port=$(random_port)
        start "$name" "$port" "${@//@PORT@/$port}" && return
    done
    fail "no $name in $try tries"
}

start_somewhere server iperf3 -s -p @PORT@ --forceflush
server=${children[-1]} server_port=$port
start_somewhere proxy "${emulator[@]}" "$proxy" 127.0.0.1:@PORT@ "127.0.0.1:$server_port"
proxy_port=$port

# run ARGS...: 64 MiB through the proxy. iperf3 fails when bytes are missing. The server closes its
# listening socket after each test, and resets whatever connects before it says that it listens again.
tests=0
run() {
    tests=$((tests + 1))
    until grep -q "^Server listening on $server_port (test #$tests)" "$work/server"; do
        kill -0 "$server" 2>/dev/null || fail "iperf3 has ended"
    done
    timeout -k 1 "$limit" iperf3 -c 127.0.0.1 -p "$proxy_port" -n 64M "$@" >"$work/client" 2>&1 ||
        fail "iperf3 $*"
}

run
run -R
run -P 4
run -P 4 --bidir

# A client that ends its half and then reads, as ssh does: the answer still comes.
if command -v socat >/dev/null; then
    head -c 3000000 /dev/urandom >"$work/sent"
    start_somewhere answer socat TCP-LISTEN:@PORT@,bind=127.0.0.1,reuseaddr \
        SYSTEM:"cat >$work/held; cat $work/held"
    start_somewhere half "${emulator[@]}" "$proxy" 127.0.0.1:@PORT@ "127.0.0.1:$port"
    timeout -k 1 "$limit" socat -t "$limit" - "TCP:127.0.0.1:$port" <"$work/sent" \
        >"$work/received" || fail "socat"
    cmp "$work/sent" "$work/received" || fail "other bytes came back"
fi
