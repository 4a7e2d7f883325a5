# A thousand directories inside each other: one entry that is refused, never a walk.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
for n in range(1000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("at-the-bottom", "w").write("x")
print("held")
