# Raises what a slow program would raise. Must be told as an exit with 1.
# SPDX-License-Identifier: MIT
import sys

print("Killed", file=sys.stderr)
raise TimeoutError("timed out")
