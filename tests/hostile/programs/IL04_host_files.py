# Reads what the host keeps to itself: none of it can be opened.
# SPDX-License-Identifier: MIT
import glob, os

bad = []
paths = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/machine-id", "/root",
         "/root/.ssh", "/root/.bash_history", "/home/*", "/var", "/var/log", "/var/lib/docker",
         "/opt", "/srv", "/mnt", "/media", "/boot", "/run/docker.sock", "/run/user", "/run/secrets",
         "/var/run/secrets", "/etc/ssl/private", "/etc/fstab", "/etc/resolv.conf", "/lost+found",
         "/usr/local/etc/*.conf", "/etc/kubernetes", "/.dockerenv", "/tmp/*",
         "/dev/shm/*", "/output/*", "/usr/share/keyrings/private*"]
for pattern in paths:
    for p in glob.glob(pattern):
        if p.startswith("/home/sandbox"):
            continue
        try:
            os.listdir(p) if os.path.isdir(p) else open(p, "rb").read(1)
            bad.append("could read " + p)
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
