# Uptime and load can be asked of the kernel (documented), but /proc gives no more than that.
# SPDX-License-Identifier: MIT
import ctypes, os, time

bad = []
info = (ctypes.c_long * 16)()
ctypes.CDLL(None).sysinfo(info)
print("uptime", info[0], "boottime", int(time.clock_gettime(time.CLOCK_BOOTTIME)), "load", info[1])
for p in ("uptime", "loadavg", "stat", "meminfo", "pressure/cpu", "vmstat", "schedstat",
          "timer_list", "softirqs", "self/../uptime"):
    if os.path.exists("/proc/" + p):
        bad.append("/proc/%s is there" % p)
for name in ("CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_BOOTTIME"):
    try:
        time.clock_settime(getattr(time, name), 0)
        bad.append("set " + name)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
