# Sleeps for thirty years. Must end at the limit of time.
import time

time.sleep(1e9)
