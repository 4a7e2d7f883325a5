#!/bin/sh
# format.sh [-i] - says which C files .clang-format would lay out in another way; with -i does so.
# Only version 14 of clang-format is believed: each release has its own idea of a few lines.
# SPDX-License-Identifier: MIT
set -u
cd "$(dirname "$0")/../.." || exit 2

format=
for f in clang-format-14 clang-format; do
    if "$f" --version 2>/dev/null | grep -q 'version 14\.'; then
        format=$f
        break
    fi
done
if [ -z "$format" ]; then
    echo "clang-format 14 is not there"
    exit 77
fi
files() {
    find . \( -name .git -o -path ./build -o -path ./amalgamation \) -prune -o -name '*.[ch]' -print |
        sort
}
# Mostly all is well, and a process for many files says so much sooner than one for each.
if [ "${1-}" != -i ] &&
    files | xargs -n 20 -P "$(nproc)" "$format" --style=file --dry-run -Werror 2>/dev/null; then
    exit 0
fi
files | {
    bad=0
    while read -r file; do
        if [ "${1-}" = -i ]; then
            "$format" --style=file -i "$file"
            # Ruled lines that are too long: dashes go until 100 columns are left.
            sed -E -i ':a
                /^.{101}/s,^(/\* ---- .*-)- \*/$,\1 */,
                ta' "$file"
            continue
        fi
        lines=$("$format" --style=file "$file" | diff "$file" - | grep -c '^[<>]')
        [ "$lines" = 0 ] || { echo "${file#./}: $lines lines differ, run make format"; bad=1; }
    done
    exit $bad
}
