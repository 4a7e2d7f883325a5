"""checks.py - runs in run.sh's machines: lays the control groups out as systemd does, then runs
jobs with the `tako` program from every kind of place and compares records and reports with what
must be. Prints "pass ..." or "FAIL ..." per check and "DONE" at the end.
SPDX-License-Identifier: MIT"""
import ctypes
import json
import os
import re
import signal
import subprocess
import time
import traceback

TOP = "/sys/fs/cgroup"
LIMITS = ("memory_limit", "pids_limit", "cpu_limit")
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWCGROUP, CLONE_NEWNS = 0x02000000, 0x00020000


# ---- tools ---------------------------------------------------------------------------------------

def check(name, holds, shown=""):
    print("pass %s" % name if holds else "FAIL %s: %s" % (name, str(shown)[:1500]), flush=True)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def mount(kind, at, options="nosuid"):
    os.makedirs(at, exist_ok=True)
    return subprocess.run(["mount", "-t", kind, "-o", options, kind, at]).returncode == 0


class Place:
    """Where and as whom a host of jobs runs."""

    def __init__(self, name, group, uid=0, namespace=False, v1=()):
        self.name, self.group, self.uid, self.namespace = name, group, uid, namespace
        self.groups = [group, *v1]
        self.home = "/tmp/%d" % uid
        os.makedirs(self.home, exist_ok=True)
        os.chown(self.home, uid, uid)
        # A real service or scope is never empty: its other processes are what matters to cgroups.
        self.sleeper = self.start(["/usr/bin/python3", "-ISc", "import time; time.sleep(1e6)"])

    def enter(self):
        for group in self.groups:
            write(group + "/cgroup.procs", "0")
        if self.namespace:
            assert LIBC.unshare(CLONE_NEWCGROUP | CLONE_NEWNS) == 0
            assert LIBC.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None) == 0  # private
            assert LIBC.umount2(TOP.encode(), 2) == 0
            assert LIBC.mount(b"cgroup2", TOP.encode(), b"cgroup2", 0, None) == 0
        if self.uid:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
        os.chdir(self.home)

    def start(self, command, **more):
        environment = {"HOME": self.home, "PATH": "/usr/bin", "LANG": "C.UTF-8",
                       "TAKO_TEST_SOURCE": "/tako", "CK_DEFAULT_TIMEOUT": "600",
                       "TAKO_TEST_PATIENCE": "10"}
        return subprocess.Popen(command, env=environment, preexec_fn=self.enter, **more)

    def tako(self, *arguments, stdin=""):
        process = self.start(["tako", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(stdin, timeout=120)
        try:
            return json.loads(out)
        except ValueError:
            return {"out": out, "err": err, "code": process.returncode}

    def run(self, code, *arguments):
        return self.tako("run", "--json", *arguments, "-", stdin=code)

    def named(self, group):
        process = self.start(["named", group], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
        return process.communicate(timeout=120)[0]

    def suites(self):
        """The C suites, from here; each is one check."""
        names = re.search(r"tako.suites=(\S*)", read("/proc/cmdline")).group(1).split(",")
        for name in names:
            process = self.start(["runner", name], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
            out = process.communicate(timeout=1800)[0]
            counts = re.search(r"Checks: (\d+), Failures: 0, Errors: 0", out)
            self.check("suite %s" % name, process.returncode == 0 and counts, out)
            print("# %s: %s: %s" % (self.name, name, out.strip().split("\n")[-1]), flush=True)

    def no_dump(self):
        """A host whose core dumps go to a program: a job's crash must not start it, for the program
        runs with all rights outside and is fed by the job."""
        write("/proc/sys/kernel/core_pattern", "|/bin/cp /etc/passwd /tmp/dumped")
        self.start(["python3", "-c", "import resource, os\n"
                    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()"]).wait()
        time.sleep(1)
        self.check("the trap for dumps works", os.path.exists("/tmp/dumped"))
        os.path.exists("/tmp/dumped") and os.remove("/tmp/dumped")
        for code in ("import os; os.abort()",
                     "import os, resource as r\ntry: r.setrlimit(r.RLIMIT_CORE, (0, 0))\n"
                     "except (OSError, ValueError): pass\nos.abort()"):
            verdict(self, "abort", code, status="failed", type="abort")
        time.sleep(1)
        self.check("no job's crash starts the host's dump program",
                   not os.path.exists("/tmp/dumped"))
        write("/proc/sys/kernel/core_pattern", "core")

    def layers(self):
        doctor = self.tako("doctor", "--json")
        return {layer["name"]: layer for layer in doctor.get("layers", [])} or doctor

    def check(self, name, holds, shown=""):
        check("%s: %s" % (self.name, name), holds, shown)


def groups_of_tako():
    found = []
    for at, names, _ in os.walk(TOP):
        found += [os.path.join(at, name) for name in names if name.startswith("tako-")]
    return found


def members(group):
    """The processes in a group and below it."""
    found = set()
    for at, _, _ in os.walk(group):
        try:
            found.update(int(pid) for pid in read(at + "/cgroup.procs").split())
        except OSError:
            pass
    return found


# ---- what must hold ------------------------------------------------------------------------------

def verdict(place, name, code, *arguments, **wanted):
    record = place.run(code, *arguments)
    error = record.get("error") or {}
    got = {"type": error.get("type"), **record}
    place.check(name, all(got.get(key) == value for key, value in wanted.items()), record)
    return record.get("resource_usage") or {}


FORKS = """
import os, sys, time
n = 0
while n < 1000:
    try:
        pid = os.fork()
    except BlockingIOError:
        break
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    n += 1
print("held" if n < 101 else n)
"""
HOG = """
held = []
while True:
    held.append(bytearray(b'x' * 4000000))
"""
TREE_HOG = """
import os, time
for i in range(8):
    if os.fork() == 0:
        held = bytearray(b'x' * 20000000)
        time.sleep(60)
time.sleep(60)
"""
SPIN = "while True: pass"
SPIN_TWICE = "import os\nos.fork()\nwhile True: pass"
THREADS = """
import threading
done = []
threads = [threading.Thread(target=done.append, args=(i,)) for i in range(30)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(done))
"""


def verdicts(place):
    use = verdict(place, "hello", "print('hello')", status="succeeded", stdout="hello\n",
                  exit_code=0, error=None)
    place.check("CPU time and memory are measured",
                use.get("cpu_time_ms", 0) > 5 and use.get("max_rss_mb", 0) > 1, use)
    verdict(place, "exception", "1/0", status="failed", type="division_error", exit_code=1)
    verdict(place, "exit 137 is not oom", "import os; os._exit(137)", status="failed",
            exit_code=137, verdict="exit")
    verdict(place, "killed by itself", "import os; os.kill(os.getpid(), 9)", status="failed",
            type="killed", verdict="signal")
    verdict(place, "abort", "import os; os.abort()", status="failed", type="abort")
    verdict(place, "30 threads", THREADS, status="succeeded", stdout="30\n")
    verdict(place, "a fork bomb is held", FORKS, status="succeeded", stdout="held\n")
    use = verdict(place, "endless loop", SPIN, "--timeout", "1", status="timeout",
                  type="execution_timeout")
    place.check("its wall time is its timeout's", 990 <= use.get("wall_time_ms", 0) < 1500, use)


def limits_by_group(place):
    use = verdict(place, "memory hog", HOG, "--memory", "64m", status="oom", verdict="oom")
    place.check("its peak is its limit", 60 <= use.get("max_rss_mb", 0) <= 64.1, use)
    verdict(place, "a tree shares one limit", TREE_HOG, "--memory", "100m", status="oom",
            verdict="oom")
    use = verdict(place, "100 MB used", "print(len(bytearray(b'x' * 100000000)))",
                  status="succeeded")
    place.check("100 MB measured", 95 < use.get("max_rss_mb", 0) < 220, use)


def limits_by_rlimit(place):
    # The address space of one process, not the memory of the tree.
    verdict(place, "memory hog", HOG, "--memory", "64m", status="oom")


def cpu_limited(place):
    use = verdict(place, "two processes spin", SPIN_TWICE, "--timeout", "2", status="timeout")
    used = use.get("cpu_time_ms", 0)
    place.check("they share one CPU", 1200 < used < 2350, use)


def reported(place, on, text):
    layers = place.layers()
    for name in LIMITS:
        layer = layers.get(name, {})
        if name in on:
            place.check("%s is on" % name,
                        layer.get("state") == "on" and text in layer.get("detail", ""),
                        layer or layers)
        else:
            place.check("%s is not on, and why" % name,
                        layer.get("state") in ("off", "weaker") and layer.get("detail"),
                        layer or layers)
            print("# %s: %s: %s" % (place.name, name, layer.get("detail")))


def limited_as(place, on):
    reported(place, on, "cgroup v2")
    verdict(place, "hello", "print('hello')", status="succeeded", stdout="hello\n")
    limits_by_group(place)
    clean(place)


def clean(place):
    left = groups_of_tako()
    place.check("no group is left", not left, left)


def killed_host(place):
    code = "import os, time\nfor i in range(3): os.fork()\ntime.sleep(100)"
    write(place.home + "/sleep.py", code)
    host = place.start(["tako", "run", place.home + "/sleep.py"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    job = set()
    end = time.monotonic() + 30
    while time.monotonic() < end and len(job) < 8:
        job = set().union(*(members(group) for group in groups_of_tako()), set())
        time.sleep(0.02)
    place.check("a job of 8 processes runs", len(job) == 8, job)
    place.check("its groups are there", groups_of_tako())
    host.send_signal(signal.SIGKILL)
    begin = time.monotonic()
    host.wait()
    while time.monotonic() < begin + 1 and any(os.path.exists("/proc/%d" % pid) for pid in job):
        time.sleep(0.01)
    left = [pid for pid in job if os.path.exists("/proc/%d" % pid)]
    place.check("nothing lives 1 s after the host's kill", not left, left)
    print("# %s: within %d ms" % (place.name, 1000 * (time.monotonic() - begin)))
    old = groups_of_tako()
    place.check("the killed host left its group", old)
    place.run("print(1)")
    left = [group for group in old if os.path.exists(group)]
    place.check("the next host removes it", not left, left)


# ---- layouts -------------------------------------------------------------------------------------

def group(path, controllers="", owner=0):
    at = TOP + path
    os.makedirs(at, exist_ok=True)
    if owner:
        for name in ("", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"):
            os.chown(at + name, owner, owner)
    for controller in controllers.split():
        write(at + "/cgroup.subtree_control", "+" + controller)
    return at


def layout_user(uid, delegated):
    """A user's part of the tree, with what his service manager makes of it."""
    base = "/user.slice/user-%d.slice" % uid
    group(base, delegated)
    service = base + "/user@%d.service" % uid
    group(service, delegated, uid)
    Place("manager", group(service + "/init.scope", "", uid), uid)
    group(service + "/app.slice", "memory pids", uid)
    return base, service


def run_v2():
    mount("cgroup2", TOP, "nosuid,nsdelegate,memory_recursiveprot")
    write(group("/init.scope") + "/cgroup.procs", "0")
    write(TOP + "/init.scope/cgroup.procs", "1")
    group("", "cpu memory pids")
    group("/system.slice", "memory pids")
    group("/user.slice", "cpu memory pids")

    places = [(Place("root service", group("/system.slice/x.service")), LIMITS)]
    _, service = layout_user(1000, "cpu memory pids")
    places.append((Place("user", group(service + "/app.slice/x.scope", "", 1000), 1000), LIMITS))
    for place, on in places:
        reported(place, on, "cgroup v2")
        verdicts(place)
        limits_by_group(place)
        cpu_limited(place)
        clean(place)
        killed_host(place)
        clean(place)
    places[0][0].no_dump()
    places[0][0].suites()

    # Some user managers are not given the CPU controller.
    base, service = layout_user(1001, "memory pids")
    limited_as(Place("user without cpu", group(service + "/app.slice/x.scope", "", 1001), 1001),
               LIMITS[:2])

    # A service of a user with Delegate=yes and DelegateSubgroup=main.
    group("/system.slice/y.service", "", 1000)
    limited_as(Place("delegated", group("/system.slice/y.service/main", "", 1000), 1000), LIMITS)

    # A login session's scope is the system's: a user may make groups, but not move into them.
    place = Place("session", group(base + "/session-1.scope"), 1001)
    reported(place, (), "")
    verdicts(place)
    limits_by_rlimit(place)
    clean(place)

    # Named by the host: below what it may use, where it may not move a process to, nowhere.
    named = service + "/app.slice"
    got = place.named(named)
    place.check("a group that cannot be joined is a refusal",
                "memory_limit weaker" in got and "moving a job below" in got and
                "strict mode refuses" in got, got)
    place = Place("named", group(service + "/app.slice/y.scope", "", 1001), 1001)
    for path in (named, TOP + named):
        got = place.named(path)
        place.check("the group is used",
                    "memory_limit on: cgroup v2" in got and "succeeded 2" in got, got)
    got = place.named("/nowhere")
    place.check("a group that is not there is a refusal",
                "/nowhere: No such file" in got and "strict mode refuses" in got, got)
    clean(place)

    # As in a container: the only group there is has processes, and nothing above it is seen.
    place = Place("container", group("/system.slice/container.scope"), 0, namespace=True)
    reported(place, (), "")
    record = place.run("print(1)")
    place.check("strict mode refuses", "memory_limit" in str(record), record)
    record = place.run("print(1)", "--permissive")
    place.check("permissive mode runs", record.get("status") == "succeeded", record)
    clean(place)


def run_hybrid():
    mount("tmpfs", TOP, "mode=755")
    old = [TOP + "/" + name for name in ("memory", "pids")]
    for at in old:
        if not mount("cgroup", at, os.path.basename(at)):
            print("# this kernel has no version 1 of %s: nothing to check" % at)
            return
    mount("cgroup2", TOP + "/unified")
    write(TOP + "/unified/cgroup.subtree_control", "+cpu")
    for at in [TOP + "/unified", *old]:
        os.mkdir(at + "/x.service")
    place = Place("hybrid", TOP + "/unified/x.service", v1=[at + "/x.service" for at in old])
    reported(place, LIMITS, "cgroup v")
    verdicts(place)
    limits_by_group(place)
    cpu_limited(place)
    clean(place)
    killed_host(place)
    clean(place)
    place.suites()
    place = Place("hybrid user", TOP + "/unified/x.service", 1000,
                  v1=[at + "/x.service" for at in old])
    reported(place, (), "")
    limits_by_rlimit(place)
    clean(place)


try:
    print("# Linux %s" % os.uname().release)
    {"v2": run_v2, "hybrid": run_hybrid}[
        read("/proc/cmdline").split("tako.layout=")[1].split()[0]]()
    print("DONE", flush=True)
except BaseException:
    traceback.print_exc()
