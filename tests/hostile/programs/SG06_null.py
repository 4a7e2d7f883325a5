# Follows a null pointer. Must be told as SIGSEGV.
# SPDX-License-Identifier: MIT
import ctypes

ctypes.string_at(0)
