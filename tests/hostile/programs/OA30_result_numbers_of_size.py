# A number of a million digits and an exponent beyond all: kept as bytes, computed by nobody.
# SPDX-License-Identifier: MIT
open("/output/result.json", "w").write('{"a": ' + "9" * 1000000 + ', "b": 1e999999999}')
print("held")
