# Asks for a hundred thousand files that are not there: it costs this job's memory, nobody else's.
# SPDX-License-Identifier: MIT
import os, time

begin = time.monotonic()
n = 0
while n < 100000 and time.monotonic() < begin + 5:
    os.path.exists("/usr/lib/none-%d" % n)
    os.path.exists("/usr/bin/" + "n" * 200 + "%d" % n)
    n += 1
print("held")
