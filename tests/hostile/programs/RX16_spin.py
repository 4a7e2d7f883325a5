# Burns CPU time. Must end at its limit, which is less than that of wall time.
# SPDX-License-Identifier: MIT
while True:
    pass
