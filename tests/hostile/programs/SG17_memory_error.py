# Raises what an exhausted program would raise. Must be told as an exit with 1.
# SPDX-License-Identifier: MIT
raise MemoryError("Killed: out of memory")
