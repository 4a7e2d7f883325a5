# Exits with 256, of which the kernel keeps the low eight bits. Must be told as an exit with 0.
# SPDX-License-Identifier: MIT
import os

os._exit(256)
