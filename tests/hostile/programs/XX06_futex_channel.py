# Two jobs, one page of a file that both can read: a futex is known by the file, not by the job.
# SPDX-License-Identifier: MIT
import ctypes, json, mmap, os, threading, time

bad = set()
libc = ctypes.CDLL(None, use_errno=True)
role = json.load(open("/input/data.json")).get("role")
number = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine, -1)
fd = os.open(os.path.realpath("/usr/bin/python3"), os.O_RDONLY)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
word = ctypes.c_uint32.from_address(at).value
wait = (ctypes.c_long * 2)(0, 100000000)
end = time.monotonic() + 4
while time.monotonic() < end:
    if role == "a":
        libc.syscall(number, ctypes.c_void_p(at), 0, word, wait, None, 0)  # FUTEX_WAIT
    elif libc.syscall(number, ctypes.c_void_p(at), 1, 1, None, None, 0) > 0:  # FUTEX_WAKE
        bad.add("woke the other job by a futex on a shared file")
    time.sleep(0.001 if role == "b" else 0)
print("\n".join("known: " + b for b in sorted(bad)) or "held")
