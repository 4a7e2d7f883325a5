# Writes to the files of its own process in /proc: none of them changes anything of weight.
# SPDX-License-Identifier: MIT
import glob, os

bad = []
writes = {"oom_score_adj": b"-1000", "oom_adj": b"-17", "uid_map": b"0 1000 1", "gid_map": b"0 0 1",
          "projid_map": b"0 0 1", "setgroups": b"allow", "loginuid": b"0", "autogroup": b"-20",
          "timens_offsets": b"monotonic 1 0", "attr/current": b"x", "attr/exec": b"x",
          "attr/keycreate": b"x", "attr/sockcreate": b"x", "attr/apparmor/exec": b"x",
          "make-it-fail": b"1", "fail-nth": b"1", "patch_state": b"1"}
for name, value in writes.items():
    for who in ("self", "thread-self", "1"):
        try:
            fd = os.open("/proc/%s/%s" % (who, name), os.O_WRONLY)
            os.write(fd, value)
            bad.append("wrote /proc/%s/%s" % (who, name))
        except OSError:
            pass
try:
    if int(open("/proc/self/oom_score_adj").read()) < 1000:
        bad.append("the host may be killed for memory before the job is")
except FileNotFoundError:
    pass
print("\n".join("BREACH: " + b for b in bad) or "held")
