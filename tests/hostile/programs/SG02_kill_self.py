# Kills itself with the signal that a kill for memory uses. Must be told as that signal.
import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
