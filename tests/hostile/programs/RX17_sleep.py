# Sleeps for thirty years. Must end at the limit of time.
# SPDX-License-Identifier: MIT
import time

time.sleep(1e9)
