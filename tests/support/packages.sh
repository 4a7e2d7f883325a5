#!/bin/sh
# packages.sh tell|install|skip build|check|bench - makes sure that what Tako needs is there.
#
# Says nothing, and does not touch the network, when nothing is missing. Else `tell` names it
# and stops; `install` installs it with apt-get where there is one (as root, or with sudo),
# and stops elsewhere.
# SPDX-License-Identifier: MIT

mode=$1
set=$2
# One package a word, as Debian calls it.
need="gcc libc6-dev binutils libsqlite3-dev libcjson-dev libseccomp-dev libyaml-dev python3"
case $set in
build) ;;
check) need="$need g++ clang clang-format check libsubunit-dev strace pkg-config shellcheck python3-pip" ;;
bench) need="$need bubblewrap" ;;
*) echo "$0: no set \"$set\"" >&2; exit 2 ;;
esac
case $mode in
skip) exit 0 ;;
tell | install) ;;
*) echo "$0: PACKAGES is \"$mode\", not tell, install or skip" >&2; exit 2 ;;
esac

have() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | ${CC:-cc} -E - >/dev/null 2>&1; }

# Without dpkg: is what the package is needed for there?
probe() {
    case $1 in
    gcc) have gcc || have cc ;;
    libc6-dev) has_header stdio.h ;;
    binutils) have ld && have objcopy && have nm ;;
    libsqlite3-dev) has_header sqlite3.h ;;
    libcjson-dev) has_header cjson/cJSON.h ;;
    libseccomp-dev) has_header seccomp.h ;;
    libyaml-dev) has_header yaml.h ;;
    python3) [ -x /usr/bin/python3 ] ;;
    check) has_header check.h ;;
    python3-pip) /usr/bin/python3 -m pip --version >/dev/null 2>&1 ;;
    libsubunit-dev) : ;; # only how Debian builds Check asks for it
    bubblewrap) have bwrap ;;
    pkg-config) have pkg-config ;;
    *) have "$1" ;;
    esac
}

on_debian() { have dpkg-query && have apt-get && [ -z "$PACKAGES_PROBE" ]; }

missing_packages() {
    for package in $need; do
        if on_debian; then
            case " $there " in *" $package "*) continue ;; esac
            # pkgconf took the place of pkg-config in newer releases.
            [ "$package" != pkg-config ] || ! have pkg-config || continue
        else
            ! probe "$package" || continue
        fi
        printf '%s ' "$package"
    done
}

there=
if on_debian; then
    # One question for all: the names of those that are installed.
    # shellcheck disable=SC2086 # $need is a list of words
    there=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $need 2>/dev/null |
        sed -n 's/^installed //p' | tr '\n' ' ')
fi
missing=$(missing_packages)
missing=${missing% }
[ -n "$missing" ] || exit 0

if ! on_debian; then
    echo "Missing, by their Debian names: $missing"
    echo "Install what your system has instead and call make again (PACKAGES=skip: do not look)."
    exit 1
fi >&2
root=
if [ "$(id -u)" -ne 0 ]; then
    root=sudo
fi
command="${root:+$root }apt-get install -y --no-install-recommends $missing"
if [ "$mode" = tell ]; then
    echo "Missing packages: $missing"
    echo "Install them with: $command"
    exit 1
fi >&2
if [ -n "$root" ] && ! have sudo; then
    echo "Missing packages: $missing"
    echo "Neither root nor sudo is at hand. As root: ${command#sudo }"
    exit 1
fi >&2
echo "Installing missing packages: $missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
apt() { ${root:+sudo} env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null; }
# shellcheck disable=SC2086 # $missing is a list of words
get() { apt install -y --no-install-recommends $missing; }
lists=$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)
# Lists that are old name files that are gone: then they are fetched and it is tried again.
if { [ -n "$lists" ] && get; } || { apt update && get; }; then
    exit 0
fi
echo "apt-get could not install: $missing" >&2
exit 1
