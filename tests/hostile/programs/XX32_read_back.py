# Opens the pipes of standard output for reading: at most its own words are in there.
# SPDX-License-Identifier: MIT
import json, os

bad = []
backwards = json.load(open("/input/data.json")).get("canary", "").encode() or b"\0"
got = b""
for fd in (0, 1, 2):
    for flags in (os.O_RDONLY, os.O_RDWR):
        try:
            again = os.open("/proc/self/fd/%d" % fd, flags | os.O_NONBLOCK)
            got += os.read(again, 65536)
        except OSError:
            pass
    try:
        got += os.pread(fd, 65536, 0)
    except OSError:
        pass
if backwards in got[::-1] or got:
    bad.append("read %r from a pipe of the host" % got[:60])
print("\n".join("BREACH: " + b for b in bad) or "held")
