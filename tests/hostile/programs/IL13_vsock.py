# Two jobs, sockets of virtual machines: they cannot be made, so nothing passes.
# SPDX-License-Identifier: MIT
import json, socket, time

role = json.load(open("/input/data.json")).get("role")
end = time.monotonic() + 2
bad = set()
while time.monotonic() < end:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try:
            with socket.socket(40, kind) as s:
                bad.add("a vsock socket was made")
                if role == "a":
                    s.bind((1, 7777))
                    s.listen()
                    s.settimeout(0.1)
                    s.accept()
                else:
                    s.connect((1, 7777))
                bad.add("the other job was reached")
        except OSError:
            pass
    time.sleep(0.05)
print("\n".join("BREACH: " + b for b in sorted(bad)) or "held")
