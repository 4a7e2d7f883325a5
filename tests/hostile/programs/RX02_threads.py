# Starts threads until there are no more. Must be refused at the limit, and end as a plain error.
# SPDX-License-Identifier: MIT
import threading

never = threading.Event()
for i in range(2000):
    threading.Thread(target=never.wait, daemon=True).start()
print("BREACH: 2000 threads")
