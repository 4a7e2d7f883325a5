# Two hundred thousand keys that hash alike in simple tables: checked in linear time.
# SPDX-License-Identifier: MIT
with open("/output/result.json", "w") as f:
    f.write("{" + ",".join('"%s": 0' % ("Aa" * 3 + "BB" * 3 + "%06d" % n) for n in range(200000)))
    f.write("}")
print("held")
