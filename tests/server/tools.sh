# tools.sh - what the tests of the `tako` program share; they source it. A private directory, which is
# HOME as well, is made and entered, and removed at the end; $1 of the script is the program.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034 # what is set here is used there

case $1 in
'') echo "usage: $0 PATH-OF-TAKO" >&2; exit 2 ;;
/*) tako=$1 ;;
*) tako=$PWD/$1 ;;
esac
[ -x "$tako" ] || { echo "$tako: no program" >&2; exit 2; }
docs=$(cd "$(dirname "$0")/../.." && pwd)/docs/cli.md
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-cli-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
cd "$dir" || exit 2
HOME=$dir/home
mkdir "$HOME"
export HOME
unset XDG_DATA_HOME TAKO_STORE
for v in $(env | sed -n 's/^\(TAKO_VM_[A-Z_]*\)=.*/\1/p'); do unset "$v"; done
umask 022
passed=0
failed=0

# ---- tools ---------------------------------------------------------------------------------

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "FAIL: $1"
    [ -z "$2" ] || echo "      $2"
}

# t ARGS...: runs tako; then rc, and the files out and err, tell what came of it.
t() {
    "$tako" "$@" >out 2>err </dev/null
    rc=$?
}

# with VARIABLE VALUE ARGS...: t with that in its environment.
with() {
    with_name=$1
    with_value=$2
    shift 2
    env "$with_name=$with_value" "$tako" "$@" >out 2>err </dev/null
    rc=$?
}

# is NAME COMMAND...: the command holds.
is() {
    is_name=$1
    shift
    if "$@"; then
        pass
    else
        fail "$is_name" "exit $rc; stdout: $(head -c 300 out); stderr: $(head -c 300 err)"
    fi
}

ended() { [ "$rc" -eq "$1" ]; }
printed() { printf '%b' "$1" | cmp -s - out; }
says() { grep -q -e "$1" out; }
complains() { grep -q -e "$1" err; }
quiet() { [ ! -s err ]; }
# One line, from us, and nothing on stdout.
only_one_line() { [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^tako: ' err; }
usage_error() { [ "$rc" -eq 2 ] && [ ! -s out ] && grep -q '^tako: ' err && grep -q '^Usage: ' err; }
refused() { [ "$rc" -eq 125 ] && only_one_line && grep -q -e "$1" err; }
# json EXPRESSION: out is one JSON object r, and the expression of Python holds for it.
json() {
    python3 -c '
import json, sys
text = open("out", "rb").read()
assert text.endswith(b"\n")
r = json.loads(text)
sys.exit(not eval(sys.argv[1]))' "$1" 2>>err
}
job() { printf '%b' "$1" >job.py; }
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
# Ends here when no job can be run.
need_sandbox() {
    t doctor
    [ "$rc" -eq 1 ] || return 0
    echo "SKIPPED: all tests that run jobs: $(tail -n 1 out)"
    case $TAKO_TEST_REQUIRE in
    *native*) fail "a sandbox is required" ;;
    esac
    finish
}
