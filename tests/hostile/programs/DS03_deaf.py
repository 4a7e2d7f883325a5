# Never reads its stdin before the end. Nobody may wait for it to do so.
# SPDX-License-Identifier: MIT
import os

open("/tmp/x", "w").write("x" * 100000)
print("BREACH: something is on stdin" if os.read(0, 100000) else "held")
