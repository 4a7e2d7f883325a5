#!/bin/sh
# amalgamate.sh - writes the one-file library to standard output, named after the commit it is
# made from: its hash, with "-modified" behind it when a file that goes in differs from it. Outside
# of a repository the name is empty.
# SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/.."

id=
# Only of a repository that begins here: this tree may lie unpacked inside another one.
if [ -e .git ] && id=$(git rev-parse --verify --quiet 'HEAD^{commit}' 2>/dev/null); then
    git diff-index --quiet HEAD -- LICENSE tako.c tako.h src backends || id=$id-modified
fi
exec awk -v source_id="$id" -f amalgamation/amalgamate.awk tako.c
