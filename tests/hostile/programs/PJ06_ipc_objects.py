# Leaves System V and POSIX objects behind; the next job finds none by the same keys and names.
# SPDX-License-Identifier: MIT
import ctypes, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for key in range(0x7A6B00, 0x7A6B08):
    for name, get in (("shared memory", lambda f: libc.shmget(key, 4096, f)),
                      ("semaphores", lambda f: libc.semget(key, 1, f)),
                      ("a message queue", lambda f: libc.msgget(key, f))):
        if get(0o600) >= 0:
            bad.append("%s with key %#x is there" % (name, key))
        get(0o1666)
for name in (b"/tako", b"/tako-2"):
    if libc.mq_open(name, 2) >= 0:
        bad.append("a POSIX queue is there")
    libc.mq_open(name, 0o102, 0o666, None)
for p in ("/dev/shm/sem.tako", "/dev/shm/tako"):
    if os.path.exists(p):
        bad.append(p + " is there")
    open(p, "w").close()
print("\n".join("BREACH: " + b for b in bad) or "held")
