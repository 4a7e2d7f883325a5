# Replaces /output by a link and renames it away (CVE-2024-28185): neither works.
# SPDX-License-Identifier: MIT
import os

bad = []
os.mkdir("/tmp/other")
for what, act in (("removed", lambda: os.rmdir("/output")),
                  ("renamed", lambda: os.rename("/output", "/gone")),
                  ("renamed into /tmp", lambda: os.rename("/output", "/tmp/gone")),
                  ("replaced", lambda: os.rename("/tmp/other", "/output")),
                  ("linked over", lambda: os.symlink("/etc", "/output")),
                  ("unlinked", lambda: os.unlink("/output"))):
    try:
        act()
        bad.append("/output was " + what)
    except OSError:
        pass
open("/output/kept", "w").write("x")
print("\n".join("BREACH: " + b for b in bad) or "held")
