# Says that it was killed for memory, and exits with 1. Words change nothing.
# SPDX-License-Identifier: MIT
import sys

print("Out of memory: Killed process 2 (python3)\nKilled", file=sys.stderr)
sys.exit(1)
