# A result that begins with a byte order mark: kept as a file, not taken as output.
# SPDX-License-Identifier: MIT
open("/output/result.json", "wb").write(b'\xef\xbb\xbf{"a": 1}')
print("held")
