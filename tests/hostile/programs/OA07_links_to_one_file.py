# Twenty links to one big file: they add nothing.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
with open("/tmp/big", "wb") as f:
    f.write(bytes(20 << 20))
for n in range(20):
    os.symlink("/tmp/big", "big-%d" % n)
print("held")
