# banned.awk - calls that src/ and backends/ may not make, because of what tako.h promises a host
# (no exit, no printing, no signal handlers, no children that are not ours), or because they do
# not know how much room there is.
# SPDX-License-Identifier: MIT

BEGIN {
    why["printf"] = why["vprintf"] = why["puts"] = why["putchar"] = why["perror"] = "a library prints nothing"
    why["exit"] = why["abort"] = why["quick_exit"] = "a library never ends its host"
    why["atexit"] = why["assert"] = "a library never ends its host"
    why["system"] = why["popen"] = why["fork"] = why["vfork"] = "children are made in exec_native_child.c"
    why["wait"] = why["wait3"] = why["wait4"] = why["waitpid"] = "wait for a pidfd: other children are the host's"
    why["signal"] = why["sigaction"] = "dispositions are the host's"
    why["setenv"] = why["putenv"] = why["setlocale"] = why["chdir"] = why["umask"] = "the process is the host's"
    why["strcpy"] = why["strcat"] = why["sprintf"] = why["vsprintf"] = why["gets"] = "knows no bound"
    why["strtok"] = why["localtime"] = why["gmtime"] = why["asctime"] = "not thread-safe"
    why["readdir_r"] = why["alloca"] = why["atoi"] = "there is a better way"
}

FNR == 1 { comment = 0 }

{
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    gsub(/'([^'\\]|\\.)*'/, "0", line)
    if (comment) {
        if (!sub(/^.*\*\//, "", line))
            next
        comment = 0
    }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    if (sub(/\/\*.*$/, "", line))
        comment = 1
    if (line ~ /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/ && line ~ /(printf|puts|putc|write)[ \t]*\(.*(stdout|stderr)[ \t]*[,)]/ && line ~ /(^|[^A-Za-z0-9_])f(printf|puts|putc|write)[ \t]*\(/)
        complain("a library prints nothing")
    while (match(line, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(line, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
        line = substr(line, RSTART + RLENGTH)
        if ((name in why) && before != "." && before != ">")
            complain(name "(): " why[name])
    }
}

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}

END { exit bad }
