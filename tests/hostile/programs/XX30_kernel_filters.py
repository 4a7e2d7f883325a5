# Loads programs into the kernel by way of local sockets, and sends urgent bytes there: refused.
# SPDX-License-Identifier: MIT
import ctypes, socket

bad = []
a, b = socket.socketpair()
insn = (ctypes.c_uint64 * 1)(0xFFFF000000000006)
prog = bytes((ctypes.c_uint64 * 2)(1, ctypes.addressof(insn)))
options = {26: "SO_ATTACH_FILTER", 50: "SO_ATTACH_BPF", 51: "SO_ATTACH_REUSEPORT_CBPF",
           52: "SO_ATTACH_REUSEPORT_EBPF", 32: "SO_SNDBUFFORCE", 33: "SO_RCVBUFFORCE",
           36: "SO_MARK", 25: "SO_BINDTODEVICE", 1: "SO_DEBUG"}
for option, name in options.items():
    try:
        a.setsockopt(socket.SOL_SOCKET, option, prog)
        bad.append(name)
    except OSError:
        pass
for flags in (socket.MSG_OOB, socket.MSG_OOB | socket.MSG_DONTWAIT):  # CVE-2025-38236
    try:
        a.send(b"x", flags)
        bad.append("MSG_OOB")
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
