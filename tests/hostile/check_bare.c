/* check_bare.c - where no namespaces can be had permissive mode runs jobs all the same, says so, and
 * what Landlock and seccomp promise holds. The hosts are forbidden namespaces by a filter, like those
 * in a container. What strict mode says there: check_modes.c.
 * SPDX-License-Identifier: MIT */
#include "../support/hosts.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

Suite *suite_bare(void);

static char bare_tmp[64]; /* TMPDIR of the test: what jobs leave would show */

/* ---- hosts ----------------------------------------------------------------------------------- */

static void bare_sleep_ms(int ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&pause, NULL);
}

static void bare_begin(void)
{
    snprintf(bare_tmp, sizeof(bare_tmp), "/tmp/tako-bare-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bare_tmp));
    ck_assert_int_eq(chmod(bare_tmp, 01777), 0);
    ck_assert_int_eq(setenv("TMPDIR", bare_tmp, 1), 0);
}

/* Entries of the test's directory; the name of one of them. */
static int bare_left(char name[256])
{
    struct dirent *entry;
    DIR *list = opendir(bare_tmp);
    int count = 0;

    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.') {
            count++;
            if (name)
                snprintf(name, 256, "%s", entry->d_name);
        }
    closedir(list);
    return count;
}

static void bare_end(void)
{
    ck_assert_int_eq(bare_left(NULL), 0);
    ck_assert_int_eq(rmdir(bare_tmp), 0);
}

static int bare_supported(void)
{
    if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) >= 6)
        return 1;
    skip_or_fail("landlock", "Landlock ABI 6 (Linux 6.12) is needed without namespaces");
    return 0;
}

static tako *bare_open(void)
{
    char refusal[TAKO_ERROR_SIZE];
    tako *t;

    host_refuse_namespaces();
    t = host_open(TAKO_PERMISSIVE, NULL, refusal);
    ck_assert_str_eq(refusal, "");
    return t;
}

/* ---- permissive mode says what it lacks ------------------------------------------------------ */

static void bare_log(void *seen, tako_level level, const char *module, const char *message)
{
    if (level == TAKO_LOG_WARN && strcmp(module, "native") == 0 &&
        strstr(message, "jobs run without namespaces: "))
        ++*(int *)seen;
}

static int bare_layer(void *counts, const tako_layer *layer)
{
    ++((int *)counts)[layer->state];
    return 0;
}

static void report_body(void)
{
    static const char *const parts[] = {"\"user_namespace\":\"off: ",
                                        "\"mount_namespace\":\"off: ",
                                        "\"pid_namespace\":\"off: ",
                                        "\"network_namespace\":\"off: ",
                                        "\"ipc_namespace\":\"off: ",
                                        "\"uts_namespace\":\"off: ",
                                        "\"root_filesystem\":\"off: ",
                                        "$TAKO_CODE_DIR",
                                        "\"proc\":\"off: ",
                                        "\"private_files\":\"weaker: ",
                                        "\"seccomp\":\"on\"",
                                        "\"landlock\":\"on\"",
                                        "\"no_new_privs\":\"on\""};
    tako_options opts = TAKO_OPTIONS_INIT;
    int counts[3] = {0, 0, 0}, warned = 0;
    tako_record *rec;
    tako_error err;
    tako *t = NULL;
    size_t i;

    bare_begin();
    host_refuse_namespaces();
    opts.workers = 1;
    opts.security = TAKO_PERMISSIVE;
    opts.log = bare_log;
    opts.log_ctx = &warned;
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    ck_assert_int_eq(tako_isolation(t, bare_layer, counts, &err), TAKO_OK);
    ck_assert_int_ge(counts[TAKO_LAYER_OFF], 8);
    ck_assert_int_eq(warned, 1);
    ck_assert_int_eq(tako_start(t, &err), TAKO_OK);
    rec = sandbox_run(t, "print('ok')");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "ok\n");
    ck_assert_str_eq(tako_record_stderr(rec, NULL), "");
    for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        ck_assert_msg(strstr(tako_record_isolation(rec), parts[i]) != NULL, "%s is not in %s",
                      parts[i], tako_record_isolation(rec));
    tako_record_free(rec);
    tako_close(t);
    bare_end();
}
START_TEST(permissive_mode_runs_and_says_what_is_off)
{
    if (bare_supported())
        sandbox_as_user(report_body);
}
END_TEST

/* ---- endings --------------------------------------------------------------------------------- */

static void bare_limited(tako *t, const char *code, tako_job *job, tako_status status,
                         tako_verdict verdict)
{
    tako_record *rec = sandbox_run_job(t, code, job);

    ck_assert_msg(tako_record_status(rec) == status && tako_record_verdict(rec) == verdict,
                  "%.60s: %s, %s: %s\n%s", code, tako_status_name(tako_record_status(rec)),
                  tako_verdict_name(tako_record_verdict(rec)), tako_record_error_message(rec),
                  tako_record_stderr(rec, NULL));
    tako_record_free(rec);
}

static void bare_endings(tako *t)
{
    static const char spin[] = "while True: pass\n";
    tako_job wall = TAKO_JOB_INIT, cpu = TAKO_JOB_INIT, out = TAKO_JOB_INIT, memory = TAKO_JOB_INIT;
    tako_job cancel = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;

    sandbox_ends(t, "print(1)", TAKO_SUCCEEDED, NULL, TAKO_VERDICT_EXIT, 0);
    sandbox_ends(t, "import os; os._exit(137)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT,
                 137);
    sandbox_ends(t, "import os; os.kill(os.getpid(), 9)", TAKO_FAILED, "killed",
                 TAKO_VERDICT_SIGNAL, -1);
    sandbox_ends(t, "import ctypes; ctypes.string_at(0)", TAKO_FAILED, "segfault",
                 TAKO_VERDICT_SIGNAL, -1);
    wall.timeout_ms = 300;
    bare_limited(t, spin, &wall, TAKO_TIMEOUT, TAKO_VERDICT_WALL);
    cpu.timeout_ms = 30000;
    cpu.cpu_timeout_ms = 200;
    bare_limited(t, spin, &cpu, TAKO_TIMEOUT, TAKO_VERDICT_CPU);
    out.output_kill_bytes = 10000;
    bare_limited(t, "while True: print('x' * 100)\n", &out, TAKO_FAILED, TAKO_VERDICT_OUTPUT);
    memory.memory_bytes = 128 << 20;
    rec = sandbox_run_job(t, "x = bytearray()\nwhile True: x += b'x' * 10000000\n", &memory);
    ck_assert_int_eq(tako_record_status(rec), TAKO_OOM);
    tako_record_free(rec);
#if defined(__x86_64__)
    bare_limited(t, "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39)", &cancel,
                 TAKO_FAILED, TAKO_VERDICT_VIOLATION);
#endif
    cancel.code = spin;
    ck_assert_int_eq(tako_submit(t, &cancel, &id, &err), TAKO_OK);
    bare_sleep_ms(200);
    ck_assert_int_eq(tako_cancel(t, id.text, &err), TAKO_OK);
    ck_assert_int_eq(tako_wait(t, id.text, -1, &rec, &err), TAKO_OK);
    ck_assert_int_eq(tako_record_status(rec), TAKO_CANCELLED);
    tako_record_free(rec);
}

static void endings_body(void)
{
    tako *t;

    bare_begin();
    t = bare_open();
    bare_endings(t);
    tako_close(t);
    bare_end();
}
START_TEST(endings_are_told_apart_without_namespaces)
{
    if (bare_supported())
        sandbox_as_user(endings_body);
}
END_TEST

/* ---- from the inside ------------------------------------------------------------------------- */

/* Every program prints "ok" or what is wrong. */
static const char *const bare_programs[] = {
    /* what it is given */
    "import os, sys, json, tempfile\n"
    "e = os.environ\n"
    "assert set(e) - {'LC_CTYPE'} == {'PATH', 'HOME', 'LANG', 'XDG_CACHE_HOME', 'MPLCONFIGDIR',\n"
    "    'TMPDIR', 'TAKO_CODE_DIR', 'TAKO_INPUT_DIR', 'TAKO_OUTPUT_DIR'}, dict(e)\n"
    "assert sys.argv == [e['TAKO_CODE_DIR'] + '/main.py'], sys.argv\n"
    "assert os.path.dirname(os.getcwd()) == os.path.dirname(e['TAKO_CODE_DIR'])\n"
    "assert json.load(open(e['TAKO_INPUT_DIR'] + '/data.json')) == {}\n"
    "assert os.listdir(e['TAKO_OUTPUT_DIR']) == []\n"
    "for d in (e['TMPDIR'], e['HOME'], e['TAKO_OUTPUT_DIR'], e['MPLCONFIGDIR']):\n"
    "    p = d + '/x'; open(p, 'w').write('x'); os.rename(p, p + 'y'); os.remove(p + 'y')\n"
    "for d in (e['TAKO_CODE_DIR'], e['TAKO_INPUT_DIR'], os.getcwd(), '/usr', '/etc', '/dev'):\n"
    "    try: open(d + '/x', 'w'); print('could write', d)\n"
    "    except OSError: pass\n"
    "for p in (sys.argv[0], e['TAKO_INPUT_DIR'] + '/data.json'):\n"
    "    try: open(p, 'a'); print('could write', p)\n"
    "    except OSError: pass\n"
    "    try: os.remove(p); print('could remove', p)\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* ordinary Python */
    "import subprocess, threading, asyncio, sqlite3, tempfile, ssl, shutil, os\n"
    "assert subprocess.run(['sh', '-c', 'echo x'], capture_output=True).stdout == b'x\\n'\n"
    "t = [threading.Thread(target=lambda: None) for i in range(20)]\n"
    "[x.start() for x in t]; [x.join() for x in t]\n"
    "async def f():\n"
    "    p = await asyncio.create_subprocess_exec('true'); assert await p.wait() == 0\n"
    "asyncio.run(f())\n"
    "d = tempfile.mkdtemp()\n"
    "c = sqlite3.connect(d + '/x.db'); c.execute('create table a(b)'); c.commit()\n"
    "shutil.copy2(d + '/x.db', d + '/y.db'); shutil.copytree(d, d + '2'); shutil.rmtree(d)\n"
    "open('/dev/null', 'w').write('x'); assert len(open('/dev/urandom', 'rb').read(3)) == 3\n"
    "print('ok')\n",
    /* no file outside */
    "import os\n"
    "work = os.path.dirname(os.getcwd())\n"
    "for p in ['/etc/shadow', '/etc/hostname', '/etc/passwd', '/root', '/home', '/tmp', '/var',\n"
    "          '/proc', '/proc/self/status', '/proc/self/environ', '/proc/1/cmdline', '/sys',\n"
    "          '/proc/%d/environ' % os.getppid(), '/proc/%d/maps' % os.getppid(), '/run',\n"
    "          '/dev/shm', '/dev/tty', '/dev/ptmx', '/dev/kmsg', '/', work, work + '/..',\n"
    "          '/proc/self/mem', '/proc/sys/kernel/hostname', '/sys/fs/cgroup']:\n"
    "    try: os.open(p, os.O_RDONLY); print('opened', p)\n"
    "    except OSError: pass\n"
    "    try: os.listdir(p); print('listed', p)\n"
    "    except OSError: pass\n"
    "for p in ['/tmp', '/var/tmp', '/dev/shm', '/root', work, os.environ['TMPDIR'] + '/../..']:\n"
    "    for make in (lambda q: os.mkdir(q), lambda q: open(q, 'w'), lambda q: os.mkfifo(q),\n"
    "                 lambda q: os.symlink('x', q), lambda q: os.link('/usr/bin/true', q)):\n"
    "        try: make(p + '/tako-was-here'); print('made', p)\n"
    "        except OSError: pass\n"
    "print('ok')\n",
    /* links lead nowhere new */
    "import os\n"
    "d = os.environ['TMPDIR']\n"
    "os.symlink('/etc/hostname', d + '/l')\n"
    "try: open(d + '/l'); print('read through a link')\n"
    "except PermissionError: pass\n"
    "for p in ('/etc/hostname', '/usr/bin/true', '/proc/self/exe'):\n"
    "    try: os.link(p, d + '/h'); print('linked', p)\n"
    "    except OSError: pass\n"
    "os.mkdir(d + '/a'); os.rename(d + '/a', os.environ['TAKO_OUTPUT_DIR'] + '/a')\n"
    "print('ok')\n",
    /* no network: pairs of streams only, which cannot be turned elsewhere */
    "import socket\n"
    "for family in range(1, 46):\n"
    "    for kind in (1, 2, 3, 5):\n"
    "        try: socket.socket(family, kind); print('family', family)\n"
    "        except OSError: pass\n"
    "try: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); print('datagrams')\n"
    "except OSError: pass\n"
    "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
    "for f in (a.connect, a.bind):\n"
    "    try: f('/dev/log'); print('connected')\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* no System V or POSIX IPC, nothing of other processes */
    "import ctypes, platform, os\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "calls = {'shmget': 29, 'shmat': 30, 'shmctl': 31, 'semget': 64, 'semop': 65, 'semctl': 66,\n"
    "  'msgget': 68, 'msgsnd': 69, 'msgrcv': 70, 'msgctl': 71, 'semtimedop': 220,\n"
    "  'mq_open': 240, 'mq_unlink': 241, 'ptrace': 101, 'process_vm_readv': 310,\n"
    "  'pidfd_getfd': 438, 'kcmp': 312, 'unshare': 272, 'keyctl': 250, 'mount': 165}\n"
    "if platform.machine() == 'x86_64':\n"
    "    for name, number in calls.items():\n"
    "        r = c.syscall(number, 0, 1, 0, 0, 0)\n"
    "        if r != -1 or ctypes.get_errno() not in (1, 38): print(name, r, ctypes.get_errno())\n"
    "for f in (lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),\n"
    "          lambda: os.setpriority(os.PRIO_USER, 0, 19),\n"
    "          lambda: os.sched_setaffinity(os.getppid(), {0})):\n"
    "    try: f(); print('changed another process')\n"
    "    except OSError: pass\n"
    "os.nice(1)\n"
    "print('ok')\n",
    /* not even modes and times of what is the host's user's */
    "import os\n"
    "work = os.path.dirname(os.getcwd())\n"
    "for p in (work, os.environ['TAKO_CODE_DIR'], os.environ['TAKO_CODE_DIR'] + '/main.py'):\n"
    "    before = os.stat(p)\n"
    "    for f in (lambda: os.chmod(p, 0o777), lambda: os.utime(p, (1, 1)),\n"
    "              lambda: os.setxattr(p, 'user.x', b'x')):\n"
    "        try: f()\n"
    "        except OSError: pass\n"
    "    after = os.stat(p)\n"
    "    assert before.st_mode == after.st_mode and before.st_mtime == after.st_mtime, p\n"
    "    try: assert 'user.x' not in os.listxattr(p)\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* limits */
    "import resource as r, os\n"
    "assert r.getrlimit(r.RLIMIT_CORE) == (1, 1) and r.getrlimit(r.RLIMIT_NOFILE)[1] <= 256\n"
    "assert r.getrlimit(r.RLIMIT_NPROC)[1] != r.RLIM_INFINITY or os.getuid() == 0\n"
    "fds = []\n"
    "for fd in range(3, 256):\n"
    "    try: os.fstat(fd); fds.append(fd)\n"
    "    except OSError: pass\n"
    "assert fds == [], fds\n"
    "print('ok')\n",
};

static void inside_body(void)
{
    size_t i;
    tako *t;

    bare_begin();
    t = bare_open();
    for (i = 0; i < sizeof(bare_programs) / sizeof(*bare_programs); i++)
        host_ok(t, bare_programs[i]);
    tako_close(t);
    bare_end();
}
START_TEST(the_host_is_out_of_reach_without_namespaces)
{
    if (bare_supported())
        sandbox_as_user(inside_body);
}
END_TEST

/* ---- signals and processes ------------------------------------------------------------------- */

/* A process of the same user that is no business of the job: the number of its signals. */
static pid_t bare_bystander(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void bare_dismiss(pid_t pid)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0); /* it lives */
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static void signals_body(void)
{
    char code[1200];
    pid_t other;
    tako *t;

    bare_begin();
    other = bare_bystander();
    t = bare_open();
    snprintf(code, sizeof(code),
             "import os, signal, ctypes, time\n"
             "c = ctypes.CDLL(None, use_errno=True)\n"
             "for pid in (%d, %d, os.getppid(), -os.getpgid(os.getppid())):\n"
             "    for s in (0, 9, 15, 19):\n"
             "        try: os.kill(pid, s); print('sent', s, pid)\n"
             "        except PermissionError: pass\n"
             "    if c.syscall(129, pid, 9, None) == 0 or c.syscall(234, pid, pid, 9) == 0 or \\\n"
             "       c.syscall(200, pid, 9) == 0: print('queued', pid)\n"
             "    try: signal.pidfd_send_signal(os.pidfd_open(pid), 9); print('pidfd', pid)\n"
             "    except OSError: pass\n"
             "child = os.fork()\n"
             "if child == 0: time.sleep(100)\n"
             "os.kill(-1, 9)\n"
             "assert os.waitpid(child, 0)[1] == 9\n"
             "print('ok')\n",
             (int)getpid(), (int)other);
    host_ok(t, code);
    tako_close(t);
    bare_dismiss(other);
    bare_end();
}
START_TEST(no_signal_leaves_the_job)
{
    if (bare_supported())
        sandbox_as_user(signals_body);
}
END_TEST

#define BARE_DAEMONS                                                     \
    "import os, signal, sys, time\n"                                     \
    "out = os.environ['TAKO_OUTPUT_DIR'] + '/pids'\n"                    \
    "for i in range(10):\n"                                              \
    "    if os.fork() == 0:\n"                                           \
    "        os.setsid()\n"                                              \
    "        if os.fork(): os._exit(0)\n"                                \
    "        for s in range(1, 32):\n"                                   \
    "            try: signal.signal(s, signal.SIG_IGN)\n"                \
    "            except (OSError, ValueError): pass\n"                   \
    "        f = os.open(out, os.O_CREAT | os.O_WRONLY | os.O_APPEND)\n" \
    "        os.write(f, b'%d\\n' % os.getpid()); os.close(f)\n"         \
    "        while True: time.sleep(1)\n"                                \
    "while not os.path.exists(out) or os.stat(out).st_size == 0 or \\\n" \
    "    len(open(out).readlines()) < 10: time.sleep(0.01)\n"

/* How many of the processes that the text names, a number per line, are there. */
static int bare_alive(const char *pids)
{
    int count = 0;
    char *end;
    long pid;

    for (; (pid = strtol(pids, &end, 10)) > 0; pids = end)
        if (kill((pid_t)pid, 0) == 0 || errno == EPERM)
            count++;
    return count;
}

static void daemons_body(void)
{
    tako_record *rec;
    size_t len = 0;
    pid_t other;
    tako *t;

    bare_begin();
    other = bare_bystander();
    t = bare_open();
    rec = sandbox_run(t, BARE_DAEMONS "print(open(out).read(), flush=True)\n");
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_stderr(rec, NULL));
    tako_record_stdout(rec, &len);
    ck_assert_uint_gt(len, 20);
    ck_assert_int_eq(bare_alive(tako_record_stdout(rec, NULL)), 0);
    ck_assert_int_ge((int)tako_record_survivors(rec), 10);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 1);
    tako_record_free(rec);
    tako_close(t);
    bare_dismiss(other);
    bare_end();
}
START_TEST(daemons_die_with_the_job)
{
    if (bare_supported())
        sandbox_as_user(daemons_body);
}
END_TEST

static void bomb_body(void)
{
    tako_job job = TAKO_JOB_INIT;
    tako *t;

    bare_begin();
    t = bare_open();
    job.timeout_ms = 700;
    bare_limited(t,
                 "import os\n"
                 "while True:\n"
                 "    try: os.fork()\n"
                 "    except OSError: pass\n",
                 &job, TAKO_TIMEOUT, TAKO_VERDICT_WALL);
    host_ok(t, "print('ok')\n");
    host_ok(t, "import os, signal\n" /* how many there can be */
               "n = 0\n"
               "try:\n"
               "    while n < 1000:\n"
               "        if os.fork() == 0: signal.pause()\n"
               "        n += 1\n"
               "except OSError: pass\n"
               "assert 20 < n < 300, n\n"
               "print('ok')\n");
    tako_close(t);
    bare_end();
}
START_TEST(a_fork_bomb_is_contained)
{
    if (bare_supported())
        sandbox_as_user(bomb_body);
}
END_TEST

/* Waits for the job's file of pids, in the only directory of a job that there is. */
static void bare_await_pids(char pids[512])
{
    char name[256], path[400];
    int waited, fd, lines;
    ssize_t got;

    for (waited = 0; waited < 20000; waited += 10) {
        lines = 0;
        if (bare_left(name) > 0) {
            snprintf(path, sizeof(path), "%s/%s/output/pids", bare_tmp, name);
            fd = open(path, O_RDONLY);
            got = fd < 0 ? 0 : read(fd, pids, 511);
            if (fd >= 0)
                close(fd);
            for (pids[got > 0 ? got : 0] = '\0'; got > 0; got--)
                lines += pids[got - 1] == '\n';
        }
        if (lines >= 10)
            return;
        bare_sleep_ms(10);
    }
    ck_abort_msg("the job did not start");
}

static void bare_all_gone(const char *pids)
{
    int waited;

    for (waited = 0; waited < 1000 && bare_alive(pids) > 0; waited += 10)
        bare_sleep_ms(10);
    ck_assert_int_eq(bare_alive(pids), 0);
}

static void host_death_body(void)
{
    char pids[512];
    tako_error err;
    pid_t host, other;
    int status;
    tako *t;

    bare_begin();
    other = bare_bystander();
    fflush(NULL);
    host = fork();
    if (host == 0) {
        tako_record_free(sandbox_run(bare_open(), BARE_DAEMONS "time.sleep(100)\n"));
        _exit(1);
    }
    bare_await_pids(pids);
    ck_assert_int_eq(bare_alive(pids), 10);
    kill(host, SIGKILL);
    ck_assert_int_eq(waitpid(host, &status, 0), host);
    bare_all_gone(pids);
    ck_assert_int_eq(bare_left(NULL), 1); /* the dead host's; the next one removes it */
    t = bare_open();
    ck_assert_int_eq(tako_isolation(t, sandbox_any_layer, NULL, &err), TAKO_OK);
    ck_assert_int_eq(bare_left(NULL), 0);
    tako_close(t);
    bare_dismiss(other);
    bare_end();
}
START_TEST(a_dead_host_takes_its_jobs_along_and_the_next_start_sweeps)
{
    if (bare_supported())
        sandbox_as_user(host_death_body);
}
END_TEST

/* The parent of a process of this user, 0 when it is gone. */
static pid_t bare_parent(pid_t pid)
{
    char path[64], text[512], *at;
    FILE *file;
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file && fgets(text, sizeof(text), file) && (at = strrchr(text, ')')) != NULL)
        (void)sscanf(at + 1, " %*c %d", &parent);
    if (file)
        fclose(file);
    return parent;
}

/* Whichever of the two guards is killed: the job ends, with all that belongs to it. */
static void guards_body(void)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    char pids[512];
    pid_t init, guard, other;
    tako_error err;
    tako_id id;
    tako *t;
    int i;

    bare_begin();
    other = bare_bystander();
    t = bare_open();
    job.code = BARE_DAEMONS "time.sleep(100)\n";
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(tako_submit(t, &job, &id, &err), TAKO_OK);
        bare_await_pids(pids);
        init = bare_parent((pid_t)strtol(pids, NULL, 10)); /* daemons are its children by now */
        guard = bare_parent(init);
        ck_assert_int_eq(bare_parent(guard), getpid());
        ck_assert_int_eq(kill(i ? init : guard, SIGKILL), 0);
        ck_assert_int_eq(tako_wait(t, id.text, 10000, &rec, &err), TAKO_OK);
        ck_assert_int_eq(bare_alive(pids), 0);
        ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_SIGNAL);
        ck_assert_int_eq(bare_left(NULL), 0);
        tako_record_free(rec);
    }
    tako_close(t);
    bare_dismiss(other);
    bare_end();
}
START_TEST(either_guard_suffices)
{
    if (bare_supported())
        sandbox_as_user(guards_body);
}
END_TEST

/* Two jobs at once, processes of the same user both. */
static void neighbours_body(void)
{
    tako_job job = TAKO_JOB_INIT;
    char pids[512], name[256], code[1500];
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;
    tako *t;

    bare_begin();
    t = bare_open();
    job.code = BARE_DAEMONS "time.sleep(100)\n";
    ck_assert_int_eq(tako_submit(t, &job, &id, &err), TAKO_OK);
    bare_await_pids(pids);
    ck_assert_int_eq(bare_left(name), 1);
    snprintf(code, sizeof(code),
             "import os\n"
             "for pid in (%ld, %d, %d):\n"
             "    try: os.kill(pid, 9); print('killed', pid)\n"
             "    except PermissionError: pass\n"
             "base = '%s/%s'\n"
             "for p in ('', '/code/main.py', '/output/pids', '/input/data.json', '/tmp'):\n"
             "    for f in (lambda: os.open(base + p, os.O_RDONLY), lambda: os.remove(base + p),\n"
             "              lambda: open(base + p + '/x', 'w'), lambda: os.listdir(base + p),\n"
             "              lambda: os.rename(base + p, base + 'x'), lambda: os.truncate(base + p, "
             "0)):\n"
             "        try: f(); print('reached', p)\n"
             "        except OSError: pass\n"
             "    os.chmod(base + p, 0) \n"
             "print('ok')\n",
             strtol(pids, NULL, 10), (int)bare_parent((pid_t)strtol(pids, NULL, 10)),
             (int)bare_parent(bare_parent((pid_t)strtol(pids, NULL, 10))), bare_tmp, name);
    host_ok(t, code);
    ck_assert_int_eq(bare_alive(pids), 10);
    ck_assert_int_eq(tako_cancel(t, id.text, &err), TAKO_OK);
    ck_assert_int_eq(tako_wait(t, id.text, -1, &rec, &err), TAKO_OK);
    ck_assert_int_eq(tako_record_status(rec), TAKO_CANCELLED);
    tako_record_free(rec);
    ck_assert_int_eq(bare_alive(pids), 0);
    tako_close(t);
    bare_end();
}
START_TEST(jobs_of_the_same_user_do_not_reach_each_other)
{
    if (bare_supported())
        sandbox_as_user(neighbours_body);
}
END_TEST

/* ---- what is left on the disk ---------------------------------------------------------------- */

static const char bare_litter[] =
    "import os, json\n"
    "data = json.load(open(os.environ['TAKO_INPUT_DIR'] + '/data.json'))\n"
    "for top in (os.environ['TAKO_OUTPUT_DIR'], os.environ['TMPDIR']):\n"
    "    os.chdir(top)\n"
    "    for i in range(3):\n" /* locked, and full */
    "        os.mkdir('wide%d' % i)\n"
    "        for k in range(300): open('wide%d/%d' % (i, k), 'w').close()\n"
    "        os.mkdir('wide%d/locked' % i); os.mkdir('wide%d/locked/in' % i)\n"
    "    os.mkdir('locked', 0)\n"
    "    os.mkfifo('fifo'); os.symlink('/etc', 'etc'); os.symlink('.', 'self')\n"
    "    os.mkdir('+1'); open('+1/+2', 'w').close(); os.mkdir('+1/+1')\n"
    "    for i in range(data['deep']): os.mkdir('d'); os.chdir('d')\n"
    "    open('bottom', 'w').close(); os.symlink('../..', 'up')\n"
    "open(os.environ['TAKO_OUTPUT_DIR'] + '/kept.txt', 'w').write('kept')\n"
    "print('ok')\n";

static void bare_leave_litter(tako *t, const char *input)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    job.input = input;
    rec = sandbox_run_job(t, bare_litter, &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_stderr(rec, NULL));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 1);
    ck_assert_str_eq(tako_record_artifact(rec, TAKO_ARTIFACTS, 0)->name, "kept.txt");
    ck_assert_uint_ge(tako_record_artifact_count(rec, TAKO_REJECTED), 7);
    tako_record_free(rec);
    ck_assert_int_eq(bare_left(NULL), 0);
}

static void litter_body(void)
{
    tako *t;

    bare_begin();
    t = bare_open();
    bare_leave_litter(t, "{\"deep\": 2000}");
    tako_close(t);
    bare_end();
}
START_TEST(whatever_a_job_leaves_is_removed)
{
    if (bare_supported())
        sandbox_as_user(litter_body);
}
END_TEST

static int bare_lock_tree(const char *path, int depth)
{
    char below[PATH_MAX];
    int fd;

    if (mkdir(path, 0700) < 0)
        return -1;
    snprintf(below, sizeof(below), "%s/f", path);
    fd = open(below, O_CREAT | O_WRONLY, 0);
    if (fd >= 0)
        close(fd);
    snprintf(below, sizeof(below), "%s/d", path);
    if (depth > 0)
        bare_lock_tree(below, depth - 1);
    return chmod(path, 0);
}

/* Directories of others, of the living, and links of that name stay; locked trees do not. */
static void sweep_body(void)
{
    char path[256], target[128];
    struct stat st;
    tako *t;

    bare_begin();
    snprintf(path, sizeof(path), "%s/job-tako-1-1-999999-1-0", bare_tmp); /* another machine's */
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(target, sizeof(target), "%s/mine", bare_tmp);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    snprintf(path, sizeof(path), "%s/mine/file", bare_tmp);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(stat("/proc/self/ns/pid", &st), 0);
    snprintf(path, sizeof(path), "%s/job-tako-%llu-", bare_tmp, (unsigned long long)st.st_ino);
    if (stat("/proc/self/ns/time", &st) == 0)
        snprintf(path + strlen(path), 64, "%llu-", (unsigned long long)st.st_ino);
    else
        snprintf(path + strlen(path), 64, "0-");
    snprintf(path + strlen(path), 64, "999999-1-a"); /* a dead process's: no such start */
    ck_assert_int_eq(bare_lock_tree(path, 5), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
    path[strlen(path) - 1] = 'b';
    ck_assert_int_eq(symlink(target, path), 0);
    t = bare_open();
    ck_assert_int_eq(bare_left(NULL), 3); /* without the locked tree */
    tako_close(t);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/mine/file", bare_tmp);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(target), 0);
    snprintf(path, sizeof(path), "%s/job-tako-1-1-999999-1-0", bare_tmp);
    ck_assert_int_eq(rmdir(path), 0);
    bare_end();
}
START_TEST(only_directories_of_the_dead_are_swept)
{
    if (bare_supported())
        sandbox_as_user(sweep_body);
}
END_TEST

static void files_body(void)
{
    static const tako_file files[] = {{"a b.txt", "hello", 5}, {"empty", NULL, 0}};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    size_t len = 0;
    tako *t;

    bare_begin();
    umask(077);
    t = bare_open();
    job.files = files;
    job.n_files = 2;
    job.input = "{\"x\": 1}";
    rec = sandbox_run_job(t,
                          "import os, json\n"
                          "i, o = os.environ['TAKO_INPUT_DIR'], os.environ['TAKO_OUTPUT_DIR']\n"
                          "assert open(i + '/a b.txt').read() == 'hello'\n"
                          "assert sorted(os.listdir(i)) == ['a b.txt', 'data.json', 'empty']\n"
                          "d = json.load(open(i + '/data.json')); d['y'] = os.umask(0)\n"
                          "json.dump(d, open(o + '/result.json', 'w'))\n"
                          "os.symlink('/etc/passwd', o + '/passwd')\n"
                          "os.symlink('result.json', o + '/link')\n",
                          &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_output(rec, &len), "{\"x\": 1, \"y\": 18}");
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_REJECTED), 2);
    tako_record_free(rec);
    tako_close(t);
    bare_end();
}
START_TEST(files_go_in_and_come_out)
{
    if (bare_supported())
        sandbox_as_user(files_body);
}
END_TEST

/* ---- a root that may do little --------------------------------------------------------------- */

/* As in a container with default rights: users can be changed, namespaces not made. */
START_TEST(a_root_without_namespaces_gives_each_job_a_user)
{
    tako *t;

    if (getuid() != 0 || !bare_supported())
        return;
    bare_begin();
    host_drop_capability(CAP_SYS_ADMIN);
    host_drop_capability(CAP_SYS_PTRACE);
    host_drop_capability(CAP_SYS_RESOURCE);
    t = bare_open();
    host_ok(t, "import os\n"
               "assert os.getuid() == os.geteuid() == os.getgid() >= 0x70000000\n"
               "assert os.getgroups() == []\n"
               "print('ok')\n");
    bare_endings(t);
    bare_leave_litter(t, "{\"deep\": 100}");
    tako_close(t);
    bare_end();
}
END_TEST

START_TEST(a_root_that_cannot_change_users_runs_jobs_as_itself_and_says_so)
{
    tako_record *rec;
    tako *t;

    if (getuid() != 0 || !bare_supported())
        return;
    bare_begin();
    host_drop_capability(CAP_SYS_ADMIN);
    host_drop_capability(CAP_SETUID);
    t = bare_open();
    rec = sandbox_run(t, "import os; print(os.getuid(), open('/usr/bin/true', 'rb').read(4))\n"
                         "try: open('/usr/bin/true', 'ab'); print('could write')\n"
                         "except OSError: pass\n"
                         "try: os.kill(-1, 18); os.kill(1, 0)\n"
                         "except PermissionError: print('ok')\n");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "0 b'\\x7fELF'\nok\n");
    ck_assert_msg(strstr(tako_record_isolation(rec), "processes of this user of the host") != NULL,
                  "%s", tako_record_isolation(rec));
    tako_record_free(rec);
    tako_close(t);
    bare_end();
}
END_TEST

/* ---- */

Suite *suite_bare(void)
{
    Suite *s = suite_create("bare");
    TCase *c = tcase_create("bare");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, permissive_mode_runs_and_says_what_is_off);
    tcase_add_test(c, endings_are_told_apart_without_namespaces);
    tcase_add_test(c, the_host_is_out_of_reach_without_namespaces);
    tcase_add_test(c, no_signal_leaves_the_job);
    tcase_add_test(c, daemons_die_with_the_job);
    tcase_add_test(c, a_fork_bomb_is_contained);
    tcase_add_test(c, a_dead_host_takes_its_jobs_along_and_the_next_start_sweeps);
    tcase_add_test(c, either_guard_suffices);
    tcase_add_test(c, jobs_of_the_same_user_do_not_reach_each_other);
    tcase_add_test(c, whatever_a_job_leaves_is_removed);
    tcase_add_test(c, only_directories_of_the_dead_are_swept);
    tcase_add_test(c, files_go_in_and_come_out);
    tcase_add_test(c, a_root_without_namespaces_gives_each_job_a_user);
    tcase_add_test(c, a_root_that_cannot_change_users_runs_jobs_as_itself_and_says_so);
    suite_add_tcase(s, c);
    return s;
}
