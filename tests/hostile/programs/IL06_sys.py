# /sys tells of hardware, modules and groups of the host: absent, or empty.
# SPDX-License-Identifier: MIT
import os

found = os.listdir("/sys") if os.path.isdir("/sys") else []
print("BREACH: /sys has " + " ".join(found[:9]) if found else "held")
