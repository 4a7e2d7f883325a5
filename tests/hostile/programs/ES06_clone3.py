# clone3(2) hides its flags behind a pointer: it does not exist here, and threads work all the same.
# SPDX-License-Identifier: MIT
import ctypes, errno, os, struct, subprocess, threading

bad = []
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x20000, 0):  # a user namespace, a mount namespace, nothing special
    args = struct.pack("8Q", flags, 0, 0, 0, 17, 0, 0, 0)
    r = libc.syscall(435, args, len(args))
    if r == 0:
        os._exit(0)
    if r > 0:
        os.waitpid(r, 0)
    if r != -1 or ctypes.get_errno() != errno.ENOSYS:
        bad.append("clone3 with flags %#x: %d, errno %d" % (flags, r, ctypes.get_errno()))
seen = []
thread = threading.Thread(target=seen.append, args=(1,))
thread.start()
thread.join()
assert seen == [1] and subprocess.run(["true"]).returncode == 0
print("\n".join("BREACH: " + b for b in bad) or "held")
