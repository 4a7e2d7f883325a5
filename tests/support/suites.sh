#!/bin/sh
# suites.sh FILE... - writes the header that names the suite of each test file to the runner:
# tests/GROUP/check_NAME.c has the suite suite_NAME. So none can be forgotten.
# SPDX-License-Identifier: MIT

echo '/* made by tests/support/suites.sh */'
echo '#define SUITES(X) \'
for file; do
    group=${file#tests/}
    name=${file##*/check_}
    printf '    X(%s, %s) \\\n' "${group%%/*}" "${name%.c}"
done
echo
