# Aborts. Must be told as SIGABRT; as the first process of its world it would be told otherwise.
import os

os.abort()
