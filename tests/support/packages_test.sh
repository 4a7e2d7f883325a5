#!/bin/sh
# packages_test.sh - packages.sh with fake dpkg-query, apt-get and sudo: what it says and calls, as
# root and not, on Debian and elsewhere. Touches neither packages nor network.
# SPDX-License-Identifier: MIT

script=$(cd "$(dirname "$0")" && pwd)/packages.sh
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-packages-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
passed=0
failed=0

# A world of commands: what is in $dir/bin and nothing else. `there` lists installed packages.
world() {
    rm -rf "${dir:?}/bin"
    mkdir "$dir/bin"
    for tool in sh sed tr find head env cat grep; do
        ln -s "$(command -v $tool)" "$dir/bin/$tool"
    done
    : >"$dir/calls"
    echo "$1" | tr ' ' '\n' >"$dir/there"
    fake id "echo $2"
}
fake() {
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/bin/$1"
    chmod +x "$dir/bin/$1"
}
debian() {
    # Answers for the installed ones among those asked for; complains of the rest, as dpkg-query does.
    fake dpkg-query "shift 3
        for p; do if grep -qx \"\$p\" $dir/there; then echo \"installed \$p\"; else bad=1; fi; done
        exit \${bad:-0}"
    fake apt-get "echo \"apt-get \$*\" >>$dir/calls; ${1:-exit 0}"
}
run() {
    PATH=$dir/bin PACKAGES_PROBE='' CC='' "$dir/bin/sh" "$script" "$@" >"$dir/out" 2>&1
    rc=$?
}
# A file has a line like this; an empty pattern wants an empty file.
has() { if [ -n "$2" ]; then grep -q -e "$2" "$1"; else [ ! -s "$1" ]; fi; }
# is WHAT CODE OUTPUT CALLS: the exit code, what was said, and what was called.
is() {
    if [ "$rc" -eq "$2" ] && has "$dir/out" "$3" && has "$dir/calls" "$4"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $1: exit $rc"
        sed 's/^/      /' "$dir/out" "$dir/calls"
    fi
}
build="gcc libc6-dev binutils libsqlite3-dev libcjson-dev libseccomp-dev libyaml-dev python3"

world "$build" 0 && debian
run install build
is "all is there: silence" 0 '' ''
run tell build
is "all is there: silence when told to look" 0 '' ''

world "gcc libc6-dev binutils libcjson-dev libyaml-dev python3" 0 && debian
run tell build
is "tell names them" 1 '^Missing packages: libsqlite3-dev libseccomp-dev$' ''
is "tell says how" 1 'apt-get install .* libsqlite3-dev libseccomp-dev' ''
run skip build
is "skip does not look" 0 '' ''
run install build
is "root installs just those, and says so" 0 '^Installing missing packages: libsqlite3-dev libseccomp-dev$' \
    'install -y --no-install-recommends libsqlite3-dev libseccomp-dev$'

world "" 0 && debian "case \"\$*\" in *install*) [ -e $dir/updated ] || exit 100 ;; *) : >$dir/updated ;; esac"
run install build
is "when installing fails the lists are fetched and it is tried again" 0 'Installing' 'update'
rm -f "$dir/updated"
world "" 0 && debian "exit 100"
run install build
is "a failure of apt-get is one" 1 'could not install: gcc' 'install'

world "" 1000 && debian
fake sudo "echo sudo >>$dir/calls; exec \"\$@\""
run install build
is "not root: by sudo" 0 'Installing' '^sudo$'
world "" 1000 && debian
run install build
is "not root, no sudo: says what root has to do" 1 'As root: apt-get install .* gcc libc6-dev' ''

world "" 0
run install build
is "elsewhere: names them and stops" 1 'Missing, by their Debian names: gcc libc6-dev binutils' ''
world "" 0 && debian
run install nonsense
is "an unknown set is an error" 2 'no set' ''
run nonsense build
is "an unknown mode is an error" 2 'PACKAGES is "nonsense"' ''

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
