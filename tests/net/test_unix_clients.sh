#!/usr/bin/env bash
# Programs of others against the example `local`: socat, ncat and nc on Unix streams, records,
# datagrams, abstract names, FIFOs and terminals. What they send comes back.
set -u
size=$((1 << 20))                           # bytes sent on streams
program=${EDO_BIN_DIR:?is set by ctest}/examples/local
. "$(dirname "$0")/../support/clients.sh"
. "$(dirname "$0")/../support/servers.sh"
command -v socat >/dev/null || skip "socat is not installed (script/setup)"

# listens ADDRESS: whether a socket of that name listens, or takes datagrams.
listens() {
    awk -v name="$1" '$8 == name && ($4 == "00010000" || $5 == "0002") { found = 1 }
                      END { exit !found }' /proc/net/unix
}

# start KIND ADDRESS: runs the server, and waits until it has its address.
start() {
    "${emulator[@]}" "$program" "$1" "$2" 2>"$work/stderr" &
    server=$!
    until listens "$2"; do
        kill -0 "$server" 2>/dev/null || fail "no server: $(cat "$work/stderr")"
    done
}

# stop: ends the server, which must say so with status 0.
stop() {
    local status
    end_server TERM "$server"
    status=$?
    server=
    [ $status = 0 ] || fail "the server ended with $status: $(cat "$work/stderr")"
}

# with_socat NAME ADDRESS [SENT]: a client whose end of input reaches the server.
with_socat() {
    limited socat -b 4096 -t "$limit" STDIO "$2" <"${3:-$work/sent}" >"$work/got" ||
        fail "$1 ended with $?"
    came_back "$1" "${3:-$work/sent}"
}

head -c $size /dev/urandom >"$work/sent"

# ---- streams, by path and by abstract name ----

socket=$work/stream
start stream "$socket"
[ "$(stat -c %a "$socket")" = 600 ] || fail "the path has mode $(stat -c %a "$socket")"
with_socat "socat UNIX-CONNECT" "UNIX-CONNECT:$socket"
if has nc; then
    limited nc -N -U "$socket" <"$work/sent" >"$work/got" || fail "nc -U ended with $?"
    came_back "nc -U"
fi
if has ncat; then
    limited ncat -U "$socket" <"$work/sent" >"$work/got" || fail "ncat -U ended with $?"
    came_back "ncat -U"
fi
stop
[ ! -e "$socket" ] || fail "the path was not removed"

name=edo-test-$$
start stream "@$name"
with_socat "socat ABSTRACT-CONNECT" "ABSTRACT-CONNECT:$name"
stop

# ---- records ----

start seqpacket "$work/records"
with_socat "socat seqpacket" "UNIX-CONNECT:$work/records,so-type=5"
stop

# ---- datagrams ----

start datagram "$work/datagrams"
lines_come_back "socat UNIX-SENDTO" \
    socat STDIO "UNIX-SENDTO:$work/datagrams,bind=$work/client"
if has ncat; then
    lines_come_back "ncat -U -u" ncat -U -u "$work/datagrams"
fi
stop

# ---- our client, a server of others ----

limited socat "UNIX-LISTEN:$work/theirs" EXEC:cat &
server=$!
until listens "$work/theirs"; do
    kill -0 $server 2>/dev/null || fail "no socat"
done
limited "${emulator[@]}" "$program" connect "$work/theirs" <"$work/sent" >"$work/got" ||
    fail "connect ended with $?"
came_back "socat UNIX-LISTEN"
wait $server
server=

# ---- FIFOs ----

"${emulator[@]}" "$program" fifo "$work/fifo" 2>"$work/stderr" &
server=$!
until [ -p "$work/fifo.out" ]; do
    kill -0 $server 2>/dev/null || fail "no server: $(cat "$work/stderr")"
done
limited socat -u "OPEN:$work/fifo.out" "CREATE:$work/got" &
reader=$!
limited socat -u "OPEN:$work/sent" "OPEN:$work/fifo.in,wronly" || fail "the writer ended with $?"
wait $reader || fail "the reader ended with $?"
wait $server || fail "the server of FIFOs ended with $?: $(cat "$work/stderr")"
server=
came_back "socat with FIFOs"

# ---- terminals, sockets and pipes as standard input and output ----

run=$(printf '%s ' "${emulator[@]}" "$program" stdio)
cat "$work/sent" | limited "${emulator[@]}" "$program" stdio | cat >"$work/got"
came_back "pipes"
limited "${emulator[@]}" "$program" stdio <"$work/sent" >"$work/got" || fail "files: $?"
came_back "files"
limited "${emulator[@]}" "$program" stdio </dev/null >/dev/null || fail "/dev/null: $?"
with_socat "socat EXEC, a socket" "EXEC:$run"
lines_come_back "socat EXEC, a terminal" \
    socat STDIO "EXEC:$run,pty,setsid,ctty,raw,echo=0"
