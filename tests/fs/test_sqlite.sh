#!/usr/bin/env bash
# Copies of an SQLite database, made under its locks while two sqlite3 write it: each copy is whole.
set -u
skipped=77
copy=${EDO_BIN_DIR:?is set by ctest}/examples/sqlite_copy
[ "${EDO_DRIVER:-}" != chaos ] || exit $skipped # it is for test programs only
[ -x "$copy" ] || { echo "no $copy: examples are not built"; exit $skipped; }
[ -z "${EDO_EMULATOR:-}" ] || exit $skipped # flags of fcntl() are those of the other processor
command -v sqlite3 >/dev/null || { echo "no sqlite3"; exit $skipped; }

work=$(mktemp -d)
children=()
trap 'kill "${children[@]}" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    cat "$work"/*.error >&2
    exit 1
}

ask() { sqlite3 -cmd ".timeout 20000" "$1" "$2" 2>>"$work/ask.error"; }

# Each transaction writes 50 rows of 500 bytes, and drops 25 old ones: pages change all over the file.
transactions() {
    echo ".timeout 20000"
    echo "pragma synchronous = off;"
    until [ -e "$work/stop" ]; do
        echo "begin immediate;
            insert into t(writer, body) select $1, randomblob(500) from numbers;
            delete from t where id in (select id from t where writer = $1 order by id limit 25);
            commit;"
    done
}

ask "$work/db" "create table t(id integer primary key, writer int, body blob);
    create table numbers(n int); create index by_writer on t(writer, id);
    insert into numbers with recursive up(n) as (select 1 union all select n + 1 from up limit 50)
    select n from up;" || fail "no database"
for writer in 1 2; do
    transactions $writer | sqlite3 "$work/db" >/dev/null 2>"$work/writer$writer.error" &
    children+=($!)
done

last=0
for ((i = 0; i < 6; i++)); do
    until [ "$(ask "$work/db" "select coalesce(max(id), 0) from t")" -gt "$last" ]; do
        kill -0 "${children[@]}" || fail "a writer has ended"
    done
    "$copy" "$work/db" "$work/copy" 2>"$work/copy.error" || fail "copy $i"
    [ "$(ask "$work/copy" "pragma integrity_check")" = ok ] || fail "copy $i is damaged"
    [ "$(ask "$work/copy" "select count(*) % 25 from t")" = 0 ] ||
        fail "copy $i has half of a transaction"
    [ "$(ask "$work/copy" "select max(id) > $last from t")" = 1 ] || fail "copy $i is too old"
    last=$(ask "$work/copy" "select max(id) from t")
done
: >"$work/stop"
wait "${children[@]}" || fail "a writer failed"
[ ! -s "$work/writer1.error" ] && [ ! -s "$work/writer2.error" ] || fail "a writer complained"

# A journal that nobody's lock guards is a transaction to be rolled back: no copy is made.
cp "$work/db" "$work/dead"
echo x >"$work/dead-journal"
! "$copy" "$work/dead" "$work/copy" 2>/dev/null || fail "a copy of a half transaction was made"
ask "$work/wal" "pragma journal_mode = wal; create table t(i);" >/dev/null
! "$copy" "$work/wal" "$work/copy" 2>/dev/null || fail "a copy without its log was made"
