# Lets the kernel signal pid 1 and its group on its behalf, by F_SETOWN and F_SETSIG: they live on.
# SPDX-License-Identifier: MIT
import fcntl, os, signal, struct, time

bad = []
signal.signal(signal.SIGIO, signal.SIG_IGN)
for sig in (0, signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD, 34):
    for owner in (1, -1, -os.getpgid(0), os.getppid()):
        if abs(owner) == os.getpgid(0) and sig not in (0, signal.SIGCHLD):
            continue  # that is the job itself
        for fd in os.pipe() + (0, 1):
            try:
                fcntl.fcntl(fd, 10, sig)  # F_SETSIG
                fcntl.fcntl(fd, fcntl.F_SETOWN, owner)
                fcntl.fcntl(fd, 15, struct.pack("ii", 2 if owner < 0 else 1, abs(owner)))
                fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
            except OSError:
                pass
        r, w = os.pipe()
        try:
            fcntl.fcntl(r, 10, sig)
            fcntl.fcntl(r, fcntl.F_SETOWN, owner)
            fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
        except OSError:
            pass
        os.write(w, b"x")
time.sleep(0.2)
pid = os.fork()
if pid == 0:
    if os.fork() == 0:
        os._exit(0)  # an orphan: pid 1 reaps it when it is alive
    os._exit(0)
os.waitpid(pid, 0)
print("\n".join("BREACH: " + b for b in bad) or "held")
