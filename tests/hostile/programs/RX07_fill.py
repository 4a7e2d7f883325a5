# Fills every writable directory. Must meet the end of the room, or of memory: both are limits.
# SPDX-License-Identifier: MIT
import errno

for name in ("/dev/shm", "/tmp", "/output"):
    written = 0
    try:
        for part in range(64):
            with open("%s/fill%d" % (name, part), "wb", 0) as f:
                for i in range(8):
                    written += f.write(bytes(1048576))
        print("BREACH: %d MiB in %s" % (written >> 20, name))
    except OSError as e:
        if e.errno != errno.ENOSPC:
            print(name, e)
print("held")
