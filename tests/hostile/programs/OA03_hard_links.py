# Several names for one file: not counted twice, flagged.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
open("one", "w").write("x" * 1000)
for n in range(5):
    os.link("one", "same-%d" % n)
open("single", "w").write("y")
print("held")
