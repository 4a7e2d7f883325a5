# Makes device nodes and opens the host's: neither works.
# SPDX-License-Identifier: MIT
import os, stat

bad = []
for kind, major, minor in ((stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 1, 3), (stat.S_IFCHR, 5, 0),
                           (stat.S_IFBLK, 254, 0), (stat.S_IFBLK, 8, 0), (stat.S_IFCHR, 10, 232)):
    for d in ("/tmp", "/output", "/dev/shm", "/dev"):
        try:
            os.mknod("%s/node" % d, kind | 0o666, os.makedev(major, minor))
            bad.append("made device %d:%d in %s" % (major, minor, d))
            os.unlink("%s/node" % d)
        except OSError:
            pass
for name in ("mem", "kmem", "port", "kmsg", "kvm", "fuse", "net/tun", "loop-control", "loop0",
             "sda", "vda", "nvme0n1", "dri/card0", "vhost-net", "vsock", "uinput", "input/event0",
             "mapper/control", "userfaultfd", "tty0", "rtc0", "hpet",
             "cpu/0/msr", "snd/timer", "mqueue", "hugepages", "autofs", "watchdog", "nvram"):
    try:
        os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK))
        bad.append("opened /dev/" + name)
    except OSError:
        pass
print("\n".join("BREACH: " + b for b in bad) or "held")
