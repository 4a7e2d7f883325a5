# One key with two values: which one counts must not be a matter of the reader.
# SPDX-License-Identifier: MIT
open("/output/result.json", "w").write('{"role": "user", "role": "admin", "r\\u006fle": "root"}')
print("held")
