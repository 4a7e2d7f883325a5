/* check_pressure.c - the engine and its other jobs while hostile ones are at work: many at once, a
 * neighbour beside each kind of exhaustion, ends right at the deadline, and a host whose clock is
 * moved meanwhile. Nothing here measures speed; what must hold is that all goes on and is told right.
 * SPDX-License-Identifier: MIT */
#include "../support/leaks.h"
#include "../support/sandbox.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

Suite *suite_pressure(void);

/* ---- many at once (DS15) --------------------------------------------------------------------- */

static const struct {
    const char *code;
    int64_t timeout_ms;
    tako_status status; /* TAKO_QUEUED = any end of its own */
} crowd[] = {
    {"while True: pass", 150, TAKO_TIMEOUT},
    {"import os\n"
     "while True:\n"
     "    try: os.fork()\n"
     "    except OSError: pass\n",
     250, TAKO_TIMEOUT},
    {"import os\nb = b'x' * 65536\nwhile True: os.write(1, b)", 150, TAKO_TIMEOUT},
    {"kept = []\nwhile True: kept.append(bytes(1 << 20) + b'x')", 20000, TAKO_OOM},
    {"import os; os._exit(137)", 20000, TAKO_FAILED},
    {"import os; os.kill(os.getpid(), 9)", 20000, TAKO_FAILED},
    {"import os\nos.fork(); os.fork(); os.setsid()\nos.close(1)", 20000, TAKO_QUEUED},
    {"print('x' * 100000)", 20000, TAKO_SUCCEEDED},
};
enum { CROWD_KINDS = sizeof(crowd) / sizeof(*crowd), CROWD = 200, CROWD_ROOM = 64, WORKERS = 4 };

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* More hostile jobs than there is room for: the rest is refused, and what was accepted ends as it
 * must, with no more than a few descriptors per worker and a little memory. */
static void crowd_body(void)
{
    static tako_id id[CROWD];
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    tako *t = NULL;
    int i, kind, refused = 0, accepted = 0, descriptors, most = 0;
    long before;
    int which[CROWD];

    opts.workers = WORKERS;
    opts.max_queued = CROWD_ROOM;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return;
    }
    before = resident_kib();
    descriptors = leaks_entries("/proc/self/fd");
    job.memory_bytes = TAKO_MEMORY_MIN;
    for (i = 0; i < CROWD; i++) { /* not started yet: nobody takes any out */
        kind = i % CROWD_KINDS;
        job.code = crowd[kind].code;
        job.timeout_ms = crowd[kind].timeout_ms;
        which[accepted] = kind;
        if (tako_submit(t, &job, &id[accepted], &err) == TAKO_OK) {
            accepted++;
        } else {
            ck_assert_msg(err.code == TAKO_EFULL, "%s", err.message);
            refused++;
        }
    }
    ck_assert_int_eq(accepted, CROWD_ROOM);
    ck_assert_int_eq(refused, CROWD - CROWD_ROOM);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    for (i = 0; i < accepted; i++) {
        rec = NULL;
        ck_assert_msg(tako_wait(t, id[i].text, 120000, &rec, &err) == TAKO_OK, "%s", err.message);
        ck_assert_msg(tako_record_status(rec) == crowd[which[i]].status ||
                          crowd[which[i]].status == TAKO_QUEUED,
                      "%.40s: %s, %s: %s", crowd[which[i]].code,
                      tako_status_name(tako_record_status(rec)),
                      tako_verdict_name(tako_record_verdict(rec)),
                      tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
        ck_assert_int_ne(tako_record_verdict(rec), TAKO_VERDICT_SETUP);
        ck_assert_int_ne(tako_record_verdict(rec), TAKO_VERDICT_LOST);
        tako_record_free(rec);
        kind = leaks_entries("/proc/self/fd");
        most = kind > most ? kind : most;
    }
    ck_assert_msg(most <= descriptors + 60 * WORKERS, "%d descriptors, then %d", descriptors, most);
    if (!*test_sanitizer()) /* which keep what is freed for a while */
        ck_assert_msg(resident_kib() < before + 24 * 1024, "%ld KiB, then %ld", before,
                      resident_kib());
    rec = sandbox_run(t, "print('still here')");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "still here\n");
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_crowd_of_hostile_jobs_is_worked_off_as_root)
{
    crowd_body();
}
END_TEST
START_TEST(a_crowd_of_hostile_jobs_is_worked_off_as_user)
{
    sandbox_as_user(crowd_body);
}
END_TEST

/* ---- neighbours (RX21, RX22, RX25, DS01) ----------------------------------------------------- */

static const char *const burdens[] = {
    /* asks to go first, and burns what it gets */
    "import os\n"
    "for policy in (os.SCHED_FIFO, os.SCHED_RR):\n"
    "    try: os.sched_setscheduler(0, policy, os.sched_param(1))\n"
    "    except OSError: pass\n"
    "os.write(1, b'at work')\n"
    "while True: pass\n",
    /* all the memory for pipes that one user may have */
    "import fcntl, os, time\n"
    "try:\n"
    "    while True:\n"
    "        r, w = os.pipe()\n"
    "        try: fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 1048576)\n"
    "        except PermissionError: pass\n"
    "except OSError: pass\n"
    "os.write(1, b'at work')\n"
    "time.sleep(1000)\n",
    /* starts programs without end */
    "import os, subprocess\n"
    "os.write(1, b'at work')\n"
    "while True: subprocess.run(['/usr/bin/true'])\n",
    /* forks without end */
    "import os\n"
    "os.write(1, b'at work')\n"
    "while True:\n"
    "    try: os.fork()\n"
    "    except OSError: pass\n",
    /* writes without end */
    "import os\n"
    "b = b'x' * 65536\n"
    "while True: os.write(1, b)\n",
    /* as many files, locks and blocked signals as it can have */
    "import fcntl, os, signal, time\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
    "for i in range(100):\n"
    "    f = os.open('/tmp/%d' % i, os.O_CREAT | os.O_RDWR); fcntl.flock(f, fcntl.LOCK_EX)\n"
    "for i in range(1000): os.kill(os.getpid(), 40)\n"
    "os.write(1, b'at work')\n"
    "time.sleep(1000)\n",
};

struct burden {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int at_work;
};

static void burden_output(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    struct burden *b = ctx;

    (void)id;
    (void)data;
    if (stream != 1 || len == 0)
        return;
    pthread_mutex_lock(&b->lock);
    b->at_work = 1;
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* What the neighbour needs: a pipe of the usual size (which is per user, so that only a root host
 * can promise it), processes, threads, files, locks, signals. */
static const char neighbour[] =
    "import fcntl, json, os, signal, subprocess, threading\n"
    "r, w = os.pipe()\n"
    "size = fcntl.fcntl(w, 1032)\n" /* F_GETPIPE_SZ */
    "if json.load(open('/input/data.json'))['root']: assert size == 65536, size\n"
    "subprocess.run(['/usr/bin/true'], check=True)\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, [40])\n"
    "t = threading.Thread(target=print, args=('works',)); t.start(); t.join()\n"
    "f = open('/tmp/0', 'w'); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); f.write('x')\n"
    "os.kill(os.getpid(), 40)\n"
    "assert 40 in signal.sigpending()\n";

static void neighbour_body(void)
{
    struct burden burden = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job heavy = TAKO_JOB_INIT, light = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    tako *t = NULL;
    tako_id id;
    size_t i;

    opts.workers = 2;
    opts.on_output = burden_output;
    opts.output_ctx = &burden;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return;
    }
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    light.input = getuid() == 0 ? "{\"root\": true}" : "{\"root\": false}";
    for (i = 0; i < sizeof(burdens) / sizeof(*burdens); i++) {
        burden.at_work = 0;
        heavy.code = burdens[i];
        heavy.timeout_ms = 60000;
        ck_assert_msg(tako_submit(t, &heavy, &id, &err) == TAKO_OK, "%s", err.message);
        pthread_mutex_lock(&burden.lock);
        while (!burden.at_work)
            pthread_cond_wait(&burden.changed, &burden.lock);
        pthread_mutex_unlock(&burden.lock);
        rec = sandbox_run_job(t, neighbour, &light);
        ck_assert_msg(strcmp(tako_record_stdout(rec, NULL), "works\n") == 0 &&
                          tako_record_status(rec) == TAKO_SUCCEEDED,
                      "beside %.50s: %s: %s", burdens[i],
                      tako_verdict_name(tako_record_verdict(rec)), tako_record_stderr(rec, NULL));
        tako_record_free(rec);
        rec = NULL;
        ck_assert_msg(tako_cancel(t, id.text, &err) == TAKO_OK, "%zu: %s", i, err.message);
        ck_assert_msg(tako_wait(t, id.text, 30000, &rec, &err) == TAKO_OK, "%s", err.message);
        ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_CANCELLED);
        tako_record_free(rec);
    }
    tako_close(t);
}

START_TEST(a_neighbour_of_every_burden_still_works_as_root)
{
    neighbour_body();
}
END_TEST
START_TEST(a_neighbour_of_every_burden_still_works_as_user)
{
    sandbox_as_user(neighbour_body);
}
END_TEST

/* ---- ends around the deadline (SG09) --------------------------------------------------------- */

/* A program that ends within a few milliseconds of its deadline, before or after: it exits or is
 * timed out, and what is told agrees with how long it ran. */
static void deadline_body(void)
{
    enum { ROUNDS = 60 };
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    char code[200];
    int64_t limit_ms;
    int i, aim_us, step_us = 16000;
    bool exited, before = true;

    if (!t)
        return;
    /* The interpreter's own start takes part of the time: as much as it takes here and now is left
     * for the program, and what came last corrects its aim. */
    rec = sandbox_run(t, "pass");
    limit_ms = 2 * tako_record_wall_us(rec) / 1000 + 30;
    tako_record_free(rec);
    aim_us = (int)limit_ms * 500;
    job.timeout_ms = limit_ms;
    for (i = 0; i < ROUNDS; i++) {
        snprintf(code, sizeof(code),
                 "import os, time\n"
                 "end = time.monotonic() + %d / 1e6\n"
                 "while time.monotonic() < end: pass\n"
                 "os._exit(3)\n",
                 aim_us);
        rec = sandbox_run_job(t, code, &job);
        exited = tako_record_verdict(rec) == TAKO_VERDICT_EXIT;
        ck_assert_msg(
            exited
                ? tako_record_status(rec) == TAKO_FAILED && tako_record_exit_code(rec) == 3
                : tako_record_verdict(rec) == TAKO_VERDICT_WALL &&
                      tako_record_status(rec) == TAKO_TIMEOUT && tako_record_exit_code(rec) == -1 &&
                      tako_record_wall_us(rec) >= limit_ms * 1000,
            "%s, %s, exit %d after %lld us: %s", tako_verdict_name(tako_record_verdict(rec)),
            tako_status_name(tako_record_status(rec)), tako_record_exit_code(rec),
            (long long)tako_record_wall_us(rec), tako_record_error_message(rec));
        tako_record_free(rec);
        if (exited != before)
            step_us = step_us > 1000 ? step_us / 2 : 500;
        else if (i > 0 && step_us < 16000)
            step_us = step_us * 3 / 2;
        before = exited;
        aim_us += exited ? step_us : -step_us;
        aim_us = aim_us < 0 ? 0 : aim_us;
    }
    tako_close(t);
}

START_TEST(an_end_at_the_deadline_is_an_exit_or_a_timeout)
{
    deadline_body();
}
END_TEST

/* ---- a clock that is moved (DS17) ------------------------------------------------------------ */

struct moved_clock {
    int64_t shift_us;
};

static int64_t moved_now(void *ctx)
{
    struct moved_clock *c = ctx;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 +
           __atomic_load_n(&c->shift_us, __ATOMIC_RELAXED);
}

static void *move_clock(void *ctx)
{
    static const int64_t day_us = 86400000000;
    struct moved_clock *c = ctx;
    int i;

    for (i = 0; i < 8; i++) {
        leaks_pause_ms(60);
        __atomic_store_n(&c->shift_us, i % 2 ? -day_us : day_us, __ATOMIC_RELAXED);
    }
    return NULL;
}

START_TEST(a_clock_that_is_moved_changes_no_deadline)
{
    struct moved_clock moved = {0};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    pthread_t thread;
    tako *t = NULL;
    int i;

    opts.workers = 1;
    opts.clock.now_us = moved_now;
    opts.clock.ctx = &moved;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return;
    }
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    for (i = 0; i < 2; i++) { /* one that ends in time, one that does not */
        __atomic_store_n(&moved.shift_us, 0, __ATOMIC_RELAXED);
        ck_assert_int_eq(pthread_create(&thread, NULL, move_clock, &moved), 0);
        job.timeout_ms = i ? 400 : 20000;
        rec = sandbox_run_job(t, i ? "while True: pass" : "import time; time.sleep(0.4)", &job);
        pthread_join(thread, NULL);
        ck_assert_msg(tako_record_verdict(rec) == (i ? TAKO_VERDICT_WALL : TAKO_VERDICT_EXIT),
                      "%s: %s", tako_verdict_name(tako_record_verdict(rec)),
                      tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
        ck_assert_msg(tako_record_wall_us(rec) >= 400000 && tako_record_wall_us(rec) < 15000000,
                      "it ran %lld us", (long long)tako_record_wall_us(rec));
        ck_assert_int_ge(tako_record_duration_ms(rec), 0);
        ck_assert_int_eq(tako_record_attempt(rec), 1);
        ck_assert_int_eq(tako_record_deaths(rec), 0);
        tako_record_free(rec);
    }
    tako_close(t);
}
END_TEST

/* ---- */

Suite *suite_pressure(void)
{
    Suite *s = suite_create("pressure");
    TCase *c = tcase_create("pressure");

    tcase_set_timeout(c, 300);
    tcase_add_test(c, a_crowd_of_hostile_jobs_is_worked_off_as_root);
    tcase_add_test(c, a_crowd_of_hostile_jobs_is_worked_off_as_user);
    tcase_add_test(c, a_neighbour_of_every_burden_still_works_as_root);
    tcase_add_test(c, a_neighbour_of_every_burden_still_works_as_user);
    tcase_add_test(c, an_end_at_the_deadline_is_an_exit_or_a_timeout);
    tcase_add_test(c, a_clock_that_is_moved_changes_no_deadline);
    suite_add_tcase(s, c);
    return s;
}
