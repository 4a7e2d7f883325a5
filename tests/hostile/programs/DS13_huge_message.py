# Dies of an exception with a message of 100 MB. What is kept of it must be bounded.
raise ValueError("x" * 100000000)
