# One byte less than the cap of 65,536: kept whole.
import os

os.write(1, b"x" * 65535)
