# Two jobs, the files that stand for namespaces: one that is shared would carry locks.
# SPDX-License-Identifier: MIT
import fcntl, glob, json, os, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
files = []
for p in glob.glob("/proc/self/ns/*"):
    try:
        files.append((p, os.open(p, os.O_RDONLY)))
    except OSError:
        pass
end = time.monotonic() + 4
while time.monotonic() < end:
    for p, fd in files:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if role == "b":
                fcntl.flock(fd, fcntl.LOCK_UN)
        except BlockingIOError:
            if role == "b":
                bad.add("a lock of the other job is seen on " + p)
        except OSError:
            pass
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
