/* store_sqlite_jobs.c - what changes the state of jobs in the SQLite store: insert, finish, cancel,
 * claim, and the nodes that hold them. Statements by name (store_sqlite_schema.c), run through
 * store_sqlite.c.
 *
 * No query walks through history: a claim reads the front of `ready`, and the numbers of waiting
 * and running jobs are kept as numbers.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <string.h>

#define SQLITE_JOBS_PROMOTE 4096 /* delayed rows that one claim makes ready, per type */
#define SQLITE_JOBS_KEY_MAX 255

/* ---- writing ----------------------------------------------------------------------------- */

bool tako__sqlite_text_ok(const char *text, size_t max)
{
    size_t len = text != NULL ? strnlen(text, max + 1) : 0;

    return len > 0 && len <= max;
}

/* On the writer, from a small cache. Adds a new type if `add`; else *id is -1 then. */
static int sqlite_type_id(struct tako__sqlite *s, const char *name, bool add, int64_t *id,
                          tako_error *err)
{
    struct tako__sqlite_type *type;
    size_t i;
    int rc;

    if (!tako__sqlite_text_ok(name, sizeof(type->name) - 1))
        return tako__fail(err, TAKO_EINVAL, "sqlite:%s: a job type has 1-64 characters", s->path);
    for (i = 0; i < s->n_types; i++) {
        if (strcmp(s->types[i].name, name) == 0) {
            *id = s->types[i].id;
            return TAKO_OK;
        }
    }
    rc = tako__sqlite_type_find(s, &s->writer, name, id, err);
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

/* *seq = 0 when the id or the key exists. */
static int sqlite_write_row(struct tako__sqlite *s, const tako_row *row, int64_t type_id,
                            int64_t *seq, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_ADD];
    int rc;

    tako__sqlite_bind_name(st, 1, row->id);
    tako__sqlite_bind_int(st, 2, type_id);
    tako__sqlite_bind_int(st, 3, row->priority);
    tako__sqlite_bind_int(st, 4, row->attempt);
    tako__sqlite_bind_int(st, 5, row->deaths);
    tako__sqlite_bind_int(st, 6, row->cancel_requested != 0);
    tako__sqlite_bind_name(st, 7, row->node != NULL ? row->node : "");
    tako__sqlite_bind_int(st, 8, row->created_us);
    tako__sqlite_bind_int(st, 9, row->run_at_us);
    tako__sqlite_bind_int(st, 10, row->started_us);
    tako__sqlite_bind_int(st, 11, row->ended_us);
    tako__sqlite_bind_int(st, 12, row->failures);
    tako__sqlite_bind_name(st, 13, row->key);
    tako__sqlite_bind_name(st, 14, row->parent);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_ADD, err, "adding a job");
    *seq = rc == TAKO_OK && tako__sqlite_changes(s) == 1 ? tako__sqlite_last_seq(s) : 0;
    return rc;
}

static int sqlite_write_check(const struct tako__sqlite *s, const tako_row *row, tako_error *err)
{
    if (!tako__sqlite_text_ok(row->id, 64) || row->spec == NULL || row->status != TAKO_QUEUED ||
        (row->node != NULL &&
         strnlen(row->node, TAKO__SQLITE_NODE_MAX + 1) > TAKO__SQLITE_NODE_MAX))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a new job needs an id of 1-64 bytes, a spec and the status "
                          "queued",
                          s->path);
    if ((row->key != NULL && !tako__sqlite_text_ok(row->key, SQLITE_JOBS_KEY_MAX)) ||
        (row->parent != NULL && !tako__sqlite_text_ok(row->parent, 64)))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a new job's key has 1-%d bytes and its parent 1-64, or they "
                          "are NULL",
                          s->path, SQLITE_JOBS_KEY_MAX);
    return TAKO_OK;
}

static int sqlite_write_job(struct tako__sqlite *s, const tako_row *row, int *result,
                            tako_error *err)
{
    int64_t type_id, seq;
    bool missing;
    int rc = sqlite_write_check(s, row, err);

    if (rc == TAKO_OK)
        rc = sqlite_type_id(s, row->type, true, &type_id, err);
    if (rc == TAKO_OK)
        rc = sqlite_write_row(s, row, type_id, &seq, err);
    if (rc != TAKO_OK)
        return rc;
    *result = TAKO_ECONFLICT;
    if (seq == 0)
        return TAKO_OK;
    rc = tako__sqlite_use(s, row->refs, row->n_refs, &missing, err);
    if (rc != TAKO_OK)
        return rc;
    if (missing) {
        *result = TAKO_ENOTFOUND;
        tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_JOB_DROP], 1, seq);
        return tako__sqlite_run(s, TAKO__SQL_JOB_DROP, err, "adding a job");
    }
    *result = TAKO_OK;
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

int tako__sqlite_find(struct tako__sqlite *s, const char *id, const char *node,
                      struct tako__sqlite_found *out, tako_error *err)
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
        out->dead = tako__sqlite_int(st, 2) >= TAKO__SQLITE_DEAD;
        out->status = (tako_status)(tako__sqlite_int(st, 2) % TAKO__SQLITE_DEAD);
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

static int sqlite_write_ending(struct tako__sqlite *s, const tako_finish *item,
                               const struct tako__sqlite_found *job, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_JOB_FINISH];
    bool again = item->status == TAKO_QUEUED, missing;
    int rc;

    tako__sqlite_bind_int(st, 1, job->seq);
    tako__sqlite_bind_int(st, 2, (int64_t)item->status);
    tako__sqlite_bind_int(st, 3, item->deaths);
    tako__sqlite_bind_int(st, 4, again ? item->run_at_us : job->run_at_us);
    tako__sqlite_bind_int(st, 5, item->started_us);
    tako__sqlite_bind_int(st, 6, item->ended_us);
    tako__sqlite_bind_int(st, 7, item->failures);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_FINISH, err, "finishing a job");
    if (rc == TAKO_OK && item->result != NULL) {
        if (again)
            tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_NOTE_ADD], 3, item->attempt);
        rc = sqlite_write_body(s, again ? TAKO__SQL_NOTE_ADD : TAKO__SQL_RESULT_ADD, job->seq,
                               item->result, item->result_len, err);
    }
    if (rc == TAKO_OK)
        rc = tako__sqlite_use(s, item->refs, item->n_refs, &missing, err);
    if (rc == TAKO_OK && missing)
        rc = tako__fail(err, TAKO_ENOTFOUND,
                        "sqlite:%s: the result of job %s refers to content that is not there",
                        s->path, item->id);
    return rc;
}

static int sqlite_write_finish(struct tako__sqlite *s, const tako_finish *item, int *result,
                               tako_error *err)
{
    bool again = item->status == TAKO_QUEUED;
    struct tako__sqlite_found job;
    int rc;

    if (item->id == NULL || item->node == NULL || (!again && !tako_status_terminal(item->status)) ||
        (again && item->dead != NULL))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: an attempt ends with an id, a node and a terminal status, or "
                          "queued and without a dead letter",
                          s->path);
    rc = tako__sqlite_find(s, item->id, item->node, &job, err);
    if (rc != TAKO_OK)
        return rc;
    if (job.seq == 0 || job.status != TAKO_RUNNING || job.attempt != item->attempt ||
        !job.node_same) {
        *result = TAKO_ESTATE;
        return TAKO_OK;
    }
    *result = TAKO_OK;
    rc = sqlite_write_ending(s, item, &job, err);
    if (rc == TAKO_OK && item->dead != NULL)
        rc = tako__sqlite_bury(s, job.seq, item->dead, err);
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

static int sqlite_write_cancel_queued(struct tako__sqlite *s, const struct tako__sqlite_found *job,
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
    tako__sqlite_bind_null(st, 7);
    rc = tako__sqlite_run(s, TAKO__SQL_JOB_FINISH, err, "cancelling a job");
    if (rc == TAKO_OK)
        rc = tako__sqlite_run_ints(s, TAKO__SQL_READY_DROP, job->type_id, -(int64_t)job->priority,
                                   job->seq, err, "cancelling a job");
    if (rc == TAKO_OK && tako__sqlite_changes(s) == 0)
        rc = tako__sqlite_run_ints(s, TAKO__SQL_DELAYED_DROP, job->type_id, job->run_at_us,
                                   job->seq, err, "cancelling a job");
    if (rc == TAKO_OK && item->result != NULL)
        rc = sqlite_write_body(s, TAKO__SQL_RESULT_ADD, job->seq, item->result, item->result_len,
                               err);
    s->queued_delta--;
    return rc;
}

int tako__sqlite_cancel(void *self, tako_cancel_item *items, size_t count, int *results,
                        tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    struct tako__sqlite_found job;
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        if (items[i].id == NULL) {
            rc = tako__fail(err, TAKO_EINVAL, "sqlite:%s: items[%zu] has no id", s->path, i);
            break;
        }
        rc = tako__sqlite_find(s, items[i].id, "", &job, err);
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
    if (!tako__sqlite_text_ok(node->id, TAKO__SQLITE_NODE_MAX) || node->identity == NULL)
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
                               struct tako__sqlite_picks *picks, tako_error *err)
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
        } while (rc == 1 && tako__sqlite_pick_add(picks, tako__sqlite_int(st, 0),
                                                  tako__sqlite_int(st, 1), type_id, NULL));
        tako__sqlite_give(&s->writer, TAKO__SQL_READY_NEXT, st);
        if (rc < 0)
            return rc;
        tako__sqlite_pick_merge(picks);
    }
    return TAKO_OK;
}

/* *claimed is false when the row was not due after all, because the clock went back: then it
 * waits in `delayed` again. */
static int sqlite_claim_take(struct tako__sqlite *s, const tako_claim *what,
                             const struct tako__sqlite_pick *pick, bool *claimed, tako_error *err)
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
    struct tako__sqlite_picks picks;
    bool claimed, again = true;
    int rc = tako__sqlite_tx_check(s, err);

    if (rc != TAKO_OK || left == 0)
        return rc;
    if (!tako__sqlite_text_ok(what->node, TAKO__SQLITE_NODE_MAX) || what->types == NULL)
        return tako__sqlite_tx_done(s, tako__fail(err, TAKO_EINVAL,
                                                  "sqlite:%s: a claim needs a "
                                                  "node and types",
                                                  s->path));
    rc = tako__sqlite_pick_init(s, &picks, left, err);
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
            rc = tako__sqlite_lend_seq(s, &s->writer, picks.best[i].seq, got, ctx, err);
        }
    }
    tako__sqlite_pick_free(s, &picks);
    return tako__sqlite_tx_done(s, rc);
}
