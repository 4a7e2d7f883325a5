# Makes a million empty files. Must be refused long before.
# SPDX-License-Identifier: MIT
import errno
import os

os.mkdir("/tmp/many")
try:
    for i in range(1000000):
        os.close(os.open("/tmp/many/%d" % i, os.O_CREAT | os.O_WRONLY))
    print("BREACH: a million files")
except OSError as e:
    if e.errno != errno.ENOSPC:
        print("BREACH: another end than that of the room:", e)
print("held")
