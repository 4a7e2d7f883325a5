# Two jobs, files that both can read: role a locks them, role b must not notice.
# SPDX-License-Identifier: MIT
import fcntl, json, os, struct, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
paths = ["/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/etc/ssl/certs", "/etc/ld.so.cache",
         "/etc/ssl/openssl.cnf", "/etc/passwd", "/etc/localtime", "/usr/bin/python3", os.__file__,
         "/etc/alternatives", "/code", "/code/main.py", "/dev", "/tmp", "/output",
         "/dev/shm", "/proc", "/proc/self/status", "/run", "/app", "/usr/lib/os-release"]
probe = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
files = [(p, os.open(p, os.O_RDONLY)) for p in paths if os.path.exists(p)]
end = time.monotonic() + 4
while time.monotonic() < end:
    for p, fd in files:
        for name, lock in (("flock", lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
                           ("record lock", lambda: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)),
                           ("lease", lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK))):
            try:
                lock()
                if name == "flock" and role == "b":  # role a keeps what it has
                    fcntl.flock(fd, fcntl.LOCK_UN)
            except BlockingIOError:
                if role == "b":
                    bad.add("%s of another job seen on %s" % (name, p))
            except OSError:
                pass
        try:
            found = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, probe))
            if role == "b" and found[0] != fcntl.F_UNLCK:
                bad.add("record lock of another job seen on " + p)
        except OSError:
            pass
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
