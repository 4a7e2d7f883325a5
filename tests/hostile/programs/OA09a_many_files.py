# As many files as fit, then the limit: the rest is flagged, and collecting takes no time.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
made = 0
try:
    for made in range(100000):
        os.close(os.open("f%d" % made, os.O_CREAT | os.O_WRONLY))
except OSError as e:
    print("after", made, "files:", e.strerror)
print("held")
