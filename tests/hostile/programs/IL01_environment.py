# The host's environment and arguments, wherever /proc could show them: nothing of the host's.
# SPDX-License-Identifier: MIT
import glob, json, os

bad = []
backwards = json.load(open("/input/data.json")).get("canary", "").encode() or b"\0none"
known = {"PATH", "HOME", "LANG", "LC_CTYPE", "XDG_CACHE_HOME", "MPLCONFIGDIR", "PWD"}
for key in set(os.environ) - known:
    bad.append("variable " + key)
for p in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/proc/*/comm"):
    try:
        text = open(p, "rb").read()
    except OSError:
        continue
    if backwards in text[::-1]:
        bad.append("the host's secret is in " + p)
print("\n".join("BREACH: " + b for b in bad) or "held")
