# Two jobs, sockets with abstract names and with paths: role b does not reach role a.
# SPDX-License-Identifier: MIT
import json, os, socket, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
names = ["\0tako", "/tmp/tako.s", "/dev/shm/tako.s", "/output/tako.s"]
listening = []
end = time.monotonic() + 3
for name in names:
    s = socket.socket(socket.AF_UNIX)
    listening.append(s)
    if role == "a":
        s.bind(name)
        s.listen()
while time.monotonic() < end:
    for name in names if role == "b" else ():
        try:
            socket.socket(socket.AF_UNIX).connect(name)
            bad.add("reached the other job at %r" % name)
        except OSError:
            pass
    time.sleep(0.05)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
