# Exits with the code that shells give for a death by SIGTERM. Must be told as an exit with 143.
# SPDX-License-Identifier: MIT
import os

os._exit(143)
