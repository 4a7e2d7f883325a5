# Makes pipes as large as they get, and fills them. Must meet a limit before 256 MiB.
# SPDX-License-Identifier: MIT
import errno
import fcntl
import os

pipes, held, refused = [], 0, False
try:
    while len(pipes) < 1000:
        r, w = os.pipe()
        pipes.append((r, w))
        try:
            fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1048576)
        except PermissionError:
            refused = True
        os.set_blocking(w, False)
        try:
            while True:
                held += os.write(w, bytes(65536))
        except BlockingIOError:
            pass
except OSError as e:
    refused = e.errno in (errno.EMFILE, errno.ENFILE)
if not refused or held >= 256 << 20:
    print("BREACH: %d MiB in %d pipes" % (held >> 20, len(pipes)))
else:
    print("held")
