/* turn.c - whose turn it is to write: the pump role, the engine's thread that holds it while it
 * lives, callers that take it when there is no such thread, and how all of them sleep.
 *
 * Callers leave an op in the intake and sleep on the futex of the batch that is being filled.
 * Without an engine thread a caller that finds the role free does the cycle itself, for all that
 * wait. What a cycle does is in pump.c.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURN_GATHER_MAX_US 2000 /* at most this long, and half a commit, for callers to come back */

/* ---- futexes ----------------------------------------------------------------------------- */

void tako__word_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_us)
{
    struct timespec ts;

    ts.tv_sec = (time_t)(timeout_us / 1000000);
    ts.tv_nsec = (long)(timeout_us % 1000000) * 1000;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout_us < 0 ? NULL : &ts, NULL, 0);
}

void tako__word_wake(_Atomic uint32_t *word, int count)
{
    (void)atomic_fetch_add_explicit(word, 1, memory_order_release);
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void tako__pump_ping_locked(tako *t)
{
    uint64_t one = 1;
    ssize_t done;

    if (!t->pump_asleep)
        return;
    t->pump_asleep = false;
    done = write(t->wake_fd, &one, sizeof one); /* an eventfd that is 0 takes it at once */
    (void)done;
}

/* ---- the role -------------------------------------------------------------------------------- */

void tako__pump_take(tako *t)
{
    pthread_mutex_lock(&t->lock);
    t->pump_wanted++;
    while (t->pump_held) {
        tako__pump_ping_locked(t);
        pthread_cond_wait(&t->turn, &t->lock);
    }
    t->pump_wanted--;
    t->pump_held = true;
    pthread_mutex_unlock(&t->lock);
}

/* Whoever is left finds the role free: those who want it for long first, then a caller whose op
 * waits, then one who waits for a job. */
void tako__pump_release(tako *t)
{
    pthread_mutex_lock(&t->lock);
    t->pump_held = false;
    if (t->pump_wanted || t->has_pump_thread)
        pthread_cond_broadcast(&t->turn);
    else if (t->intake)
        tako__word_wake(&t->ack[t->batch & 1], 1);
    else if (t->waiters)
        tako__word_wake(&t->waiters->word, 1);
    pthread_mutex_unlock(&t->lock);
}

static bool turn_try(tako *t)
{
    bool got;

    pthread_mutex_lock(&t->lock);
    got = !t->has_pump_thread && !t->pump_held && !t->pump_wanted;
    if (got)
        t->pump_held = true;
    pthread_mutex_unlock(&t->lock);
    return got;
}

/* After a commit that answered many, waits a little for them to come back, so that they do not
 * end up in turns of one and all others. True when something is there to write. */
static bool turn_gather(tako *t)
{
    size_t target = t->pump.last_acked;
    int64_t limit = t->pump.commit_us / 2, until;
    uint32_t seen;
    bool some;

    if (limit > TURN_GATHER_MAX_US)
        limit = TURN_GATHER_MAX_US;
    until = tako__mono_us() + limit;
    pthread_mutex_lock(&t->lock);
    if (target > 1 && t->intake_count < target && !t->pump_wanted) {
        t->gather_target = target;
        while (t->gather_target && limit > 0) {
            seen = atomic_load_explicit(&t->gathered, memory_order_acquire);
            pthread_mutex_unlock(&t->lock);
            tako__word_wait(&t->gathered, seen, limit);
            limit = until - tako__mono_us();
            pthread_mutex_lock(&t->lock);
        }
        t->gather_target = 0;
    }
    t->pump.last_acked = 0;
    some = t->intake != NULL;
    pthread_mutex_unlock(&t->lock);
    return some;
}

int tako__pump_do(tako *t, struct tako__op *op)
{
    bool threaded, gathered = false;
    uint32_t seen;

    op->next = NULL;
    op->rc = TAKO_OK;
    atomic_init(&op->done, 0);
    pthread_mutex_lock(&t->lock);
    *t->intake_end = op;
    t->intake_end = &op->next;
    t->intake_count++;
    op->word = &t->ack[t->batch & 1];
    threaded = t->has_pump_thread;
    if (t->gather_target && t->intake_count >= t->gather_target) {
        t->gather_target = 0;
        gathered = true;
    }
    tako__pump_ping_locked(t);
    pthread_mutex_unlock(&t->lock);
    if (gathered)
        tako__word_wake(&t->gathered, 1);
    for (;;) {
        seen = atomic_load_explicit(op->word, memory_order_acquire);
        if (atomic_load_explicit(&op->done, memory_order_acquire))
            return op->rc;
        if (!threaded && turn_try(t)) {
            (void)turn_gather(t);
            if (!atomic_load_explicit(&op->done, memory_order_acquire))
                (void)tako__pump_cycle(t, 0, NULL);
            tako__pump_release(t);
        } else {
            tako__word_wait(op->word, seen, -1);
        }
    }
}

/* Sleeps until there is something to do, at most limit_us (-1 = no limit); the role stays held. */
static void turn_sleep(tako *t, int64_t limit_us, bool count)
{
    struct pollfd fds[2];
    struct timespec ts;
    uint64_t taken;
    int64_t now_us = tako__now_us(&t->host), mono = tako__mono_us(), pause;
    ssize_t got;
    int ready;
    bool look;

    pthread_mutex_lock(&t->lock);
    pause = tako__keeper_sleep_locked(t, now_us, mono);
    if (limit_us >= 0 && (pause < 0 || pause > limit_us))
        pause = limit_us;
    if (pause == 0 || t->pump_wanted) {
        /* Without a watch a busy engine looks around once a second as well. */
        look = !t->pump_wanted && t->watch_fd < 0 && mono - t->pump.safety_mono >= TAKO__SAFETY_US;
        pthread_mutex_unlock(&t->lock);
        if (look)
            tako__keeper_look(t);
        return;
    }
    t->pump_asleep = true;
    pthread_mutex_unlock(&t->lock);
    memset(fds, 0, sizeof fds);
    fds[0].fd = t->wake_fd;
    fds[0].events = POLLIN;
    fds[1].fd = t->watch_fd;
    fds[1].events = POLLIN;
    ts.tv_sec = (time_t)(pause / 1000000);
    ts.tv_nsec = (long)(pause % 1000000) * 1000;
    ready = ppoll(fds, 2, pause < 0 ? NULL : &ts, NULL);
    pthread_mutex_lock(&t->lock);
    t->pump_asleep = false;
    if (count)
        t->stats.wakeups++;
    pthread_mutex_unlock(&t->lock);
    if (ready > 0 && fds[0].revents) {
        got = read(t->wake_fd, &taken, sizeof taken);
        (void)got;
    }
    look = t->watch_fd < 0 && tako__mono_us() - t->pump.safety_mono >= TAKO__SAFETY_US;
    if (ready > 0 && fds[1].revents)
        look = !t->ops->watched || t->ops->watched(t->store) != 0;
    if (look)
        tako__keeper_look(t);
}

bool tako__pump_watch(tako *t, int64_t timeout_us)
{
    if (!turn_try(t))
        return false;
    (void)tako__pump_cycle(t, 0, NULL);
    turn_sleep(t, timeout_us, false);
    tako__pump_release(t);
    return true;
}

/* The engine's thread lets those go first who want the role itself. */
static void turn_yield(tako *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->pump_wanted) {
        t->pump_held = false;
        pthread_cond_broadcast(&t->turn);
        while (t->pump_held || t->pump_wanted)
            pthread_cond_wait(&t->turn, &t->lock);
        t->pump_held = true;
    }
    pthread_mutex_unlock(&t->lock);
}

void *tako__pump_main(void *engine)
{
    tako *t = engine;
    bool leave = false;
    int64_t now_us;

    tako__pump_take(t);
    while (!leave) {
        turn_yield(t);
        if (tako__pump_cycle(t, -1, NULL) == TAKO_OK)
            tako__keeper_cancels(t);
        tako__keeper_retain(t);
        now_us = tako__now_us(&t->host);
        pthread_mutex_lock(&t->lock);
        tako__keeper_unprefetch_locked(t, now_us, tako__mono_us(), false);
        leave = t->pump_leave && !t->intake;
        if (leave)
            t->has_pump_thread = false; /* from here on callers do it themselves */
        pthread_mutex_unlock(&t->lock);
        if (!leave && !turn_gather(t))
            turn_sleep(t, -1, true);
    }
    tako__pump_release(t);
    return NULL;
}
