# Numbers that JSON does not have: not taken as output.
# SPDX-License-Identifier: MIT
open("/output/result.json", "w").write('{"a": NaN, "b": Infinity, "c": -Infinity}')
print("held")
