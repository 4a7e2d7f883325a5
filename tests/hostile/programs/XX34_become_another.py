# Takes other users and groups by every call that there is: the ids stay.
# SPDX-License-Identifier: MIT
import ctypes, os

bad = []
libc = ctypes.CDLL(None, use_errno=True)
ids = os.getresuid() + os.getresgid()
groups = os.getgroups()
for who in (0, 1, 65534, os.getuid() + 1, 2**31, 2**32 - 2):
    for act in (lambda: os.setuid(who), lambda: os.setgid(who), lambda: os.setresuid(who, who, who),
                lambda: os.setresgid(who, who, who), lambda: os.setreuid(who, -1),
                lambda: os.setregid(who, who), lambda: os.setgroups([who]),
                lambda: os.seteuid(who), lambda: os.initgroups("root", 0)):
        try:
            act()
            bad.append("took the id %d" % who)
        except (OSError, OverflowError):
            pass
    libc.setfsuid(who)
    libc.setfsgid(who)
if os.getresuid() + os.getresgid() != ids or os.getgroups() != groups:
    bad.append("ids are %s" % (os.getresuid(),))
if libc.setfsuid(-1) != os.getuid() or libc.setfsgid(-1) != os.getgid():
    bad.append("the ids for files changed")
for p, who in (("/tmp/f", 0), ("/tmp/f", 65534), ("/tmp", 0)):
    open("/tmp/f", "w").close()
    try:
        os.chown(p, who, who)
        bad.append("gave a file to %d" % who)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
