#!/usr/bin/env bash
# Real clients, dig and dnsperf, against the DNS example.
set -u
skipped=77
limit=60 # seconds for one client; it takes less than one
dns=${EDO_BIN_DIR:?is set by ctest}/examples/dns
read -ra emulator <<<"${EDO_EMULATOR:-}"

[ "${EDO_DRIVER:-}" != chaos ] || exit $skipped # it is for test programs only
[ -x "$dns" ] || { echo "SKIPPED: no $dns: examples are not built"; exit $skipped; }
for tool in dig ss; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: no $tool: run script/setup"; exit $skipped; }
done
. "$(dirname "$0")/../support/servers.sh"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    cat "$work/stderr" >&2
    exit 1
}

# ask SERVER NAME TYPE: dig's short answers, in one line. dig asks again when an answer takes long.
ask() {
    timeout -k 1 "$limit" dig +time=10 +tries=5 +short +notcp +ignore -p "$port" "@$1" "$2" "$3" | sort | xargs
}

# status NAME TYPE: the code of the answer.
status() {
    timeout -k 1 "$limit" dig +time=10 +tries=5 -p "$port" @127.0.0.1 "$1" "$2" |
        sed -n 's/.*status: \([A-Z]*\),.*/\1/p'
}

# start ADDRESS: runs the server on a port that is free.
start() {
    local try
    for try in 1 2 3 4 5; do
        port=$(random_port)
        env --default-signal=INT "${emulator[@]}" "$dns" "$1:$port" \
            www.example=192.0.2.1 www.example=192.0.2.2 www.example=2001:db8::1 \
            Mixed.Case.example=192.0.2.3 2>"$work/stderr" &
        server=$!
        await_port u "$port" "$server" && break
        wait "$server"
    done
    kill -0 "$server" 2>/dev/null || fail "no server in $try tries"
    expect "a first question" "$(ask 127.0.0.1 mixed.case.example A)" 192.0.2.3
}

expect() {
    [ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
    echo "ok: $1"
}

start 0.0.0.0
expect "two addresses" "$(ask 127.0.0.1 www.example A)" "192.0.2.1 192.0.2.2"
expect "IPv6 address" "$(ask 127.0.0.1 www.example AAAA)" "2001:db8::1"
expect "case" "$(ask 127.0.0.1 wWw.ExAmPlE A)" "192.0.2.1 192.0.2.2"
expect "all types" "$(ask 127.0.0.1 www.example ANY)" "192.0.2.1 192.0.2.2 2001:db8::1"
# dig takes an answer only from the address that it has asked.
expect "from another address" "$(ask 127.0.0.7 www.example A)" "192.0.2.1 192.0.2.2"
expect "no such name" "$(status no.example A)" NXDOMAIN
expect "no such type" "$(status www.example MX)" NOERROR

if command -v dnsperf >/dev/null; then
    for _ in $(seq 100); do
        printf 'www.example A\nwww.example AAAA\nno.example A\n'
    done >"$work/queries"
    timeout -k 1 "$limit" dnsperf -s 127.0.0.1 -p "$port" -d "$work/queries" -n 20 -c 4 -Q 20000 \
        -t "$limit" >"$work/perf" 2>&1 || fail "dnsperf: $(cat "$work/perf")"
    sent=$(sed -n 's/ *Queries sent: *//p' "$work/perf")
    completed=$(sed -n 's/ *Queries completed: *\([0-9]*\).*/\1/p' "$work/perf")
    expect "dnsperf" "$sent $completed" "6000 6000"
fi

end_server INT "$server"
expect "the end" "$?" 0
server=
