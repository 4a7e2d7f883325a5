# Two jobs: role b asks to be told of what role a does with files that both can read: refused.
# SPDX-License-Identifier: MIT
import ctypes, fcntl, json, os, signal, time

bad = set()
libc = ctypes.CDLL(None, use_errno=True)
role = json.load(open("/input/data.json")).get("role")
signal.signal(signal.SIGIO, lambda *a: bad.add("told by a signal of what another job does"))
watch = libc.inotify_init1(0x800)
for p in (b"/usr/bin", b"/etc", b"/etc/passwd", b"/usr", b"/dev/null", os.__file__.encode()):
    if watch >= 0 and libc.inotify_add_watch(watch, p, 0xFFF) >= 0 and role == "b":
        bad.add("watches " + p.decode())
for p in ("/usr/bin", "/usr", "/etc", os.__file__):
    fd = os.open(p, os.O_RDONLY)
    for command, value in ((1026, 0x8000003F), (1024, 0)):  # F_NOTIFY, F_SETLEASE
        try:
            fcntl.fcntl(fd, command, value)
            bad.add("fcntl %d on %s" % (command, p))
        except OSError:
            pass
end = time.monotonic() + 1
while time.monotonic() < end:
    open(os.__file__).close()
    os.listdir("/usr/bin")
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
