/* store_sqlite_watch.c - one descriptor that becomes readable when the write-ahead log of a
 * database was written to, or when the store asked to look again. Linux: inotify, timerfd and
 * epoll around both. Does not know who wrote, nor whether it was committed: store_sqlite.c finds
 * that out. Not thread-safe: the store calls it with its writer's lock held.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SQLITE_WATCH_FIRST_US 1000
#define SQLITE_WATCH_LAST_US 64000
#define SQLITE_WATCH_LOST_US 1000000 /* how often a log that is gone is looked for */

void tako__sqlite_watch_init(struct tako__sqlite_watch *w, const tako_host *host)
{
    memset(w, 0, sizeof(*w));
    w->host = host;
    w->epoll_fd = w->inotify_fd = w->timer_fd = w->wd = -1;
    w->delay_us = SQLITE_WATCH_FIRST_US;
}

void tako__sqlite_watch_close(struct tako__sqlite_watch *w)
{
    tako__close_fd(&w->epoll_fd);
    tako__close_fd(&w->inotify_fd);
    tako__close_fd(&w->timer_fd);
    w->wd = -1;
    tako__free(w->host, w->wal);
    w->wal = NULL;
}

static void sqlite_watch_set(struct tako__sqlite_watch *w, int64_t delay_us)
{
    struct itimerspec when;

    if (w->timer_fd < 0)
        return;
    memset(&when, 0, sizeof(when));
    when.it_value.tv_sec = (time_t)(delay_us / 1000000);
    when.it_value.tv_nsec = (long)(delay_us % 1000000) * 1000;
    (void)timerfd_settime(w->timer_fd, 0, &when, NULL); /* fails for bad arguments only */
}

/* The log of an open database exists until the last process closes it. */
static void sqlite_watch_arm(struct tako__sqlite_watch *w)
{
    w->wd = inotify_add_watch(w->inotify_fd, w->wal,
                              IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
    if (w->wd < 0)
        sqlite_watch_set(w, SQLITE_WATCH_LOST_US);
}

static bool sqlite_watch_add(struct tako__sqlite_watch *w, int fd)
{
    struct epoll_event event;

    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;
    return fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

int tako__sqlite_watch_open(struct tako__sqlite_watch *w, const char *wal, tako_error *err)
{
    if (wal == NULL) {
        w->epoll_fd = epoll_create1(EPOLL_CLOEXEC); /* of nothing: never readable */
        return TAKO_OK;
    }
    w->wal = tako__strdup(w->host, wal);
    if (w->wal == NULL)
        return tako__nomem(err);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->inotify_fd >= 0)
        sqlite_watch_arm(w);
    if (w->epoll_fd < 0 || w->wd < 0 || !sqlite_watch_add(w, w->inotify_fd) ||
        !sqlite_watch_add(w, w->timer_fd)) {
        tako__log(w->host, TAKO_LOG_WARN, "sqlite",
                  "cannot watch %s (%s): jobs of other processes are noticed once a second"
                  " (see fs.inotify.max_user_instances and _watches)",
                  wal, strerror(errno));
        tako__sqlite_watch_close(w);
    }
    return TAKO_OK;
}

void tako__sqlite_watch_drain(struct tako__sqlite_watch *w)
{
    union {
        struct inotify_event align;
        char bytes[4096];
    } buf;
    uint64_t ticks;
    ssize_t n;
    bool lost = false;

    if (w->inotify_fd < 0)
        return;
    (void)!read(w->timer_fd, &ticks, sizeof(ticks));
    while ((n = read(w->inotify_fd, buf.bytes, sizeof(buf.bytes))) > 0) {
        ssize_t at = 0;

        while (at < n) {
            struct inotify_event event; /* copied: no assumption about alignment */

            memcpy(&event, buf.bytes + at, sizeof(event));
            if (event.wd == w->wd && (event.mask & (uint32_t)~IN_MODIFY) != 0)
                lost = true;
            at += (ssize_t)(sizeof(event) + event.len);
        }
    }
    if (lost || w->wd < 0) {
        if (w->wd >= 0)
            (void)inotify_rm_watch(w->inotify_fd, w->wd);
        sqlite_watch_arm(w);
    }
}

void tako__sqlite_watch_now(struct tako__sqlite_watch *w)
{
    sqlite_watch_set(w, 1);
}

void tako__sqlite_watch_retry(struct tako__sqlite_watch *w)
{
    sqlite_watch_set(w, w->delay_us);
    if (w->delay_us < SQLITE_WATCH_LAST_US)
        w->delay_us *= 2;
}

void tako__sqlite_watch_calm(struct tako__sqlite_watch *w)
{
    w->delay_us = SQLITE_WATCH_FIRST_US;
}
