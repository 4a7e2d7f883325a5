# Exits with the code that timeout(1) gives for a timeout. Must be told as an exit with 124.
# SPDX-License-Identifier: MIT
import os

os._exit(124)
