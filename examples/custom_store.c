/* custom_store.c - a host that brings its own store: a complete one, in memory, on tako.h alone.
 *
 * One lock guards everything and is held from begin to commit, so other threads see committed
 * rows only. Everything is in lists, in order of insertion, and found by walking: good for some
 * thousand jobs, and short enough to read. A transaction adds to the lists and marks what is
 * gone; commit removes what is marked, rollback what was added. Jobs change in place: what they
 * were is written down before. What each method promises stands in tako.h.
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

enum { ID = 65, NAME = 256, TEXTS = 6 };
enum { SPEC, RESULT, KEY, PARENT }; /* the texts of a job */
enum { JOBS, CONTENTS, NOTES, LETTERS, VERSIONS, NODES, LISTS };

typedef struct member { /* of a list: every kind begins like this */
    int gone;
    char *text[TEXTS]; /* what it owns; the rest is NULL */
} member;

typedef struct list {
    member **at;
    size_t n, was; /* was: n at begin */
} list;

typedef struct job {
    member head;
    tako_row row; /* its texts point to those of the head, and to the members below */
    char id[ID], type[ID], node[NAME];
} job;

typedef struct content {
    member head; /* text[0] are the bytes */
    char sha256[65];
    size_t len, uses, uses_was;
} content;

typedef struct note {
    member head; /* text[0] is the note */
    const job *of;
    size_t len;
} note;

typedef struct letter {
    member head;
    tako_dead dead; /* its job_id and type are those of the job, the rest is owned */
    const job *of;
} letter;

typedef struct version {
    member head;
    tako_version_info info; /* all of it is owned */
} version;

typedef struct node {
    member head;
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
    list lists[LISTS];
    change *changes;
    size_t n_changes;
    int64_t last_letter; /* no id is given twice */
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

/* ---- lists ---- */

static void member_free(void *what)
{
    member *it = what;
    size_t i;

    for (i = 0; i < TEXTS; i++)
        free(it->text[i]);
    free(it);
}

/* Owns a copy of a text from now on; NULL stays NULL. 0 when there is no memory. */
static int own(void *what, size_t i, const char *text)
{
    member *it = what;

    it->text[i] = text != NULL ? copy(text, strlen(text)) : NULL;
    return text == NULL || it->text[i] != NULL;
}

/* Takes over what is added, also when there is no memory. */
static int list_add(store *s, int which, void *what)
{
    list *l = &s->lists[which];
    void *at = l->at;

    if (!grow(&at, l->n, sizeof *l->at)) {
        member_free(what);
        return 0;
    }
    l->at = at;
    l->at[l->n++] = what;
    return 1;
}

static void list_commit(list *l)
{
    size_t i, kept = 0;

    for (i = 0; i < l->n; i++)
        if (l->at[i]->gone)
            member_free(l->at[i]);
        else
            l->at[kept++] = l->at[i];
    l->n = kept;
}

static void list_rollback(list *l)
{
    size_t i;

    while (l->n > l->was)
        member_free(l->at[--l->n]);
    for (i = 0; i < l->n; i++)
        l->at[i]->gone = 0;
}

/* The i-th of a list, or NULL past its end. What is gone is skipped: i moves on. */
static void *next(store *s, int which, size_t *i)
{
    const list *l = &s->lists[which];

    while (*i < l->n && l->at[*i]->gone)
        ++*i;
    return *i < l->n ? l->at[(*i)++] : NULL;
}

static job *job_find(store *s, const char *id)
{
    size_t i = 0;
    job *j;

    while ((j = next(s, JOBS, &i)) != NULL)
        if (strcmp(j->id, id) == 0)
            return j;
    return NULL;
}

static job *job_with_key(store *s, const char *key)
{
    size_t i = 0;
    job *j;

    while (key != NULL && (j = next(s, JOBS, &i)) != NULL)
        if (j->row.key != NULL && strcmp(j->row.key, key) == 0)
            return j;
    return NULL;
}

static content *content_find(store *s, const char *sha256)
{
    size_t i = 0;
    content *c;

    while ((c = next(s, CONTENTS, &i)) != NULL)
        if (strcmp(c->sha256, sha256) == 0)
            return c;
    return NULL;
}

static node *node_find(store *s, const char *id)
{
    size_t i = 0;
    node *n;

    while ((n = next(s, NODES, &i)) != NULL)
        if (strcmp(n->id, id) == 0)
            return n;
    return NULL;
}

static letter *letter_of(store *s, const job *j)
{
    size_t i = 0;
    letter *l;

    while ((l = next(s, LETTERS, &i)) != NULL)
        if (l->of == j)
            return l;
    return NULL;
}

static letter *letter_find(store *s, int64_t id)
{
    size_t i = 0;
    letter *l;

    while ((l = next(s, LETTERS, &i)) != NULL)
        if (l->dead.id == id)
            return l;
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
    int which;

    for (which = 0; which < LISTS; which++) {
        list *l = &s->lists[which];

        while (l->n > 0)
            member_free(l->at[--l->n]);
        free(l->at);
    }
    free(s->changes);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int store_begin(void *self, tako_error *err)
{
    store *s = self;
    size_t i = 0;
    content *c;
    int which;

    pthread_mutex_lock(&s->lock);
    if (s->open) {
        pthread_mutex_unlock(&s->lock);
        return refuse(err, TAKO_ESTATE, "a transaction is open already");
    }
    s->open = 1;
    for (which = 0; which < LISTS; which++)
        s->lists[which].was = s->lists[which].n;
    while ((c = next(s, CONTENTS, &i)) != NULL)
        c->uses_was = c->uses;
    return TAKO_OK;
}

static int store_commit(void *self, tako_error *err)
{
    store *s = self;
    size_t i = 0;
    content *c;
    int which;

    (void)err;
    while ((c = next(s, CONTENTS, &i)) != NULL)
        c->head.gone = c->uses == 0;
    for (which = 0; which < LISTS; which++)
        list_commit(&s->lists[which]);
    s->n_changes = 0;
    s->open = 0;
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

static void store_rollback(void *self)
{
    store *s = self;
    size_t i = 0;
    content *c;
    int which;

    while (s->n_changes > 0) {
        change *last = &s->changes[--s->n_changes];

        if (last->at->head.text[RESULT] != last->was.head.text[RESULT])
            free(last->at->head.text[RESULT]);
        *last->at = last->was;
    }
    for (which = 0; which < LISTS; which++)
        list_rollback(&s->lists[which]);
    while ((c = next(s, CONTENTS, &i)) != NULL)
        c->uses = c->uses_was;
    s->open = 0;
    pthread_mutex_unlock(&s->lock);
}

/* ---- writing: a transaction is open ---- */

static int store_put_blobs(void *self, const tako_blob *blobs, size_t count, tako_error *err)
{
    store *s = self;
    size_t i;

    for (i = 0; i < count; i++) {
        content *c;

        if (content_find(s, blobs[i].sha256) != NULL)
            continue;
        c = calloc(1, sizeof *c);
        if (c == NULL || !list_add(s, CONTENTS, c))
            return no_memory(err);
        if (!put(c->sha256, sizeof c->sha256, blobs[i].sha256))
            return refuse(err, TAKO_EINVAL, "a blob is named by 64 hexadecimal digits");
        c->len = blobs[i].len;
        c->head.text[0] = copy(blobs[i].data, blobs[i].len);
        if (c->head.text[0] == NULL)
            return no_memory(err);
    }
    return TAKO_OK;
}

/* Counts one use more of each. 0 when one is not there: then nothing is counted. */
static int use(store *s, const char *const *refs, size_t n)
{
    content *c;
    size_t i;

    for (i = 0; i < n; i++)
        if (content_find(s, refs[i]) == NULL)
            return 0;
    for (i = 0; i < n; i++)
        if ((c = content_find(s, refs[i])) != NULL)
            c->uses++;
    return 1;
}

static int insert_one(store *s, const tako_row *row, tako_error *err)
{
    job *j = calloc(1, sizeof *j);

    if (j == NULL || !list_add(s, JOBS, j))
        return no_memory(err);
    if (!put(j->id, ID, row->id) || !put(j->type, ID, row->type))
        return refuse(err, TAKO_EINVAL, "an id or type has at most 64 bytes");
    j->head.text[SPEC] = copy(row->spec, row->spec_len);
    if (j->head.text[SPEC] == NULL || !own(j, KEY, row->key) || !own(j, PARENT, row->parent))
        return no_memory(err);
    j->row = *row;
    j->row.id = j->id;
    j->row.type = j->type;
    j->row.node = j->node;
    j->row.spec = j->head.text[SPEC];
    j->row.key = j->head.text[KEY];
    j->row.parent = j->head.text[PARENT];
    j->row.refs = NULL;
    j->row.n_refs = 0;
    return TAKO_OK;
}

static int store_insert(void *self, const tako_row *rows, size_t count, int *results,
                        tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    for (i = 0; i < count && rc == TAKO_OK; i++) {
        const tako_row *row = &rows[i];

        results[i] = TAKO_OK;
        if (job_find(s, row->id) != NULL || job_with_key(s, row->key) != NULL)
            results[i] = TAKO_ECONFLICT;
        else if (!use(s, row->refs, row->n_refs))
            results[i] = TAKO_ENOTFOUND;
        else
            rc = insert_one(s, row, err);
    }
    return rc;
}

/* The first of the highest priority: later ones must be strictly better to win. */
static job *claim_next(store *s, const tako_claim *what)
{
    job *j, *best = NULL;
    size_t i = 0;

    while ((j = next(s, JOBS, &i)) != NULL)
        if (j->row.status == TAKO_QUEUED && j->row.run_at_us <= what->now_us &&
            one_of(what->types, j->type) && (best == NULL || j->row.priority > best->row.priority))
            best = j;
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
    if (result == NULL)
        return 1;
    j->head.text[RESULT] = copy(result, len);
    j->row.result = j->head.text[RESULT];
    j->row.result_len = len;
    return j->row.result != NULL;
}

static int add_note(store *s, const job *j, const char *text, size_t len)
{
    note *n;

    if (text == NULL)
        return 1;
    n = calloc(1, sizeof *n);
    if (n == NULL || !list_add(s, NOTES, n))
        return 0;
    n->of = j;
    n->len = len;
    n->head.text[0] = copy(text, len);
    return n->head.text[0] != NULL;
}

static int add_letter(store *s, const job *j, const tako_dead *dead)
{
    letter *l;

    if (dead == NULL)
        return 1;
    l = calloc(1, sizeof *l);
    if (l == NULL || !list_add(s, LETTERS, l))
        return 0;
    l->of = j;
    l->dead = *dead;
    l->dead.id = ++s->last_letter;
    l->dead.job_id = j->id;
    l->dead.type = j->type;
    if (!own(l, 0, dead->error_type) || !own(l, 1, dead->error_message) ||
        !own(l, 2, dead->client_ip) || !own(l, 3, dead->correlation_id) ||
        !own(l, 4, dead->summary))
        return 0;
    l->dead.error_type = l->head.text[0];
    l->dead.error_message = l->head.text[1];
    l->dead.client_ip = l->head.text[2];
    l->dead.correlation_id = l->head.text[3];
    l->dead.summary = l->head.text[4];
    return 1;
}

static int finish_one(store *s, job *j, const tako_finish *f, tako_error *err)
{
    int again = f->status == TAKO_QUEUED;

    if (!use(s, f->refs, f->n_refs))
        return refuse(err, TAKO_ENOTFOUND, "a result refers to content that is not there");
    if (!job_touch(s, j) ||
        !(again ? add_note(s, j, f->result, f->result_len)
                : set_result(j, f->result, f->result_len)) ||
        !add_letter(s, j, f->dead))
        return no_memory(err);
    j->row.status = f->status;
    j->row.deaths = f->deaths;
    j->row.failures = f->failures;
    j->row.started_us = f->started_us;
    j->row.ended_us = f->ended_us;
    if (again)
        j->row.run_at_us = f->run_at_us;
    return TAKO_OK;
}

static int store_finish(void *self, const tako_finish *items, size_t count, int *results,
                        tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    for (i = 0; i < count && rc == TAKO_OK; i++) {
        const tako_finish *f = &items[i];
        job *j = job_find(s, f->id);

        results[i] = TAKO_ESTATE;
        if (j == NULL || j->row.status != TAKO_RUNNING || j->row.attempt != f->attempt ||
            strcmp(j->node, f->node) != 0)
            continue;
        results[i] = TAKO_OK;
        rc = finish_one(s, j, f, err);
    }
    return rc;
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

static int store_put_node(void *self, const tako_node *what, tako_error *err)
{
    store *s = self;
    node *n = calloc(1, sizeof *n), *old = node_find(s, what->id);

    if (n == NULL || !list_add(s, NODES, n))
        return no_memory(err);
    if (!put(n->id, NAME, what->id) || !put(n->identity, NAME, what->identity))
        return refuse(err, TAKO_EINVAL, "the name of a node is too long");
    n->expires_us = what->expires_us;
    if (old != NULL)
        old->head.gone = 1;
    return TAKO_OK;
}

static int store_remove_node(void *self, const char *id, tako_error *err)
{
    node *n = node_find(self, id);

    (void)err;
    if (n != NULL)
        n->head.gone = 1;
    return TAKO_OK;
}

static int store_purge(void *self, const tako_removal *items, size_t count, int *results,
                       tako_error *err)
{
    store *s = self;
    size_t i, k;
    content *c;
    note *n;

    (void)err;
    for (i = 0; i < count; i++) {
        job *j = job_find(s, items[i].id);

        results[i] = j == NULL ? TAKO_ENOTFOUND : TAKO_ESTATE;
        if (j == NULL || !tako_status_terminal(j->row.status) || letter_of(s, j) != NULL)
            continue;
        results[i] = TAKO_OK;
        j->head.gone = 1;
        for (k = 0; (n = next(s, NOTES, &k)) != NULL;)
            if (n->of == j)
                n->head.gone = 1;
        for (k = 0; k < items[i].n_refs; k++)
            if ((c = content_find(s, items[i].refs[k])) != NULL && c->uses > 0)
                c->uses--;
    }
    return TAKO_OK;
}

static int store_drop_dead(void *self, const int64_t *ids, size_t count, int *results,
                           tako_error *err)
{
    size_t i;

    (void)err;
    for (i = 0; i < count; i++) {
        letter *l = letter_find(self, ids[i]);

        results[i] = l != NULL ? TAKO_OK : TAKO_ENOTFOUND;
        if (l != NULL)
            l->head.gone = 1;
    }
    return TAKO_OK;
}

static int store_put_version(void *self, const tako_version_info *info, tako_error *err)
{
    version *v = calloc(1, sizeof *v), *old;
    store *s = self;
    size_t i = 0;

    while ((old = next(s, VERSIONS, &i)) != NULL)
        if (strcmp(old->info.type, info->type) == 0 && strcmp(old->info.digest, info->digest) == 0)
            old->head.gone = 1;
    if (v == NULL || !list_add(s, VERSIONS, v))
        return no_memory(err);
    v->head.text[5] = copy(info->definition, info->definition_len);
    if (v->head.text[5] == NULL || !own(v, 0, info->type) || !own(v, 1, info->tag) ||
        !own(v, 2, info->digest) || !own(v, 3, info->built_by) ||
        !own(v, 4, info->requirements_hash))
        return no_memory(err);
    v->info = *info;
    v->info.type = v->head.text[0];
    v->info.tag = v->head.text[1];
    v->info.digest = v->head.text[2];
    v->info.built_by = v->head.text[3];
    v->info.requirements_hash = v->head.text[4];
    v->info.definition = v->head.text[5];
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

static int store_find_key(void *self, const char *key, tako_row_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    job *j;

    (void)err;
    pthread_mutex_lock(&s->lock);
    j = job_with_key(s, key);
    if (j != NULL)
        rc = got(ctx, &j->row);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_history(void *self, const char *id, tako_bytes_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i = 0;
    note *n;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK && (n = next(s, NOTES, &i)) != NULL)
        if (strcmp(n->of->id, id) == 0)
            rc = got(ctx, n->head.text[0], n->len);
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
           (f->before_us == 0 || row->created_us < f->before_us) &&
           (f->parent == NULL || (row->parent != NULL && strcmp(f->parent, row->parent) == 0));
}

static int store_list(void *self, const tako_filter *filter, tako_row_fn *got, void *ctx,
                      tako_error *err)
{
    store *s = self;
    const tako_row *last = NULL, *best;
    int left = filter->limit > 0 ? filter->limit : 100;
    int rc = TAKO_OK;
    size_t i;
    job *j;

    pthread_mutex_lock(&s->lock);
    if (filter->after != NULL) {
        j = job_find(s, filter->after);
        if (j == NULL)
            rc = refuse(err, TAKO_ENOTFOUND, "the record to list after does not exist");
        else
            last = &j->row;
    }
    while (rc == TAKO_OK && left-- > 0) { /* the newest that is older than the last one */
        for (i = 0, best = NULL; (j = next(s, JOBS, &i)) != NULL;)
            if (listed(filter, &j->row) && (last == NULL || newer(last, &j->row)) &&
                (best == NULL || newer(&j->row, best)))
                best = &j->row;
        if (best == NULL)
            break;
        rc = got(ctx, best);
        last = best;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_expired(void *self, int64_t before_us, size_t limit, tako_row_fn *got, void *ctx,
                         tako_error *err)
{
    store *s = self;
    const tako_row *last = NULL, *best;
    int rc = TAKO_OK;
    size_t i;
    job *j;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK && limit-- > 0) { /* the oldest that is newer than the last one */
        for (i = 0, best = NULL; (j = next(s, JOBS, &i)) != NULL;)
            if (tako_status_terminal(j->row.status) && j->row.created_us < before_us &&
                letter_of(s, j) == NULL && (last == NULL || newer(&j->row, last)) &&
                (best == NULL || newer(best, &j->row)))
                best = &j->row;
        if (best == NULL)
            break;
        rc = got(ctx, best);
        last = best;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_get_blob(void *self, const char *sha256, int64_t offset, int64_t limit,
                          tako_bytes_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    const content *c;
    int64_t left;
    int rc;

    pthread_mutex_lock(&s->lock);
    c = content_find(s, sha256);
    if (offset < 0 || limit < 0) {
        rc = refuse(err, TAKO_EINVAL,
                    "a part of content begins before it or has less than nothing");
    } else if (c == NULL) {
        rc = refuse(err, TAKO_ENOTFOUND, "no such content");
    } else {
        left = (int64_t)c->len - offset;
        if (left > limit)
            left = limit;
        rc = left > 0 ? got(ctx, c->head.text[0] + offset, (size_t)left) : got(ctx, "", 0);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_count(void *self, int64_t *queued, int64_t *running, tako_error *err)
{
    store *s = self;
    size_t i = 0;
    job *j;

    (void)err;
    *queued = *running = 0;
    pthread_mutex_lock(&s->lock);
    while ((j = next(s, JOBS, &i)) != NULL) {
        *queued += j->row.status == TAKO_QUEUED;
        *running += j->row.status == TAKO_RUNNING;
    }
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

static int store_nodes(void *self, tako_node_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    int rc = TAKO_OK;
    size_t i = 0;
    node *n;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK && (n = next(s, NODES, &i)) != NULL) {
        tako_node lent = {sizeof lent, n->id, n->identity, n->expires_us};

        rc = got(ctx, &lent);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int running_on(store *s, const char *id, int cancelled, tako_row_fn *got, void *ctx)
{
    int rc = TAKO_OK;
    size_t i = 0;
    job *j;

    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK && (j = next(s, JOBS, &i)) != NULL)
        if (j->row.status == TAKO_RUNNING && strcmp(j->node, id) == 0 &&
            (!cancelled || j->row.cancel_requested))
            rc = got(ctx, &j->row);
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
    size_t i = 0;
    job *j;

    (void)err;
    *due_us = INT64_MAX;
    pthread_mutex_lock(&s->lock);
    while ((j = next(s, JOBS, &i)) != NULL)
        if (j->row.status == TAKO_QUEUED && one_of(types, j->type) && j->row.run_at_us < *due_us)
            *due_us = j->row.run_at_us;
    pthread_mutex_unlock(&s->lock);
    return TAKO_OK;
}

/* 1 when `a` comes before `b`: the oldest first, or the newest id. */
static int letter_before(const letter *a, const letter *b, int old)
{
    if (!old)
        return a->dead.id > b->dead.id;
    if (a->dead.created_us != b->dead.created_us)
        return a->dead.created_us < b->dead.created_us;
    return a->dead.id < b->dead.id;
}

static int letter_listed(const letter *l, const tako_dead_filter *f, int64_t before_us)
{
    if (before_us != 0)
        return l->dead.created_us < before_us;
    return (f->before == 0 || l->dead.id < f->before) &&
           (f->error_type == NULL || strcmp(f->error_type, l->dead.error_type) == 0);
}

static int store_list_dead(void *self, const tako_dead_filter *filter, int64_t before_us,
                           tako_dead_fn *got, void *ctx, tako_error *err)
{
    int left = filter->limit > 0 ? filter->limit : 100, old = before_us != 0, rc = TAKO_OK;
    letter *l, *best, *last = NULL;
    store *s = self;
    size_t i;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK && left-- > 0) {
        for (i = 0, best = NULL; (l = next(s, LETTERS, &i)) != NULL;)
            if (letter_listed(l, filter, before_us) &&
                (last == NULL || letter_before(last, l, old)) &&
                (best == NULL || letter_before(l, best, old)))
                best = l;
        if (best == NULL)
            break;
        rc = got(ctx, &best->dead);
        last = best;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int store_get_dead(void *self, int64_t id, tako_dead_fn *got, void *ctx, tako_error *err)
{
    store *s = self;
    letter *l;
    int rc;

    pthread_mutex_lock(&s->lock);
    l = letter_find(s, id);
    rc = l != NULL ? got(ctx, &l->dead) : refuse(err, TAKO_ENOTFOUND, "no such dead letter");
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Tells each error type at its first letter: how many there are. */
static int64_t letters_like(store *s, const letter *first)
{
    int64_t count = 0;
    size_t i = 0;
    letter *l;

    while ((l = next(s, LETTERS, &i)) != NULL)
        if (strcmp(l->dead.error_type, first->dead.error_type) == 0) {
            if (count == 0 && l != first)
                return 0; /* told already */
            count++;
        }
    return count;
}

static int store_count_dead(void *self, tako_dead_count_fn *got, void *ctx, tako_error *err)
{
    int64_t n, most, last_n = INT64_MAX;
    const char *last = "", *type;
    letter *l;
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK) { /* the most frequent that comes after the last one */
        for (i = 0, most = 0, type = NULL; (l = next(s, LETTERS, &i)) != NULL;) {
            n = letters_like(s, l);
            if (n == 0 || n > last_n || (n == last_n && strcmp(l->dead.error_type, last) <= 0))
                continue;
            if (n > most || (n == most && strcmp(l->dead.error_type, type) < 0)) {
                most = n;
                type = l->dead.error_type;
            }
        }
        if (type == NULL)
            break;
        rc = got(ctx, type, most);
        last = type;
        last_n = most;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int version_before(const tako_version_info *a, const tako_version_info *b)
{
    int order = strcmp(a->digest, b->digest);

    if (a->built_us != b->built_us)
        return a->built_us > b->built_us;
    return order != 0 ? order < 0 : strcmp(a->type, b->type) < 0;
}

static int store_versions(void *self, const char *type, tako_version_fn *got, void *ctx,
                          tako_error *err)
{
    version *v, *best, *last = NULL;
    store *s = self;
    int rc = TAKO_OK;
    size_t i;

    (void)err;
    pthread_mutex_lock(&s->lock);
    while (rc == TAKO_OK) {
        for (i = 0, best = NULL; (v = next(s, VERSIONS, &i)) != NULL;)
            if ((type == NULL || strcmp(type, v->info.type) == 0) &&
                (last == NULL || version_before(&last->info, &v->info)) &&
                (best == NULL || version_before(&v->info, &best->info)))
                best = v;
        if (best == NULL)
            break;
        rc = got(ctx, &best->info);
        last = best;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
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
    store_find_key,
    store_history,
    store_expired,
    store_purge,
    store_list_dead,
    store_get_dead,
    store_count_dead,
    store_drop_dead,
    store_put_version,
    store_versions,
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
