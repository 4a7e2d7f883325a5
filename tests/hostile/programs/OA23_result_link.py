# The result as a link to itself, to the input, to memory: rejected.
import os

os.symlink("/input/data.json", "/output/result.json")
print("held")
