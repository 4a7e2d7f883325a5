# Starts one program after the other, for ever. Must end in time.
import subprocess

while True:
    subprocess.run(["/usr/bin/true"])
