# The names of the machine: neutral, or absent.
# SPDX-License-Identifier: MIT
import ctypes, os, socket

bad = []
name = os.uname().nodename
if name not in ("tako", "localhost", "sandbox") or socket.gethostname() != name:
    bad.append("the host's name is " + name)
buf = ctypes.create_string_buffer(256)
if ctypes.CDLL(None).getdomainname(buf, 256) == 0:
    if buf.value not in (b"tako", b"(none)", b"localdomain", b""):
        bad.append("the host's domain is %r" % buf.value)
for p in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id",
          "/etc/hostname", "/etc/hostid", "/sys/class/dmi/id/product_uuid", "/etc/timezone",
          "/proc/sys/kernel/hostname", "/etc/mailname", "/proc/sys/kernel/osrelease"):
    if os.path.exists(p):
        bad.append(p + " is there")
accounts = open("/etc/passwd") if os.path.exists("/etc/passwd") else ()
people = {line.split(":")[0] for line in accounts}
if people - {"root", "sandbox", "nobody"}:
    bad.append("accounts of the host: %s" % sorted(people)[:5])
print("\n".join("BREACH: " + b for b in bad) or "held")
