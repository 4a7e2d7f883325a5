/* check_errors.c - the classifier against the real interpreter: small programs that end in every
 * way that code can end, and in the ways that deceive whoever looks for words in stderr.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"

#include <stdbool.h>
#include <stdlib.h>

Suite *suite_errors(void);

#define ERRORS_LEN(array) (sizeof(array) / sizeof((array)[0]))

struct errors_case {
    const char *name, *code;
    const char *type; /* NULL: the job succeeds */
    int exit_code;    /* -1: it dies of a signal */
    const char *says; /* a part of the message, or with '=' in front all of it */
};

/* One of each error type that code can cause, in the forms that Python has for it. */
static const struct errors_case errors_types[] = {
    {"success", "print(1)", NULL, 0, ""},
    {"division", "1 / 0", "division_error", 1, "=Division by zero"},
    {"decimal division", "import decimal\ndecimal.Decimal(1) / 0", "division_error", 1,
     "=Division by zero"},
    {"syntax", "def broken(\n", "syntax_error", 1, "=SyntaxError: '(' was never closed"},
    {"indentation", "if 1:\nx = 1\n", "syntax_error", 1, "IndentationError: expected an indented"},
    {"tabs", "if 1:\n        x = 1\n\ty = 2\n", "syntax_error", 1, "TabError: inconsistent"},
    {"syntax at run time", "eval('a b')", "syntax_error", 1, "SyntaxError: invalid syntax"},
    {"unknown encoding", "# coding: nonesuch\n", "syntax_error", 1, "encoding problem: nonesuch"},
    {"import", "from os import nonesuch", "import_error", 1, "ImportError: cannot import name"},
    {"module", "import nowhere_to_be_found", "import_error", 1,
     "=ModuleNotFoundError: No module named 'nowhere_to_be_found'"},
    {"package", "import importlib.metadata as m\nm.version('nonesuch')", "import_error", 1,
     "No package metadata"},
    {"type", "'a' + 1", "type_error", 1, "TypeError: can only concatenate"},
    {"value", "int('x')", "value_error", 1, "=ValueError: invalid literal for int() with base 10"},
    {"key", "{}['k']", "key_error", 1, "=KeyError: 'k'"},
    {"index", "[][1]", "index_error", 1, "=IndexError: list index out of range"},
    {"attribute", "(1).x", "attribute_error", 1, "AttributeError: 'int' object has no"},
    {"frozen", "import dataclasses as d\n@d.dataclass(frozen=True)\nclass A: x: int\nA(1).x = 2",
     "attribute_error", 1, "FrozenInstanceError"},
    {"name", "x", "name_error", 1, "=NameError: name 'x' is not defined"},
    {"unbound", "def f():\n    print(x)\n    x = 1\nf()", "name_error", 1, "UnboundLocalError"},
    {"no file", "open('/nonesuch')", "file_not_found", 1,
     "=FileNotFoundError: [Errno 2] No such file or directory: '/nonesuch'"},
    {"directory", "open('/tmp')", "file_error", 1, "=Expected file but found directory"},
    {"no directory", "import os\nos.listdir('/dev/null')", "file_error", 1,
     "=Expected directory but found file"},
    {"exists", "import os\nos.mkdir('/tmp')", "os_error", 1, "FileExistsError: [Errno 17]"},
    {"child", "import os\nos.wait()", "os_error", 1, "ChildProcessError: [Errno 10]"},
    {"process", "import os\nos.kill(99999, 0)", "os_error", 1, "ProcessLookupError: [Errno 3]"},
    {"would block", "import socket\na, b = socket.socketpair()\na.setblocking(False)\na.recv(1)",
     "os_error", 1, "BlockingIOError: [Errno 11]"},
    {"plain OSError", "raise OSError(28, 'No space left on device')", "os_error", 1,
     "=OSError: [Errno 28] No space left on device"},
    {"OSError becomes its subclass", "raise OSError(13, 'Permission denied')", "permission", 1,
     "=PermissionError: [Errno 13] Permission denied"},
    {"not writable", "open('/dev/null').write('x')", "os_error", 1,
     "=io.UnsupportedOperation: not writable"},
    {"same file", "import shutil\nopen('/tmp/a', 'w')\nshutil.copyfile('/tmp/a', '/tmp/a')",
     "os_error", 1, "shutil.SameFileError"},
    {"no right to a file", "import os\nos.close(os.open('/tmp/a', os.O_CREAT, 0))\nopen('/tmp/a')",
     "permission", 1, "PermissionError: [Errno 13] Permission denied: '/tmp/a'"},
    {"no right to a call", "import socket\nsocket.sethostname('x')", "permission", 1,
     "=PermissionError: [Errno 1] Operation not permitted"},
    {"recursion", "def f(): f()\nf()", "recursion_error", 1, "=Maximum recursion depth exceeded"},
    {"assertion", "assert 1 == 2, 'sums'", "assertion_error", 1, "=AssertionError: sums"},
    {"bare assertion", "assert False", "assertion_error", 1, "=AssertionError"},
    {"overflow", "2.0 ** 10000", "overflow_error", 1, "=Numeric overflow"},
    {"decoding", "b'\\xff'.decode()", "encoding_error", 1, "=Unicode encoding/decoding error"},
    {"encoding", "'\\xe9'.encode('ascii')", "encoding_error", 1,
     "=Unicode encoding/decoding error"},
    {"json", "import json\njson.loads('{')", "json_error", 1, "=Invalid JSON format"},
    {"refused", "raise ConnectionRefusedError(111, 'Connection refused')", "network_error", 1,
     "=Connection error"},
    {"reset", "raise ConnectionResetError(104, 'Connection reset by peer')", "network_error", 1,
     "=ConnectionResetError: [Errno 104] Connection reset by peer"},
    {"broken pipe", "import os\nr, w = os.pipe()\nos.close(r)\nos.write(w, b'x')", "network_error",
     1, "=BrokenPipeError: [Errno 32] Broken pipe"},
    {"resolver", "import socket\nsocket.getaddrinfo('nowhere.invalid', 80)", "network_error", 1,
     "socket.gaierror: [Errno"},
    {"url", "import urllib.request as u\nu.urlopen('http://nowhere.invalid/')", "network_error", 1,
     "urllib.error.URLError: <urlopen error"},
    {"tls", "import ssl\nraise ssl.SSLError('handshake')", "network_error", 1, "ssl.SSLError"},
    {"socket timeout", "import socket\na, b = socket.socketpair()\na.settimeout(.01)\na.recv(1)",
     "network_timeout", 1, "=Network request timed out"},
    {"memory", "bytearray(1 << 50)", "oom", 1,
     ""}, /* failed; or oom where an rlimit is the limit */
    {"runtime", "raise RuntimeError('r')", "runtime_error", 1, "=RuntimeError: r"},
    {"not implemented", "raise NotImplementedError", "runtime_error", 1, "=NotImplementedError"},
    {"end of input", "input()", "runtime_error", 1, "EOFError"},
    {"iteration", "next(iter([]))", "runtime_error", 1, "=StopIteration"},
    {"subprocess", "import subprocess as s\ns.run(['false'], check=True)", "runtime_error", 1,
     "subprocess.CalledProcessError: Command"},
    {"a struct", "import struct\nstruct.unpack('i', b'')", "runtime_error", 1, "struct.error: "},
    {"an own class", "class Odd(Exception): pass\nraise Odd('mine')", "runtime_error", 1,
     "Odd: mine"},
    {"an own inner class",
     "def f():\n    class KeyErrorOfMine(KeyError): pass\n    raise KeyErrorOfMine(1)\nf()",
     "runtime_error", 1, "f.<locals>.KeyErrorOfMine: 1"},
};

/* Codes and signals: what the kernel says, whatever the code looks like. */
static const struct errors_case errors_kernel[] = {
    {"exit 0 by name", "import sys\nsys.exit(None)", NULL, 0, ""},
    {"exit 256 is 0", "import sys\nsys.exit(256)", NULL, 0, ""},
    {"exit -1 is 255", "import sys\nsys.exit(-1)", "runtime_error", 255, "=Exit code 255"},
    {"exit with a text", "import sys\nsys.exit('out of luck')", "runtime_error", 1, "=out of luck"},
    {"exit with a list", "import sys\nsys.exit([1, 2])", "runtime_error", 1, "=[1, 2]"},
    {"exit with nothing to say", "import sys\nsys.exit('')", "runtime_error", 1, "=Exit code 1"},
    {"exit in finally", "import sys\ntry: 1 / 0\nfinally: sys.exit(4)", "runtime_error", 4,
     "=Exit code 4"},
    {"exit in except", "import sys\ntry: 1 / 0\nexcept ZeroDivisionError: sys.exit('gave up')",
     "runtime_error", 1, "=gave up"},
    {"forged 124", "import os\nos._exit(124)", "runtime_error", 124, "=Exit code 124"},
    {"forged 125", "import os\nos._exit(125)", "runtime_error", 125, "=Exit code 125"},
    {"forged 126", "import os\nos._exit(126)", "runtime_error", 126, "=Exit code 126"},
    {"forged 127", "import os\nos._exit(127)", "runtime_error", 127, "=Exit code 127"},
    {"forged 134", "import sys\nsys.exit(134)", "runtime_error", 134, "=Exit code 134"},
    {"forged 135", "import sys\nsys.exit(135)", "runtime_error", 135, "=Exit code 135"},
    {"forged 137",
     "import os, sys\nsys.stderr.write('Killed\\nout of memory\\n')\nsys.stderr.flush()\n"
     "os._exit(137)",
     "runtime_error", 137, "=out of memory"},
    {"forged 139", "import os\nos._exit(139)", "runtime_error", 139, "=Exit code 139"},
    {"forged 141", "import os\nos._exit(141)", "runtime_error", 141, "=Exit code 141"},
    {"forged 143", "import os\nos._exit(143)", "runtime_error", 143, "=Exit code 143"},
    {"a file that is not there", "import os, sys\nos.execv(sys.executable, ['python', '/gone.py'])",
     "runtime_error", 2, "can't open file '/gone.py': [Errno 2] No such file or directory"},
    {"killed", "import os\nos.kill(os.getpid(), 9)", "killed", -1, "=Process was killed by system"},
    {"segfault", "import os\nos.kill(os.getpid(), 11)", "segfault", -1,
     "=Segmentation fault in executed code"},
    {"segfault with a dump",
     "import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)", "segfault", -1,
     "=Segmentation fault in executed code"},
    {"abort", "import os\nos.abort()", "abort", -1, "=Process aborted"},
    {"arithmetic", "import os\nos.kill(os.getpid(), 8)", "arithmetic_error", -1,
     "=Floating point exception (division by zero)"},
    {"bus", "import os\nos.kill(os.getpid(), 7)", "bus_error", -1,
     "=Bus error (invalid memory access)"},
    {"pipe",
     "import os, signal\nsignal.signal(13, signal.SIG_DFL)\nr, w = os.pipe()\nos.close(r)\n"
     "os.write(w, b'x')",
     "pipe_error", -1, "=Broken pipe"},
    {"terminated", "import os\nos.kill(os.getpid(), 15)", "killed", -1,
     "=Process was terminated by signal 15 (SIGTERM)"},
    {"interrupted", "raise KeyboardInterrupt", "killed", -1,
     "=Process was terminated by signal 2 (SIGINT)"},
    {"a traceback, then a signal",
     "import os, traceback\ntry: {}['k']\nexcept KeyError: traceback.print_exc()\n"
     "os.kill(os.getpid(), 11)",
     "segfault", -1, "=Segmentation fault in executed code"},
    {"a traceback, then success",
     "import traceback\ntry: {}['k']\nexcept KeyError: traceback.print_exc()", NULL, 0, ""},
};

/* Texts that deceive. */
static const struct errors_case errors_texts[] = {
    {"killed, in a message", "raise RuntimeError('Killed: out of memory, MemoryError')",
     "runtime_error", 1, "=RuntimeError: Killed: out of memory, MemoryError"},
    {"permission denied, in a message", "raise ValueError('permission denied')", "value_error", 1,
     "=ValueError: permission denied"},
    {"could not find, in a message", "raise KeyError('could not find docker')", "key_error", 1,
     "=KeyError: 'could not find docker'"},
    {"words on stderr, and no traceback",
     "import sys\nprint('permission denied\\nMemoryError: killed', file=sys.stderr)\nsys.exit(1)",
     "runtime_error", 1, "=MemoryError: killed"},
    {"a class on stderr, and no traceback",
     "import sys\nprint('KeyError: by hand', file=sys.stderr)\nsys.exit(1)", "key_error", 1,
     "=KeyError: by hand"},
    {"words after the traceback",
     "import atexit, os\natexit.register(lambda: os.write(2, b'Killed\\nPermissionError: no\\n'))\n"
     "{}['k']",
     "key_error", 1, "=KeyError: 'k'"},
    {"raise from", "try: {}['k']\nexcept KeyError as e: raise TypeError('t') from e", "type_error",
     1, "=TypeError: t"},
    {"raise from none", "try: {}['k']\nexcept KeyError: raise TypeError('t') from None",
     "type_error", 1, "=TypeError: t"},
    {"during handling", "try: 1 / 0\nexcept ZeroDivisionError: [][0]", "index_error", 1,
     "=IndexError: list index out of range"},
    {"handled and printed before",
     "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"a group", "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])", "runtime_error", 1,
     "=ExceptionGroup: many (2 sub-exceptions)"},
    {"a group in a group",
     "raise ExceptionGroup('outer', [ExceptionGroup('inner', [KeyError(1)]), OSError('o')])",
     "runtime_error", 1, "=ExceptionGroup: outer (2 sub-exceptions)"},
    {"a group as cause",
     "try: raise ExceptionGroup('many', [KeyError(1)])\n"
     "except ExceptionGroup as e: raise ValueError('v') from e",
     "value_error", 1, "=ValueError: v"},
    {"a group while handling",
     "try: 1 / 0\nexcept ZeroDivisionError: "
     "raise ExceptionGroup('many', [KeyError(1)])",
     "runtime_error", 1, "=ExceptionGroup: many (1 sub-exception)"},
    {"a thread's exception alone",
     "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()", NULL, 0,
     ""},
    {"a thread's exception, then the program's",
     "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"the program's exception, then a thread's",
     "import threading, time\ndef f():\n    threading.main_thread().join()\n    1 / 0\n"
     "threading.Thread(target=f).start()\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"a child process's exception comes last",
     "import multiprocessing as m, time\ndef f():\n    time.sleep(.3)\n    1 / 0\n"
     "m.set_start_method('fork')\nm.Process(target=f).start()\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"a task's exception that nobody took",
     "import asyncio\nasync def bad(): 1 / 0\nasync def main():\n"
     "    global t\n    t = asyncio.ensure_future(bad())\n    await asyncio.sleep(.01)\n"
     "    raise KeyError('main')\nasyncio.run(main())",
     "key_error", 1, "=KeyError: 'main'"},
    {"an exception in __del__", "class A:\n    def __del__(self): 1 / 0\na = A()\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"an exception in __del__ alone", "class A:\n    def __del__(self): 1 / 0\nA()", NULL, 0, ""},
    {"an exception at exit", "import atexit\n@atexit.register\ndef f(): 1 / 0\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"an exception in the hook", "import sys\ndef hook(*a): 1 / 0\nsys.excepthook = hook\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"a warning at exit",
     "import warnings\nwarnings.simplefilter('always')\nasync def f(): pass\nf()\n"
     "x = open('/dev/null')\n{}['k']",
     "key_error", 1, "=KeyError: 'k'"},
    {"a logging error", "import logging, sys\nlogging.warning('%d', 'x')\nsys.exit(3)",
     "type_error", 3, "TypeError: %d format"},
    {"a logging error, then an exception", "import logging\nlogging.warning('%d', 'x')\n{}['k']",
     "key_error", 1, "=KeyError: 'k'"},
    {"an exception, then a logging error",
     "import atexit, logging\natexit.register(lambda: logging.warning('%d', 'x'))\n{}['k']",
     "key_error", 1, "=KeyError: 'k'"},
    {"a stack that is logged",
     "import logging, sys\nlogging.warning('w', stack_info=True)\n"
     "sys.stderr.write('Note: done\\n')\nsys.exit(1)",
     "runtime_error", 1, "=Note: done"},
    {"a message of many lines", "raise ValueError('first\\n\\nKeyError: second\\nthird')",
     "value_error", 1, "=ValueError: first"},
    {"an empty message of many lines", "raise ValueError('\\nKeyError: second')", "value_error", 1,
     "=ValueError: "},
    {"notes", "e = ValueError('v')\ne.add_note('KeyError: note')\ne.add_note('Killed')\nraise e",
     "value_error", 1, "=ValueError: v"},
    {"a flood before the traceback",
     "import sys\nfor i in range(20000): print('noise: KeyError', file=sys.stderr)\n[][0]",
     "index_error", 1, "=IndexError: list index out of range"},
    {"a message longer than the cap", "raise ValueError('x' * 200000)", "value_error", 1,
     "ValueError: xxxxxxxx"},
    {"a message of more lines than the cap", "raise ValueError('a\\nline\\n' * 20000)",
     "value_error", 1, "=ValueError: a"},
    {"a flood after the traceback",
     "import atexit, os\natexit.register(lambda: [os.write(2, b'bye ' * 99 + b'\\n') "
     "for i in range(400)])\n{}['k']",
     "key_error", 1, "=KeyError: 'k'"},
    {"bytes that are no UTF-8",
     "import os\nos.write(2, b'\\xff\\xfe\\n')\nraise ValueError('\\udcff')", "value_error", 1,
     "=ValueError: \\udcff"},
    {"a traceback that is no UTF-8",
     "import os\nos.write(2, b'Traceback (most recent call last):\\n  File \"\\xe9\", line 1\\n"
     "ValueError: \\xff\\xfe.\\n')\nos._exit(1)",
     "value_error", 1, "=ValueError: \xEF\xBF\xBD\xEF\xBF\xBD."},
    {"a NUL and colours", "raise ValueError('a\\0b\\tc\\x1b[31md')", "value_error", 1,
     "=ValueError: a b c [31md"},
    {"a class in Greek", "class \xCE\x9B(Exception): pass\nraise \xCE\x9B('l')", "runtime_error", 1,
     "\xCE\x9B: l"},
    {"a header alone",
     "import sys\nprint('Traceback (most recent call last):', file=sys.stderr)\nsys.exit(3)",
     "runtime_error", 3, "=Traceback (most recent call last):"},
    {"private details",
     "raise ValueError('/home/alice/k /app/x 10.0.0.1 172.20.0.9 192.168.7.7 ' + 'ab' * 32)",
     "value_error", 1,
     "=ValueError: /home/***/k /app/*** 10.***.*** 172.***.*** 192.168.***.*** <container-id>"},
    {"details that only look private",
     "raise ValueError('550e8400-e29b-41d4-a716-44665544000a 123456789012 1.10.2.3.4 ' + 'a1' * "
     "20)",
     "value_error", 1,
     "=ValueError: 550e8400-e29b-41d4-a716-44665544000a 123456789012 1.10.2.3.4 "
     "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"},
};

/* What is wrong with the record, or NULL. */
static const char *errors_fault(const struct errors_case *c, const tako_record *rec)
{
    const char *type = tako_record_error_type(rec), *message = tako_record_error_message(rec);
    tako_status status = tako_record_status(rec);
    bool wild = c->type && strcmp(c->type, "oom") == 0;

    if (!c->type)
        return status == TAKO_SUCCEEDED && !type && !message ? NULL : "it did not succeed";
    if (status != TAKO_FAILED && !(wild && status == TAKO_OOM))
        return "another status was expected";
    if (!type || strcmp(type, c->type) != 0)
        return "another type was expected";
    if (tako_record_exit_code(rec) != c->exit_code)
        return "another exit code was expected";
    if (!message || (c->says[0] == '=' ? strncmp(message, c->says + 1, strlen(c->says + 1)) != 0
                                       : strstr(message, c->says) == NULL))
        return "another message was expected";
    return NULL;
}

/* Submits all of them, waits for each, and tells of every fault. */
static void errors_run(const struct errors_case *cases, size_t count)
{
    tako *t = sandbox_open(4);
    tako_job job = TAKO_JOB_INIT;
    tako_id *ids;
    tako_record *rec;
    tako_error err;
    const char *fault;
    char told[8000] = "";
    size_t i, used = 0;

    if (!t)
        return;
    ids = malloc(count * sizeof *ids);
    ck_assert_ptr_nonnull(ids);
    job.timeout_ms = 60000;
    for (i = 0; i < count; i++) {
        job.code = cases[i].code;
        ck_assert_msg(tako_submit(t, &job, &ids[i], &err) == TAKO_OK, "%s", err.message);
    }
    for (i = 0; i < count; i++) {
        ck_assert_msg(tako_wait(t, ids[i].text, 120000, &rec, &err) == TAKO_OK, "%s", err.message);
        fault = errors_fault(&cases[i], rec);
        if (fault && used < sizeof told - 1)
            used += (size_t)snprintf(
                told + used, sizeof told - used, "\n%s: %s: %s, %s, exit %d: %s", cases[i].name,
                fault, tako_status_name(tako_record_status(rec)),
                tako_record_error_type(rec) ? tako_record_error_type(rec) : "none",
                tako_record_exit_code(rec),
                tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
        tako_record_free(rec);
    }
    free(ids);
    tako_close(t);
    ck_assert_msg(!told[0], "%s", told);
}

START_TEST(every_error_type_has_its_programs)
{
    errors_run(errors_types, ERRORS_LEN(errors_types));
}
END_TEST

START_TEST(exit_codes_are_codes_and_signals_signals)
{
    errors_run(errors_kernel, ERRORS_LEN(errors_kernel));
}
END_TEST

START_TEST(texts_that_deceive_do_not)
{
    errors_run(errors_texts, ERRORS_LEN(errors_texts));
}
END_TEST

Suite *suite_errors(void)
{
    Suite *s = suite_create("errors");
    TCase *tc = tcase_create("programs");

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_error_type_has_its_programs);
    tcase_add_test(tc, exit_codes_are_codes_and_signals_signals);
    tcase_add_test(tc, texts_that_deceive_do_not);
    suite_add_tcase(s, tc);
    return s;
}
