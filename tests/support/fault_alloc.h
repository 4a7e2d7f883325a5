/* fault_alloc.h - an allocator for tests: counts what lives, fails when told, and notices writes
 * past a block and frees of what it never gave. Threads may share one.
 *
 *     struct fault_alloc f;
 *     fault_alloc_init(&f);
 *     f.fail_at = n;              the n-th allocation (from 0) fails; -1 = none
 *     f.fail_after = 1;           ... and so do all later ones
 *     opts.alloc = fault_alloc_use(&f);
 *     ... f.live_bytes and f.live_blocks are 0 when nothing leaked.
 *
 * The usual loop: for (n = 0; scenario(n) failed with TAKO_ENOMEM; n++) nothing may be alive.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TEST_FAULT_ALLOC_H
#define TAKO_TEST_FAULT_ALLOC_H

#include "../../tako.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault_alloc {
    long fail_at;
    int fail_after;
    long calls; /* allocations asked for, also those that failed */
    long live_blocks;
    long live_bytes;
    long peak_bytes;
};

/* In front of each block; keeps what follows aligned for any type. */
union fault_head {
    struct {
        size_t size;
        uint64_t magic;
    } in;
    max_align_t align;
};

#define FAULT_MAGIC UINT64_C(0x7461b06c6f636b21)
#define FAULT_GUARD 0xA5
#define FAULT_GUARD_LEN 8

static inline void fault_alloc_init(struct fault_alloc *f)
{
    memset(f, 0, sizeof *f);
    f->fail_at = -1;
}

static inline void fault_check(const union fault_head *head)
{
    const unsigned char *guard = (const unsigned char *)(head + 1) + head->in.size;
    int i;

    if (head->in.magic != FAULT_MAGIC) {
        fprintf(stderr, "fault_alloc: a block that was never given, or freed twice\n");
        abort();
    }
    for (i = 0; i < FAULT_GUARD_LEN; i++) {
        if (guard[i] != FAULT_GUARD) {
            fprintf(stderr, "fault_alloc: written past a block of %zu bytes\n", head->in.size);
            abort();
        }
    }
}

static inline void fault_release(struct fault_alloc *f, union fault_head *head)
{
    size_t size = head->in.size;

    fault_check(head);
    memset(head, 0x5A, sizeof *head + size + FAULT_GUARD_LEN);
    free(head);
    __atomic_sub_fetch(&f->live_blocks, 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&f->live_bytes, (long)size, __ATOMIC_RELAXED);
}

static inline void *fault_realloc(void *ctx, void *ptr, size_t size)
{
    struct fault_alloc *f = ctx;
    union fault_head *old = ptr ? (union fault_head *)ptr - 1 : NULL, *head;
    long n, live, peak;

    if (size == 0) {
        if (old)
            fault_release(f, old);
        return NULL;
    }
    n = __atomic_fetch_add(&f->calls, 1, __ATOMIC_RELAXED);
    if (f->fail_at >= 0 && (n == f->fail_at || (f->fail_after && n > f->fail_at)))
        return NULL;
    head = malloc(sizeof *head + size + FAULT_GUARD_LEN);
    if (!head)
        return NULL;
    head->in.size = size;
    head->in.magic = FAULT_MAGIC;
    memset(head + 1, 0xCD, size); /* fresh memory is junk */
    memset((unsigned char *)(head + 1) + size, FAULT_GUARD, FAULT_GUARD_LEN);
    __atomic_add_fetch(&f->live_blocks, 1, __ATOMIC_RELAXED);
    live = __atomic_add_fetch(&f->live_bytes, (long)size, __ATOMIC_RELAXED);
    peak = __atomic_load_n(&f->peak_bytes, __ATOMIC_RELAXED);
    if (live > peak)
        __atomic_store_n(&f->peak_bytes, live, __ATOMIC_RELAXED);
    if (old) {
        memcpy(head + 1, ptr, old->in.size < size ? old->in.size : size);
        fault_release(f, old); /* always moves, so that stale pointers show */
    }
    return head + 1;
}

static inline tako_allocator fault_alloc_use(struct fault_alloc *f)
{
    tako_allocator a;

    a.realloc = fault_realloc;
    a.ctx = f;
    return a;
}

#endif
