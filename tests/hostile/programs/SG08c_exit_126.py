# Exits with the code that shells give for what cannot be executed. Must be told as an exit with 126.
# SPDX-License-Identifier: MIT
import os

os._exit(126)
