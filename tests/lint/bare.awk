# bare.awk - functions marked NATIVE_BARE or NATIVE_INLINE run where there is no libc to call:
# between clone and exec in the host's memory, or as an init without a library. They may call each
# other and the macros below, nothing else. With -v list=1 it prints their names instead.
# SPDX-License-Identifier: MIT

# Macros that are no calls, what the compiler itself does, and a pointer to a bare function.
BEGIN {
    n = split("if for while switch return sizeof __attribute__ __asm__ volatile " \
              "NATIVE_PTR NATIVE_TRY CHILD_TRY NATIVE_SYS0 NATIVE_SYS1 NATIVE_SYS2 NATIVE_SYS3 " \
              "NATIVE_SYS4 NATIVE_SYS5 CMSG_DATA CMSG_LEN CMSG_SPACE TAKO__LEN fn", word, " ")
    for (i = 1; i <= n; i++)
        allowed[word[i]] = 1
}

FNR == 1 { comment = head = body = 0 }

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
}

line ~ /^#/ { next }

!head && !body && line ~ /(NATIVE_BARE|NATIVE_INLINE)/ {
    head = 1
    signature = ""
}

head {
    if (line ~ /^\{/) {
        head = 0
        body = 1
        gsub(/__attribute__\(\(section\(""\), used, noinline\)\)/, "", signature)
        sub(/\(.*/, "", signature)
        sub(/[ \t]+$/, "", signature)
        sub(/.*[ \t*]/, "", signature)
        bare[signature] = 1
        name = signature
    } else {
        signature = signature " " line
        if (line ~ /;/)
            head = 0
        next
    }
}

body {
    if (line ~ /^\}/) {
        body = 0
        next
    }
    while (match(line, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        called = substr(line, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", called)
        line = substr(line, RSTART + RLENGTH)
        calls++
        where[calls] = FILENAME ":" FNR ": " name " calls "
        what[calls] = called
    }
}

END {
    for (name in bare)
        if (list)
            print name
        else
            count++
    if (list)
        exit 0
    if (count < 10) {
        print "only " count + 0 " bare functions found: bare.awk does not understand the files"
        bad = 1
    }
    for (i = 1; i <= calls; i++)
        if (!(what[i] in allowed) && !(what[i] in bare)) {
            print where[i] what[i] "()"
            bad = 1
        }
    exit bad
}
