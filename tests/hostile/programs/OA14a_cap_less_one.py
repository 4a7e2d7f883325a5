# One byte less than the cap of 65,536: kept whole.
# SPDX-License-Identifier: MIT
import os

os.write(1, b"x" * 65535)
