# A storm of SIGSTOP and SIGCONT from its own child, with dead children thrown away unseen. Must be
# told as the exit that it is.
# SPDX-License-Identifier: MIT
import os
import signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
parent = os.getpid()
child = os.fork()
if child == 0:
    for i in range(2000):
        os.kill(parent, signal.SIGSTOP)
        os.kill(parent, signal.SIGCONT)
    os._exit(0)
try:
    os.waitpid(child, 0)
except ChildProcessError:
    pass
os._exit(7)
