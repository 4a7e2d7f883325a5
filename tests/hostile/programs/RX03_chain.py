# A program that runs itself again and waits for it, and so on. Must stop at the limit of processes.
# SPDX-License-Identifier: MIT
import subprocess

with open("/tmp/chain", "w") as f:
    f.write('echo "$1" >/tmp/depth\n[ "$1" -ge 500 ] || sh /tmp/chain $(($1 + 1))\n:\n')
subprocess.run(["sh", "/tmp/chain", "1"], stderr=subprocess.DEVNULL)
depth = int(open("/tmp/depth").read())
print("BREACH: 500 processes deep" if depth >= 500 else "held")
