# Takes memory that is nobody's private: shared mappings, memory files, pipes. The limit holds.
# SPDX-License-Identifier: MIT
import mmap, os

step = 8 << 20
kept = []
for n in range(12):  # 192 MiB, three times what this job may have
    m = mmap.mmap(-1, step)
    m.write(b"x" * step)
    fd = os.memfd_create("m")
    os.write(fd, bytes(step))
    kept.append((m, fd))
print("took %d MiB" % (2 * 12 * step >> 20))
