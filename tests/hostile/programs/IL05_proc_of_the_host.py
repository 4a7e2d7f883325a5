# Reads the parts of /proc that speak of the whole machine: they are not there.
# SPDX-License-Identifier: MIT
import os

bad = []
own = {"self", "thread-self"}
for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
    if name.isdigit() or name in own:
        continue
    bad.append("/proc/%s is there" % name)
for name in ("kallsyms", "kcore", "kmsg", "keys", "key-users", "sysvipc/shm", "net/unix",
             "timer_list", "cmdline", "interrupts", "slabinfo", "meminfo", "loadavg", "uptime",
             "stat", "vmstat", "sys/kernel/random/boot_id", "sys/user/max_user_namespaces",
             "locks", "sysrq-trigger", "config.gz", "modules", "buddyinfo", "zoneinfo",
             "partitions", "diskstats", "cpuinfo", "version", "sched_debug", "pagetypeinfo",
             "1/status", "1/stat"):
    try:
        open("/proc/" + name, "rb").read(1)
        bad.append("could read /proc/" + name)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in sorted(set(bad))) or "held")
