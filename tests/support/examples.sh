#!/bin/sh
# examples.sh PROGRAM... - runs the example programs, each in an empty directory of its own, and
# checks that it succeeds and what it prints. SPDX-License-Identifier: MIT
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

for program in "$@"; do
    name=$(basename "$program")
    path=$(cd "$(dirname "$program")" && pwd)/$name
    case $name in
    minimal) expected='^succeeded: 2$' ;;
    unit_test) expected='^100%' ;;
    demo) expected='jobs ended as they should' ;;
    *) expected='.' ;;
    esac
    mkdir "$work/$name"
    (cd "$work/$name" && "$path") >"$work/out" 2>&1
    code=$?
    if [ "$code" = 0 ] && grep -q "$expected" "$work/out"; then
        passed=$((passed + 1))
    else
        echo "examples/$name failed with exit code $code; it printed:"
        cat "$work/out"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
