# The result as a directory with a result in it: rejected.
import os

os.makedirs("/output/result.json/result.json")
print("held")
