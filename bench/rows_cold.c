/* rows_cold.c - what a fresh sandbox costs: rows 1 (/usr/bin/true) and 2 (Python) in latency, row 3
 * in jobs per second. Each against the bare program and against bubblewrap, in turns.
 *
 * A job of ours goes the whole way: submit, commit, claim, sandbox, verdict, record, wait; its
 * sandbox also has a seccomp filter, Landlock, a control group with limits and accounting, and an
 * init of its own, which the bubblewrap command line has not.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define COLD_ARGS 3 /* of a program, at most */

struct cold {
    struct bench *b;
    int row;
    const char *program[COLD_ARGS + 1];
    size_t n;
    tako *engine;
    tako_job job;
    const char *bwrap[BENCH_BWRAP_ARGS + COLD_ARGS + 1];
    struct bench_samples bare, wrapped, ours, inside; /* milliseconds */
    double bare_cpu, ours_cpu;                        /* seconds, of all rounds */
};

static const char *cold_round(struct cold *c, int turn, tako_error *err)
{
    double began, inside, cpu;
    const char *why;
    int i;

    /* Each comes first, second and last equally often. */
    for (i = 0; i < 3; i++) {
        cpu = bench_cpu_seconds();
        began = bench_now();
        switch ((turn + i) % 3) {
        case 0:
            if (bench_spawn(c->program) != 0)
                return "the bare program failed";
            bench_add(&c->bare, (bench_now() - began) * 1e3);
            c->bare_cpu += bench_cpu_seconds() - cpu;
            break;
        case 1:
            if (bench_spawn(c->bwrap) != 0)
                return "bwrap failed";
            bench_add(&c->wrapped, (bench_now() - began) * 1e3);
            break;
        default:
            why = bench_run(c->engine, &c->job, &inside, err);
            if (why)
                return why;
            bench_add(&c->ours, (bench_now() - began) * 1e3);
            bench_add(&c->inside, inside);
            c->ours_cpu += bench_cpu_seconds() - cpu;
            break;
        }
    }
    return NULL;
}

static void cold_report(struct cold *c, double limit)
{
    const struct bench_samples *overhead[] = {&c->ours, &c->wrapped, &c->bare};
    const struct bench_samples *inside[] = {&c->inside, &c->wrapped, &c->bare};
    const struct bench_samples *slower[] = {&c->ours, &c->bare};
    struct bench_ratio r = bench_compare(overhead, 3, bench_figure_overhead);
    const char *name = c->row == 1 ? "true" : "python3";
    char goal[80];

    bench_line(c->b, c->row, &c->bare, "ms", "bare %s", name);
    bench_line(c->b, c->row, &c->wrapped, "ms", "bwrap %s", name);
    bench_line(c->b, c->row, &c->ours, "ms", "tako %s, submit to record", name);
    bench_line(c->b, c->row, &c->inside, "ms", "tako %s, the run itself (wall_us)", name);
    if (c->ours.n)
        /* bwrap's is unknown: it does not wait for what runs inside. */
        bench_line_note(
            c->b, c->row, "cpu per run, mean: bare %.2f ms, tako with its engine %.2f ms",
            c->bare_cpu * 1e3 / (double)c->bare.n, c->ours_cpu * 1e3 / (double)c->ours.n);
    bench_line_ratio(c->b, c->row, bench_compare(slower, 2, bench_figure_ratio), "tako / bare");
    bench_line_ratio(c->b, c->row, r, "(tako - bare) / (bwrap - bare)");
    bench_line_ratio(c->b, c->row, bench_compare(inside, 3, bench_figure_overhead),
                     "the same of the run itself");
    (void)snprintf(goal, sizeof goal, "overhead of a cold %s / bwrap's", name);
    if (limit > 0)
        bench_line_goal(c->b, c->row, r, BENCH_AT_MOST, limit, goal);
}

static enum bench_outcome cold_row(struct cold *c, const char *interpreter, int rounds,
                                   double limit)
{
    tako_error err = {0, 0, ""};
    const char *why = bench_bwrap_missing();
    int i, warm = c->b->quick ? 3 : 20;

    if (why)
        return bench_skip(c->b, c->row, why);
    why = bench_sandbox_missing(&err);
    if (why)
        return bench_skip(c->b, c->row, why);
    bench_bwrap_argv(c->bwrap, c->program, c->n);
    c->engine = bench_engine(NULL, 1, interpreter, NULL, NULL, &err);
    if (!c->engine)
        return bench_fail(c->b, c->row, "opening the engine", err.message);
    for (i = 0; !why && i < rounds + warm && !bench_interrupted(); i++) {
        if (i == warm) {
            c->bare.n = c->wrapped.n = c->ours.n = c->inside.n = 0;
            c->bare_cpu = c->ours_cpu = 0;
        }
        why = cold_round(c, i, &err);
    }
    tako_close(c->engine);
    if (!why)
        cold_report(c, limit);
    else
        (void)bench_fail(c->b, c->row, "running in turns", why);
    bench_samples_free(&c->bare);
    bench_samples_free(&c->wrapped);
    bench_samples_free(&c->ours);
    bench_samples_free(&c->inside);
    return why ? BENCH_FAILED : BENCH_DONE;
}

enum bench_outcome bench_row_true(struct bench *b)
{
    static const tako_job job = TAKO_JOB_INIT;
    struct cold c;

    memset(&c, 0, sizeof c);
    c.b = b;
    c.row = 1;
    c.program[0] = "/usr/bin/true";
    c.n = 1;
    c.job = job;
    c.job.code = "pass";
    return cold_row(&c, "/usr/bin/true", bench_rounds(b, 40, 600), 0.5);
}

enum bench_outcome bench_row_python(struct bench *b)
{
    static const tako_job job = TAKO_JOB_INIT;
    struct cold c;

    memset(&c, 0, sizeof c);
    c.b = b;
    c.row = 2;
    c.program[0] = "/usr/bin/python3";
    c.program[1] = "-c";
    c.program[2] = "pass";
    c.n = 3;
    c.job = job;
    c.job.code = "pass";
    return cold_row(&c, NULL, bench_rounds(b, 20, 200), 0);
}

/* ---- row 3 ----------------------------------------------------------------------------------- */

#define RATE_THREADS 2

struct rate_loop {
    const char *const *argv;
    int count;
    int failed;
};

static void *rate_main(void *arg)
{
    struct rate_loop *loop = arg;
    int i;

    for (i = 0; i < loop->count && !bench_interrupted(); i++)
        if (bench_spawn(loop->argv) != 0)
            loop->failed = 1;
    return NULL;
}

/* Jobs per second of `jobs` runs of a program on two threads; negative = failed. */
static double rate_bare(const char *const *argv, int jobs)
{
    struct rate_loop loops[RATE_THREADS];
    pthread_t threads[RATE_THREADS];
    double began = bench_now();
    int i, started = 0, failed = 0;

    for (i = 0; i < RATE_THREADS; i++) {
        loops[i].argv = argv;
        loops[i].count = jobs / RATE_THREADS;
        loops[i].failed = 0;
        if (pthread_create(&threads[i], NULL, rate_main, &loops[i]) != 0)
            break;
        started++;
    }
    for (i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
        failed |= loops[i].failed;
    }
    if (failed || started < RATE_THREADS)
        return -1;
    return (double)(jobs / RATE_THREADS * RATE_THREADS) / (bench_now() - began);
}

#define RATE_JOBS_MAX 128

static double rate_ours(tako *t, int count, tako_error *err)
{
    tako_job jobs[RATE_JOBS_MAX], blank = TAKO_JOB_INIT;
    tako_id ids[RATE_JOBS_MAX];
    tako_record *rec = NULL;
    double began, took;
    bool good = true;
    int i;

    blank.code = "pass";
    for (i = 0; i < count; i++)
        jobs[i] = blank;
    began = bench_now();
    if (tako_submit_many(t, jobs, (size_t)count, ids, err) != TAKO_OK)
        return -1;
    for (i = 0; i < count; i++) {
        if (tako_wait(t, ids[i].text, 60000, &rec, err) != TAKO_OK)
            return -1;
        good = good && tako_record_status(rec) == TAKO_SUCCEEDED;
        tako_record_free(rec);
    }
    took = bench_now() - began;
    if (!good)
        (void)snprintf(err->message, sizeof err->message, "a job did not succeed");
    return good ? (double)count / took : -1;
}

enum bench_outcome bench_row_rate(struct bench *b)
{
    static const char *const bare[] = {"/usr/bin/python3", "-c", "pass", NULL};
    const char *wrapped[BENCH_BWRAP_ARGS + 4];
    struct bench_samples rates[3] = {{NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}};
    static const char *const names[] = {"tako, 2 workers", "bare, 2 threads", "bwrap, 2 threads"};
    const struct bench_samples *to_bare[] = {&rates[0], &rates[1]};
    const struct bench_samples *to_bwrap[] = {&rates[0], &rates[2]};
    int i, k, rounds = bench_rounds(b, 3, 12), jobs = b->quick ? 20 : 80, kinds = 3;
    tako_error err = {0, 0, ""};
    const char *why = bench_sandbox_missing(&err);
    double rate = 0;
    tako *t;

    if (why)
        return bench_skip(b, 3, why);
    if (bench_bwrap_missing())
        kinds = 2;
    bench_bwrap_argv(wrapped, bare, 3);
    t = bench_engine(NULL, 2, NULL, NULL, NULL, &err);
    if (!t)
        return bench_fail(b, 3, "opening the engine", err.message);
    for (i = 0; i <= rounds && rate >= 0 && !bench_interrupted(); i++) {
        for (k = 0; k < kinds && rate >= 0 && !bench_interrupted(); k++) {
            int kind = (i + k) % kinds;

            rate = kind == 0 ? rate_ours(t, jobs, &err)
                             : rate_bare(kind == 1 ? bare : wrapped, jobs);
            if (i > 0 && rate >= 0 && !bench_interrupted()) /* the first round warms up */
                bench_add(&rates[kind], rate);
        }
    }
    tako_close(t);
    if (rate >= 0) {
        for (k = 0; k < kinds; k++)
            bench_line(b, 3, &rates[k], "/s", "cold Python jobs, %s", names[k]);
        bench_line_ratio(b, 3, bench_compare(to_bare, 2, bench_figure_ratio), "tako / bare");
        if (kinds == 3)
            bench_line_ratio(b, 3, bench_compare(to_bwrap, 2, bench_figure_ratio), "tako / bwrap");
        else
            bench_line_note(b, 3, "no bwrap here to compare with");
    } else {
        (void)bench_fail(b, 3, "running in turns",
                         err.message[0] ? err.message : "a program failed");
    }
    for (k = 0; k < 3; k++)
        bench_samples_free(&rates[k]);
    return rate >= 0 ? BENCH_DONE : BENCH_FAILED;
}
