# What a careless host would hand on: blocked and ignored signals, a death signal, timers, tracing.
# SPDX-License-Identifier: MIT
import os, signal

bad = []
if signal.pthread_sigmask(signal.SIG_BLOCK, []):
    bad.append("signals are blocked")
for s in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT}:
    if signal.getsignal(s) not in (signal.SIG_DFL, None):
        bad.append("signal %d is not at its default" % s)
try:
    for line in open("/proc/self/status"):
        key, value = line.split(":", 1)
        if key == "TracerPid" and int(value) != 0:
            bad.append("is traced")
        if key in ("SigBlk", "SigPnd", "ShdPnd") and int(value, 16) != 0:
            bad.append(line.strip())
except FileNotFoundError:
    pass
if os.getpgid(0) == 0 or os.getsid(0) == 0:  # numbers from outside show as 0
    bad.append("is in a session of the host's")
print("\n".join("BREACH: " + b for b in bad) or "held")
