# Looks for addresses of the kernel in what /proc says of its own process: there are none.
# SPDX-License-Identifier: MIT
import os, re

bad = []
for name in ("wchan", "stack", "syscall", "stat", "maps", "smaps", "timers", "auxv", "net/unix",
             "net/netlink", "net/ptype", "net/packet", "sched", "status", "mountinfo", "limits"):
    try:
        data = open("/proc/self/" + name, "rb").read()
    except OSError:
        continue
    text = data.decode("latin-1")
    for at in re.findall(r"\b(?:0x)?(ffff[89a-f][0-9a-f]{11})\b", text):
        if not at.startswith("ffffffffff60") and at != "ffffffffffffffff":  # vsyscall, none
            bad.append("%s in /proc/self/%s" % (at, name))
    if name == "auxv" and any(w[6:8] == b"\xff\xff" for w in
                              (data[n:n + 8] for n in range(0, len(data), 8))):
        bad.append("an address of the kernel in auxv")
try:
    frames = open("/proc/self/pagemap", "rb")
    frames.seek(id(bad) // 4096 * 8)
    if int.from_bytes(frames.read(8), "little") & (1 << 55) - 1:
        bad.append("the place of a page in the machine's memory")
except OSError:
    pass
print("\n".join("BREACH: " + b for b in bad) or "held")
