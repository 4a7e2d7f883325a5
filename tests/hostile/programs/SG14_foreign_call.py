# Makes a system call of the x32 world, around every filter that looks at numbers only. No innocent
# program does. Must be told as a violation, apart from SIGSYS that a program sends itself.
# SPDX-License-Identifier: MIT
import ctypes

print("went on with", ctypes.CDLL(None).syscall(0x40000000 + 39))  # getpid
