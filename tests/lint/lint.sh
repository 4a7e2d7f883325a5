#!/bin/sh
# lint.sh [RULE...] - checks the rules of the house, one line for each; what breaks a rule stands
# under it with file and line. Without arguments: all rules. Ends with "N passed, N failed".
#
# To add one: write a function rule_NAME that prints what is wrong, and nothing when all is well,
# and put its name and what it proves into the list at the end. A rule that cannot be checked here
# prints a line that begins with "skip: ".
# SPDX-License-Identifier: MIT
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d "${TMPDIR:-/tmp}/tako-lint-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP
passed=0
failed=0
skipped=0

flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
-Wold-style-definition -Wundef -Wcast-qual -Wwrite-strings -Werror"
bare="backends/exec_native_sys.h backends/exec_native_child.c backends/exec_native_init.c"

# All files of the tree, sorted; not what is generated.
if [ -e .git ] && git ls-files -co --exclude-standard >"$dir/all" 2>/dev/null; then
    # A file that is gone but still in the index is none.
    while read -r f; do [ ! -f "$f" ] || echo "$f"; done <"$dir/all" | sort >"$dir/files"
else
    find . \( -name .git -o -path ./build -o -path ./amalgamation/tako.c \
        -o -path ./amalgamation/tako.h \) -prune -o -type f -print | sed 's,^\./,,' | sort >"$dir/files"
fi
tree() { grep -E "$1" "$dir/files"; } # PATTERN

rule_layers() {
    # shellcheck disable=SC2046 # names in this tree have no spaces
    awk -f tests/lint/layers.awk $(tree '\.[ch]$')
}

rule_headers() {
    tree '\.h$' | while read -r h; do
        more=
        case $h in tests/*) more="-Wno-unused-function" ;; esac
        for cc in gcc clang; do
            # shellcheck disable=SC2086 # lists of flags
            echo "#include \"$h\"" | $cc $flags $more -I. -fsyntax-only -x c - 2>"$dir/err" ||
                { echo "$h does not compile alone with $cc:"; head -n 4 "$dir/err"; }
        done
    done
}

rule_public() {
    cat >"$dir/public.c" <<'END'
#define min(a, b) !(a)!(b)!
#define max(a, b) !(a)!(b)!
#define likely(x) !(x)!
#define unlikely(x) !(x)!
#define UNUSED !
#define UNUSED_PARAMETER(x) !
#define bool !
#define true !
#define false !
#define unix !
#define linux !
#include "tako.h"
#include "tako.h"
extern int has_values(void);
int has_values(void)
{
    tako_options options = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_filter filter = TAKO_FILTER_INIT;
    tako_stats stats = TAKO_STATS_INIT;
    return options.size != 0 && job.size != 0 && filter.size != 0 && stats.size != 0;
}
END
    cp "$dir/public.c" "$dir/public.cc"
    for way in gcc:c11 gcc:c17 clang:c11 clang:c17 g++:c++11 g++:c++17 clang++:c++11 clang++:c++17; do
        cc=${way%%:*}
        file=$dir/public.c
        more=
        case $cc in
        *++) file=$dir/public.cc ;;
        esac
        [ "$cc" != clang++ ] || more=-Wno-keyword-macro
        if ! command -v "$cc" >/dev/null; then
            echo "skip: no $cc"
            continue
        fi
        # shellcheck disable=SC2086 # none or one flag
        $cc "-std=${way#*:}" -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror $more -I. \
            -fsyntax-only "$file" 2>"$dir/err" || { echo "tako.h as ${way#*:} with $cc:"; head -n 4 "$dir/err"; }
    done
}

rule_sizes() {
    # shellcheck disable=SC2046
    awk -f tests/lint/sizes.awk $(tree '^(src|backends|server)/.*\.[ch]$')
}

rule_heads() {
    tree '\.([ch]|awk|sh|py)$|^Makefile$|^tests/vm/init$|^\.ci/run$' | while read -r f; do
        sed 60q "$f" | grep -q 'SPDX-License-Identifier: MIT' ||
            echo "$f: its first comment does not end in SPDX-License-Identifier: MIT"
    done
}

rule_variables() {
    for cc in gcc clang; do
        if ! $cc -std=c11 -O0 -fno-pic -fno-pie -w -c -o "$dir/unity.o" tako.c 2>"$dir/err"; then
            echo "tako.c does not compile with $cc:"
            head -n 4 "$dir/err"
        fi
        nm "$dir/unity.o" | awk -v cc=$cc '$2 ~ /^[dDbBcCgGsS]$/ {print $3 " can be written (" cc ")"}'
    done
}

rule_banned() {
    # shellcheck disable=SC2046
    awk -f tests/lint/banned.awk $(tree '^(src|backends)/.*\.[ch]$')
}

rule_gnu() {
    tree '\.[ch]$' | grep -v '^tako\.c$' | xargs grep -nE '^[ 	]*#[ 	]*(define|undef)[ 	]+_GNU_SOURCE'
}

rule_bare() {
    # shellcheck disable=SC2086 # a list of files
    awk -f tests/lint/bare.awk $bare
}

# The machine's word for it: an object refers only to what its relocations name. Ways to compile
# that are known to add calls of their own are among them.
ways() { # FUNCTION FILE: calls FUNCTION for the object made in each way
    for cc in gcc clang; do
        for more in -O0 -O2 -O3 -Os "-O2 -fPIC -D_FORTIFY_SOURCE=2 -fstack-protector-all" \
            "-O0 -fPIC -fstack-protector-all" "-O1 -fsanitize=address,undefined" \
            "-O1 -fsanitize=thread"; do
            # shellcheck disable=SC2086 # a list of flags
            if $cc -std=c11 -D_GNU_SOURCE -w $more -ffunction-sections -c -o "$dir/way.o" "$2" 2>"$dir/err"; then
                readelf -rW "$dir/way.o" >"$dir/relocations"
                "$1" "$cc $more"
            else
                echo "$2 does not compile with $cc $more:"
                head -n 4 "$dir/err"
            fi
        done
    done
}
init_alone() {
    readelf -SW "$dir/way.o" | grep -q ' tako_init ' || echo "$1: there is no section tako_init"
    sed -n "/^Relocation section '.rela\{0,1\}tako_init'/,/^$/p" "$dir/relocations" |
        awk -v way="$1" '$1 ~ /^[0-9a-f]+$/ {print way ": tako_init refers to " $5}'
}
rule_init() { ways init_alone backends/exec_native_init.c; }

child_alone() {
    awk -v way="$1" -v names="$(tr '\n' ' ' <"$dir/names")" '
        BEGIN { n = split(names, name, " "); for (i = 1; i <= n; i++) bare[name[i]] = 1 }
        /^Relocation section/ {
            section = $3
            gsub(/^.\.rela?|.$/, "", section)
            sub(/^\.text\.(unlikely\.|exit\.|startup\.|hot\.)?/, "", section)
            sub(/\.(part|constprop|isra|cold).*/, "", section)
        }
        $1 ~ /^[0-9a-f]+$/ && (section in bare) {
            seen++
            target = $5
            sub(/^\.text\./, "", target)
            sub(/\.(part|constprop|isra|cold).*/, "", target)
            if (!(target in bare) && target !~ /^\.(L|rodata|text$|data\.rel\.ro)/)
                print way ": " section " refers to " $5
        }
        END { if (!seen) print way ": no bare function in the object" }' "$dir/relocations" | sort -u
}
rule_child() {
    # shellcheck disable=SC2086 # a list of files
    awk -v list=1 -f tests/lint/bare.awk $bare >"$dir/names"
    ways child_alone backends/exec_native_child.c
}

rule_shell() {
    if ! command -v shellcheck >/dev/null; then
        echo "skip: no shellcheck"
        return
    fi
    # shellcheck disable=SC2046
    shellcheck -S warning -f gcc $(tree '\.sh$|^\.ci/run$')
}

rule_symbols() {
    # The word before the first parenthesis of every declaration.
    awk '/^TAKO_API / { line = $0; if (!/\(/) { getline; line = line " " $0 }
        sub(/\(.*/, "", line); sub(/.*[ *]/, "", line); print line }' tako.h | sort >"$dir/declared"
    sort -u amalgamation/tako.sym | cmp -s - amalgamation/tako.sym ||
        echo "amalgamation/tako.sym: not sorted, or a name twice"
    comm -23 "$dir/declared" amalgamation/tako.sym | sed 's/$/: in tako.h, not in amalgamation\/tako.sym/'
    comm -13 "$dir/declared" amalgamation/tako.sym | sed 's/$/: in amalgamation\/tako.sym, not in tako.h/'
    grep -v '^tako_[a-z0-9]' amalgamation/tako.sym
}

rule_documents() {
    # The program in the head of tako.h, then every block of C in the documents.
    {
        awk '/^ \* .*A complete program:/ {on = 1; next} /^ \* Words:/ {exit} on {print}' tako.h |
            sed 's/^ \* \{0,5\}//; s/^ \*$//' >"$dir/block-tako.h.c"
        tree '^(README\.md|docs/.*\.md|amalgamation/README\.md)$' | while read -r f; do
            awk -v out="$dir/block-$(echo "$f" | tr / _)" '
                /^```c *$/ { name = out "." FNR ".c"; on = 1; next }
                /^```/ { if (on) close(name); on = 0 }
                on { print >name }' "$f"
        done
    }
    n=0
    for block in "$dir"/block-*.c; do
        [ -f "$block" ] || continue
        n=$((n + 1))
        for cc in gcc clang; do
            $cc -std=c11 -Wall -Wextra -Wpedantic -Werror -I. -fsyntax-only "$block" 2>"$dir/err" || {
                echo "the program in ${block#"$dir"/block-} (file and line of the block) with $cc:"
                head -n 4 "$dir/err" | sed "s,$dir/,,"
            }
        done
    done
    [ $n -gt 0 ] || echo "there is no program in the documents"
}

rule_targets() {
    # Words of the .PHONY line that people are to call, against what `make help` prints.
    sed -n '/^\.PHONY: all /,/[^\\]$/p' Makefile | tr -d '\\' | tr -s ' \t' '\n' |
        grep -vx -e '.PHONY:' -e packages -e '' | sort >"$dir/targets"
    MAKEFLAGS='' make -s help | sed 's/ .*//' | sort >"$dir/help"
    comm -23 "$dir/targets" "$dir/help" | sed 's/$/: a target that make help does not list/'
    comm -13 "$dir/targets" "$dir/help" | sed 's/$/: listed by make help, not in .PHONY/'
}

rule_words() {
    # Written so that this file does not contain them itself.
    tr '\n' '\0' <"$dir/files" | xargs -0 grep -InE '/wor[k]/|\b(TOD[O]|FIXM[E]|XX[X])\b'
}

rule_space() {
    tree '\.([ch]|awk|sh|py|md)$|^Makefile$' | tr '\n' '\0' | xargs -0 grep -nE '[ 	]+$'
    tree '\.([ch]|sh|awk)$' | tr '\n' '\0' | xargs -0 grep -nE '^ *	'
}

rule_format() {
    sh tests/lint/format.sh >"$dir/format"
    case $? in
    77) sed 's/^/skip: /' "$dir/format" ;;
    *) cat "$dir/format" ;;
    esac
}

# check NAME WHAT: begins rule_NAME, if it was asked for. All rules run at the same time, each with a
# directory of its own; what they found is told in the order of the list.
asked=" $* "
rules=
check() {
    case $asked in
    "  " | *" $1 "*) ;;
    *) return ;;
    esac
    mkdir "$dir/$1.d" && cp "$dir/files" "$dir/$1.d/files" || exit 2
    echo "$2" >"$dir/$1.what"
    (
        trap - EXIT INT TERM HUP
        dir=$dir/$1.d
        "rule_$1"
        : >"$dir/ended"
    ) >"$dir/$1.found" 2>&1 &
    rules="$rules $1"
}

# tell NAME: what a rule that has ended found.
tell() {
    found=$dir/$1.found
    [ -e "$dir/$1.d/ended" ] || echo "the rule itself was cut off" >>"$found"
    what=$(cat "$dir/$1.what")
    if grep -qv '^skip: ' "$found"; then
        failed=$((failed + 1))
        echo "FAIL $1: $what"
        grep -v '^skip: ' "$found" | sed 's/^/     /'
    elif [ -s "$found" ]; then
        skipped=$((skipped + 1))
        sort -u "$found" | sed "s/^skip:/skip $1:/"
    else
        passed=$((passed + 1))
        echo "ok   $1: $what"
    fi
}
check layers "who may include whom, one file for each third-party header"
check headers "every header compiles alone, with gcc and clang"
check public "tako.h as C11, C17, C++11, C++17, after hostile macros"
check sizes "files to 1000 lines, functions to 120, lines to 100 columns"
check heads "every file names its licence"
check variables "the library has no variable that can be written"
check banned "no call that breaks what tako.h promises a host"
check gnu "_GNU_SOURCE is defined in tako.c and the Makefile only"
check bare "between clone and exec only raw system calls"
check child "the child's code refers to nothing else, however it is compiled"
check init "the section tako_init has no relocations, however it is compiled"
check shell "shellcheck has nothing to say"
check symbols "tako.h and amalgamation/tako.sym name the same functions"
check documents "the programs in tako.h, README and docs compile"
check targets "make help lists every target"
check words "no words that belong elsewhere"
check space "no blanks at the end of a line, no tabs in front"
check format "laid out by .clang-format"
wait
for rule in $rules; do
    tell "$rule"
done
[ $((passed + failed + skipped)) -gt 0 ] || { echo "$0: no rule of that name" >&2; exit 2; }
[ $skipped -eq 0 ] || echo "skipped: $skipped"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
