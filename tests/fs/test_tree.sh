#!/bin/sh
# Real trees, copied by edo and compared byte for byte; and a full disk. EDO_TREE=DIR: that tree too,
# such as /usr/share, which takes minutes.
set -eu
skipped=77
copy=${EDO_BIN_DIR:?is set by ctest}/examples/copy_tree
[ "${EDO_DRIVER:-}" != chaos ] || exit $skipped # it is for test programs only
[ -x "$copy" ] || { echo "no $copy: examples are not built"; exit $skipped; }
[ -z "${EDO_EMULATOR:-}" ] || exit $skipped
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$copy" "$EDO_SOURCE_DIR/src" "$work/copy"
diff -r --no-dereference "$EDO_SOURCE_DIR/src" "$work/copy"
for name in . fs fs/copy.c; do
    [ "$(stat -c '%a %Y' "$EDO_SOURCE_DIR/src/$name")" = "$(stat -c '%a %Y' "$work/copy/$name")" ]
done

# Trees of other programs, against `cp -a`: kinds, permissions, times, targets of symlinks.
list() { (cd "$1" && find . -type d -printf '%y %m %T@ %P\n' -o -printf '%y %m %s %T@ %l %P\n' | sort); }
for tree in ${EDO_TREE:-} /usr/share/zoneinfo; do
    [ -d "$tree" ] || continue
    "$copy" "$tree" "$work/ours"
    cp -a "$tree" "$work/theirs"
    diff -r --no-dereference "$tree" "$work/ours"
    list "$work/theirs" >"$work/theirs.list"
    list "$work/ours" | diff "$work/theirs.list" -
    rm -rf "$work/ours" "$work/theirs"
done

# A disk of 512 KiB, in a namespace of its own.
head -c 1000000 /dev/zero | tr '\0' x >"$work/big"
mkdir "$work/disk"
unshare -rm true 2>/dev/null || exit 0
unshare -rm sh -c '
    mount -t tmpfs -o size=512k none "$2/disk" || exit 0
    if "$1" "$2/big" "$2/disk/big" 2>"$2/error"; then exit 1; fi
    grep -q "No space left" "$2/error" || exit 2
    [ -z "$(ls -A "$2/disk")" ] || exit 3' sh "$copy" "$work"
