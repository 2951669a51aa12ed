#!/usr/bin/env bash
# Real clients against the echo example: what they send comes back, over IPv4 and IPv6, and SIGINT
# or SIGTERM ends the server with status 0.
set -u
size=$((8 << 20))                          # bytes sent by each
program=${EDO_BIN_DIR:?is set by ctest}/examples/echo
. "$(dirname "$0")/../support/clients.sh"
. "$(dirname "$0")/../support/servers.sh"
command -v ss >/dev/null || skip "ss is not installed (script/setup)"

# start ADDRESS [WORKERS]: runs the server on ADDRESS:PORT with a port that is free.
start() {
    local try
    for try in 1 2 3 4 5; do
        port=$(random_port)
        # The shell would have a job in the background ignore SIGINT, and so would edo.
        env --default-signal=INT "${emulator[@]}" "$program" "$1:$port" "${2:-0}" 2>"$work/stderr" &
        server=$!
        await_port t "$port" "$server" && return
        wait "$server"
    done
    cat "$work/stderr" >&2
    fail "no server on $1 in $try tries"
}

# stop SIGNAL: ends the server, which must say so with status 0.
stop() {
    local status
    end_server "$1" "$server"
    status=$?
    server=
    [ $status = 0 ] || fail "the server ended with $status after $1: $(cat "$work/stderr")"
}

# ---- the clients: each sends $work/sent to HOST and PORT, and prints what it gets ----

with_socat() {
    limited socat -t "$limit" STDIO "$1:$2:$port" <"$work/sent" >"$work/got" ||
        fail "socat $1 ended with $?"
    came_back "socat.$1"
}

with_nc() {
    limited nc -N "$1" "$port" <"$work/sent" >"$work/got" || fail "nc $1 ended with $?"
    came_back "nc.$2"
}

# Only what telnet does not interpret.
with_curl() {
    lines_come_back "curl.$1" curl -sN "telnet://$1:$port"
}

with_python() {
    limited python3 - "$1" "$port" "$work/sent" "$work/got" <<'PYTHON' || fail "python: $?"
import socket
import sys
import threading

host, port, sent, got = sys.argv[1:]
with socket.create_connection((host, int(port))) as conn, open(sent, "rb") as data:
    sender = threading.Thread(target=lambda: (conn.sendfile(data), conn.shutdown(socket.SHUT_WR)))
    sender.start()
    with open(got, "wb") as out:
        while chunk := conn.recv(65536):
            out.write(chunk)
    sender.join()
PYTHON
    came_back python
}

with_all() {
    local host=$1 socat_type=$2
    ! has socat || with_socat "$socat_type" "$host"
    ! has nc || with_nc "${host//[\[\]]/}" "$socat_type"
    ! has curl || with_curl "$host"
    has socat || has nc || with_python "${host//[\[\]]/}"
}

# Four at once.
with_crowd() {
    local i pids=()
    has nc || return 0
    for i in 1 2 3 4; do
        limited nc -N "$1" "$port" <"$work/sent" >"$work/got.crowd.$i" &
        pids+=($!)
    done
    for i in 1 2 3 4; do
        wait "${pids[i - 1]}" || fail "nc $i of a crowd ended with $?"
        cmp "$work/sent" "$work/got.crowd.$i" || fail "crowd.$i: what came back differs"
    done
}

# ---- the tests ----

head -c $size /dev/urandom >"$work/sent"

start 127.0.0.1
with_all 127.0.0.1 TCP4
with_crowd 127.0.0.1
stop INT

start 127.0.0.1 2                          # workers
with_all 127.0.0.1 TCP4
with_crowd 127.0.0.1
stop INT

start 127.0.0.1
exec 9<>"/dev/tcp/127.0.0.1/$port"         # a client that says nothing does not hold it up
stop TERM
exec 9>&-

if grep -q . /proc/net/if_inet6 2>/dev/null; then
    start '[::1]'
    with_all '[::1]' TCP6
    stop INT

    start ''                               # every address of the machine, both families
    with_all 127.0.0.1 TCP4
    with_all '[::1]' TCP6
    stop INT
fi
