# Uses nearly all its memory, then kills itself. Must be told as a signal, not as out of memory.
# SPDX-License-Identifier: MIT
import os
import resource
import signal

kept = []
while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 115 * 1024:
    kept.append(b"x" * 262144)
os.kill(os.getpid(), signal.SIGKILL)
