# The result as a link to itself, to the input, to memory: rejected.
# SPDX-License-Identifier: MIT
import os

os.symlink("/input/data.json", "/output/result.json")
print("held")
