# Characters of three and four bytes across every place where a cut could be: none is cut in two.
# SPDX-License-Identifier: MIT
import os

os.write(1, ("a" + "\u20ac\U0001f419" * 20000).encode())
