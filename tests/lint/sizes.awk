# sizes.awk - a file has at most 1000 lines, a function's body at most 120, a line 100 columns.
# What is measured for the last is bytes less the trailing bytes of UTF-8.
# SPDX-License-Identifier: MIT

function close_file()
{
    if (lines > 1000)
        complain(file, lines, "the file has " lines " lines, 1000 are allowed")
}

function complain(path, line, text)
{
    printf "%s:%d: %s\n", path, line, text
    bad = 1
}

FNR == 1 {
    close_file()
    file = FILENAME
    start = 0
}

{
    lines = FNR
    columns = $0
    gsub(/[\200-\277]/, "", columns)
    if (length(columns) > 100)
        complain(FILENAME, FNR, "the line has " length(columns) " columns")
}

/^\{/ { start = FNR }

/^\}/ {
    if (start && FNR - start > 120)
        complain(FILENAME, start, "the function has " FNR - start " lines, 120 are allowed")
    start = 0
}

END {
    close_file()
    exit bad
}
