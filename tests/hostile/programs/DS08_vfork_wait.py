# Waits in the kernel for a child that shares its memory and waits itself. Must end in time.
# SPDX-License-Identifier: MIT
import os

os.mkfifo("/tmp/fifo")
os.posix_spawn("/usr/bin/true", ["true"], {},
               file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/tmp/fifo", os.O_RDONLY, 0)])
print("BREACH: it did not wait")
