# Process and user numbers that the job learns are numbers of its own world.
# SPDX-License-Identifier: MIT
import glob, os, socket, struct

bad = []
if os.getpid() > 100 or os.getppid() > 1:
    bad.append("pids %d, %d are of a larger world" % (os.getpid(), os.getppid()))
if set(os.getresuid() + os.getresgid()) != {1000} or set(os.getgroups()) - {1000, 65534}:
    bad.append("ids %s %s %s" % (os.getresuid(), os.getresgid(), os.getgroups()))
a, b = socket.socketpair()
creds = a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
if struct.unpack("3i", creds) != (os.getpid(), 1000, 1000):
    bad.append("the peer is %s" % (struct.unpack("3i", creds),))
try:
    for line in open("/proc/self/status"):
        key, *values = line.split()
        if key in ("Uid:", "Gid:") and set(values) != {"1000"}:
            bad.append(line.strip())
        if key in ("NSpid:", "NStgid:") and len(values) > 1:
            bad.append("a pid of another namespace: " + line.strip())
    for name in ("loginuid", "sessionid"):
        if open("/proc/self/" + name).read() not in ("4294967295", "0"):
            bad.append("%s is the host's" % name)
except FileNotFoundError:
    pass
for p in glob.glob("/proc/[0-9]*"):
    if int(p[6:]) > 100:
        bad.append(p + " is there")
print("\n".join("BREACH: " + b for b in bad) or "held")
