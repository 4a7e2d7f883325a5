#!/bin/sh
# drop_in.sh OBJECT... - proves what is promised of the amalgamation: it is made the same way twice
# and tells nothing of the machine; the inliner refuses what it cannot do right; the objects
# export what tako.sym says and no more; and the compile line of README works in an empty
# directory, with gcc and with clang.
# SPDX-License-Identifier: MIT

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-drop-in-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
passed=0
failed=0

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "FAIL: $1"
    [ ! -s "$dir/why" ] || sed 's/^/      /' "$dir/why"
}
# is WHAT COMMAND...: the command's outcome decides.
is() {
    what=$1
    shift
    if "$@" >"$dir/why" 2>&1; then pass; else fail "$what"; fi
}

# ---- the file -----------------------------------------------------------------------------------

sh amalgamation/amalgamate.sh >"$dir/one.c"
(cd / && sh "$root/amalgamation/amalgamate.sh") >"$dir/two.c"
is "made twice, from two places: the same bytes" cmp "$dir/one.c" "$dir/two.c"
is "it is what lies in amalgamation/" cmp "$dir/one.c" amalgamation/tako.c
is "tako.h beside it is the tree's" cmp tako.h amalgamation/tako.h
is "no local include but tako.h" test "$(sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$dir/one.c")" = tako.h
is "every module is in it" sh -c '
    sed -n "s/^.include \"\(.*\.c\)\".*/\1/p" tako.c | while read -r m; do
        grep -qF "begin $m ---" "$1" || { echo "$m"; exit 1; }
    done' sh "$dir/one.c"
for word in "$root/" "$HOME/" "$(date +%Y-%m-%d)"; do
    is "it does not contain \"$word\"" sh -c '! grep -nF -e "$1" "$2"' sh "$word" "$dir/one.c"
done

# ---- what the inliner refuses -------------------------------------------------------------------

# refuses WHAT FILE-NAME CONTENT WORDS: a tree with that file, included by tako.c.
refuses() {
    rm -rf "$dir/tree"
    mkdir -p "$dir/tree/src"
    cp tako.h LICENSE "$dir/tree"
    echo '#include "../tako.h"' >"$dir/tree/src/base.h"
    echo '#include "src/a.c"' >"$dir/tree/tako.c"
    printf '%b' "$3" >"$dir/tree/$2"
    : >"$dir/why"
    if (cd "$dir/tree" && awk -f "$root/amalgamation/amalgamate.awk" tako.c) >"$dir/out" 2>"$dir/why"; then
        fail "the inliner accepts $1"
    elif ! grep -q -e "$4" "$dir/why"; then
        fail "the inliner refuses $1, but for another reason"
    else
        pass
    fi
}
refuses "a file that is missing" src/a.c '#include "b.h"\n' 'cannot be read'
refuses "a header under a condition" src/a.c '#ifdef X\n#include "base.h"\n#endif\n' 'under a condition'
refuses "a file outside the tree" src/a.c '#include "../../x.h"\n' 'outside the tree'
refuses "an absolute path" src/a.c '#include "/etc/passwd"\n' 'outside the tree'
refuses "#pragma once" src/a.c '#pragma once\n' 'pragma once'
refuses "an #if without its end" src/a.c '#if 1\n' 'without #endif'
echo '#include "base.h"' >"$dir/tree/src/a.c"
cp "$dir/tree/src/a.c" "$dir/tree/src/b.c"
printf '#ifndef NO_A\n#include "src/a.c"\n#endif\n#include "src/b.c"\n' >"$dir/tree/tako.c"
is "a header that is there only under another file's condition is refused" sh -c '
    cd "$1/tree" && ! awk -f "$2/amalgamation/amalgamate.awk" tako.c >"$1/out"' sh "$dir" "$root"

# ---- the objects --------------------------------------------------------------------------------

for object; do
    nm -g --defined-only "$object" | awk '{print $3}' | LC_ALL=C sort >"$dir/sym"
    is "$object exports what tako.sym says" diff -u amalgamation/tako.sym "$dir/sym"
done
nm -g --defined-only build/libtako.a | awk 'NF == 3 {print $3}' | LC_ALL=C sort >"$dir/sym"
is "libtako.a exports what tako.sym says" diff -u amalgamation/tako.sym "$dir/sym"
nm -D --defined-only build/libtako.so | awk '{print $3}' | LC_ALL=C sort >"$dir/sym"
is "libtako.so exports what tako.sym says" diff -u amalgamation/tako.sym "$dir/sym"
is "the soname is libtako.so.0" sh -c 'objdump -p build/libtako.so | grep -qE "SONAME +libtako.so.0$"'
awk '/^TAKO_API / { line = $0; if (!/\(/) { getline; line = line " " $0 }
    sub(/\(.*/, "", line); sub(/.*[ *]/, "", line); print line }' tako.h | LC_ALL=C sort >"$dir/api"
is "tako.sym is what tako.h declares TAKO_API" diff -u amalgamation/tako.sym "$dir/api"
is "a wrong tako.h is noticed" sh -c '
    mkdir "$1/wrong" && cp amalgamation/tako.c "$1/wrong" &&
    sed "s/^#define TAKO_VERSION_MINOR.*/#define TAKO_VERSION_MINOR 99/" tako.h >"$1/wrong/tako.h" &&
    ! gcc -fsyntax-only "$1/wrong/tako.c" 2>"$1/wrong/err" && grep -q "another version" "$1/wrong/err"' sh "$dir"

# ---- the drop-in --------------------------------------------------------------------------------

line=$(sed -n 's/^ *\(cc .* minimal\.c .*\)$/\1/p' README.md | head -n 1)
is "README has a compile line" test -n "$line"
for compiler in gcc clang; do
    mkdir "$dir/$compiler"
    cp amalgamation/tako.c amalgamation/tako.h examples/minimal.c "$dir/$compiler"
    is "README's line compiles with $compiler, without a warning" sh -c '
        cd "$1" && out=$($2 2>&1) && [ -z "$out" ] || { echo "$out"; exit 1; }' \
        sh "$dir/$compiler" "$compiler${line#cc}"
    is "what $compiler made runs a job" sh -c 'cd "$1" && out=$(./minimal 2>&1); echo "$out"
        [ "$out" = "succeeded: 2" ]' sh "$dir/$compiler"
done
# links FLAGS LIBRARIES HAS: what is left out is not there, and neither is its library needed.
echo '#include "tako.h"
int main(void) { return tako_has("yaml") * 4 + tako_has("sqlite") * 2 + tako_has("native"); }' >"$dir/has.c"
links() {
    for compiler in gcc clang; do
        is "it links with $1, made by $compiler" sh -c '
            cd "$1/$2" && $2 -Wall -Wextra -Werror $3 -o has ../has.c -I. tako.c $4 -lcjson -lpthread &&
            { ./has; [ $? -eq "$5" ]; }' sh "$dir" $compiler "$1" "$2" "$3"
    done
}
links -DTAKO_OMIT_SQLITE "-lseccomp -lyaml" 5
links -DTAKO_OMIT_NATIVE "-lsqlite3 -lyaml" 6
links -DTAKO_OMIT_YAML "-lsqlite3 -lseccomp" 3
links "-DTAKO_OMIT_SQLITE -DTAKO_OMIT_NATIVE -DTAKO_OMIT_YAML" "" 0
is "a host's own store needs no SQLite" sh -c '
    cp examples/custom_store.c "$1/gcc" && cd "$1/gcc" &&
    gcc -DTAKO_OMIT_SQLITE -o custom_store custom_store.c tako.c -lcjson -lseccomp -lyaml -lpthread &&
    ./custom_store' sh "$dir"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
