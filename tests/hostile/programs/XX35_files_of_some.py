# Opens files of the system that not everybody may read: no right of the host's user is left.
# SPDX-License-Identifier: MIT
import os, stat

bad = []
for top in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local", "/usr/share", "/etc", "/opt"):
    for d, dirs, files in os.walk(top):
        if d.count("/") > 5:
            dirs.clear()
        for name in files:
            p = d + "/" + name
            try:
                st = os.lstat(p)
                if stat.S_ISREG(st.st_mode) and not st.st_mode & 4 and st.st_uid != os.getuid():
                    os.close(os.open(p, os.O_RDONLY))
                    bad.append("opened " + p)
            except OSError:
                pass
print("\n".join("BREACH: " + b for b in bad[:20]) or "held")
