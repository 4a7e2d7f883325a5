/* engine.c - the life of an engine: open, start, step, stop, close; who may call what and when;
 * job types, and stores by scheme.
 *
 * Open makes no thread. Start makes the workers and the engine's thread (see pump.c), stop ends
 * them and leaves the engine readable.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"
#include "rules.h"
#include "type.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ENGINE_WORKERS_MAX 1024
#define ENGINE_STRUCT_MORE 4096 /* bytes that a struct of a later version may have more */
#define ENGINE_TTL_MIN_MS 60000
#define ENGINE_TTL_MAX_MS INT64_C(315360000000) /* ten years */
#define ENGINE_FLUSH_TRIES 5 /* failing transactions after which tako_stop gives up */

/* ---- at the door ----------------------------------------------------------------------------- */

static bool engine_in_handler_locked(const tako *t)
{
    pthread_t me = pthread_self();
    int i;

    if (t->stepping && pthread_equal(t->step_thread, me))
        return true;
    for (i = 0; i < t->crew_size; i++)
        if (t->crew[i].thread_made && pthread_equal(t->crew[i].thread, me))
            return true;
    return false;
}

int tako__enter(tako *t, const char *call, unsigned allowed, tako_error *err)
{
    enum tako__phase phase;
    bool handler, event;

    if (!t)
        return tako__fail(err, TAKO_EINVAL, "%s: t is NULL", call);
    if (getpid() != t->pid)
        return tako__fail(err, TAKO_ESTATE,
                          "%s: this process is a fork of the one that opened the engine; open "
                          "another one here",
                          call);
    pthread_mutex_lock(&t->lock);
    phase = t->phase;
    event = t->has_event_thread && pthread_equal(t->event_thread, pthread_self());
    handler = !(allowed & TAKO__IN_HANDLER) && engine_in_handler_locked(t);
    pthread_mutex_unlock(&t->lock);
    if (event && !(allowed & TAKO__IN_EVENT))
        return tako__fail(err, TAKO_ESTATE,
                          "%s: not from an event callback, the engine waits for it; do it in a "
                          "thread of yours",
                          call);
    if (handler)
        return tako__fail(err, TAKO_ESTATE,
                          "%s: not from a handler, which is part of the engine's work; do it in a "
                          "thread of yours",
                          call);
    if (phase == TAKO__OPENED && !(allowed & TAKO__BEFORE_START))
        return tako__fail(err, TAKO_ESTATE, "%s: the engine is not started; call tako_start first",
                          call);
    if ((phase == TAKO__STOPPING || phase == TAKO__STOPPED) && !(allowed & TAKO__AFTER_STOP))
        return tako__fail(err, TAKO_ESTATE,
                          "%s: the engine was stopped and is open for reading only; open it again",
                          call);
    return TAKO_OK;
}

int tako__struct_in(void *out, size_t ours, size_t min, const void *given, const char *name,
                    tako_error *err)
{
    const unsigned char *bytes = given;
    size_t size, i;

    memcpy(&size, given, sizeof size);
    if (size < min)
        return tako__fail(err, TAKO_EINVAL,
                          "%s.size: %zu, less than the %zu bytes there must be; start from the "
                          "_INIT macro",
                          name, size, min);
    if (size > ours + ENGINE_STRUCT_MORE || size % sizeof(void *) != 0)
        return tako__fail(err, TAKO_EINVAL,
                          "%s.size: %zu cannot be the size of any version; start from the _INIT "
                          "macro",
                          name, size);
    for (i = ours; i < size; i++)
        if (bytes[i])
            return tako__fail(err, TAKO_EINVAL,
                              "%s.size: %zu, and a member that this version (%s) does not know is "
                              "set",
                              name, size, TAKO_VERSION);
    memcpy(out, given, size < ours ? size : ours);
    memcpy(out, &ours, sizeof ours);
    return TAKO_OK;
}

/* ---- job types ------------------------------------------------------------------------------- */

struct tako__type *tako__type_find_locked(tako *t, const char *name)
{
    struct tako__type *type;

    for (type = t->types; type; type = type->next)
        if (strcmp(type->name, name) == 0)
            return type;
    return NULL;
}

struct tako__type *tako__type_find(tako *t, const char *name)
{
    struct tako__type *type;

    pthread_mutex_lock(&t->lock);
    type = tako__type_find_locked(t, name);
    pthread_mutex_unlock(&t->lock);
    return type;
}

struct tako__type *tako__type_make(tako *t, const char *name, struct tako__version *version)
{
    struct tako__type *type = tako__alloc(&t->host, sizeof *type);

    if (!type)
        return NULL;
    (void)snprintf(type->name, sizeof type->name, "%s", name);
    type->sandboxed = version != NULL;
    type->version = version;
    return type;
}

void tako__type_link_locked(tako *t, struct tako__type *type)
{
    type->next = t->types;
    type->count = 1 + (t->types ? t->types->count : 0);
    t->types = type;
    t->claim_due = true; /* jobs of this type may wait already */
    t->pump.prefetch_dry = false;
    tako__pump_ping_locked(t);
}

const struct tako__exec_ops *tako__type_exec(const tako *t, const struct tako__type *type,
                                             void **self)
{
    *self = type->sandboxed ? t->native_self : t->handlers;
    return type->sandboxed ? t->native : tako__exec_handler();
}

static int engine_register(tako *t, const char *name, tako_handler_fn *fn, void *ctx,
                           void (*destroy)(void *ctx), tako_error *err)
{
    struct tako__type *type;
    bool linked;
    int rc;

    rc = tako__enter(t, "tako_register_handler", TAKO__BEFORE_START | TAKO__IN_HANDLER, err);
    if (rc != TAKO_OK)
        return rc;
    if (!name || !fn)
        return tako__fail(err, TAKO_EINVAL, "tako_register_handler: %s is NULL",
                          name ? "fn" : "type");
    if (!tako__type_name_ok(name))
        return tako__fail(err, TAKO_EINVAL,
                          "tako_register_handler: type '%.80s' is no name of a job type: 1-64 of "
                          "[A-Za-z0-9_-] with at least one letter or digit",
                          name);
    if (tako__type_find(t, name))
        return tako__fail(err, TAKO_ECONFLICT,
                          "tako_register_handler: there is a job type '%s' already", name);
    type = tako__type_make(t, name, NULL);
    if (!type)
        return tako__nomem(err);
    pthread_mutex_lock(&t->lock);
    linked = !t->registering && !tako__type_find_locked(t, name);
    if (linked)
        t->registering = true; /* two threads may want the same name */
    pthread_mutex_unlock(&t->lock);
    if (!linked) {
        tako__free(&t->host, type);
        return tako__fail(err, TAKO_ECONFLICT,
                          "tako_register_handler: '%s': another thread is registering a job type; "
                          "try again",
                          name);
    }
    rc = tako__exec_handler_add(t->handlers, name, fn, ctx, destroy, err);
    pthread_mutex_lock(&t->lock);
    t->registering = false;
    if (rc == TAKO_OK)
        tako__type_link_locked(t, type);
    pthread_mutex_unlock(&t->lock);
    if (rc != TAKO_OK)
        tako__free(&t->host, type);
    return rc;
}

int tako_register_handler(tako *t, const char *type, tako_handler_fn *fn, void *ctx,
                          void (*destroy)(void *ctx), tako_error *err)
{
    int rc = engine_register(t, type, fn, ctx, destroy, err);

    if (rc != TAKO_OK && destroy)
        destroy(ctx);
    return rc;
}

/* ---- stores ---------------------------------------------------------------------------------- */

static const tako_store_ops *engine_find_store(const tako_options *opts, const char *uri)
{
    const char *colon = strchr(uri, ':');
    const tako_store_ops *const *list = opts->stores;
    const tako_store_ops *ops;
    size_t len;

    if (!colon)
        return NULL;
    len = (size_t)(colon - uri);
    for (; list && *list; list++)
        if ((*list)->scheme && strlen((*list)->scheme) == len &&
            memcmp((*list)->scheme, uri, len) == 0)
            return *list;
    ops = tako_store_sqlite();
    if (ops && strlen(ops->scheme) == len && memcmp(ops->scheme, uri, len) == 0)
        return ops;
    return NULL;
}

static int engine_check_store(const tako_store_ops *ops, tako_error *err)
{
    if (ops->size != sizeof *ops)
        return tako__fail(err, TAKO_EINVAL,
                          "stores: the table of '%s' has size %zu instead of %zu; build it against "
                          "this tako.h",
                          ops->scheme, ops->size, sizeof *ops);
    if (!ops->open || !ops->close || !ops->begin || !ops->commit || !ops->rollback ||
        !ops->put_blobs || !ops->insert || !ops->claim || !ops->finish || !ops->cancel ||
        !ops->put_node || !ops->remove_node || !ops->get || !ops->list || !ops->get_blob ||
        !ops->count || !ops->nodes || !ops->held || !ops->cancel_requests || !ops->next_due ||
        !ops->find_key || !ops->history || !ops->expired || !ops->purge || !ops->list_dead ||
        !ops->get_dead || !ops->count_dead || !ops->drop_dead || !ops->put_version ||
        !ops->versions)
        return tako__fail(err, TAKO_EINVAL,
                          "stores: the table of '%s' lacks a function; only watch_fd and watched "
                          "may be NULL",
                          ops->scheme);
    return TAKO_OK;
}

static int engine_open_store(tako *t, const tako_options *opts, tako_error *err)
{
    const char *uri = opts->store ? opts->store : "sqlite::memory:";
    int rc;

    if (!strchr(uri, ':'))
        return tako__fail(err, TAKO_EINVAL,
                          "store: '%.200s' names no kind of store; a file is \"sqlite:PATH\"", uri);
    t->ops = engine_find_store(opts, uri);
    if (!t->ops)
        return tako__fail(err, TAKO_EUNSUPPORTED, "store: '%.200s': there is no store for '%.*s'",
                          uri, (int)(strchr(uri, ':') - uri < 40 ? strchr(uri, ':') - uri : 40),
                          uri);
    rc = engine_check_store(t->ops, err);
    if (rc == TAKO_OK)
        rc = t->ops->open(&t->store, uri, &t->host, err);
    if (rc != TAKO_OK)
        return rc;
    t->watch_fd = t->ops->watch_fd ? t->ops->watch_fd(t->store) : -1;
    return t->ops->count(t->store, &t->queued, &t->stats.running, err);
}

/* ---- open ------------------------------------------------------------------------------------ */

static int engine_check_ttl(const char *member, int64_t ms, tako_error *err)
{
    if (ms == 0 || (ms >= ENGINE_TTL_MIN_MS && ms <= ENGINE_TTL_MAX_MS))
        return TAKO_OK;
    return tako__fail(err, TAKO_EINVAL, "%s: %" PRId64 ", not in %d-%" PRId64 " (0 = never)",
                      member, ms, ENGINE_TTL_MIN_MS, ENGINE_TTL_MAX_MS);
}

static int engine_check_options(const tako_options *o, tako_error *err)
{
    int rc;

    if (o->workers < 0 || o->workers > ENGINE_WORKERS_MAX)
        return tako__fail(err, TAKO_EINVAL, "workers: %d, not in 0-%d", o->workers,
                          ENGINE_WORKERS_MAX);
    if (o->max_queued < 0)
        return tako__fail(err, TAKO_EINVAL, "max_queued: %" PRId64 " is negative; 0 = no limit",
                          o->max_queued);
    if (o->security != TAKO_STRICT && o->security != TAKO_PERMISSIVE)
        return tako__fail(err, TAKO_EINVAL,
                          "security: %d is neither TAKO_STRICT nor "
                          "TAKO_PERMISSIVE",
                          (int)o->security);
    if (o->interpreter && o->interpreter[0] != '/')
        return tako__fail(err, TAKO_EINVAL, "interpreter: '%.200s' is no absolute path",
                          o->interpreter);
    if (o->rootfs && !o->rootfs[0])
        return tako__fail(err, TAKO_EINVAL, "rootfs: empty; NULL = the host's own /usr");
    if (o->lease_ms < 1000 || o->lease_ms > 3600000)
        return tako__fail(err, TAKO_EINVAL, "lease_ms: %" PRId64 ", not in 1000-3600000",
                          o->lease_ms);
    if (o->max_deaths < 1 || o->max_deaths > 100)
        return tako__fail(err, TAKO_EINVAL, "max_deaths: %d, not in 1-100", o->max_deaths);
    if (o->allow_requirements < 0 || o->allow_requirements > 1)
        return tako__fail(err, TAKO_EINVAL, "allow_requirements: %d, neither 0 nor 1",
                          o->allow_requirements);
    if (o->data_dir && o->data_dir[0] != '/')
        return tako__fail(err, TAKO_EINVAL, "data_dir: '%.200s' is no absolute path", o->data_dir);
    if (o->wheel_dir && o->wheel_dir[0] != '/')
        return tako__fail(err, TAKO_EINVAL, "wheel_dir: '%.200s' is no absolute path",
                          o->wheel_dir);
    rc = engine_check_ttl("record_ttl_ms", o->record_ttl_ms, err);
    if (rc == TAKO_OK)
        rc = engine_check_ttl("dead_ttl_ms", o->dead_ttl_ms, err);
    if (rc == TAKO_OK)
        rc = engine_check_ttl("environment_ttl_ms", o->environment_ttl_ms, err);
    return rc;
}

static int engine_init_locks(tako *t)
{
    pthread_condattr_t attr;
    int rc;

    rc = pthread_mutex_init(&t->lock, NULL);
    if (rc != 0)
        return rc;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&t->work, &attr);
    if (rc == 0) {
        rc = pthread_cond_init(&t->turn, &attr);
        if (rc != 0)
            pthread_cond_destroy(&t->work);
    }
    (void)pthread_condattr_destroy(&attr);
    if (rc != 0)
        pthread_mutex_destroy(&t->lock);
    return rc;
}

static int engine_keep_text(tako *t, char **kept, const char **text, tako_error *err)
{
    if (!*text)
        return TAKO_OK;
    *kept = tako__strdup(&t->host, *text);
    *text = *kept;
    return *kept ? TAKO_OK : tako__nomem(err);
}

/* What outlives the caller's options. */
static int engine_keep_options(tako *t, const tako_options *o, tako_error *err)
{
    static const tako_limits defaults = TAKO_LIMITS_INIT;
    int rc;

    t->opts = *o;
    t->opts.store = NULL;
    t->opts.stores = NULL;
    t->limits = defaults;
    if (o->limits) {
        rc = tako__struct_in(&t->limits, sizeof t->limits, sizeof t->limits, o->limits, "limits",
                             err);
        if (rc == TAKO_OK)
            rc = tako__limits_check(&t->limits, err);
        if (rc != TAKO_OK)
            return rc;
    }
    t->opts.limits = &t->limits;
    rc = engine_keep_text(t, &t->rootfs, &t->opts.rootfs, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->interpreter, &t->opts.interpreter, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->cgroup, &t->opts.cgroup, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->data_dir, &t->opts.data_dir, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->index_url, &t->opts.index_url, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->proxy_url, &t->opts.proxy_url, err);
    if (rc == TAKO_OK)
        rc = engine_keep_text(t, &t->wheel_dir, &t->opts.wheel_dir, err);
    if (rc != TAKO_OK)
        return rc;
    t->workers = o->workers;
    t->max_queued = o->max_queued;
    t->lease_us = o->lease_ms * 1000;
    t->max_deaths = o->max_deaths;
    t->lent_clock = o->clock.now_us != NULL;
    t->on_event = o->on_event;
    t->event_ctx = o->event_ctx;
    t->on_output = o->on_output;
    t->output_ctx = o->output_ctx;
    return TAKO_OK;
}

/* Frees everything; the store's and executors' close come before what they borrow. */
static void engine_free(tako *t)
{
    tako_host host = t->host;
    struct tako__version *version;
    struct tako__type *type;

    if (t->store)
        t->ops->close(t->store);
    if (t->native && t->native_self)
        t->native->close(t->native_self);
    if (t->handlers)
        tako__exec_handler()->close(t->handlers);
    while ((type = t->types) != NULL) {
        t->types = type->next;
        tako__free(&host, type);
    }
    while ((version = t->versions) != NULL) {
        t->versions = version->next;
        tako__version_free(version);
    }
    tako__close_fd(&t->wake_fd);
    tako__free(&host, t->pump.types);
    tako__free(&host, t->rootfs);
    tako__free(&host, t->interpreter);
    tako__free(&host, t->cgroup);
    tako__free(&host, t->data_dir);
    tako__free(&host, t->index_url);
    tako__free(&host, t->proxy_url);
    tako__free(&host, t->wheel_dir);
    pthread_cond_destroy(&t->turn);
    pthread_cond_destroy(&t->work);
    pthread_mutex_destroy(&t->lock);
    tako__free(&host, t);
}

static void engine_init(tako *t, const tako_host *host)
{
    t->host = *host;
    t->pid = getpid();
    t->watch_fd = -1;
    t->wake_fd = -1;
    t->intake_end = &t->intake;
    t->ready_end = &t->ready;
    t->ended_end = &t->ended;
    t->next_due_us = INT64_MAX;
    t->stats.size = sizeof t->stats;
    t->pump.commit_us = 600;
    t->pump.foreign_due_us = INT64_MAX;
}

int tako_open(tako **out, const tako_options *given, tako_error *err)
{
    static const tako_options defaults = TAKO_OPTIONS_INIT;
    tako_options opts = defaults;
    tako_host host;
    tako *t = NULL;
    int rc;

    if (!out)
        return tako__fail(err, TAKO_EINVAL, "tako_open: out is NULL");
    *out = NULL;
    if (given) {
        rc = tako__struct_in(&opts, sizeof opts, sizeof opts, given, "opts", err);
        if (rc != TAKO_OK)
            return rc;
    }
    rc = engine_check_options(&opts, err);
    if (rc != TAKO_OK)
        return rc;
    tako__host_init(&host, &opts);
    t = tako__alloc(&host, sizeof *t);
    if (!t)
        return tako__nomem(err);
    engine_init(t, &host);
    rc = engine_init_locks(t);
    if (rc != 0) {
        tako__free(&host, t);
        return tako__fail_errno(err, TAKO_ESYS, rc, "making a lock");
    }
    rc = engine_keep_options(t, &opts, err);
    if (rc == TAKO_OK)
        rc = tako__uuid7(&t->node, err);
    if (rc != TAKO_OK)
        goto out;
    tako__identity(t->identity);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->wake_fd < 0) {
        rc = tako__fail_errno(err, TAKO_ESYS, errno, "making an eventfd");
        goto out;
    }
#ifndef TAKO_OMIT_NATIVE
    t->native = tako__exec_native();
#endif
    rc = tako__exec_handler()->open(&t->handlers, &t->host, &t->opts, err);
    if (rc != TAKO_OK)
        goto out;
    rc = tako__types_ship(t, err);
    if (rc != TAKO_OK)
        goto out;
    rc = engine_open_store(t, &opts, err);
    if (rc == TAKO_OK)
        rc = tako__keeper_recover(t, err);
out:
    if (rc != TAKO_OK)
        engine_free(t);
    else
        *out = t;
    return rc;
}

/* ---- start ----------------------------------------------------------------------------------- */

int tako__native_open(tako *t, tako_error *err)
{
    if (!t->native)
        return tako__fail(err, TAKO_EUNSUPPORTED,
                          "the native sandbox was left out at compile time");
    if (t->native_self)
        return TAKO_OK;
    return t->native->open(&t->native_self, &t->host, &t->opts, err);
}

/* Can jobs be sandboxed here? What is in the way is kept for those who submit. */
static int engine_probe_sandbox(tako *t, tako_error *err)
{
    tako_error why;
    int rc;

    memset(&why, 0, sizeof why);
    rc = tako__native_open(t, &why);
    if (rc == TAKO_ENOMEM) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc == TAKO_OK)
        rc = t->native->check(t->native_self, &why);
    if (rc != TAKO_OK)
        tako__log(&t->host, TAKO_LOG_WARN, "engine", "sandboxed jobs are not run here: %s",
                  why.message);
    pthread_mutex_lock(&t->lock);
    t->sandbox_rc = rc == TAKO_OK ? TAKO_OK : TAKO_EEXEC;
    memcpy(t->sandbox_why, why.message, sizeof t->sandbox_why);
    pthread_mutex_unlock(&t->lock);
    return TAKO_OK;
}

/* Our threads take no signals: those are the host's. */
static int engine_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void engine_dismiss_crew(tako *t)
{
    struct tako__worker *crew;
    int i, size;

    pthread_mutex_lock(&t->lock);
    t->crew_leave = true;
    pthread_cond_broadcast(&t->work);
    crew = t->crew;
    size = t->crew_size;
    pthread_mutex_unlock(&t->lock);
    for (i = 0; i < size; i++) {
        if (crew[i].thread_made)
            (void)pthread_join(crew[i].thread, NULL);
        tako__close_fd(&crew[i].cancel_fd);
    }
    pthread_mutex_lock(&t->lock);
    t->crew = NULL;
    t->crew_size = 0;
    t->crew_leave = false;
    pthread_mutex_unlock(&t->lock);
    tako__free(&t->host, crew);
}

static int engine_hire_crew(tako *t, tako_error *err)
{
    int size = t->workers ? t->workers : 1, i, rc = 0;
    struct tako__worker *crew = tako__array(&t->host, (size_t)size, sizeof *crew);
    bool made;

    if (!crew)
        return tako__nomem(err);
    for (i = 0; i < size; i++) {
        crew[i].engine = t;
        crew[i].cancel_fd = -1;
    }
    pthread_mutex_lock(&t->lock);
    t->crew = crew;
    t->crew_size = size;
    pthread_mutex_unlock(&t->lock);
    for (i = 0; i < size; i++) {
        crew[i].cancel_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (crew[i].cancel_fd < 0) {
            rc = tako__fail_errno(err, TAKO_ESYS, errno, "making a timer for worker %d", i);
            break;
        }
        if (t->workers == 0)
            continue;
        pthread_mutex_lock(&t->lock); /* the thread looks for itself in the crew */
        rc = engine_thread(&crew[i].thread, tako__worker_main, &crew[i]);
        made = crew[i].thread_made = rc == 0;
        pthread_mutex_unlock(&t->lock);
        if (!made) {
            rc = tako__fail_errno(err, TAKO_ESYS, rc, "starting worker %d of %d", i, size);
            break;
        }
    }
    if (rc != 0)
        engine_dismiss_crew(t);
    return rc;
}

int tako_start(tako *t, tako_error *err)
{
    bool stopped;
    int rc;

    rc = tako__enter(t, "tako_start", TAKO__BEFORE_START, err);
    if (rc != TAKO_OK)
        return rc;
    tako__pump_take(t); /* two starts at once: the second one finds it started */
    pthread_mutex_lock(&t->lock);
    if (t->phase != TAKO__OPENED)
        rc = TAKO_ESTATE;
    pthread_mutex_unlock(&t->lock);
    if (rc != TAKO_OK) {
        rc = tako__fail(err, rc, "tako_start: the engine was started already");
        goto out;
    }
    rc = engine_probe_sandbox(t, err);
    if (rc == TAKO_OK)
        rc = engine_hire_crew(t, err);
    if (rc != TAKO_OK)
        goto out;
    (void)tako__keeper_recover(t, NULL);
    t->pump.safety_mono = tako__mono_us();
    pthread_mutex_lock(&t->lock);
    stopped = t->phase != TAKO__OPENED;
    if (!stopped && t->workers > 0) {
        rc = engine_thread(&t->pump_thread, tako__pump_main, t);
        t->has_pump_thread = rc == 0;
    }
    if (!stopped && rc == 0) {
        t->phase = TAKO__STARTED;
        t->claim_due = true;
    }
    pthread_mutex_unlock(&t->lock);
    if (stopped || rc != 0)
        engine_dismiss_crew(t);
    if (rc != 0)
        rc = tako__fail_errno(err, TAKO_ESYS, rc, "starting the engine's thread");
    else if (stopped)
        rc = tako__fail(err, TAKO_ESTATE, "tako_start: the engine was stopped meanwhile");
out:
    tako__pump_release(t);
    return rc;
}

/* ---- step ------------------------------------------------------------------------------------ */

int tako_step(tako *t, tako_error *err)
{
    struct tako__run *run = NULL;
    int rc;

    rc = tako__enter(t, "tako_step", 0, err);
    if (rc != TAKO_OK)
        return rc;
    if (t->workers > 0)
        return tako__fail(err, TAKO_ESTATE,
                          "tako_step: this engine has %d workers of its own; open it with workers "
                          "= 0 to step it",
                          t->workers);
    pthread_mutex_lock(&t->lock);
    if (t->stepping)
        rc = TAKO_ESTATE;
    t->stepping = true;
    if (rc == TAKO_OK)
        t->step_thread = pthread_self();
    pthread_mutex_unlock(&t->lock);
    if (rc != TAKO_OK)
        return tako__fail(err, rc, "tako_step: another thread is in it; one at a time");
    tako__pump_take(t);
    (void)tako__keeper_recover(t, NULL); /* nothing else tells a stepped engine of other nodes */
    tako__keeper_retain(t);
    rc = tako__pump_cycle(t, 1, err);
    pthread_mutex_lock(&t->lock);
    run = tako__ready_pop_locked(t);
    pthread_mutex_unlock(&t->lock);
    tako__pump_release(t);
    if (run) {
        tako__worker_run(&t->crew[0], run);
        tako__pump_take(t);
        rc = tako__pump_cycle(t, 0, err);
        tako__pump_release(t);
    }
    pthread_mutex_lock(&t->lock);
    t->stepping = false;
    pthread_cond_broadcast(&t->turn);
    pthread_mutex_unlock(&t->lock);
    return rc == TAKO_OK && run ? 1 : rc;
}

/* ---- stop and close -------------------------------------------------------------------------- */

/* Waits on `turn` until `until_mono` (INT64_MAX = no limit); false when that is over. */
static bool engine_wait_turn_locked(tako *t, int64_t until_mono)
{
    struct timespec ts;

    if (until_mono == INT64_MAX)
        return pthread_cond_wait(&t->turn, &t->lock) == 0;
    ts.tv_sec = (time_t)(until_mono / 1000000);
    ts.tv_nsec = (long)(until_mono % 1000000) * 1000;
    return pthread_cond_timedwait(&t->turn, &t->lock, &ts) == 0;
}

/* From running to nothing running: a grace, then the rest is told to stop. */
static void engine_quiesce_locked(tako *t, int64_t grace_ms)
{
    int64_t until = INT64_MAX;
    int i;

    if (grace_ms >= 0 && grace_ms < INT64_MAX / 2000)
        until = tako__mono_us() + grace_ms * 1000;
    while (t->n_running && tako__mono_us() < until)
        if (!engine_wait_turn_locked(t, until))
            break;
    for (i = 0; i < t->crew_size; i++)
        if (t->crew[i].run)
            tako__run_stop_locked(t->crew[i].run, TAKO__STOP_ENGINE);
    t->stop_now = true; /* for a worker between taking a run and beginning it */
    while (t->n_running || t->stepping)
        (void)engine_wait_turn_locked(t, INT64_MAX);
}

/* Writes what ended; gives up when the store fails again and again. */
static void engine_flush(tako *t)
{
    bool threaded, more;
    int tries = 0;

    pthread_mutex_lock(&t->lock);
    threaded = t->has_pump_thread;
    while (threaded && t->n_runs && t->pump.trouble < ENGINE_FLUSH_TRIES) {
        tako__pump_ping_locked(t);
        (void)engine_wait_turn_locked(t, INT64_MAX);
    }
    t->pump_leave = true;
    tako__pump_ping_locked(t);
    pthread_mutex_unlock(&t->lock);
    if (threaded)
        (void)pthread_join(t->pump_thread, NULL);
    tako__pump_take(t);
    do {
        pthread_mutex_lock(&t->lock);
        more = t->n_runs > 0;
        t->pump.retry_mono = 0;
        pthread_mutex_unlock(&t->lock);
    } while (more && (tako__pump_cycle(t, 0, NULL) == TAKO_OK || ++tries < ENGINE_FLUSH_TRIES));
    tako__pump_release(t);
}

static int engine_leave_store(tako *t, tako_error *err)
{
    int rc;

    if (t->pump.lease_until_us == 0)
        return TAKO_OK;
    rc = t->ops->begin(t->store, err);
    if (rc != TAKO_OK)
        return rc;
    rc = t->ops->remove_node(t->store, t->node.text, err);
    if (rc == TAKO_OK)
        rc = t->ops->commit(t->store, err);
    else
        t->ops->rollback(t->store);
    if (rc == TAKO_OK)
        t->pump.lease_until_us = 0;
    return rc;
}

static size_t engine_drop_ended(tako *t)
{
    struct tako__run *run;
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        run = t->ended;
        if (!run)
            break;
        t->ended = run->next;
        tako__pump_unhold_locked(t, run);
        pthread_mutex_unlock(&t->lock);
        tako__run_free(t, run);
        n++;
        pthread_mutex_lock(&t->lock);
    }
    t->ended_end = &t->ended;
    t->n_ended = 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

int tako_stop(tako *t, int64_t grace_ms, tako_error *err)
{
    size_t lost;
    int rc;
    int64_t now_us;

    rc = tako__enter(t, "tako_stop", TAKO__BEFORE_START | TAKO__AFTER_STOP, err);
    if (rc != TAKO_OK)
        return rc;
    if (grace_ms < -1)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_stop: grace_ms %" PRId64 ", not -1 (no limit) or more", grace_ms);
    now_us = tako__now_us(&t->host);
    pthread_mutex_lock(&t->lock);
    while (t->phase == TAKO__STOPPING)
        (void)engine_wait_turn_locked(t, INT64_MAX);
    if (t->phase == TAKO__STOPPED) {
        pthread_mutex_unlock(&t->lock);
        return TAKO_OK;
    }
    t->phase = TAKO__STOPPING;
    tako__keeper_unprefetch_locked(t, now_us, 0, true);
    engine_quiesce_locked(t, grace_ms);
    pthread_mutex_unlock(&t->lock);

    engine_flush(t);
    engine_dismiss_crew(t);
    tako__pump_take(t);
    lost = engine_drop_ended(t);
    if (lost)
        rc = tako__fail(err, TAKO_ESTORE,
                        "tako_stop: the results of %zu jobs could not be written; the jobs will be "
                        "taken back when this node's lease is over",
                        lost);
    else
        rc = engine_leave_store(t, err);
    tako__pump_release(t);

    pthread_mutex_lock(&t->lock);
    t->phase = TAKO__STOPPED;
    tako__waiters_wake_locked(t, NULL);
    pthread_cond_broadcast(&t->turn);
    pthread_mutex_unlock(&t->lock);
    return rc;
}

void tako_close(tako *t)
{
    if (!t || tako__enter(t, "tako_close", TAKO__BEFORE_START | TAKO__AFTER_STOP, NULL) != TAKO_OK)
        return;
    (void)tako_stop(t, 0, NULL);
    engine_free(t);
}
