# Sockets, a whiteout device, directories, a file without a name: only plain files are taken.
# SPDX-License-Identifier: MIT
import os, socket, stat

os.chdir("/output")
socket.socket(socket.AF_UNIX).bind("socket")
os.mkdir("directory")
open("directory/inner", "w").write("x")
try:
    os.mknod("whiteout", stat.S_IFCHR | 0o666, os.makedev(0, 0))  # needs no privilege
except OSError:
    pass
fd = os.open("/output", os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(fd, b"nameless")
open("plain", "w").write("x")
print("held")
