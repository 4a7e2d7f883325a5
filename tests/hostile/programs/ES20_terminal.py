# Types into a terminal of the host: there is none, and the requests are refused.
# SPDX-License-Identifier: MIT
import fcntl, os

bad = []
for p in ("/dev/tty", "/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0"):
    try:
        os.open(p, os.O_RDWR | os.O_NOCTTY)
        bad.append("opened " + p)
    except OSError:
        pass
requests = {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C, "TIOCSCTTY": 0x540E, "TIOCSETD": 0x5423,
            "TIOCCONS": 0x541D, "TIOCNOTTY": 0x5422, "FIOASYNC": 0x5452}
for name, request in requests.items():
    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, request, b"\x01" + bytes(15))
            bad.append("%s on descriptor %d" % (name, fd))
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
