# A daemon goes on writing into an artifact: it is dead before anything is collected.
# SPDX-License-Identifier: MIT
import os, signal, time

if os.fork() == 0:
    os.setsid()
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, signal.SIG_IGN)
    with open("/output/growing", "wb", buffering=0) as f:
        while f.tell() < 5 << 20:
            f.write(b"x" * 100)
            f.seek(0, os.SEEK_END)
            f.truncate(f.tell() - 50)
    time.sleep(100)
while not os.path.exists("/output/growing"):
    time.sleep(0.001)
print("held")
