# Burns CPU time in 32 processes, none of which uses much. Must end at the limit of their sum.
# SPDX-License-Identifier: MIT
import os

for i in range(31):
    if os.fork() == 0:
        break
while True:
    pass
