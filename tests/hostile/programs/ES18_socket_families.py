# Sockets of every family and kind: local ones exist, no others.
# SPDX-License-Identifier: MIT
import socket

bad = []
for family in range(46):
    for kind in range(1, 11):
        for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
            for protocol in (0, 1, 6, 17, 255):
                try:
                    socket.socket(family, kind | flags, protocol).close()
                except OSError:
                    continue
                if family != socket.AF_UNIX:
                    bad.append("a socket of family %d, kind %d" % (family, kind))
print("\n".join("BREACH: " + b for b in sorted(set(bad))) or "held")
