# Follows a null pointer. Must be told as SIGSEGV.
import ctypes

ctypes.string_at(0)
