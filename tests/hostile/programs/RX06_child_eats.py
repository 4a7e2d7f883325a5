# A child takes all memory and the parent ends well. With a limit for the group all of it goes.
# SPDX-License-Identifier: MIT
import os

if os.fork() == 0:
    kept = []
    while True:
        kept.append(b"x" * 1048576)
os.wait()
