/* store_sqlite_jobs.c - what the SQLite store does with jobs: every method of tako_store_ops that
 * reads or writes them. Statements by name (store_sqlite_schema.c), run through store_sqlite.c.
 *
 * No query walks through history: a claim reads the front of `ready`, a list merges the ranges
 * of one index, and the numbers of waiting and running jobs are kept as numbers.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <string.h>

#define SQLITE_JOBS_NODE_MAX 256
#define SQLITE_JOBS_PROMOTE 4096  /* delayed rows that one claim makes ready, per type */
#define SQLITE_JOBS_LIST_MAX 1000 /* as tako_filter.limit */

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
    row.status = (tako_status)tako__sqlite_int(st, 2);
    row.priority = (int)tako__sqlite_int(st, 3);
    row.attempt = (int)tako__sqlite_int(st, 4);
    row.deaths = (int)tako__sqlite_int(st, 5);
    row.cancel_requested = (int)tako__sqlite_int(st, 6);
    row.node = tako__sqlite_text(st, 7, NULL);
    row.created_us = tako__sqlite_int(st, 8);
    row.run_at_us = tako__sqlite_int(st, 9);
    row.started_us = tako__sqlite_int(st, 10);
    row.ended_us = tako__sqlite_int(st, 11);
    row.spec = tako__sqlite_text(st, 12, &row.spec_len);
    if (!tako__sqlite_is_null(st, 13)) {
        row.result = tako__sqlite_text(st, 13, &row.result_len);
        if (row.result == NULL)
            return tako__nomem(err);
    }
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

static int sqlite_row_lend_seq(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t seq,
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

/* The first `limit` of several ordered streams: each is merged into what there is. */
struct sqlite_pick {
    int64_t order; /* smallest first; then by id, greatest first; then by seq */
    int64_t seq;
    int64_t type_id;
    char id[65];
};
struct sqlite_picks {
    struct sqlite_pick *best, *fresh, *merged; /* `limit` each, one allocation */
    size_t n_best, n_fresh, limit;
};

static int sqlite_pick_init(struct tako__sqlite *s, struct sqlite_picks *p, size_t limit,
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

static void sqlite_pick_free(struct tako__sqlite *s, struct sqlite_picks *p)
{
    struct sqlite_pick *lowest = p->best;

    if (p->fresh < lowest) /* the three change places, the allocation begins at the lowest */
        lowest = p->fresh;
    if (p->merged < lowest)
        lowest = p->merged;
    tako__free(&s->host, lowest);
}

static bool sqlite_pick_before(const struct sqlite_pick *a, const struct sqlite_pick *b)
{
    int id;

    if (a->order != b->order)
        return a->order < b->order;
    id = strcmp(a->id, b->id);
    return id != 0 ? id > 0 : a->seq < b->seq;
}

/* false: this one and all that follow in its stream are too late. */
static bool sqlite_pick_add(struct sqlite_picks *p, int64_t order, int64_t seq, int64_t type_id,
                            const char *id)
{
    struct sqlite_pick *pick = &p->fresh[p->n_fresh];

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

static void sqlite_pick_merge(struct sqlite_picks *p)
{
    struct sqlite_pick *swap = p->best;
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

/* ---- writing ----------------------------------------------------------------------------- */

static bool sqlite_write_text_ok(const char *text, size_t max)
{
    size_t len = text != NULL ? strnlen(text, max + 1) : 0;

    return len > 0 && len <= max;
}

static bool sqlite_write_hash(const char *hex, unsigned char out[32])
{
    size_t i;

    if (hex == NULL || !tako__hex64_ok(hex))
        return false;
    for (i = 0; i < 64; i++) {
        int digit = hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10;

        out[i / 2] = (unsigned char)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return true;
}

/* *id = -1 when there is no such type. */
static int sqlite_type_find(struct tako__sqlite *s, struct tako__sqlite_conn *c, const char *name,
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

/* On the writer, from a small cache. Adds a new type if `add`; else *id is -1 then. */
static int sqlite_type_id(struct tako__sqlite *s, const char *name, bool add, int64_t *id,
                          tako_error *err)
{
    struct tako__sqlite_type *type;
    size_t i;
    int rc;

    if (!sqlite_write_text_ok(name, sizeof(type->name) - 1))
        return tako__fail(err, TAKO_EINVAL, "sqlite:%s: a job type has 1-64 characters", s->path);
    for (i = 0; i < s->n_types; i++) {
        if (strcmp(s->types[i].name, name) == 0) {
            *id = s->types[i].id;
            return TAKO_OK;
        }
    }
    rc = sqlite_type_find(s, &s->writer, name, id, err);
    if (rc != TAKO_OK || (*id < 0 && !add))
        return rc;
    if (*id < 0) {
        tako__sqlite_bind_name(s->writer.stmts[TAKO__SQL_TYPE_ADD], 1, name);
        rc = tako__sqlite_run(s, TAKO__SQL_TYPE_ADD, err, "adding a job type");
        if (rc != TAKO_OK)
            return rc;
        *id = tako__sqlite_last_seq(s);
    }
    if (s->n_types == TAKO__SQLITE_TYPES_CACHED)
        s->n_types = 0; /* rarely so many: start over */
    type = &s->types[s->n_types++];
    type->id = *id;
    memcpy(type->name, name, strlen(name) + 1);
    return TAKO_OK;
}

int tako__sqlite_put_blobs(void *self, const tako_blob *blobs, size_t count, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_BLOB_PUT];
    int rc = tako__sqlite_tx_check(s, err);
    unsigned char hash[32];
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        const tako_blob *b = &blobs[i];

        if (!sqlite_write_hash(b->sha256, hash) || (b->data == NULL && b->len > 0)) {
            rc = tako__fail(err, TAKO_EINVAL, "sqlite:%s: blobs[%zu] has no SHA-256 or no data",
                            s->path, i);
            break;
        }
        rc = tako__sqlite_bind_blob(s, st, 1, hash, sizeof(hash), err);
        if (rc == TAKO_OK)
            rc = tako__sqlite_bind_blob(s, st, 2, b->data, b->len, err);
        if (rc == TAKO_OK)
            rc = tako__sqlite_run(s, TAKO__SQL_BLOB_PUT, err, "storing content");
    }
    return tako__sqlite_tx_done(s, rc);
}

static int sqlite_write_body(struct tako__sqlite *s, enum tako__sqlite_sql which, int64_t seq,
                             const char *body, size_t len, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[which];
    int rc;

    tako__sqlite_bind_int(st, 1, seq);
    rc = tako__sqlite_bind_text(s, st, 2, body, len, err);
    return rc == TAKO_OK ? tako__sqlite_run(s, which, err, "storing a document") : rc;
}

static int sqlite_write_delayed(struct tako__sqlite *s, int64_t type_id, int priority, int64_t seq,
                                int64_t run_at_us, tako_error *err)
{
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_DELAYED_ADD], 4, run_at_us);
    return tako__sqlite_run_ints(s, TAKO__SQL_DELAYED_ADD, type_id, -(int64_t)priority, seq, err,
                                 "queueing a job");
}

static int sqlite_write_job(struct tako__sqlite *s, const tako_row *row, int *result,
                            tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_ADD];
    const char *node = row->node != NULL ? row->node : "";
    int64_t type_id, seq;
    int rc;

    if (!sqlite_write_text_ok(row->id, 64) || row->spec == NULL || row->status != TAKO_QUEUED ||
        strnlen(node, SQLITE_JOBS_NODE_MAX + 1) > SQLITE_JOBS_NODE_MAX)
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a new job needs an id of 1-64 bytes, a spec and the status "
                          "queued",
                          s->path);
    rc = sqlite_type_id(s, row->type, true, &type_id, err);
    if (rc != TAKO_OK)
        return rc;
    tako__sqlite_bind_name(st, 1, row->id);
    tako__sqlite_bind_int(st, 2, type_id);
    tako__sqlite_bind_int(st, 3, row->priority);
    tako__sqlite_bind_int(st, 4, row->attempt);
    tako__sqlite_bind_int(st, 5, row->deaths);
    tako__sqlite_bind_int(st, 6, row->cancel_requested != 0);
    tako__sqlite_bind_name(st, 7, node);
    tako__sqlite_bind_int(st, 8, row->created_us);
    tako__sqlite_bind_int(st, 9, row->run_at_us);
    tako__sqlite_bind_int(st, 10, row->started_us);
    tako__sqlite_bind_int(st, 11, row->ended_us);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_ADD, err, "adding a job");
    if (rc != TAKO_OK)
        return rc;
    if (tako__sqlite_changes(s) == 0) {
        *result = TAKO_ECONFLICT;
        return TAKO_OK;
    }
    *result = TAKO_OK;
    seq = tako__sqlite_last_seq(s);
    s->queued_delta++;
    rc = sqlite_write_body(s, TAKO__SQL_SPEC_ADD, seq, row->spec, row->spec_len, err);
    if (rc != TAKO_OK)
        return rc;
    if (row->run_at_us > row->created_us)
        return sqlite_write_delayed(s, type_id, row->priority, seq, row->run_at_us, err);
    return tako__sqlite_run_ints(s, TAKO__SQL_READY_ADD, type_id, -(int64_t)row->priority, seq, err,
                                 "queueing a job");
}

int tako__sqlite_insert(void *self, const tako_row *rows, size_t count, int *results,
                        tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++)
        rc = sqlite_write_job(s, &rows[i], &results[i], err);
    return tako__sqlite_tx_done(s, rc);
}

/* What finish and cancel need to know of a job. */
struct sqlite_found {
    int64_t seq; /* 0 = no such job */
    int64_t type_id;
    int64_t run_at_us;
    tako_status status;
    int priority;
    int attempt;
    bool node_same;
};

static int sqlite_write_find(struct tako__sqlite *s, const char *id, const char *node,
                             struct sqlite_found *out, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_FIND];
    const char *held;
    int rc;

    memset(out, 0, sizeof(*out));
    tako__sqlite_bind_name(st, 1, id);
    rc = tako__sqlite_next(s, &s->writer, st, err, "looking up a job");
    if (rc == 1) {
        rc = TAKO_OK;
        out->seq = tako__sqlite_int(st, 0);
        out->type_id = tako__sqlite_int(st, 1);
        out->status = (tako_status)tako__sqlite_int(st, 2);
        out->priority = (int)tako__sqlite_int(st, 3);
        out->attempt = (int)tako__sqlite_int(st, 4);
        held = tako__sqlite_text(st, 5, NULL);
        out->run_at_us = tako__sqlite_int(st, 6);
        if (held == NULL)
            rc = tako__nomem(err);
        else
            out->node_same = strcmp(held, node) == 0;
    }
    tako__sqlite_give(&s->writer, TAKO__SQL_JOB_FIND, st);
    return rc;
}

static int sqlite_write_finish(struct tako__sqlite *s, const tako_finish *item, int *result,
                               tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_FINISH];
    bool again = item->status == TAKO_QUEUED;
    struct sqlite_found job;
    int rc;

    if (item->id == NULL || item->node == NULL || (!again && !tako_status_terminal(item->status)))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: an attempt ends with an id, a node and a terminal status, or "
                          "queued",
                          s->path);
    rc = sqlite_write_find(s, item->id, item->node, &job, err);
    if (rc != TAKO_OK)
        return rc;
    if (job.seq == 0 || job.status != TAKO_RUNNING || job.attempt != item->attempt ||
        !job.node_same) {
        *result = TAKO_ESTATE;
        return TAKO_OK;
    }
    *result = TAKO_OK;
    tako__sqlite_bind_int(st, 1, job.seq);
    tako__sqlite_bind_int(st, 2, (int64_t)item->status);
    tako__sqlite_bind_int(st, 3, item->deaths);
    tako__sqlite_bind_int(st, 4, again ? item->run_at_us : job.run_at_us);
    tako__sqlite_bind_int(st, 5, item->started_us);
    tako__sqlite_bind_int(st, 6, item->ended_us);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_FINISH, err, "finishing a job");
    if (rc == TAKO_OK && item->result != NULL)
        rc = sqlite_write_body(s, TAKO__SQL_RESULT_PUT, job.seq, item->result, item->result_len,
                               err);
    if (rc == TAKO_OK && again) /* whether it is due is for the next claim to say */
        rc = sqlite_write_delayed(s, job.type_id, job.priority, job.seq, item->run_at_us, err);
    s->running_delta--;
    s->queued_delta += again ? 1 : 0;
    return rc;
}

int tako__sqlite_finish(void *self, const tako_finish *items, size_t count, int *results,
                        tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++)
        rc = sqlite_write_finish(s, &items[i], &results[i], err);
    return tako__sqlite_tx_done(s, rc);
}

static int sqlite_write_cancel_queued(struct tako__sqlite *s, const struct sqlite_found *job,
                                      const tako_cancel_item *item, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_FINISH];
    int rc;

    tako__sqlite_bind_int(st, 1, job->seq);
    tako__sqlite_bind_int(st, 2, TAKO_CANCELLED);
    tako__sqlite_bind_null(st, 3); /* NULL: stays */
    tako__sqlite_bind_int(st, 4, job->run_at_us);
    tako__sqlite_bind_null(st, 5);
    tako__sqlite_bind_int(st, 6, item->now_us);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_FINISH, err, "cancelling a job");
    if (rc == TAKO_OK)
        rc = tako__sqlite_run_ints(s, TAKO__SQL_READY_DROP, job->type_id, -(int64_t)job->priority,
                                   job->seq, err, "cancelling a job");
    if (rc == TAKO_OK && tako__sqlite_changes(s) == 0)
        rc = tako__sqlite_run_ints(s, TAKO__SQL_DELAYED_DROP, job->type_id, job->run_at_us,
                                   job->seq, err, "cancelling a job");
    if (rc == TAKO_OK && item->result != NULL)
        rc = sqlite_write_body(s, TAKO__SQL_RESULT_PUT, job->seq, item->result, item->result_len,
                               err);
    s->queued_delta--;
    return rc;
}

int tako__sqlite_cancel(void *self, tako_cancel_item *items, size_t count, int *results,
                        tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    struct sqlite_found job;
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        if (items[i].id == NULL) {
            rc = tako__fail(err, TAKO_EINVAL, "sqlite:%s: items[%zu] has no id", s->path, i);
            break;
        }
        rc = sqlite_write_find(s, items[i].id, "", &job, err);
        if (rc != TAKO_OK)
            break;
        if (job.seq == 0) {
            results[i] = TAKO_ENOTFOUND;
            continue;
        }
        items[i].was = job.status;
        results[i] = tako_status_terminal(job.status) ? TAKO_ESTATE : TAKO_OK;
        if (job.status == TAKO_QUEUED)
            rc = sqlite_write_cancel_queued(s, &job, &items[i], err);
        if (job.status != TAKO_RUNNING)
            continue;
        tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_JOB_ASK_CANCEL], 1, job.seq);
        rc = tako__sqlite_run(s, TAKO__SQL_JOB_ASK_CANCEL, err, "cancelling a job");
    }
    return tako__sqlite_tx_done(s, rc);
}

int tako__sqlite_put_node(void *self, const tako_node *node, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_NODE_PUT];
    int rc = tako__sqlite_tx_check(s, err);

    if (rc != TAKO_OK)
        return rc;
    if (!sqlite_write_text_ok(node->id, SQLITE_JOBS_NODE_MAX) || node->identity == NULL)
        return tako__sqlite_tx_done(s, tako__fail(err, TAKO_EINVAL,
                                                  "sqlite:%s: a node needs an "
                                                  "id and an identity",
                                                  s->path));
    tako__sqlite_bind_name(st, 1, node->id);
    tako__sqlite_bind_name(st, 2, node->identity);
    tako__sqlite_bind_int(st, 3, node->expires_us);
    return tako__sqlite_tx_done(s, tako__sqlite_run(s, TAKO__SQL_NODE_PUT, err, "renewing a node"));
}

int tako__sqlite_remove_node(void *self, const char *node, tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);

    if (rc != TAKO_OK)
        return rc;
    tako__sqlite_bind_name(s->writer.stmts[TAKO__SQL_NODE_DROP], 1, node);
    rc = tako__sqlite_run(s, TAKO__SQL_NODE_DROP, err, "removing a node");
    return tako__sqlite_tx_done(s, rc);
}

/* ---- claiming ---------------------------------------------------------------------------- */

/* Moves what has come due from `delayed` to `ready`. Of a flood that comes due at once, the
 * first of it: the rest follows with the next claims, the latest due last. */
static int sqlite_claim_promote(struct tako__sqlite *s, int64_t type_id, int64_t now_us,
                                tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_DELAYED_LAST];
    int64_t last_us = now_us, last_seq = INT64_MAX;
    int rc = tako__sqlite_run_ints(s, TAKO__SQL_READY_FILL, type_id, now_us, SQLITE_JOBS_PROMOTE,
                                   err, "taking delayed jobs");
    int64_t moved = tako__sqlite_changes(s);

    if (rc != TAKO_OK || moved == 0)
        return rc;
    if (moved == SQLITE_JOBS_PROMOTE) {
        tako__sqlite_bind_int(st, 1, type_id);
        tako__sqlite_bind_int(st, 2, now_us);
        tako__sqlite_bind_int(st, 3, moved - 1);
        rc = tako__sqlite_next(s, &s->writer, st, err, "taking delayed jobs");
        if (rc == 1) {
            last_us = tako__sqlite_int(st, 0);
            last_seq = tako__sqlite_int(st, 1);
        }
        tako__sqlite_give(&s->writer, TAKO__SQL_DELAYED_LAST, st);
        if (rc < 0)
            return rc;
    }
    return tako__sqlite_run_ints(s, TAKO__SQL_DELAYED_TRIM, type_id, last_us, last_seq, err,
                                 "taking delayed jobs");
}

static int sqlite_claim_gather(struct tako__sqlite *s, const tako_claim *what,
                               struct sqlite_picks *picks, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_READY_NEXT];
    int64_t type_id;
    size_t i;
    int rc;

    for (i = 0; what->types[i] != NULL; i++) {
        rc = sqlite_type_id(s, what->types[i], false, &type_id, err);
        if (rc == TAKO_OK && type_id >= 0)
            rc = sqlite_claim_promote(s, type_id, what->now_us, err);
        if (rc != TAKO_OK)
            return rc;
        if (type_id < 0)
            continue;
        tako__sqlite_bind_int(st, 1, type_id);
        tako__sqlite_bind_int(st, 2, (int64_t)picks->limit);
        do {
            rc = tako__sqlite_next(s, &s->writer, st, err, "looking for due jobs");
        } while (rc == 1 && sqlite_pick_add(picks, tako__sqlite_int(st, 0), tako__sqlite_int(st, 1),
                                            type_id, NULL));
        tako__sqlite_give(&s->writer, TAKO__SQL_READY_NEXT, st);
        if (rc < 0)
            return rc;
        sqlite_pick_merge(picks);
    }
    return TAKO_OK;
}

/* *claimed is false when the row was not due after all, because the clock went back: then it
 * waits in `delayed` again. */
static int sqlite_claim_take(struct tako__sqlite *s, const tako_claim *what,
                             const struct sqlite_pick *pick, bool *claimed, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_CLAIM];
    int64_t due_us;
    int rc;

    tako__sqlite_bind_int(st, 1, pick->seq);
    tako__sqlite_bind_name(st, 2, what->node);
    tako__sqlite_bind_int(st, 3, what->now_us);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_CLAIM, err, "claiming a job");
    *claimed = rc == TAKO_OK && tako__sqlite_changes(s) == 1;
    if (rc == TAKO_OK)
        rc = tako__sqlite_run_ints(s, TAKO__SQL_READY_DROP, pick->type_id, pick->order, pick->seq,
                                   err, "claiming a job");
    if (rc != TAKO_OK || *claimed)
        return rc;
    st = s->writer.stmts[TAKO__SQL_JOB_DUE];
    tako__sqlite_bind_int(st, 1, pick->seq);
    rc = tako__sqlite_next(s, &s->writer, st, err, "claiming a job");
    due_us = rc == 1 ? tako__sqlite_int(st, 0) : 0;
    tako__sqlite_give(&s->writer, TAKO__SQL_JOB_DUE, st);
    if (rc < 0)
        return rc;
    if (due_us <= what->now_us)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: job number %lld is listed as waiting but "
                          "is not: the file is damaged",
                          s->path, (long long)pick->seq);
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_DELAYED_ADD], 4, due_us);
    return tako__sqlite_run_ints(s, TAKO__SQL_DELAYED_ADD, pick->type_id, pick->order, pick->seq,
                                 err, "claiming a job");
}

int tako__sqlite_claim(void *self, const tako_claim *what, tako_row_fn *got, void *ctx,
                       tako_error *err)
{
    struct tako__sqlite *s = self;
    size_t i, left = what->limit;
    struct sqlite_picks picks;
    bool claimed, again = true;
    int rc = tako__sqlite_tx_check(s, err);

    if (rc != TAKO_OK || left == 0)
        return rc;
    if (!sqlite_write_text_ok(what->node, SQLITE_JOBS_NODE_MAX) || what->types == NULL)
        return tako__sqlite_tx_done(s, tako__fail(err, TAKO_EINVAL,
                                                  "sqlite:%s: a claim needs a "
                                                  "node and types",
                                                  s->path));
    rc = sqlite_pick_init(s, &picks, left, err);
    while (rc == TAKO_OK && again && left > 0) {
        picks.n_best = 0;
        picks.limit = left;
        again = false;
        rc = sqlite_claim_gather(s, what, &picks, err);
        for (i = 0; i < picks.n_best && rc == TAKO_OK; i++) {
            rc = sqlite_claim_take(s, what, &picks.best[i], &claimed, err);
            if (rc != TAKO_OK)
                break;
            if (!claimed) {
                again = true; /* look for another one in its place */
                continue;
            }
            left--;
            s->queued_delta--;
            s->running_delta++;
            rc = sqlite_row_lend_seq(s, &s->writer, picks.best[i].seq, got, ctx, err);
        }
    }
    sqlite_pick_free(s, &picks);
    return tako__sqlite_tx_done(s, rc);
}

/* ---- reading ----------------------------------------------------------------------------- */

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
                             const char *bound_id, struct sqlite_picks *picks, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_LIST);
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
    do {
        rc = tako__sqlite_next(s, c, st, err, "listing jobs");
        id = rc == 1 ? tako__sqlite_text(st, 1, NULL) : NULL;
        if (rc == 1 && id == NULL)
            rc = tako__nomem(err);
        /* ~x turns the order of x round, without overflow */
    } while (rc == 1 &&
             sqlite_pick_add(picks, ~tako__sqlite_int(st, 0), tako__sqlite_int(st, 2), 0, id));
    tako__sqlite_give(c, TAKO__SQL_LIST, st);
    sqlite_pick_merge(picks);
    return rc < 0 ? rc : TAKO_OK;
}

static int sqlite_list_type(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t type_id,
                            const tako_filter *f, int64_t bound_us, const char *bound_id,
                            struct sqlite_picks *picks, tako_error *err)
{
    int status, rc = TAKO_OK;

    for (status = TAKO_QUEUED; status <= TAKO_CANCELLED && rc == TAKO_OK; status++) {
        if (f->statuses == 0 || (f->statuses & (1u << (unsigned)status)) != 0)
            rc = sqlite_list_range(s, c, type_id, status, f, bound_us, bound_id, picks, err);
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
                              const tako_filter *f, struct sqlite_picks *picks, tako_error *err)
{
    struct sqlite3_stmt *st;
    const char *bound_id;
    int64_t bound_us, type_id;
    int rc, step;

    rc = sqlite_list_bound(s, c, f, &bound_us, &bound_id, err);
    if (rc != TAKO_OK)
        return rc;
    if (f->type != NULL) {
        rc = sqlite_type_find(s, c, f->type, &type_id, err);
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
    struct sqlite_picks picks;
    size_t i;
    int rc;

    if (filter->limit < 0 || filter->limit > SQLITE_JOBS_LIST_MAX)
        return tako__fail(err, TAKO_EINVAL, "limit is %d, not 1-%d", filter->limit,
                          SQLITE_JOBS_LIST_MAX);
    rc = sqlite_pick_init(s, &picks, filter->limit == 0 ? 100 : (size_t)filter->limit, err);
    if (rc != TAKO_OK)
        return rc;
    rc = tako__sqlite_read_enter(s, &r, true, err);
    if (rc == TAKO_OK)
        rc = sqlite_list_gather(s, r.conn, filter, &picks, err);
    for (i = 0; i < picks.n_best && rc == TAKO_OK; i++)
        rc = sqlite_row_lend_seq(s, r.conn, picks.best[i].seq, got, ctx, err);
    tako__sqlite_read_leave(&r);
    sqlite_pick_free(s, &picks);
    return rc;
}

int tako__sqlite_get_blob(void *self, const char *sha256, tako_bytes_fn *got, void *ctx,
                          tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    unsigned char hash[32];
    const void *data;
    size_t len;
    int rc;

    if (!sqlite_write_hash(sha256, hash))
        return tako__fail(err, TAKO_EINVAL, "content is named by 64 lower hexadecimal digits");
    rc = tako__sqlite_read_enter(s, &r, false, err);
    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, TAKO__SQL_BLOB_GET)) == NULL)
        rc = tako__nomem(err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_bind_blob(s, st, 1, hash, sizeof(hash), err);
    if (rc == TAKO_OK) {
        rc = tako__sqlite_next(s, r.conn, st, err, "reading content");
        if (rc == 0)
            rc = tako__fail(err, TAKO_ENOTFOUND, "no content with the SHA-256 %s", sha256);
    }
    if (rc == 1) {
        data = tako__sqlite_blob(st, 0, &len);
        rc = data == NULL ? tako__nomem(err) : got(ctx, data, len);
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, TAKO__SQL_BLOB_GET, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

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

static int sqlite_read_node(struct tako__sqlite *s, enum tako__sqlite_sql which, const char *node,
                            tako_row_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK)
        rc = sqlite_row_lend_all(s, r.conn, which, node, got, ctx, err);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_held(void *self, const char *node, tako_row_fn *got, void *ctx, tako_error *err)
{
    return sqlite_read_node(self, TAKO__SQL_ROWS_HELD, node, got, ctx, err);
}

int tako__sqlite_cancel_requests(void *self, const char *node, tako_row_fn *got, void *ctx,
                                 tako_error *err)
{
    return sqlite_read_node(self, TAKO__SQL_ROWS_CANCELLED, node, got, ctx, err);
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
        rc = sqlite_type_find(s, r.conn, types[i], &type_id, err);
        if (rc != TAKO_OK || type_id < 0)
            continue;
        rc = sqlite_due_min(s, r.conn, TAKO__SQL_READY_DUE, type_id, due_us, err);
        if (rc == TAKO_OK)
            rc = sqlite_due_min(s, r.conn, TAKO__SQL_DELAYED_DUE, type_id, due_us, err);
    }
    tako__sqlite_read_leave(&r);
    return rc;
}
