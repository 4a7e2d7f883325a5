/* exec_native_pool.c - what of a sandbox can be made before its job comes and removed after its
 * record is told: network namespaces (the dearest of all, each used once) and cgroups. One thread
 * per engine keeps a few ready and clears away what is spent; it sleeps while there is nothing to
 * do. Nothing depends on it: where the pool is empty the box makes its own.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* In a namespace of the thread's own from then on; nobody else's. */
static int pool_make_net(void)
{
    if (syscall(SYS_unshare, CLONE_NEWNET) < 0)
        return -1;
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static bool pool_make_group(struct native *n, struct native_group *group)
{
    return native_group_make(group, &n->cgroups,
                             __atomic_add_fetch(&n->serial, 1, __ATOMIC_RELAXED), NULL) == TAKO_OK;
}

/* One thing at a time, each done without the lock; false when there is nothing to do. */
static bool pool_work_locked(struct native *n)
{
    struct native_pool *p = &n->pool;
    struct native_group group;
    int fd;
    bool made;

    if (p->n_spent > 0) {
        group = p->spent[--p->n_spent];
        pthread_mutex_unlock(&n->lock);
        native_group_remove(&group);
        pthread_mutex_lock(&n->lock);
        return true;
    }
    if (p->n_nets < NATIVE_POOL && p->make_nets) {
        pthread_mutex_unlock(&n->lock);
        fd = pool_make_net();
        pthread_mutex_lock(&n->lock);
        if (fd < 0)
            p->make_nets = false; /* boxes make their own; if they cannot either, they say why */
        else
            p->net_fd[p->n_nets++] = fd;
        return true;
    }
    if (p->n_groups < NATIVE_POOL && p->make_groups) {
        pthread_mutex_unlock(&n->lock);
        made = pool_make_group(n, &group);
        pthread_mutex_lock(&n->lock);
        if (made)
            p->group[p->n_groups++] = group;
        else
            p->make_groups = false;
        return true;
    }
    return false;
}

static void *pool_main(void *native)
{
    struct native *n = native;

    pthread_mutex_lock(&n->lock);
    while (!n->pool.leave)
        if (!pool_work_locked(n))
            pthread_cond_wait(&n->pool.work, &n->lock);
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

void native_pool_start(struct native *n)
{
    struct native_pool *p = &n->pool;
    sigset_t all, before;

    memset(p, 0, sizeof(*p));
    p->make_nets = n->privileged; /* elsewhere they belong to each job's own user namespace */
    p->make_groups = n->cgroups.dir[NATIVE_MEMORY] || n->cgroups.dir[NATIVE_PIDS];
    pthread_cond_init(&p->work, NULL);
    sigfillset(&all); /* the host's handlers run on the host's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->running = pthread_create(&p->thread, NULL, pool_main, n) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!p->running)
        pthread_cond_destroy(&p->work);
}

void native_pool_stop(struct native *n)
{
    struct native_pool *p = &n->pool;

    if (!p->running)
        return;
    pthread_mutex_lock(&n->lock);
    p->leave = true;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&n->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->work);
    p->running = false;
    while (p->n_spent > 0)
        native_group_remove(&p->spent[--p->n_spent]);
    while (p->n_groups > 0)
        native_group_remove(&p->group[--p->n_groups]);
    while (p->n_nets > 0)
        close(p->net_fd[--p->n_nets]);
}

int native_pool_take_net(struct native *n)
{
    int fd = -1;

    pthread_mutex_lock(&n->lock);
    if (n->pool.running && n->pool.n_nets > 0) {
        fd = n->pool.net_fd[--n->pool.n_nets];
        pthread_cond_signal(&n->pool.work);
    }
    pthread_mutex_unlock(&n->lock);
    return fd;
}

bool native_pool_take_group(struct native *n, struct native_group *group)
{
    bool got;

    pthread_mutex_lock(&n->lock);
    got = n->pool.running && n->pool.n_groups > 0;
    if (got) {
        *group = n->pool.group[--n->pool.n_groups];
        pthread_cond_signal(&n->pool.work);
    }
    pthread_mutex_unlock(&n->lock);
    return got;
}

void native_pool_give_group(struct native *n, struct native_group *group)
{
    bool taken;

    pthread_mutex_lock(&n->lock);
    taken = n->pool.running && n->pool.n_spent < NATIVE_SPENT;
    if (taken) {
        n->pool.spent[n->pool.n_spent++] = *group;
        pthread_cond_signal(&n->pool.work);
    }
    pthread_mutex_unlock(&n->lock);
    if (!taken)
        native_group_remove(group);
}
