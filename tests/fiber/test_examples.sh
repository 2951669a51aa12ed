#!/usr/bin/env bash
# edo-test: once
# Examples in both styles, jobs and http, with files and a server of this test.
set -u
skipped=77
examples=${EDO_BIN_DIR:?is set by ctest}/examples
read -ra emulator <<<"${EDO_EMULATOR:-}" # what a program for another processor needs before it
[ -x "$examples/jobs" ] || { echo "no $examples/jobs: examples are not built"; exit $skipped; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work" || exit 1

# same WANTED STATUS PROGRAM ARGUMENT...: its output, sorted, and its status, also with fiber-PROGRAM.
same() {
    local wanted=$1 status=$2 program=$3 style output rc
    shift 3
    for style in "" fiber-; do
        output=$("${emulator[@]}" "$examples/$style$program" "$@" 2>/dev/null)
        rc=$?
        [ $rc = "$status" ] && [ "$(sort <<<"$output")" = "$wanted" ] && continue
        printf 'FAILED: %s%s: status %d, output:\n%s\n' "$style" "$program" $rc "$output" >&2
        exit 1
    done
}

printf a >a
: >empty
same "a: e40c292c
empty: 811c9dc5" 0 jobs a empty
same "empty: 811c9dc5
missing: No such file or directory, 1 tries" 1 jobs missing empty
files=()
for ((i = 100; i < 200; i++)); do
    printf a >"f$i"
    files+=("f$i")
done
same "$(printf '%s: e40c292c\n' "${files[@]}")" 0 jobs "${files[@]}"

command -v python3 >/dev/null || exit 0
python3 -u -m http.server --bind 127.0.0.1 0 >log 2>&1 &
server=$!
until port=$(sed -nE 's/.* port ([0-9]+) .*/\1/p' log) && [ -n "$port" ]; do
    kill -0 "$server" || exit 1
    sleep 0.01
done
url=http://127.0.0.1:$port
urls=()
for file in "${files[@]}"; do
    urls+=("$url/$file")
done
same "ftp://x: Invalid argument
$url/a: 200, 1 bytes" 0 http "$url/a" ftp://x
same "$(printf '%s: 200, 1 bytes\n' "${urls[@]}")" 0 http "${urls[@]}"
exit 0
