# Names of threads, files and programs with escapes for whoever lists them: nobody is confused.
# SPDX-License-Identifier: MIT
import ctypes, os, socket

libc = ctypes.CDLL(None)
for name in (b"\x1b]0;root\x07", b"(sd-pam) R 1 1", b") R 1 1 0 0 (", b"\n\n\n", b"\xff\xfe"):
    libc.prctl(15, name, 0, 0, 0)
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    open(b"/tmp/" + name, "wb").close()
    os.memfd_create(name.decode("latin-1"))
    try:
        socket.socket(socket.AF_UNIX).bind(b"/tmp/s" + name)
    except OSError:
        pass
print("held")
