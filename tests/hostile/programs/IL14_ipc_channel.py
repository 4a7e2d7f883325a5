# Two jobs, System V and POSIX objects by the same keys and names: role b sees none of role a's.
# SPDX-License-Identifier: MIT
import ctypes, json, os, time

bad = set()
libc = ctypes.CDLL(None, use_errno=True)
role = json.load(open("/input/data.json")).get("role")
key, make = 0x7A6B6F, 0o1666 if role == "a" else 0
end = time.monotonic() + 3
while time.monotonic() < end:
    for name, got in (("shared memory", libc.shmget(key, 4096 if role == "a" else 0, make)),
                      ("a semaphore", libc.semget(key, 1 if role == "a" else 0, make)),
                      ("a message queue", libc.msgget(key, make)),
                      ("a POSIX queue",
                       libc.mq_open(b"/tako", 0o102 if role == "a" else 2, 0o666, 0))):
        if role == "b" and got >= 0:
            bad.add("sees %s of the other job" % name)
    for p in ("/dev/shm/tako", "/tmp/tako", "/output/tako", "/dev/shm/sem.tako"):
        if role == "a":
            open(p, "w").close()
        elif os.path.exists(p):
            bad.add("sees the other job's " + p)
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
