# Random values are drawn afresh by each process: no state is handed on, no seed is set.
# SPDX-License-Identifier: MIT
import os, random, secrets, subprocess, sys, tempfile, uuid

bad = []
draw = ("import random, secrets, ssl, tempfile, uuid\n"
        "print(random.random(), uuid.uuid4(), secrets.token_hex(), ssl.RAND_bytes(16),"
        " next(tempfile._get_candidate_names()))")
run = [subprocess.run([sys.executable, "-c", draw], capture_output=True).stdout.decode().split()
       for n in range(2)]
mine = [str(random.random()), str(uuid.uuid4()), secrets.token_hex()]
if any(x == y for x, y in zip(run[0], run[1])) or set(mine) & set(run[0] + run[1]) or not run[0]:
    bad.append("two processes drew the same: %s %s" % (run[0], run[1]))
if "PYTHONHASHSEED" in os.environ or not sys.flags.hash_randomization:
    bad.append("string hashes are not random")
if os.getrandom(16) == os.getrandom(16):
    bad.append("the kernel's random numbers repeat")
print("\n".join("BREACH: " + b for b in bad) or "held")
