/* rows_deadline.c - row 10: by how much a job outlives its limit of wall time and its limit of CPU
 * time. Absolute figures, as the record has them: what a host sees of a limit is its error.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#define DEADLINE_ROW 10
#define DEADLINE_CPU_MS 60

/* The error in milliseconds, by the figure that `used` reads. */
static const char *deadline_one(tako *t, const tako_job *job, tako_verdict verdict,
                                int64_t (*used)(const tako_record *rec), int64_t limit_ms,
                                struct bench_samples *error, tako_error *err)
{
    tako_record *rec = NULL;
    const char *why = NULL;

    if (tako_run(t, job, &rec, err) != TAKO_OK)
        return err->message;
    if (tako_record_verdict(rec) != verdict || used(rec) < 0) {
        const char *message = tako_record_error_message(rec);

        (void)snprintf(err->message, sizeof err->message, "the verdict is %s, not %s: %.300s",
                       tako_verdict_name(tako_record_verdict(rec)), tako_verdict_name(verdict),
                       message ? message : "");
        why = err->message;
    } else {
        bench_add(error, (double)used(rec) / 1e3 - (double)limit_ms);
    }
    tako_record_free(rec);
    return why;
}

/* The limits are spread evenly over 30 to 60 ms, in a scattered order. */
static const char *deadline_wall(struct bench *b, tako *t, tako_error *err)
{
    static const char *const codes[] = {"while True:\n    pass\n", "import time\ntime.sleep(10)\n"};
    static const char *const names[] = {"a loop", "asleep"};
    struct bench_samples error[2] = {{NULL, 0, 0}, {NULL, 0, 0}}, all = {NULL, 0, 0};
    int i, rounds = bench_rounds(b, 20, 200);
    tako_job job = TAKO_JOB_INIT;
    const char *why = NULL;
    size_t k;

    for (i = 0; i < rounds && !why && !bench_interrupted(); i++) {
        job.code = codes[i % 2];
        job.timeout_ms = 30 + i * 19 % 31;
        why = deadline_one(t, &job, TAKO_VERDICT_WALL, tako_record_wall_us, job.timeout_ms,
                           &error[i % 2], err);
    }
    for (i = 0; i < 2; i++) {
        bench_line(b, DEADLINE_ROW, &error[i], "ms", "wall limit, too late, %s", names[i]);
        for (k = 0; k < error[i].n; k++)
            bench_add(&all, error[i].v[k]);
        bench_samples_free(&error[i]);
    }
    if (all.n)
        bench_line_limit(b, DEADLINE_ROW, bench_quantile(&all, 0.99), 5, "ms",
                         "error of the wall limit, p99");
    bench_samples_free(&all);
    return why;
}

static const char *deadline_cpu(struct bench *b, tako *t, tako_error *err)
{
    struct bench_samples error = {NULL, 0, 0};
    int i, rounds = bench_rounds(b, 20, 200);
    tako_job job = TAKO_JOB_INIT;
    const char *why = NULL;

    job.code = "import os\nos.fork()\nwhile True:\n    pass\n";
    job.timeout_ms = 5000;
    job.cpu_timeout_ms = DEADLINE_CPU_MS;
    for (i = 0; i < rounds && !why && !bench_interrupted(); i++)
        why = deadline_one(t, &job, TAKO_VERDICT_CPU, tako_record_cpu_us, DEADLINE_CPU_MS, &error,
                           err);
    bench_line(b, DEADLINE_ROW, &error, "ms", "CPU limit, too much, two loops");
    if (error.n)
        bench_line_limit(b, DEADLINE_ROW, bench_quantile(&error, 0.99), 20, "ms",
                         "overshoot of the CPU limit, p99");
    bench_samples_free(&error);
    return why;
}

enum bench_outcome bench_row_deadline(struct bench *b)
{
    tako_error err = {0, 0, ""};
    const char *why = bench_sandbox_missing(&err);
    bool failed = false;
    tako *t;

    if (why)
        return bench_skip(b, DEADLINE_ROW, why);
    t = bench_engine(NULL, 1, NULL, NULL, NULL, &err);
    if (!t)
        return bench_fail(b, DEADLINE_ROW, "opening the engine", err.message);
    why = deadline_wall(b, t, &err);
    if (why && !bench_interrupted())
        failed = bench_fail(b, DEADLINE_ROW, "with a wall limit", why) == BENCH_FAILED;
    why = deadline_cpu(b, t, &err);
    if (why && !bench_interrupted())
        failed = bench_fail(b, DEADLINE_ROW, "with a CPU limit", why) == BENCH_FAILED;
    /* Interrupted, a job may have seen the signal too: that says nothing. */
    tako_close(t);
    return failed ? BENCH_FAILED : BENCH_DONE;
}
