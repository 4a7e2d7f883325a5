# Dies of an exception with a message of 30 MB. What is kept of it must be bounded.
# SPDX-License-Identifier: MIT
raise ValueError("x" * 30000000)
