# Changes what a process hands on to its children; the next job begins with the defaults.
# SPDX-License-Identifier: MIT
import ctypes, locale, os, resource, signal, time

bad = []
libc = ctypes.CDLL(None, use_errno=True)
facts = {"umask": os.umask(0o777) == 0o22, "directory": os.getcwd() == "/app",
         "nice": os.getpriority(os.PRIO_PROCESS, 0) == 0, "TZ": "TZ" not in os.environ,
         "mask": not signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()),
         "affinity": len(os.sched_getaffinity(0)) >= min(2, os.cpu_count()),
         "open files": resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 256,
         "timer slack": libc.prctl(30) == 50000, "pending": not signal.sigpending(),
         "terminate": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
         "policy": os.sched_getscheduler(0) == os.SCHED_OTHER}
bad += ["not as by default: " + name for name, right in facts.items() if not right]
os.chdir("/tmp")
os.nice(19)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))
libc.prctl(29, 1)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
locale.setlocale(locale.LC_ALL, "C")
print("\n".join("BREACH: " + b for b in bad) or "held")
