# Addresses and hash seeds differ from process to process, so one job teaches nothing about another.
# SPDX-License-Identifier: MIT
import ctypes, subprocess, sys

bad = []
show = ("import ctypes\nlibc = ctypes.CDLL(None)\nlibc.getauxval.restype = ctypes.c_ulong\n"
        "b = ctypes.create_string_buffer(8)\nprint(hash('x'), ctypes.addressof(b),"
        " ctypes.cast(libc.getpid, ctypes.c_void_p).value, libc.getauxval(33),"
        " ctypes.string_at(libc.getauxval(25), 16).hex())")
rows = [subprocess.run([sys.executable, "-c", show], capture_output=True).stdout.split()
        for n in range(3)]
for name, column in zip(("hash", "heap", "libc", "vdso", "AT_RANDOM"), zip(*rows)):
    if len(set(column)) == 1:
        bad.append("%s is the same in three processes: %s" % (name, column[0].decode()))
if ctypes.CDLL(None).personality(ctypes.c_ulong(0xFFFFFFFF)) & 0x40000:
    bad.append("address randomisation is off")
print("\n".join("BREACH: " + b for b in bad) or "held")
