# Kills itself with the signal that a kill for memory uses. Must be told as that signal.
# SPDX-License-Identifier: MIT
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
