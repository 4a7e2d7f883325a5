/* check_inside.c - what a job can rely on, what it sees, and what it cannot do: the contract of the
 * sandbox, tried from the inside with Python programs, as root and as an ordinary user.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"

#include <stdlib.h>

Suite *suite_inside(void);

static void run_expect(const char *code, const char *expected)
{
    sandbox_prints(code, expected);
}

/* Every program prints "ok" or what is wrong. */
static const char *const contract_programs[] = {
    /* process */
    "import os, sys\n"
    "assert os.getuid() == os.geteuid() == 1000 and os.getgid() == 1000\n"
    "assert os.getcwd() == '/app' and sys.path[0] == '/code' and sys.argv == ['/code/main.py']\n"
    "assert os.getpid() == 2 and os.getppid() == 1 and os.getsid(0) == 2\n"
    "assert sys.stdin.read() == ''\n"
    "m = os.umask(0); assert m == 0o22, m\n"
    "assert os.uname().nodename == 'tako'\n"
    "print('ok')\n",
    /* environment: these and no others */
    "import os\n"
    "keys = set(os.environ) - {'LC_CTYPE'}\n"
    "assert keys == {'PATH', 'HOME', 'LANG', 'XDG_CACHE_HOME', 'MPLCONFIGDIR'}, keys\n"
    "assert os.environ['HOME'] == '/home/sandbox'\n"
    "assert os.path.isdir(os.environ['XDG_CACHE_HOME'])\n"
    "open(os.environ['MPLCONFIGDIR'] + '/x', 'w').close()\n"
    "print('ok')\n",
    /* files: where one may write, and where not */
    "import os\n"
    "for d in ['/tmp', '/output', '/dev/shm']:\n"
    "    p = d + '/x'; open(p, 'w').write('x'); os.rename(p, p + 'y'); os.remove(p + 'y')\n"
    "for p in ['/x', '/usr/x', '/etc/x', '/code/x', '/code/main.py', '/input/x', '/app/x',\n"
    "          '/input/data.json', '/home/sandbox/x', '/dev/x', '/proc/x', '/run/x', '/bin/sh']:\n"
    "    try: open(p, 'w'); print('could write', p)\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* modes and content of what it is given */
    "import os, json, stat\n"
    "assert stat.S_IMODE(os.stat('/code/main.py').st_mode) == 0o444\n"
    "assert stat.S_IMODE(os.stat('/input/data.json').st_mode) == 0o444\n"
    "assert json.load(open('/input/data.json')) == {}\n"
    "assert os.listdir('/input') == ['data.json'] and os.listdir('/output') == []\n"
    "print('ok')\n",
    /* /tmp is not for programs, and is limited */
    "import os, shutil, subprocess, errno\n"
    "shutil.copy('/usr/bin/true', '/tmp/t'); os.chmod('/tmp/t', 0o755)\n"
    "try: subprocess.run(['/tmp/t']); print('executed')\n"
    "except PermissionError: pass\n"
    "try:\n"
    "    for i in range(20): open('/tmp/f%d' % i, 'wb').write(b'x' * 10000000)\n"
    "    print('no limit')\n"
    "except OSError as e: assert e.errno == errno.ENOSPC, e\n"
    "print('ok')\n",
    /* a file has a size limit */
    "import errno, os\n"
    "f = os.open('/tmp/big', os.O_CREAT | os.O_WRONLY)\n"
    "try: os.ftruncate(f, 1 << 40); print('no limit')\n"
    "except OSError as e: assert e.errno == errno.EFBIG, e\n"
    "print('ok')\n",
    /* the usual devices */
    "assert open('/dev/zero', 'rb').read(3) == bytes(3)\n"
    "assert len(open('/dev/urandom', 'rb').read(8)) == 8\n"
    "open('/dev/null', 'w').write('x')\n"
    "import os; assert sorted(os.listdir('/dev')) == ['fd', 'full', 'null', 'random', 'shm',\n"
    "    'stderr', 'stdin', 'stdout', 'urandom', 'zero']\n"
    "print('ok')\n",
};

/* Ordinary Python does not notice the walls. */
static const char *const ordinary_programs[] = {
    "import subprocess; subprocess.run(['sh', '-c', 'echo o''k'])\n",
    "import threading\n"
    "t = [threading.Thread(target=lambda: None) for i in range(20)]\n"
    "[x.start() for x in t]; [x.join() for x in t]; print('ok')\n",
    "import multiprocessing as m\n"
    "if __name__ == '__main__':\n"
    "    with m.Pool(2) as p: assert p.map(abs, [-1, 2]) == [1, 2]\n"
    "    q = m.Queue(); q.put(1); assert q.get() == 1\n"
    "    print('ok')\n",
    "import asyncio\n"
    "async def f():\n"
    "    p = await asyncio.create_subprocess_exec('true'); assert await p.wait() == 0\n"
    "    await asyncio.sleep(0.001); print('ok')\n"
    "asyncio.run(f())\n",
    "import sqlite3, tempfile, ssl, ctypes, decimal, uuid, getpass, pwd, zoneinfo\n"
    "assert getpass.getuser() == 'sandbox'\n"
    "c = sqlite3.connect(tempfile.mkdtemp() + '/x.db'); c.execute('create table a(b)'); "
    "c.commit()\n"
    "print('ok')\n",
    "import socket\n"
    "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
    "s = socket.socket(socket.AF_UNIX); s.bind('/tmp/s'); s.listen(); print('ok')\n",
};

/* Each tries to get out or to reach what is not its own, and prints "ok" when it could not. */
static const char *const hostile_programs[] = {
    /* no network of any family */
    "import socket\n"
    "for family in range(1, 46):\n"
    "    for kind in (1, 2, 3, 5):\n"
    "        try: socket.socket(family, kind)\n"
    "        except OSError: continue\n"
    "        if family != socket.AF_UNIX: print('family', family)\n"
    "print('ok')\n",
    /* no capability, no way to any */
    "for line in open('/proc/self/status'):\n"
    "    key, value = line.split(':')\n"
    "    if key.startswith('Cap'): assert int(value, 16) == 0, line\n"
    "    if key == 'NoNewPrivs': assert int(value) == 1\n"
    "    if key == 'Seccomp': assert int(value) == 2\n"
    "print('ok')\n",
    /* system calls that are nobody's business here: EPERM or ENOSYS */
    "import ctypes, os, errno\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "calls = {'ptrace': 101, 'mount': 165, 'umount2': 166, 'pivot_root': 155, 'chroot': 161,\n"
    "  'unshare': 272, 'setns': 308, 'bpf': 321, 'perf_event_open': 298, 'userfaultfd': 323,\n"
    "  'io_uring_setup': 425, 'io_uring_enter': 426, 'keyctl': 250, 'add_key': 248,\n"
    "  'request_key': 249, 'kexec_load': 246, 'init_module': 175, 'finit_module': 313,\n"
    "  'reboot': 169, 'swapon': 167, 'syslog': 103, 'clone3': 435, 'fsopen': 430,\n"
    "  'open_tree': 428, 'move_mount': 429, 'mount_setattr': 442, 'process_vm_readv': 310,\n"
    "  'process_vm_writev': 311, 'pidfd_getfd': 438, 'open_by_handle_at': 304,\n"
    "  'name_to_handle_at': 303, 'quotactl': 179, 'acct': 163, 'settimeofday': 164,\n"
    "  'clock_settime': 227, 'sethostname': 170, 'iopl': 172, 'modify_ldt': 154,\n"
    "  'seccomp': 317, 'unknown': 9999, 'kcmp': 312, 'mbind': 237, 'move_pages': 279}\n"
    "import platform\n"
    "if platform.machine() == 'x86_64':\n"
    "    for name, number in calls.items():\n"
    "        r = c.syscall(number, 0, 0, 0, 0, 0)\n"
    "        if r != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):\n"
    "            print(name, r, ctypes.get_errno())\n"
    "print('ok')\n",
    /* no new namespace by clone */
    "import ctypes, errno, platform\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "if platform.machine() == 'x86_64':\n"
    "    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, "
    "0x40000000):\n"
    "        r = c.syscall(56, flag | 17, 0, 0, 0, 0)\n"
    "        if r == 0: import os; os._exit(0)\n"
    "        if r != -1 or ctypes.get_errno() != errno.EPERM: print(hex(flag), r)\n"
    "print('ok')\n",
    /* terminal injection */
    "import fcntl\n"
    "for request in (0x5412, 0x541c, 0x540e, 0x5423):\n"
    "    try: fcntl.ioctl(0, request, b'x'); print('ioctl', hex(request))\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* /proc shows this job's processes and nothing of the host */
    "import os\n"
    "pids = [p for p in os.listdir('/proc') if p.isdigit()]\n"
    "assert pids == [str(os.getpid())], pids\n"
    "for p in ['/proc/kcore', '/proc/kallsyms', '/proc/keys', '/proc/sys', '/proc/cmdline',\n"
    "          '/proc/meminfo', '/proc/sysrq-trigger', '/sys/kernel', '/dev/mem', '/dev/kmsg',\n"
    "          '/dev/vda', '/root', '/home/sandbox/..//root', '/etc/shadow', '/var', "
    "'/proc/1/root',\n"
    "          '/proc/1/environ', '/boot', '/run/docker.sock']:\n"
    "    assert not os.path.exists(p), p\n"
    "print('ok')\n",
    /* no descriptor but the three */
    "import os\n"
    "fds = []\n"
    "for fd in range(3, 256):\n"
    "    try: os.fstat(fd); fds.append(fd)\n"
    "    except OSError: pass\n"
    "assert fds == [], fds\n"
    "print('ok')\n",
    /* pid 1 is out of reach */
    "import os, signal\n"
    "for s in (9, 15, 19, 2):\n"
    "    try: os.kill(1, s)\n"
    "    except OSError: pass\n"
    "for p in ['/proc/1/mem', '/proc/1/maps', '/proc/1/fd']:\n"
    "    try: os.open(p, os.O_RDONLY); print('opened', p)\n"
    "    except OSError: pass\n"
    "print('ok')\n",
    /* set-user-id programs stay what we are */
    "import os, subprocess\n"
    "for p in ('/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd'):\n"
    "    if os.path.exists(p):\n"
    "        assert os.statvfs(p).f_flag & os.ST_NOSUID, p\n"
    "assert subprocess.run(['id', '-u'], capture_output=True).stdout == b'1000\\n'\n"
    "print('ok')\n",
    /* no device nodes, no mounts in sight that could be written */
    "import os, stat\n"
    "try: os.mknod('/tmp/d', stat.S_IFCHR | 0o666, os.makedev(1, 1)); print('made a device')\n"
    "except OSError: pass\n"
    "for line in open('/proc/self/mountinfo'):\n"
    "    f = line.split()\n"
    "    if 'rw' in f[5].split(','): assert f[4] in ('/tmp', '/output', '/dev/shm',\n"
    "        '/proc'), line\n"
    "print('ok')\n",
    /* limits are there and cannot be raised */
    "import resource as r\n"
    "assert r.getrlimit(r.RLIMIT_CORE) == (1, 1)\n" /* core(5): never, nor a pipe */
    "assert r.getrlimit(r.RLIMIT_NOFILE)[1] <= 256\n"
    "for which in (r.RLIMIT_NOFILE, r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_MEMLOCK):\n"
    "    hard = r.getrlimit(which)[1]\n"
    "    try: r.setrlimit(which, (hard + 1, hard + 1)); print('raised', which)\n"
    "    except (ValueError, OSError): pass\n"
    "print('ok')\n",
    /* real-time scheduling would starve the host */
    "import os\n"
    "try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); print('real-time')\n"
    "except OSError: pass\n"
    "try: os.nice(-5); print('nicer')\n"
    "except OSError: pass\n"
    "print('ok')\n",
};

static void run_all(const char *const *programs, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        run_expect(programs[i], "ok\n");
}

static void contract_body(void)
{
    run_all(contract_programs, sizeof(contract_programs) / sizeof(*contract_programs));
}
static void ordinary_body(void)
{
    run_all(ordinary_programs, sizeof(ordinary_programs) / sizeof(*ordinary_programs));
}
static void hostile_body(void)
{
    run_all(hostile_programs, sizeof(hostile_programs) / sizeof(*hostile_programs));
}

START_TEST(the_contract_holds_as_root)
{
    contract_body();
}
END_TEST
START_TEST(the_contract_holds_as_user)
{
    sandbox_as_user(contract_body);
}
END_TEST
START_TEST(ordinary_python_does_not_notice_as_root)
{
    ordinary_body();
}
END_TEST
START_TEST(ordinary_python_does_not_notice_as_user)
{
    sandbox_as_user(ordinary_body);
}
END_TEST
START_TEST(the_walls_hold_as_root)
{
    hostile_body();
}
END_TEST
START_TEST(the_walls_hold_as_user)
{
    sandbox_as_user(hostile_body);
}
END_TEST

START_TEST(nothing_of_the_hosts_environment_or_memory_is_inside)
{
    char canary[] = "canary-7f3a91";

    ck_assert_int_eq(setenv("TAKO_TEST_CANARY", canary, 1), 0);
    sandbox_prints("import os\n"
                   "assert not any('canary' + '-7f' in v for v in os.environ.values())\n"
                   "data = open('/proc/self/environ', 'rb').read()\n"
                   "assert b'canary' + b'-7f' not in data\n"
                   "print('ok')\n",
                   "ok\n");
}
END_TEST

/* More jobs than are made ready ahead, so that both ways of making a namespace are met. */
START_TEST(no_job_is_in_a_namespace_of_the_host)
{
    static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts"};
    char link[64], own[64];
    tako *t = sandbox_open(1);
    tako_record *rec;
    size_t i, round;
    ssize_t len;

    if (!t)
        return;
    for (round = 0; round < 8; round++) {
        rec = sandbox_run(t, "import os\n"
                             "for n in ('user', 'mnt', 'pid', 'net', 'ipc', 'uts'):\n"
                             "    print(os.readlink('/proc/self/ns/' + n))\n");
        for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
            snprintf(link, sizeof(link), "/proc/self/ns/%s", names[i]);
            len = readlink(link, own, sizeof(own) - 2);
            ck_assert_int_gt(len, 0);
            own[len] = '\n';
            own[len + 1] = '\0';
            ck_assert_msg(strstr(tako_record_stdout(rec, NULL), names[i]) != NULL &&
                              strstr(tako_record_stdout(rec, NULL), own) == NULL,
                          "%s: %s", own, tako_record_stdout(rec, NULL));
        }
        tako_record_free(rec);
    }
    tako_close(t);
}
END_TEST

static void fork_bomb_body(void)
{
    tako *t = sandbox_open(2);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.timeout_ms = 500;
    rec = sandbox_run_job(t,
                          "import os\n"
                          "while True:\n"
                          "    try: os.fork()\n"
                          "    except OSError: pass\n",
                          &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    tako_record_free(rec);
    rec = sandbox_run(t, "print('still here')"); /* and the host goes on as before */
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "still here\n");
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_fork_bomb_is_contained_as_root)
{
    fork_bomb_body();
}
END_TEST
START_TEST(a_fork_bomb_is_contained_as_user)
{
    sandbox_as_user(fork_bomb_body);
}
END_TEST

START_TEST(input_files_arrive_byte_for_byte)
{
    static const unsigned char bytes[] = {0, 1, 2, 255, '\n', 0};
    tako_file files[2] = {{"data.bin", bytes, sizeof(bytes)}, {"\xc3\xa4 b.txt", "x", 1}};
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.files = files;
    job.n_files = 2;
    job.input = "{\"b\":  1, \"a\": \"\\u00e4\"}";
    rec = sandbox_run_job(t,
                          "import os\n"
                          "assert open('/input/data.bin','rb').read() == bytes([0,1,2,255,10,0])\n"
                          "assert open('/input/\\u00e4 b.txt').read() == 'x'\n"
                          "print(open('/input/data.json').read())\n",
                          &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "{\"b\":  1, \"a\": \"\\u00e4\"}\n");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

static void artifacts_body(void)
{
    tako *t = sandbox_open(1);
    const tako_artifact *a;
    tako_record *rec;
    size_t i;
    int wanted = 0;

    if (!t)
        return;
    rec = sandbox_run(t, "import os, json, socket\n"
                         "os.chdir('/output')\n"
                         "json.dump({'x': [1, 2]}, open('result.json', 'w'))\n"
                         "open('a.txt', 'w').write('hello')\n"
                         "open('locked', 'w').write('l'); os.chmod('locked', 0)\n"
                         "os.symlink('/etc/passwd', 'link'); os.symlink('/proc/self/mem', 'mem')\n"
                         "os.mkfifo('fifo'); os.mkdir('dir'); os.link('a.txt', 'hard')\n"
                         "socket.socket(socket.AF_UNIX).bind('sock')\n"
                         "open('.hidden', 'w'); open('new\\nline', 'w'); open(b'\\xff', 'w')\n"
                         "open('big', 'w').truncate(50 << 20)\n"
                         "os.chmod('/output', 0)\n");
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_output(rec, NULL), "{\"x\": [1, 2]}");
    for (i = 0; (a = tako_record_artifact(rec, TAKO_ARTIFACTS, i)) != NULL; i++)
        wanted += strcmp(a->name, "result.json") == 0 || strcmp(a->name, "locked") == 0;
    ck_assert_uint_eq(i, 2);
    ck_assert_int_eq(wanted, 2);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_REJECTED), 11);
    for (i = 0; (a = tako_record_artifact(rec, TAKO_REJECTED, i)) != NULL; i++)
        ck_assert_ptr_nonnull(a->reason);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(artifacts_are_collected_and_tricks_rejected_as_root)
{
    artifacts_body();
}
END_TEST
START_TEST(artifacts_are_collected_and_tricks_rejected_as_user)
{
    sandbox_as_user(artifacts_body);
}
END_TEST

static int find_layer(void *ctx, const tako_layer *layer)
{
    tako_layer *wanted = ctx;

    if (strcmp(layer->name, wanted->name) == 0) {
        wanted->state = layer->state;
        return 1;
    }
    return 0;
}

static void user_report_body(void)
{
    static const char *const weaker[] = {"memory_limit", "pids_limit", "cpu_limit"};
    tako *t = sandbox_open(1);
    tako_layer layer;
    tako_record *rec;
    tako_error err;
    size_t i;

    if (!t)
        return;
    rec = sandbox_run(t, "print(1)");
    for (i = 0; i < 3; i++) {
        layer.name = weaker[i];
        layer.state = TAKO_LAYER_ON;
        ck_assert_int_eq(tako_isolation(t, find_layer, &layer, &err), TAKO_OK);
        if (layer.state != TAKO_LAYER_ON) /* on where a cgroup is delegated to this user */
            ck_assert_ptr_nonnull(strstr(tako_record_isolation(rec), "RLIMIT"));
    }
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(the_report_names_what_is_weaker_as_user)
{
    sandbox_as_user(user_report_body);
}
END_TEST

Suite *suite_inside(void)
{
    Suite *s = suite_create("inside");
    TCase *c = tcase_create("inside");

    tcase_set_timeout(c, 180);
    tcase_add_test(c, the_contract_holds_as_root);
    tcase_add_test(c, the_contract_holds_as_user);
    tcase_add_test(c, ordinary_python_does_not_notice_as_root);
    tcase_add_test(c, ordinary_python_does_not_notice_as_user);
    tcase_add_test(c, the_walls_hold_as_root);
    tcase_add_test(c, the_walls_hold_as_user);
    tcase_add_test(c, nothing_of_the_hosts_environment_or_memory_is_inside);
    tcase_add_test(c, no_job_is_in_a_namespace_of_the_host);
    tcase_add_test(c, a_fork_bomb_is_contained_as_root);
    tcase_add_test(c, a_fork_bomb_is_contained_as_user);
    tcase_add_test(c, input_files_arrive_byte_for_byte);
    tcase_add_test(c, artifacts_are_collected_and_tricks_rejected_as_root);
    tcase_add_test(c, artifacts_are_collected_and_tricks_rejected_as_user);
    tcase_add_test(c, the_report_names_what_is_weaker_as_user);
    suite_add_tcase(s, c);
    return s;
}
