# A regular expression that takes for ever, inside the interpreter. Must end in time.
# SPDX-License-Identifier: MIT
import re

re.match(r"(a+)+$", "a" * 100 + "b")
