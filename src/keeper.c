/* keeper.c - what time and other nodes bring: jobs of dead nodes are taken back, cancels and
 * endings by other nodes are noticed, prefetched jobs that nobody came to are handed back, and
 * how long the pump may sleep.
 *
 * Everything here runs in the thread that holds the pump role, so nothing wakes an idle engine.
 *
 * SPDX-License-Identifier: MIT */
#include "env.h"

#include <stdio.h>
#include <string.h>

#define KEEPER_PURGE_STEP 100               /* rows, and dead letters, of one step */
#define KEEPER_PURGE_PAUSE_US 100000        /* between steps */
#define KEEPER_PURGE_US INT64_C(3600000000) /* between looks */

struct keeper_node {
    struct keeper_node *next;
    char id[65];
};

struct keeper_job {
    struct keeper_job *next;
    char id[65], type[65];
    int attempt, deaths;
    bool cancelled;
    int64_t run_at_us, started_us;
    tako_status status;
    struct tako__buf result; /* or a note */
    int failures;
    struct tako__letter letter;
};

struct keeper_scan {
    tako *t;
    int64_t now_us, due_us;
    struct keeper_node *dead;
    struct keeper_job *jobs;
    size_t n_jobs;
};

/* ---- recovery -------------------------------------------------------------------------------- */

static int keeper_saw_node(void *ctx, const tako_node *node)
{
    struct keeper_scan *s = ctx;
    struct keeper_node *dead;

    if (strcmp(node->id, s->t->node.text) == 0)
        return 0;
    if (node->expires_us >= s->now_us && tako__identity_alive(node->identity) != 0) {
        if (node->expires_us + 1 < s->due_us)
            s->due_us = node->expires_us + 1;
        return 0;
    }
    if (strlen(node->id) >= sizeof dead->id)
        return TAKO_ESTORE;
    dead = tako__alloc(&s->t->host, sizeof *dead);
    if (!dead)
        return TAKO_ENOMEM;
    memcpy(dead->id, node->id, strlen(node->id) + 1);
    dead->next = s->dead;
    s->dead = dead;
    return 0;
}

static int keeper_saw_job(void *ctx, const tako_row *row)
{
    struct keeper_scan *s = ctx;
    struct tako__note note;
    struct keeper_job *job;
    char message[64];

    if (strlen(row->id) >= sizeof job->id || strlen(row->type) >= sizeof job->type)
        return TAKO_ESTORE;
    job = tako__alloc(&s->t->host, sizeof *job);
    if (!job)
        return TAKO_ENOMEM;
    job->next = s->jobs;
    s->jobs = job;
    s->n_jobs++;
    memcpy(job->id, row->id, strlen(row->id) + 1);
    memcpy(job->type, row->type, strlen(row->type) + 1);
    job->attempt = row->attempt;
    job->deaths = row->deaths + 1;
    job->failures = row->failures;
    job->run_at_us = row->run_at_us;
    job->started_us = row->started_us;
    tako__buf_init(&job->result, &s->t->host);
    if (row->cancel_requested) {
        job->status = TAKO_CANCELLED;
        tako__result_unrun(&job->result, TAKO_VERDICT_LOST, "cancelled",
                           "Job was cancelled; the node that ran it is dead");
    } else if (job->deaths >= s->t->max_deaths) {
        job->status = TAKO_FAILED;
        (void)snprintf(message, sizeof message, "job was running at %d node deaths", job->deaths);
        tako__result_unrun(&job->result, TAKO_VERDICT_LOST, "interrupted", message);
        tako__letter_write(&job->letter, &s->t->host, row, "interrupted", message, s->now_us);
    } else {
        job->status = TAKO_QUEUED;
        note.attempt = row->attempt;
        note.node = row->node;
        note.started_us = row->started_us;
        note.at_us = s->now_us;
        note.cause = "the node that ran it died";
        tako__note_print(&job->result, &note);
    }
    return job->result.failed ? TAKO_ENOMEM : 0;
}

/* Moves the rows of one dead node, inside the transaction. */
static int keeper_take_back(tako *t, struct keeper_scan *s, const char *node, tako_error *err)
{
    tako_finish *items = NULL;
    struct keeper_job *job, *stop = s->jobs;
    size_t before = s->n_jobs, n = 0;
    int *results = NULL;
    int rc;

    rc = t->ops->held(t->store, node, keeper_saw_job, s, err);
    if (rc != TAKO_OK)
        return rc == TAKO_ENOMEM ? tako__nomem(err) : rc;
    if (s->n_jobs > before) {
        items = tako__array(&t->host, s->n_jobs - before, sizeof *items);
        results = tako__array(&t->host, s->n_jobs - before, sizeof *results);
        if (!items || !results) {
            rc = tako__nomem(err);
            goto out;
        }
    }
    for (job = s->jobs; job != stop; job = job->next, n++) {
        bool ends = job->status != TAKO_QUEUED;

        items[n].size = sizeof items[n];
        items[n].id = job->id;
        items[n].attempt = job->attempt;
        items[n].node = node;
        items[n].status = job->status;
        items[n].deaths = job->deaths;
        items[n].run_at_us = job->run_at_us;
        items[n].started_us = ends ? job->started_us : 0;
        items[n].ended_us = ends ? s->now_us : 0;
        items[n].failures = job->failures;
        items[n].result = job->result.data;
        items[n].result_len = job->result.len;
        items[n].dead = job->letter.dead.error_type ? &job->letter.dead : NULL;
    }
    if (n)
        rc = t->ops->finish(t->store, items, n, results, err);
    if (rc == TAKO_OK)
        rc = t->ops->remove_node(t->store, node, err);
out:
    tako__free(&t->host, items);
    tako__free(&t->host, results);
    return rc;
}

static void keeper_scan_nodes_free(struct keeper_scan *s)
{
    struct keeper_node *dead;

    while ((dead = s->dead) != NULL) {
        s->dead = dead->next;
        tako__free(&s->t->host, dead);
    }
}

static void keeper_announce(tako *t, struct keeper_scan *s)
{
    struct keeper_job *job;

    pthread_mutex_lock(&t->lock);
    t->stats.commits++;
    for (job = s->jobs; job; job = job->next) {
        if (job->status == TAKO_QUEUED)
            t->queued++;
        else
            tako__waiters_wake_locked(t, job->id);
    }
    t->claim_due = true;
    t->pump.prefetch_dry = false;
    pthread_mutex_unlock(&t->lock);
    for (job = s->jobs; job; job = job->next) {
        tako__log(&t->host, TAKO_LOG_WARN, "keeper", "job %s was running on a dead node: %s",
                  job->id,
                  job->status == TAKO_QUEUED ? "queued again" : tako_status_name(job->status));
        tako__event_send(t, job->id, job->type, job->status, job->attempt, s->now_us);
    }
}

/* The nodes are read once without a transaction, because mostly nobody is dead, and once more
 * inside it, because a node may have renewed its lease in between. */
int tako__keeper_recover(tako *t, tako_error *err)
{
    struct keeper_scan s;
    struct keeper_node *node;
    struct keeper_job *job;
    tako_error why;
    int rc;

    memset(&s, 0, sizeof s);
    memset(&why, 0, sizeof why);
    s.t = t;
    s.now_us = tako__now_us(&t->host);
    s.due_us = INT64_MAX;
    t->pump.recovered_mono = tako__mono_us();
    rc = t->ops->nodes(t->store, keeper_saw_node, &s, &why);
    if (rc != TAKO_OK || !s.dead)
        goto out;
    keeper_scan_nodes_free(&s);
    rc = t->ops->begin(t->store, &why);
    if (rc != TAKO_OK)
        goto out;
    s.due_us = INT64_MAX;
    rc = t->ops->nodes(t->store, keeper_saw_node, &s, &why);
    for (node = s.dead; rc == TAKO_OK && node; node = node->next)
        rc = keeper_take_back(t, &s, node->id, &why);
    if (rc != TAKO_OK)
        t->ops->rollback(t->store);
    else
        rc = t->ops->commit(t->store, &why);
    if (rc == TAKO_OK)
        keeper_announce(t, &s);
out:
    t->pump.foreign_due_us = rc == TAKO_OK ? s.due_us : s.now_us + TAKO__SAFETY_US;
    if (rc != TAKO_OK) {
        if (rc == TAKO_ENOMEM)
            (void)tako__nomem(&why);
        (void)tako__context(&why, rc, "taking back the jobs of dead nodes");
        tako__log(&t->host, TAKO_LOG_WARN, "keeper", "%s", why.message);
        if (err)
            *err = why;
    }
    keeper_scan_nodes_free(&s);
    while ((job = s.jobs) != NULL) {
        s.jobs = job->next;
        tako__buf_free(&job->result);
        tako__letter_drop(&job->letter);
        tako__free(&t->host, job);
    }
    return rc;
}

/* ---- other nodes ----------------------------------------------------------------------------- */

static int keeper_saw_cancel(void *ctx, const tako_row *row)
{
    tako *t = ctx;
    struct tako__run *run;

    pthread_mutex_lock(&t->lock);
    for (run = t->runs; run; run = run->next_all)
        if (strcmp(run->id, row->id) == 0 && run->why != TAKO__STOP_CANCEL)
            tako__run_stop_locked(run, TAKO__STOP_CANCEL);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

void tako__keeper_cancels(tako *t)
{
    tako_error err;

    if (!t->pump.look_cancels)
        return;
    t->pump.look_cancels = false;
    if (t->ops->cancel_requests(t->store, t->node.text, keeper_saw_cancel, t, &err) != TAKO_OK) {
        t->pump.look_cancels = true; /* with the next cycle */
        tako__log(&t->host, TAKO_LOG_WARN, "keeper", "looking for cancels: %s", err.message);
    }
}

static int keeper_saw_ended(void *ctx, const tako_row *row)
{
    tako *t = ctx;

    if (!tako_status_terminal(row->status))
        return 0;
    pthread_mutex_lock(&t->lock);
    tako__waiters_wake_locked(t, row->id);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

void tako__keeper_waiters(tako *t)
{
    struct tako__waiter *w;
    const char **ids;
    char(*texts)[65];
    size_t n = 0, room = 0;
    tako_error err;

    pthread_mutex_lock(&t->lock);
    for (w = t->waiters; w; w = w->next)
        room++;
    pthread_mutex_unlock(&t->lock);
    if (room == 0)
        return;
    ids = tako__array(&t->host, room, sizeof *ids);
    texts = tako__array(&t->host, room, sizeof *texts);
    pthread_mutex_lock(&t->lock);
    if (!ids || !texts)
        tako__waiters_wake_locked(t, NULL); /* let them look themselves */
    for (w = t->waiters; ids && texts && w && n < room; w = w->next) {
        (void)snprintf(texts[n], sizeof texts[n], "%s", w->id);
        ids[n] = texts[n];
        n++;
    }
    pthread_mutex_unlock(&t->lock);
    if (n && t->ops->get(t->store, ids, n, keeper_saw_ended, t, &err) != TAKO_OK)
        tako__log(&t->host, TAKO_LOG_WARN, "keeper", "looking for ended jobs: %s", err.message);
    tako__free(&t->host, ids);
    tako__free(&t->host, texts);
}

void tako__keeper_look(tako *t)
{
    int64_t mono = tako__mono_us(), now_us = tako__now_us(&t->host);

    t->pump.safety_mono = mono;
    pthread_mutex_lock(&t->lock);
    t->claim_due = true;
    t->pump.prefetch_dry = false;
    t->pump.look_cancels = t->n_runs > 0;
    pthread_mutex_unlock(&t->lock);
    tako__keeper_cancels(t);
    tako__keeper_waiters(t);
    /* A node that has just appeared may die: know when its lease ends. */
    if (mono - t->pump.recovered_mono >= TAKO__SAFETY_US)
        (void)tako__keeper_recover(t, NULL);
    else if (now_us + TAKO__SAFETY_US < t->pump.foreign_due_us)
        t->pump.foreign_due_us = now_us + TAKO__SAFETY_US;
}

/* ---- retention ------------------------------------------------------------------------------- */

struct keeper_purge {
    tako *t;
    tako_record **recs;
    tako_removal *items;
    const char ***refs; /* behind items */
    int64_t *dead;
    size_t n, n_dead, room;
    tako_error *err;
};

static int keeper_saw_expired(void *ctx, const tako_row *row)
{
    struct keeper_purge *p = ctx;
    tako_removal *item;
    tako_error why;
    int rc;

    if (p->n == p->room)
        return TAKO_ESTORE; /* more than asked for */
    rc = tako__record_make(&p->recs[p->n], &p->t->host, row, &why);
    if (rc == TAKO_ESTORE) { /* what it refers to cannot be told: it stays, and the others go */
        tako__log(&p->t->host, TAKO_LOG_WARN, "keeper", "an old record is kept: %s", why.message);
        return 0;
    }
    if (rc != TAKO_OK)
        return rc;
    item = &p->items[p->n];
    rc = tako__record_refs(p->recs[p->n], &p->refs[p->n], &item->n_refs, p->err);
    item->size = sizeof *item;
    item->id = tako_record_id(p->recs[p->n]);
    item->refs = p->refs[p->n];
    p->n++;
    return rc;
}

static int keeper_saw_old_dead(void *ctx, const tako_dead *dead)
{
    struct keeper_purge *p = ctx;

    if (p->n_dead == p->room)
        return TAKO_ESTORE;
    p->dead[p->n_dead++] = dead->id;
    return 0;
}

/* What is to go is read first; what became of it meanwhile is told by the results. */
static int keeper_purge(struct keeper_purge *p, tako_error *err)
{
    tako_dead_filter filter = TAKO_DEAD_FILTER_INIT;
    tako *t = p->t;
    int64_t now_us = tako__now_us(&t->host);
    int *results, rc = TAKO_OK, count = 0;
    size_t i;

    filter.limit = (int)p->room;
    if (t->opts.dead_ttl_ms)
        rc = t->ops->list_dead(t->store, &filter, now_us - t->opts.dead_ttl_ms * 1000,
                               keeper_saw_old_dead, p, err);
    if (rc == TAKO_OK && t->opts.record_ttl_ms)
        rc = t->ops->expired(t->store, now_us - t->opts.record_ttl_ms * 1000, p->room,
                             keeper_saw_expired, p, err);
    if (rc != TAKO_OK || p->n + p->n_dead == 0)
        return rc;
    results = tako__array(&t->host, p->n + p->n_dead, sizeof *results);
    if (!results)
        return tako__nomem(err);
    rc = t->ops->begin(t->store, err);
    if (rc == TAKO_OK) {
        if (p->n_dead)
            rc = t->ops->drop_dead(t->store, p->dead, p->n_dead, results, err);
        if (rc == TAKO_OK && p->n)
            rc = t->ops->purge(t->store, p->items, p->n, results + p->n_dead, err);
        if (rc == TAKO_OK)
            rc = t->ops->commit(t->store, err);
        else
            t->ops->rollback(t->store);
    }
    for (i = 0; rc == TAKO_OK && i < p->n + p->n_dead; i++)
        count += results[i] == TAKO_OK;
    tako__free(&t->host, results);
    return rc == TAKO_OK ? count : rc;
}

int tako__keeper_purge(tako *t, int limit, tako_error *err)
{
    struct keeper_purge p;
    size_t i;
    int rc;

    memset(&p, 0, sizeof p);
    p.t = t;
    p.room = (size_t)limit;
    p.err = err;
    p.recs = tako__array(&t->host, p.room, sizeof(tako_record *));
    p.items = tako__array(&t->host, p.room, sizeof *p.items);
    p.refs = tako__array(&t->host, p.room, sizeof *p.refs);
    p.dead = tako__array(&t->host, p.room, sizeof *p.dead);
    if (p.recs && p.items && p.refs && p.dead)
        rc = keeper_purge(&p, err);
    else
        rc = tako__nomem(err);
    if (rc == TAKO_ENOMEM)
        (void)tako__nomem(err);
    for (i = 0; i < p.n; i++) {
        tako__free(&t->host, p.refs[i]);
        tako_record_free(p.recs[i]);
    }
    tako__free(&t->host, p.recs);
    tako__free(&t->host, p.items);
    tako__free(&t->host, p.refs);
    tako__free(&t->host, p.dead);
    return rc;
}

static bool keeper_retains(const tako *t)
{
    return t->opts.record_ttl_ms || t->opts.dead_ttl_ms || t->data_dir;
}

void tako__keeper_retain(tako *t)
{
    int64_t mono = tako__mono_us();
    tako_error err;
    int gone;

    if (mono < t->pump.purge_mono || !keeper_retains(t))
        return;
    memset(&err, 0, sizeof err);
    gone = tako__keeper_purge(t, KEEPER_PURGE_STEP, &err);
    if (gone < 0)
        tako__log(&t->host, TAKO_LOG_WARN, "keeper", "removing old records: %s", err.message);
    else if (gone > 0)
        tako__log(&t->host, TAKO_LOG_INFO, "keeper", "%d old records and dead letters removed",
                  gone);
    if (gone <= 0 && t->workers == 0)
        tako__env_sweep(t);
    if (gone <= 0 &&
        t->workers > 0) { /* removing trees takes long: not while others wait to write */
        pthread_mutex_lock(&t->lock);
        t->sweep_due = true;
        pthread_cond_signal(&t->work);
        pthread_mutex_unlock(&t->lock);
    }
    /* Step after step while there is something, with room for others in between. */
    t->pump.purge_mono = tako__mono_us() + (gone > 0 ? KEEPER_PURGE_PAUSE_US : KEEPER_PURGE_US);
}

/* ---- this node ------------------------------------------------------------------------------- */

void tako__keeper_unprefetch_locked(tako *t, int64_t now_us, int64_t now_mono, bool all)
{
    struct tako__run *run;

    if (!t->ready)
        return;
    if (!all) {
        if (t->n_idle || now_mono - t->ready->claimed_mono < TAKO__PREFETCH_STALE_US)
            return;
        t->handler_us = TAKO__PREFETCH_STALE_US; /* they are not short: no more in advance */
    }
    while ((run = t->ready) != NULL) {
        t->ready = run->next;
        tako__run_requeue(t, run, now_us, run->row.run_at_us, "no worker came to it");
        tako__pump_end_run_locked(t, run);
    }
    t->ready_end = &t->ready;
    t->n_ready = 0;
}

static void keeper_sooner(int64_t *best, int64_t in_us)
{
    if (in_us < 0)
        in_us = 0;
    if (*best < 0 || in_us < *best)
        *best = in_us;
}

int64_t tako__keeper_sleep_locked(tako *t, int64_t now_us, int64_t now_mono)
{
    int64_t best = -1;
    bool can_claim = t->phase == TAKO__STARTED && t->pump.n_types && t->crew_size > t->n_running &&
                     t->n_ready == 0 && t->workers > 0;

    if (t->intake || (t->ended && !t->pump.trouble) || t->pump_leave ||
        (can_claim && t->claim_due && !t->pump.trouble))
        return 0;
    /* Instants of the host's clock. */
    if (can_claim && t->next_due_us != INT64_MAX && !t->pump.trouble)
        keeper_sooner(&best, t->next_due_us - now_us);
    if (t->n_runs && !t->pump.trouble)
        keeper_sooner(&best, t->pump.lease_until_us - t->lease_us * 2 / 3 - now_us);
    if (t->pump.foreign_due_us != INT64_MAX)
        keeper_sooner(&best, t->pump.foreign_due_us - now_us);
    if (t->lent_clock && best > TAKO__SAFETY_US)
        best = TAKO__SAFETY_US;
    /* Instants of the monotonic clock. */
    if (t->pump.trouble)
        keeper_sooner(&best, t->pump.retry_mono - now_mono);
    if (t->has_pump_thread && keeper_retains(t))
        keeper_sooner(&best, t->pump.purge_mono - now_mono);
    if (t->ready)
        keeper_sooner(&best, t->ready->claimed_mono + TAKO__PREFETCH_STALE_US - now_mono);
    if (t->watch_fd < 0 && (t->waiters || t->n_runs || can_claim))
        keeper_sooner(&best, t->pump.safety_mono + TAKO__SAFETY_US - now_mono);
    return best;
}
