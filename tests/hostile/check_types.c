/* check_types.c - what job types ask of the sandbox: limits, programs, environment, network, mounts
 * and secrets, each in every mode that this machine gives, as the executor's own interface has them;
 * and programs that try to get more out of them than was given.
 * SPDX-License-Identifier: MIT */
#include "../../src/exec.h"
#include "../support/delegate.h"
#include "../support/hosts.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

Suite *suite_types(void);

/* ---- modes ----------------------------------------------------------------------------------- */

enum types_mode { AS_ROOT, AS_USER, DELEGATED, BARE_USER, BARE_ROOT, TYPES_MODES };

static enum types_mode types_mode;
static char types_dir[64]; /* of the process that runs a body: its user owns it */

static int types_bare(void)
{
    return types_mode == BARE_USER || types_mode == BARE_ROOT;
}

static int types_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void types_child(void (*body)(void))
{
    if (types_mode != AS_ROOT && types_mode != BARE_ROOT && getuid() == 0) {
        if ((types_mode == DELEGATED && !delegate_enter()) || setgroups(0, NULL) ||
            setresgid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID) ||
            setresuid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID))
            _exit(99);
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    snprintf(types_dir, sizeof(types_dir), "/tmp/tako-types-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(types_dir));
    ck_assert_int_eq(chmod(types_dir, 0755), 0);
    if (types_bare())
        host_refuse_namespaces();
    body();
    ck_assert_int_eq(nftw(types_dir, types_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    _exit(0);
}

/* Runs `body` in a process of the mode's kind and passes its failures on. */
static void types_in(int mode, void (*body)(void))
{
    char why[512];
    int status = 0;
    pid_t pid;

    types_mode = (enum types_mode)mode;
    if (getuid() != 0 && mode != AS_USER && mode != BARE_USER) {
        skip_or_fail("root", "job types as root, and delegating a cgroup");
        return;
    }
    if (types_bare() && syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 6) {
        skip_or_fail("landlock", "Landlock ABI 6 (Linux 6.12) is needed without namespaces");
        return;
    }
    if (mode == DELEGATED && !delegate(why, sizeof(why))) {
        delegate_remove();
        skip_or_fail("delegated", why);
        return;
    }
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        types_child(body);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (mode == DELEGATED)
        delegate_remove();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the process of mode %d failed: wait status %d", mode, status);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

struct types_run {
    char text[2][16384]; /* stdout and stderr */
    size_t len[2];
    struct tako__outcome outcome;
    int ready; /* a pipe that is written to at the first output, or -1 */
};

static void types_write(void *ctx, int stream, const void *data, size_t len)
{
    struct types_run *r = ctx;
    size_t *at = &r->len[stream - 1], room = sizeof(r->text[0]) - 1 - *at;

    memcpy(r->text[stream - 1] + *at, data, len < room ? len : room);
    *at += len < room ? len : room;
    r->text[stream - 1][*at] = '\0';
    if (r->ready >= 0) {
        ck_assert_int_eq(write(r->ready, "r", 1), 1);
        r->ready = -1;
    }
}
static const char *types_admit(void *ctx, const char *name, size_t len, int64_t bytes)
{
    (void)ctx;
    (void)name;
    (void)len;
    (void)bytes;
    return "none is wanted";
}
static int types_artifact(void *ctx, const char *name, const void *data, size_t len)
{
    (void)ctx;
    (void)name;
    (void)data;
    (void)len;
    return TAKO_OK;
}
static void types_reject(void *ctx, const char *name, size_t len, int64_t bytes, const char *reason)
{
    (void)ctx;
    (void)name;
    (void)len;
    (void)bytes;
    (void)reason;
}

static void *types_open_with(const tako_limits *limits, const char *interpreter, const char *rootfs)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako_host host;
    void *self = NULL;
    int rc;

    opts.security = types_bare() ? TAKO_PERMISSIVE : TAKO_STRICT;
    opts.limits = limits;
    opts.interpreter = interpreter;
    opts.rootfs = rootfs;
    opts.cgroup = types_mode == DELEGATED ? delegate_path : NULL;
    tako__host_init(&host, &opts);
    ck_assert_msg(tako__exec_native()->open(&self, &host, &opts, &err) == TAKO_OK, "%s",
                  err.message);
    rc = interpreter ? TAKO_OK : tako__exec_native()->check(self, &err);
    if (rc != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako__exec_native()->close(self);
        return NULL;
    }
    return self;
}

static void *types_open(void)
{
    return types_open_with(NULL, NULL, NULL);
}

static void types_close(void *self)
{
    tako__exec_native()->close(self);
}

static struct tako__task types_task(const char *code)
{
    struct tako__task task;

    memset(&task, 0, sizeof(task));
    task.id = "an-id";
    task.type = "a-type";
    task.attempt = 1;
    task.code = code;
    task.code_len = strlen(code);
    task.input = "{}";
    task.input_len = 2;
    task.timeout_ms = 30000;
    task.memory_bytes = 512 << 20;
    task.cancel_fd = -1;
    return task;
}

static void types_run(void *self, const struct tako__task *task, struct types_run *r)
{
    struct tako__sink sink = {r, types_write, types_admit, types_artifact, types_reject, NULL};

    r->len[0] = r->len[1] = 0;
    r->text[0][0] = r->text[1][0] = '\0';
    ck_assert_int_eq(tako__exec_native()->run(self, task, &sink, &r->outcome), TAKO_OK);
}

/* The program prints this and nothing else. */
static void types_prints(void *self, const struct tako__task *task, const char *expected)
{
    static struct types_run r;

    r.ready = -1;
    types_run(self, task, &r);
    ck_assert_msg(r.outcome.verdict == TAKO_VERDICT_EXIT && strcmp(r.text[0], expected) == 0,
                  "mode %d: %.200s\n%s, %d: %s\n%s\n%s", (int)types_mode, task->code,
                  tako_verdict_name(r.outcome.verdict), r.outcome.exit_code, r.outcome.message,
                  r.text[0], r.text[1]);
}

/* Nothing runs, now or later, and the message has these words. */
static void types_refused(void *self, const struct tako__task *task, const char *words)
{
    static struct types_run r;

    r.ready = -1;
    types_run(self, task, &r);
    ck_assert_msg(
        r.outcome.verdict == TAKO_VERDICT_SETUP && !r.outcome.retryable &&
            r.outcome.wall_us == -1 && r.len[0] + r.len[1] == 0 && strstr(r.outcome.message, words),
        "mode %d, \"%s\": %s, retryable %d, %s: %s", (int)types_mode, words,
        tako_verdict_name(r.outcome.verdict), r.outcome.retryable, r.outcome.message, r.text[0]);
}

/* A path below the test's directory; 64 at once. */
static const char *types_path(const char *name)
{
    static char path[64][192];
    static unsigned next;
    char *at = path[next++ % 64];

    snprintf(at, sizeof(path[0]), "%s/%s", types_dir, name);
    return at;
}

static void types_file(const char *name, const char *text, unsigned mode)
{
    int fd = open(types_path(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void types_mkdir(const char *name)
{
    ck_assert_int_eq(mkdir(types_path(name), 0755), 0);
    ck_assert_int_eq(chmod(types_path(name), 0755), 0);
}

/* A file of the job, formatted. */
static const char *types_code(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *types_code(const char *fmt, ...)
{
    static char text[16384];
    va_list args;

    va_start(args, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof(text), fmt, args), (int)sizeof(text));
    va_end(args);
    return text;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void limits_body(void)
{
    tako_limits limits = TAKO_LIMITS_INIT;
    struct tako__task task;
    struct types_run r;
    void *self;

    limits.pids = 20;
    limits.nproc_soft = 15;
    limits.nproc_hard = 30;
    limits.nofile_soft = 100;
    limits.nofile_hard = 120;
    limits.file_bytes = 2097152;
    limits.tmp_bytes = 12582912;
    self = types_open_with(&limits, NULL, NULL);
    if (!self)
        return;
    task = types_task(types_code(
        "import os, resource as r, signal, sys\n"
        "bare = %d\n"
        "assert r.getrlimit(r.RLIMIT_NOFILE) == (100, 120), r.getrlimit(r.RLIMIT_NOFILE)\n"
        "assert r.getrlimit(r.RLIMIT_FSIZE) == (2097152, 2097152)\n"
        "if not bare:\n"
        "    for p in ('/tmp', '/output', '/dev/shm'):\n"
        "        s = os.statvfs(p); assert s.f_blocks * s.f_frsize == 12582912, p\n"
        /* init is counted; without a group the limit stands in for pids */
        "    soft, hard = r.getrlimit(r.RLIMIT_NPROC)\n"
        "    assert soft == 16 and hard in (31, 21), (soft, hard)\n"
        "    r.setrlimit(r.RLIMIT_NPROC, (hard, hard))\n"
        "pids = []\n"
        "try:\n"
        "    while len(pids) < 300:\n"
        "        p = os.fork()\n"
        "        if p == 0: signal.pause()\n"
        "        pids.append(p)\n"
        "except BlockingIOError: pass\n"
        "for p in pids: os.kill(p, 9)\n"
        "for p in pids: os.wait()\n"
        "print('forks', len(pids))\n",
        types_bare()));
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_msg(strncmp(r.text[0], "forks ", 6) == 0, "mode %d: %s %s", (int)types_mode,
                  r.text[1], r.outcome.message);
    ck_assert_int_lt(atoi(r.text[0] + 6), types_mode == BARE_USER ? 300 : 20);
    if (types_mode != BARE_USER)
        ck_assert_int_ge(atoi(r.text[0] + 6), 14);
    types_close(self);
}
START_TEST(limits_are_those_of_the_options)
{
    types_in(_i, limits_body);
}
END_TEST

static void share_body(void)
{
    struct tako__task task = types_task("import time\n"
                                        "end = time.monotonic() + 0.5\n"
                                        "while time.monotonic() < end: pass\n");
    struct types_run r;
    void *self = types_open();

    if (!self)
        return;
    r.ready = -1;
    task.cpu_percent = 10;
    types_run(self, &task, &r);
    ck_assert_int_eq(r.outcome.verdict, TAKO_VERDICT_EXIT);
    if (strstr(r.outcome.isolation, "\"cpu_limit\":\"on\""))
        ck_assert_int_gt(r.outcome.throttled_us, 50000);
    task.cpu_percent = 1600; /* more than any group around may have: then that one's holds */
    types_run(self, &task, &r);
    ck_assert_int_eq(r.outcome.verdict, TAKO_VERDICT_EXIT);
    task.cpu_percent = -1;
    types_refused(self, &task, "cpu_percent is -1");
    types_close(self);
}
START_TEST(the_share_of_a_cpu_is_the_types)
{
    types_in(_i, share_body);
}
END_TEST

/* ---- programs -------------------------------------------------------------------------------- */

static void programs_body(void)
{
    static const char *const shell[] = {"/bin/sh", "/code/main.sh", "a b", "", NULL};
    static const char *const missing[] = {"/nowhere/program", NULL};
    static const char *const relative[] = {"main.sh", NULL};
    static const char *const empty[] = {NULL};
    static const char *const locked[] = {"/code/main.sh", NULL};
    const char *host[] = {types_path("program"), NULL};
    void *self = types_open_with(NULL, "/nowhere/python", NULL);
    struct tako__task task = types_task(
        "#!/bin/sh\necho \"${0##*/} $1 $#\"; cat <\"$0\" | wc -l\n");

    if (!self)
        return;
    task.file_name = "main.sh";
    task.command = shell;
    types_prints(self, &task, "main.sh a b 2\n2\n");
    task.command = missing;
    types_refused(self, &task,
                  "The command /nowhere/program cannot be executed in the sandbox: No such file");
    if (!types_bare()) {
        task.command = locked;
        types_refused(self, &task,
                      "The command /code/main.sh cannot be executed in the sandbox: Permission");
    }
    /* A program of the host is none of the sandbox's. */
    types_file("program", "#!/bin/sh\necho outside\n", 0755);
    task.command = host;
    types_refused(self, &task, types_path("program"));
    task.command = relative;
    types_refused(self, &task, "command: its first word must be an absolute path");
    task.command = empty;
    types_refused(self, &task, "command: its first word must be an absolute path");
    task.command = shell;
    task.file_name = "../main.sh";
    types_refused(self, &task, "file_name \"../main.sh\": the name");
    task.file_name = "";
    types_refused(self, &task, "file_name \"\": the name is empty");
    types_close(self);

    self = types_open();
    if (!self)
        return;
    task = types_task("import sys; print(sys.argv[0].rsplit('/', 1)[1], len(sys.argv), __file__ == "
                      "sys.argv[0])\n");
    task.file_name = "other.py";
    types_prints(self, &task, "other.py 1 True\n");
    types_close(self);
}
START_TEST(a_type_has_its_own_program_and_file_name)
{
    types_in(_i, programs_body);
}
END_TEST

static void node_body(void)
{
    static const char *const node[] = {"/usr/bin/node", "/code/main.js", NULL};
    struct tako__task task = types_task("console.log([1, 2].map(x => x + 1).join(), "
                                        "process.env.HOME !== undefined)\n");
    void *self = types_open();

    if (!self)
        return;
    task.file_name = "main.js";
    task.command = node;
    task.memory_bytes = (int64_t)4 << 30; /* without a group its address space counts */
    types_prints(self, &task, "2,3 true\n");
    types_close(self);
}
START_TEST(node_is_a_type_like_others)
{
    if (access("/usr/bin/node", X_OK) < 0) {
        skip_or_fail("node", "there is no /usr/bin/node");
        return;
    }
    types_in(_i, node_body);
}
END_TEST

static void binary_body(void)
{
    const char *program[] = {"/app/shared_code/prog", "x", NULL}, *at = types_path("shared/prog");
    struct tako__mount mount = {types_path("shared"), "/app/shared_code", false};
    struct tako__task task = types_task("not looked at\n");
    int status = -1;
    void *self;
    pid_t pid;

    types_mkdir("shared");
    types_file("prog.c",
               "#include <stdio.h>\n"
               "int main(int argc, char **argv)\n"
               "{ printf(\"%d %s\\n\", argc, argv[1]); return 3; }\n",
               0644);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execlp("cc", "cc", "-static", "-o", types_path("shared/prog"), types_path("prog.c"),
               (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        skip_or_fail("cc", "no compiler, or none for static programs");
        return;
    }
    self = types_open();
    if (!self)
        return;
    if (types_bare()) {
        mount.inside = mount.host;
        program[0] = at;
    }
    task.command = program;
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "2 x\n");
    types_close(self);
}
START_TEST(a_compiled_program_is_run_from_a_mount)
{
    types_in(_i, binary_body);
}
END_TEST

/* ---- environment ----------------------------------------------------------------------------- */

static void environment_body(void)
{
    static const tako_pair pairs[] = {{"ONE", "first"},
                                      {"HOME", "/tmp"},
                                      {"EMPTY", ""},
                                      {"ONE", "a=b \xc3\xa4\n"},
                                      {"LANG", "C"}};
    static const tako_pair faults[][1] = {
        {{"", "x"}}, {{"A=B", "x"}}, {{NULL, "x"}}, {{"A", NULL}}};
    tako_pair large = {"LARGE", NULL};
    char *text = calloc(1, 200000);
    struct tako__task task = types_task(types_code(
        "import os\n"
        "own = {'PATH', 'HOME', 'LANG', 'XDG_CACHE_HOME', 'MPLCONFIGDIR', 'ONE', 'EMPTY'}\n"
        "if %d: own |= {'TMPDIR', 'TAKO_CODE_DIR', 'TAKO_INPUT_DIR', 'TAKO_OUTPUT_DIR'}\n"
        "assert set(os.environ) - {'LC_CTYPE'} == own, os.environ\n"
        "assert os.environ['ONE'] == 'a=b \\u00e4\\n' and os.environ['EMPTY'] == ''\n"
        "assert os.environ['HOME'] == '/tmp' and os.environ['LANG'] == 'C'\n"
        "print('ok')\n",
        types_bare()));
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(setenv("TAKO_TEST_CANARY", "of the host", 1), 0);
    task.environment = pairs;
    task.n_environment = 5;
    types_prints(self, &task, "ok\n");
    task.n_environment = 1;
    for (i = 0; i < 4; i++) {
        task.environment = faults[i];
        types_refused(self, &task, "environment[0]: ");
    }
    large.value = memset(text, 'x', 131072);
    task.environment = &large;
    types_refused(self, &task, "environment: LARGE is longer than 131071 bytes");
    free(text);
    types_close(self);
}
START_TEST(the_environment_is_the_types_and_nothing_of_the_hosts)
{
    types_in(_i, environment_body);
}
END_TEST

static void environment_size_body(void)
{
    enum { MANY = 12 };
    static char text[MANY][100001], names[MANY][8];
    tako_pair pairs[MANY];
    struct tako__task task = types_task("import os; print(len(os.environ['V0']))\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    for (i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "V%zu", i);
        memset(text[i], 'x', 100000);
        pairs[i].name = names[i];
        pairs[i].value = text[i];
    }
    task.environment = pairs;
    task.n_environment = 8;
    types_prints(self, &task, "100000\n");
    task.n_environment = MANY;
    types_refused(self, &task, "command and environment are larger than 983040 bytes together");
    types_close(self);
}
START_TEST(an_environment_that_is_too_large_is_refused)
{
    types_in(_i, environment_size_body);
}
END_TEST

/* ---- network --------------------------------------------------------------------------------- */

static int types_listen(int family, const void *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, address, len), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/* The host's files that a job with network reads as they are. */
static const char types_network_files[] =
    "import os\n"
    "for p in ('/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf'):\n"
    "    try: print(p, open(p).read())\n"
    "    except FileNotFoundError: print(p, 'none')\n";

static void types_expect_files(char *out, size_t size)
{
    static const char *const names[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};
    char text[8192];
    size_t i, len = 0;

    for (i = 0; i < 3; i++) {
        if (tako__read_small(names[i], text, sizeof(text)) < 0)
            snprintf(text, sizeof(text), "none");
        len += (size_t)snprintf(out + len, size - len, "%s %s\n", names[i], text);
        ck_assert_uint_lt(len, size);
    }
}

static const char types_network[] =
    "import asyncio, errno, os, socket, struct\n"
    "bare, port, name = %d, %d, '\\0' + '%s'\n"
    "s = socket.create_connection(('127.0.0.1', port), timeout=10)\n"
    "assert s.getpeername()[1] == port; s.close()\n"
    /* servers, datagrams, options */
    "a = socket.socket(); a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "a.bind(('127.0.0.1', 0)); a.listen()\n"
    "b = socket.create_connection(a.getsockname())\n"
    "b.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); b.sendall(b'x')\n"
    "assert a.accept()[0].recv(1) == b'x'\n"
    "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n"
    "u.sendto(b'y', u.getsockname()); assert u.recv(1) == b'y'\n"
    "try: v6 = socket.socket(socket.AF_INET6)\n"
    "except OSError as e: assert e.errno == errno.EAFNOSUPPORT and not os.path.exists("
    "'/proc/net/if_inet6')\n"
    "else: v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n"
    "async def f():\n"
    "    s = await asyncio.start_server(lambda r, w: (w.write(b'z'), w.close()), '127.0.0.1', 0)\n"
    "    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\n"
    "    assert await r.read() == b'z'; w.close()\n"
    "asyncio.run(f())\n"
    /* and nothing else */
    "for family in range(1, 46):\n"
    "    for kind in (1, 2, 3, 4, 5, 10):\n"
    "        for protocol in (0, 1, 2, 58, 132, 136, 255, 262):\n"
    "            try: socket.socket(family, kind, protocol).close()\n"
    "            except OSError: continue\n"
    "            if family == socket.AF_UNIX and not bare: continue\n"
    "            if family in (2, 10) and kind in (1, 2) and protocol == 0: continue\n"
    "            print('family', family, kind, protocol)\n"
    "def refused(f, *args):\n"
    "    try: f(*args); print('not refused', f, args)\n"
    "    except PermissionError: pass\n"
    "    except OSError as e: assert e.errno == errno.ENOPROTOOPT, e\n"
    "for level, option in ((1, 26), (1, 50), (1, 51), (6, 31), (17, 100), (263, 1)):\n"
    "    refused(a.setsockopt, level, option, struct.pack('16x'))\n"
    /* the host's abstract sockets are in the same namespace */
    "if not bare:\n"
    "    refused(socket.socket(socket.AF_UNIX).connect, name)\n"
    "    d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
    "    refused(d.connect, name + 'd'); refused(d.sendto, b'x', name + 'd')\n"
    "    refused(d.sendmsg, [b'x'], [], 0, name + 'd')\n"
    "    p = socket.socket(socket.AF_UNIX); p.bind(name + 'own'); p.listen()\n"
    "    socket.socket(socket.AF_UNIX).connect(name + 'own')\n"
    "print('ok')\n";

static const char types_no_network[] =
    "import socket\n"
    "for family in (socket.AF_INET, socket.AF_INET6):\n"
    "    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
    "        try: socket.socket(family, kind); print('a socket', family)\n"
    "        except OSError: pass\n"
    "try: socket.create_connection(('127.0.0.1', %d)); print('connected')\n"
    "except OSError: pass\n"
    "if not %d:\n"
    "    assert len(open('/proc/self/net/route').read().splitlines()) <= 1\n"
    "    names = [l.split(':')[0].strip() for l in open('/proc/self/net/dev') if ':' in l]\n"
    "    assert set(names) <= {'lo', 'tunl0', 'sit0', 'gre0', 'gretap0', 'erspan0', 'ip_vti0',\n"
    "        'ip6_vti0', 'ip6tnl0', 'ip6gre0'}, names\n"
    "    try: socket.socket(socket.AF_UNIX).connect('\\0' + '%s'); print('reached')\n"
    "    except OSError: pass\n"
    "    assert '127.0.0.1' in open('/etc/hosts').read()\n"
    "print('ok')\n";

static void network_body(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t in_len = sizeof(in), un_len;
    char name[64], expected[16384];
    struct tako__task task;
    struct types_run r;
    int tcp, abstract, datagrams;
    void *self = types_open();

    if (!self)
        return;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp = types_listen(AF_INET, &in, sizeof(in));
    ck_assert_int_eq(getsockname(tcp, (struct sockaddr *)&in, &in_len), 0);
    snprintf(name, sizeof(name), "tako-types-%d", (int)getpid());
    memcpy(un.sun_path + 1, name, strlen(name));
    un_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    abstract = types_listen(AF_UNIX, &un, un_len);
    un.sun_path[1 + strlen(name)] = 'd';
    datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(datagrams, (struct sockaddr *)&un, un_len + 1), 0);

    task = types_task(types_code(types_network, types_bare(), ntohs(in.sin_port), name));
    task.network = true;
    r.ready = -1;
    types_prints(self, &task, "ok\n");
    types_run(self, &task, &r);
    ck_assert_msg(strstr(r.outcome.isolation, "\"network_namespace\":\"off: the job type has "
                                              "network: it is the host's\"") != NULL,
                  "%s", r.outcome.isolation);
    task = types_task(types_network_files);
    task.network = true;
    types_expect_files(expected, sizeof(expected));
    types_prints(self, &task, expected);
    task = types_task("import os, ssl\n"
                      "p = '/etc/ssl/certs'\n"
                      "print(sum(os.path.exists(p + '/' + n) for n in os.listdir(p)) if "
                      "os.path.exists(p) else 0)\n");
    task.network = true;
    types_run(self, &task, &r);
    if (access("/etc/ssl/certs/ca-certificates.crt", F_OK) == 0)
        ck_assert_msg(atoi(r.text[0]) > 10, "%s%s", r.text[0], r.text[1]);

    task = types_task(types_code(types_no_network, ntohs(in.sin_port), types_bare(), name));
    types_prints(self, &task, "ok\n");
    types_run(self, &task, &r);
    ck_assert_int_eq(strstr(r.outcome.isolation, "\"network_namespace\":\"on\"") != NULL,
                     !types_bare());
    close(tcp);
    close(abstract);
    close(datagrams);
    types_close(self);
}
START_TEST(network_is_what_the_type_says)
{
    types_in(_i, network_body);
}
END_TEST

/* An older kernel cannot close the host's abstract sockets off. */
static void old_landlock_body(void)
{
    struct sock_filter insns[] = {
        HOST_LOAD(nr),
        HOST_IF(BPF_JEQ, 444, 0, 1),
        HOST_RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        HOST_RETURN(SECCOMP_RET_ALLOW),
    };
    struct tako__task task = types_task("print('ok')\n");
    void *self;

    host_filter(insns, sizeof(insns) / sizeof(insns[0]));
    self = types_open();
    if (!self)
        return;
    types_prints(self, &task, "ok\n");
    task.network = true;
    types_refused(self, &task,
                  "network: strict mode refuses a job with network where the abstract "
                  "unix sockets of the host would be in its reach");
    types_close(self);
}
START_TEST(strict_mode_refuses_network_without_landlock)
{
    if (_i == AS_ROOT || _i == AS_USER)
        types_in(_i, old_landlock_body);
}
END_TEST

/* A root of its own that is the host's /usr, and little more. */
static void rootfs_body(void)
{
    struct tako__task task = types_task(types_network_files);
    char expected[16384], *third;
    struct types_run r;
    void *self;

    types_mkdir("root");
    types_mkdir("root/etc");
    ck_assert_int_eq(symlink("/usr/bin", types_path("root/bin")), 0);
    ck_assert_int_eq(symlink("/usr/lib", types_path("root/lib")), 0);
    ck_assert_int_eq(symlink("/usr/lib64", types_path("root/lib64")), 0);
    types_mkdir("root/usr");
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("/usr", types_path("root/usr"), NULL, MS_BIND, NULL), 0);
    self = types_open_with(NULL, NULL, types_path("root"));
    if (!self)
        return;
    task.network = true;
    types_refused(self, &task, "network: the host's /etc/resolv.conf cannot be shown to the job");
    types_file("root/etc/resolv.conf", "", 0644);
    types_file("root/etc/hosts", "", 0644);
    types_file("root/etc/nsswitch.conf", "of the root", 0644);
    types_expect_files(expected, sizeof(expected));
    third = strstr(expected, "/etc/nsswitch.conf");
    ck_assert_ptr_nonnull(third);
    snprintf(third, 64, "/etc/nsswitch.conf of the root\n");
    types_prints(self, &task, expected);
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: the job has "));
    types_close(self);
    ck_assert_int_eq(umount2(types_path("root/usr"), MNT_DETACH), 0);
}
START_TEST(a_root_of_its_own_shows_the_hosts_names_where_it_has_room)
{
    if (strcmp(test_sanitizer(), "thread") == 0 || getuid() != 0)
        return;
    types_in(AS_ROOT, rootfs_body);
}
END_TEST

/* ---- mounts ---------------------------------------------------------------------------------- */

/* Tries everything on `d` that could change it, and prints what succeeded. */
static const char types_intruder[] =
    "import ctypes, errno, fcntl, mmap, os, socket\n"
    "d, bare = '%s', %d\n"
    "def refused(what, f, *args):\n"
    "    try: r = f(*args)\n"
    "    except OSError: return\n"
    "    print(what)\n"
    "f = d + '/file'\n"
    "assert open(f).read() == 'of the host'\n"
    "assert open(d + '/sub/deep').read() == 'deep'\n"
    "for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC,\n"
    "              os.O_WRONLY | os.O_APPEND):\n"
    "    refused('open %%o' %% flags, os.open, f, flags)\n"
    "refused('create', os.open, d + '/new', os.O_CREAT | os.O_WRONLY)\n"
    "refused('tmpfile', os.open, d, os.O_TMPFILE | os.O_RDWR)\n"
    "refused('truncate', os.truncate, f, 0)\n"
    "refused('unlink', os.unlink, f)\n"
    "refused('rename', os.rename, f, d + '/other')\n"
    "refused('rename in', os.rename, '%s', d + '/other')\n"
    "refused('rename out', os.rename, f, '%s/out')\n"
    "refused('link', os.link, f, d + '/link')\n"
    "refused('link out', os.link, f, '%s/link')\n"
    "refused('symlink', os.symlink, 'x', d + '/link')\n"
    "refused('mkdir', os.mkdir, d + '/x')\n"
    "refused('rmdir', os.rmdir, d + '/sub')\n"
    "refused('rmdir itself', os.rmdir, d)\n"
    "refused('move itself', os.rename, d, '%s/moved')\n"
    "refused('fifo', os.mkfifo, d + '/fifo')\n"
    "refused('xattr', os.setxattr, f, 'user.x', b'x')\n"
    "if not bare:\n" /* there these succeed and do nothing */
    "    refused('chmod', os.chmod, f, 0o777)\n"
    "    refused('utime', os.utime, f)\n"
    "refused('chown', os.chown, f, os.getuid(), os.getgid())\n"
    "fd = os.open(f, os.O_RDONLY)\n"
    "refused('shared map', mmap.mmap, fd, 11, mmap.MAP_SHARED, mmap.PROT_WRITE)\n"
    "refused('fchmod', os.fchmod, fd, 0o777) if not bare else None\n"
    "refused('through proc', os.open, '/proc/self/fd/%%d' %% fd, os.O_WRONLY)\n"
    "refused('socket', socket.socket(socket.AF_UNIX).bind, d + '/s') if not bare else None\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "if c.mount(b'none', d.encode(), None, 32 | 4096, None) == 0: print('remount')\n"
    "if c.mount(b'none', d.encode(), None, 32, None) == 0: print('remount of the file system')\n"
    "if c.mount(b'/tmp', d.encode(), None, 4096, None) == 0: print('mount')\n"
    "if c.umount2(d.encode(), 2) == 0: print('umount')\n"
    "if c.syscall(442, -100, d.encode(), 0, (ctypes.c_uint64 * 4)(0, 1), 32) == 0: print('attr')\n"
    /* links lead to what the job sees */
    "for n in ('shadow', 'up', 'root'):\n"
    "    p = d + '/' + n\n"
    "    assert os.readlink(p)\n"
    "    refused('link ' + n, os.open, p, os.O_RDONLY)\n"
    "if not bare:\n"
    "    s = os.statvfs(d)\n"
    "    assert s.f_flag & os.ST_RDONLY and s.f_flag & os.ST_NOSUID and s.f_flag & os.ST_NODEV\n"
    "    assert os.stat(d + '/file').st_mode & 0o777 == 0o644\n"
    "    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n" /* which the host holds */
    "    line = [l for l in open('/proc/self/mountinfo') if ' %%s ' %% d in l][0]\n"
    "    assert 'tako-types' not in line.replace(d, ''), line\n"
    "print('ok')\n";

static void types_make_shared(void)
{
    types_mkdir("shared");
    types_mkdir("shared/sub");
    types_file("shared/file", "of the host", 0644);
    types_file("shared/sub/deep", "deep", 0644);
    types_file("secret", "of nobody's business", 0644);
    ck_assert_int_eq(symlink("/etc/shadow", types_path("shared/shadow")), 0);
    ck_assert_int_eq(symlink("../secret", types_path("shared/up")), 0);
    ck_assert_int_eq(symlink("/proc/1/root/etc/shadow", types_path("shared/root")), 0);
}

static void mounts_body(void)
{
    static const char *const places[] = {
        "/opt/types/shared", "/app/shared_code", "/srv",      "/tmp/site-packages",
        "/run/user/x",       "/home/sandbox/.x", "/etc/tako", "/app"};
    struct tako__mount mount = {types_path("shared"), NULL, false};
    void *self = types_open();
    struct tako__task task;
    struct types_run r;
    size_t i;
    int held;

    if (!self)
        return;
    types_make_shared();
    held = open(types_path("shared/file"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    for (i = 0; i < (types_bare() ? 1 : sizeof(places) / sizeof(places[0])); i++) {
        mount.inside = types_bare() ? mount.host : places[i];
        task = types_task(types_code(types_intruder, mount.inside, types_bare(), "/input/data.json",
                                     "/tmp", "/tmp", "/tmp"));
        task.mounts = &mount;
        task.n_mounts = 1;
        types_prints(self, &task, "ok\n");
    }
    r.ready = -1;
    types_run(self, &task, &r);
    if (types_mode == AS_ROOT)
        ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"on\""));
    if (types_bare()) {
        mount.inside = "/opt/x";
        types_refused(self, &task, "without namespaces jobs see the host's own paths");
    }
    close(held);
    types_close(self);
}
START_TEST(a_mount_is_read_only_whatever_the_job_tries)
{
    types_in(_i, mounts_body);
}
END_TEST

static void many_mounts_body(void)
{
    struct tako__mount mounts[] = {
        {types_path("shared"), "/opt/a", false},
        {types_path("shared/sub"), "/opt/a/sub", false}, /* on what the first one shows */
        {types_path("secret"), "/opt/b/one.txt", false},
        {types_path("shared/sub"), "/app/c", false},
        {types_path("secret"), "/usr/bin/env", false}, /* over a file of the view */
    };
    struct tako__task task = types_task(
        "import os\n"
        "assert sorted(os.listdir('/opt')) == ['a', 'b'] and os.listdir('/app') == ['c']\n"
        "assert sorted(os.listdir('/opt/a')) == ['file', 'root', 'shadow', 'sub', 'up']\n"
        "assert os.listdir('/opt/a/sub') == os.listdir('/app/c') == ['deep']\n"
        "assert open('/opt/b/one.txt').read() == open('/usr/bin/env').read()\n"
        "for p in ('/opt/b/one.txt', '/opt/b/two.txt', '/opt/x', '/usr/bin/env'):\n"
        "    try: open(p, 'w'); print('could write', p)\n"
        "    except OSError: pass\n"
        "print('ok')\n");
    struct types_run r;
    void *self = types_open();

    if (!self)
        return;
    types_make_shared();
    task.mounts = mounts;
    task.n_mounts = 5;
    types_prints(self, &task, "ok\n");
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: "));
    mounts[0].host = types_path("shared/../secret");
    mounts[0].inside = "/bin/thing"; /* /bin is a link: never gone through */
    task.n_mounts = 1;
    if (access("/bin/thing", F_OK) < 0)
        types_refused(self, &task, "mounts: a place at /bin");
    mounts[0].inside = "/usr/no-such-place"; /* read-only */
    types_refused(self, &task, "(mounts: a place at /usr/no-such-place): Read-only file system");
    types_close(self);
}
START_TEST(directories_and_files_are_mounted_where_they_are_wanted)
{
    if (_i < BARE_USER)
        types_in(_i, many_mounts_body);
}
END_TEST

/* An overlay of overlays that has the greatest depth there is: none goes on top of it. */
static void stacked_body(void)
{
    struct tako__mount top = {NULL, "/opt/stacked", false};
    struct tako__task task = types_task("print(open('/opt/stacked/file').read())\n"
                                        "try: open('/opt/stacked/file', 'w'); print('written')\n"
                                        "except OSError: pass\n");
    char options[512], name[32];
    struct types_run r;
    void *self;
    int depth;

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    types_mkdir("empty");
    types_mkdir("at0");
    types_file("at0/file", "below", 0644);
    top.host = types_path("at0");
    for (depth = 1; depth < 8; depth++) {
        snprintf(name, sizeof(name), "at%d", depth);
        types_mkdir(name);
        snprintf(options, sizeof(options), "lowerdir=%s:%s", top.host, types_path("empty"));
        if (mount("overlay", types_path(name), "overlay", MS_RDONLY, options) < 0)
            break;
        top.host = types_path(name);
    }
    if (depth == 1) {
        skip_or_fail("overlay", "no overlay of the test's own can be mounted here");
        return;
    }
    self = types_open();
    if (!self)
        return;
    task.mounts = &top;
    task.n_mounts = 1;
    types_prints(self, &task, "below\n");
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_ptr_nonnull(strstr(r.outcome.isolation, "\"private_files\":\"weaker: the job has "));
    types_close(self);
    while (--depth > 0) {
        snprintf(name, sizeof(name), "at%d", depth);
        ck_assert_int_eq(umount2(types_path(name), MNT_DETACH), 0);
    }
}
START_TEST(a_directory_that_no_overlay_takes_is_bound_and_the_record_says_so)
{
    if (strcmp(test_sanitizer(), "thread") == 0 || getuid() != 0)
        return;
    types_in(AS_ROOT, stacked_body);
}
END_TEST

static void mount_faults_body(void)
{
    static const struct {
        const char *inside, *words;
    } faults[] = {
        {NULL, "is not an absolute path"},
        {"opt/x", "is not an absolute path"},
        {"/", "has an empty part"},
        {"/opt//x", "has an empty part"},
        {"/opt/", "has an empty part"},
        {"/opt/../proc", "has a part \".\" or \"..\""},
        {"/./opt", "has a part \".\" or \"..\""},
        {"/opt/..", "has a part \".\" or \"..\""},
        {"/proc", "that the sandbox keeps for itself"},
        {"/proc/self", "that the sandbox keeps for itself"},
        {"/dev/shm", "that the sandbox keeps for itself"},
        {"/sys/x", "that the sandbox keeps for itself"},
        {"/code", "that the sandbox keeps for itself"},
        {"/input/x", "that the sandbox keeps for itself"},
        {"/output", "that the sandbox keeps for itself"},
        {"/tmp", "that the sandbox keeps for itself"},
        {"/run", "that the sandbox keeps for itself"},
        {"/run/secrets", "that the sandbox keeps for itself"},
        {"/run/secrets/x", "that the sandbox keeps for itself"},
    };
    struct tako__mount mount = {types_path("shared"), NULL, false}, many[33];
    struct tako__task task = types_task("print('ran')\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    types_make_shared();
    task.mounts = &mount;
    task.n_mounts = 1;
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        mount.inside = faults[i].inside;
        types_refused(self, &task, faults[i].words);
        types_refused(self, &task, "mounts[0]: the path inside, \"");
    }
    mount.inside = mount.host = types_path("shared/shadow");
    types_refused(self, &task, "shared/shadow is a symbolic link");
    mount.inside = mount.host = types_path("missing");
    types_refused(self, &task, "missing: No such file or directory");
    mount.inside = mount.host = types_path("fifo");
    ck_assert_int_eq(mkfifo(mount.host, 0644), 0);
    types_refused(self, &task, "fifo is neither a directory nor a file");
    mount.inside = "/opt/x";
    mount.host = "relative";
    types_refused(self, &task, "mounts[0]: the host's path must be absolute");
    if (types_mode == AS_USER || types_mode == DELEGATED) {
        mount.host = "/usr";
        mount.writable = true;
        types_refused(self, &task, "mounts: /usr is to be writable, and this user may not");
    }
    for (i = 0; i < 33; i++)
        many[i] = mount;
    task.mounts = many;
    task.n_mounts = 33;
    types_refused(self, &task, "mounts: 33 are more than 32");
    types_close(self);
}
START_TEST(a_mount_that_cannot_be_is_refused)
{
    types_in(_i, mount_faults_body);
}
END_TEST

static void writable_body(void)
{
    struct tako__mount mount = {types_path("made"), "/opt/made", true};
    const char *inside = types_bare() ? mount.host : mount.inside;
    void *self = types_open();
    struct tako__task task;
    struct stat st;
    char text[64];

    if (!self)
        return;
    types_mkdir("made");
    mount.inside = inside;
    task = types_task(types_code(
        "import os\n"
        "d, bare = '%s', %d\n"
        "open(d + '/file', 'w').write('made'); os.mkdir(d + '/pkg')\n"
        "open(d + '/pkg/x.py', 'w').write('value = 7\\n')\n"
        "os.rename(d + '/file', d + '/pkg/file'); os.symlink('pkg/file', d + '/link')\n"
        "assert open(d + '/link').read() == 'made'\n"
        "open(d + '/program', 'w').write('#!/bin/sh\\n'); os.chmod(d + '/program', 0o4755)\n"
        "if not bare:\n"
        "    f = os.statvfs(d).f_flag; assert f & os.ST_NOSUID and f & os.ST_NODEV\n"
        "try: os.mknod(d + '/null', 0o20666, os.makedev(1, 3)); print('a device')\n"
        "except OSError: pass\n"
        "try: open(os.path.dirname(d) + '/x', 'w'); print('beside it')\n"
        "except OSError: pass\n"
        "print('ok')\n",
        inside, types_bare()));
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "ok\n");
    ck_assert_int_eq(tako__read_small(types_path("made/pkg/file"), text, sizeof(text)), 4);
    ck_assert_int_eq(stat(types_path("made/pkg/x.py"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0644);
    ck_assert_int_ne(st.st_uid, types_mode == AS_ROOT ? 0 : (uid_t)-1);

    /* Another job, of another user, reads it and cannot change it. */
    mount.writable = false;
    task = types_task(types_code("import sys; sys.path.insert(0, '%s')\n"
                                 "sys.dont_write_bytecode = True\n"
                                 "from pkg import x; print(x.value)\n"
                                 "try: open('%s/pkg/x.py', 'w'); print('written')\n"
                                 "except OSError: pass\n",
                                 inside, inside));
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "7\n");
    types_close(self);
}
START_TEST(what_is_made_in_a_writable_mount_is_read_by_others)
{
    types_in(_i, writable_body);
}
END_TEST

/* ---- secrets --------------------------------------------------------------------------------- */

static const tako_file types_secrets[] = {{"token", "s3cr3t-7f31", 11}, {"data.json", NULL, 0}};

static void secrets_body(void)
{
    static const char *const names[] = {"", "a/b", "..", ".x", NULL};
    tako_file bad = {NULL, "x", 1}, twice[2] = {{"a", "x", 1}, {"a", "y", 1}};
    struct tako__task task = types_task(
        "import os, stat\n"
        "d = '/run/secrets'\n"
        "assert open(d + '/token').read() == 's3cr3t-7f31' and open(d + '/data.json').read() == "
        "''\n"
        "assert sorted(os.listdir(d)) == ['data.json', 'token'] and os.listdir('/run') == "
        "['secrets']\n"
        "for n in os.listdir(d):\n"
        "    s = os.stat(d + '/' + n)\n"
        "    assert (stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid) == (0o400, 1000, 1000), s\n"
        "assert stat.S_IMODE(os.stat(d).st_mode) == 0o500\n"
        "assert not any('s3cr3t' in v for v in os.environ.values())\n"
        "assert b's3cr3t' not in open('/proc/self/environ', 'rb').read()\n"
        "def refused(f, *args):\n"
        "    try: f(*args); print('not refused', f, args)\n"
        "    except OSError: pass\n"
        "refused(open, d + '/x', 'w'); refused(open, d + '/token', 'w')\n"
        "refused(os.chmod, d + '/token', 0o644); refused(os.chmod, d, 0o777)\n"
        "refused(os.unlink, d + '/token')\n"
        "f = os.statvfs(d).f_flag\n"
        "assert f & os.ST_RDONLY and f & os.ST_NOSUID and f & os.ST_NODEV and f & os.ST_NOEXEC\n"
        "print('ok')\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    task.secrets = types_secrets;
    task.n_secrets = 2;
    if (types_bare()) {
        types_refused(self, &task,
                      "secrets: without namespaces a job has no file system of its own");
        types_close(self);
        return;
    }
    types_prints(self, &task, "ok\n");
    task.secrets = &bad;
    task.n_secrets = 1;
    for (i = 0; i < 5; i++) {
        bad.name = names[i];
        types_refused(self, &task, "secrets: \"");
    }
    task.secrets = twice;
    task.n_secrets = 2;
    types_refused(self, &task, "secrets: \"a\": it is there twice");
    types_close(self);
}
START_TEST(secrets_are_files_that_only_the_job_can_read)
{
    types_in(_i, secrets_body);
}
END_TEST

struct types_thread {
    void *self;
    struct tako__task task;
    struct types_run run;
};

static void *types_thread_main(void *arg)
{
    struct types_thread *t = arg;

    types_run(t->self, &t->task, &t->run);
    if (t->run.ready >= 0) /* it wrote nothing: who waits shall not wait for ever */
        types_write(&t->run, 2, "", 0);
    return NULL;
}

/* One job has everything that can be had and runs; another looks for it. */
static void neighbour_body(void)
{
    static const tako_pair pairs[] = {{"CANARY", "variable-91c2"}};
    static struct types_thread first;
    struct tako__mount mount = {types_path("shared"), "/opt/first", false};
    int ready[2], cancel[2];
    struct tako__task task = types_task(
        "import os\n"
        "for p in os.listdir('/proc'):\n"
        "    if p.isdigit():\n"
        "        try: data = open('/proc/' + p + '/environ', 'rb').read()\n"
        "        except OSError: continue\n"
        "        assert b'variable-91c2' not in data, p\n"
        "assert os.listdir('/run') == [] and not os.path.exists('/opt')\n"
        "assert 'CANARY' not in os.environ and 'secrets' not in "
        "open('/proc/self/mountinfo').read()\n"
        "print('ok')\n");
    pthread_t thread;
    char byte;

    types_make_shared();
    first.self = types_open();
    if (!first.self)
        return;
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(cancel, O_CLOEXEC), 0);
    first.task = types_task("import time\nprint('ready', flush=True)\ntime.sleep(25)\n");
    first.task.environment = pairs;
    first.task.n_environment = 1;
    first.task.secrets = types_secrets;
    first.task.n_secrets = 1;
    first.task.mounts = &mount;
    first.task.n_mounts = 1;
    first.task.cancel_fd = cancel[0];
    first.run.ready = ready[1];
    ck_assert_int_eq(pthread_create(&thread, NULL, types_thread_main, &first), 0);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    types_prints(first.self, &task, "ok\n");
    ck_assert_int_eq(write(cancel[1], "c", 1), 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(first.run.outcome.verdict, TAKO_VERDICT_CANCELLED);
    types_close(first.self);
    close(ready[0]);
    close(ready[1]);
    close(cancel[0]);
    close(cancel[1]);
}
START_TEST(nothing_of_one_job_is_seen_by_another)
{
    if (_i < BARE_USER)
        types_in(_i, neighbour_body);
}
END_TEST

Suite *suite_types(void)
{
    Suite *s = suite_create("types");
    TCase *c = tcase_create("types");

    tcase_set_timeout(c, 180);
    tcase_add_loop_test(c, limits_are_those_of_the_options, 0, TYPES_MODES);
    tcase_add_loop_test(c, the_share_of_a_cpu_is_the_types, 0, TYPES_MODES);
    tcase_add_loop_test(c, a_type_has_its_own_program_and_file_name, 0, TYPES_MODES);
    tcase_add_loop_test(c, node_is_a_type_like_others, 0, TYPES_MODES);
    tcase_add_loop_test(c, a_compiled_program_is_run_from_a_mount, 0, TYPES_MODES);
    tcase_add_loop_test(c, the_environment_is_the_types_and_nothing_of_the_hosts, 0, TYPES_MODES);
    tcase_add_loop_test(c, an_environment_that_is_too_large_is_refused, 0, TYPES_MODES);
    tcase_add_loop_test(c, network_is_what_the_type_says, 0, TYPES_MODES);
    tcase_add_loop_test(c, strict_mode_refuses_network_without_landlock, 0, BARE_USER);
    tcase_add_test(c, a_root_of_its_own_shows_the_hosts_names_where_it_has_room);
    tcase_add_loop_test(c, a_mount_is_read_only_whatever_the_job_tries, 0, TYPES_MODES);
    tcase_add_loop_test(c, directories_and_files_are_mounted_where_they_are_wanted, 0, BARE_USER);
    tcase_add_test(c, a_directory_that_no_overlay_takes_is_bound_and_the_record_says_so);
    tcase_add_loop_test(c, a_mount_that_cannot_be_is_refused, 0, TYPES_MODES);
    tcase_add_loop_test(c, what_is_made_in_a_writable_mount_is_read_by_others, 0, TYPES_MODES);
    tcase_add_loop_test(c, secrets_are_files_that_only_the_job_can_read, 0, TYPES_MODES);
    tcase_add_loop_test(c, nothing_of_one_job_is_seen_by_another, 0, BARE_USER);
    suite_add_tcase(s, c);
    return s;
}
