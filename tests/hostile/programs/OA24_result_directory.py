# The result as a directory with a result in it: rejected.
# SPDX-License-Identifier: MIT
import os

os.makedirs("/output/result.json/result.json")
print("held")
