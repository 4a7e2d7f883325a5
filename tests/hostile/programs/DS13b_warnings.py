# Warns 20,000 times. What is kept of it must be bounded.
# SPDX-License-Identifier: MIT
import warnings

warnings.simplefilter("always")
for i in range(20000):
    warnings.warn("the same again, %d" % i)
