# Asks for core dumps, by limit and by flag, then crashes: no file, and no helper of the host runs.
# SPDX-License-Identifier: MIT
import os, resource, signal

bad = []
if resource.getrlimit(resource.RLIMIT_CORE) != (1, 1):  # 0 would still start a piped handler
    bad.append("the core limit is %s" % (resource.getrlimit(resource.RLIMIT_CORE),))
for value in (0, 1 << 20, resource.RLIM_INFINITY):
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (min(value, 1), value))
        bad.append("changed the core limit to %d" % value)
    except (OSError, ValueError):
        pass
for s in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGSYS):
    pid = os.fork()
    if pid == 0:
        os.chdir("/tmp")
        signal.signal(s, signal.SIG_DFL)
        os.kill(os.getpid(), s)
    if os.WCOREDUMP(os.waitpid(pid, 0)[1]):
        bad.append("signal %d dumped core" % s)
if [n for d in ("/tmp", "/app", "/output") for n in os.listdir(d) if n.startswith("core")]:
    bad.append("a core file was written")
print("\n".join("BREACH: " + b for b in bad) or "held")
