#!/bin/sh
# edo-test: once
# The system calls of a spawn and of a wait, as strace sees them.
set -eu
program=$EDO_BIN_DIR/examples/guide/command
command -v strace >/dev/null || { echo "SKIPPED: strace is not installed" >&2; exit 77; }
[ -x "$program" ] || { echo "SKIPPED: $program is not built" >&2; exit 77; }
! ldd "$program" | grep -q 'lib[a-z]*san\.so' ||
    { echo "SKIPPED: a sanitizer's build copies the memory" >&2; exit 77; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
strace -f -qq -o "$log" "$program" >/dev/null 2>&1 ||
    { echo "SKIPPED: strace cannot trace here" >&2; exit 77; }

wrong() {
    echo "$1" >&2
    grep -E 'clone|wait4|waitid|execve|close_range' "$log" >&2
    exit 1
}

! grep -qE 'wait4\(-1|waitid\(P_ALL' "$log" || wrong "a wait for any child"
grep -q 'CLONE_VM|CLONE_PIDFD|CLONE_VFORK' "$log" || wrong "no clone with a pidfd and shared memory"
grep -q 'close_range(3, 4294967295, 0)' "$log" || wrong "descriptors are not closed by close_range"
! grep -qE ' fork\(' "$log" || wrong "a fork"
# Between the clone and the exec of the child: no signal is delivered, and no memory is mapped.
exec=$(grep -n 'execve("/.*sort"' "$log" | head -1 | cut -d: -f1)
child=$(sed -n "${exec}p" "$log" | cut -d' ' -f1)
! sed -n "1,${exec}p" "$log" | grep "^$child " | grep -qE 'mmap|brk|futex|---' ||
    wrong "the child called what it must not call"
