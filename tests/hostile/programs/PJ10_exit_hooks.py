# Registers hooks for fork and exit; they run in this job only, never in the next.
# SPDX-License-Identifier: MIT
import atexit, json, os, sys, threading

bad = []
role = json.load(open("/input/data.json")).get("role")
if threading.active_count() != 1:
    bad.append("threads run that this job did not start")
seen = []
if role == "a":
    os.register_at_fork(before=lambda: print("BREACH: a hook of the job before", flush=True))
    atexit.register(lambda: sys.stderr.write("the hook of this job\n"))
else:
    os.register_at_fork(before=lambda: seen.append(1))
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    if seen != [1]:
        bad.append("other hooks ran")
print("\n".join("BREACH: " + b for b in bad) or "held")
