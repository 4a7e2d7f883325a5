#!/bin/sh
# run.sh - the native sandbox in virtual machines that have control groups as users have them:
# version 2 only, laid out as systemd does it, and version 1 and 2 mixed. Runs as root, as a user
# with a delegated group and as one without; checks.py says what must hold.
#
# Usage: run.sh [BUILD], a directory with tako, libtako.a and check/runner, by default build. Makes an image from
# this machine's own programs, boots it once per layout, prints what failed and
# "N passed, N failed". Leaves nothing behind. Takes ten minutes without KVM.
# Needs qemu-system-x86_64 (KVM is used when there), cc, python3 in /usr/bin, and a kernel:
#   KERNEL=PATH    a bzImage that runs without modules; default: Debian's for clouds is fetched
#                  with apt-get download, and not installed
#   INSIDE="..."   the C suites that run inside; default: all hostile ones
#   LAYOUTS="..."  of v2 and hybrid; default both
#   VERBOSE=1      show the machines' consoles
# SPDX-License-Identifier: MIT
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
build=${1:-$top/build}
[ -x "$build/check/runner" ] || { echo "$build/check/runner: no runner" >&2; exit 2; }
[ -x "$build/tako" ] || { echo "$build/tako: no program" >&2; exit 2; }
command -v qemu-system-x86_64 >/dev/null || { echo "qemu-system-x86_64 is missing" >&2; exit 2; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-vm-XXXXXX") || exit 2
machine=
trap '[ -z "$machine" ] || kill "$machine"; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP

if [ -z "${KERNEL:-}" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 |
        sed -n 's/.*Depends: \(linux-image-\)/\1/p')
    (cd "$dir" && apt-get -q download $package >apt.log 2>&1 && dpkg -x "$package"_*.deb kernel) ||
        { cat "$dir/apt.log" >&2; echo "no kernel: set KERNEL=PATH" >&2; exit 2; }
    KERNEL=$(echo "$dir"/kernel/boot/vmlinuz-*)
fi
${CC:-cc} -I"$top" -o "$dir/named" "$here/named.c" "$build/libtako.a" \
    -lsqlite3 -lcjson -lseccomp -lyaml -lpthread || exit 2
/usr/bin/python3 "$here/image.py" "$dir/image" "$build/tako" "$dir/named" "$build/check/runner" || exit 2

accel="-machine q35,accel=tcg -cpu max"
[ -w /dev/kvm ] && accel="-machine q35,accel=kvm -cpu host"
suites=${INSIDE:-attacks catalogue inside limits verdicts}
passed=0
failed=0
for layout in ${LAYOUTS:-v2 hybrid}; do
    # shellcheck disable=SC2086 # $accel is words
    timeout 2400 qemu-system-x86_64 $accel -smp 2 -m 1024 -nodefaults -display none -no-reboot \
        -serial "file:$dir/$layout" -kernel "$KERNEL" -initrd "$dir/image" \
        -append "console=ttyS0 quiet panic=-1 tako.layout=$layout tako.suites=$(echo $suites | tr " " ,)" &
    machine=$!
    wait "$machine"
    machine=
    tr -d '\r' <"$dir/$layout" >"$dir/console"
    if [ -n "${VERBOSE:-}" ]; then
        cat "$dir/console"
    else
        grep '^FAIL' "$dir/console"
    fi
    if grep -q '^DONE' "$dir/console"; then
        passed=$((passed + $(grep -c '^pass' "$dir/console")))
        failed=$((failed + $(grep -c '^FAIL' "$dir/console")))
    else
        echo "FAIL $layout: the machine did not come to its end; its last words:"
        tail -n 25 "$dir/console"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
