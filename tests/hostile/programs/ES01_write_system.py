# Writes to what belongs to the host: every attempt fails.
# SPDX-License-Identifier: MIT
import os, sys

bad = []
dirs = ["/", "/usr", "/usr/bin", "/etc", "/etc/ssl", "/code", "/input", "/app", "/dev", "/run",
        "/proc", "/home/sandbox", sys.prefix, os.path.dirname(os.__file__)]
for d in dirs:
    for make in (lambda p: os.close(os.open(p, os.O_CREAT | os.O_WRONLY)), os.mkdir,
                 lambda p: os.symlink("x", p)):
        try:
            make(d + "/tako-was-here")
            bad.append("made an entry in " + d)
        except OSError:
            pass
for p in [sys.executable, os.__file__, "/etc/passwd", "/etc/ld.so.cache", "/code/main.py"]:
    for act in (lambda p: os.close(os.open(p, os.O_WRONLY)), lambda p: os.truncate(p, 1 << 40),
                lambda p: os.chmod(p, 0o777), lambda p: os.utime(p), os.unlink):
        try:
            act(p)
            bad.append("changed " + p)
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
