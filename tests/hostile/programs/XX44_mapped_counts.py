# Two jobs: what /proc/self/smaps says of a shared page must not tell role b what role a maps.
# SPDX-License-Identifier: MIT
import ctypes, json, mmap, os, time

bad = set()
role = json.load(open("/input/data.json")).get("role")
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
path = next(p for p in ("/usr/bin/perl", "/usr/bin/bash", "/usr/bin/gdb") if os.path.exists(p))
size = os.path.getsize(path) // 4096 * 4096
offset = size - 4096
fd = os.open(path, os.O_RDONLY)
end = time.monotonic() + 4
while time.monotonic() < end:
    at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(offset))
    ctypes.c_char.from_address(at).value
    if role == "a":
        time.sleep(0.5)
    elif os.path.exists("/proc/self/smaps"):
        part = open("/proc/self/smaps").read().split("%x-" % at)[1].split("VmFlags")[0]
        facts = dict(s.split(":") for s in part.split("\n")[1:] if ":" in s)
        if facts.get("Shared_Clean", "0").strip() != "0 kB":
            bad.add("sees that somebody else maps the page")
    libc.munmap(ctypes.c_void_p(at), 4096)
    time.sleep(0.01)
print("\n".join("known: " + b for b in sorted(bad)) or "held")
