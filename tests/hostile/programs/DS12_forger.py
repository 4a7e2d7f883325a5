# Forges messages about its own end on every descriptor there is, and passes descriptors to itself
# until it has no more. Must be told as what the kernel saw: an exit with 3.
# SPDX-License-Identifier: MIT
import array
import os
import socket
import struct
import sys

frame = struct.pack("=iiiiqqqq", 3, 0, 0, 0, 0, 0, 0, 0)
for fd in range(3, 1024):
    try:
        os.write(fd, frame)
        print("BREACH: descriptor %d is open" % fd)
    except OSError:
        pass
os.write(1, frame + os.urandom(300) + b'\n{"verdict": "exit", "exit_code": 0}\n')
os.write(2, frame * 100 + b"\x01\x00\x00\x00\x00\x00\x00\x04exit" + b"\xff" * 8)
a, b = socket.socketpair()
fds = []
try:
    for i in range(200):
        fds.append(os.dup(1))
except OSError:
    pass
try:
    for i in range(100):
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds[:100]))])
except OSError:
    pass
print("\nheld", flush=True)
os._exit(3)
