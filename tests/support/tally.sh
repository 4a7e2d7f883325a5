#!/bin/sh
# tally.sh NAME=COMMAND... - runs every part, also after one that failed, and closes with one
# line: "N passed, N failed". A part's own closing line counts: Check's ("Checks: N, Failures:
# N, Errors: N") or "N passed, N failed"; a part without one counts as one test.
# SPDX-License-Identifier: MIT

logs=$(mktemp -d "${TMPDIR:-/tmp}/tako-check-XXXXXX") || exit 2
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM HUP
passed=0
failed=0
bad=
for part; do
    name=${part%%=*}
    echo "== $name"
    start=$(date +%s)
    { sh -c "${part#*=}" 2>&1 </dev/null; echo $? >"$logs/rc"; } | tee "$logs/out"
    rc=$(cat "$logs/rc")
    # shellcheck disable=SC2046 # three numbers
    set -- $(awk '
        /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            gsub(/[^0-9 ]/, ""); n = split($0, v, " ")
            f = v[n] + v[n - 1]; p = v[n - 2] - f; next_line = 1
        }
        /^[0-9]+ passed, [0-9]+ failed/ { p = $1; f = $3; next_line = 1 }
        END { print p + 0, f + 0, next_line + 0 }' "$logs/out")
    p=$1 f=$2 counted=$3
    [ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    [ "$rc" -ne 0 ] || [ "$counted" -eq 1 ] || p=1
    passed=$((passed + p))
    failed=$((failed + f))
    if [ "$rc" -ne 0 ] || [ "$f" -gt 0 ]; then
        bad="$bad${bad:+, }$name"
    fi
    echo "-- $name: $p passed, $f failed, $(($(date +%s) - start)) s"
done
[ -z "$bad" ] || echo "Failed: $bad"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
