/* sandbox.h - for tests that run code in the native sandbox through the public interface: an engine
 * in memory, one call that runs a program and gives its record, and the same as an ordinary user.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_SANDBOX_H
#define TESTS_SANDBOX_H

#include "../../tako.h"
#include "require.h"

#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SANDBOX_UNUSED __attribute__((unused))

/* How much longer a program may need to begin here than on a usual machine: TAKO_TEST_PATIENCE. */
SANDBOX_UNUSED static int sandbox_patience(void)
{
    const char *text = getenv("TAKO_TEST_PATIENCE");
    int times = text ? atoi(text) : 1;

    return times > 1 ? times : 1;
}

SANDBOX_UNUSED static int sandbox_any_layer(void *ctx, const tako_layer *layer)
{
    (void)ctx;
    (void)layer;
    return 0;
}

/* An engine with the given number of workers, or NULL when there is no sandbox here (a loud skip,
 * or a failure where CI requires it). */
SANDBOX_UNUSED static tako *sandbox_open(int workers)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t = NULL;

    opts.workers = workers;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return NULL;
    }
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    return t;
}

/* Runs `job` with this code to its end; the record is the caller's. */
SANDBOX_UNUSED static tako_record *sandbox_run_job(tako *t, const char *code, tako_job *job)
{
    tako_record *rec = NULL;
    tako_error err;

    job->code = code;
    ck_assert_msg(tako_run(t, job, &rec, &err) == TAKO_OK, "%s", err.message);
    return rec;
}

SANDBOX_UNUSED static tako_record *sandbox_run(tako *t, const char *code)
{
    tako_job job = TAKO_JOB_INIT;

    job.timeout_ms = 20000 * sandbox_patience();
    return sandbox_run_job(t, code, &job);
}

/* Runs `code` in a fresh engine and checks what it printed. */
SANDBOX_UNUSED static void sandbox_prints(const char *code, const char *expected)
{
    tako *t = sandbox_open(1);
    tako_record *rec;

    if (!t)
        return;
    rec = sandbox_run(t, code);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s: %s\n%s",
                  tako_status_name(tako_record_status(rec)), tako_record_error_message(rec),
                  tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), expected);
    tako_record_free(rec);
    tako_close(t);
}

/* Status, error type, verdict, and an exit code (-1 = none) of `code`. */
SANDBOX_UNUSED static void sandbox_ends(tako *t, const char *code, tako_status status,
                                        const char *error_type, tako_verdict verdict, int exit_code)
{
    tako_record *rec = sandbox_run(t, code);
    const char *type = tako_record_error_type(rec);

    ck_assert_msg(tako_record_status(rec) == status &&
                      strcmp(type ? type : "", error_type ? error_type : "") == 0 &&
                      tako_record_verdict(rec) == verdict &&
                      tako_record_exit_code(rec) == exit_code,
                  "%.60s: got %s/%s, verdict %s, exit %d: %s", code,
                  tako_status_name(tako_record_status(rec)), type ? type : "",
                  tako_verdict_name(tako_record_verdict(rec)), tako_record_exit_code(rec),
                  tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
    tako_record_free(rec);
}

/* Runs `body` in a child process as an ordinary user and passes its failures on. Root only. */
SANDBOX_UNUSED static void sandbox_as_user(void (*body)(void))
{
    int status = 0;
    pid_t pid;

    if (getuid() != 0) {
        body();
        return;
    }
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
            setresuid(65534, 65534, 65534) || chdir("/"))
            _exit(99);
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a process of that user is from its start */
        body();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the part that ran as an ordinary user failed: wait status %d", status);
}

#endif
