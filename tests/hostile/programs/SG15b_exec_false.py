# Becomes another program, which fails. Its end is the end.
# SPDX-License-Identifier: MIT
import os

os.execv("/usr/bin/false", ["false"])
