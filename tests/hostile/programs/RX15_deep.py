# Nests directories as deep as it goes where artifacts are taken from. Nothing of the host may
# follow all the way down, and the tree must be gone afterwards.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
depth = 0
try:
    while depth < 100000:
        os.mkdir("d")
        os.chdir("d")
        depth += 1
except OSError:
    pass
print("held")
