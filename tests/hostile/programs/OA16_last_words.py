# No newline at the end, and a child that writes after the program's own end: no wait for it.
# SPDX-License-Identifier: MIT
import os, sys, time

if os.fork() == 0:
    time.sleep(60)
    os.write(1, b"much too late")
    os._exit(0)
sys.stdout.write("no newline")
