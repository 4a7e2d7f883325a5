# One byte more than the cap: truncated, and said so within the cap.
# SPDX-License-Identifier: MIT
import os

os.write(1, b"x" * 65537)
