#!/usr/bin/python3
"""report.py - the hostile catalogue beside other ways to run untrusted code: every program of
programs/ under tako, under bwrap with the arguments that agents usually give it, and under docker
with its defaults, and what got through in each.

Usage: report.py TAKO [ID...]: the tako program, and the lines to run, by default all.

Counts as a breach: what a program itself found open (a line BREACH), a program that still ran when
its time was long over, one that met the report's own limit of memory or of processes because the
tool has none, output without end, processes that outlived the tool, and an ending that the caller
cannot tell from another. Under tako also every ending that is not what the table says.

Each run is inside a cgroup of the report's own, so that nothing can hurt this machine. Needs root,
for that. bwrap and docker are used when they are there; a docker daemon is started for the report,
with everything of it in a temporary directory, and without a network. Prints a table and a last
line with the sums; fails when something got through under tako. Leaves nothing behind.
SPDX-License-Identifier: MIT"""
import glob
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = 512 << 20  # of the report's cgroup: above what any line allows
PIDS = 600
OUTPUT = 16 << 20  # bytes that a caller would have had to keep
SURVIVE = 1.0  # seconds after the tool's end
CANARY = os.urandom(16).hex()


# ---- the tables ----------------------------------------------------------------------------------

class Line:
    """One line of a table; see catalogue.h."""

    def __init__(self, words):
        self.id, self.name, self.verdicts, self.statuses = words[:4]
        self.options = words[4:]
        self.timeout = float(self.value("timeout", 10000)) / 1000
        self.path = os.path.join(HERE, "programs", "%s_%s.py" % (self.id, self.name))

    def value(self, name, default=None):
        for word in self.options:
            if word.startswith(name + "="):
                return word[len(name) + 1:]
        return default

    def expects(self, *verdicts):
        return bool(set(verdicts) & set(self.verdicts.split("|")))

    def roles(self):
        return ("a", "b") if "pair" in self.options or "sequel" in self.options else ("a",)


def read_tables(wanted):
    lines = []
    for path in sorted(glob.glob(os.path.join(HERE, "catalogue", "*.txt"))):
        with open(path, encoding="utf-8") as table:
            for text in table:
                words = text.split()
                if words and not words[0].startswith("#"):
                    lines.append(Line(words))
    lines = [line for line in lines
             if (not wanted or line.id in wanted)
             and ("x86" not in line.options or platform.machine() == "x86_64")]
    return lines


# ---- a cgroup around every run -------------------------------------------------------------------

class Cage:
    """A group with limits of memory and processes, in version 1 or 2."""

    serial = 0

    def __init__(self, top):
        Cage.serial += 1
        self.path = "%s/%d" % (top.path, Cage.serial)
        self.dirs = {name: "%s%s" % (mount, self.path) for name, mount in top.mounts.items()}
        self.v2 = top.v2
        for path in set(self.dirs.values()):
            os.makedirs(path)
        if self.v2:
            self.write("memory", "cgroup.subtree_control", "+memory +pids")
            self.write("memory", "memory.max", MEMORY)
            self.write("memory", "memory.swap.max", 0)
            os.mkdir(self.dirs["memory"] + "/tool")
        else:
            self.write("memory", "memory.limit_in_bytes", MEMORY)
            self.write("memory", "memory.memsw.limit_in_bytes", MEMORY)
        self.write("pids", "pids.max", PIDS)

    def write(self, name, file, value):
        try:
            with open("%s/%s" % (self.dirs[name], file), "w", encoding="ascii") as f:
                f.write(str(value))
        except OSError:
            if file in ("memory.max", "memory.limit_in_bytes", "pids.max"):
                raise

    def number(self, name, *files):
        for file in files:
            try:
                with open("%s/%s" % (self.dirs[name], file), encoding="ascii") as f:
                    return int(f.read())
            except (OSError, ValueError):
                continue
        return 0

    def enter(self):
        """In the child, before it becomes the tool."""
        for path in set(self.dirs.values()):
            with open(path + ("/tool" if self.v2 else "") + "/cgroup.procs", "w",
                      encoding="ascii") as f:
                f.write("0")

    def members(self):
        pids = set()
        for base in set(self.dirs.values()):
            for path, _, _ in os.walk(base):
                try:
                    with open(path + "/cgroup.procs", encoding="ascii") as f:
                        pids.update(int(pid) for pid in f.read().split())
                except OSError:
                    pass
        return pids

    def clear(self):
        """Kills what is in it, also what forks faster than it dies."""
        end = time.monotonic() + 20
        pids = self.members()
        while pids and time.monotonic() < end:
            self.write("pids", "pids.max", 0)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.02)
            pids = self.members()

    def facts(self):
        return {"memory": self.number("memory", "memory.peak", "memory.max_usage_in_bytes"),
                "pids": self.number("pids", "pids.peak")}


class Top:
    """The report's own place in each hierarchy, or in version 2."""

    def __init__(self):
        self.path = "/tako-report-%d" % os.getpid()
        self.mounts, self.all = {}, []
        unified = None
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            for text in f:
                left, right = text.split(" - ")
                kind, _, options = right.split()[:3]
                mount = left.split()[4]
                if kind == "cgroup":
                    self.all.append(mount)
                    for name in ("memory", "pids"):
                        if name in options.split(","):
                            self.mounts[name] = mount
                elif kind == "cgroup2":
                    unified = mount
                    self.all.append(mount)
        self.v2 = not self.mounts
        if self.v2 and unified:
            self.mounts = {"memory": unified, "pids": unified}
            with open(unified + "/cgroup.subtree_control", "w", encoding="ascii") as f:
                f.write("+memory +pids")
        if len(self.mounts) < 2:
            sys.exit("report.py needs cgroups with limits of memory and processes")
        for mount in set(self.mounts.values()):
            os.mkdir(mount + self.path)
        if self.v2:
            with open(unified + self.path + "/cgroup.subtree_control", "w", encoding="ascii") as f:
                f.write("+memory +pids")

    def remove(self):
        for mount in self.all:
            for path, _, _ in os.walk(mount + self.path, topdown=False):
                for _ in range(100):
                    try:
                        os.rmdir(path)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.01)


# ---- one run -------------------------------------------------------------------------------------

class Run:
    """A command inside a cage; its output is counted, and a little of it kept."""

    KEEP = 16 << 20  # a record of tako is one long line: an output may have 10 MiB

    def __init__(self, cage, command):
        self.kept, self.total = [b"", b""], 0
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TAKO_TEST_CANARY": CANARY,
               "HOME": os.environ.get("HOME", "/")}
        # The child does nothing but enter the cage: this program has no threads that hold locks.
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=env, start_new_session=True, preexec_fn=cage.enter)
        self.readers = [threading.Thread(target=self.read, args=(i, pipe), daemon=True)
                        for i, pipe in enumerate((self.process.stdout, self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def read(self, i, pipe):
        while True:
            try:
                data = os.read(pipe.fileno(), 65536)
            except (OSError, ValueError):
                return
            if not data:
                return
            self.total += len(data)
            if len(self.kept[i]) < self.KEEP:
                self.kept[i] += data

    def wait(self, until):
        """The exit code, or None when time or room ran out."""
        while self.process.poll() is None:
            if time.monotonic() > until or self.total > 4 * OUTPUT:
                return None
            time.sleep(0.01)
        return self.process.returncode

    def text(self, i=0):
        return self.kept[i].decode("utf-8", "replace")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(2)
        self.process.stdout.close()
        self.process.stderr.close()


def breaches_said(text):
    return [line[7:].strip() or "?" for line in text.split("\n") if line.startswith("BREACH")]


class Tool:
    """How a tool is called, and what its caller learns of an ending."""

    name = "?"
    patience = 2  # seconds that it may be late

    def command(self, line, program, data, cage):
        raise NotImplementedError

    def ending(self, run, code):
        """(exit code, signal, out of memory), as the caller can tell them; None = cannot tell."""
        return code, (code - 128 if code and code > 128 else None), None

    def stdout(self, run):
        return run.text()

    def clean(self, cage):
        pass

    def deadline(self, line):
        if line.expects("wall_timeout", "cpu_timeout", "output_limit"):
            return min(line.timeout, 1) + self.patience
        return line.timeout + self.patience + (10 if line.expects("oom") else 0)

    def told_wrong(self, line, run, code):
        """What of the ending the caller is told wrongly, or cannot tell from another."""
        exit_code, sig, oom = self.ending(run, code)
        if line.expects("oom") and not line.expects("exit") and exit_code == 137 and not oom:
            return "out of memory told as 137, as any kill"
        wanted = line.value("exit")
        if line.verdicts == "exit" and wanted and int(wanted) > 128 and exit_code == int(wanted) \
                and sig == int(wanted) - 128 and sig < 65:
            return "exit %s told as a death by signal %d" % (wanted, sig)
        if line.verdicts == "signal" and line.value("signal") \
                and exit_code != 128 + int(line.value("signal")):
            return "signal %s told as %d" % (line.value("signal"), exit_code)
        return None


class Tako(Tool):
    name = "tako"
    patience = 20

    def __init__(self, path):
        self.path = path

    def command(self, line, program, data, cage):
        command = [self.path, "run", "--json", "--store", "sqlite::memory:", "--timeout",
                   "%g" % line.timeout, "--memory", line.value("memory", "256") + "m",
                   "--input", "@" + data]
        if line.value("cpu"):
            command += ["--cpu-time", "%g" % (float(line.value("cpu")) / 1000)]
        if line.value("output_kill"):
            command += ["--output-limit", line.value("output_kill")]
        return command + [program]

    @staticmethod
    def record(run):
        try:
            return json.loads(run.text())
        except ValueError:
            return None

    def stdout(self, run):
        record = self.record(run)
        return record["stdout"] if record else ""

    def told_wrong(self, line, run, code):
        record = self.record(run)
        if not record:
            return "no record: %s" % (run.text(1).strip() or code)
        is_type = record["error"]["type"] if record["error"] else "-"
        good, status = False, None
        for text in line.statuses.split("|"):
            if "/" in text:
                status, text = text.split("/")
            good = good or (status in (record["status"], "*") and text in (is_type, "*"))
        if not good or not line.expects(record["verdict"], "*"):
            return "told as %s, %s/%s" % (record["verdict"], record["status"], is_type)
        for name, is_value in (("exit", record["exit_code"]), ("signal", record["signal"])):
            if line.value(name) and int(line.value(name)) != is_value:
                return "%s %s" % (name, is_value)
        if "held" in line.options and self.stdout(run).rstrip("\n").split("\n")[-1] != "held":
            return "did not say that it held"
        return None


class Bwrap(Tool):
    name = "bwrap"

    def command(self, line, program, data, cage):
        command = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session",
                   "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink("/" + name):
                command += ["--symlink", os.readlink("/" + name), "/" + name]
            elif os.path.isdir("/" + name):
                command += ["--ro-bind", "/" + name, "/" + name]
        return command + ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/output",
                          "--ro-bind", program, "/code/main.py", "--ro-bind", data,
                          "/input/data.json", "--chdir", "/tmp", "/usr/bin/python3",
                          "/code/main.py"]


# ---- docker --------------------------------------------------------------------------------------

IMAGE_PROGRAMS = ["/usr/bin/python3", "/bin/sh", "/bin/true", "/bin/false", "/bin/cat", "/bin/ls",
                  "/bin/sleep", "/usr/bin/id", "/usr/bin/env", "/bin/su", "/bin/mount", "/bin/echo"]
IMAGE_NOT = re.compile(r"/(test|tests|idlelib|tkinter|lib2to3|ensurepip|pydoc_data|distutils|"
                       r"dist-packages|__pycache__|config-[^/]*)(/|$)")


def add_to_image(image, path, seen):
    """A program or library, with the libraries it needs; links stay links."""
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if path in seen or not os.path.lexists(path):
        return
    seen.add(path)
    image.add(path, recursive=False)
    if os.path.islink(path):
        add_to_image(image, os.path.join(os.path.dirname(path), os.readlink(path)), seen)
        return
    with open(path, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return
    ldd = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    for library in re.findall(r"(/\S+) \(0x", ldd.stdout):
        add_to_image(image, library, seen)


def make_image(path):
    """This machine's own Python and a few programs, as a root file system."""
    seen = set()
    with tarfile.open(path, "w") as image:
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink("/" + name):
                image.add("/" + name, recursive=False)
        for name in ("tmp", "output", "root", "proc", "sys", "dev"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            info.mode = 0o1777 if name in ("tmp", "output") else 0o755
            image.addfile(info)
        for program in IMAGE_PROGRAMS:
            add_to_image(image, program, seen)
        version = os.path.basename(os.path.realpath("/usr/bin/python3"))
        for path in glob.glob("/usr/lib/%s/**" % version, recursive=True):
            if os.path.isfile(path) and not IMAGE_NOT.search(path):
                add_to_image(image, path, seen)
        for path in ("/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/etc/nsswitch.conf"):
            add_to_image(image, path, seen)


class Docker(Tool):
    name = "docker"
    patience = 5

    def __init__(self, directory):
        self.dir = os.path.join(directory, "docker")
        self.socket = self.dir + "/socket"
        self.daemon = None
        self.names = []
        self.ended = {}

    def call(self, *arguments):
        return subprocess.run(["docker", "-H", "unix://" + self.socket, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              check=False)

    def start(self):
        """None, or why there is no docker here."""
        missing = [name for name in ("dockerd", "docker") if not shutil.which(name)]
        if missing:
            return "not installed: %s" % ", ".join(missing)
        os.mkdir(self.dir)
        with open(self.dir + "/log", "wb") as log:
            self.daemon = subprocess.Popen(  # pylint: disable=consider-using-with
                ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--data-root",
                 self.dir + "/data", "--exec-root", self.dir + "/exec", "--pidfile",
                 self.dir + "/pid", "-H", "unix://" + self.socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        for _ in range(150):
            if self.daemon.poll() is not None or self.call("version").returncode == 0:
                break
            time.sleep(0.2)
        if self.daemon.poll() is not None or self.call("version").returncode != 0:
            with open(self.dir + "/log", encoding="utf-8", errors="replace") as log:
                words = log.read().strip().split("\n")[-1]
            return "the daemon does not start: %s" % words[-200:]
        make_image(self.dir + "/image.tar")
        answer = self.call("import", self.dir + "/image.tar", "python")
        if answer.returncode == 0:
            answer = self.call("run", "--rm", "--network", "none", "python", "/usr/bin/python3", "-c",
                               "print('works')")
        if answer.stdout.strip() != "works":
            return "no container runs: %s" % answer.stderr.strip()[-200:]
        return None

    def stop(self):
        if not self.daemon:
            return
        for _ in range(2):
            if self.daemon.poll() is None:
                self.daemon.terminate()
            try:
                self.daemon.wait(30)
                break
            except subprocess.TimeoutExpired:
                self.daemon.kill()
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mounts = [text.split()[4] for text in f]
        for mount in reversed(mounts):
            if mount.startswith(self.dir + "/"):
                subprocess.run(["umount", "-l", mount], check=False)
        for path in ("/run/docker/plugins", "/run/docker"):
            try:
                os.rmdir(path)  # made by the daemon; stays when it is used by another
            except OSError:
                pass

    def command(self, line, program, data, cage):
        self.names.append("report-%d-%d" % (os.getpid(), len(self.names) + Cage.serial * 10))
        return ["docker", "-H", "unix://" + self.socket, "run", "--name", self.names[-1],
                "--network", "none", "--cgroup-parent", cage.path, "-v", program + ":/code/main.py:ro",
                "-v", data + ":/input/data.json:ro", "python", "/usr/bin/python3", "/code/main.py"]

    def ending(self, run, code):
        name = run.process.args[run.process.args.index("--name") + 1]
        answer = self.call("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", name)
        words = answer.stdout.split()
        if len(words) != 2:
            return code, None, None
        code = int(words[0])
        return code, (code - 128 if code > 128 else None), words[1] == "true"

    def clean(self, cage):
        if self.names:
            self.call("rm", "-f", *self.names)
        self.names = []


# ---- the report ----------------------------------------------------------------------------------

def try_line(tool, line, top, directory):
    """What got through, as a list of texts, and a remark when it ended otherwise than in Tako."""
    cage = Cage(top)
    found, runs = [], []
    pair = "pair" in line.options
    over = None  # True: it was ended for time; False: for its output

    def start(role):
        data = "%s/input-%s.json" % (directory, role)
        with open(data, "w", encoding="utf-8") as f:
            json.dump({"role": role, "canary": CANARY[::-1]}, f)
        os.chmod(data, 0o644)
        runs.append(Run(cage, tool.command(line, line.path, data, cage)))

    def finish(run):
        nonlocal over
        code = run.wait(time.monotonic() + tool.deadline(line))
        if code is None:
            over = over or run.total <= 4 * OUTPUT
            cage.clear()
        elif not pair:
            end = time.monotonic() + SURVIVE
            while cage.members() and time.monotonic() < end:
                time.sleep(0.02)
            if cage.members():
                found.append("%d processes outlive it" % len(cage.members()))
                cage.clear()
        return code

    try:
        if pair:
            for role in line.roles():
                start(role)
            codes = [finish(run) for run in runs]
        else:
            codes = []
            for role in line.roles():
                start(role)
                codes.append(finish(runs[-1]))
        cage.clear()
        facts = cage.facts()
        for run, code in zip(runs, codes):
            run.close()
            found += breaches_said(tool.stdout(run))
            if run.total > OUTPUT:
                found.append("output without end")
            full = facts["memory"] >= MEMORY - (16 << 20)
            if over is None and code is not None and (not full or tool.name == "tako"):
                wrong = tool.told_wrong(line, run, code)
                if wrong:
                    found.append(wrong)
        if over:
            found.append("no limit of time")
        if facts["memory"] >= MEMORY - (16 << 20):
            found.append("no limit of memory")
        if facts["pids"] >= PIDS - 5:
            found.append("no limit of processes")
        tool.clean(cage)
    finally:
        for run in runs:
            run.close()
        cage.clear()
    return list(dict.fromkeys(found))


def cell(found):
    if not found:
        return "held"
    text = re.sub(r"[^ -~]", "?", found[0])
    more = " (+%d)" % (len(found) - 1) if len(found) > 1 else ""
    return "! " + text[:34 - len(more)] + more


def main(tako, *wanted):
    if os.geteuid() != 0:
        sys.exit("report.py needs root, to make cgroups around what it runs")
    lines = read_tables(wanted)
    directory = tempfile.mkdtemp(prefix="tako-report-")
    os.chmod(directory, 0o755)
    docker, absent, tools = Docker(directory), {}, [Tako(os.path.abspath(tako))]
    top = Top()
    counts = {}
    try:
        if shutil.which("bwrap"):
            tools.append(Bwrap())
        else:
            absent["bwrap"] = "it is not installed"
        why = docker.start()
        if why:
            absent["docker"] = why
        else:
            tools.append(docker)
        for name, why in absent.items():
            print("%s is not in this report: %s" % (name, why))
        counts = {tool.name: 0 for tool in tools}
        print("%-6s %-20s" % ("ID", "what") + "".join("  %-36s" % tool.name for tool in tools))
        for line in lines:
            row = "%-6s %-20s" % (line.id, line.name.replace("_", " ")[:20])
            for tool in tools:
                found = try_line(tool, line, top, directory)
                counts[tool.name] += bool(found)
                row += "  %-36s" % cell(found)
            print(row.rstrip(), flush=True)
    finally:
        docker.stop()
        top.remove()
        # Not with shutil.rmtree, which recurses: some programs leave very deep directories in docker.
        subprocess.run(["rm", "-rf", directory], check=False)
    print("breaches: " + ", ".join("%s %s" % (name, counts.get(name, "not run"))
                                   for name in ("tako", "bwrap", "docker"))
          + " of %d programs" % len(lines))
    return 1 if counts["tako"] or not lines else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
