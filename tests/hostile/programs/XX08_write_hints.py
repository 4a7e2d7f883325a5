# Two jobs: role a notes a hint on files that both can read, role b looks for it.
# SPDX-License-Identifier: MIT
import fcntl, json, os, struct, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
paths = [os.path.realpath("/usr/bin/python3"), os.__file__, "/etc/ld.so.cache", "/dev/null", "/usr"]
files = [(p, os.open(p, os.O_RDONLY)) for p in paths if os.path.exists(p)]
end = time.monotonic() + 2
while time.monotonic() < end:
    for p, fd in files:
        try:
            if role == "a":
                fcntl.fcntl(fd, 1036, struct.pack("Q", 4))  # F_SET_RW_HINT
            elif struct.unpack("Q", fcntl.fcntl(fd, 1035, bytes(8)))[0] == 4:
                bad.add("a hint of the other job is on " + p)
        except OSError:
            pass
    time.sleep(0.02)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
