# Makes shared memory, semaphores and message queues without end, and fills them. Must meet limits:
# those of the kernel, or that of memory. All of it goes with the job.
# SPDX-License-Identifier: MIT
import ctypes

libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
for i in range(5000):
    n = libc.shmget(0, 1 << 20, 0o1600)
    if n < 0:
        break
    at = libc.shmat(n, None, 0)
    if at not in (None, ctypes.c_void_p(-1).value):
        ctypes.memset(at, 1, 65536)
for i in range(33000):
    if libc.semget(0, 100, 0o1600) < 0:
        break
for i in range(33000):
    n = libc.msgget(0, 0o1600)
    if n < 0:
        break
    libc.msgsnd(n, ctypes.create_string_buffer(b"\1" * 4104), 4096, 0o4000)
print("held")
