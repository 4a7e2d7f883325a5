# Fills /tmp alone, which is smaller than the memory. Must meet the end of the room, and go on.
# SPDX-License-Identifier: MIT
import errno

written = 0
try:
    for part in range(64):
        with open("/tmp/fill%d" % part, "wb", 0) as f:
            for i in range(8):
                written += f.write(bytes(1048576))
    print("BREACH: %d MiB in /tmp" % (written >> 20))
except OSError as e:
    if e.errno != errno.ENOSPC:
        print("BREACH: another end than that of the room:", e)
print("held")
