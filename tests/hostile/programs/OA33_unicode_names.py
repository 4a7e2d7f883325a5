# One name in two normal forms, twice with other case, with invisible characters: four files.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
for name in ("caf\u00e9", "cafe\u0301", "CAF\u00c9", "caf\u00e9\u200b"):
    open(name, "w").write("x")
print("held")
