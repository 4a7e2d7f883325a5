# Tries to become a program that is not there. Must be told as what Python makes of it.
# SPDX-License-Identifier: MIT
import os

os.execv("/usr/bin/is-not-there", ["x"])
