# Recurses in C until the stack is full. Must be told as SIGSEGV or a RecursionError, never as out of
# memory.
# SPDX-License-Identifier: MIT
import sys

sys.setrecursionlimit(10**9)
x = []
for i in range(200000):
    x = [x]
repr(x)
