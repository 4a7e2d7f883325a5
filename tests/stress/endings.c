/* endings.c - the table of adversarial programs and how a case is made of a row. In a program
 *   @C is an exit code, forged ones first      @S a signal whose default action is to end a process
 *   @T the same but one that can be caught     @M 1-30
 *   @K a number of bytes                       @D seconds until about the deadline
 * Whatever the program, main's own ending counts; except that limits and forbidden calls are those
 * of the whole job: which of its processes met them does not matter.
 * SPDX-License-Identifier: MIT */
#include "endings.h"
#include "stress.h"

#include <signal.h>

enum ending_right {
    EXIT_C,   /* with code @C */
    EXIT_N,   /* with code n */
    SIGNAL_S, /* of signal @S or @T */
    SIGNAL_N, /* of signal n */
    OOM,
    WALL, /* at a limit of 100-200 ms */
    DEADLINE,
    CPU,       /* at a limit of n ms */
    CPU_SPARE, /* EXIT_C, below a limit of 2 s */
    OUTPUT,
    OUTPUT_FIT, /* EXIT_C, having written exactly what is allowed */
    CANCEL,
    CANCEL_RACE, /* cancelled, or EXIT_C */
    VIOLATION,
    I386,
};

#define GROUP 1    /* needs a memory limit for the whole job */
#define FOREIGN 2  /* needs x86-64 */
#define PLAIN 4    /* nothing may be put before it */
#define ANY 8      /* the error type is what the text makes of it */
#define NOT_1 16   /* code 1 would be taken for a real MemoryError where rlimits limit memory */
#define IN_CALL 32 /* the memory limit may be met in a system call, not at a page */

struct ending_row {
    const char *kind;
    int weight;
    enum ending_right right;
    int n;
    int flags;
    const char *type; /* NULL = "runtime_error" */
    const char *code;
};

/* Tables laid out by hand. */
/* clang-format off */

static const struct ending_row ending_rows[] = {

/* ---- ends by itself, with any code ---- */
{"exit", 6, EXIT_C, 0, 0, NULL,
 "import os; os._exit(@C)"},
{"sys.exit", 6, EXIT_C, 0, 0, NULL,
 "import sys; sys.exit(@C)"},
{"exit code out of range", 3, EXIT_C, 0, 0, NULL,
 "import sys; sys.exit(@C + 256 * @M)"},
{"negative exit code", 3, EXIT_C, 0, 0, NULL,
 "import sys; sys.exit(@C - 256)"},
{"exit at the very end", 2, EXIT_C, 0, 0, NULL,
 "import atexit, os, sys\natexit.register(os._exit, @C); sys.exit(0)"},
{"exit from a thread", 3, EXIT_C, 0, 0, NULL,
 "import os, threading, time\n"
 "threading.Thread(target=lambda: (time.sleep(@M / 1000), os._exit(@C))).start()\n"
 "time.sleep(20)"},
{"main thread leaves first", 3, EXIT_C, 0, 0, NULL,
 "import ctypes, os, threading, time\n"
 "libc = ctypes.CDLL(None)\n"
 "threading.Thread(target=lambda: (time.sleep(@M / 1000), os._exit(@C))).start()\n"
 "libc.syscall(60 if os.uname().machine == 'x86_64' else 93, 137)"},
{"shell", 6, EXIT_C, 0, 0, NULL,
 "import os; os.execv('/usr/bin/sh', ['sh', '-c', 'exit @C'])"},
{"shell whose child is killed", 4, EXIT_C, 0, 0, NULL,
 "import os\nos.execv('/usr/bin/sh', ['sh', '-c', 'sh -c \"kill -@S \\\\$\\\\$\"; exit @C'])"},
{"shell that passes on 128 + n", 3, EXIT_N, 137, 0, NULL,
 "import os\n"
 "os.execv('/usr/bin/sh', ['sh', '-c', 'sh -c \"kill -9 \\\\$\\\\$\" 2>/dev/null; exit $?'])"},
{"exec by a thread", 3, EXIT_C, 0, 0, NULL,
 "import os, threading, time\n"
 "threading.Thread(target=os.execv, args=('/usr/bin/sh', ['sh', '-c', 'exit @C'])).start()\n"
 "time.sleep(20)"},
{"exec that fails, caught", 2, EXIT_C, 0, 0, NULL,
 "import os\ntry: os.execv('/usr/bin/nowhere', ['x'])\nexcept OSError: os._exit(@C)"},
{"exec of true", 2, EXIT_N, 0, 0, NULL,
 "import os; os.execv('/usr/bin/true', ['true'])"},
{"exec of false", 2, EXIT_N, 1, 0, NULL,
 "import os; os.execv('/usr/bin/false', ['false'])"},
{"child killed by a signal", 4, EXIT_C, 0, 0, NULL,
 "import os, signal\n"
 "pid = os.fork()\n"
 "if pid == 0:\n"
 "    if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "    os.kill(os.getpid(), @S)\n"
 "    os._exit(99)\n"
 "os.waitpid(pid, 0); os._exit(@C)"},
{"child segfaults", 2, EXIT_C, 0, 0, NULL,
 "import ctypes, os\n"
 "pid = os.fork()\n"
 "if pid == 0: ctypes.string_at(0)\n"
 "os.waitpid(pid, 0); os._exit(@C)"},
{"child aborts", 2, EXIT_C, 0, 0, NULL,
 "import os\n"
 "pid = os.fork()\n"
 "if pid == 0: os.abort()\n"
 "os.waitpid(pid, 0); os._exit(@C)"},
{"children with forged codes", 3, EXIT_C, 0, 0, NULL,
 "import os\n"
 "for code in (137, 124, 143, 139, 0, 1, 9):\n"
 "    if os.fork() == 0: os._exit(code)\n"
 "os._exit(@C)"},
{"orphans die of everything", 3, EXIT_C, 0, 0, NULL,
 "import os, time\n"
 "for s in (9, 15, 11, 6, 9, 14):\n"
 "    if os.fork() == 0:\n"
 "        if os.fork() == 0: os.kill(os.getpid(), s)\n"
 "        os._exit(137)\n"
 "time.sleep(@M / 1000); os._exit(@C)"},
{"subprocess killed", 2, EXIT_C, 0, 0, NULL,
 "import os, subprocess\n"
 "assert subprocess.run(['sh', '-c', 'kill -9 $$']).returncode == -9\nos._exit(@C)"},
{"signal handler", 4, EXIT_C, 0, 0, NULL,
 "import os, signal, time\n"
 "signal.signal(@T, lambda *a: os._exit(@C)); os.kill(os.getpid(), @T)\n"
 "time.sleep(20)"},
{"blocked signal", 3, EXIT_C, 0, 0, NULL,
 "import os, signal\n"
 "signal.pthread_sigmask(signal.SIG_BLOCK, {@T}); signal.raise_signal(@T); os._exit(@C)"},
{"ignored signal", 3, EXIT_C, 0, 0, NULL,
 "import os, signal\n"
 "signal.signal(@T, signal.SIG_IGN); os.kill(os.getpid(), @T); os._exit(@C)"},
{"children's ends ignored", 2, EXIT_C, 0, 0, NULL,
 "import os, signal, time\n"
 "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
 "for i in range(5):\n"
 "    if os.fork() == 0: os._exit(137)\n"
 "time.sleep(@M / 1000); os._exit(@C)"},
{"storm of stop and continue", 4, EXIT_C, 0, 0, NULL,
 "import os, signal, time\n"
 "me = os.getpid()\n"
 "if os.fork() == 0:\n"
 "    for i in range(50): os.kill(me, signal.SIGSTOP); os.kill(me, signal.SIGCONT)\n"
 "    os._exit(0)\n"
 "time.sleep(@M / 1000); os._exit(@C)"},
{"kills pid 1", 3, EXIT_C, 0, 0, NULL,
 "import os\n"
 "for s in (1, 2, 9, 11, 15, 17, 19):\n"
 "    try: os.kill(1, s)\n"
 "    except OSError: pass\n"
 "os._exit(@C)"},
{"kills all others", 3, EXIT_C, 0, 0, NULL,
 "import os, time\n"
 "for i in range(3):\n"
 "    if os.fork() == 0: time.sleep(20)\n"
 "try: os.kill(-1, 9)\n"
 "except OSError: pass\n"
 "os._exit(@C)"},
{"everything closed", 3, EXIT_C, 0, 0, NULL,
 "import os, time\nos.closerange(0, 256); time.sleep(@M / 1000); os._exit(@C)"},
{"daemon outlives main", 4, EXIT_C, 0, 0, NULL,
 "import os, signal, time\n"
 "if os.fork() == 0:\n"
 "    os.setsid()\n"
 "    if os.fork(): os._exit(137)\n"
 "    for s in range(1, 32):\n"
 "        try: signal.signal(s, signal.SIG_IGN)\n"
 "        except (OSError, ValueError): pass\n"
 "    time.sleep(20)\n"
 "time.sleep(@M / 1000); os._exit(@C)"},
{"some of the memory", 2, EXIT_C, 0, 0, NULL,
 "import os\nx = bytearray(30 << 20); os._exit(@C)"},
{"own limit of memory, caught", 2, EXIT_C, 0, 0, NULL,
 "import os, resource\n"
 "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
 "try: x = bytearray(1 << 30)\n"
 "except MemoryError: os._exit(@C)"},
{"text \"Killed\"", 3, EXIT_C, 0, 0, NULL,
 "import os; os.write(2, b'Killed\\n'); os._exit(@C)"},
{"text of the kernel", 2, EXIT_C, 0, 0, NULL,
 "import os\n"
 "os.write(2, b'Memory cgroup out of memory: Killed process 2 (python3)\\n'); os._exit(@C)"},
{"text of a traceback", 3, EXIT_C, 0, ANY | NOT_1, NULL,
 "import os\n"
 "os.write(2, b'Traceback (most recent call last):\\n  File \"main.py\", line 1, in <module>\\n'\n"
 "            b'MemoryError\\n'); os._exit(@C)"},
{"exception in a thread", 2, EXIT_C, 0, ANY, NULL,
 "import os, threading\n"
 "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); os._exit(@C)"},
{"burns less than the CPU limit", 3, CPU_SPARE, 0, 0, NULL,
 "import os, time\n"
 "while time.process_time() < 0.05: pass\n"
 "os._exit(@C)"},
{"output to the last byte", 3, OUTPUT_FIT, 0, PLAIN, NULL,
 "import os\n"
 "n = @K\n"
 "while n: n -= os.write(1, b'x' * min(n, 65536))\n"
 "os._exit(@C)"},

/* ---- ends by itself, in its own way ---- */
{"ZeroDivisionError", 1, EXIT_N, 1, 0, "division_error", "1 / 0"},
{"ImportError", 1, EXIT_N, 1, 0, "import_error", "import nowhere_to_be_found"},
{"SyntaxError", 1, EXIT_N, 1, 0, "syntax_error", "def broken("},
{"ValueError", 1, EXIT_N, 1, 0, "value_error", "raise ValueError('137')"},
{"FileNotFoundError", 1, EXIT_N, 1, 0, "file_not_found", "open('/nowhere')"},
{"TimeoutError", 1, EXIT_N, 1, 0, "network_timeout", "raise TimeoutError('timed out')"},
{"AssertionError", 1, EXIT_N, 1, 0, "assertion_error", "assert False, 'Killed'"},
{"RecursionError", 1, EXIT_N, 1, 0, "recursion_error", "def f(): f()\nf()"},
{"RuntimeError", 1, EXIT_N, 1, 0, NULL, "raise RuntimeError('signal 9')"},
{"exit with a text", 1, EXIT_N, 1, 0, NULL, "raise SystemExit('Killed')"},
{"exec that fails", 1, EXIT_N, 1, 0, "file_not_found",
 "import os; os.execv('/usr/bin/nowhere', ['x'])"},
{"MemoryError, raised", 2, EXIT_N, 1, 0, "oom", "raise MemoryError('killed')"},
{"MemoryError, too large at once", 3, EXIT_N, 1, 0, "oom", "x = bytearray(1 << 62)"},

/* ---- killed by a signal that is not ours ---- */
{"signal to itself", 8, SIGNAL_S, 0, 0, NULL,
 "import os, signal\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "os.kill(os.getpid(), @S); os._exit(99)"},
{"signal raised", 4, SIGNAL_S, 0, 0, NULL,
 "import os, signal\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "signal.raise_signal(@S); os._exit(99)"},
{"signal from a thread", 3, SIGNAL_S, 0, 0, NULL,
 "import os, signal, threading, time\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "threading.Thread(target=lambda: (time.sleep(@M / 1000), os.kill(os.getpid(), @S))).start()\n"
 "time.sleep(20)"},
{"signal from a child", 4, SIGNAL_S, 0, 0, NULL,
 "import os, signal, time\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "if os.fork() == 0: os.kill(os.getppid(), @S); os._exit(0)\n"
 "time.sleep(20)"},
{"signal from another session", 2, SIGNAL_S, 0, 0, NULL,
 "import os, signal, time\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "me = os.getpid()\n"
 "if os.fork() == 0:\n"
 "    os.setsid(); time.sleep(@M / 1000); os.kill(me, @S); os._exit(0)\n"
 "time.sleep(20)"},
{"signal to the process group", 2, SIGNAL_S, 0, 0, NULL,
 "import os, signal\n"
 "if @S != 9: signal.signal(@S, signal.SIG_DFL)\n"
 "os.kill(0, @S); os._exit(99)"},
{"unblocked signal", 3, SIGNAL_S, 0, 0, NULL,
 "import os, signal\n"
 "signal.signal(@T, signal.SIG_DFL)\n"
 "signal.pthread_sigmask(signal.SIG_BLOCK, {@T}); os.kill(os.getpid(), @T)\n"
 "signal.pthread_sigmask(signal.SIG_UNBLOCK, {@T}); os._exit(99)"},
{"shell kills itself", 4, SIGNAL_S, 0, 0, NULL,
 "import os; os.execv('/usr/bin/sh', ['sh', '-c', 'kill -@S $$; exit 99'])"},
{"abort", 2, SIGNAL_N, SIGABRT, 0, NULL, "import os; os.abort()"},
{"alarm", 2, SIGNAL_N, SIGALRM, 0, NULL,
 "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, @M / 1000); time.sleep(20)"},
{"null pointer", 3, SIGNAL_N, SIGSEGV, 0, NULL, "import ctypes; ctypes.string_at(0)"},
{"null pointer in a thread", 2, SIGNAL_N, SIGSEGV, 0, NULL,
 "import ctypes, threading, time\n"
 "threading.Thread(target=lambda: ctypes.string_at(0)).start(); time.sleep(20)"},
{"mapping behind the end of a file", 2, SIGNAL_N, SIGBUS, 0, NULL,
 "import mmap\n"
 "f = open('/tmp/mapped', 'w+b'); f.truncate(4096)\n"
 "m = mmap.mmap(f.fileno(), 4096); f.truncate(0); print(m[0])"},
{"own limit of a file's size", 2, SIGNAL_N, SIGXFSZ, PLAIN, NULL,
 "import os, resource, signal\n"
 "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
 "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
 "f = os.open('/tmp/file', os.O_CREAT | os.O_WRONLY)\n"
 "while True: os.write(f, b'x' * 500)"},
{"broken pipe", 2, SIGNAL_N, SIGPIPE, 0, NULL,
 "import os, signal\n"
 "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
 "r, w = os.pipe(); os.close(r); os.write(w, b'x'); os._exit(99)"},
{"KeyboardInterrupt", 2, SIGNAL_N, SIGINT, 0, NULL, "raise KeyboardInterrupt('137')"},
{"most of the memory, then SIGKILL", 5, SIGNAL_N, SIGKILL, PLAIN, NULL,
 "import os\nx = b'x' * (48 << 20); os.kill(os.getpid(), 9)"},
{"text \"Killed\", then SIGKILL", 2, SIGNAL_N, SIGKILL, 0, NULL,
 "import os; os.write(2, b'Killed\\n'); os.kill(os.getpid(), 9)"},
{"child kills everybody", 2, SIGNAL_N, SIGKILL, 0, NULL,
 "import os, time\nif os.fork() == 0: os.kill(-1, 9); os._exit(0)\ntime.sleep(20)"},
{"stopped, then killed", 2, SIGNAL_N, SIGKILL, 0, NULL,
 "import os, signal, time\n"
 "if os.fork() == 0: time.sleep(@M / 1000); os.kill(os.getppid(), 9); os._exit(0)\n"
 "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(20)"},
{"forged SIGSYS", 2, SIGNAL_N, SIGSYS, 0, NULL,
 "import os, signal; os.kill(os.getpid(), signal.SIGSYS); os._exit(99)"},

/* ---- out of memory ---- */
{"main grows", 3, OOM, 0, 0, NULL,
 "x = bytearray()\nwhile True: x += bytes(4 << 20)"},
{"main collects", 2, OOM, 0, 0, NULL,
 "x = []\nwhile True: x.append(bytearray(1 << 20))"},
{"main touches a mapping", 2, OOM, 0, GROUP, NULL,
 "import mmap\n"
 "m = mmap.mmap(-1, 1 << 30)\n"
 "for i in range(0, 1 << 30, 4096): m[i] = 1"},
{"a thread grows", 2, OOM, 0, GROUP, NULL,
 "import threading, time\n"
 "def grow():\n"
 "    x = []\n"
 "    while True: x.append(bytearray(1 << 20))\n"
 "threading.Thread(target=grow).start(); time.sleep(20)"},
{"main ignores all signals and grows", 1, OOM, 0, GROUP, NULL,
 "import signal\n"
 "for s in range(1, 32):\n"
 "    try: signal.signal(s, signal.SIG_IGN)\n"
 "    except (OSError, ValueError): pass\n"
 "x = bytearray()\nwhile True: x += bytes(4 << 20)"},
{"child grows, main sleeps", 3, OOM, 0, GROUP, NULL,
 "import os, time\n"
 "if os.fork() == 0:\n"
 "    x = bytearray()\n"
 "    while True: x += bytes(4 << 20)\n"
 "time.sleep(20)"},
{"child grows, main exits with 0", 3, OOM, 0, GROUP, NULL,
 "import os\n"
 "pid = os.fork()\n"
 "if pid == 0:\n"
 "    x = bytearray()\n"
 "    while True: x += bytes(4 << 20)\n"
 "os.waitpid(pid, 0); os._exit(0)"},
{"child grows, main forges a code", 2, OOM, 0, GROUP, NULL,
 "import os\n"
 "pid = os.fork()\n"
 "if pid == 0:\n"
 "    x = bytearray()\n"
 "    while True: x += bytes(4 << 20)\n"
 "os.waitpid(pid, 0); os._exit(@C)"},
{"child in another session grows", 2, OOM, 0, GROUP, NULL,
 "import os, time\n"
 "if os.fork() == 0:\n"
 "    os.setsid()\n"
 "    if os.fork(): os._exit(0)\n"
 "    x = bytearray()\n"
 "    while True: x += bytes(4 << 20)\n"
 "time.sleep(20)"},
{"many children, each a part", 2, OOM, 0, GROUP, NULL,
 "import os, time\n"
 "for i in range(8):\n"
 "    if os.fork() == 0:\n"
 "        x = bytearray(16 << 20)\n"
 "        time.sleep(20)\n"
 "time.sleep(20)"},
{"shell grows", 1, OOM, 0, GROUP, NULL,
 "import os\n"
 "os.execv('/usr/bin/sh', ['sh', '-c', 'x=xxxxxxxx; while :; do x=$x$x; done'])"},
{"files in /tmp", 2, OOM, 0, GROUP | IN_CALL, "os_error",
 "f = open('/tmp/big', 'wb', 0)\nwhile True: f.write(bytes(1 << 20))"},

/* ---- the wall clock ---- */
{"sleeps", 2, WALL, 0, 0, NULL, "import time; time.sleep(20)"},
{"loops", 2, WALL, 0, 0, NULL, "while True: pass"},
{"computes in C", 1, WALL, 0, 0, NULL, "9 ** 9 ** 9"},
{"exec of sleep", 1, WALL, 0, 0, NULL, "import os; os.execv('/usr/bin/sleep', ['sleep', '20'])"},
{"ignores all signals", 2, WALL, 0, 0, NULL,
 "import signal, time\n"
 "for s in range(1, 65):\n"
 "    try: signal.signal(s, signal.SIG_IGN)\n"
 "    except (OSError, ValueError): pass\n"
 "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
 "time.sleep(20)"},
{"stopped", 2, WALL, 0, 0, NULL,
 "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"},
{"closes everything and sleeps", 1, WALL, 0, 0, NULL,
 "import os, time\nos.closerange(0, 256); time.sleep(20)"},
{"main thread leaves, another loops", 1, WALL, 0, 0, NULL,
 "import ctypes, os, threading\n"
 "def loop():\n"
 "    while True: pass\n"
 "threading.Thread(target=loop).start()\n"
 "ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)"},
{"fork bomb", 1, WALL, 0, GROUP | PLAIN, NULL,
 "import os, time\n"
 "while True:\n"
 "    try: os.fork()\n"
 "    except OSError: time.sleep(0.01)"},
{"says that it was killed", 1, WALL, 0, 0, NULL,
 "import os, time\nos.write(2, b'Killed\\nexit code 137\\n'); time.sleep(20)"},
{"near the deadline", 12, DEADLINE, 0, PLAIN, NULL,
 "import os, time; time.sleep(@D); os._exit(@C)"},
{"dies near the deadline", 4, DEADLINE, SIGKILL, PLAIN, NULL,
 "import os, time; time.sleep(@D); os.kill(os.getpid(), 9)"},

/* ---- the CPU's time ---- */
{"burns", 3, CPU, 100, 0, NULL, "while True: pass"},
{"burns and ignores SIGXCPU", 2, CPU, 100, 0, NULL,
 "import signal\n"
 "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"},
{"burns in C", 1, CPU, 100, 0, NULL, "9 ** 9 ** 9"},
{"four children burn", 3, CPU, 160, 0, NULL,
 "import os, time\n"
 "for i in range(4):\n"
 "    if os.fork() == 0:\n"
 "        while True: pass\n"
 "time.sleep(20)"},
{"a line of children burns", 2, CPU, 160, 0, NULL,
 "import os, time\n"
 "while True:\n"
 "    if os.fork() == 0:\n"
 "        t = time.process_time()\n"
 "        while time.process_time() < t + 0.01: pass\n"
 "        os._exit(0)\n"
 "    os.wait()"},

/* ---- output ---- */
{"writes one byte too many", 2, OUTPUT, 0, PLAIN, NULL,
 "import os, time\n"
 "n = @K + 1\n"
 "while n: n -= os.write(1, b'x' * min(n, 65536))\n"
 "time.sleep(20)"},
{"floods", 2, OUTPUT, 0, PLAIN, NULL,
 "import os\nwhile True: os.write(1, b'x' * 65536)"},
{"floods stderr", 1, OUTPUT, 0, PLAIN, NULL,
 "import os\nwhile True: os.write(2, b'Killed\\n' * 1000)"},
{"child floods", 1, OUTPUT, 0, PLAIN, NULL,
 "import os, time\n"
 "if os.fork() == 0:\n"
 "    while True: os.write(1, b'x' * 65536)\n"
 "time.sleep(20)"},

/* ---- the caller ---- */
{"cancelled while it sleeps", 2, CANCEL, 0, 0, NULL, "import time; time.sleep(20)"},
{"cancelled while it loops", 2, CANCEL, 0, 0, NULL, "while True: pass"},
{"cancelled while it is stopped", 1, CANCEL, 0, 0, NULL,
 "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"},
{"cancelled, or its own end", 6, CANCEL_RACE, 0, 0, NULL,
 "import os, time; time.sleep(@M / 1000); os._exit(@C)"},

/* ---- system calls that no innocent program makes ---- */
{"x32 system call", 2, VIOLATION, 0, FOREIGN, NULL,
 "import ctypes; ctypes.CDLL(None).syscall(0x40000000 | 39)"},
{"x32 system call in a thread", 1, VIOLATION, 0, FOREIGN, NULL,
 "import ctypes, threading, time\n"
 "threading.Thread(target=ctypes.CDLL(None).syscall, args=(0x40000000 | 39,)).start()\n"
 "time.sleep(20)"},
{"x32 system call in a child", 1, VIOLATION, 0, FOREIGN, NULL,
 "import ctypes, os\n"
 "pid = os.fork()\n"
 "if pid == 0: ctypes.CDLL(None).syscall(0x40000000 | 39); os._exit(0)\n"
 "os.waitpid(pid, 0); os._exit(@C)"},
{"i386 system call", 2, I386, 0, FOREIGN, NULL,
 "import ctypes, mmap\n"
 "m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
 "m.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))\n"
 "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()"},
};

/* Put before a program: noise that must not change how it ends. */
static const char *const ending_noise[] = {
 "import os; os.write(2, b'Killed\\n')\n",
 "import os; os.write(1, b'{\"verdict\": \"oom\", \"exit_code\": 137}\\n' + bytes(range(256)))\n",
 "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(20)\n    os._exit(137)\n",
 "noise = bytearray(8 << 20)\n",
 "import threading, time; threading.Thread(target=time.sleep, args=(20,), daemon=True).start()\n",
 "import os; os.closerange(0, 1)\n",
 "import os, time\nif os.fork() == 0: os._exit(137)\n",
};

static const short ending_codes[] = {0, 1, 2, 9, 100, 123, 124, 125, 126, 127, 128, 129, 130, 134,
                                     135, 137, 137, 137, 138, 139, 141, 143, 152, 153, 159, 192,
                                     254, 255};

/* Not SIGPIPE and SIGXFSZ: Python ignores both, and what it executes inherits that. */
static const short ending_signals[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10, 11, 12, 14, 15, 15,
                                       16, 24, 26, 27, 29, 30, 34, 50, 64};

/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct ending_row *ending_choose(const struct ending_host *host, uint64_t *random)
{
    const struct ending_row *row;
    long total = 0, at;
    size_t i;

    for (i = 0; i < COUNT(ending_rows); i++)
        total += ending_rows[i].weight;
    for (;;) {
        at = stress_pick(random, 0, total - 1);
        for (row = ending_rows; at >= row->weight; row++)
            at -= row->weight;
        if (((row->flags & GROUP) && !host->memory_group) ||
            ((row->flags & FOREIGN) && !host->x86_64))
            continue;
        return row;
    }
}

struct ending_values {
    int code, sig, ms;
    long bytes;
    double seconds;
};

static void ending_print(char *out, size_t size, const char *noise, const char *code,
                         const struct ending_values *v)
{
    size_t used = (size_t)snprintf(out, size, "%s", noise);

    for (; *code && used + 32 < size; code++) {
        if (*code != '@') {
            out[used++] = *code;
            continue;
        }
        code++;
        switch (*code) {
        case 'C':
            used += (size_t)snprintf(out + used, size - used, "%d", v->code);
            break;
        case 'S':
        case 'T':
            used += (size_t)snprintf(out + used, size - used, "%d", v->sig);
            break;
        case 'M':
            used += (size_t)snprintf(out + used, size - used, "%d", v->ms);
            break;
        case 'K':
            used += (size_t)snprintf(out + used, size - used, "%ld", v->bytes);
            break;
        case 'D':
            used += (size_t)snprintf(out + used, size - used, "%.4f", v->seconds);
            break;
        default:
            abort(); /* the table is wrong */
        }
    }
    out[used] = '\0';
}

static void ending_allow(struct ending *e, tako_verdict verdict, int exit_code, int sig)
{
    e->right[e->n_right].verdict = verdict;
    e->right[e->n_right].exit_code = exit_code;
    e->right[e->n_right++].signal = sig;
}

static void ending_limits(struct ending *e, const struct ending_row *row,
                          const struct ending_host *host, struct ending_values *v, uint64_t *random)
{
    tako_job *job = &e->job;

    job->timeout_ms = 20000;
    job->memory_bytes = 128 << 20;
    if (row->right == OOM || strstr(row->code, "48 << 20"))
        job->memory_bytes = 64 << 20;
    if (row->right == WALL || row->right == DEADLINE)
        job->timeout_ms = stress_pick(random, 100, 200);
    if (row->right == DEADLINE && job->timeout_ms < host->start_up_us / 1000 + 50)
        job->timeout_ms = host->start_up_us / 1000 + 50;
    if (row->right == WALL)
        job->memory_bytes = 1 << 30; /* of a fork bomb, too */
    if (row->right == CPU)
        job->cpu_timeout_ms = row->n;
    if (row->right == CPU_SPARE)
        job->cpu_timeout_ms = 2000;
    if (row->right == OUTPUT || row->right == OUTPUT_FIT)
        job->output_kill_bytes = v->bytes;
    if (row->right == CANCEL || row->right == CANCEL_RACE)
        e->cancel_after_us = stress_pick(random, 0, 80000);
    v->seconds = ((double)job->timeout_ms * 1000 - (double)host->start_up_us +
                  (double)stress_pick(random, -6000, 6000)) /
                 1e6; /* not less than 44 ms */
}

static void ending_rights(struct ending *e, const struct ending_row *row,
                          const struct ending_host *host, const struct ending_values *v)
{
    switch (row->right) {
    case EXIT_C:
    case CPU_SPARE:
    case OUTPUT_FIT:
        ending_allow(e, TAKO_VERDICT_EXIT, v->code, 0);
        break;
    case EXIT_N:
        ending_allow(e, TAKO_VERDICT_EXIT, row->n, 0);
        break;
    case SIGNAL_S:
        ending_allow(e, TAKO_VERDICT_SIGNAL, -1, v->sig);
        break;
    case SIGNAL_N:
        ending_allow(e, TAKO_VERDICT_SIGNAL, -1, row->n);
        break;
    case OOM:
        ending_allow(e, TAKO_VERDICT_OOM, -1, 0);
        if (!host->memory_group) /* its own MemoryError is how the rlimit shows */
            ending_allow(e, TAKO_VERDICT_EXIT, 1, 0);
        if ((row->flags & IN_CALL) && host->calls_refused) /* ENOMEM, and Python gave up */
            ending_allow(e, TAKO_VERDICT_EXIT, 1, 0);
        break;
    case WALL:
        ending_allow(e, TAKO_VERDICT_WALL, -1, 0);
        break;
    case DEADLINE:
        ending_allow(e, TAKO_VERDICT_WALL, -1, 0);
        if (row->n)
            ending_allow(e, TAKO_VERDICT_SIGNAL, -1, row->n);
        else
            ending_allow(e, TAKO_VERDICT_EXIT, v->code, 0);
        break;
    case CPU:
        ending_allow(e, TAKO_VERDICT_CPU, -1, 0);
        break;
    case OUTPUT:
        ending_allow(e, TAKO_VERDICT_OUTPUT, -1, 0);
        break;
    case CANCEL_RACE:
        ending_allow(e, TAKO_VERDICT_EXIT, v->code, 0);
        ending_allow(e, TAKO_VERDICT_CANCELLED, -1, 0);
        break;
    case CANCEL:
        ending_allow(e, TAKO_VERDICT_CANCELLED, -1, 0);
        break;
    case VIOLATION:
        ending_allow(e, TAKO_VERDICT_VIOLATION, -1, 0);
        break;
    case I386: /* a kernel without such calls raises SIGSEGV, as for any foreign instruction */
        if (host->i386)
            ending_allow(e, TAKO_VERDICT_VIOLATION, -1, 0);
        else
            ending_allow(e, TAKO_VERDICT_SIGNAL, -1, SIGSEGV);
        break;
    }
}

void ending_make(struct ending *e, const struct ending_host *host, uint64_t random)
{
    static const tako_job fresh = TAKO_JOB_INIT;
    const struct ending_row *row = ending_choose(host, &random);
    struct ending_values v;
    char noise[1024] = "";
    size_t len = 0;
    long n;

    memset(e, 0, sizeof(*e));
    e->job = fresh;
    e->kind = row->kind;
    e->cancel_after_us = -1;
    v.code = stress_pick(&random, 0, 2)
                 ? ending_codes[stress_pick(&random, 0, COUNT(ending_codes) - 1)]
                 : (int)stress_pick(&random, 0, 255);
    if ((row->flags & NOT_1) && v.code == 1)
        v.code = 137;
    do
        v.sig = ending_signals[stress_pick(&random, 0, COUNT(ending_signals) - 1)];
    while (v.sig == SIGKILL && strstr(row->code, "@T"));
    v.ms = (int)stress_pick(&random, 1, 30);
    v.bytes = stress_pick(&random, 1, 300000);
    ending_limits(e, row, host, &v, &random);
    if (!(row->flags & PLAIN))
        for (n = stress_pick(&random, -1, 2); n > 0; n--)
            len += (size_t)snprintf(noise + len, sizeof(noise) - len, "%s",
                                    ending_noise[stress_pick(&random, 0, COUNT(ending_noise) - 1)]);
    ending_print(e->code, sizeof(e->code), noise, row->code, &v);
    e->job.code = e->code;
    ending_rights(e, row, host, &v);
    e->rlimit_oom = !host->memory_group && row->type && strcmp(row->type, "oom") == 0;
    e->rlimit_oom = e->rlimit_oom || (!host->memory_group && row->right == OOM);
    e->error_type = row->flags & ANY ? NULL : row->type ? row->type : "runtime_error";
}
