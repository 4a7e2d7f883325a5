# Sends itself the signal of a forbidden system call. Must be told as that signal, not a violation.
# SPDX-License-Identifier: MIT
import os
import signal
import time

os.kill(os.getpid(), signal.SIGSYS)
time.sleep(1)
