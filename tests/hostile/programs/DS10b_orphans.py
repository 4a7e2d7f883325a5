# Leaves orphans that die at once, more than there may be processes. Somebody must bury them.
# SPDX-License-Identifier: MIT
import os
import time

for i in range(150):
    for tries in range(200):
        try:
            child = os.fork()
            break
        except OSError:
            time.sleep(0.01)
    else:
        print("BREACH: orphans are not buried")
        raise SystemExit
    if child == 0:
        try:
            if os.fork() == 0:
                os._exit(0)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
print("held")
