# Dies of a recursion, with a traceback that is thousands of frames long. Must be told as that.
# SPDX-License-Identifier: MIT
import sys

sys.setrecursionlimit(20000)


def a(n):
    try:
        b(n)
    finally:
        n += 1


def b(n):
    a(n + 1)


a(0)
