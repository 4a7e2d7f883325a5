/* api_util.h - what the API tests share: a private directory, a clock moved by hand, handlers that
 * succeed, fail, or block until they are let go, and an open engine of each kind.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TEST_API_UTIL_H
#define TAKO_TEST_API_UTIL_H

#include "../../tako.h"

#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OK(call)                                                                  \
    do {                                                                          \
        int rc_ = (call);                                                         \
        ck_assert_msg(rc_ == TAKO_OK, "%s gave %d: %s", #call, rc_, err.message); \
    } while (0)

/* The call fails with `code` and a message that holds `words`. Needs `tako_error err` in scope. */
#define FAILS(call, want, words)                                                       \
    do {                                                                               \
        int rc_;                                                                       \
        memset(&err, 0, sizeof err);                                                   \
        rc_ = (call);                                                                  \
        ck_assert_msg(rc_ == (want), "%s gave %d: %s", #call, rc_, err.message);       \
        ck_assert_int_eq(err.code, (want));                                            \
        ck_assert_msg(strstr(err.message, (words)) != NULL, "no '%s' in: %s", (words), \
                      err.message);                                                    \
    } while (0)

/* ---- a private directory ---- */

struct api_dir {
    char path[256];
    char uri[300]; /* "sqlite:PATH/jobs.db" */
};

static inline void api_dir_make(struct api_dir *d)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(d->path, sizeof d->path, "%s/tako-api-XXXXXX", base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(d->path));
    (void)snprintf(d->uri, sizeof d->uri, "sqlite:%s/jobs.db", d->path);
}

static inline void api_dir_remove(struct api_dir *d)
{
    DIR *dir = opendir(d->path);
    struct dirent *entry;
    char file[600];

    while (dir && (entry = readdir(dir)) != NULL) {
        (void)snprintf(file, sizeof file, "%s/%s", d->path, entry->d_name);
        (void)unlink(file);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(d->path);
}

/* ---- time ---- */

struct api_clock {
    int64_t now_us; /* read and written atomically */
};

static inline int64_t api_clock_now(void *ctx)
{
    return __atomic_load_n(&((struct api_clock *)ctx)->now_us, __ATOMIC_SEQ_CST);
}

static inline void api_clock_move(struct api_clock *c, int64_t by_us)
{
    (void)__atomic_add_fetch(&c->now_us, by_us, __ATOMIC_SEQ_CST);
}

static inline void api_pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

static inline int64_t api_mono_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- handlers ---- */

static inline int api_echo(void *ctx, tako_call *call)
{
    size_t len;
    const char *input = tako_call_input(call, &len);

    (void)ctx;
    return tako_call_output(call, input, len, NULL);
}

static inline int api_count(void *ctx, tako_call *call)
{
    (void)call;
    (void)__atomic_add_fetch((int *)ctx, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* Blocks until it is let go or told to stop. */
struct api_gate {
    int entered, open; /* atomic */
    int answer;        /* returned when told to stop */
};

static inline int api_block(void *ctx, tako_call *call)
{
    struct api_gate *g = ctx;
    struct pollfd fd = {tako_call_cancel_fd(call), POLLIN, 0};

    (void)__atomic_add_fetch(&g->entered, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&g->open, __ATOMIC_SEQ_CST)) {
        (void)poll(&fd, 1, 5);
        if (tako_call_cancelled(call))
            return g->answer;
    }
    return 0;
}

static inline void api_gate_wait(struct api_gate *g, int entered)
{
    int64_t until = api_mono_ms() + 10000;

    while (__atomic_load_n(&g->entered, __ATOMIC_SEQ_CST) < entered) {
        ck_assert_msg(api_mono_ms() < until, "no handler came");
        api_pause_ms(1);
    }
}

static inline void api_gate_open(struct api_gate *g)
{
    __atomic_store_n(&g->open, 1, __ATOMIC_SEQ_CST);
}

/* ---- engines ---- */

static inline tako *api_open(const char *uri, int workers)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    opts.store = uri;
    opts.workers = workers;
    OK(tako_open(&t, &opts, &err));
    ck_assert_ptr_nonnull(t);
    return t;
}

static inline tako_id api_submit(tako *t, const char *type)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.type = type;
    OK(tako_submit(t, &job, &id, &err));
    return id;
}

static inline tako_status api_status(tako *t, const char *id)
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_status status;

    OK(tako_get(t, id, &rec, &err));
    status = tako_record_status(rec);
    tako_record_free(rec);
    return status;
}

static inline tako_status api_wait_end(tako *t, const char *id)
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_status status;

    OK(tako_wait(t, id, 20000, &rec, &err));
    status = tako_record_status(rec);
    tako_record_free(rec);
    return status;
}

static inline tako_stats api_stats(tako *t)
{
    tako_stats stats = TAKO_STATS_INIT;
    tako_error err = {0, 0, ""};

    OK(tako_get_stats(t, &stats, &err));
    return stats;
}

#endif
