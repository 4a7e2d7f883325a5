# Links to files of the host, of every shape: rejected, none is followed.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
os.symlink("/etc/passwd", "absolute")
os.symlink("../etc/passwd", "relative")
os.symlink("absolute", "chained")
os.symlink("/nowhere", "dangling")
os.symlink("/proc/self/mem", "process")
os.symlink("/proc/self/fd/0", "descriptor")
os.symlink("loop", "loop")
os.symlink("/" * 4095, "slashes")
os.symlink("/code/main.py", "result.json")
print("held")
