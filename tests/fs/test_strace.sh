#!/bin/sh
# The system calls on files, as strace sees them: their order, their flags, and their threads.
set -eu
program=$EDO_BIN_DIR/examples/guide/files
skip() { echo "SKIPPED: $1" >&2; exit 77; }
[ "${EDO_DRIVER:-}" != chaos ] || skip "the driver is for test programs only"
[ -z "${EDO_EMULATOR:-}" ] || skip "strace would show the emulator"
command -v strace >/dev/null || skip "strace is not installed"
[ -x "$program" ] || skip "$program is not built"
! ldd "$program" | grep -q 'lib[a-z]*san\.so' || skip "a sanitizer makes calls of its own"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
strace -f -qq -o "$log" "$program" >/dev/null 2>&1 || skip "strace cannot trace here"

# A call during which another thread makes one has two lines. They become one, where the call ends.
awk '/<unfinished \.\.\.>$/ { sub(/ *<unfinished \.\.\.>$/, ""); begun[$1] = $0; next }
    /^[0-9]+ +<\.\.\. .* resumed>/ { sub(/^[0-9]+ +<\.\.\. [^>]* resumed>/, begun[$1]) }
    { print }' "$log" >"$log.whole"
mv "$log.whole" "$log"

wrong() {
    echo "$1" >&2
    grep -E 'open|fsync|link|rename|preadv|write' "$log" >&2
    exit 1
}

# line PATTERN: number of the last line with it.
line() { grep -nE "$1" "$log" | tail -n 1 | cut -d: -f1; }

# A replacement: write, sync of the file, its name, rename, sync of the directory.
rename=$(line 'renameat2?\([0-9]+, "\.edo-[^"]*", [0-9]+, "number"')
[ -n "$rename" ] || wrong "no rename over the old file"
dir=$(sed -n "${rename}s/.*renameat2\{0,1\}(\([0-9]*\),.*/\1/p" "$log")
file=$(sed -n "1,${rename}s/.*linkat(AT_FDCWD, \"\/proc\/self\/fd\/\([0-9]*\)\".*/\1/p" "$log" | tail -n 1)
link=$(line "linkat\(.*/fd/$file\", $dir, \"\.edo-[^\"]*\".* = 0")
sync_of() { grep -nE "fsync\($1\) += 0" "$log" | cut -d: -f1; }
before=$(sync_of "$file" | awk -v at="$link" '$1 < at' | tail -n 1)
after=$(sync_of "$dir" | awk -v at="$rename" '$1 > at' | head -n 1)
[ -n "$before" ] || wrong "the new file is not on the disk before it has its name"
[ "$link" -lt "$rename" ] || wrong "the name is not given before the rename"
[ -n "$after" ] || wrong "the directory is not synced after the rename"

! grep -E '(open|openat|openat2)\(' "$log" | grep -v CLOEXEC || wrong "a descriptor without O_CLOEXEC"
! grep -E 'openat\([0-9]+, "(a|b)"' "$log" | grep -v O_NOFOLLOW ||
    wrong "a tree enters a directory through a symlink"
! grep -E 'unlinkat\(AT_FDCWD' "$log" | grep -vE '/edo-files-[^/"]*"' ||
    wrong "an entry of a tree is removed by its path"

# The thread of the tasks makes only calls that cannot wait for a disk.
tasks=$(head -n 1 "$log" | cut -d' ' -f1)
first=$(line 'edo-files-.*mkdir|mkdirat?\(.*edo-files-.*/b"')
sed -n "${first:-1},\$p" "$log" | grep "^$tasks " >"$log.tasks" || true
trap 'rm -f "$log" "$log.tasks"' EXIT
! grep -E 'openat2\(' "$log.tasks" | grep -v RESOLVE_CACHED || wrong "an open that may wait"
! grep -E 'preadv2\(' "$log.tasks" | grep -v RWF_NOWAIT || wrong "a read that may wait"
! grep -E '(openat|fsync|fdatasync|rename[a-z2]*|linkat|unlinkat|mkdirat?|getdents64|pwritev?2?)\(' \
    "$log.tasks" || wrong "a call on the thread of the tasks that may wait"
grep -q 'preadv2(' "$log.tasks" || wrong "a file in the cache was not read on the thread of the tasks"
