# A result in UTF-16: kept as a file, not taken as output.
# SPDX-License-Identifier: MIT
open("/output/result.json", "wb").write('{"a": 1}'.encode("utf-16"))
print("held")
