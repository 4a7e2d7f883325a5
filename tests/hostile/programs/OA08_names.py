# Names made to confuse: bytes, escapes, dots, dashes, very long ones; listed, and harmless.
# SPDX-License-Identifier: MIT
import os

os.chdir("/output")
for name in (b"new\nline", b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"...", b"..data",
             b".hidden", b"-rf", b"a" * 255, b"\xff\xfe", b"back\\slash", b"\xed\xa0\x80",
             b"\xc0\xaf", b"\xc2\x9b31m", b"tab\there", b"Case", b"case", b" ", b"%s%n", b"$(id)",
             b"\x7f", b"\"quote'", b"\xe2\x80\xaefdp.exe", b"x\r"):
    open(name, "wb").write(b"x")
print("held")
