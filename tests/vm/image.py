"""image.py - makes a root file system for run.sh's machines from the programs of this one: a
compressed cpio archive that the kernel unpacks at boot.

Usage: image.py OUT PROGRAM...: the programs are put into /usr/bin, the hostile catalogue into /tako.
SPDX-License-Identifier: MIT"""
import glob
import gzip
import os
import re
import stat
import subprocess
import sys

PROGRAMS = ["/usr/bin/python3", "/bin/sh", "/bin/mount", "/bin/cp", "/bin/mkdir",
            "/sbin/switch_root", "/bin/true", "/bin/false", "/bin/cat", "/bin/sleep", "/bin/ls",
            "/usr/bin/id", "/usr/bin/env", "/bin/echo", "/bin/su", "/bin/dd"]
UNUSED = re.compile(r"/(test|tests|idlelib|tkinter|lib2to3|ensurepip|pydoc_data|distutils|"
                    r"dist-packages|config-[^/]*)(/|$)")
HERE = os.path.dirname(os.path.abspath(__file__))
HOSTILE = os.path.join(HERE, "../hostile")


class Archive:
    """A cpio archive of the kind "newc"."""

    def __init__(self, out):
        self.out, self.names = out, set()

    def add(self, name, mode, data=b"", mtime=0, rdev=(0, 0)):
        name = name.lstrip("/")
        if name in self.names:
            return
        parent = os.path.dirname(name)
        if parent and name != "TRAILER!!!":
            self.add(parent, stat.S_IFDIR | 0o755)
        self.names.add(name)
        head = "070701" + "".join("%08x" % n for n in (
            len(self.names), mode, 0, 0, 1, mtime, len(data), 0, 0, *rdev, len(name) + 1, 0))
        for part in (head.encode() + name.encode() + b"\0", data):
            self.out.write(part + b"\0" * (-len(part) % 4))

    def copy(self, path):
        """A file with the libraries it needs; links are kept as links."""
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if os.path.islink(path):
            target = os.readlink(path)
            self.add(path, stat.S_IFLNK | 0o777, target.encode())
            self.copy(os.path.join(os.path.dirname(path), target))
            return
        if path.lstrip("/") in self.names:
            return
        info = os.stat(path)
        with open(path, "rb") as file:
            data = file.read()
        self.add(path, info.st_mode & 0o100755, data, int(info.st_mtime))
        if data.startswith(b"\x7fELF"):
            self.libraries(path)

    def libraries(self, path):
        ldd = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
        for library in re.findall(r"(/\S+) \(0x", ldd.stdout):
            self.copy(library)


def main(out, *programs):
    with gzip.open(out, "wb", compresslevel=1) as file:
        archive = Archive(file)
        for name in ("bin", "lib", "lib64", "sbin"):
            if os.path.islink("/" + name):
                archive.add(name, stat.S_IFLNK | 0o777, os.readlink("/" + name).encode())
        for name in ("proc", "sys", "dev", "tmp", "root", "home"):
            archive.add(name, stat.S_IFDIR | 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
        for path in PROGRAMS:
            archive.copy(path)
        version = os.path.basename(os.path.realpath("/usr/bin/python3"))
        for path in sorted(glob.glob("/usr/lib/%s/**" % version, recursive=True)):
            if os.path.isfile(path) and not UNUSED.search(path):
                archive.copy(path)
        for path in glob.glob("/usr/lib/%s/**/__pycache__/*.pyc" % version, recursive=True):
            if not UNUSED.search(path):
                archive.copy(path)
        for path in programs:
            with open(path, "rb") as program:
                archive.add("usr/bin/" + os.path.basename(path), 0o100755, program.read())
            archive.libraries(path)
        for name, mode in (("init", 0o100755), ("checks.py", 0o100644)):
            with open(os.path.join(HERE, name), "rb") as script:
                archive.add(name, mode, script.read())
        for path in sorted(glob.glob(HOSTILE + "/**", recursive=True)):
            if os.path.isfile(path) and not path.endswith((".c", ".h", ".pyc")):
                with open(path, "rb") as file:
                    archive.add("tako/tests/hostile" + path[len(HOSTILE):], 0o100644, file.read())
        archive.add("etc/passwd", 0o100644, b"root:x:0:0::/root:/bin/sh\n")
        archive.add("TRAILER!!!", 0)


main(*sys.argv[1:])
