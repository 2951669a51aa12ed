# Shared by the tests with clients of others: a server of the examples in $server, files in $work.
# The test sets `program` before it reads this file.
skipped=77
limit=60                                    # seconds for one client; it takes less than one
read -ra emulator <<<"${EDO_EMULATOR:-}"    # what a program for another processor needs before it

skip() {
    echo "SKIPPED: $*" >&2
    exit $skipped
}

[ "${EDO_DRIVER:-}" != chaos ] || skip "chaos is for test programs only"
[ -x "$program" ] || skip "no $program: examples are not built"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

limited() {
    timeout -k 1 "$limit" "$@"
}

has() {
    command -v "$1" >/dev/null || echo "left out: $1 is not installed (script/setup)" >&2
    command -v "$1" >/dev/null
}

# came_back NAME [SENT]: what was sent is what came back.
came_back() {
    cmp "${2:-$work/sent}" "$work/got" || fail "$1: what came back differs"
    echo "ok: $1"
}

# lines_come_back NAME COMMAND...: a client that learns of no end, and is ended when all is back. It
# gets more lines meanwhile: curl waits for its input alone if the server takes longer than 0.1 s.
lines_come_back() {
    local name=$1 client
    shift
    seq 1000 >"$work/few"
    mkfifo "$work/input"
    limited "$@" <"$work/input" >"$work/got" &
    client=$!
    exec 8>"$work/input"
    cat "$work/few" >&8
    until cmp -s -n "$(stat -c %s "$work/few")" "$work/few" "$work/got"; do
        kill -0 $client 2>/dev/null || fail "$name ended early"
        sleep 0.05
        (echo >&8)
    done
    kill $client
    exec 8>&-
    wait $client
    rm "$work/input"
    echo "ok: $name"
}
