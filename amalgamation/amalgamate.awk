# amalgamate.awk - turns tako.c into one file without local includes, on standard output.
#
#     awk -v source_id=COMMIT -f amalgamation/amalgamate.awk tako.c      (from the root of the tree)
#
# Every `#include "..."` is replaced by the file, the first time; repeats become a comment.
# `<...>` stays, and so does tako.h, which travels beside the result. POSIX awk only. Ends with
# 1 and prints no more on: a file that is missing or outside the tree, a header under a
# condition (a .c file may be: that is how features are left out), #pragma once.
# SPDX-License-Identifier: MIT

function fail(text) {
    print "amalgamate.awk: " text >"/dev/stderr"
    failed = 1
    exit 1
}

# "src/../tako.h" -> "tako.h"; fails when it leads out of the tree.
function resolve(from, name,    path, parts, n, i, out, kept) {
    if (name ~ /^\//)
        fail(from ": \"" name "\" is outside the tree")
    path = from
    if (!sub(/\/[^\/]*$/, "/", path))
        path = ""
    n = split(path name, parts, "/")
    kept = 0
    for (i = 1; i <= n; i++) {
        if (parts[i] == "" || parts[i] == ".")
            continue
        if (parts[i] != "..")
            out[++kept] = parts[i]
        else if (kept-- == 0)
            fail(from ": \"" name "\" is outside the tree")
    }
    path = out[1]
    for (i = 2; i <= kept; i++)
        path = path "/" out[i]
    return path
}

function banner(text,    line) {
    line = "/* ---- " text " "
    while (length(line) < 96)
        line = line "-"
    print line " */"
}

# The guard of a header is no condition: depth counts from inside it. `context` is the condition
# under which the present .c file stands: what it brought is not there for files elsewhere.
function inline(path,    line, depth, rest, name, target, number, guard, status, outer, condition) {
    depth = 0
    number = 0
    guard = (path ~ /\.h$/)
    while ((status = (getline line <path)) > 0) {
        number++
        if (line ~ /^[ \t]*#[ \t]*pragma[ \t]+once/)
            fail(path ":" number ": #pragma once does not survive this")
        if (line ~ /^[ \t]*#[ \t]*if/) {
            depth++
            condition = line
            if (guard && depth == 1) {
                depth = 0
                guard = 0
                guarded[path] = 1
            }
        }
        if (line ~ /^[ \t]*#[ \t]*endif/)
            depth--
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*"/) {
            print line
            continue
        }
        rest = line
        sub(/^[^"]*"/, "", rest)
        name = rest
        sub(/".*/, "", name)
        target = resolve(path, name)
        if (depth > 0 && target ~ /\.h$/)
            fail(path ":" number ": \"" name "\" is included under a condition")
        if (target == "tako.h") {
            if (!(target in seen)) {
                print "#include \"tako.h\""
                version_guard()
            }
            seen[target] = 1
        } else if (target in seen) {
            if (where[target] != "" && where[target] != context)
                fail(path ":" number ": \"" name "\" stands above, but under " where[target])
            print "/* " target ": see above */"
        } else {
            seen[target] = 1
            outer = context
            if (depth > 0)
                context = condition
            where[target] = context
            if ((getline status <target) < 0)
                fail(path ":" number ": \"" name "\" cannot be read")
            close(target)
            banner("begin " target)
            inline(target)
            banner("end " target)
            context = outer
        }
    }
    if (status < 0)
        fail(path ": cannot be read")
    close(path)
    if (depth != (path in guarded ? -1 : 0))
        fail(path ": #if without #endif")
}

# Two files of different releases do not go together.
function version_guard() {
    print "#if TAKO_VERSION_NUMBER != " number_of_version
    print "#error \"tako.h is of another version than tako.c, which is " version "\""
    print "#endif"
}

function read_version(    line, parts) {
    while ((getline line <"tako.h") > 0)
        if (line ~ /^#define TAKO_VERSION "/) {
            split(line, parts, "\"")
            version = parts[2]
        }
    close("tako.h")
    if (split(version, parts, ".") != 3)
        fail("tako.h: no TAKO_VERSION")
    number_of_version = parts[1] * 1000000 + parts[2] * 1000 + parts[3]
}

# The file may travel without its tree, so the notice that has to travel with it is in it.
function licence(    line, n) {
    while ((getline line <"LICENSE") > 0) {
        print (line == "" ? " *" : " * " line)
        n++
    }
    close("LICENSE")
    if (!n)
        fail("LICENSE: cannot be read")
}

BEGIN {
    root = ARGC > 1 ? ARGV[1] : "tako.c"
    ARGC = 1
    read_version()
    print "/* tako.c - Tako " version " in one file: runs untrusted code as durable jobs."
    print " *"
    print " * Made from src/ and backends/: change those, not this file."
    if (source_id)
        print " * Commit: " source_id
    print " *"
    print " * Put this file and tako.h beside your own and compile them:"
    print " *"
    print " *     cc -O2 -o app app.c tako.c -lsqlite3 -lcjson -lseccomp -lyaml -lpthread"
    print " *"
    print " * Wants C11, gcc or clang, Linux; libsqlite3, libcjson, libseccomp and libyaml with"
    print " * their headers."
    print " * -DTAKO_OMIT_NATIVE leaves the sandbox out (and libseccomp), -DTAKO_OMIT_SQLITE the SQLite"
    print " * store (and libsqlite3), -DTAKO_OMIT_YAML configuration files (and libyaml). The interface"
    print " * and its manual are in tako.h."
    print " * SPDX-License-Identifier: MIT"
    print " *"
    licence()
    print " */"
    print "#ifndef TAKO_SOURCE_ID"
    print "#define TAKO_SOURCE_ID \"" source_id "\""
    print "#endif"
    seen[root] = 1
    inline(root)
    exit 0
}

END {
    exit failed
}
