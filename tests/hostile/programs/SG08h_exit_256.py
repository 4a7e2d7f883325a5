# Exits with 256, of which the kernel keeps the low eight bits. Must be told as an exit with 0.
import os

os._exit(256)
