# Files of enormous size without content: refused by size, holes are not read.
# SPDX-License-Identifier: MIT
import os

bad = []
for n, size in enumerate((1 << 50, 1 << 40, 1 << 62)):
    try:
        with open("/output/huge-%d" % n, "wb") as f:
            f.truncate(size)
        bad.append("a file of %d bytes" % size)
    except OSError:
        os.unlink("/output/huge-%d" % n)
with open("/output/sparse", "wb") as f:  # as large as files may be, larger than an artifact
    f.truncate(90 << 20)
print("\n".join("BREACH: " + b for b in bad) or "held")
