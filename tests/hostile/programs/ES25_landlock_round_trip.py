# Regains rights to a file through descriptors, links and renames: denied on every way.
# SPDX-License-Identifier: MIT
import ctypes, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)


def attempt(what, call):
    try:
        call()
        bad.append(what)
    except OSError:
        pass


open("/tmp/mine", "w").write("x")
for p in filter(os.path.exists, ("/etc/passwd", "/code/main.py", os.__file__)):
    path_fd, read_fd = os.open(p, os.O_PATH), os.open(p, os.O_RDONLY)
    for fd in (path_fd, read_fd):
        again = "/proc/self/fd/%d" % fd
        for way in (again, "/dev/fd/%d" % fd, "/proc/thread-self/fd/%d" % fd):
            attempt("reopened %s for writing" % p, lambda: os.open(way, os.O_WRONLY))
            attempt("truncated %s" % p, lambda: os.truncate(way, 1 << 40))
            attempt("chmod of %s" % p, lambda: os.chmod(way, 0o777))
            attempt("set times of %s" % p, lambda: os.utime(way))
        attempt("linked %s" % p, lambda: os.link(again, "/tmp/l", follow_symlinks=True))
        attempt("fchmod of %s" % p, lambda: os.fchmod(fd, 0o777))
        if libc.syscall(452, fd, b"", 0o777, 0x1000) == 0:
            bad.append("fchmodat2 of %s" % p)
    attempt("renamed %s" % p, lambda: os.rename(p, "/tmp/r"))
    attempt("replaced %s" % p, lambda: os.replace("/tmp/mine", p))
    attempt("wrote by splice", lambda: os.sendfile(read_fd, os.open(p, os.O_RDONLY), 0, 10))
    attempt("wrote by copy", lambda: os.copy_file_range(path_fd, read_fd, 10))
print("\n".join("BREACH: " + b for b in bad) or "held")
