# Pins pid 1 to one processor, at the lowest priority, and crowds it there: killed on time.
# SPDX-License-Identifier: MIT
import os

cpu = {min(os.sched_getaffinity(0))}
for act in (lambda: os.sched_setaffinity(1, cpu), lambda: os.setpriority(os.PRIO_USER, 0, 19),
            lambda: os.setpriority(os.PRIO_PROCESS, 1, 19)):
    try:
        act()
    except OSError:
        pass
try:
    for n in range(60):
        if os.fork() == 0:
            os.sched_setaffinity(0, cpu)
            break
except OSError:
    pass
while True:
    pass
