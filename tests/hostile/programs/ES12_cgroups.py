# Looks for a cgroup file system, mounts one, writes release_agent (CVE-2022-0492): none of it.
# SPDX-License-Identifier: MIT
import ctypes, glob, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
try:
    for line in open("/proc/self/mountinfo"):
        if " - cgroup" in line:
            bad.append("a cgroup file system is mounted at " + line.split()[4])
except FileNotFoundError:
    pass
for kind, options in ((b"cgroup", b"rdma"), (b"cgroup", b"memory"), (b"cgroup2", None)):
    if libc.mount(b"c", b"/tmp", kind, 0, options) == 0:
        bad.append("mounted " + kind.decode())
for name in ("release_agent", "notify_on_release", "cgroup.procs", "memory.max",
             "memory.limit_in_bytes", "pids.max"):
    for p in glob.glob("/sys/fs/cgroup/**/" + name, recursive=True) + glob.glob("/tmp/**/" + name):
        try:
            os.open(p, os.O_WRONLY)
            bad.append("opened %s for writing" % p)
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
