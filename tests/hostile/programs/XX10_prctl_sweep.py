# Every option of prctl(2): those that change more than a name, a timer or a label are refused.
# SPDX-License-Identifier: MIT
import ctypes, errno

bad = []
libc = ctypes.CDLL(None, use_errno=True)
harmless = {2, 3, 5, 7, 9, 11, 15, 16, 19, 21, 23, 25, 27, 29, 30, 34, 37, 38, 39, 40, 42}
pointer = ctypes.create_string_buffer(64)
for option in sorted(range(1, 90), key=lambda n: n == 22) + [0x59616D61]:  # 22 may kill
    for second in (0, 1, pointer, -1):
        if option in harmless or option == 4 and second == 0:
            continue
        r = libc.prctl(option, second, 0, 0, 0)
        if r >= 0 and option not in (31, 48, 52, 58, 61, 63, 64, 66, 68, 70, 72, 74, 76):
            bad.append("prctl option %d" % option)
            print("BREACH:", bad[-1], flush=True)
            break
for high in (1 << 32, 1 << 40):  # the kernel looks at the low 32 bits only
    if libc.syscall(157, ctypes.c_ulong(high | 4), 1, 0, 0, 0) == 0:
        bad.append("option 4 with high bits")
        print("BREACH:", bad[-1])
if not bad:
    print("held")
