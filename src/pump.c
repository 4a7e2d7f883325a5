/* pump.c - the one writer: takes all that waits, writes it in one transaction, claims jobs in the
 * same one, and answers everybody after the commit (group commit).
 *
 * One wake-up answers a whole batch. Who does it, and how callers wait for it, is in turn.c; how
 * jobs run is in worker.c. Needs the pump role throughout.
 *
 * SPDX-License-Identifier: MIT */
#include "type.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PUMP_RETRY_MIN_US 10000
#define PUMP_RETRY_MAX_US 1000000
#define PUMP_CAREFUL 16 /* commits after a failure in which one job at a time is claimed */
#define PUMP_AGAIN 1    /* of pump_transact: an op was taken out, the rest is to be tried again */
#define PUMP_SKIP 2     /* an op was refused and has written nothing */

struct pump_event {
    char id[65], type[65];
    tako_status status;
    int attempt;
    int64_t at_us;
};

/* What one cycle carries. */
struct pump_batch {
    tako *t;
    struct tako__op *ops;
    _Atomic uint32_t *word;
    size_t n_ops, n_rows;
    struct tako__run *ended;
    size_t n_ended;
    size_t claim, prefetch; /* how many to ask for */
    struct tako__run *claimed, **claimed_end;
    size_t n_claimed;
    bool claim_short, prefetch_short; /* there was less than asked for */
    bool renew, wrote;
    int64_t now_us, more_lease_us;
    int claim_rc;
    tako_finish *finishes;
    int *results;
    struct pump_event *events;
    size_t n_events, event_room;
};

/* ---- lists --------------------------------------------------------------------------------- */

void tako__pump_end_run_locked(tako *t, struct tako__run *run)
{
    run->next = NULL;
    *t->ended_end = run;
    t->ended_end = &run->next;
    t->n_ended++;
    tako__pump_ping_locked(t);
}

static void pump_hold_locked(tako *t, struct tako__run *run)
{
    run->prev_all = NULL;
    run->next_all = t->runs;
    if (t->runs)
        t->runs->prev_all = run;
    t->runs = run;
    t->n_runs++;
}

void tako__pump_unhold_locked(tako *t, struct tako__run *run)
{
    if (run->next_all)
        run->next_all->prev_all = run->prev_all;
    if (run->prev_all)
        run->prev_all->next_all = run->next_all;
    else
        t->runs = run->next_all;
    t->n_runs--;
}

void tako__waiters_wake_locked(tako *t, const char *id)
{
    struct tako__waiter *w;

    for (w = t->waiters; w; w = w->next)
        if (!id || strcmp(w->id, id) == 0)
            tako__word_wake(&w->word, INT_MAX);
}

/* ---- what to do in this cycle ---------------------------------------------------------------- */

/* The names to claim, kept until the job types change. Only the pump role touches the array; what
 * the list of types holds is constant. */
static int pump_types(tako *t, tako_error *err)
{
    const struct tako__type *head, *type;
    const char **names;
    bool sandbox;
    size_t n = 0;

    pthread_mutex_lock(&t->lock);
    head = t->types;
    sandbox = t->sandbox_rc == TAKO_OK;
    pthread_mutex_unlock(&t->lock);
    if (t->pump.types && head == t->pump.types_head && sandbox == t->pump.types_sandbox)
        return TAKO_OK;
    names = tako__array(&t->host, (head ? head->count : 0) + 1, sizeof *names);
    if (!names)
        return tako__nomem(err);
    for (type = head; sandbox && type; type = type->next)
        if (type->sandboxed)
            names[n++] = type->name;
    t->pump.types_sandbox = sandbox;
    for (type = head; type; type = type->next)
        if (!type->sandboxed)
            names[n++] = type->name;
    tako__free(&t->host, t->pump.types);
    t->pump.types = names;
    t->pump.n_types = n;
    t->pump.types_head = head;
    return TAKO_OK;
}

/* The names of handlers only: those of the sandbox stand before them. */
static const char *const *pump_handler_types(tako *t)
{
    const struct tako__type *type;
    size_t skip = 0;

    for (type = t->pump.types_head; t->pump.types_sandbox && type; type = type->next)
        skip += type->sandboxed;
    return t->pump.types + skip;
}

static size_t pump_free_locked(const tako *t)
{
    size_t busy = (size_t)t->n_running + t->n_ready;

    return (size_t)t->crew_size > busy ? (size_t)t->crew_size - busy : 0;
}

/* How many handler jobs should lie ready: what the workers get done during one commit, when
 * recent handlers were that short. */
static size_t pump_ready_goal_locked(const tako *t)
{
    int64_t goal;

    if (t->handler_us <= 0 || t->handler_us > t->pump.commit_us)
        return 0;
    goal = t->pump.commit_us * t->workers / t->handler_us;
    return goal > TAKO__PREFETCH_MAX ? TAKO__PREFETCH_MAX : (size_t)goal;
}

static void pump_plan_claim_locked(tako *t, struct pump_batch *b, int claim)
{
    size_t goal;
    bool due = t->claim_due || t->next_due_us <= b->now_us;

    if (t->phase != TAKO__STARTED || claim == 0 || t->pump.trouble || t->pump.n_types == 0)
        return;
    if (claim > 0) { /* tako_step looks in any case */
        b->claim = (size_t)claim;
        return;
    }
    if (!due)
        return;
    b->claim = pump_free_locked(t);
    if (t->pump.careful && b->claim) { /* a large claim may have been what failed */
        b->claim = 1;
        return;
    }
    goal = pump_ready_goal_locked(t);
    if (!t->pump.prefetch_dry && t->n_ready <= goal / 2 && goal > b->claim)
        b->prefetch = goal - b->claim;
}

/* Takes the intake and the ended runs. After a failed transaction one ended run at a time is
 * tried, alone, so that one that can never be written does not hold up the rest. */
static void pump_collect(tako *t, struct pump_batch *b, int claim)
{
    struct tako__op *op;
    int64_t mono = tako__mono_us();

    memset(b, 0, sizeof *b);
    b->t = t;
    b->claimed_end = &b->claimed;
    b->now_us = tako__now_us(&t->host);
    b->claim_rc = claim != 0 ? pump_types(t, NULL) : TAKO_OK;
    pthread_mutex_lock(&t->lock);
    if (t->pump.trouble && (t->pump.retry_mono <= mono || claim > 0)) {
        if (t->ended) {
            b->ended = t->ended;
            t->ended = b->ended->next;
            b->ended->next = NULL;
            b->n_ended = 1;
            if (--t->n_ended == 0)
                t->ended_end = &t->ended;
        } else {
            t->pump.trouble = 0;
        }
    } else if (!t->pump.trouble) {
        b->ended = t->ended;
        b->n_ended = t->n_ended;
        t->ended = NULL;
        t->ended_end = &t->ended;
        t->n_ended = 0;
    }
    if (!(t->pump.trouble && b->ended)) {
        b->ops = t->intake;
        b->n_ops = t->intake_count;
        b->word = &t->ack[t->batch & 1];
        t->intake = NULL;
        t->intake_end = &t->intake;
        t->intake_count = 0;
        t->batch++;
    }
    for (op = b->ops; op; op = op->next) {
        if (op->kind == TAKO__OP_SUBMIT) {
            b->n_rows += op->n_rows;
            t->claim_due = true;
            t->pump.prefetch_dry = false;
        }
    }
    if (b->claim_rc == TAKO_OK)
        pump_plan_claim_locked(t, b, claim);
    b->renew = t->n_runs && (!t->pump.trouble || t->pump.retry_mono <= mono) &&
               b->now_us >= t->pump.lease_until_us - t->lease_us * 2 / 3;
    pthread_mutex_unlock(&t->lock);
}

/* A run that goes back to the queue although it was cancelled here ends instead: the caller was
 * told that it would, and nobody may ever claim it again. */
static void pump_end_cancelled(tako *t, struct pump_batch *b)
{
    struct tako__run *run;
    bool cancelled;

    for (run = b->ended; run; run = run->next) {
        if (run->status != TAKO_QUEUED)
            continue;
        pthread_mutex_lock(&t->lock);
        cancelled = run->why == TAKO__STOP_CANCEL;
        pthread_mutex_unlock(&t->lock);
        if (cancelled)
            tako__run_end_cancelled(t, run);
    }
}

/* ---- the transaction ------------------------------------------------------------------------- */

static int pump_reserve(tako *t, struct pump_batch *b, tako_error *err)
{
    size_t room;

    if (b->n_ended) {
        b->finishes = tako__array(&t->host, b->n_ended, sizeof *b->finishes);
        b->results = tako__array(&t->host, b->n_ended, sizeof *b->results);
        if (!b->finishes || !b->results)
            return tako__nomem(err);
    }
    if (t->on_event) {
        room = b->n_rows + b->n_ops + b->n_ended + b->claim + b->prefetch;
        b->events = tako__array(&t->host, room, sizeof *b->events);
        if (!b->events)
            return tako__nomem(err);
        b->event_room = room;
    }
    return TAKO_OK;
}

struct pump_holder { /* of an idempotency key */
    tako *t;
    const char *fingerprint; /* wanted */
    tako_id id;
    bool there, same;
};

static int pump_saw_holder(void *ctx, const tako_row *row)
{
    struct pump_holder *h = ctx;
    tako_record *rec = NULL;
    const struct tako__spec *spec;
    int rc;

    if (strlen(row->id) >= sizeof h->id.text)
        return TAKO_ESTORE;
    rc = tako__record_make(&rec, &h->t->host, row, NULL);
    if (rc != TAKO_OK)
        return rc;
    spec = tako__record_spec(rec);
    memcpy(h->id.text, row->id, strlen(row->id) + 1);
    h->there = true;
    h->same = !spec->fingerprint || strcmp(spec->fingerprint, h->fingerprint) == 0;
    tako_record_free(rec);
    return 0;
}

/* Who has the key of a row: found->text stays "" when nobody has. Else TAKO_OK with its id, or
 * TAKO_ECONFLICT when it is a job with other content. Any thread. */
int tako__key_holder(tako *t, const tako_row *row, const char *fingerprint, tako_id *found,
                     tako_error *err)
{
    struct pump_holder h;
    int rc;

    memset(&h, 0, sizeof h);
    h.t = t;
    h.fingerprint = fingerprint;
    found->text[0] = '\0';
    rc = t->ops->find_key(t->store, row->key, pump_saw_holder, &h, err);
    if (rc != TAKO_OK || !h.there)
        return rc;
    if (!h.same)
        return tako__fail(err, TAKO_ECONFLICT,
                          "idempotency_key: '%.80s' was used for job %s with other content; use a "
                          "new key",
                          row->key, h.id.text);
    *found = h.id;
    return TAKO_OK;
}

/* One row with its content. PUMP_SKIP: its op was refused before anything of it was written. */
static int pump_write_row(tako *t, struct tako__op *op, size_t i, const tako_blob *blobs,
                          tako_error *err)
{
    const tako_row *row = &op->rows[i];
    int rc;

    op->found[i].text[0] = '\0';
    if (row->key) {
        rc = tako__key_holder(t, row, op->fingerprints[i], &op->found[i], &op->err);
        if (rc == TAKO_ECONFLICT) {
            op->rc = rc;
            return i ? PUMP_AGAIN : PUMP_SKIP;
        }
        if (rc != TAKO_OK && err)
            *err = op->err;
        if (rc != TAKO_OK || op->found[i].text[0])
            return rc;
    }
    rc = op->n_blobs_of[i] ? t->ops->put_blobs(t->store, blobs, op->n_blobs_of[i], err) : TAKO_OK;
    if (rc == TAKO_OK)
        rc = t->ops->insert(t->store, row, 1, &op->results[i], err);
    if (rc != TAKO_OK || op->results[i] != TAKO_ECONFLICT || !row->key)
        return rc;
    /* Another process was faster, between our look and our insert. */
    rc = tako__key_holder(t, row, op->fingerprints[i], &op->found[i], &op->err);
    if (rc == TAKO_ECONFLICT) {
        op->rc = rc;
        return PUMP_AGAIN;
    }
    if (rc == TAKO_OK && op->found[i].text[0])
        op->results[i] = TAKO_OK;
    return rc;
}

static int pump_write_rows(tako *t, struct tako__op *op, tako_error *err)
{
    const tako_blob *blobs = op->blobs;
    size_t i;
    int rc = TAKO_OK;

    if (!op->keyed) {
        for (i = 0; i < op->n_rows; i++)
            op->found[i].text[0] = '\0';
        rc = op->n_blobs ? t->ops->put_blobs(t->store, op->blobs, op->n_blobs, err) : TAKO_OK;
        return rc == TAKO_OK ? t->ops->insert(t->store, op->rows, op->n_rows, op->results, err)
                             : rc;
    }
    for (i = 0; rc == TAKO_OK && i < op->n_rows; i++) {
        op->results[i] = TAKO_OK;
        rc = pump_write_row(t, op, i, blobs, err);
        blobs += op->n_blobs_of[i];
    }
    return rc;
}

/* A dead letter that is retried goes with the insert of the new job. */
static int pump_drop_dead(tako *t, struct tako__op *op, tako_error *err)
{
    int result = TAKO_EINTERNAL, rc;

    rc = t->ops->drop_dead(t->store, &op->drop_dead, 1, &result, err);
    if (rc == TAKO_OK && result != TAKO_OK) {
        op->rc = tako__fail(&op->err, result, "there is no dead letter %lld",
                            (long long)op->drop_dead);
        return PUMP_SKIP;
    }
    return rc;
}

static int pump_write_submit(tako *t, struct pump_batch *b, struct tako__op *op, tako_error *err)
{
    size_t i;
    int rc = TAKO_OK;

    if (op->drop_dead)
        rc = pump_drop_dead(t, op, err);
    for (i = 0; rc == TAKO_OK && i < op->n_rows; i++)
        if (op->versions[i])
            rc = tako__version_store(t, op->versions[i], &b->wrote, err);
    if (rc == TAKO_OK)
        rc = pump_write_rows(t, op, err);
    for (i = 0; rc == TAKO_OK && i < op->n_rows; i++) {
        if (op->results[i] == TAKO_OK) {
            b->wrote = b->wrote || !op->found[i].text[0];
            continue;
        }
        /* All or none: what was inserted of this op goes with the whole transaction. */
        if (op->results[i] == TAKO_ENOTFOUND)
            op->rc = tako__fail(&op->err, TAKO_ENOTFOUND,
                                "what job %s was to run is not in the store any more",
                                op->rows[i].parent ? op->rows[i].parent : op->rows[i].id);
        else
            op->rc = tako__fail(&op->err, op->results[i], "the store refused job %s",
                                op->rows[i].id);
        return PUMP_AGAIN;
    }
    return rc == PUMP_SKIP ? TAKO_OK : rc;
}

static int pump_write_submits(tako *t, struct pump_batch *b, tako_error *err)
{
    struct tako__op *op;
    int rc = TAKO_OK;

    for (op = b->ops; rc == TAKO_OK && op; op = op->next) {
        if (op->rc != TAKO_OK)
            continue;
        if (op->kind == TAKO__OP_SUBMIT)
            rc = pump_write_submit(t, b, op, err);
        else if (op->kind == TAKO__OP_DROP_DEAD)
            rc = pump_drop_dead(t, op, err);
        else if (op->kind == TAKO__OP_VERSION)
            rc = t->ops->put_version(t->store, op->version, err);
        if (op->kind == TAKO__OP_DROP_DEAD && rc == PUMP_SKIP)
            rc = TAKO_OK;
        else if (op->kind == TAKO__OP_DROP_DEAD || op->kind == TAKO__OP_VERSION)
            b->wrote = true;
    }
    return rc;
}

static int pump_write_ends(tako *t, struct pump_batch *b, tako_error *err)
{
    struct tako__run *run;
    size_t n = 0, i;
    int rc;

    for (run = b->ended; run; run = run->next, n++) {
        tako_finish *f = &b->finishes[n];
        bool ends = run->status != TAKO_QUEUED;

        if (run->n_blobs) {
            rc = t->ops->put_blobs(t->store, run->blobs, run->n_blobs, err);
            if (rc != TAKO_OK)
                return rc;
        }
        memset(f, 0, sizeof *f);
        f->size = sizeof *f;
        f->id = run->id;
        f->attempt = run->attempt;
        f->node = t->node.text;
        f->status = run->status;
        f->deaths = run->deaths;
        f->run_at_us = run->run_at_us;
        f->started_us = ends ? run->started_us : 0;
        f->ended_us = ends ? run->ended_us : 0;
        f->failures = run->failures;
        f->result = run->result.len ? run->result.data : NULL;
        f->result_len = run->result.len;
        f->refs = run->refs;
        f->n_refs = run->n_refs;
        f->dead = run->letter.dead.error_type ? &run->letter.dead : NULL;
    }
    if (n == 0)
        return TAKO_OK;
    rc = t->ops->finish(t->store, b->finishes, n, b->results, err);
    for (i = 0; rc == TAKO_OK && i < n; i++)
        b->wrote = b->wrote || b->results[i] == TAKO_OK;
    return rc;
}

static int pump_write_cancels(tako *t, struct pump_batch *b, tako_error *err)
{
    struct tako__op *op;
    int rc, result;

    for (op = b->ops; op; op = op->next) {
        if (op->kind != TAKO__OP_CANCEL)
            continue;
        result = TAKO_EINTERNAL;
        rc = t->ops->cancel(t->store, &op->cancel, 1, &result, err);
        if (rc != TAKO_OK)
            return rc;
        op->rc = TAKO_OK;
        if (result == TAKO_ENOTFOUND)
            op->rc = tako__fail(&op->err, result, "there is no job %s", op->cancel.id);
        else if (result != TAKO_OK)
            op->rc = tako__fail(&op->err, result, "job %s cannot be cancelled: it is %s already",
                                op->cancel.id, tako_status_name(op->cancel.was));
        else
            b->wrote = true;
    }
    return TAKO_OK;
}

static int pump_claimed_row(void *ctx, const tako_row *row)
{
    struct pump_batch *b = ctx;
    const struct tako__type *type;
    struct tako__run *run = NULL;
    int rc;

    for (type = b->t->pump.types_head; type; type = type->next)
        if (strcmp(type->name, row->type) == 0)
            break;
    if (!type)
        return TAKO_EINTERNAL; /* a store that lends what was not asked for */
    rc = tako__run_make(&run, b->t, row, type);
    if (rc != TAKO_OK)
        return rc;
    *b->claimed_end = run;
    b->claimed_end = &run->next;
    b->n_claimed++;
    return 0;
}

/* Nobody renews the lease while tako_step runs a job: it must last as long as the job may. */
static int64_t pump_step_lease(tako *t, struct pump_batch *b)
{
    tako_record *rec = NULL;
    int64_t more = 0;

    if (t->workers == 0 && b->claimed &&
        tako__record_make(&rec, &t->host, &b->claimed->row, NULL) == TAKO_OK)
        more = tako_record_timeout_ms(rec) * 1000;
    tako_record_free(rec);
    return more;
}

static int pump_write_claim(tako *t, struct pump_batch *b, tako_error *err)
{
    tako_claim what;
    tako_node node;
    int64_t more;
    int rc;

    memset(&what, 0, sizeof what);
    what.size = sizeof what;
    what.node = t->node.text;
    what.types = t->pump.types;
    what.limit = b->claim;
    what.now_us = b->now_us;
    if (b->claim) {
        rc = t->ops->claim(t->store, &what, pump_claimed_row, b, err);
        if (rc != TAKO_OK)
            return rc;
        b->claim_short = b->n_claimed < b->claim;
    }
    if (b->prefetch && !b->claim_short) {
        what.types = pump_handler_types(t);
        what.limit = b->prefetch;
        rc = what.types[0] ? t->ops->claim(t->store, &what, pump_claimed_row, b, err) : TAKO_OK;
        if (rc != TAKO_OK)
            return rc;
        b->prefetch_short = b->n_claimed < b->claim + b->prefetch;
    }
    if (b->n_claimed)
        b->wrote = true;
    more = pump_step_lease(t, b);
    if (b->renew ||
        (b->n_claimed && b->now_us >= t->pump.lease_until_us - t->lease_us * 2 / 3 - more)) {
        memset(&node, 0, sizeof node);
        node.size = sizeof node;
        node.id = t->node.text;
        node.identity = t->identity;
        node.expires_us = b->now_us + t->lease_us + more;
        rc = t->ops->put_node(t->store, &node, err);
        if (rc != TAKO_OK)
            return rc;
        b->renew = true;
        b->more_lease_us = more;
        b->wrote = true;
    }
    return TAKO_OK;
}

static void pump_drop_claimed(tako *t, struct pump_batch *b)
{
    struct tako__run *run;

    while ((run = b->claimed) != NULL) {
        b->claimed = run->next;
        tako__run_free(t, run);
    }
    b->claimed_end = &b->claimed;
    b->n_claimed = 0;
}

static int pump_transact(tako *t, struct pump_batch *b, tako_error *err)
{
    int64_t began = tako__mono_us(), took;
    int rc;

    b->wrote = false;
    rc = t->ops->begin(t->store, err);
    if (rc != TAKO_OK)
        return rc;
    rc = pump_write_submits(t, b, err);
    if (rc == TAKO_OK)
        rc = pump_write_ends(t, b, err);
    if (rc == TAKO_OK)
        rc = pump_write_cancels(t, b, err);
    if (rc == TAKO_OK)
        rc = pump_write_claim(t, b, err);
    if (rc != TAKO_OK || !b->wrote)
        t->ops->rollback(t->store);
    else
        rc = t->ops->commit(t->store, err);
    if (rc != TAKO_OK || !b->wrote)
        pump_drop_claimed(t, b);
    if (rc == TAKO_OK && (b->n_ended || b->claim || b->prefetch || b->renew))
        t->pump.failures = 0;
    if (rc != TAKO_OK || !b->wrote)
        return rc;
    if (b->renew) {
        t->pump.lease_until_us = b->now_us + t->lease_us + b->more_lease_us;
        t->pump.look_cancels = true;
    }
    took = tako__mono_us() - began;
    pthread_mutex_lock(&t->lock);
    t->pump.careful -= t->pump.careful > 0;
    t->pump.commit_us += (took - t->pump.commit_us) / 4;
    t->stats.commits++;
    pthread_mutex_unlock(&t->lock);
    return TAKO_OK;
}

/* ---- after the transaction ------------------------------------------------------------------- */

static void pump_note(struct pump_batch *b, const char *id, const char *type, tako_status status,
                      int attempt, int64_t at_us)
{
    struct pump_event *e;

    if (b->n_events >= b->event_room)
        return;
    e = &b->events[b->n_events++];
    (void)snprintf(e->id, sizeof e->id, "%s", id);
    (void)snprintf(e->type, sizeof e->type, "%s", type);
    e->status = status;
    e->attempt = attempt;
    e->at_us = at_us;
}

void tako__event_send(tako *t, const char *id, const char *type, tako_status status, int attempt,
                      int64_t at_us)
{
    tako_event event;

    if (!t->on_event)
        return;
    memset(&event, 0, sizeof event);
    event.size = sizeof event;
    event.id = id;
    event.type = type;
    event.status = status;
    event.attempt = attempt;
    event.at_us = at_us;
    pthread_mutex_lock(&t->lock);
    t->event_thread = pthread_self();
    t->has_event_thread = true;
    pthread_mutex_unlock(&t->lock);
    t->on_event(t->event_ctx, &event);
    pthread_mutex_lock(&t->lock);
    t->has_event_thread = false;
    pthread_mutex_unlock(&t->lock);
}

/* A queued job may be claimable from run_at_us on. */
static void pump_due_locked(tako *t, int64_t run_at_us, int64_t now_us)
{
    t->pump.prefetch_dry = false;
    if (run_at_us <= now_us)
        t->claim_due = true;
    else if (run_at_us < t->next_due_us)
        t->next_due_us = run_at_us;
}

static void pump_settle_op_locked(tako *t, struct pump_batch *b, struct tako__op *op)
{
    struct tako__run *run;
    size_t i;

    if (op->kind == TAKO__OP_SUBMIT) {
        t->reserved -= (int64_t)op->n_rows;
        if (op->rc != TAKO_OK)
            return;
        for (i = 0; i < op->n_rows; i++) {
            if (op->found[i].text[0])
                continue;
            t->stats.submitted++;
            t->queued++;
            if (op->rows[i].run_at_us > b->now_us)
                pump_due_locked(t, op->rows[i].run_at_us, b->now_us);
            pump_note(b, op->rows[i].id, op->rows[i].type, TAKO_QUEUED, 0, op->rows[i].created_us);
        }
        return;
    }
    if (op->rc != TAKO_OK || op->kind != TAKO__OP_CANCEL)
        return;
    if (op->cancel.was == TAKO_QUEUED) {
        t->queued--;
        pump_note(b, op->cancel.id, op->type, TAKO_CANCELLED, op->attempt, op->cancel.now_us);
        tako__waiters_wake_locked(t, op->cancel.id);
        return;
    }
    for (run = t->runs; run; run = run->next_all)
        if (strcmp(run->id, op->cancel.id) == 0)
            tako__run_stop_locked(run, TAKO__STOP_CANCEL);
}

static void pump_settle_ends_locked(tako *t, struct pump_batch *b)
{
    struct tako__run *run;
    size_t n = 0;

    for (run = b->ended; run; run = run->next, n++) {
        tako__pump_unhold_locked(t, run);
        if (b->results[n] != TAKO_OK)
            continue;
        if (run->status == TAKO_QUEUED) {
            t->queued++;
            pump_due_locked(t, run->run_at_us, b->now_us);
        } else {
            t->stats.finished++;
            tako__waiters_wake_locked(t, run->id);
        }
        pump_note(b, run->id, run->row.type, run->status, run->attempt,
                  run->status == TAKO_QUEUED ? b->now_us : run->ended_us);
    }
    if (t->pump.trouble && n) {
        t->pump.retry_mono = 0;
        if (!t->ended)
            t->pump.trouble = 0;
    }
}

/* The store had no more for the job types that it was asked for; one may have come meanwhile. */
static void pump_none_left_locked(tako *t)
{
    if (t->types == t->pump.types_head)
        t->claim_due = false;
}

static void pump_settle_claimed_locked(tako *t, struct pump_batch *b)
{
    struct tako__run *run, *next;

    for (run = b->claimed; run; run = next) {
        next = run->next;
        run->next = NULL;
        pump_hold_locked(t, run);
        pump_note(b, run->id, run->row.type, TAKO_RUNNING, run->attempt, b->now_us);
        *t->ready_end = run;
        t->ready_end = &run->next;
        t->n_ready++;
    }
    t->stats.claimed += (int64_t)b->n_claimed;
    t->queued -= (int64_t)b->n_claimed;
    if (t->n_idle && b->n_claimed) {
        if (b->n_claimed >= (size_t)t->n_idle)
            pthread_cond_broadcast(&t->work);
        else
            for (; b->n_claimed; b->n_claimed--)
                pthread_cond_signal(&t->work);
    }
    b->claimed = NULL;
    if (b->claim_short)
        pump_none_left_locked(t);
    if (b->prefetch_short)
        t->pump.prefetch_dry = true;
}

/* Tells the callers; their ops are gone afterwards. */
static void pump_answer(tako *t, struct pump_batch *b)
{
    struct tako__op *op, *next;

    for (op = b->ops; op; op = next) {
        next = op->next;
        atomic_store_explicit(&op->done, 1, memory_order_release);
    }
    if (b->ops)
        tako__word_wake(b->word, INT_MAX);
    b->ops = NULL;
    t->pump.last_acked = b->n_ops;
}

static void pump_settle(tako *t, struct pump_batch *b)
{
    struct tako__op *op;

    pthread_mutex_lock(&t->lock); /* in the order of the transaction, and so are the events */
    for (op = b->ops; op; op = op->next)
        if (op->kind == TAKO__OP_SUBMIT)
            pump_settle_op_locked(t, b, op);
    pump_settle_ends_locked(t, b);
    for (op = b->ops; op; op = op->next)
        if (op->kind == TAKO__OP_CANCEL)
            pump_settle_op_locked(t, b, op);
    pump_settle_claimed_locked(t, b);
    if (b->n_ended)
        pthread_cond_broadcast(&t->turn);
    pthread_mutex_unlock(&t->lock);
}

/* Puts the ended runs back and waits longer each time. */
static void pump_put_back(tako *t, struct pump_batch *b, int rc, const tako_error *why)
{
    struct tako__run *run, *next;
    int64_t pause;

    if (b->n_ended)
        tako__log(&t->host, TAKO_LOG_WARN, "pump",
                  "%zu results could not be written (%d), will be "
                  "tried again: %s",
                  b->n_ended, rc, why->message);
    pthread_mutex_lock(&t->lock);
    for (run = b->ended; run; run = next) {
        next = run->next;
        run->next = NULL;
        *t->ended_end = run;
        t->ended_end = &run->next;
        t->n_ended++;
    }
    if (b->n_ended || b->claim || b->prefetch || b->renew) {
        pause = PUMP_RETRY_MIN_US;
        pause <<= t->pump.failures < 7 ? t->pump.failures : 7;
        t->pump.failures++;
        t->pump.trouble++;
        t->pump.careful = PUMP_CAREFUL;
        t->pump.retry_mono = tako__mono_us() +
                             (pause < PUMP_RETRY_MAX_US ? pause : PUMP_RETRY_MAX_US);
    }
    pthread_cond_broadcast(&t->turn);
    pthread_mutex_unlock(&t->lock);
    b->ended = NULL;
    b->n_ended = 0;
    b->claim = b->prefetch = 0;
    b->claim_short = b->prefetch_short = b->renew = false;
}

static void pump_fail_ops(struct pump_batch *b, int rc, const tako_error *why)
{
    struct tako__op *op;

    for (op = b->ops; op; op = op->next) {
        if (op->kind != TAKO__OP_CANCEL && op->rc != TAKO_OK)
            continue;
        op->rc = rc;
        op->err = *why;
        (void)tako__context(&op->err, rc, "nothing was written");
    }
}

/* When the next delayed job is due, after a claim that found nothing more. */
static void pump_learn_due(tako *t, int64_t now_us)
{
    int64_t due = INT64_MAX;
    tako_error err;

    if (t->ops->next_due(t->store, t->pump.types, &due, &err) != TAKO_OK) {
        tako__log(&t->host, TAKO_LOG_WARN, "pump", "looking for delayed jobs: %s", err.message);
        due = now_us + TAKO__SAFETY_US;
    }
    if (due <= now_us)
        due = now_us + PUMP_RETRY_MIN_US; /* the claim did not see it: do not spin */
    pthread_mutex_lock(&t->lock);
    t->next_due_us = due;
    pthread_mutex_unlock(&t->lock);
}

/* A claim for nothing would take the store's write lock: look first when there is nothing else. */
static void pump_look_before_claim(tako *t, struct pump_batch *b)
{
    int64_t due = INT64_MAX;

    if (!(b->claim || b->prefetch) || b->ops || b->ended || b->renew)
        return;
    if (t->ops->next_due(t->store, t->pump.types, &due, NULL) != TAKO_OK || due <= b->now_us)
        return;
    b->claim = b->prefetch = 0;
    pthread_mutex_lock(&t->lock);
    pump_none_left_locked(t);
    t->next_due_us = due;
    pthread_mutex_unlock(&t->lock);
}

static void pump_release_batch(tako *t, struct pump_batch *b)
{
    struct tako__run *run;
    size_t i, n = 0;

    for (i = 0; i < b->n_events; i++)
        tako__event_send(t, b->events[i].id, b->events[i].type, b->events[i].status,
                         b->events[i].attempt, b->events[i].at_us);
    while ((run = b->ended) != NULL) {
        b->ended = run->next;
        if (b->results[n++] != TAKO_OK)
            tako__log(&t->host, TAKO_LOG_WARN, "pump",
                      "the end of job %s, attempt %d, was refused: this node's lease was over and "
                      "another node has the job",
                      run->id, run->attempt);
        tako__run_free(t, run);
    }
    tako__free(&t->host, b->events);
    tako__free(&t->host, b->finishes);
    tako__free(&t->host, b->results);
}

int tako__pump_cycle(tako *t, int claim, tako_error *err)
{
    struct pump_batch b;
    tako_error why;
    bool had_ops;
    int rc;

    memset(&why, 0, sizeof why);
    if (t->pump.foreign_due_us <= tako__now_us(&t->host))
        (void)tako__keeper_recover(t, NULL);
    pump_collect(t, &b, claim);
    pump_end_cancelled(t, &b);
    rc = b.claim_rc;
    pump_look_before_claim(t, &b);
    if (rc != TAKO_OK) { /* no memory for the names to claim: later, like a claim that failed */
        b.claim = 1;
        rc = tako__nomem(&why);
    } else if (!(b.ops || b.ended || b.claim || b.prefetch || b.renew)) {
        return TAKO_OK;
    } else {
        rc = pump_reserve(t, &b, &why);
    }
    had_ops = b.ops != NULL;
    do
        rc = rc < 0 ? rc : pump_transact(t, &b, &why);
    while (rc == PUMP_AGAIN);
    if (rc != TAKO_OK) {
        if (!why.message[0]) /* it came from a callback of ours, through the store */
            (void)tako__fail(&why, rc, "%s", tako_strerror(rc));
        if (err)
            *err = why;
        if (!(b.ended || b.claim || b.prefetch || b.renew)) {
            pump_fail_ops(&b, rc, &why);
        } else {
            pump_put_back(t, &b, rc, &why);
            /* What callers want may be sound: once more, without the rest. */
            while (b.ops && (rc = pump_transact(t, &b, &why)) == PUMP_AGAIN)
                ;
            if (had_ops && rc != TAKO_OK)
                pump_fail_ops(&b, rc, &why);
        }
    }
    pump_settle(t, &b);
    pump_answer(t, &b);
    if (b.claim_short)
        pump_learn_due(t, b.now_us);
    pump_release_batch(t, &b);
    return rc;
}
