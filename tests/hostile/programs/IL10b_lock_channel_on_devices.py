# Two jobs, the device nodes that every job has: a lock of role a must not be seen by role b. Only a
# root host can make nodes of a job's own; where they are the host's, what is seen is known to be.
# SPDX-License-Identifier: MIT
import fcntl, json, os, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
names = ["/dev/" + n for n in ("null", "zero", "full", "random", "urandom")]
files = [(p, os.open(p, os.O_RDWR)) for p in names] + [("stdin", 0)]
known = any(" - devtmpfs " in line for line in open("/proc/self/mountinfo"))
end = time.monotonic() + 4
while time.monotonic() < end:
    for p, fd in files:
        for lock in (fcntl.flock, fcntl.lockf):
            try:
                lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if role == "b":
                    lock(fd, fcntl.LOCK_UN)
            except BlockingIOError:
                if role == "b":
                    bad.add("a lock of another job is seen on " + p)
            except OSError:
                pass
    time.sleep(0.02)
print("\n".join(("known: " if known else "BREACH: ") + b for b in sorted(bad)))
if known or not bad:
    print("held")
