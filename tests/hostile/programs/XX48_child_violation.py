# A child makes the forbidden call, its parent goes on: the child is dead, the rest is as it was.
# SPDX-License-Identifier: MIT
import ctypes, os, signal

bad = []
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    libc.syscall(ctypes.c_long(0x40000000 | 39))
    os._exit(0)
status = os.waitpid(pid, 0)[1]
if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGSYS:
    bad.append("the child ended with %#x" % status)
if os.WCOREDUMP(status):
    bad.append("the child dumped core")
print("\n".join("BREACH: " + b for b in bad) or "held")
