# Becomes another program, which fails. Its end is the end.
import os

os.execv("/usr/bin/false", ["false"])
