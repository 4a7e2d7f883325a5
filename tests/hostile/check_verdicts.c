/* check_verdicts.c - every way a program can end is told apart from the others, as root and as an
 * ordinary user: verdicts come from the kernel, never from an exit code that looks like one.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"

#include <stdlib.h>
#include <time.h>

Suite *suite_verdicts(void);

static const char hog[] = "x = bytearray()\nwhile True: x += b'x' * 10000000\n";

static void check_endings(void)
{
    tako *t = sandbox_open(1);

    if (!t)
        return;
    sandbox_ends(t, "print(1 + 1)", TAKO_SUCCEEDED, NULL, TAKO_VERDICT_EXIT, 0);
    sandbox_ends(t, "1 / 0", TAKO_FAILED, "division_error", TAKO_VERDICT_EXIT, 1);
    sandbox_ends(t, "import os; os._exit(137)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT,
                 137);
    sandbox_ends(t, "import os; os._exit(124)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT,
                 124);
    sandbox_ends(t, "import os; os._exit(255)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT,
                 255);
    sandbox_ends(t, "import os; os.kill(os.getpid(), 9)", TAKO_FAILED, "killed",
                 TAKO_VERDICT_SIGNAL, -1);
    sandbox_ends(t, "import os; os.kill(os.getpid(), 15)", TAKO_FAILED, "killed",
                 TAKO_VERDICT_SIGNAL, -1);
    sandbox_ends(t, "import os; os.abort()", TAKO_FAILED, "abort", TAKO_VERDICT_SIGNAL, -1);
    sandbox_ends(t, "import ctypes; ctypes.string_at(0)", TAKO_FAILED, "segfault",
                 TAKO_VERDICT_SIGNAL, -1);
    sandbox_ends(t, "import sys; sys.exit(3)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT, 3);
    sandbox_ends(t, "def broken(", TAKO_FAILED, "syntax_error", TAKO_VERDICT_EXIT, 1);
    sandbox_ends(t, "import nowhere_to_be_found", TAKO_FAILED, "import_error", TAKO_VERDICT_EXIT,
                 1);
    tako_close(t);
}

START_TEST(endings_are_told_apart_as_root)
{
    check_endings();
}
END_TEST

START_TEST(endings_are_told_apart_as_user)
{
    sandbox_as_user(check_endings);
}
END_TEST

static void check_oom(void)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.memory_bytes = 128 * 1024 * 1024;
    rec = sandbox_run_job(t, hog, &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_OOM);
    ck_assert_str_eq(tako_record_error_type(rec), "oom");
    ck_assert(tako_record_peak_bytes(rec) <= job.memory_bytes);
    ck_assert(tako_record_peak_bytes(rec) >= job.memory_bytes / 2);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_memory_hog_is_oom_as_root)
{
    check_oom();
}
END_TEST

START_TEST(a_memory_hog_is_oom_as_user)
{
    sandbox_as_user(check_oom);
}
END_TEST

START_TEST(most_of_the_memory_and_then_sigkill_is_not_oom)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.memory_bytes = 128 * 1024 * 1024;
    rec = sandbox_run_job(t, "import os\nx = b'x' * 100000000\nos.kill(os.getpid(), 9)\n", &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_type(rec), "killed");
    ck_assert_int_eq(tako_record_signal(rec), 9);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

static void check_timeout(void)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.timeout_ms = 300 * sandbox_patience();
    rec = sandbox_run_job(t,
                          "import signal\n"
                          "for s in range(1, 32):\n"
                          "    try: signal.signal(s, signal.SIG_IGN)\n"
                          "    except (OSError, ValueError): pass\n"
                          "print('in', flush=True)\n"
                          "while True: pass\n",
                          &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    ck_assert_str_eq(tako_record_error_type(rec), "execution_timeout");
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_WALL);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "in\n"); /* what came before is kept */
    ck_assert(tako_record_wall_us(rec) >= 300000);
    ck_assert(tako_record_cpu_us(rec) > 50000); /* also of a program that was killed */
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_loop_that_ignores_signals_is_a_timeout_as_root)
{
    check_timeout();
}
END_TEST

START_TEST(a_loop_that_ignores_signals_is_a_timeout_as_user)
{
    sandbox_as_user(check_timeout);
}
END_TEST

START_TEST(a_stopped_program_is_a_timeout)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;

    if (!t)
        return;
    job.timeout_ms = 300;
    rec = sandbox_run_job(t, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(the_main_programs_end_is_the_jobs_end)
{
    tako *t = sandbox_open(1);
    tako_record *rec;

    if (!t)
        return;
    /* A daemon that keeps stdout open and ignores signals neither delays nor survives it. */
    rec = sandbox_run(t, "import os, signal, time\n"
                         "if os.fork() == 0:\n"
                         "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                         "    time.sleep(1000)\n"
                         "print('done', flush=True); os._exit(0)\n");
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "done\n");
    ck_assert(tako_record_wall_us(rec) < 10000000);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

static void check_flood(void)
{
    tako *t = sandbox_open(1);
    tako_record *rec;
    size_t len = 0;

    if (!t)
        return;
    rec = sandbox_run(t, "import os\n"
                         "b = b'0123456789' * 6553\n"
                         "n = 0\n"
                         "while n < 200000000: n += os.write(1, b)\n");
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    tako_record_stdout(rec, &len);
    ck_assert_uint_le(len, TAKO_OUTPUT_CAP);
    ck_assert_uint_gt(len, TAKO_OUTPUT_CAP - 8);
    ck_assert(tako_record_stdout_truncated(rec));
    ck_assert(!tako_record_stderr_truncated(rec));
    ck_assert(tako_record_stdout_bytes(rec) >= 200000000);
    ck_assert_int_eq(strncmp(tako_record_stdout(rec, NULL), "0123456789", 10), 0);
    tako_record_free(rec);
    tako_close(t);
}

START_TEST(a_flood_of_output_is_capped_as_root)
{
    check_flood();
}
END_TEST

START_TEST(a_flood_of_output_is_capped_as_user)
{
    sandbox_as_user(check_flood);
}
END_TEST

START_TEST(cancel_kills_a_running_program_at_once)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    struct timespec pause = {0, 5000000};
    tako_error err;
    tako_id id;
    int tries;

    if (!t)
        return;
    job.code = "while True: pass";
    ck_assert_int_eq(tako_submit(t, &job, &id, &err), TAKO_OK);
    for (tries = 0; tries < 2000; tries++) {
        ck_assert_int_eq(tako_get(t, id.text, &rec, &err), TAKO_OK);
        if (tako_record_status(rec) == TAKO_RUNNING)
            break;
        tako_record_free(rec);
        nanosleep(&pause, NULL);
    }
    tako_record_free(rec);
    ck_assert_int_eq(tako_cancel(t, id.text, &err), TAKO_OK);
    ck_assert_msg(tako_wait(t, id.text, 10000, &rec, &err) == TAKO_OK, "%s", err.message);
    ck_assert_int_eq(tako_record_status(rec), TAKO_CANCELLED);
    ck_assert_str_eq(tako_record_error_type(rec), "cancelled");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(a_missing_interpreter_is_named)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err;
    tako_id id;
    tako *t = NULL;

    opts.interpreter = "/usr/bin/python-that-is-not-there";
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    ck_assert_int_eq(tako_start(t, &err), TAKO_OK);
    job.code = "print(1)";
    ck_assert_int_eq(tako_submit(t, &job, &id, &err), TAKO_EEXEC);
    ck_assert_ptr_nonnull(strstr(err.message, "/usr/bin/python-that-is-not-there"));
    tako_close(t);
}
END_TEST

Suite *suite_verdicts(void)
{
    Suite *s = suite_create("verdicts");
    TCase *c = tcase_create("verdicts");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, endings_are_told_apart_as_root);
    tcase_add_test(c, endings_are_told_apart_as_user);
    tcase_add_test(c, a_memory_hog_is_oom_as_root);
    tcase_add_test(c, a_memory_hog_is_oom_as_user);
    tcase_add_test(c, most_of_the_memory_and_then_sigkill_is_not_oom);
    tcase_add_test(c, a_loop_that_ignores_signals_is_a_timeout_as_root);
    tcase_add_test(c, a_loop_that_ignores_signals_is_a_timeout_as_user);
    tcase_add_test(c, a_stopped_program_is_a_timeout);
    tcase_add_test(c, the_main_programs_end_is_the_jobs_end);
    tcase_add_test(c, a_flood_of_output_is_capped_as_root);
    tcase_add_test(c, a_flood_of_output_is_capped_as_user);
    tcase_add_test(c, cancel_kills_a_running_program_at_once);
    tcase_add_test(c, a_missing_interpreter_is_named);
    suite_add_tcase(s, c);
    return s;
}
