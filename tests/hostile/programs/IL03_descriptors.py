# Counts open descriptors: three, none of them a file, directory or socket of the host.
# SPDX-License-Identifier: MIT
import os, stat

bad = []
for fd in range(65536):
    try:
        st = os.fstat(fd)
    except OSError:
        continue
    if fd > 2:
        bad.append("descriptor %d is open" % fd)
    if not (stat.S_ISFIFO(st.st_mode) or stat.S_ISCHR(st.st_mode)):
        bad.append("descriptor %d has type %o" % (fd, stat.S_IFMT(st.st_mode)))
    if stat.S_ISCHR(st.st_mode) and st.st_rdev != os.makedev(1, 3):
        bad.append("descriptor %d is a device other than null" % fd)
print("\n".join("BREACH: " + b for b in bad) or "held")
