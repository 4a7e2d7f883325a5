/* rows_queue.c - the durable queue: row 4 (submits from many threads), row 5 (how fast C callbacks
 * are drained), row 7 (from submit to record of one C callback).
 *
 * Every submit counted here was acknowledged after its commit to an SQLite file with
 * synchronous=FULL; a drain counts when the store has all N endings and N different jobs ran.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_INPUT_SIZE 128 /* bytes of the input of a job here, about */

/* ---- row 4: submits -------------------------------------------------------------------------- */

#define SUBMIT_THREADS_MAX 64

struct submit_thread {
    tako *t;
    atomic_int *go; /* 0 wait, 1 run, 2 leave */
    int number;
    int64_t run_at_ms;
    pthread_t thread;
    struct bench_samples took; /* microseconds */
    tako_error err;
};

static int submit_never(void *ctx, tako_call *call)
{
    (void)ctx;
    (void)call;
    return 1; /* the jobs are delayed by a day */
}

static void *submit_main(void *arg)
{
    struct submit_thread *s = arg;
    tako_job job = TAKO_JOB_INIT;
    char input[QUEUE_INPUT_SIZE];
    tako_id id;

    job.type = "count";
    job.input = input;
    job.run_at_ms = s->run_at_ms;
    while (atomic_load(s->go) == 0)
        bench_pause(0.0005);
    while (atomic_load_explicit(s->go, memory_order_relaxed) == 1) {
        double began;

        /* Every input is a new one, so that none is stored already. */
        (void)snprintf(input, sizeof input,
                       "{\"to\":\"someone@example.org\",\"subject\":\"about a hundred bytes\","
                       "\"thread\":%d,\"n\":%zu}",
                       s->number, s->took.n);
        began = bench_now();
        if (tako_submit(s->t, &job, &id, &s->err) != TAKO_OK)
            break;
        bench_add(&s->took, (bench_now() - began) * 1e6);
    }
    return NULL;
}

struct submit_kind {
    int threads;
    struct bench_samples rate, took, fsyncs, commits, cpu;
};

/* One round with a fresh file. NULL, or what went wrong. */
static const char *submit_round(struct bench *b, struct submit_kind *kind, double seconds,
                                bool keep, tako_error *err)
{
    struct submit_thread *threads = calloc(SUBMIT_THREADS_MAX, sizeof *threads);
    tako_stats before = TAKO_STATS_INIT, after = TAKO_STATS_INIT;
    char uri[BENCH_PATH_MAX];
    const char *why = NULL;
    double began, took, cpu;
    atomic_int go = 0;
    int64_t fsyncs;
    int i, started = 0;
    size_t n = 0, k;
    tako *t;

    bench_store_uri(b, uri, sizeof uri);
    t = bench_engine(uri, 2, NULL, submit_never, NULL, err);
    if (!t || !threads) {
        free(threads);
        tako_close(t);
        return t ? "no memory" : err->message;
    }
    for (; started < kind->threads; started++) {
        threads[started].t = t;
        threads[started].go = &go;
        threads[started].number = started;
        threads[started].run_at_ms = ((int64_t)time(NULL) + 86400) * 1000;
        if (pthread_create(&threads[started].thread, NULL, submit_main, &threads[started]) != 0)
            break;
    }
    (void)tako_get_stats(t, &before, NULL);
    fsyncs = bench_fsyncs();
    cpu = bench_cpu_seconds();
    began = bench_now();
    atomic_store(&go, 1);
    bench_pause(seconds);
    atomic_store(&go, 2);
    for (i = 0; i < started; i++)
        (void)pthread_join(threads[i].thread, NULL);
    took = bench_now() - began;
    cpu = bench_cpu_seconds() - cpu;
    fsyncs = bench_fsyncs() - fsyncs;
    (void)tako_get_stats(t, &after, NULL);
    tako_close(t);
    bench_store_drop(uri);
    for (i = 0; i < started; i++) {
        n += threads[i].took.n;
        for (k = 0; keep && k < threads[i].took.n; k++)
            bench_add(&kind->took, threads[i].took.v[k]);
        if (threads[i].err.code != TAKO_OK) {
            *err = threads[i].err;
            why = err->message;
        }
        bench_samples_free(&threads[i].took);
    }
    free(threads);
    if (why)
        return why;
    if (started < kind->threads)
        return "threads could not be started";
    if (n == 0 || after.queued != (int64_t)n || after.submitted - before.submitted != (int64_t)n)
        return "the store does not hold what was acknowledged";
    if (keep) {
        bench_add(&kind->rate, (double)n / took);
        bench_add(&kind->fsyncs, (double)fsyncs / (double)n);
        bench_add(&kind->commits, (double)(after.commits - before.commits) / (double)n);
        bench_add(&kind->cpu, cpu * 1e6 / (double)n);
    }
    return NULL;
}

/* What the disk gives: 4 KiB appended, fdatasync, again. Microseconds. */
static void submit_disk(const struct bench *b, int count, struct bench_samples *took)
{
    char path[BENCH_PATH_MAX], page[4096];
    int fd, i;

    memset(page, 'x', sizeof page);
    (void)snprintf(path, sizeof path, "%.400s/disk", b->dir);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    for (i = 0; fd >= 0 && i < count; i++) {
        double began = bench_now();

        if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) != 0)
            break;
        bench_add(took, (bench_now() - began) * 1e6);
    }
    if (fd >= 0)
        (void)close(fd);
    (void)unlink(path);
}

static void submit_report(struct bench *b, struct submit_kind *kinds, struct bench_samples *disk)
{
    const struct bench_samples *to_one[2];
    struct bench_ratio r[3];
    int i;

    bench_line(b, 4, disk, "us", "the disk alone: 4 KiB appended and fdatasync");
    for (i = 0; i < 3; i++) {
        bench_line(b, 4, &kinds[i].rate, "/s", "durable submits, %d thread%s", kinds[i].threads,
                   i ? "s" : "");
        bench_line(b, 4, &kinds[i].took, "us", "one submit, %d thread%s", kinds[i].threads,
                   i ? "s" : "");
        bench_line_note(b, 4,
                        "fsyncs per submit %.3f (counted), commits per submit %.3f (statistics), "
                        "cpu %.1f us per submit",
                        bench_median(&kinds[i].fsyncs), bench_median(&kinds[i].commits),
                        bench_median(&kinds[i].cpu));
    }
    for (i = 1; i < 3; i++) {
        to_one[0] = &kinds[i].rate;
        to_one[1] = &kinds[0].rate;
        r[i] = bench_compare(to_one, 2, bench_figure_ratio);
        bench_line_ratio(b, 4, r[i], "submits/s, %d / 1 threads (best/best %.1f)", kinds[i].threads,
                         bench_quantile(&kinds[i].rate, 1) / bench_quantile(&kinds[0].rate, 1));
    }
    bench_line_goal(b, 4, r[1], BENCH_AT_LEAST, 4, "durable submits/s of 8 threads / 1 thread");
    bench_line_goal(b, 4, r[2], BENCH_AT_LEAST, 15, "durable submits/s of 64 threads / 1 thread");
}

enum bench_outcome bench_row_submit(struct bench *b)
{
    struct submit_kind kinds[3];
    struct bench_samples disk = {NULL, 0, 0};
    int i, k, rounds = bench_rounds(b, 3, 7);
    double seconds = b->quick ? 0.3 : 2;
    tako_error err = {0, 0, ""};
    const char *why = NULL;

    memset(kinds, 0, sizeof kinds);
    kinds[0].threads = 1;
    kinds[1].threads = 8;
    kinds[2].threads = 64;
    for (i = 0; i <= rounds && !why && !bench_interrupted(); i++) {
        submit_disk(b, b->quick ? 100 : 300, &disk);
        for (k = 0; k < 3 && !why && !bench_interrupted(); k++) /* the first round warms up */
            why = submit_round(b, &kinds[(i + k) % 3], i == 0 ? 0.2 : seconds, i > 0, &err);
    }
    if (why)
        (void)bench_fail(b, 4, "submitting", why);
    else
        submit_report(b, kinds, &disk);
    for (k = 0; k < 3; k++) {
        bench_samples_free(&kinds[k].rate);
        bench_samples_free(&kinds[k].took);
        bench_samples_free(&kinds[k].fsyncs);
        bench_samples_free(&kinds[k].commits);
        bench_samples_free(&kinds[k].cpu);
    }
    bench_samples_free(&disk);
    return why ? BENCH_FAILED : BENCH_DONE;
}

/* ---- row 5: drain ---------------------------------------------------------------------------- */

#define DRAIN_JOBS TAKO_SUBMIT_MANY_MAX
#define DRAIN_WORKERS 2

struct drain {
    atomic_int ran[DRAIN_JOBS]; /* how often each job ran */
    _Atomic int64_t first_ns;   /* when the first began */
};

static int drain_handler(void *ctx, tako_call *call)
{
    struct drain *d = ctx;
    const char *input = tako_call_input(call, NULL);
    long number = strtol(input + strlen("{\"n\":"), NULL, 10);
    int64_t none = 0;

    if (atomic_load_explicit(&d->first_ns, memory_order_relaxed) == 0)
        (void)atomic_compare_exchange_strong(&d->first_ns, &none, (int64_t)(bench_now() * 1e9));
    if (number < 0 || number >= DRAIN_JOBS)
        return 1;
    atomic_fetch_add_explicit(&d->ran[number], 1, memory_order_relaxed);
    return 0;
}

struct drain_kind {
    const char *name;
    bool file;
    struct bench_samples rate, fill, cpu, fsyncs;
};

/* The jobs are queued by an engine without workers, and drained by one that opens the same store;
 * in memory one engine does both, and the first handler's start is the start of the clock. */
static const char *drain_fill(tako *t, double *rate, tako_error *err)
{
    tako_job *jobs = calloc(DRAIN_JOBS, sizeof *jobs), blank = TAKO_JOB_INIT;
    tako_id *ids = calloc(DRAIN_JOBS, sizeof *ids);
    char(*inputs)[QUEUE_INPUT_SIZE] = calloc(DRAIN_JOBS, sizeof *inputs);
    const char *why = NULL;
    double began;
    int i;

    if (jobs && ids && inputs) {
        blank.type = "count";
        for (i = 0; i < DRAIN_JOBS; i++) {
            (void)snprintf(inputs[i], sizeof inputs[i], "{\"n\":%d,\"padding\":\"%070d\"}", i, i);
            jobs[i] = blank;
            jobs[i].input = inputs[i];
        }
        began = bench_now();
        if (tako_submit_many(t, jobs, DRAIN_JOBS, ids, err) != TAKO_OK)
            why = err->message;
        *rate = DRAIN_JOBS / (bench_now() - began);
    } else {
        why = "no memory";
    }
    free(jobs);
    free(ids);
    free(inputs);
    return why;
}

static const char *drain_wait(tako *t, const struct drain *d, tako_error *err)
{
    tako_stats stats = TAKO_STATS_INIT;
    double until = bench_now() + 120;
    int i;

    do {
        bench_pause(0.001);
        if (tako_get_stats(t, &stats, err) != TAKO_OK)
            return err->message;
        if (bench_now() > until)
            return "the queue was not drained within two minutes";
    } while (stats.finished < DRAIN_JOBS);
    if (stats.finished != DRAIN_JOBS || stats.queued || stats.running)
        return "the store does not say that every job ended once";
    for (i = 0; i < DRAIN_JOBS; i++)
        if (d->ran[i] != 1)
            return "a job did not run exactly once";
    return NULL;
}

static const char *drain_round(struct bench *b, struct drain_kind *kind, bool keep, tako_error *err)
{
    struct drain *d = calloc(1, sizeof *d);
    tako_options opts = TAKO_OPTIONS_INIT;
    char uri[BENCH_PATH_MAX];
    const char *why = NULL;
    tako *t = NULL;
    double fill = 0, took, cpu;
    int64_t fsyncs;

    bench_store_uri(b, uri, sizeof uri);
    opts.store = kind->file ? uri : NULL;
    opts.workers = DRAIN_WORKERS;
    if (!d)
        return "no memory";
    if (tako_open(&t, &opts, err) != TAKO_OK ||
        tako_register_handler(t, "count", drain_handler, d, NULL, err) != TAKO_OK)
        why = err->message;
    if (!why)
        why = drain_fill(t, &fill, err);
    fsyncs = bench_fsyncs();
    cpu = bench_cpu_seconds();
    if (!why && tako_start(t, err) != TAKO_OK)
        why = err->message;
    if (!why)
        why = drain_wait(t, d, err);
    took = bench_now() - (double)d->first_ns / 1e9;
    if (!why && keep) {
        bench_add(&kind->rate, DRAIN_JOBS / took);
        bench_add(&kind->fill, fill);
        bench_add(&kind->cpu, (bench_cpu_seconds() - cpu) * 1e6 / DRAIN_JOBS);
        bench_add(&kind->fsyncs, (double)(bench_fsyncs() - fsyncs) / DRAIN_JOBS);
    }
    tako_close(t);
    bench_store_drop(uri);
    free(d);
    return why;
}

enum bench_outcome bench_row_drain(struct bench *b)
{
    struct drain_kind kinds[2];
    const struct bench_samples *rates[] = {&kinds[0].rate, &kinds[1].rate};
    int i, k, rounds = bench_rounds(b, 2, 9);
    tako_error err = {0, 0, ""};
    const char *why = NULL;

    memset(kinds, 0, sizeof kinds);
    kinds[0].name = "SQLite file";
    kinds[0].file = true;
    kinds[1].name = "memory";
    for (i = 0; i <= rounds && !why && !bench_interrupted(); i++)
        for (k = 0; k < 2 && !why && !bench_interrupted(); k++)
            why = drain_round(b, &kinds[(i + k) % 2], i > 0, &err);
    if (!why) {
        for (k = 0; k < 2; k++) {
            bench_line(b, 5, &kinds[k].rate, "/s", "C callbacks drained, %s", kinds[k].name);
            bench_line(b, 5, &kinds[k].fill, "/s", "queued by one submit_many, %s", kinds[k].name);
            bench_line_note(b, 5, "fsyncs per job %.4f, cpu %.1f us per job",
                            bench_median(&kinds[k].fsyncs), bench_median(&kinds[k].cpu));
        }
        bench_line_ratio(b, 5, bench_compare(rates, 2, bench_figure_ratio), "file / memory");
    } else {
        (void)bench_fail(b, 5, "draining", why);
    }
    for (k = 0; k < 2; k++) {
        bench_samples_free(&kinds[k].rate);
        bench_samples_free(&kinds[k].fill);
        bench_samples_free(&kinds[k].cpu);
        bench_samples_free(&kinds[k].fsyncs);
    }
    return why ? BENCH_FAILED : BENCH_DONE;
}

/* ---- row 7: one callback --------------------------------------------------------------------- */

static int callback_handler(void *ctx, tako_call *call)
{
    (void)ctx;
    (void)call;
    return 0;
}

/* What an engine costs that has worked and has nothing to do now. */
static void callback_idle(struct bench *b, tako *t, const char *name)
{
    tako_stats before = TAKO_STATS_INIT, after = TAKO_STATS_INIT;
    double cpu, began, took;

    bench_pause(0.05);
    (void)tako_get_stats(t, &before, NULL);
    cpu = bench_cpu_seconds();
    began = bench_now();
    bench_pause(b->quick ? 0.5 : 3);
    took = bench_now() - began;
    cpu = bench_cpu_seconds() - cpu;
    (void)tako_get_stats(t, &after, NULL);
    bench_line_note(b, 7, "then idle, %s: cpu %.2f ms/s, wake-ups %.2f/s", name, cpu * 1e3 / took,
                    (double)(after.wakeups - before.wakeups) / took);
}

enum bench_outcome bench_row_callback(struct bench *b)
{
    static const char *const names[] = {"SQLite file", "memory"};
    struct bench_samples took[2] = {{NULL, 0, 0}, {NULL, 0, 0}}, disk = {NULL, 0, 0};
    const struct bench_samples *to_disk[] = {&took[0], &disk};
    int i, k, rounds = bench_rounds(b, 200, 2000), warm = 20;
    tako *engines[2] = {NULL, NULL};
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    char uri[BENCH_PATH_MAX];
    const char *why = NULL;

    bench_store_uri(b, uri, sizeof uri);
    job.type = "count";
    for (k = 0; k < 2 && !why; k++) {
        engines[k] = bench_engine(k == 0 ? uri : NULL, 1, NULL, callback_handler, NULL, &err);
        if (!engines[k])
            why = err.message;
    }
    for (i = 0; i < rounds + warm && !why && !bench_interrupted(); i++) {
        submit_disk(b, 1, &disk);
        for (k = 0; k < 2 && !why; k++) {
            double began = bench_now();

            why = bench_run(engines[(i + k) % 2], &job, NULL, &err);
            if (i >= warm)
                bench_add(&took[(i + k) % 2], (bench_now() - began) * 1e6);
        }
    }
    for (k = 0; k < 2; k++) {
        if (!why) /* the second idles alone */
            callback_idle(b, engines[k], names[k]);
        tako_close(engines[k]);
    }
    bench_store_drop(uri);
    if (!why) {
        for (k = 0; k < 2; k++)
            bench_line(b, 7, &took[k], "us", "a C callback, submit to record, %s", names[k]);
        bench_line(b, 7, &disk, "us", "the disk alone: 4 KiB appended and fdatasync");
        bench_line_ratio(b, 7, bench_compare(to_disk, 2, bench_figure_ratio), "file / disk alone");
    } else {
        (void)bench_fail(b, 7, "running callbacks", why);
    }
    bench_samples_free(&took[0]);
    bench_samples_free(&took[1]);
    bench_samples_free(&disk);
    return why ? BENCH_FAILED : BENCH_DONE;
}
