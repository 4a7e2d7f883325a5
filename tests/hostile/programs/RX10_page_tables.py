# Maps 4 TiB and touches one byte in every 2 MiB: nearly all of its memory is page tables. Must end
# at the limit of memory; where mappings themselves are limited, it gets none.
# SPDX-License-Identifier: MIT
import mmap

SIZE = 4 << 40
try:
    m = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
except (OSError, ValueError):
    print("held")
    raise SystemExit
for at in range(0, SIZE, 2 << 20):
    m[at] = 1
print("BREACH: 4 TiB of page tables")
