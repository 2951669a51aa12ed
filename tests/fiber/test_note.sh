#!/usr/bin/env bash
# edo-test: once
# The object file of the switch is not marked as compatible with shadow stacks, also where the compiler
# marks all others: loaders then disable shadow stacks.
set -u
skipped=77
switch=${EDO_SOURCE_DIR:?is set by ctest}/src/sys/linux/fiber_x86_64.S
[ "$(uname -m)" = x86_64 ] && command -v gcc readelf >/dev/null || exit $skipped
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

marks() {
    gcc -fcf-protection -c "$1" -o "$work/object.o" && readelf -n "$work/object.o" | grep -c SHSTK
}

echo 'int marked(void) { return 0; }' >"$work/marked.c"
[ "$(marks "$work/marked.c")" = 1 ] || { echo "this compiler marks nothing"; exit $skipped; }
[ "$(marks "$switch")" = 0 ] || { echo "FAILED: $switch is marked" >&2; exit 1; }
exit 0
