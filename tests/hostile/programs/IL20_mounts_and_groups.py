# The mount table and the cgroup paths name nothing of the host but what is documented.
# SPDX-License-Identifier: MIT
import json, re

bad = []
canary = json.load(open("/input/data.json")).get("canary") or "\0"
for name in ("mountinfo", "mounts", "mountstats"):
    try:
        text = open("/proc/self/" + name).read()
    except FileNotFoundError:
        continue
    if canary[::-1] in text:
        bad.append("the host's secret is in " + name)
    for word in ("/home/", "/root/", "/var/lib/", "/opt/", "tako-", "/docker/", "/tmp/tako"):
        if word in text.replace("/home/sandbox", ""):
            bad.append("%s names %s" % (name, word))
    for who in re.findall(r"[ug]id=(\d+)", text):
        if who not in ("0", "1000", "65534"):
            bad.append("%s shows the host's id %s" % (name, who))
for p in ("/proc/self/cgroup", "/proc/1/cgroup"):
    try:
        for line in open(p):
            if line.strip().split(":", 2)[2] != "/":
                bad.append("cgroup path " + line.strip())
    except FileNotFoundError:
        pass
print("\n".join("BREACH: " + b for b in sorted(set(bad))) or "held")
