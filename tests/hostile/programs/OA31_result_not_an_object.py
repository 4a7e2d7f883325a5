# Text after the object, an array, nothing at all: each alone would be refused, here the first.
# SPDX-License-Identifier: MIT
open("/output/result.json", "w").write('{"a": 1} {"b": 2}\n')
print("held")
