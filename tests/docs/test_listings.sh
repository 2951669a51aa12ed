#!/bin/sh
# edo-test: once
# The listings of README.md and of the guide are files that are compiled, and equal them; and the
# check notices when one does not.
set -eu
cd "$EDO_SOURCE_DIR"
script/doc-listings

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r README.md CONTRIBUTING.md LICENSE CMakeLists.txt CMakePresets.json \
    cmake docs examples include script src tests tools "$copy"
[ ! -d bench ] || cp -r bench "$copy"
"$copy/script/doc-listings"

# refused FILE SED-COMMAND: with that change the check must fail, and name the file.
refused() {
    cp "$copy/$1" "$copy/saved"
    sed -i "$2" "$copy/$1"
    if "$copy/script/doc-listings" >"$copy/output" 2>&1; then
        echo "accepted: sed '$2' $1" >&2
        exit 1
    fi
    grep -q "^$1" "$copy/output" || {
        cat "$copy/output" >&2
        exit 1
    }
    cp "$copy/saved" "$copy/$1"
}

refused README.md 's/edo_listener_close(self->listener);/edo_listener_close(listener);/'
refused README.md '/^<!-- .*echo.c/d'
refused docs/guide/01-hello.md 's/edo_run/edo_walk/'
refused docs/guide/01-hello.md 's/02-async-functions.md/02-no-such-page.md/'
refused docs/guide/01-hello.md 's/hello\.c -->/no_such_file.c -->/'
