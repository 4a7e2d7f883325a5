# Leaves a file in every directory that takes one; the next job finds none.
# SPDX-License-Identifier: MIT
import json, os

bad = []
role = json.load(open("/input/data.json")).get("role")
places = set()
for top in ("/", "/tmp", "/output", "/dev", "/dev/shm", "/code", "/input", "/app", "/run", "/home",
            "/var/tmp", "/usr/local", os.environ.get("XDG_CACHE_HOME", "/tmp")):
    places |= {top} if top in ("/", "/usr/local") else {d for d, _, _ in os.walk(top)}
for d in sorted(places):
    if os.path.lexists(d + "/tako-marker"):
        bad.append("a marker of the job before in " + d)
    try:
        open(d + "/tako-marker", "w").write(str(role))
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
