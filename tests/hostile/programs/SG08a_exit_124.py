# Exits with the code that timeout(1) gives for a timeout. Must be told as an exit with 124.
import os

os._exit(124)
