#!/bin/sh
# install.sh - `make install` into a temporary place: exactly these files, they work from there, and
# `make uninstall` leaves nothing. Wants everything built already.
# SPDX-License-Identifier: MIT

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-install-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
passed=0
failed=0
unset MAKEFLAGS MFLAGS MAKELEVEL PREFIX LIBDIR DESTDIR PKG_CONFIG_PATH

# is WHAT COMMAND...: the command's outcome decides.
is() {
    what=$1
    shift
    if "$@" >"$dir/why" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $what"
        sed 's/^/      /' "$dir/why"
    fi
}
files() { (cd "$1" && find . ! -type d | LC_ALL=C sort); }
version=$(sed -n 's/^.define TAKO_VERSION "\(.*\)"/\1/p' tako.h)

is "make install" make install PACKAGES=skip PREFIX=/opt/tako DESTDIR="$dir/stage"
(
    cat <<END
./opt/tako/bin/tako
./opt/tako/include/tako.h
./opt/tako/lib/libtako.a
./opt/tako/lib/libtako.so
./opt/tako/lib/libtako.so.${version%%.*}
./opt/tako/lib/libtako.so.$version
./opt/tako/lib/pkgconfig/tako.pc
./opt/tako/share/doc/tako/CHANGELOG.md
./opt/tako/share/doc/tako/LICENSE
./opt/tako/share/doc/tako/README.md
END
    for page in docs/*.md; do
        echo "./opt/tako/share/doc/tako/$page"
    done
) | LC_ALL=C sort >"$dir/expected"
files "$dir/stage" >"$dir/got"
is "exactly these files" diff -u "$dir/expected" "$dir/got"
is "nothing in them is of this tree" sh -c '! grep -rlF "$2" "$1/stage/opt/tako/lib/pkgconfig"' sh "$dir" "$root"

is "install without DESTDIR" make install PACKAGES=skip PREFIX="$dir/usr"
PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig
export PKG_CONFIG_PATH
is "pkg-config knows the version" test "$(pkg-config --modversion tako)" = "$version"
is "a host builds by pkg-config, shared" sh -c '
    gcc -o "$1/shared" examples/minimal.c $(pkg-config --cflags --libs tako)' sh "$dir"
# Not by --static: it would ask for the static libraries of SQLite as well.
is "a host builds with the static library" sh -c '
    gcc -o "$1/static" examples/minimal.c -I"$1/usr/include" "$1/usr/lib/libtako.a" \
        -lsqlite3 -lcjson -lseccomp -lyaml -lpthread' sh "$dir"
for host in shared static; do
    is "the $host host runs a job" sh -c 'mkdir "$1/run-$2" && cd "$1/run-$2" &&
        out=$(LD_LIBRARY_PATH=$1/usr/lib "$1/$2" 2>&1); echo "$out"; [ "$out" = "succeeded: 2" ]' \
        sh "$dir" $host
done
is "the installed program runs" sh -c '[ "$("$1/usr/bin/tako" version)" = "$(build/tako version)" ]' sh "$dir"

touch "$dir/usr/lib/of-somebody-else"
is "make uninstall" make uninstall PACKAGES=skip PREFIX="$dir/usr"
is "uninstall leaves only what it did not put there" test "$(files "$dir/usr")" = ./lib/of-somebody-else
is "uninstall of the staged tree" make uninstall PACKAGES=skip PREFIX=/opt/tako DESTDIR="$dir/stage"
is "nothing is left of it" test -z "$(files "$dir/stage")"
is "its folder of documents is gone" test ! -e "$dir/stage/opt/tako/share/doc/tako"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
