# Slows pid 1 down, which the kernel lets every process of the same user do: refused.
# SPDX-License-Identifier: MIT
import os

bad = []
for name, act in (("affinity", lambda: os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})),
                  ("nice value", lambda: os.setpriority(os.PRIO_PROCESS, 1, 19)),
                  ("nice value by user", lambda: os.setpriority(os.PRIO_USER, 0, 19)),
                  ("nice value by id", lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19)),
                  ("policy", lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)))):
    try:
        act()
        bad.append("changed the %s of pid 1" % name)
    except OSError:
        pass
try:
    if os.getpriority(os.PRIO_PROCESS, 1) > os.getpriority(os.PRIO_PROCESS, 0):
        bad.append("pid 1 has less priority than the job")
except OSError:
    pass
print("\n".join("BREACH: " + b for b in sorted(set(bad))) or "held")
