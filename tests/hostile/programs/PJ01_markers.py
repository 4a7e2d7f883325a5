# Leaves a file in every directory that takes one; the next job finds none.
import json, os

bad = []
role = json.load(open("/input/data.json")).get("role")
for top in ("/", "/tmp", "/output", "/dev", "/dev/shm", "/code", "/input", "/app", "/run", "/home",
            "/var/tmp", "/usr/local", os.environ.get("XDG_CACHE_HOME", "/tmp")):
    for d, _, _ in os.walk(top) if top not in ("/", "/usr/local") else [(top, 0, 0)]:
        p = d + "/tako-marker"
        if os.path.lexists(p):
            bad.append("a marker of the job before in " + d)
        try:
            open(p, "w").write(str(role))
        except OSError:
            pass
print("\n".join("BREACH: " + b for b in bad) or "held")
