/* store_sqlite_read.c - how jobs are read from the SQLite store: one by one, in lists, by key, what
 * retention may take, and the small tables beside them. Statements by name (store_sqlite_schema.c),
 * run through store_sqlite.c. Changes nothing.
 *
 * No query walks through history: a list merges ranges of one index, and stops in each where its
 * rows are older than all that is wanted.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <string.h>

/* ---- rows -------------------------------------------------------------------------------- */

/* Of a statement that begins with the row columns and has just given one. */
static int sqlite_row_lend(struct tako__sqlite *s, struct sqlite3_stmt *st, tako_row_fn *got,
                           void *ctx, tako_error *err)
{
    tako_row row;

    memset(&row, 0, sizeof(row));
    row.size = sizeof(row);
    row.id = tako__sqlite_text(st, 0, NULL);
    row.type = tako__sqlite_text(st, 1, NULL);
    row.status = (tako_status)(tako__sqlite_int(st, 2) % TAKO__SQLITE_DEAD);
    row.priority = (int)tako__sqlite_int(st, 3);
    row.attempt = (int)tako__sqlite_int(st, 4);
    row.deaths = (int)tako__sqlite_int(st, 5);
    row.cancel_requested = (int)tako__sqlite_int(st, 6);
    row.node = tako__sqlite_text(st, 7, NULL);
    row.created_us = tako__sqlite_int(st, 8);
    row.run_at_us = tako__sqlite_int(st, 9);
    row.started_us = tako__sqlite_int(st, 10);
    row.ended_us = tako__sqlite_int(st, 11);
    row.failures = (int)tako__sqlite_int(st, 12);
    row.key = tako__sqlite_text(st, 13, NULL);
    row.parent = tako__sqlite_text(st, 14, NULL);
    row.spec = tako__sqlite_text(st, 15, &row.spec_len);
    row.result = tako__sqlite_text(st, 16, &row.result_len);
    if ((row.key == NULL && !tako__sqlite_is_null(st, 13)) ||
        (row.parent == NULL && !tako__sqlite_is_null(st, 14)) ||
        (row.result == NULL && !tako__sqlite_is_null(st, 16)))
        return tako__nomem(err);
    if (row.id == NULL || row.type == NULL || row.node == NULL || row.spec == NULL)
        return tako__nomem(err); /* the columns are NOT NULL */
    if (row.status < TAKO_QUEUED || row.status > TAKO_CANCELLED)
        return tako__fail(err, TAKO_ESTORE, "sqlite:%s: job %s has the unknown status %d", s->path,
                          row.id, (int)row.status);
    return got(ctx, &row);
}

/* Lends every row that a statement gives for one text. */
static int sqlite_row_lend_all(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                               enum tako__sqlite_sql which, const char *text, tako_row_fn *got,
                               void *ctx, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, which);
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_name(st, 1, text);
    while ((rc = tako__sqlite_next(s, c, st, err, "reading jobs")) == 1) {
        rc = sqlite_row_lend(s, st, got, ctx, err);
        if (rc != TAKO_OK)
            break;
    }
    tako__sqlite_give(c, which, st);
    return rc;
}

int tako__sqlite_lend_seq(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t seq,
                          tako_row_fn *got, void *ctx, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_ROW_BY_SEQ);
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_int(st, 1, seq);
    rc = tako__sqlite_next(s, c, st, err, "reading a job");
    if (rc == 1)
        rc = sqlite_row_lend(s, st, got, ctx, err);
    else if (rc == 0)
        rc = tako__fail(err, TAKO_ESTORE,
                        "sqlite:%s: job number %lld has no row: the file is "
                        "damaged",
                        s->path, (long long)seq);
    tako__sqlite_give(c, TAKO__SQL_ROW_BY_SEQ, st);
    return rc;
}

int tako__sqlite_pick_init(struct tako__sqlite *s, struct tako__sqlite_picks *p, size_t limit,
                           tako_error *err)
{
    size_t all;

    memset(p, 0, sizeof(*p));
    if (__builtin_mul_overflow(limit, (size_t)3, &all))
        return tako__nomem(err);
    p->best = tako__array(&s->host, all, sizeof(*p->best));
    if (p->best == NULL)
        return tako__nomem(err);
    p->fresh = p->best + limit;
    p->merged = p->fresh + limit;
    p->limit = limit;
    return TAKO_OK;
}

void tako__sqlite_pick_free(struct tako__sqlite *s, struct tako__sqlite_picks *p)
{
    struct tako__sqlite_pick *lowest = p->best;

    if (p->fresh < lowest) /* the three change places, the allocation begins at the lowest */
        lowest = p->fresh;
    if (p->merged < lowest)
        lowest = p->merged;
    tako__free(&s->host, lowest);
}

static bool sqlite_pick_before(const struct tako__sqlite_pick *a, const struct tako__sqlite_pick *b)
{
    int id;

    if (a->order != b->order)
        return a->order < b->order;
    id = strcmp(a->id, b->id);
    return id != 0 ? id > 0 : a->seq < b->seq;
}

bool tako__sqlite_pick_add(struct tako__sqlite_picks *p, int64_t order, int64_t seq,
                           int64_t type_id, const char *id)
{
    struct tako__sqlite_pick *pick = &p->fresh[p->n_fresh];

    pick->order = order;
    pick->seq = seq;
    pick->type_id = type_id;
    pick->id[0] = '\0';
    if (id != NULL)
        memcpy(pick->id, id, strnlen(id, sizeof(pick->id) - 1) + 1);
    pick->id[sizeof(pick->id) - 1] = '\0';
    if (p->n_best == p->limit && !sqlite_pick_before(pick, &p->best[p->n_best - 1]))
        return false;
    p->n_fresh++;
    return p->n_fresh < p->limit;
}

void tako__sqlite_pick_merge(struct tako__sqlite_picks *p)
{
    struct tako__sqlite_pick *swap = p->best;
    size_t n = 0, i = 0, j = 0;

    if (p->n_fresh == 0)
        return;
    while (n < p->limit && (i < p->n_best || j < p->n_fresh)) {
        if (j == p->n_fresh || (i < p->n_best && sqlite_pick_before(&p->best[i], &p->fresh[j])))
            p->merged[n++] = p->best[i++];
        else
            p->merged[n++] = p->fresh[j++];
    }
    p->best = p->merged;
    p->merged = swap;
    p->n_best = n;
    p->n_fresh = 0;
}

int tako__sqlite_type_find(struct tako__sqlite *s, struct tako__sqlite_conn *c, const char *name,
                           int64_t *id, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_TYPE_FIND);
    int rc;

    *id = -1;
    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_name(st, 1, name);
    rc = tako__sqlite_next(s, c, st, err, "looking up a job type");
    if (rc == 1)
        *id = tako__sqlite_int(st, 0);
    tako__sqlite_give(c, TAKO__SQL_TYPE_FIND, st);
    return rc < 0 ? rc : TAKO_OK;
}

/* ---- reading ----------------------------------------------------------------------------- */

static int sqlite_read_named(struct tako__sqlite *s, enum tako__sqlite_sql which, const char *name,
                             tako_row_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK)
        rc = sqlite_row_lend_all(s, r.conn, which, name, got, ctx, err);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_get(void *self, const char *const *ids, size_t count, tako_row_fn *got, void *ctx,
                     tako_error *err)
{
    struct tako__sqlite *s = self;
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, count > 1, err);
    size_t i;

    for (i = 0; i < count && rc == TAKO_OK; i++)
        rc = sqlite_row_lend_all(s, r.conn, TAKO__SQL_ROW_BY_ID, ids[i], got, ctx, err);
    tako__sqlite_read_leave(&r);
    return rc;
}

/* Adds the newest rows of one type and one status to the picks. Ends early where they are older
 * than all that is wanted. */
static int sqlite_list_range(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t type_id,
                             int status, const tako_filter *f, int64_t bound_us,
                             const char *bound_id, struct tako__sqlite_picks *picks,
                             tako_error *err)
{
    enum tako__sqlite_sql which = f->parent != NULL ? TAKO__SQL_LIST_CHILDREN : TAKO__SQL_LIST;
    struct sqlite3_stmt *st = tako__sqlite_take(c, which);
    const char *id;
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_int(st, 1, type_id);
    tako__sqlite_bind_int(st, 2, status);
    tako__sqlite_bind_int(st, 3, f->since_us == 0 ? INT64_MIN : f->since_us);
    tako__sqlite_bind_int(st, 4, bound_us);
    tako__sqlite_bind_name(st, 5, bound_id);
    tako__sqlite_bind_int(st, 6, (int64_t)picks->limit);
    if (f->parent != NULL)
        tako__sqlite_bind_name(st, 7, f->parent);
    do {
        rc = tako__sqlite_next(s, c, st, err, "listing jobs");
        id = rc == 1 ? tako__sqlite_text(st, 1, NULL) : NULL;
        if (rc == 1 && id == NULL)
            rc = tako__nomem(err);
        /* ~x turns the order of x round, without overflow */
    } while (rc == 1 && tako__sqlite_pick_add(picks, ~tako__sqlite_int(st, 0),
                                              tako__sqlite_int(st, 2), 0, id));
    tako__sqlite_give(c, which, st);
    tako__sqlite_pick_merge(picks);
    return rc < 0 ? rc : TAKO_OK;
}

static int sqlite_list_type(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t type_id,
                            const tako_filter *f, int64_t bound_us, const char *bound_id,
                            struct tako__sqlite_picks *picks, tako_error *err)
{
    int status, rc = TAKO_OK;

    for (status = TAKO_QUEUED; status <= TAKO_CANCELLED && rc == TAKO_OK; status++) {
        if (f->statuses != 0 && (f->statuses & (1u << (unsigned)status)) == 0)
            continue;
        rc = sqlite_list_range(s, c, type_id, status, f, bound_us, bound_id, picks, err);
        if (rc == TAKO_OK && tako_status_terminal((tako_status)status))
            rc = sqlite_list_range(s, c, type_id, status + TAKO__SQLITE_DEAD, f, bound_us, bound_id,
                                   picks, err);
    }
    return rc;
}

/* The row that a page begins after; everything is after (INT64_MAX, ""). */
static int sqlite_list_bound(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                             const tako_filter *f, int64_t *bound_us, const char **bound_id,
                             tako_error *err)
{
    struct sqlite3_stmt *st;
    int rc;

    *bound_us = f->before_us == 0 ? INT64_MAX : f->before_us;
    *bound_id = "";
    if (f->after == NULL)
        return TAKO_OK;
    st = tako__sqlite_take(c, TAKO__SQL_CURSOR);
    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_name(st, 1, f->after);
    rc = tako__sqlite_next(s, c, st, err, "listing jobs");
    if (rc == 1) {
        rc = TAKO_OK;
        if (tako__sqlite_int(st, 0) < *bound_us) {
            *bound_us = tako__sqlite_int(st, 0);
            *bound_id = f->after;
        }
    } else if (rc == 0) {
        rc = tako__fail(err, TAKO_ENOTFOUND, "the record to list after, %s, does not exist",
                        f->after);
    }
    tako__sqlite_give(c, TAKO__SQL_CURSOR, st);
    return rc;
}

static int sqlite_list_gather(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                              const tako_filter *f, struct tako__sqlite_picks *picks,
                              tako_error *err)
{
    struct sqlite3_stmt *st;
    const char *bound_id;
    int64_t bound_us, type_id;
    int rc, step;

    rc = sqlite_list_bound(s, c, f, &bound_us, &bound_id, err);
    if (rc != TAKO_OK)
        return rc;
    if (f->type != NULL) {
        rc = tako__sqlite_type_find(s, c, f->type, &type_id, err);
        if (rc != TAKO_OK || type_id < 0)
            return rc;
        return sqlite_list_type(s, c, type_id, f, bound_us, bound_id, picks, err);
    }
    st = tako__sqlite_take(c, TAKO__SQL_TYPE_ALL);
    if (st == NULL)
        return tako__nomem(err);
    while ((step = tako__sqlite_next(s, c, st, err, "listing jobs")) == 1 && rc == TAKO_OK)
        rc = sqlite_list_type(s, c, tako__sqlite_int(st, 0), f, bound_us, bound_id, picks, err);
    tako__sqlite_give(c, TAKO__SQL_TYPE_ALL, st);
    return step < 0 ? step : rc;
}

int tako__sqlite_list(void *self, const tako_filter *filter, tako_row_fn *got, void *ctx,
                      tako_error *err)
{
    struct tako__sqlite *s = self;
    struct tako__sqlite_read r;
    struct tako__sqlite_picks picks;
    size_t i;
    int rc;

    if (filter->limit < 0 || filter->limit > TAKO__SQLITE_LIST_MAX)
        return tako__fail(err, TAKO_EINVAL, "limit is %d, not 1-%d", filter->limit,
                          TAKO__SQLITE_LIST_MAX);
    rc = tako__sqlite_pick_init(s, &picks, filter->limit == 0 ? 100 : (size_t)filter->limit, err);
    if (rc != TAKO_OK)
        return rc;
    rc = tako__sqlite_read_enter(s, &r, true, err);
    if (rc == TAKO_OK)
        rc = sqlite_list_gather(s, r.conn, filter, &picks, err);
    for (i = 0; i < picks.n_best && rc == TAKO_OK; i++)
        rc = tako__sqlite_lend_seq(s, r.conn, picks.best[i].seq, got, ctx, err);
    tako__sqlite_read_leave(&r);
    tako__sqlite_pick_free(s, &picks);
    return rc;
}

int tako__sqlite_find_key(void *self, const char *key, tako_row_fn *got, void *ctx, tako_error *err)
{
    return sqlite_read_named(self, TAKO__SQL_ROW_BY_KEY, key, got, ctx, err);
}

int tako__sqlite_history(void *self, const char *id, tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    const char *note;
    size_t len;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, TAKO__SQL_NOTE_ALL)) == NULL)
        rc = tako__nomem(err);
    if (rc == TAKO_OK)
        tako__sqlite_bind_name(st, 1, id);
    while (rc == TAKO_OK && (rc = tako__sqlite_next(s, r.conn, st, err, "reading notes")) == 1) {
        note = tako__sqlite_text(st, 0, &len);
        rc = note == NULL ? tako__nomem(err) : got(ctx, note, len);
        if (rc != TAKO_OK)
            break;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, TAKO__SQL_NOTE_ALL, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

/* The oldest of one type and one terminal status. Of equal age any may be left out. */
static int sqlite_expired_range(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                int64_t type_id, int status, int64_t before_us,
                                struct tako__sqlite_picks *picks, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_EXPIRED);
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_int(st, 1, type_id);
    tako__sqlite_bind_int(st, 2, status);
    tako__sqlite_bind_int(st, 3, before_us);
    tako__sqlite_bind_int(st, 4, (int64_t)picks->limit);
    do {
        rc = tako__sqlite_next(s, c, st, err, "looking for old jobs");
    } while (rc == 1 && tako__sqlite_pick_add(picks, tako__sqlite_int(st, 0),
                                              tako__sqlite_int(st, 1), type_id, NULL));
    tako__sqlite_give(c, TAKO__SQL_EXPIRED, st);
    tako__sqlite_pick_merge(picks);
    return rc < 0 ? rc : TAKO_OK;
}

static int sqlite_expired_gather(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                 int64_t before_us, struct tako__sqlite_picks *picks,
                                 tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_TYPE_ALL);
    int status, step, rc = TAKO_OK;

    if (st == NULL)
        return tako__nomem(err);
    while ((step = tako__sqlite_next(s, c, st, err, "looking for old jobs")) == 1 && rc == TAKO_OK)
        for (status = TAKO_SUCCEEDED; status <= TAKO_CANCELLED && rc == TAKO_OK; status++)
            rc = sqlite_expired_range(s, c, tako__sqlite_int(st, 0), status, before_us, picks, err);
    tako__sqlite_give(c, TAKO__SQL_TYPE_ALL, st);
    return step < 0 ? step : rc;
}

int tako__sqlite_expired(void *self, int64_t before_us, size_t limit, tako_row_fn *got, void *ctx,
                         tako_error *err)
{
    struct tako__sqlite *s = self;
    struct tako__sqlite_picks picks;
    struct tako__sqlite_read r;
    size_t i;
    int rc;

    if (limit == 0)
        return TAKO_OK;
    if (limit > TAKO__SQLITE_LIST_MAX)
        limit = TAKO__SQLITE_LIST_MAX;
    rc = tako__sqlite_pick_init(s, &picks, limit, err);
    if (rc != TAKO_OK)
        return rc;
    rc = tako__sqlite_read_enter(s, &r, true, err);
    if (rc == TAKO_OK)
        rc = sqlite_expired_gather(s, r.conn, before_us, &picks, err);
    for (i = 0; i < picks.n_best && rc == TAKO_OK; i++)
        rc = tako__sqlite_lend_seq(s, r.conn, picks.best[i].seq, got, ctx, err);
    tako__sqlite_read_leave(&r);
    tako__sqlite_pick_free(s, &picks);
    return rc;
}

/* ---- numbers and nodes ------------------------------------------------------------------- */

int tako__sqlite_tally(void *self, int64_t *queued, int64_t *running, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, TAKO__SQL_TALLY_GET)) == NULL)
        rc = tako__nomem(err);
    if (rc == TAKO_OK) {
        rc = tako__sqlite_next(s, r.conn, st, err, "counting jobs");
        if (rc == 0)
            rc = tako__fail(err, TAKO_ESTORE,
                            "sqlite:%s: its count of jobs is gone: the file is "
                            "damaged",
                            s->path);
    }
    if (rc == 1) {
        *queued = tako__sqlite_int(st, 0);
        *running = tako__sqlite_int(st, 1);
        if (!r.locked) { /* inside the transaction, which adds its own at its end */
            *queued += s->queued_delta;
            *running += s->running_delta;
        }
        rc = TAKO_OK;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, TAKO__SQL_TALLY_GET, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_nodes(void *self, tako_node_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    tako_node node;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, TAKO__SQL_NODE_ALL)) == NULL)
        rc = tako__nomem(err);
    while (rc == TAKO_OK && (rc = tako__sqlite_next(s, r.conn, st, err, "reading nodes")) == 1) {
        memset(&node, 0, sizeof(node));
        node.size = sizeof(node);
        node.id = tako__sqlite_text(st, 0, NULL);
        node.identity = tako__sqlite_text(st, 1, NULL);
        node.expires_us = tako__sqlite_int(st, 2);
        rc = node.id == NULL || node.identity == NULL ? tako__nomem(err) : got(ctx, &node);
        if (rc != TAKO_OK)
            break;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, TAKO__SQL_NODE_ALL, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_held(void *self, const char *node, tako_row_fn *got, void *ctx, tako_error *err)
{
    return sqlite_read_named(self, TAKO__SQL_ROWS_HELD, node, got, ctx, err);
}

int tako__sqlite_cancel_requests(void *self, const char *node, tako_row_fn *got, void *ctx,
                                 tako_error *err)
{
    return sqlite_read_named(self, TAKO__SQL_ROWS_CANCELLED, node, got, ctx, err);
}

static int sqlite_due_min(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                          enum tako__sqlite_sql which, int64_t type_id, int64_t *due_us,
                          tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, which);
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    tako__sqlite_bind_int(st, 1, type_id);
    rc = tako__sqlite_next(s, c, st, err, "looking for the next due job");
    if (rc == 1 && tako__sqlite_int(st, 0) < *due_us)
        *due_us = tako__sqlite_int(st, 0);
    tako__sqlite_give(c, which, st);
    return rc < 0 ? rc : TAKO_OK;
}

/* Of what is ready it looks at the first only: all of that was due before. */
int tako__sqlite_next_due(void *self, const char *const *types, int64_t *due_us, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct tako__sqlite_read r;
    int64_t type_id;
    size_t i;
    int rc = tako__sqlite_read_enter(s, &r, true, err);

    *due_us = INT64_MAX;
    for (i = 0; rc == TAKO_OK && types[i] != NULL; i++) {
        rc = tako__sqlite_type_find(s, r.conn, types[i], &type_id, err);
        if (rc != TAKO_OK || type_id < 0)
            continue;
        rc = sqlite_due_min(s, r.conn, TAKO__SQL_READY_DUE, type_id, due_us, err);
        if (rc == TAKO_OK)
            rc = sqlite_due_min(s, r.conn, TAKO__SQL_DELAYED_DUE, type_id, due_us, err);
    }
    tako__sqlite_read_leave(&r);
    return rc;
}
