/* custom_store.c - a host that brings its own store: a complete one, in memory, on tako.h alone.
 *
 * One lock guards everything and is held from begin to commit, so other threads see committed
 * rows only. A list of what rows were before their change serves rollback. Everything is found
 * by walking: good for some thousand jobs, and short enough to read. What each method promises
 * stands in tako.h.
 *
 *     cc -o custom_store custom_store.c -ltako && ./custom_store
 *
 * SPDX-License-Identifier: MIT */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* pthread_mutexattr_settype, also with -std=c11 */
#endif
#include "tako.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID = 65, NAME = 256, NODES = 64 };

typedef struct job {
    tako_row row; /* its texts point to the members below */
    char id[ID], type[ID], node[NAME];
    char *spec, *result;
} job;

typedef struct content {
    char sha256[65];
    char *data;
    size_t len;
} content;

typedef struct node {
    char id[NAME], identity[NAME];
    int64_t expires_us;
} node;

typedef struct change { /* a job and what it was before: undone backwards */
    job *at;
    job was;
} change;

typedef struct store {
    pthread_mutex_t lock; /* recursive: the writing thread reads inside its transaction */
    int open;             /* a transaction is */
    job **jobs;           /* in order of insertion */
    content *blobs;
    node nodes[NODES];
    change *changes;
    size_t n_jobs, n_blobs, n_nodes, n_changes;
    node nodes_was[NODES]; /* as it was at begin, like all below */
    size_t n_jobs_was, n_blobs_was, n_nodes_was;
} store;

static int refuse(tako_error *err, int code, const char *text)
{
    if (err != NULL) {
        err->code = code;
        err->os_errno = 0;
        snprintf(err->message, sizeof err->message, "custom store: %s", text);
    }
    return code;
}

static int no_memory(tako_error *err)
{
    return refuse(err, TAKO_ENOMEM, "out of memory");
}

static char *copy(const void *data, size_t len) /* with a NUL behind it */
{
    char *to = malloc(len + 1);

    if (to != NULL) {
        if (len > 0)
            memcpy(to, data, len);
        to[len] = '\0';
    }
    return to;
}

static int put(char *to, size_t room, const char *text) /* 0 when it does not fit */
{
    size_t len = text != NULL ? strlen(text) : room;

    if (len >= room)
        return 0;
    memcpy(to, text, len + 1);
    return 1;
}

/* Room for one more: doubles at every power of two. */
static int grow(void **array, size_t count, size_t size)
{
    void *more;

    if ((count & (count - 1)) != 0)
        return 1;
    more = realloc(*array, (count == 0 ? 1 : count * 2) * size);
    if (more == NULL)
        return 0;
    *array = more;
    return 1;
}

static void job_free(job *j)
{
    free(j->spec);
    free(j->result);
    free(j);
}

static job *job_find(store *s, const char *id)
{
    size_t i;

    for (i = 0; i < s->n_jobs; i++)
        if (strcmp(s->jobs[i]->id, id) == 0)
            return s->jobs[i];
    return NULL;
}

static int job_touch(store *s, job *j) /* before every change */
{
    void *changes = s->changes;

    if (!grow(&changes, s->n_changes, sizeof *s->changes))
        return 0;
    s->changes = changes;
    s->changes[s->n_changes].at = j;
    s->changes[s->n_changes++].was = *j;
    return 1;
}

static int one_of(const char *const *types, const char *type)
{
    for (; *types != NULL; types++)
        if (strcmp(*types, type) == 0)
            return 1;
    return 0;
}

/* ---- opening and transactions ---- */

static int store_open(void **self, const char *uri, const tako_host *host, tako_error *err)
{
    pthread_mutexattr_t attr;
    store *s = calloc(1, sizeof *s);

    (void)uri;
    (void)host;
    if (s == NULL)
        return no_memory(err);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    *self = s;
    return TAKO_OK;
}

static void store_close(void *self)
{
    store *s = self;

    while (s->n_jobs > 0)
        job_free(s->jobs[--s->n_jobs]);
    while (s->n_blobs > 0)
        free(s->blobs[--s->n_blobs].data);
    free(s->jobs);
    free(s->blobs);
    free(s->changes);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int store_begin(void *self, tako_error *err)
{
    store *s = self;

    pthread_mutex_lock(&s->lock);
    if (s->open) {
        pthread_mutex_unlock(&s->lock);
        return refuse(err, TAKO_ESTATE, "a transaction is open already");
    }
    s->open = 1;
    s->n_jobs_was = s->n_jobs;
    s->n_blobs_was = s->n_blobs;
    s->n_nodes_was = s->n_nodes;
    memcpy(s->nodes_was, s->nodes, sizeof s->nodes);
    return TAKO_OK;
}

static int store_commit(void *self, tako_error *err)
{
    store *s = self;

    (void)err;
    s->n_changes = 0;
    s->open = 0;
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

static void store_rollback(void *self)
{
    store *s = self;

    while (s->n_changes > 0) {
        change *c = &s->changes[--s->n_changes];

        if (c->at->result != c->was.result)
            free(c->at->result);
        *c->at = c->was;
    }
    while (s->n_jobs > s->n_jobs_was)
        job_free(s->jobs[--s->n_jobs]);
    while (s->n_blobs > s->n_blobs_was)
        free(s->blobs[--s->n_blobs].data);
    memcpy(s->nodes, s->nodes_was, sizeof s->nodes);
    s->n_nodes = s->n_nodes_was;
    s->open = 0;
    pthread_mutex_unlock(&s->lock);
}

/* ---- writing: a transaction is open ---- */

static content *content_find(store *s, const char *sha256)
{
    size_t i;

    for (i = 0; i < s->n_blobs; i++)
        if (strcmp(s->blobs[i].sha256, sha256) == 0)
            return &s->blobs[i];
    return NULL;
}

static int store_put_blobs(void *self, const tako_blob *blobs, size_t count, tako_error *err)
{
    store *s = self;
    size_t i;

    for (i = 0; i < count; i++) {
        void *all = s->blobs;
        content *c;

        if (content_find(s, blobs[i].sha256) != NULL)
            continue;
        if (!grow(&all, s->n_blobs, sizeof *s->blobs))
            return no_memory(err);
        s->blobs = all;
        c = &s->blobs[s->n_blobs];
        c->len = blobs[i].len;
        if (!put(c->sha256, sizeof c->sha256, blobs[i].sha256))
            return refuse(err, TAKO_EINVAL, "a blob is named by 64 hexadecimal digits");
        c->data = copy(blobs[i].data, blobs[i].len);
        if (c->data == NULL)
            return no_memory(err);
        s->n_blobs++;
    }
    return TAKO_OK;
}

static int store_insert(void *self, const tako_row *rows, size_t count, int *results,
                        tako_error *err)
{
    store *s = self;
    size_t i;

    for (i = 0; i < count; i++) {
        void *all = s->jobs;
        job *j;

        results[i] = job_find(s, rows[i].id) != NULL ? TAKO_ECONFLICT : TAKO_OK;
        if (results[i] != TAKO_OK)
            continue;
        j = calloc(1, sizeof *j);
        if (j == NULL)
            return no_memory(err);
        j->row = rows[i];
        j->row.id = j->id;
        j->row.type = j->type;
        j->row.node = j->node;
        j->spec = copy(rows[i].spec, rows[i].spec_len);
        j->row.spec = j->spec;
        if (j->spec == NULL || !grow(&all, s->n_jobs, sizeof(job *))) {
            job_free(j);
            return no_memory(err);
        }
        s->jobs = all;
        s->jobs[s->n_jobs++] = j;
        if (!put(j->id, ID, rows[i].id) || !put(j->type, ID, rows[i].type))
            return refuse(err, TAKO_EINVAL, "an id or type has at most 64 bytes");
    }
    return TAKO_OK;
}

/* The first of the highest priority: later ones must be strictly better to win. */
static job *claim_next(store *s, const tako_claim *what)
{
    job *best = NULL;
    size_t i;

    for (i = 0; i < s->n_jobs; i++) {
        const tako_row *row = &s->jobs[i]->row;

        if (row->status == TAKO_QUEUED && row->run_at_us <= what->now_us &&
            one_of(what->types, row->type) && (best == NULL || row->priority > best->row.priority))
            best = s->jobs[i];
    }
    return best;
}

static int store_claim(void *self, const tako_claim *what, tako_row_fn *got, void *ctx,
                       tako_error *err)
{
    store *s = self;
    size_t left = what->limit;
    int rc = TAKO_OK;
    job *j;

    while (rc == TAKO_OK && left-- > 0 && (j = claim_next(s, what)) != NULL) {
        if (!job_touch(s, j))
            return no_memory(err);
        if (!put(j->node, NAME, what->node))
            return refuse(err, TAKO_EINVAL, "the name of a node is too long");
        j->row.status = TAKO_RUNNING;
        j->row.attempt++;
        j->row.started_us = what->now_us;
        rc = got(ctx, &j->row);
    }
    return rc;
}

static int set_result(job *j, const char *result, size_t len)
{
    if (result == NULL || j->result != NULL)
        return 1;
    j->result = copy(result, len);
    j->row.result = j->result;
    j->row.result_len = len;
    return j->result != NULL;
}

static int store_finish(void *self, const tako_finish *items, size_t count, int *results,
                        tako_error *err)
{
    store *s = self;
    size_t i;

    for (i = 0; i < count; i++) {
        const tako_finish *f = &items[i];
        job *j = job_find(s, f->id);

        results[i] = TAKO_ESTATE;
        if (j == NULL || j->row.status != TAKO_RUNNING || j->row.attempt != f->attempt ||
            strcmp(j->node, f->node) != 0)
            continue;
        if (!job_touch(s, j) || !set_result(j, f->result, f->result_len))
            return no_memory(err);
        results[i] = TAKO_OK;
        j->row.status = f->status;
        j->row.deaths = f->deaths;
        j->row.started_us = f->started_us;
        j->row.ended_us = f->ended_us;
        if (f->status == TAKO_QUEUED)
            j->row.run_at_us = f->run_at_us;
    }
    return TAKO_OK;
}

static int store_cancel(void *self, tako_cancel_item *items, size_t count, int *results,
                        tako_error *err)
{
    store *s = self;
    size_t i;

    for (i = 0; i < count; i++) {
        job *j = job_find(s, items[i].id);

        results[i] = j == NULL ? TAKO_ENOTFOUND : TAKO_ESTATE;
        if (j == NULL)
            continue;
        items[i].was = j->row.status;
        if (tako_status_terminal(j->row.status))
            continue;
        results[i] = TAKO_OK;
        if (!job_touch(s, j))
            return no_memory(err);
        if (j->row.status == TAKO_RUNNING) {
            j->row.cancel_requested = 1;
            continue;
        }
        if (!set_result(j, items[i].result, items[i].result_len))
            return no_memory(err);
        j->row.status = TAKO_CANCELLED;
        j->row.ended_us = items[i].now_us;
    }
    return TAKO_OK;
}

static size_t node_index(const store *s, const char *id) /* n_nodes when unknown */
{
    size_t i = 0;

    while (i < s->n_nodes && strcmp(s->nodes[i].id, id) != 0)
        i++;
    return i;
}

static int store_put_node(void *self, const tako_node *what, tako_error *err)
{
    store *s = self;
    size_t i = node_index(s, what->id);

    if (i == NODES)
        return refuse(err, TAKO_EFULL, "too many nodes");
    if (!put(s->nodes[i].id, NAME, what->id) || !put(s->nodes[i].identity, NAME, what->identity))
        return refuse(err, TAKO_EINVAL, "the name of a node is too long");
    s->nodes[i].expires_us = what->expires_us;
    if (i == s->n_nodes)
        s->n_nodes++;
    return TAKO_OK;
}

static int store_remove_node(void *self, const char *id, tako_error *err)
{
    store *s = self;
    size_t i = node_index(s, id);

    (void)err;
    if (i < s->n_nodes)
        s->nodes[i] = s->nodes[--s->n_nodes];
    return TAKO_OK;
}

/* ---- reading: any thread ---- */

static int store_get(void *self, const char *const *ids, size_t count, tako_row_fn *got, void *ctx,
                     tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    (void)err;
    pthread_mutex_lock(&s->lock);
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        job *j = job_find(s, ids[i]);

        if (j != NULL)
            rc = got(ctx, &j->row);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int newer(const tako_row *a, const tako_row *b)
{
    if (a->created_us != b->created_us)
        return a->created_us > b->created_us;
    return strcmp(a->id, b->id) > 0;
}

static int listed(const tako_filter *f, const tako_row *row)
{
    return (f->statuses == 0 || (f->statuses & TAKO_STATUS_BIT(row->status)) != 0) &&
           (f->type == NULL || strcmp(f->type, row->type) == 0) &&
           (f->since_us == 0 || row->created_us >= f->since_us) &&
           (f->before_us == 0 || row->created_us < f->before_us);
}

static int store_list(void *self, const tako_filter *filter, tako_row_fn *got, void *ctx,
                      tako_error *err)
{
    store *s = self;
    const tako_row *last = NULL, *next;
    int left = filter->limit > 0 ? filter->limit : 100;
    int rc = TAKO_OK;
    size_t i;

    pthread_mutex_lock(&s->lock);
    if (filter->after != NULL) {
        job *j = job_find(s, filter->after);

        if (j == NULL)
            rc = refuse(err, TAKO_ENOTFOUND, "the record to list after does not exist");
        else
            last = &j->row;
    }
    while (rc == TAKO_OK && left-- > 0) { /* the newest that is older than the last one */
        next = NULL;
        for (i = 0; i < s->n_jobs; i++) {
            const tako_row *row = &s->jobs[i]->row;

            if (listed(filter, row) && (last == NULL || newer(last, row)) &&
                (next == NULL || newer(row, next)))
                next = row;
        }
        if (next == NULL)
            break;
        rc = got(ctx, next);
        last = next;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_get_blob(void *self, const char *sha256, tako_bytes_fn *got, void *ctx,
                          tako_error *err)
{
    store *s = self;
    const content *c;
    int rc;

    pthread_mutex_lock(&s->lock);
    c = content_find(s, sha256);
    rc = c != NULL ? got(ctx, c->data, c->len) : refuse(err, TAKO_ENOTFOUND, "no such content");
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_count(void *self, int64_t *queued, int64_t *running, tako_error *err)
{
    store *s = self;
    size_t i;

    (void)err;
    *queued = *running = 0;
    pthread_mutex_lock(&s->lock);
    for (i = 0; i < s->n_jobs; i++) {
        *queued += s->jobs[i]->row.status == TAKO_QUEUED;
        *running += s->jobs[i]->row.status == TAKO_RUNNING;
    }
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

static int store_nodes(void *self, tako_node_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    (void)err;
    pthread_mutex_lock(&s->lock);
    for (i = 0; i < s->n_nodes && rc == TAKO_OK; i++) {
        tako_node n = {sizeof n, s->nodes[i].id, s->nodes[i].identity, s->nodes[i].expires_us};

        rc = got(ctx, &n);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int running_on(store *s, const char *id, int cancelled, tako_row_fn *got, void *ctx)
{
    int rc = TAKO_OK;
    size_t i;

    pthread_mutex_lock(&s->lock);
    for (i = 0; i < s->n_jobs && rc == TAKO_OK; i++) {
        const tako_row *row = &s->jobs[i]->row;

        if (row->status == TAKO_RUNNING && strcmp(row->node, id) == 0 &&
            (!cancelled || row->cancel_requested))
            rc = got(ctx, row);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_held(void *self, const char *id, tako_row_fn *got, void *ctx, tako_error *err)
{
    (void)err;
    return running_on(self, id, 0, got, ctx);
}

static int store_cancel_requests(void *self, const char *id, tako_row_fn *got, void *ctx,
                                 tako_error *err)
{
    (void)err;
    return running_on(self, id, 1, got, ctx);
}

static int store_next_due(void *self, const char *const *types, int64_t *due_us, tako_error *err)
{
    store *s = self;
    size_t i;

    (void)err;
    *due_us = INT64_MAX;
    pthread_mutex_lock(&s->lock);
    for (i = 0; i < s->n_jobs; i++) {
        const tako_row *row = &s->jobs[i]->row;

        if (row->status == TAKO_QUEUED && one_of(types, row->type) && row->run_at_us < *due_us)
            *due_us = row->run_at_us;
    }
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

/* No other process can write to this memory: there is nothing to watch. */
static const tako_store_ops custom_store = {
    sizeof(tako_store_ops),
    "custom",
    store_open,
    store_close,
    store_begin,
    store_commit,
    store_rollback,
    store_put_blobs,
    store_insert,
    store_claim,
    store_finish,
    store_cancel,
    store_put_node,
    store_remove_node,
    store_get,
    store_list,
    store_get_blob,
    store_count,
    store_nodes,
    store_held,
    store_cancel_requests,
    store_next_due,
    NULL,
    NULL,
};

/* ---- the host ---- */

#ifndef TAKO_EXAMPLE_NO_MAIN
static int greet(void *ctx, tako_call *call)
{
    static const char output[] = "{\"greeting\": \"hello\"}";

    (void)ctx;
    return tako_call_output(call, output, sizeof output - 1, NULL);
}

int main(void)
{
    const tako_store_ops *const stores[] = {&custom_store, NULL};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job work = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako *t = NULL;

    opts.store = "custom:";
    opts.stores = stores;
    work.type = "greet";
    if (tako_open(&t, &opts, &err) || tako_register_handler(t, "greet", greet, NULL, NULL, &err) ||
        tako_start(t, &err) || tako_run(t, &work, &rec, &err))
        fprintf(stderr, "%s\n", err.message);
    else
        printf("%s: %s\n", tako_status_name(tako_record_status(rec)),
               tako_record_output(rec, NULL));
    tako_record_free(rec);
    tako_close(t);
    return rec == NULL;
}
#endif
