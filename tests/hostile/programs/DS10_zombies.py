# Keeps dead children unburied. Must be refused at the limit of processes.
# SPDX-License-Identifier: MIT
import os

count = 0
try:
    while count < 2000:
        if os.fork() == 0:
            os._exit(0)
        count += 1
    print("BREACH: 2000 zombies")
except OSError:
    print("held")
