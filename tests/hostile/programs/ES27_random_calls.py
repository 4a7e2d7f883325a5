# Random system calls with random arguments for some seconds: nothing but the job itself suffers.
# SPDX-License-Identifier: MIT
import ctypes, os, random, resource, signal, time

# Not drawn: what ends, stops or strikes the process that draws, or waits for good.
skip = {0, 7, 15, 22, 23, 34, 35, 37, 38, 56, 57, 58, 60, 61, 62, 105, 106, 113, 114, 117, 119, 128,
        129, 130, 200, 202, 230, 231, 232, 234, 247, 270, 271, 281, 297, 302, 424, 435, 441, 449}
libc = ctypes.CDLL(None, use_errno=True)
end = time.monotonic() + 5
while time.monotonic() < end:
    pid = os.fork()
    if pid == 0:
        rnd = random.Random(os.urandom(8))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.alarm(1)
        os.closerange(0, 3)
        buf = ctypes.create_string_buffer(os.urandom(512), 65536)
        for n in range(3000):
            number = rnd.randrange(480) if rnd.random() < 0.97 else rnd.randrange(480, 1 << 30)
            if number in skip:
                continue
            args = [rnd.choice((0, 1, 3, -1, -100, 1 << 31, 1 << 63, rnd.getrandbits(16),
                                rnd.getrandbits(64), ctypes.addressof(buf))) for i in range(6)]
            libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(a % 2**64) for a in args])
        os._exit(0)
    os.waitpid(pid, 0)
print("held")
