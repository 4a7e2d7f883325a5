/* mem.c - memory from the host's allocator, and what a host lends when it lends nothing.
 *
 * Every allocation of Tako's own goes through here, so that a host can count, limit or fail
 * them. Size 0 never reaches the host's function except to free: a request for nothing gets
 * one byte, so that NULL always means "no memory".
 *
 * SPDX-License-Identifier: MIT */
#include "base.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *mem_libc_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static int64_t mem_real_time(void *ctx)
{
    struct timespec ts = {0, 0};

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void tako__host_init(tako_host *host, const tako_options *opts)
{
    memset(host, 0, sizeof *host);
    host->size = sizeof *host;
    if (opts) {
        host->alloc = opts->alloc;
        host->clock = opts->clock;
        host->log = opts->log;
        host->log_ctx = opts->log_ctx;
    }
    if (!host->alloc.realloc)
        host->alloc.realloc = mem_libc_realloc;
    if (!host->clock.now_us)
        host->clock.now_us = mem_real_time;
}

void *tako__alloc(const tako_host *host, size_t size)
{
    void *p;

    if (size == 0)
        size = 1;
    p = host->alloc.realloc(host->alloc.ctx, NULL, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void *tako__array(const tako_host *host, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return tako__alloc(host, bytes);
}

void *tako__resize(const tako_host *host, void *ptr, size_t size)
{
    return host->alloc.realloc(host->alloc.ctx, ptr, size ? size : 1);
}

void tako__free(const tako_host *host, void *ptr)
{
    if (ptr)
        (void)host->alloc.realloc(host->alloc.ctx, ptr, 0);
}

char *tako__strndup(const tako_host *host, const char *s, size_t len)
{
    char *copy;

    if (!s || len == SIZE_MAX)
        return NULL;
    copy = tako__resize(host, NULL, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *tako__strdup(const tako_host *host, const char *s)
{
    return s ? tako__strndup(host, s, strlen(s)) : NULL;
}
