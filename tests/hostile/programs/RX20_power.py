# One long step inside the interpreter, where no handler of Python's runs. Must end in time.
# SPDX-License-Identifier: MIT
import sys

sys.set_int_max_str_digits(0)
print(len(str(9**9**9)))
