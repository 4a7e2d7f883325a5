# Aborts. Must be told as SIGABRT; as the first process of its world it would be told otherwise.
# SPDX-License-Identifier: MIT
import os

os.abort()
