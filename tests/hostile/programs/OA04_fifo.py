# A FIFO in the place of the result: the collector does not wait for a writer.
# SPDX-License-Identifier: MIT
import os

os.mkfifo("/output/result.json")
os.mkfifo("/output/fifo", 0o000)
open("/output/real", "w").write("x")
print("held")
