# Puts Landlock layers on itself up to the kernel's limit, then executes: confined, and runs.
# SPDX-License-Identifier: MIT
import ctypes, os, subprocess

bad = []
libc = ctypes.CDLL(None, use_errno=True)
layers = 0
for n in range(40):
    rules = libc.syscall(444, (1 << 1).to_bytes(8, "little"), 8, 0)  # handles writing to files
    if rules < 0 or libc.syscall(446, rules, 0) != 0:
        break
    layers += 1
print("layers:", layers)
for p in ("/tmp/x", "/output/x", "/etc/passwd"):
    try:
        os.close(os.open(p, os.O_WRONLY | os.O_CREAT))
        if layers:
            bad.append("wrote %s behind %d layers" % (p, layers))
    except OSError:
        pass
if subprocess.run(["/usr/bin/cat", "/etc/shadow"], capture_output=True).returncode == 0:
    bad.append("read a file of the host")
print("\n".join("BREACH: " + b for b in bad) or "held")
