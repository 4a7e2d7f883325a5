# Leaves timers, notices and locks behind; the next job is struck by none of them.
# SPDX-License-Identifier: MIT
import ctypes, fcntl, json, os, signal, time

bad = []
libc = ctypes.CDLL(None, use_errno=True)
role = json.load(open("/input/data.json")).get("role")
if signal.getitimer(signal.ITIMER_REAL)[0] or signal.getitimer(signal.ITIMER_PROF)[0]:
    bad.append("a timer runs already")
if signal.sigpending():
    bad.append("signals are pending: %s" % signal.sigpending())
files = [os.open(p, os.O_RDONLY) for p in (os.__file__, "/usr/bin", "/etc/passwd", "/dev/null")
         if os.path.exists(p)]
for fd in files:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        bad.append("a lock of the job before is held")
    except OSError:
        pass
if role == "a":
    signal.setitimer(signal.ITIMER_REAL, 2, 2)
    if os.fork() == 0:  # holds the locks, if it can, until long after its parent's end
        signal.alarm(0)
        time.sleep(100)
else:
    time.sleep(2.5)
print("\n".join("BREACH: " + b for b in bad) or "held")
