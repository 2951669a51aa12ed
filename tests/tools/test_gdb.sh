#!/usr/bin/env bash
# edo-test: once. tools/gdb/edo.py shows the tasks of a process that gdb started, of its core file
# and of one that it is attached to, with each library.
set -u
skipped=77
limit=60 # seconds for one run of gdb; it takes two
commands=${EDO_SOURCE_DIR:?is set by ctest}/tools/gdb/edo.py
program_c=$EDO_SOURCE_DIR/tests/tools/gdb_program.c

skip() {
    echo "skipped: $*"
    exit $skipped
}

[ -z "${EDO_EMULATOR:-}" ] || skip "gdb knows nothing of programs under an emulator"
command -v gdb >/dev/null || skip "there is no gdb"
for kind in static shared; do
    program=$EDO_BIN_DIR/tests/tools/gdb-program-$kind
    [ -x "$program" ] || continue
    if readelf -Ws "$program" | grep -qE 'GLOBAL .*__[amt]san_init'; then
        skip "a sanitizer's shadow memory makes core files of terabytes"
    fi
done

work=$(mktemp -d)
victim=
trap '[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    [ ! -e "$work/output" ] || cat "$work/output" >&2
    exit 1
}

# debug ARGUMENT...: gdb without anybody's settings; its output goes to $work/output. The sources are
# found from the build directory, also when a compiler cache has noted another one.
debug() {
    timeout -k 1 "$limit" gdb -batch -nx -iex 'set debuginfod enabled off' -iex 'set pagination off' \
        -iex 'set disable-randomization off' -iex "directory $EDO_BIN_DIR" \
        -x "$commands" "$@" >"$work/output" 2>&1 </dev/null
}

# expect TIMES PATTERN: an extended regular expression for that many lines of the output.
expect() {
    local times
    times=$(grep -cE -- "$2" "$work/output")
    [ "$times" = "$1" ] || fail "$times lines, not $1, match '$2' ($what)"
}

# line_of TEXT: where the program has it.
line_of() {
    grep -n -- "$1" "$program_c" | cut -d: -f1
}

inner="inner \(.*gdb_program\.c:$(line_of 'inner waits here')\)"
outer="outer \(.*gdb_program\.c:$(line_of 'outer waits here')\)"
boxed="outer \(.*gdb_program\.c:$(line_of 'boxed waits here')\)"
both="both \(.*gdb_program\.c:$(line_of 'both waits here')\)"
spawned='spawned by fill at .*gdb_program\.c:[0-9]+'

check_runtimes() {
    expect 1 "^1: 'shop' on .*, 1 workers, 4 tasks \(edo_runtime \*\) 0x"
    expect 1 "^2: 'alone' on .*, current-thread, 1 tasks \(edo_runtime \*\) 0x"
}

check_tasks() {
    expect 1 "^  task 'outer' #[0-9]+ waits, $spawned: $inner > edo_sleep\$"
    expect 1 "^  task 'till' #[0-9]+ waits, $spawned: $inner > edo_sleep\$"
    expect 1 "^  task 'stuck' #[0-9]+ runs on worker 0 \(LWP [0-9]+\), $spawned: stuck \("
    expect 1 "^  task 'inner' #[0-9]+ is ready, cancelled, $spawned: inner \(.*gdb_program\.c\)\$"
}

check_backtraces() {
    expect 1 "^task 'outer' #[0-9]+ waits, $spawned\$"
    expect 1 "^  $outer\$"
    expect 1 "^  $boxed\$"
    expect 1 "^  $both\$"
    expect 4 "^    $inner\$"
    expect 4 "^      edo_sleep\$"
}

check_all() {
    check_runtimes
    check_tasks
    check_backtraces
}

all=(-ex 'edo runtimes' -ex 'edo tasks' -ex 'edo bt all')

started_by_gdb() {
    what="$kind, started by gdb"
    debug -ex 'break gdb_stop' -ex run "${all[@]}" -ex "generate-core-file $work/core" -ex kill \
        "$program"
    ! grep -qiE 'ptrace: Operation not permitted|could not trace' "$work/output" ||
        skip "this system lets gdb trace nothing"
    check_all
}

# Single tasks and runtimes, by what a person would type; and what is wrong with other things.
single=(-ex 'echo ---- one at a time\n'
    -ex 'python till = next(t for t in Runtime.all()[0].tasks() if t.name() == "till")'
    -ex 'python gdb.execute(f"edo bt {till.id}")'
    -ex 'python gdb.execute(f"edo bt {next(Runtime.all()[1].tasks()).address}")'
    -ex 'edo tasks 2'
    -ex 'edo bt 999999')

check_single() {
    expect 1 "^task 'till' #[0-9]+ waits"
    expect 1 "^  $boxed\$"
    expect 1 "^task 'inner' #[0-9]+ is ready, cancelled"
    expect 1 "^runtime 'alone' on "
    expect 0 "^runtime 'shop' on "
    expect 1 'no task 999999: see `edo tasks`'
}

core_file() {
    what="$kind, core file"
    [ -s "$work/core" ] || fail "gdb wrote no core file"
    debug "${all[@]}" "${single[@]}" "$program" "$work/core"
    cp "$work/output" "$work/both"
    sed '/^---- one/,$d' "$work/both" >"$work/output"
    check_all
    sed '1,/^---- one/d' "$work/both" >"$work/output"
    check_single
}

attached() {
    what="$kind, attached"
    mkfifo "$work/stdin"
    "$program" <"$work/stdin" >"$work/stdout" &
    victim=$!
    exec 3>"$work/stdin"
    until grep -q ready "$work/stdout"; do
        kill -0 "$victim" 2>/dev/null || fail "the program has ended"
    done
    debug "${all[@]}" -p "$victim"
    check_all
    exec 3>&-
    wait "$victim" || fail "the program did not go on to its end"
    victim=
    rm "$work/stdin"
}

# A function by its own name; then from line to line of it, however often it waits and whoever else
# runs meanwhile.
steps_c=$EDO_SOURCE_DIR/tests/tools/gdb_steps.c
stepped() {
    what="$kind, stepped through"
    debug -ex 'edo break steps if self->args.number == 2' -ex run -ex 'delete' \
        -ex 'edo next' -ex 'edo next' -ex 'edo next' -ex 'edo next' -ex 'edo next' \
        -ex 'print self->sum' -ex 'edo break nothing' "${program/program/steps}"
    local line
    for line in 'first await' 'behind the first' 'second await' 'behind the second'; do
        expect 1 "^$(grep -n "// $line" "$steps_c" | cut -d: -f1)[[:space:]].*// $line"
    done
    expect 1 '^\$1 = 2'
    expect 1 "no async function 'nothing'"
}

# A parked fiber: the place of its wait, and its functions.
fiber_c=$EDO_SOURCE_DIR/tests/tools/gdb_fiber.c
fibers() {
    [ -x "${program/program/fiber}" ] || return 0
    what="$kind, a fiber"
    debug -ex 'break gdb_stop' -ex run -ex 'edo bt all' -ex kill "${program/program/fiber}"
    expect 1 "^  parked \(.*gdb_fiber\.c:$(grep -n '// waits here' "$fiber_c" | cut -d: -f1)\)"
    expect 1 '^    edo_sleep'
    expect 3 '^    #[0-9]+ .* waits_below \(depth='
}

found=
for kind in static shared; do
    program=$EDO_BIN_DIR/tests/tools/gdb-program-$kind
    [ -x "$program" ] || continue
    found=yes
    started_by_gdb
    core_file
    attached
    stepped
    fibers
done
[ -n "$found" ] || fail "no program to look into was built"
