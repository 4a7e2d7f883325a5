# Two jobs: descriptors that role a keeps in messages count for its user; with a user of its own for
# each job, as a root host gives, role b is not hurt. For an ordinary user's jobs it is known.
# SPDX-License-Identifier: MIT
import array, json, os, socket, time

seen = set()
role = json.load(open("/input/data.json")).get("role")
kept = []
end = time.monotonic() + 4
while time.monotonic() < end:
    a, b = socket.socketpair()
    b.setblocking(False)
    fds = array.array("i", [a.fileno(), b.fileno()] * (100 if role == "a" else 1))
    try:
        b.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        if role == "a":
            kept.append((a, b))
        else:
            for fd in socket.recv_fds(a, 1, 9)[1]:
                os.close(fd)
    except OSError as e:
        seen.add("a message with a descriptor: " + e.strerror)
    time.sleep(0.02)
print("\n".join("known: " + s for s in seen if role == "b"))
print("held")
