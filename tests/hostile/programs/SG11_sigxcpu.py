# Handles the signal of the CPU limit and goes on, in every way there is. Must end at the limit.
# SPDX-License-Identifier: MIT
import resource
import signal

signal.signal(signal.SIGXCPU, lambda *_: None)
soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
try:
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
except (ValueError, OSError):
    pass
while True:
    pass
