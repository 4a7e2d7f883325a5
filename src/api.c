/* api.c - work and records as tako.h offers them: submit, run, wait, get, list, cancel, content,
 * stats, isolation. Each function checks its arguments, asks the other rooms, and turns rows into
 * snapshots. The life of an engine is in engine.c.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define API_LIST_MAX 1000
#define API_LIST_DEFAULT 100
#define API_STEP_US 20000 /* how soon to look whether another thread has ended its tako_step */

int tako_has(const char *feature)
{
    if (!feature)
        return 0;
#ifndef TAKO_OMIT_SQLITE
    if (strcmp(feature, "sqlite") == 0)
        return 1;
#endif
#ifndef TAKO_OMIT_NATIVE
    if (strcmp(feature, "native") == 0)
        return 1;
#endif
#ifndef TAKO_OMIT_YAML
    if (strcmp(feature, "yaml") == 0)
        return 1;
#endif
    return 0;
}

#ifdef TAKO_OMIT_SQLITE
const tako_store_ops *tako_store_sqlite(void)
{
    return NULL;
}
#endif

/* ---- submit ---------------------------------------------------------------------------------- */

/* Takes room for `count` jobs in the queue, which the pump gives back when they are written or
 * refused. The store is asked at most once a second for what other nodes did. */
static int api_reserve(tako *t, size_t count, tako_error *err)
{
    int64_t mono = tako__mono_us(), queued, running, waiting;
    bool stale, full;

    pthread_mutex_lock(&t->lock);
    stale = t->max_queued > 0 && mono - t->counted_mono >= TAKO__SAFETY_US;
    if (stale)
        t->counted_mono = mono; /* one thread asks */
    pthread_mutex_unlock(&t->lock);
    stale = stale && t->ops->count(t->store, &queued, &running, NULL) == TAKO_OK;
    pthread_mutex_lock(&t->lock);
    if (stale)
        t->queued = queued;
    waiting = t->queued + t->reserved;
    full = t->max_queued > 0 && waiting + (int64_t)count > t->max_queued;
    if (!full)
        t->reserved += (int64_t)count;
    pthread_mutex_unlock(&t->lock);
    if (full)
        return tako__fail(err, TAKO_EFULL,
                          "the queue is full: %" PRId64 " jobs wait, %zu more would exceed "
                          "max_queued %" PRId64 "; try again later",
                          waiting, count, t->max_queued);
    return TAKO_OK;
}

/* With a full queue: every job has a key that somebody holds, so that nothing is to be queued. */
static int api_all_known(tako *t, struct tako__prepared *p, bool *known, tako_error *err)
{
    size_t i;
    int rc = TAKO_OK;

    *known = true;
    for (i = 0; rc == TAKO_OK && *known && i < p->n_rows; i++) {
        if (p->rows[i].key)
            rc = tako__key_holder(t, &p->rows[i], p->fingerprints[i], &p->found[i], err);
        *known = p->rows[i].key && p->found[i].text[0];
    }
    return rc;
}

static int api_write_jobs(tako *t, struct tako__prepared *p, int64_t drop_dead, tako_error *err)
{
    struct tako__op op;
    int rc;

    memset(&op, 0, offsetof(struct tako__op, err));
    op.kind = TAKO__OP_SUBMIT;
    op.rows = p->rows;
    op.n_rows = p->n_rows;
    op.blobs = p->blobs;
    op.n_blobs = p->n_blobs;
    op.n_blobs_of = p->n_blobs_of;
    op.results = p->results;
    op.versions = p->versions;
    op.fingerprints = p->fingerprints;
    op.found = p->found;
    op.keyed = p->keyed;
    op.drop_dead = drop_dead;
    rc = tako__pump_do(t, &op);
    if (rc != TAKO_OK && err)
        *err = op.err;
    return rc;
}

int tako__submit(tako *t, const tako_job *jobs, size_t count, bool many,
                 const struct tako__parent *parent, tako_id *ids, tako_error *err)
{
    struct tako__prepared p;
    bool known = false;
    size_t i;
    int rc;

    rc = tako__prepare(t, &p, jobs, count, many, parent, err);
    if (rc == TAKO_OK && p.sandboxed) {
        pthread_mutex_lock(&t->lock);
        rc = t->sandbox_rc;
        if (rc != TAKO_OK)
            (void)tako__fail(err, rc, "jobs cannot be sandboxed here: %s", t->sandbox_why);
        pthread_mutex_unlock(&t->lock);
    }
    if (rc == TAKO_OK) {
        rc = api_reserve(t, count, err);
        if (rc == TAKO_EFULL && p.keyed) {
            rc = api_all_known(t, &p, &known, err);
            if (rc == TAKO_OK && !known)
                rc = api_reserve(t, count, err);
        }
        if (rc == TAKO_OK && !known)
            rc = api_write_jobs(t, &p, parent->dead, err);
    }
    for (i = 0; rc == TAKO_OK && i < count; i++)
        memcpy(ids[i].text, p.found[i].text[0] ? p.found[i].text : p.rows[i].id,
               sizeof ids[i].text);
    tako__prepared_free(&p);
    return rc;
}

static const struct tako__parent api_no_parent = {NULL, NULL, 0};

int tako_submit(tako *t, const tako_job *job, tako_id *id, tako_error *err)
{
    int rc = tako__enter(t, "tako_submit", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    if (rc != TAKO_OK)
        return rc;
    if (!job || !id)
        return tako__fail(err, TAKO_EINVAL, "tako_submit: %s is NULL", job ? "id" : "job");
    return tako__submit(t, job, 1, false, &api_no_parent, id, err);
}

int tako_submit_many(tako *t, const tako_job *jobs, size_t count, tako_id *ids, tako_error *err)
{
    int rc = tako__enter(t, "tako_submit_many", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    if (rc != TAKO_OK)
        return rc;
    if (!jobs || !ids)
        return tako__fail(err, TAKO_EINVAL, "tako_submit_many: %s is NULL", jobs ? "ids" : "jobs");
    if (count < 1 || count > TAKO_SUBMIT_MANY_MAX)
        return tako__fail(err, TAKO_EINVAL, "tako_submit_many: count %zu, not in 1-%d", count,
                          TAKO_SUBMIT_MANY_MAX);
    return tako__submit(t, jobs, count, true, &api_no_parent, ids, err);
}

/* ---- get and content ------------------------------------------------------------------------- */

struct api_row {
    tako *t;
    tako_record *rec;
    tako_error *err;
};

static int api_take_row(void *ctx, const tako_row *row)
{
    struct api_row *a = ctx;

    if (a->rec)
        return TAKO_ESTORE; /* one id, two rows */
    return tako__record_make(&a->rec, &a->t->host, row, a->err);
}

int tako__row(tako *t, const char *id, tako_record **out, tako_error *err)
{
    struct api_row a;
    tako_error why;
    int rc;

    memset(&why, 0, sizeof why);
    a.t = t;
    a.rec = NULL;
    a.err = &why;
    rc = t->ops->get(t->store, &id, 1, api_take_row, &a, &why);
    if (rc == TAKO_OK && !a.rec)
        rc = tako__fail(&why, TAKO_ENOTFOUND, "there is no job %s", id);
    else if (rc != TAKO_OK && !why.message[0]) /* it came from the callback above */
        (void)tako__fail(&why, rc, "reading job %s: %s", id, tako_strerror(rc));
    if (rc == TAKO_OK) {
        *out = a.rec;
        return TAKO_OK;
    }
    tako_record_free(a.rec);
    if (err)
        *err = why;
    return rc;
}

struct api_attach {
    tako_record *rec;
    int which;
    tako_error *err;
};

static int api_take_content(void *ctx, const void *data, size_t len)
{
    struct api_attach *a = ctx;

    return tako__record_attach(a->rec, a->which, data, len, a->err);
}

/* Puts stdout, stderr and output into a record. */
static int api_fill(tako *t, tako_record *rec, tako_error *err)
{
    const char *hashes[3];
    struct api_attach a;
    tako_record *again = NULL;
    int rc = TAKO_OK, i;

    hashes[0] = tako__record_stdout_hash(rec);
    hashes[1] = tako__record_stderr_hash(rec);
    hashes[2] = tako__record_output_hash(rec);
    a.rec = rec;
    a.err = err;
    for (i = 0; rc == TAKO_OK && i < 3; i++) {
        a.which = i + 1;
        if (hashes[i])
            rc = t->ops->get_blob(t->store, hashes[i], 0, INT64_MAX, api_take_content, &a, err);
    }
    if (rc != TAKO_ENOTFOUND)
        return rc;
    /* Gone with its record, between the look at the one and the look at the other? */
    rc = tako__row(t, tako_record_id(rec), &again, err);
    tako_record_free(again);
    return rc != TAKO_OK ? rc
                         : tako__fail(err, TAKO_ESTORE,
                                      "the store is damaged: content %s of job %s is missing",
                                      hashes[i - 1], tako_record_id(rec));
}

int tako__check_id(const char *call, const char *id, tako_error *err)
{
    if (!id)
        return tako__fail(err, TAKO_EINVAL, "%s: id is NULL", call);
    if (!tako__id_ok(id))
        return tako__fail(err, TAKO_EINVAL,
                          "%s: id '%.80s' is no id by its looks: 1-64 of [A-Za-z0-9._-], not "
                          "beginning with '.'",
                          call, id);
    return TAKO_OK;
}

static int api_get(tako *t, const char *id, tako_record **out, tako_error *err)
{
    tako_record *rec = NULL;
    int rc = tako__row(t, id, &rec, err);

    if (rc == TAKO_OK)
        rc = api_fill(t, rec, err);
    if (rc == TAKO_OK)
        *out = rec;
    else
        tako_record_free(rec);
    return rc;
}

int tako_get(tako *t, const char *id, tako_record **out, tako_error *err)
{
    int rc = tako__enter(t, "tako_get", TAKO__ANYWHERE, err);

    if (out)
        *out = NULL;
    if (rc == TAKO_OK)
        rc = tako__check_id("tako_get", id, err);
    if (rc == TAKO_OK && !out)
        rc = tako__fail(err, TAKO_EINVAL, "tako_get: out is NULL");
    return rc == TAKO_OK ? api_get(t, id, out, err) : rc;
}

struct api_bytes {
    const tako_host *host;
    char *data;
    size_t len;
};

static int api_copy_bytes(void *ctx, const void *data, size_t len)
{
    struct api_bytes *b = ctx;

    b->data = tako__strndup(b->host, len ? data : "", len);
    b->len = len;
    return b->data ? 0 : TAKO_ENOMEM;
}

/* The bytes are copied first, so that `got` runs with no lock of the store held. */
int tako_content(tako *t, const char *sha256, tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct api_bytes b;
    int rc = tako__enter(t, "tako_content", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!sha256 || !got)
        return tako__fail(err, TAKO_EINVAL, "tako_content: %s is NULL", sha256 ? "got" : "sha256");
    if (!tako__hex64_ok(sha256))
        return tako__fail(err, TAKO_EINVAL,
                          "tako_content: '%.80s' is no SHA-256: 64 lower-case hex digits", sha256);
    b.host = &t->host;
    b.data = NULL;
    b.len = 0;
    rc = t->ops->get_blob(t->store, sha256, 0, INT64_MAX, api_copy_bytes, &b, err);
    if (rc == TAKO_ENOMEM)
        rc = tako__nomem(err);
    else if (rc == TAKO_ENOTFOUND)
        rc = tako__fail(err, rc, "tako_content: nothing is stored under %s", sha256);
    if (rc == TAKO_OK)
        rc = got(ctx, b.data, b.len);
    tako__free(&t->host, b.data);
    return rc;
}

/* ---- wait and run ---------------------------------------------------------------------------- */

static void api_link_waiter(tako *t, struct tako__waiter *w, const char *id)
{
    w->id = id;
    w->prev = NULL;
    atomic_init(&w->word, 0);
    pthread_mutex_lock(&t->lock);
    w->next = t->waiters;
    if (w->next)
        w->next->prev = w;
    t->waiters = w;
    if (t->watch_fd < 0)
        tako__pump_ping_locked(t); /* it must begin to look */
    pthread_mutex_unlock(&t->lock);
}

static void api_unlink_waiter(tako *t, struct tako__waiter *w)
{
    pthread_mutex_lock(&t->lock);
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else
        t->waiters = w->next;
    /* It may have been woken to take the pump role: somebody else has to. */
    if (t->waiters && !t->has_pump_thread && !t->pump_held)
        tako__word_wake(&t->waiters->word, 1);
    pthread_mutex_unlock(&t->lock);
}

#define API_AGAIN 1
#define API_LAST 2

/* API_AGAIN = look again, API_LAST = look once more, else an error. */
static int api_wait_turn(tako *t, struct tako__waiter *w, uint32_t seen, int64_t until_mono,
                         tako_error *err)
{
    enum tako__phase phase;
    bool threaded, stepped;
    int64_t left = until_mono - tako__mono_us();
    tako_error why;
    int rc;

    pthread_mutex_lock(&t->lock);
    phase = t->phase;
    threaded = t->has_pump_thread;
    stepped = t->stepping;
    pthread_mutex_unlock(&t->lock);
    if (phase == TAKO__STOPPED)
        return tako__fail(err, TAKO_ESTATE,
                          "tako_wait: the engine was stopped; job %s has not "
                          "ended",
                          w->id);
    if (until_mono != INT64_MAX && left <= 0)
        return tako__fail(err, TAKO_ETIMEDOUT, "tako_wait: job %s has not ended in time", w->id);
    if (until_mono == INT64_MAX)
        left = -1;
    if (phase == TAKO__STARTED && t->workers == 0) {
        if (stepped) { /* by another thread, which may be at this very job */
            tako__word_wait(&w->word, seen, left < 0 || left > API_STEP_US ? API_STEP_US : left);
            return API_AGAIN;
        }
        rc = tako_step(t, &why);
        if (rc == 0)
            return API_LAST;
        if (rc == 1 || rc == TAKO_ESTATE) /* another thread was faster, or stopped the engine */
            return API_AGAIN;
        if (err)
            *err = why;
        return rc;
    }
    if (threaded || !tako__pump_watch(t, left))
        tako__word_wait(&w->word, seen, left);
    return API_AGAIN;
}

static int api_wait(tako *t, const char *id, int64_t timeout_ms, tako_record **out, tako_error *err)
{
    struct tako__waiter w;
    tako_record *rec = NULL;
    int64_t until = INT64_MAX;
    uint32_t seen;
    int rc, turn = API_AGAIN;

    if (timeout_ms >= 0 && timeout_ms < INT64_MAX / 2000)
        until = tako__mono_us() + timeout_ms * 1000;
    api_link_waiter(t, &w, id); /* before the first look, so that no ending is missed */
    for (;;) {
        seen = atomic_load_explicit(&w.word, memory_order_acquire);
        rc = tako__row(t, id, &rec, err);
        if (rc != TAKO_OK || tako_status_terminal(tako_record_status(rec)))
            break;
        tako_record_free(rec);
        rec = NULL;
        if (turn == API_LAST) {
            rc = tako__fail(err, TAKO_ETIMEDOUT,
                            "tako_wait: job %s has not ended and nothing is due", id);
            break;
        }
        turn = api_wait_turn(t, &w, seen, until, err);
        rc = turn;
        if (turn < 0)
            break;
    }
    api_unlink_waiter(t, &w);
    if (rc == TAKO_OK)
        rc = api_fill(t, rec, err);
    if (rc == TAKO_OK)
        *out = rec;
    else
        tako_record_free(rec);
    return rc;
}

int tako_wait(tako *t, const char *id, int64_t timeout_ms, tako_record **out, tako_error *err)
{
    int rc = tako__enter(t, "tako_wait", TAKO__BEFORE_START | TAKO__AFTER_STOP, err);

    if (out)
        *out = NULL;
    if (rc == TAKO_OK)
        rc = tako__check_id("tako_wait", id, err);
    if (rc != TAKO_OK)
        return rc;
    if (!out || timeout_ms < -1)
        return tako__fail(err, TAKO_EINVAL,
                          out ? "tako_wait: timeout_ms is less than -1 (no limit)"
                              : "tako_wait: out is NULL");
    return api_wait(t, id, timeout_ms, out, err);
}

int tako_run(tako *t, const tako_job *job, tako_record **out, tako_error *err)
{
    tako_id id;
    int rc = tako__enter(t, "tako_run", 0, err);

    if (out)
        *out = NULL;
    if (rc != TAKO_OK)
        return rc;
    if (!job || !out)
        return tako__fail(err, TAKO_EINVAL, "tako_run: %s is NULL", job ? "out" : "job");
    rc = tako__submit(t, job, 1, false, &api_no_parent, &id, err);
    return rc == TAKO_OK ? api_wait(t, id.text, -1, out, err) : rc;
}

/* ---- cancel ---------------------------------------------------------------------------------- */

int tako_cancel(tako *t, const char *id, tako_error *err)
{
    struct tako__buf result;
    tako_record *rec = NULL;
    struct tako__op op;
    int rc = tako__enter(t, "tako_cancel", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    if (rc == TAKO_OK)
        rc = tako__check_id("tako_cancel", id, err);
    if (rc == TAKO_OK)
        rc = tako__row(t, id, &rec, err); /* its type, for the event */
    if (rc != TAKO_OK)
        return rc;
    tako__buf_init(&result, &t->host);
    tako__result_unrun(&result, TAKO_VERDICT_CANCELLED, "cancelled",
                       "Job was cancelled before it started");
    if (result.failed) {
        rc = tako__nomem(err);
    } else {
        memset(&op, 0, offsetof(struct tako__op, err));
        op.kind = TAKO__OP_CANCEL;
        op.cancel.size = sizeof op.cancel;
        op.cancel.id = id;
        op.cancel.now_us = tako__now_us(&t->host);
        op.cancel.result = result.data;
        op.cancel.result_len = result.len;
        op.type = tako_record_type(rec);
        op.attempt = tako_record_attempt(rec);
        rc = tako__pump_do(t, &op);
        if (rc != TAKO_OK && err)
            *err = op.err;
    }
    tako__buf_free(&result);
    tako_record_free(rec);
    return rc;
}

/* ---- list ------------------------------------------------------------------------------------ */

struct api_list {
    tako *t;
    tako_record **recs;
    size_t n, room;
    tako_error *err;
};

static int api_list_row(void *ctx, const tako_row *row)
{
    struct api_list *a = ctx;
    int rc;

    if (a->n == a->room)
        return TAKO_ESTORE; /* more than asked for */
    rc = tako__record_make(&a->recs[a->n], &a->t->host, row, a->err);
    if (rc == TAKO_OK)
        a->n++;
    return rc;
}

static int api_check_filter(const tako_filter *f, tako_error *err)
{
    unsigned known = 0, status;

    for (status = TAKO_QUEUED; status <= TAKO_CANCELLED; status++)
        known |= TAKO_STATUS_BIT(status);
    if (f->statuses & ~known)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_list: statuses 0x%x has bits that stand for no "
                          "status; use TAKO_STATUS_BIT",
                          f->statuses);
    if (f->type && !tako__type_name_ok(f->type))
        return tako__fail(err, TAKO_EINVAL, "tako_list: type '%.80s' is no name of a job type",
                          f->type);
    if (f->since_us < 0 || f->before_us < 0)
        return tako__fail(err, TAKO_EINVAL, "tako_list: %s is negative",
                          f->since_us < 0 ? "since_us" : "before_us");
    if (f->limit < 0 || f->limit > API_LIST_MAX)
        return tako__fail(err, TAKO_EINVAL, "tako_list: limit %d, not in 1-%d (0 = %d)", f->limit,
                          API_LIST_MAX, API_LIST_DEFAULT);
    if (f->parent && !tako__id_ok(f->parent))
        return tako__check_id("tako_list: parent", f->parent, err);
    return f->after ? tako__check_id("tako_list: after", f->after, err) : TAKO_OK;
}

/* The records are made first, so that `each` runs with no lock of the store held. */
int tako_list(tako *t, const tako_filter *f, tako_each_fn *each, void *ctx, tako_error *err)
{
    static const tako_filter defaults = TAKO_FILTER_INIT;
    tako_filter filter = defaults;
    struct api_list a;
    size_t i;
    int rc = tako__enter(t, "tako_list", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!each)
        return tako__fail(err, TAKO_EINVAL, "tako_list: each is NULL");
    if (f)
        rc = tako__struct_in(&filter, sizeof filter, sizeof filter, f, "filter", err);
    if (rc == TAKO_OK)
        rc = api_check_filter(&filter, err);
    if (rc != TAKO_OK)
        return rc;
    if (filter.limit == 0)
        filter.limit = API_LIST_DEFAULT;
    memset(&a, 0, sizeof a);
    a.t = t;
    a.err = err;
    a.room = (size_t)filter.limit;
    a.recs = tako__array(&t->host, a.room, sizeof(tako_record *));
    if (!a.recs)
        return tako__nomem(err);
    rc = t->ops->list(t->store, &filter, api_list_row, &a, err);
    for (i = 0; rc == TAKO_OK && i < a.n; i++)
        rc = each(ctx, a.recs[i]);
    for (i = 0; i < a.n; i++)
        tako_record_free(a.recs[i]);
    tako__free(&t->host, a.recs);
    return rc;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int tako_record_json(tako *t, const tako_record *rec, int full, char **json, tako_error *err)
{
    struct tako__buf out;
    int rc = tako__enter(t, "tako_record_json", TAKO__ANYWHERE, err);

    if (json)
        *json = NULL;
    if (rc != TAKO_OK)
        return rc;
    if (!rec || !json)
        return tako__fail(err, TAKO_EINVAL, "tako_record_json: %s is NULL", rec ? "json" : "rec");
    tako__buf_init(&out, &t->host);
    tako__record_print(&out, rec, full != 0);
    *json = tako__buf_take(&out);
    return *json ? TAKO_OK : tako__nomem(err);
}

void tako_free(tako *t, void *ptr)
{
    if (t)
        tako__free(&t->host, ptr);
}

int tako_get_stats(tako *t, tako_stats *out, tako_error *err)
{
    tako_stats stats;
    size_t size;
    int rc = tako__enter(t, "tako_get_stats", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!out)
        return tako__fail(err, TAKO_EINVAL, "tako_get_stats: out is NULL");
    rc = tako__struct_in(&stats, sizeof stats, sizeof stats, out, "stats", err);
    if (rc != TAKO_OK)
        return rc;
    size = out->size;
    pthread_mutex_lock(&t->lock);
    stats = t->stats;
    pthread_mutex_unlock(&t->lock);
    rc = t->ops->count(t->store, &stats.queued, &stats.running, err);
    if (rc != TAKO_OK)
        return rc;
    memcpy(out, &stats, sizeof stats);
    out->size = size;
    return TAKO_OK;
}

int tako_isolation(tako *t, tako_layer_fn *each, void *ctx, tako_error *err)
{
    int rc = tako__enter(t, "tako_isolation", TAKO__BEFORE_START | TAKO__AFTER_STOP, err);

    if (rc != TAKO_OK)
        return rc;
    if (!each)
        return tako__fail(err, TAKO_EINVAL, "tako_isolation: each is NULL");
    tako__pump_take(t); /* the executor is made once */
    rc = tako__native_open(t, err);
    tako__pump_release(t);
    if (rc != TAKO_OK)
        return rc;
    rc = t->native->report(t->native_self, each, ctx, err);
    return rc == TAKO_OK ? t->native->check(t->native_self, err) : rc;
}
