/* check_limits.c - limits beyond wall time, and what a record tells of them: CPU time of a whole tree,
 * output that kills, memory of the job against memory of the host, forbidden calls, and the facts that
 * stand beside a verdict. SPDX-License-Identifier: MIT */
#include "../support/leaks.h"
#include "../support/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

Suite *suite_limits(void);

static void limits_expect(const tako_record *rec, tako_verdict verdict, tako_status status,
                          const char *error_type)
{
    const char *type = tako_record_error_type(rec);

    ck_assert_msg(tako_record_verdict(rec) == verdict && tako_record_status(rec) == status &&
                      strcmp(type ? type : "", error_type) == 0,
                  "%s, %s/%s, exit %d, signal %d: %s\n%.500s",
                  tako_verdict_name(tako_record_verdict(rec)),
                  tako_status_name(tako_record_status(rec)), type ? type : "-",
                  tako_record_exit_code(rec), tako_record_signal(rec),
                  tako_record_error_message(rec) ? tako_record_error_message(rec) : "",
                  tako_record_stderr(rec, NULL));
}

/* ---- CPU time -------------------------------------------------------------------------------- */

static void cpu_body(void)
{
    static const char *const spinners[] = {
        "while True: pass\n",
        "import os\nos.fork(); os.fork()\nwhile True: pass\n",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass\n",
        "import threading\n"
        "def f():\n    while True: pass\n"
        "for i in range(3): threading.Thread(target=f).start()\n",
    };
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    char code[80];
    size_t i;

    if (!t)
        return;
    job.cpu_timeout_ms = 300;
    for (i = 0; i < sizeof(spinners) / sizeof(*spinners); i++) {
        rec = sandbox_run_job(t, spinners[i], &job);
        limits_expect(rec, TAKO_VERDICT_CPU, TAKO_TIMEOUT, "execution_timeout");
        ck_assert_str_eq(tako_record_error_message(rec),
                         "Code execution exceeded CPU time limit (0.3s)");
        ck_assert_msg(tako_record_cpu_us(rec) >= 290000, "%lld us",
                      (long long)tako_record_cpu_us(rec));
        tako_record_free(rec);
    }
    /* Time that passes without use does not count, and children that ended do. */
    rec = sandbox_run(t, "import time");
    job.cpu_timeout_ms = 200 + tako_record_cpu_us(rec) / 400; /* more than its start takes */
    tako_record_free(rec);
    snprintf(code, sizeof(code), "import time; time.sleep(%d / 1000)",
             (int)job.cpu_timeout_ms + 300);
    rec = sandbox_run_job(t, code, &job);
    limits_expect(rec, TAKO_VERDICT_EXIT, TAKO_SUCCEEDED, "");
    tako_record_free(rec);
    rec = sandbox_run_job(t,
                          "import subprocess\n"
                          "while True: subprocess.run(['sh', '-c', 'i=0; while [ $i -lt 9999 ]; do "
                          "i=$((i+1)); done'])\n",
                          &job);
    limits_expect(rec, TAKO_VERDICT_CPU, TAKO_TIMEOUT, "execution_timeout");
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(cpu_time_of_the_whole_tree_is_limited_as_root)
{
    cpu_body();
}
END_TEST
START_TEST(cpu_time_of_the_whole_tree_is_limited_as_user)
{
    sandbox_as_user(cpu_body);
}
END_TEST

/* ---- output ---------------------------------------------------------------------------------- */

static void output_body(void)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.output_kill_bytes = 100000;
    rec = sandbox_run_job(t, "import os\nwhile True: os.write(2, b'x' * 50000)\n", &job);
    limits_expect(rec, TAKO_VERDICT_OUTPUT, TAKO_FAILED, "killed");
    ck_assert_str_eq(tako_record_error_message(rec),
                     "Output exceeded limit (100000 bytes of stderr)");
    ck_assert(tako_record_stderr_truncated(rec));
    tako_record_free(rec);
    rec = sandbox_run_job(t, "import os\nos.write(1, b'x' * 50000); os.write(1, b'x' * 50000)\n",
                          &job);
    limits_expect(rec, TAKO_VERDICT_EXIT, TAKO_SUCCEEDED, "");
    ck_assert_int_eq(tako_record_stdout_bytes(rec), 100000);
    tako_record_free(rec);
    /* The verdict does not depend on who is faster: the kill, or the end that was near anyway. */
    rec = sandbox_run_job(t, "import os\nos.write(1, b'x' * 50000); os.write(1, b'x' * 50001)\n",
                          &job);
    limits_expect(rec, TAKO_VERDICT_OUTPUT, TAKO_FAILED, "killed");
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(too_much_output_kills_when_asked_for_as_root)
{
    output_body();
}
END_TEST
START_TEST(too_much_output_kills_when_asked_for_as_user)
{
    sandbox_as_user(output_body);
}
END_TEST

/* ---- forbidden calls ------------------------------------------------------------------------- */

#if defined(__x86_64__)
static void violation_body(void)
{
    tako *t = sandbox_open(1);
    tako_record *rec;

    if (!t)
        return;
    rec = sandbox_run(t, "import ctypes\nprint('a', flush=True)\n"
                         "ctypes.CDLL(None).syscall(0x40000000 + 39)\nprint('b')\n");
    limits_expect(rec, TAKO_VERDICT_VIOLATION, TAKO_FAILED, "permission");
    ck_assert_str_eq(tako_record_error_message(rec), "System call 39 of a foreign ABI (x32)");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "a\n");
    tako_record_free(rec);
    /* By whatever process of the job. */
    rec = sandbox_run(t, "import ctypes, os, time\n"
                         "if os.fork() == 0: ctypes.CDLL(None).syscall(0x40000000 + 1)\n"
                         "time.sleep(10)\n");
    limits_expect(rec, TAKO_VERDICT_VIOLATION, TAKO_FAILED, "permission");
    tako_record_free(rec);
    rec = sandbox_run(t, "import os\nos.kill(os.getpid(), 31)\n");
    limits_expect(rec, TAKO_VERDICT_SIGNAL, TAKO_FAILED, "killed");
    ck_assert_int_eq(tako_record_signal(rec), SIGSYS);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_foreign_system_call_ends_the_job_as_root)
{
    violation_body();
}
END_TEST
START_TEST(a_foreign_system_call_ends_the_job_as_user)
{
    sandbox_as_user(violation_body);
}
END_TEST
#endif

/* ---- memory: whose limit? -------------------------------------------------------------------- */

static const char limits_child_hog[] = "import os, time\n"
                                       "if os.fork() == 0:\n"
                                       "    x = []\n"
                                       "    while True: x.append(bytearray(b'x' * 4000000))\n"
                                       "time.sleep(15)\n";

START_TEST(a_child_at_the_limit_ends_the_job_as_oom)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    if (getuid() != 0) {
        skip_or_fail("root", "a group of its own is needed");
        tako_close(t);
        return;
    }
    job.memory_bytes = 96 << 20;
    rec = sandbox_run_job(t, limits_child_hog, &job);
    limits_expect(rec, TAKO_VERDICT_OOM, TAKO_OOM, "oom");
    ck_assert(tako_record_peak_bytes(rec) <= job.memory_bytes);
    ck_assert(tako_record_peak_bytes(rec) >= job.memory_bytes * 98 / 100);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

static const char *const limits_hierarchies[] = {"/memory", "/pids", "/cpu", "/cpuacct"};

static bool limits_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

/* A group with 80 MiB in every hierarchy there is; its path below each, or NULL. */
static const char *limits_tight_parent(char name[64], bool make)
{
    char path[200];
    size_t i;
    bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;

    if (make)
        snprintf(name, 64, "/tako-test-%d", (int)getpid());
    for (i = 0; i < sizeof(limits_hierarchies) / sizeof(*limits_hierarchies); i++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s", v2 ? "" : limits_hierarchies[i], name);
        if (make ? mkdir(path, 0755) < 0 && errno != EEXIST : rmdir(path) < 0 && errno != ENOENT)
            return NULL;
    }
    if (!make)
        return name;
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s%s/memory.%s", v2 ? "" : "/memory", name,
             v2 ? "max" : "limit_in_bytes");
    return limits_write(path, "83886080") ? name : NULL;
}

static void limits_host_oom(const char *parent)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    tako *t = NULL;

    opts.workers = 1;
    opts.cgroup = parent;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    job.memory_bytes = 400 << 20;
    rec = sandbox_run_job(t, "x = []\nwhile True: x.append(bytearray(b'x' * 4000000))\n", &job);
    limits_expect(rec, TAKO_VERDICT_HOST_OOM, TAKO_FAILED, "killed");
    ck_assert_int_ge(tako_record_oom_kills(rec), 1);
    tako_record_free(rec);
    job.memory_bytes = 64 << 20; /* below its parent's: now it is the job's own */
    rec = sandbox_run_job(t, "x = []\nwhile True: x.append(bytearray(b'x' * 4000000))\n", &job);
    limits_expect(rec, TAKO_VERDICT_OOM, TAKO_OOM, "oom");
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(memory_of_the_host_is_told_from_memory_of_the_job)
{
    char name[64];
    const char *parent;
    int status;
    pid_t pid;

    if (getuid() != 0) {
        skip_or_fail("root", "a group of its own is needed");
        return;
    }
    parent = limits_tight_parent(name, true);
    if (!parent) {
        skip_or_fail("cgroup", "no group with a memory limit can be made");
        limits_tight_parent(name, false);
        return;
    }
    fflush(NULL);
    pid = fork(); /* so that the group is removed whatever happens */
    if (pid == 0) {
        limits_host_oom(parent);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(limits_tight_parent(name, false) != NULL, "the parent group is not empty");
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- facts ----------------------------------------------------------------------------------- */

static void facts_body(void)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    rec = sandbox_run(t, "import os, time\n"
                         "for i in range(5):\n"
                         "    if os.fork() == 0: time.sleep(100)\n");
    limits_expect(rec, TAKO_VERDICT_EXIT, TAKO_SUCCEEDED, "");
    ck_assert_int_eq(tako_record_survivors(rec), 5);
    if (tako_record_pids_peak(rec) != -1) {
        ck_assert_int_eq(tako_record_pids_peak(rec), 6);
        ck_assert_int_eq(tako_record_pids_hits(rec), 0);
    }
    tako_record_free(rec);
    rec = sandbox_run(t, "import os, time\n"
                         "try:\n"
                         "    while True:\n"
                         "        if os.fork() == 0: time.sleep(100)\n"
                         "except OSError: pass\n");
    limits_expect(rec, TAKO_VERDICT_EXIT, TAKO_SUCCEEDED, "");
    if (tako_record_pids_peak(rec) != -1)
        ck_assert_int_eq(tako_record_pids_peak(rec), 100);
    if (tako_record_pids_hits(rec) != -1)
        ck_assert_int_ge(tako_record_pids_hits(rec), 1);
    tako_record_free(rec);
    job.timeout_ms = 600;
    rec = sandbox_run_job(t, "import os\nos.fork(); os.fork()\nwhile True: pass\n", &job);
    limits_expect(rec, TAKO_VERDICT_WALL, TAKO_TIMEOUT, "execution_timeout");
    /* On a busy machine the share may not be reached. */
    if (tako_record_throttled_us(rec) != -1 &&
        tako_record_cpu_us(rec) > tako_record_wall_us(rec) * 95 / 100)
        ck_assert_int_gt(tako_record_throttled_us(rec), 0);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_record_tells_the_facts_beside_the_verdict_as_root)
{
    facts_body();
}
END_TEST
START_TEST(a_record_tells_the_facts_beside_the_verdict_as_user)
{
    sandbox_as_user(facts_body);
}
END_TEST

/* ---- what is shared by none ------------------------------------------------------------------ */

static int limits_overlay(void *has, const tako_layer *layer)
{
    if (strcmp(layer->name, "private_files") == 0)
        *(bool *)has = strstr(layer->detail, "overlay of it is refused") == NULL;
    return 0;
}

static void locks_body(void)
{
    bool overlay = false;
    tako *t = NULL;
    int file = open("/usr/bin/python3", O_RDONLY | O_CLOEXEC);
    int device = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert(file >= 0 && device >= 0);
    ck_assert_int_eq(tako_open(&t, NULL, NULL), TAKO_OK);
    tako_isolation(t, limits_overlay, &overlay, NULL);
    tako_close(t);
    if (!overlay) { /* a kernel without it */
        skip_or_fail("overlay", "the layer private_files says that overlays are refused");
        close(file);
        close(device);
        return;
    }
    ck_assert_int_eq(flock(file, LOCK_EX | LOCK_NB), 0);
    if (getuid() == 0) /* else the node is the host's own: the layer private_files says so */
        ck_assert_int_eq(flock(device, LOCK_EX | LOCK_NB), 0);
    sandbox_prints("import fcntl\n"
                   "for p in ('/usr/bin/python3', '/dev/null'):\n"
                   "    fcntl.flock(open(p), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
                   "print('ok')\n",
                   "ok\n");
    close(file);
    close(device);
}

START_TEST(locks_on_shared_files_are_not_seen_by_others_as_root)
{
    locks_body();
}
END_TEST
START_TEST(locks_on_shared_files_are_not_seen_by_others_as_user)
{
    sandbox_as_user(locks_body);
}
END_TEST

struct limits_nested {
    int left; /* what max_user_namespaces was inside; -1 = not looked */
};

/* Looks from inside the job's user namespace, but with the host's /proc/sys. */
static void limits_look(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    struct limits_nested *n = ctx;
    char path[64], text[32] = "";
    int fd, pipe_fd[2], init = 0;
    ssize_t got;
    pid_t pid;

    (void)id;
    (void)stream;
    (void)data;
    (void)len;
    ck_assert_int_eq(leaks_children(&init), 1);
    snprintf(path, sizeof(path), "/proc/%d/ns/user", init);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0 && pipe(pipe_fd) == 0, "%s", path);
    pid = fork();
    if (pid == 0) {
        if (setns(fd, CLONE_NEWUSER))
            _exit(1);
        fd = open("/proc/sys/user/max_user_namespaces", O_RDONLY);
        got = read(fd, text, sizeof(text));
        _exit(got > 0 && write(pipe_fd[1], text, (size_t)got) == got ? 0 : 1);
    }
    close(fd);
    close(pipe_fd[1]);
    got = read(pipe_fd[0], text, sizeof(text) - 1);
    close(pipe_fd[0]);
    waitpid(pid, NULL, 0);
    n->left = got > 0 ? atoi(text) : -2;
}

START_TEST(no_user_namespace_can_be_made_inside)
{
    struct limits_nested n = {-1};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    tako *t = NULL;

    if (getuid() != 0 || strcmp(test_sanitizer(), "") != 0)
        return; /* only root can look, and only a process with one thread */
    opts.workers = 0;
    opts.on_output = limits_look;
    opts.output_ctx = &n;
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return;
    }
    ck_assert_int_eq(tako_start(t, &err), TAKO_OK);
    rec = sandbox_run_job(t, "import time\nprint(1, flush=True)\ntime.sleep(0.3)\n", &job);
    limits_expect(rec, TAKO_VERDICT_EXIT, TAKO_SUCCEEDED, "");
    ck_assert_int_eq(n.left, 0);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

Suite *suite_limits(void)
{
    Suite *s = suite_create("limits");
    TCase *c = tcase_create("limits");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, cpu_time_of_the_whole_tree_is_limited_as_root);
    tcase_add_test(c, cpu_time_of_the_whole_tree_is_limited_as_user);
    tcase_add_test(c, too_much_output_kills_when_asked_for_as_root);
    tcase_add_test(c, too_much_output_kills_when_asked_for_as_user);
#if defined(__x86_64__)
    tcase_add_test(c, a_foreign_system_call_ends_the_job_as_root);
    tcase_add_test(c, a_foreign_system_call_ends_the_job_as_user);
#endif
    tcase_add_test(c, a_child_at_the_limit_ends_the_job_as_oom);
    tcase_add_test(c, memory_of_the_host_is_told_from_memory_of_the_job);
    tcase_add_test(c, a_record_tells_the_facts_beside_the_verdict_as_root);
    tcase_add_test(c, a_record_tells_the_facts_beside_the_verdict_as_user);
    tcase_add_test(c, locks_on_shared_files_are_not_seen_by_others_as_root);
    tcase_add_test(c, locks_on_shared_files_are_not_seen_by_others_as_user);
    tcase_add_test(c, no_user_namespace_can_be_made_inside);
    suite_add_tcase(s, c);
    return s;
}
