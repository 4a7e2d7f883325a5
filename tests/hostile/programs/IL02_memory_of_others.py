# Searches memory, fresh and inherited, for what the host and the job before it had in theirs.
# SPDX-License-Identifier: MIT
import json, mmap, os, tempfile

bad = []
data = json.load(open("/input/data.json"))
backwards = data.get("canary", "").encode() or b"0123456789abcdef"
head = backwards[-4:][::-1]  # the whole secret is never written down by role b


def look(where, block):
    at = block.find(head)
    while at >= 0:
        if block[at:at + len(backwards)][::-1] == backwards:
            bad.append("the secret is in " + where)
            return
        at = block.find(head, at + 1)


if data.get("role") == "a":  # leaves it in memory of every kind
    secret = (backwards[::-1] + b"\0") * 4000
    keep = [bytearray(secret) for n in range(200)]
    open("/tmp/left", "wb").write(secret)
    open("/dev/shm/left", "wb").write(secret)
    os.write(os.pipe()[1], secret[:60000])
    os.write(os.memfd_create("x"), secret)
else:
    try:
        for line in open("/proc/self/maps"):
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" in line.split()[1] and "[v" not in line:
                with open("/proc/self/mem", "rb") as mem:
                    try:
                        mem.seek(start)
                        look(line.strip(), mem.read(end - start))
                    except OSError:  # behind the end of a mapped file
                        pass
    except FileNotFoundError:
        pass
    fresh = mmap.mmap(-1, 96 << 20)
    look("fresh memory", fresh[:])
    if any(fresh[n] for n in range(0, len(fresh), 4096)):
        bad.append("fresh memory is not zero")
    with tempfile.TemporaryFile() as f:  # a hole, and blocks that were allocated only
        os.posix_fallocate(f.fileno(), 0, 8 << 20)
        f.seek(0)
        look("a new file", f.read())
    for p in ("/tmp/left", "/dev/shm/left"):
        if os.path.exists(p):
            bad.append("the file of the job before is there: " + p)
print("\n".join("BREACH: " + b for b in bad) or "held")
