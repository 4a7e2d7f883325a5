# layers.awk - proves who includes whom, over all C files given as arguments.
#
# The table: a file belongs to the first group whose pattern its path matches; the group names
# what it may include in "..." besides its own group's headers. Groups that are not listed as
# allowed are out of reach: that is how includes go down, never up, and never sideways between
# back ends. Then each third-party header has its one file, and local includes stand at the top,
# under no condition, a module's own header first.
# SPDX-License-Identifier: MIT

function group(name, pattern, allowed)
{
    groups++
    name_of[groups] = name
    pattern_of[groups] = pattern
    allowed_of[name] = " " name " " allowed " "
}

BEGIN {
    #     group       files                                          may include
    group("public",   "^tako\\.h$",                                  "")
    group("contents", "^tako\\.c$",                                  "ground documents yaml rules model config engine handler sqlite native")
    group("ground",   "^src/(base\\.h|(mem|str|error|log|os|sha256)\\.c)$", "public")
    group("exec",     "^src/exec\\.h$",                              "ground public")
    group("json",     "^src/(json|canon)\\.h$",                      "ground public")
    group("documents", "^src/(json|canon)\\.c$",                     "json ground public")
    group("yaml",     "^src/yaml\\.[ch]$",                            "ground public")
    group("rules",    "^src/rules\\.[ch]$",                           "ground public")
    group("classify", "^src/classify\\.h$",                          "exec ground public")
    group("model",    "^src/(record\\.[ch]|record_json\\.c|classify\\.c)$", "classify exec json ground public")
    group("config",   "^src/config(_[a-z]+)?\\.[ch]$",                "yaml rules ground public")
    group("engine",   "^src/((engine|type|env)\\.[ch]|(job|pump|turn|ending|worker|keeper|api|lineage)\\.c)$", "model rules classify exec json ground public")
    group("handler",  "^backends/exec_handler",                      "exec json ground public")
    group("native",   "^backends/exec_native",                       "exec json ground public")
    group("sqlite",   "^backends/store_sqlite",                      "json ground public")
    group("server",   "^server/",                                    "public")
    group("example",  "^examples/",                                  "public")
    group("bench",    "^bench/",                                     "support public")
    group("support",  "^tests/support/",                             "public")
    group("machine",  "^tests/vm/",                                  "")
    group("unit",     "^tests/unit/",                                "support model config rules yaml classify engine exec json ground public handler native sqlite")
    # What a store must do is tested on the example of a store too; how the SQLite store does it,
    # from inside.
    group("outer",    "^tests/contract/(check_store(_keep)?\\.c|store_(cases|kinds|sqlite_cases)\\.h)$", "support example public")
    group("inside",   "^tests/contract/check_store_sqlite(_keep)?\\.c$", "outer support sqlite ground public")
    group("faulty",   "^tests/fault/check_store_faults\\.c$",       "outer support public")
    # What job types ask of the sandbox is tried on the executor itself.
    group("executor", "^tests/hostile/(types\\.h|check_(types|reach)\\.c)$", "support exec ground public")
    group("api",      "^tests/(api|fault|hostile|contract|stress)/", "support public")

    # Third-party headers of src/ and backends/: the one file of each.
    home["cjson/cJSON.h"] = "src/json.c"
    home["yaml.h"] = "src/yaml.c"
    home["sqlite3.h"] = "backends/store_sqlite.c"
    home["seccomp.h"] = "backends/exec_native_seccomp.c"
    # In server/ cJSON may have one file too; nothing else may have any.
    tests_may["check.h"] = tests_may["sqlite3.h"] = 1
}

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}

function group_of(path,    i)
{
    for (i = 1; i <= groups; i++)
        if (path ~ pattern_of[i])
            return name_of[i]
    return ""
}

function resolve(path, name,    parts, kept, n, i, out)
{
    if (name == "tako.h")
        return name # found with -I by what stands outside of the library
    sub(/[^\/]*$/, "", path)
    n = split(path name, parts, "/")
    kept = 0
    for (i = 1; i <= n; i++)
        if (parts[i] == "..")
            kept--
        else if (parts[i] != "." && parts[i] != "")
            out[++kept] = parts[i]
    path = out[1]
    for (i = 2; i <= kept; i++)
        path = path "/" out[i]
    return kept < 1 ? "(outside of the tree)" : path
}

function local_include(name,    target, there)
{
    target = resolve(FILENAME, name)
    there = group_of(target)
    if (there == "")
        complain("includes \"" name "\", a file that no layer has")
    else if (!index(allowed_of[mine], " " there " "))
        complain("a file of \"" mine "\" may not include " target " of \"" there "\"")
    if (mine == "contents")
        return
    if (target ~ /\.c$/ && there != "example")
        complain("only tako.c includes .c files")
    if (depth > guarded)
        complain("includes \"" name "\" under a condition")
    if (code_seen)
        complain("includes \"" name "\" below the code: local includes stand at the top")
    if (++locals == 1 && FILENAME ~ /^(src|backends)\/.*\.c$/) {
        own = FILENAME
        sub(/\.c$/, ".h", own)
        if ((own in listed) && target != own)
            complain("includes \"" name "\" before its own header")
    }
}

function system_include(name)
{
    if (FILENAME ~ /^(src|backends)\//) {
        if (name in home) {
            if (home[name] != FILENAME)
                complain("<" name "> belongs to " home[name] " alone")
        } else if (name == "check.h" || name ~ /^(curl|libpq|microhttpd)/)
            complain("<" name "> has no place here: give it one in tests/lint/layers.awk")
    } else if (FILENAME ~ /^tests\//) {
        if ((name in home) && !(name in tests_may))
            complain("tests do not look at <" name ">")
    } else if (FILENAME ~ /^server\//) {
        if (name == "cjson/cJSON.h" && ++server_cjson > 1)
            complain("<cjson/cJSON.h> has a file in server/ already")
        if (name != "cjson/cJSON.h" && ((name in home) || (name in tests_may)))
            complain("<" name "> has no place in server/")
    } else if ((name in home) || (name in tests_may)) {
        if (FILENAME != "examples/unit_test.c" || name != "check.h")
            complain("<" name "> has no place here")
    }
    if (mine == "public" && name != "stddef.h" && name != "stdint.h")
        complain("tako.h needs <stddef.h> and <stdint.h> only")
}

BEGIN {
    for (i = 1; i < ARGC; i++)
        listed[ARGV[i]] = 1
}

FNR == 1 {
    mine = group_of(FILENAME)
    if (mine == "")
        complain("belongs to no layer: name it in tests/lint/layers.awk")
    depth = guarded = directives = locals = code_seen = comment = 0
}

# Comments are none of our business; a line of code below tells that the top is over.
{
    line = $0
    if (comment) {
        if (!sub(/^.*\*\//, "", line))
            next
        comment = 0
    }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    if (sub(/\/\*.*$/, "", line))
        comment = 1
}

line ~ /^[ \t]*#/ {
    directives++
    word = line
    sub(/^[ \t]*#[ \t]*/, "", word)
    if (word ~ /^if/) {
        depth++
        if (directives == 1 && FILENAME ~ /\.h$/ && word ~ /^ifndef /)
            guarded = 1
    } else if (word ~ /^endif/)
        depth--
    else if (word ~ /^pragma[ \t]+once/)
        complain("#pragma once: write an include guard")
    else if (word ~ /^include[ \t]*"/) {
        sub(/^[^"]*"/, "", word)
        sub(/".*/, "", word)
        local_include(word)
    } else if (word ~ /^include[ \t]*</) {
        sub(/^[^<]*</, "", word)
        sub(/>.*/, "", word)
        system_include(word)
    }
    next
}

line ~ /[;{}]/ { code_seen = 1 }

END { exit bad }
