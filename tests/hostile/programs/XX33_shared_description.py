# Two jobs: flags and owner that role a sets on its standard input are not on role b's.
# SPDX-License-Identifier: MIT
import fcntl, json, os, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
end = time.monotonic() + 2
while time.monotonic() < end:
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    if role == "a":
        fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_APPEND | os.O_NONBLOCK)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, 10, 34)
    elif (flags & (os.O_APPEND | os.O_NONBLOCK) or fcntl.fcntl(0, fcntl.F_GETOWN) or
          fcntl.fcntl(0, 11)):
        bad.add("standard input is shared with another job: flags %#x" % flags)
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
