/* check_attacks.c - attacks on the sandbox and on its host: hosts in odd states (few descriptors,
 * timers, priorities, a seccomp filter of their own), jobs that leave something behind, and ends
 * that race with cancels and deadlines.
 * SPDX-License-Identifier: MIT */
#include "../support/leaks.h"
#include "../support/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

Suite *suite_attacks(void);

static void attack_sleep_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* An engine in memory whose sandbox was not tried yet. */
static tako *attack_open(const tako_options *opts)
{
    tako_error err;
    tako *t = NULL;

    ck_assert_msg(tako_open(&t, opts, &err) == TAKO_OK, "%s", err.message);
    return t;
}

/* True when jobs can be run here at all, asked from a process of its own, so that a test which
 * expects the sandbox to work under odd conditions is skipped, not failed, where it never does. */
static bool attack_possible(void)
{
    int status = 0;
    pid_t pid;
    tako *t;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        t = sandbox_open(0);
        _exit(t ? 0 : 77);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* ---- the host is struck ---------------------------------------------------------------------- */

static void attack_kill_init(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    int init = 0;

    (void)id;
    (void)stream;
    (void)data;
    (void)len;
    ck_assert_int_eq(leaks_children(&init), 1);
    ck_assert_int_eq(kill(init, SIGKILL), 0);
    attack_sleep_ms(*(const long *)ctx);
}

/* The deadline passes while init is dead already: the host has nobody to tell, must not be killed
 * by SIGPIPE for trying, and must not take the end for its own doing. */
static void dead_init_body(void)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    long pause_ms = 1600;
    tako *t;

    opts.workers = 0; /* runs in this thread, with this thread's signal mask */
    opts.on_output = attack_kill_init;
    opts.output_ctx = &pause_ms;
    t = attack_open(&opts);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    job.code = "import time\nprint('x')\ntime.sleep(100)";
    job.timeout_ms = 1500;
    ck_assert_msg(tako_run(t, &job, &rec, &err) == TAKO_OK, "%s", err.message);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_SIGNAL);
    ck_assert_int_eq(tako_record_signal(rec), SIGKILL);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_deadline_after_init_was_killed_does_not_kill_the_host)
{
    if (attack_possible())
        dead_init_body();
}
END_TEST

/* ---- hosts in odd states --------------------------------------------------------------------- */

static void attack_on_alarm(int sig)
{
    (void)sig;
}

/* As a profiler does: signals all the time, to whichever thread runs. */
START_TEST(a_host_with_a_fast_timer_has_a_sandbox)
{
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct sigaction act;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t;
    int rc;

    if (!attack_possible())
        return;
    memset(&act, 0, sizeof(act));
    act.sa_handler = attack_on_alarm;
    ck_assert_int_eq(sigaction(SIGALRM, &act, NULL), 0);
    t = attack_open(&opts);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    rc = tako_isolation(t, sandbox_any_layer, NULL, &err);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_msg(rc == TAKO_OK, "%s", err.message);
    tako_close(t);
}
END_TEST

static void *attack_ask(void *engine)
{
    tako_error err;

    if (tako_isolation(engine, sandbox_any_layer, NULL, &err) == TAKO_OK)
        return NULL;
    return strdup(err.message);
}

START_TEST(threads_that_ask_first_at_once_get_one_answer)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    pthread_t thread[4];
    void *message = NULL;
    tako *t;
    int i;

    if (!attack_possible())
        return;
    t = attack_open(&opts);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, attack_ask, t), 0);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(thread[i], &message), 0);
        ck_assert_msg(!message, "thread %d was told: %s", i, (char *)message);
    }
    tako_close(t);
}
END_TEST

/* Runs one program in a fresh engine of this process and expects "ok". */
static void attack_expect_ok(const char *code)
{
    sandbox_prints(code, "ok\n");
}

static void closed_streams_body(void)
{
    int keep = fcntl(2, F_DUPFD_CLOEXEC, 100), fd, bad = 0;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako *t = NULL;

    memset(&err, 0, sizeof(err));
    for (fd = 0; fd < 3; fd++)
        close(fd);
    opts.workers = 0;
    job.code = "import sys\nassert sys.stdin.read() == ''\nprint('ok')";
    bad = tako_open(&t, &opts, &err) || tako_start(t, &err);
    for (fd = 0; fd < 3 && !bad; fd++) { /* whatever is there, once its sandbox is made too */
        tako_record_free(rec);
        rec = NULL;
        bad = tako_run(t, &job, &rec, &err) || strcmp(tako_record_stdout(rec, NULL), "ok\n") != 0;
    }
    dup2(keep, 2);
    ck_assert_msg(!bad, "%s %s", err.message, rec ? tako_record_error_message(rec) : "");
    tako_record_free(rec);
    tako_close(t);
}

/* With 0-2 free, one of the engine's descriptors lands on each in turn. */
START_TEST(a_host_without_standard_streams_runs_jobs)
{
    if (attack_possible())
        closed_streams_body();
}
END_TEST

/* A host that has run out of descriptors for a while delays jobs, it does not fail them. */
START_TEST(a_host_without_a_free_descriptor_keeps_the_job)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    struct rlimit limit = {64, 64};
    tako_record *rec = NULL;
    int fds[64], count = 0;
    tako_error err;
    tako_id id;
    tako *t;

    if (!attack_possible())
        return;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    opts.workers = 0;
    t = attack_open(&opts);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    job.code = "print('ok')";
    ck_assert_int_eq(tako_submit(t, &job, &id, &err), TAKO_OK);
    while (count < 64 && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    ck_assert_int_eq(tako_step(t, &err), 1);
    while (count > 0)
        close(fds[--count]);
    ck_assert_int_eq(tako_get(t, id.text, &rec, &err), TAKO_OK);
    ck_assert_msg(tako_record_status(rec) == TAKO_QUEUED, "%s: %s",
                  tako_status_name(tako_record_status(rec)), tako_record_error_message(rec));
    tako_record_free(rec);
    attack_sleep_ms(500);
    ck_assert_msg(tako_wait(t, id.text, -1, &rec, &err) == TAKO_OK, "%s", err.message);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "ok\n");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(a_host_that_ignores_children_runs_jobs)
{
    if (!attack_possible())
        return;
    signal(SIGCHLD, SIG_IGN);
    attack_expect_ok("import subprocess\nsubprocess.run(['true'], check=True)\nprint('ok')\n");
}
END_TEST

static void *attack_collect(void *stop)
{
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        if (waitpid(-1, NULL, 0) < 0)
            attack_sleep_ms(1);
    return NULL;
}

START_TEST(a_host_that_collects_every_child_runs_jobs)
{
    pthread_t thread;
    int stop = 0, i;

    if (!attack_possible())
        return;
    ck_assert_int_eq(pthread_create(&thread, NULL, attack_collect, &stop), 0);
    for (i = 0; i < 3; i++)
        attack_expect_ok("print('ok')\n");
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(an_urgent_host_does_not_pass_that_on)
{
    static const char code[] = "import os\n"
                               "assert os.sched_getscheduler(0) == os.SCHED_OTHER\n"
                               "assert os.getpriority(os.PRIO_PROCESS, 0) == 0\n"
                               "print('ok')\n";
    struct sched_param param;

    if (getuid() != 0 || !attack_possible())
        return;
    if (setpriority(PRIO_PROCESS, 0, -7) == 0)
        attack_expect_ok(code);
    memset(&param, 0, sizeof(param));
    param.sched_priority = 1;
    if (sched_setscheduler(0, SCHED_FIFO, &param) == 0)
        attack_expect_ok(code);
}
END_TEST

static void first_to_die_body(void)
{
    attack_expect_ok("assert open('/proc/self/oom_score_adj').read() == '1000\\n'\n"
                     "print('ok')\n");
}
START_TEST(a_job_is_the_first_to_die_when_memory_runs_out_as_root)
{
    first_to_die_body();
}
END_TEST
START_TEST(a_job_is_the_first_to_die_when_memory_runs_out_as_user)
{
    sandbox_as_user(first_to_die_body);
}
END_TEST

/* A host's own filter that refuses one call out of the middle of a loop: the last capability must
 * not stay in the bounding set unnoticed. */
START_TEST(a_bounding_set_that_cannot_be_emptied_is_a_refusal)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 24 /* PR_CAPBSET_DROP */, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 38, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(insns) / sizeof(insns[0]), insns};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t;

    if (!attack_possible())
        return;
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
    t = attack_open(&opts);
    ck_assert_int_eq(tako_isolation(t, sandbox_any_layer, NULL, &err), TAKO_EEXEC);
    ck_assert_msg(strstr(err.message, "bounding set") != NULL, "%s", err.message);
    tako_close(t);
}
END_TEST

START_TEST(an_unlimited_stack_is_not_passed_on)
{
    struct rlimit limit;

    if (!attack_possible())
        return;
    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
    attack_expect_ok("import resource as r\n"
                     "soft, hard = r.getrlimit(r.RLIMIT_STACK)\n"
                     "assert 0 < soft <= 8 << 20 and 0 < hard <= 8 << 20, (soft, hard)\n"
                     "print('ok')\n");
}
END_TEST

/* ---- jobs ------------------------------------------------------------------------------------ */

/* Every program prints "ok" or what is wrong. */
static const char *const attack_programs[] = {
    /* huge pages come out of a pool of the host that no memory limit counts */
    "import mmap, errno, os, ctypes\n"
    "try: mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)\n"
    "except OSError as e: assert e.errno == errno.EPERM, e\n"
    "try: os.memfd_create('x', os.MFD_HUGETLB); print('memfd')\n"
    "except OSError as e: assert e.errno == errno.EPERM, e\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "assert c.shmget(0, 2 << 20, 0o4600) == -1 and ctypes.get_errno() == errno.EPERM\n"
    "m = mmap.mmap(-1, 4096); m[0] = 1; os.memfd_create('y')\n"
    "assert c.shmget(0, 4096, 0o600) >= 0\n"
    "print('ok')\n",
    /* flushing every file system of the host is not a job's business; its own have no disk */
    "import os, ctypes\n"
    "os.sync()\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "assert c.syncfs(-1) == 0\n"
    "print('ok')\n",
    /* watching shared files would show what the host and other jobs open */
    "import ctypes, errno, fcntl, os\n"
    "c = ctypes.CDLL(None, use_errno=True)\n"
    "assert c.inotify_init() == -1 and c.inotify_init1(0) == -1\n"
    "f = os.open('/usr/bin', os.O_RDONLY)\n"
    "for command in (fcntl.F_NOTIFY, fcntl.F_SETLEASE):\n"
    "    try: fcntl.fcntl(f, command, 0); print('fcntl', command)\n"
    "    except OSError as e: assert e.errno == errno.EPERM, e\n"
    "fcntl.fcntl(f, fcntl.F_GETFL); fcntl.fcntl(f, fcntl.F_DUPFD_CLOEXEC, 9)\n"
    "g = open('/tmp/lock', 'w'); fcntl.lockf(g, fcntl.LOCK_EX); fcntl.flock(g, fcntl.LOCK_EX)\n"
    "print('ok')\n",
    /* the device nodes are the host's own */
    "import os\n"
    "for name in ('null', 'zero', 'full', 'random', 'urandom'):\n"
    "    for change in (os.utime, lambda p: os.chmod(p, 0o666), lambda p: os.truncate(p, 0)):\n"
    "        try: change('/dev/' + name); print('changed', name)\n"
    "        except OSError: pass\n"
    "open('/dev/null', 'w').write('x'); open('/dev/zero', 'r+b', 0).read(1)\n"
    "print('ok')\n",
    /* init is not to be bent by limits */
    "import resource as r\n"
    "try: r.prlimit(1, r.RLIMIT_CPU, (1, 1)); print('limited init')\n"
    "except (PermissionError, ProcessLookupError): pass\n"
    "r.setrlimit(r.RLIMIT_NOFILE, (100, 100)); assert r.getrlimit(r.RLIMIT_NOFILE) == (100, 100)\n"
    "print('ok')\n",
};

static void programs_body(void)
{
    size_t i;

    for (i = 0; i < sizeof(attack_programs) / sizeof(*attack_programs); i++)
        attack_expect_ok(attack_programs[i]);
}
START_TEST(what_is_shared_with_the_host_is_out_of_reach_as_root)
{
    programs_body();
}
END_TEST
START_TEST(what_is_shared_with_the_host_is_out_of_reach_as_user)
{
    sandbox_as_user(programs_body);
}
END_TEST

START_TEST(a_job_leaves_nothing_on_its_stdin_for_the_next)
{
    tako *t = sandbox_open(1);
    tako_record *rec;

    if (!t)
        return;
    rec = sandbox_run(t, "import fcntl, os\n"
                         "fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)\n");
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    tako_record_free(rec);
    rec = sandbox_run(t, "import fcntl, os\n"
                         "print(fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_NONBLOCK | os.O_APPEND))\n");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "0\n");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

/* ---- races ----------------------------------------------------------------------------------- */

struct attack_cancel {
    tako *t;
    tako_id id;
    long after_us;
};

static void *attack_cancel_later(void *arg)
{
    struct attack_cancel *c = arg;
    struct timespec pause = {0, c->after_us * 1000};
    tako_error err;

    nanosleep(&pause, NULL);
    tako_cancel(c->t, c->id.text, &err); /* too late is fine */
    return NULL;
}

/* A program that ends at once against a cancel or a deadline at any moment of its life. */
static void races_body(void)
{
    struct attack_cancel c;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    pthread_t thread;
    unsigned seed = 1;
    tako_status status;
    tako_verdict verdict;
    int i, descriptors = 0, before;

    opts.workers = 1;
    opts.interpreter = "/usr/bin/true";
    c.t = attack_open(&opts);
    ck_assert_msg(tako_start(c.t, &err) == TAKO_OK, "%s", err.message);
    job.code = "x";
    for (i = 0; i < 120; i++) {
        if (i == 10)
            descriptors = leaks_entries("/proc/self/fd");
        rec = NULL;
        job.timeout_ms = i % 2 ? 1 + rand_r(&seed) % 6 : 20000;
        c.after_us = rand_r(&seed) % 12000;
        ck_assert_int_eq(tako_submit(c.t, &job, &c.id, &err), TAKO_OK);
        if (i % 2 == 0)
            ck_assert_int_eq(pthread_create(&thread, NULL, attack_cancel_later, &c), 0);
        ck_assert_msg(tako_wait(c.t, c.id.text, 20000, &rec, &err) == TAKO_OK, "%s", err.message);
        if (i % 2 == 0)
            pthread_join(thread, NULL);
        status = tako_record_status(rec);
        verdict = tako_record_verdict(rec);
        ck_assert_msg((status == TAKO_SUCCEEDED && verdict == TAKO_VERDICT_EXIT) ||
                          (i % 2 == 0 && status == TAKO_CANCELLED) ||
                          (i % 2 == 1 && status == TAKO_TIMEOUT),
                      "round %d: %s, %s: %s", i, tako_status_name(status),
                      tako_verdict_name(verdict), tako_record_error_message(rec));
        tako_record_free(rec);
    }
    before = leaks_entries("/proc/self/fd");
    /* A few sandboxes' parts may be ready ahead now that were not then; a leak would be of 110. */
    ck_assert_msg(before <= descriptors + 30, "%d descriptors, then %d", descriptors, before);
    ck_assert_int_eq(leaks_children(NULL), 0);
    tako_close(c.t);
}
START_TEST(ends_race_with_cancels_and_deadlines_as_root)
{
    if (attack_possible())
        races_body();
}
END_TEST
START_TEST(ends_race_with_cancels_and_deadlines_as_user)
{
    if (attack_possible())
        sandbox_as_user(races_body);
}
END_TEST

static void *attack_interrupt(void *stop)
{
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        kill(0, SIGINT); /* as a terminal does: to every process of the group */
    return NULL;
}

static void interrupt_body(void)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    pthread_t thread;
    int stop = 0, i;
    tako *t;

    setpgid(0, 0);
    signal(SIGINT, SIG_IGN);
    opts.workers = 1;
    opts.interpreter = "/usr/bin/true";
    t = attack_open(&opts);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    ck_assert_int_eq(pthread_create(&thread, NULL, attack_interrupt, &stop), 0);
    job.code = "x";
    for (i = 0; i < 40; i++) {
        rec = NULL;
        ck_assert_msg(tako_run(t, &job, &rec, &err) == TAKO_OK, "%s", err.message);
        ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "round %d: %s", i,
                      tako_record_error_message(rec));
        tako_record_free(rec);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    tako_close(t);
}
START_TEST(an_interrupt_of_the_host_does_not_reach_its_jobs_as_root)
{
    if (attack_possible())
        interrupt_body();
}
END_TEST
START_TEST(an_interrupt_of_the_host_does_not_reach_its_jobs_as_user)
{
    if (attack_possible())
        sandbox_as_user(interrupt_body);
}
END_TEST

START_TEST(a_shortage_while_probing_is_not_held_against_the_host)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct rlimit limit, tight;
    tako_error err;
    tako *t = NULL;
    int next;

    if (!attack_possible())
        return;
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    next = dup(0);
    close(next);
    tight = limit;
    tight.rlim_cur = (rlim_t)next + 6;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    ck_assert_int_ne(tako_isolation(t, sandbox_any_layer, NULL, &err), TAKO_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(tako_isolation(t, sandbox_any_layer, NULL, &err) == TAKO_OK, "%s", err.message);
    tako_close(t);
}
END_TEST

/* ---- the root of a rootless container ---- */

static void attack_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

START_TEST(the_root_of_a_user_namespace_runs_jobs)
{
    int status;
    pid_t pid;

    if (!attack_possible())
        return;
    if (strcmp(test_sanitizer(), "thread") == 0) {
        skip_or_fail("unshare", "the sanitizer's thread keeps this process from a new namespace");
        return;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        char uid_map[48], gid_map[48];

        snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned)getuid());
        snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned)getgid());
        ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
        attack_write("/proc/self/setgroups", "deny");
        attack_write("/proc/self/uid_map", uid_map);
        attack_write("/proc/self/gid_map", gid_map);
        sandbox_prints("import os; print(os.getuid())", "1000\n");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- */

Suite *suite_attacks(void)
{
    Suite *s = suite_create("attacks");
    TCase *c = tcase_create("attacks");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_deadline_after_init_was_killed_does_not_kill_the_host);
    tcase_add_test(c, a_host_with_a_fast_timer_has_a_sandbox);
    tcase_add_test(c, threads_that_ask_first_at_once_get_one_answer);
    tcase_add_test(c, a_host_without_standard_streams_runs_jobs);
    tcase_add_test(c, a_host_without_a_free_descriptor_keeps_the_job);
    tcase_add_test(c, a_host_that_ignores_children_runs_jobs);
    tcase_add_test(c, a_host_that_collects_every_child_runs_jobs);
    tcase_add_test(c, an_urgent_host_does_not_pass_that_on);
    tcase_add_test(c, a_job_is_the_first_to_die_when_memory_runs_out_as_root);
    tcase_add_test(c, a_job_is_the_first_to_die_when_memory_runs_out_as_user);
    tcase_add_test(c, a_bounding_set_that_cannot_be_emptied_is_a_refusal);
    tcase_add_test(c, an_unlimited_stack_is_not_passed_on);
    tcase_add_test(c, what_is_shared_with_the_host_is_out_of_reach_as_root);
    tcase_add_test(c, what_is_shared_with_the_host_is_out_of_reach_as_user);
    tcase_add_test(c, a_job_leaves_nothing_on_its_stdin_for_the_next);
    tcase_add_test(c, an_interrupt_of_the_host_does_not_reach_its_jobs_as_root);
    tcase_add_test(c, an_interrupt_of_the_host_does_not_reach_its_jobs_as_user);
    tcase_add_test(c, a_shortage_while_probing_is_not_held_against_the_host);
    tcase_add_test(c, the_root_of_a_user_namespace_runs_jobs);
    tcase_add_test(c, ends_race_with_cancels_and_deadlines_as_root);
    tcase_add_test(c, ends_race_with_cancels_and_deadlines_as_user);
    suite_add_tcase(s, c);
    return s;
}
