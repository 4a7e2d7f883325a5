/* engine.c - engines for the rows, their stores in the private directory, and a count of every
 * fsync that this process makes.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The store's library finds these two in the program before it looks in libc: every fsync is
 * counted where it happens, without tracing. The counter cannot live anywhere else. */
static _Atomic int64_t engine_fsyncs;

__attribute__((visibility("default"))) int fsync(int fd)
{
    atomic_fetch_add_explicit(&engine_fsyncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_fetch_add_explicit(&engine_fsyncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fdatasync, fd);
}

int64_t bench_fsyncs(void)
{
    return atomic_load_explicit(&engine_fsyncs, memory_order_relaxed);
}

tako *bench_engine(const char *store, int workers, const char *interpreter,
                   tako_handler_fn *handler, void *handler_ctx, tako_error *err)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako *t = NULL;

    opts.store = store;
    opts.workers = workers;
    opts.interpreter = interpreter;
    if (tako_open(&t, &opts, err) != TAKO_OK)
        return NULL;
    if ((handler &&
         tako_register_handler(t, "count", handler, handler_ctx, NULL, err) != TAKO_OK) ||
        tako_start(t, err) != TAKO_OK) {
        tako_close(t);
        return NULL;
    }
    return t;
}

static int engine_any_layer(void *ctx, const tako_layer *layer)
{
    (void)ctx;
    (void)layer;
    return 0;
}

const char *bench_sandbox_missing(tako_error *err)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    const char *why = NULL;
    tako *t = NULL;

    opts.interpreter = "/usr/bin/true";
    if (tako_open(&t, &opts, err) != TAKO_OK ||
        tako_isolation(t, engine_any_layer, NULL, err) != TAKO_OK)
        why = err->message;
    tako_close(t);
    return why;
}

const char *bench_not_succeeded(const tako_record *rec, tako_error *err)
{
    const char *message = tako_record_error_message(rec);

    if (tako_record_status(rec) == TAKO_SUCCEEDED)
        return NULL;
    (void)snprintf(err->message, sizeof err->message, "the job ended as %s: %.400s",
                   tako_status_name(tako_record_status(rec)), message ? message : "");
    return err->message;
}

const char *bench_run(tako *t, const tako_job *job, double *inside_ms, tako_error *err)
{
    tako_record *rec = NULL;
    const char *why;

    if (tako_run(t, job, &rec, err) != TAKO_OK)
        return err->message;
    why = bench_not_succeeded(rec, err);
    if (inside_ms)
        *inside_ms = (double)tako_record_wall_us(rec) / 1000.0;
    tako_record_free(rec);
    return why;
}

void bench_store_uri(const struct bench *b, char *uri, size_t size)
{
    static int number; /* only the main thread makes stores */

    (void)snprintf(uri, size, "sqlite:%.400s/%d.db", b->dir, number++);
}

void bench_store_drop(const char *uri)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    const char *path = strchr(uri, ':');
    char name[BENCH_PATH_MAX];
    size_t i;

    for (i = 0; path && i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(name, sizeof name, "%.480s%s", path + 1, ends[i]);
        (void)unlink(name);
    }
}
