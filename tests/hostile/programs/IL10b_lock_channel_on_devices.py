# Two jobs, the device nodes that every job has: a lock of role a must not be seen by role b.
import fcntl, json, os, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
names = ["/dev/" + n for n in ("null", "zero", "full", "random", "urandom")]
files = [(p, os.open(p, os.O_RDWR)) for p in names] + [("stdin", 0)]
end = time.monotonic() + 4
while time.monotonic() < end:
    for p, fd in files:
        for take in (lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
                     lambda: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            try:
                take()
                if role == "b":
                    fcntl.flock(fd, fcntl.LOCK_UN)
                    fcntl.lockf(fd, fcntl.LOCK_UN)
            except BlockingIOError:
                if role == "b":
                    bad.add("a lock of another job is seen on " + p)
            except OSError:
                pass
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
