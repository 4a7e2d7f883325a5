# The result under two names: rejected, as every file with more than one.
# SPDX-License-Identifier: MIT
import os

open("/output/other", "w").write('{"a": 1}')
os.link("/output/other", "/output/result.json")
print("held")
