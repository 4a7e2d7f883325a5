/* lineage.c - what can be asked of jobs that are past: reruns and forks, the history of moves, dead
 * letters, and reading their files by range.
 *
 * What is lent to a caller was copied before, so that no lock of the store is held meanwhile.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINEAGE_PIECE \
    1048576 /* bytes that are lent at once: a store may have to count from the start */
#define LINEAGE_LIST_MAX 1000
#define LINEAGE_LIST_DEFAULT 100

/* ---- rerun and fork -------------------------------------------------------------------------- */

static int lineage_child(tako *t, const char *call, const char *id, const char *relationship,
                         const tako_job *changes, int64_t dead, tako_id *out, tako_error *err)
{
    static const tako_job none = TAKO_JOB_INIT;
    struct tako__parent parent;
    int rc;

    if (!out)
        return tako__fail(err, TAKO_EINVAL, "%s: out is NULL", call);
    rc = tako__check_id(call, id, err);
    if (rc != TAKO_OK)
        return rc;
    memset(&parent, 0, sizeof parent);
    parent.relationship = relationship;
    parent.dead = dead;
    rc = tako__row(t, id, &parent.rec, err);
    if (rc != TAKO_OK)
        return rc;
    if (strcmp(relationship, "rerun") == 0 && !tako_status_terminal(tako_record_status(parent.rec)))
        rc = tako__fail(err, TAKO_ESTATE,
                        "%s: job %s is %s; only a job that has ended can be run again", call, id,
                        tako_status_name(tako_record_status(parent.rec)));
    if (rc == TAKO_OK)
        rc = tako__submit(t, changes ? changes : &none, 1, false, &parent, out, err);
    tako_record_free(parent.rec);
    return rc;
}

int tako_rerun(tako *t, const char *id, const tako_job *changes, tako_id *out, tako_error *err)
{
    int rc = tako__enter(t, "tako_rerun", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    return rc == TAKO_OK ? lineage_child(t, "tako_rerun", id, "rerun", changes, 0, out, err) : rc;
}

int tako_fork(tako *t, const char *id, const tako_job *changes, tako_id *out, tako_error *err)
{
    int rc = tako__enter(t, "tako_fork", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    return rc == TAKO_OK ? lineage_child(t, "tako_fork", id, "fork", changes, 0, out, err) : rc;
}

/* ---- history --------------------------------------------------------------------------------- */

struct lineage_notes {
    const tako_host *host;
    struct tako__json **docs; /* in order */
    size_t count, room;
};

static int lineage_saw_note(void *ctx, const void *data, size_t len)
{
    struct lineage_notes *n = ctx;
    struct tako__json **more;
    tako_error why;

    if (n->count == n->room) {
        n->room = n->room ? n->room * 2 : 8;
        more = tako__resize(n->host, n->docs, n->room * sizeof *more);
        if (!more)
            return TAKO_ENOMEM;
        n->docs = more;
    }
    n->docs[n->count] = tako__json_parse(n->host, data, len, &why);
    if (!n->docs[n->count])
        return why.code;
    n->count++;
    return 0;
}

static int lineage_tell(tako_transition_fn *each, void *ctx, tako_status status, int64_t at_us,
                        int attempt, const char *node, const char *cause)
{
    tako_transition move;

    memset(&move, 0, sizeof move);
    move.size = sizeof move;
    move.status = status;
    move.at_us = at_us;
    move.attempt = attempt;
    move.node = node;
    move.cause = cause;
    return each(ctx, &move);
}

static int lineage_tell_all(const tako_record *rec, const struct lineage_notes *notes,
                            tako_transition_fn *each, void *ctx)
{
    const char *why = tako_record_error_message(rec), *node = tako_record_node(rec);
    tako_status status = tako_record_status(rec);
    size_t i;
    int rc;

    rc = lineage_tell(each, ctx, TAKO_QUEUED, tako_record_created_us(rec), 0, "", "");
    for (i = 0; rc == 0 && i < notes->count; i++) {
        const struct tako__json *doc = notes->docs[i];
        int attempt = (int)tako__json_int(doc, "attempt", 0);

        rc = lineage_tell(each, ctx, TAKO_RUNNING, tako__json_int(doc, "started_us", 0), attempt,
                          tako__json_str(doc, "node", ""), "");
        if (rc == 0)
            rc = lineage_tell(each, ctx, TAKO_QUEUED, tako__json_int(doc, "at_us", 0), attempt,
                              tako__json_str(doc, "node", ""), tako__json_str(doc, "cause", ""));
    }
    if (rc == 0 && status != TAKO_QUEUED && tako_record_started_us(rec) > 0)
        rc = lineage_tell(each, ctx, TAKO_RUNNING, tako_record_started_us(rec),
                          tako_record_attempt(rec), node, "");
    if (rc == 0 && tako_status_terminal(status))
        rc = lineage_tell(each, ctx, status, tako_record_ended_us(rec), tako_record_attempt(rec),
                          node, why ? why : "");
    return rc;
}

int tako_history(tako *t, const char *id, tako_transition_fn *each, void *ctx, tako_error *err)
{
    struct lineage_notes notes;
    tako_record *rec = NULL;
    size_t i;
    int rc = tako__enter(t, "tako_history", TAKO__ANYWHERE, err);

    if (rc == TAKO_OK && !each)
        rc = tako__fail(err, TAKO_EINVAL, "tako_history: each is NULL");
    if (rc == TAKO_OK)
        rc = tako__check_id("tako_history", id, err);
    if (rc == TAKO_OK)
        rc = tako__row(t, id, &rec, err);
    if (rc != TAKO_OK)
        return rc;
    memset(&notes, 0, sizeof notes);
    notes.host = &t->host;
    rc = t->ops->history(t->store, id, lineage_saw_note, &notes, err);
    if (rc == TAKO_ENOMEM)
        (void)tako__nomem(err);
    if (rc == TAKO_OK)
        rc = lineage_tell_all(rec, &notes, each, ctx);
    for (i = 0; i < notes.count; i++)
        tako__json_free(&t->host, notes.docs[i]);
    tako__free(&t->host, notes.docs);
    tako_record_free(rec);
    return rc;
}

/* ---- files by range -------------------------------------------------------------------------- */

struct lineage_piece {
    const tako_host *host;
    char *data;
    size_t len;
};

static int lineage_copy(void *ctx, const void *data, size_t len)
{
    struct lineage_piece *p = ctx;

    p->data = tako__strndup(p->host, len ? data : "", len);
    p->len = len;
    return p->data ? 0 : TAKO_ENOMEM;
}

/* Each piece is copied first, so that `got` runs with no lock of the store held. */
static int lineage_lend(tako *t, const char *sha256, int64_t offset, int64_t len,
                        tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct lineage_piece piece;
    int rc = TAKO_OK;

    while (rc == TAKO_OK && len > 0) {
        memset(&piece, 0, sizeof piece);
        piece.host = &t->host;
        rc = t->ops->get_blob(t->store, sha256, offset, len < LINEAGE_PIECE ? len : LINEAGE_PIECE,
                              lineage_copy, &piece, err);
        if (rc == TAKO_ENOMEM)
            rc = tako__nomem(err);
        else if (rc == TAKO_ENOTFOUND)
            rc = tako__fail(err, TAKO_ENOTFOUND,
                            "tako_read_file: the content was removed meanwhile");
        else if (rc == TAKO_OK && piece.len == 0)
            rc = tako__fail(err, TAKO_ESTORE, "the store is damaged: content %s is too short",
                            sha256);
        if (rc == TAKO_OK)
            rc = got(ctx, piece.data, piece.len);
        offset += (int64_t)piece.len;
        len -= (int64_t)piece.len;
        tako__free(&t->host, piece.data);
    }
    return rc;
}

static const tako_artifact *lineage_file(const tako_record *rec, int kind, const char *name,
                                         tako_artifact *replay)
{
    const struct tako__spec *spec = tako__record_spec(rec);
    const tako_artifact *file;
    size_t i;

    memset(replay, 0, sizeof *replay);
    if (kind == TAKO_INPUT_FILES && strcmp(name, "_code.py") == 0 && spec->code_hash) {
        replay->bytes = spec->code_bytes;
        replay->sha256 = spec->code_hash;
        return replay;
    }
    if (kind == TAKO_INPUT_FILES && strcmp(name, "_input.json") == 0) {
        replay->bytes = spec->input ? (int64_t)spec->input_len : spec->input_bytes;
        replay->sha256 = spec->input_hash;
        return replay;
    }
    for (i = 0; (file = tako_record_artifact(rec, kind, i)) != NULL; i++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static int lineage_read(tako *t, const tako_record *rec, const tako_artifact *file, int64_t offset,
                        int64_t len, tako_bytes_fn *got, void *ctx, tako_error *err)
{
    const struct tako__spec *spec = tako__record_spec(rec);

    if (offset < 0 || offset > file->bytes || len < -1)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_read_file: offset %" PRId64 " and length %" PRId64
                          " do not lie in the %" PRId64 " bytes there are",
                          offset, len, file->bytes);
    if (len < 0 || len > file->bytes - offset)
        len = file->bytes - offset;
    if (file->sha256 == spec->input_hash && spec->input) /* kept with the job itself */
        return len ? got(ctx, spec->input + offset, (size_t)len) : TAKO_OK;
    return lineage_lend(t, file->sha256, offset, len, got, ctx, err);
}

int tako_read_file(tako *t, const char *id, int kind, const char *name, int64_t offset, int64_t len,
                   tako_bytes_fn *got, void *ctx, tako_error *err)
{
    const tako_artifact *file = NULL;
    tako_record *rec = NULL;
    tako_artifact replay;
    int rc = tako__enter(t, "tako_read_file", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!name || !got)
        return tako__fail(err, TAKO_EINVAL, "tako_read_file: %s is NULL", name ? "got" : "name");
    if (kind != TAKO_ARTIFACTS && kind != TAKO_INPUT_FILES)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_read_file: kind %d is neither TAKO_ARTIFACTS nor TAKO_INPUT_FILES",
                          kind);
    rc = tako__check_id("tako_read_file", id, err);
    if (rc == TAKO_OK)
        rc = tako__row(t, id, &rec, err);
    if (rc != TAKO_OK)
        return rc;
    file = lineage_file(rec, kind, name, &replay);
    if (file)
        rc = lineage_read(t, rec, file, offset, len, got, ctx, err);
    else
        rc = tako__fail(err, TAKO_ENOTFOUND, "tako_read_file: job %s has no %s '%.80s'", id,
                        kind == TAKO_ARTIFACTS ? "artifact" : "input file", name);
    tako_record_free(rec);
    return rc;
}

/* ---- dead letters ---------------------------------------------------------------------------- */

/* Copies of dead letters, so that callers are called with no lock of the store held. */
struct lineage_letters {
    const tako_host *host;
    tako_dead *list;
    size_t count, room;
};

enum { LINEAGE_TEXTS = 7 };

/* The texts of a dead letter, in one order. */
static void lineage_texts(tako_dead *d, const char **texts[LINEAGE_TEXTS])
{
    texts[0] = &d->job_id;
    texts[1] = &d->type;
    texts[2] = &d->error_type;
    texts[3] = &d->error_message;
    texts[4] = &d->client_ip;
    texts[5] = &d->correlation_id;
    texts[6] = &d->summary;
}

static int lineage_saw_dead(void *ctx, const tako_dead *dead)
{
    struct lineage_letters *all = ctx;
    const char **texts[LINEAGE_TEXTS];
    const char *text;
    int i, rc = 0;

    if (all->count == all->room)
        return TAKO_ESTORE; /* more than asked for */
    all->list[all->count] = *dead;
    lineage_texts(&all->list[all->count++], texts);
    for (i = 0; i < LINEAGE_TEXTS; i++) {
        text = *texts[i];
        *texts[i] = tako__strdup(all->host, text);
        if (text && !*texts[i])
            rc = TAKO_ENOMEM;
    }
    return rc;
}

static int lineage_letters_make(tako *t, struct lineage_letters *all, size_t room, tako_error *err)
{
    memset(all, 0, sizeof *all);
    all->host = &t->host;
    all->room = room;
    all->list = tako__array(&t->host, room, sizeof *all->list);
    return all->list ? TAKO_OK : tako__nomem(err);
}

static void lineage_letters_free(struct lineage_letters *all)
{
    union {
        const char *in;
        char *out;
    } text;
    const char **texts[LINEAGE_TEXTS];
    size_t i, k;

    for (i = 0; i < all->count; i++) {
        lineage_texts(&all->list[i], texts);
        for (k = 0; k < LINEAGE_TEXTS; k++) {
            text.in = *texts[k];
            tako__free(all->host, text.out);
        }
    }
    tako__free(all->host, all->list);
}

int tako_dead_list(tako *t, const tako_dead_filter *f, tako_dead_fn *each, void *ctx,
                   tako_error *err)
{
    static const tako_dead_filter defaults = TAKO_DEAD_FILTER_INIT;
    tako_dead_filter filter = defaults;
    struct lineage_letters all;
    size_t i;
    int rc = tako__enter(t, "tako_dead_list", TAKO__ANYWHERE, err);

    if (rc == TAKO_OK && !each)
        rc = tako__fail(err, TAKO_EINVAL, "tako_dead_list: each is NULL");
    if (rc == TAKO_OK && f)
        rc = tako__struct_in(&filter, sizeof filter, sizeof filter, f, "filter", err);
    if (rc == TAKO_OK && (filter.limit < 0 || filter.limit > LINEAGE_LIST_MAX))
        rc = tako__fail(err, TAKO_EINVAL, "tako_dead_list: limit %d, not in 1-%d (0 = %d)",
                        filter.limit, LINEAGE_LIST_MAX, LINEAGE_LIST_DEFAULT);
    if (rc == TAKO_OK && filter.before < 0)
        rc = tako__fail(err, TAKO_EINVAL, "tako_dead_list: before is negative");
    if (rc != TAKO_OK)
        return rc;
    if (filter.limit == 0)
        filter.limit = LINEAGE_LIST_DEFAULT;
    rc = lineage_letters_make(t, &all, (size_t)filter.limit, err);
    if (rc != TAKO_OK)
        return rc;
    rc = t->ops->list_dead(t->store, &filter, 0, lineage_saw_dead, &all, err);
    if (rc == TAKO_ENOMEM)
        rc = tako__nomem(err);
    for (i = 0; rc == TAKO_OK && i < all.count; i++)
        rc = each(ctx, &all.list[i]);
    lineage_letters_free(&all);
    return rc;
}

struct lineage_count {
    char error_type[65];
    int64_t count;
};
struct lineage_counts {
    const tako_host *host;
    struct lineage_count *list;
    size_t count, room;
};

static int lineage_saw_count(void *ctx, const char *error_type, int64_t count)
{
    struct lineage_counts *all = ctx;
    struct lineage_count *more;

    if (all->count == all->room) {
        all->room = all->room ? all->room * 2 : 16;
        more = tako__resize(all->host, all->list, all->room * sizeof *more);
        if (!more)
            return TAKO_ENOMEM;
        all->list = more;
    }
    (void)snprintf(all->list[all->count].error_type, sizeof all->list->error_type, "%s",
                   error_type);
    all->list[all->count++].count = count;
    return 0;
}

int tako_dead_stats(tako *t, tako_dead_count_fn *each, void *ctx, tako_error *err)
{
    struct lineage_counts all;
    size_t i;
    int rc = tako__enter(t, "tako_dead_stats", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!each)
        return tako__fail(err, TAKO_EINVAL, "tako_dead_stats: each is NULL");
    memset(&all, 0, sizeof all);
    all.host = &t->host;
    rc = t->ops->count_dead(t->store, lineage_saw_count, &all, err);
    if (rc == TAKO_ENOMEM)
        rc = tako__nomem(err);
    for (i = 0; rc == TAKO_OK && i < all.count; i++)
        rc = each(ctx, all.list[i].error_type, all.list[i].count);
    tako__free(&t->host, all.list);
    return rc;
}

int tako_dead_remove(tako *t, int64_t id, tako_error *err)
{
    struct tako__op op;
    int rc = tako__enter(t, "tako_dead_remove", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    if (rc != TAKO_OK)
        return rc;
    memset(&op, 0, offsetof(struct tako__op, err));
    op.kind = TAKO__OP_DROP_DEAD;
    op.drop_dead = id;
    rc = tako__pump_do(t, &op);
    if (rc != TAKO_OK && err)
        *err = op.err;
    return rc;
}

int tako_dead_retry(tako *t, int64_t id, tako_id *out, tako_error *err)
{
    struct lineage_letters one;
    int rc = tako__enter(t, "tako_dead_retry", TAKO__IN_HANDLER | TAKO__BEFORE_START, err);

    if (rc == TAKO_OK)
        rc = lineage_letters_make(t, &one, 1, err);
    if (rc != TAKO_OK)
        return rc;
    rc = t->ops->get_dead(t->store, id, lineage_saw_dead, &one, err);
    if (rc == TAKO_ENOMEM)
        rc = tako__nomem(err);
    else if (rc == TAKO_ENOTFOUND || (rc == TAKO_OK && one.count == 0))
        rc = tako__fail(err, TAKO_ENOTFOUND, "tako_dead_retry: there is no dead letter %" PRId64,
                        id);
    else if (rc == TAKO_OK)
        rc = lineage_child(t, "tako_dead_retry", one.list[0].job_id, "rerun", NULL, id, out, err);
    lineage_letters_free(&one);
    return rc;
}

/* ---- retention ------------------------------------------------------------------------------- */

int tako_purge(tako *t, int limit, tako_error *err)
{
    int rc = tako__enter(t, "tako_purge", TAKO__BEFORE_START, err);

    if (rc != TAKO_OK)
        return rc;
    if (limit < 1 || limit > LINEAGE_LIST_MAX)
        return tako__fail(err, TAKO_EINVAL, "tako_purge: limit %d, not in 1-%d", limit,
                          LINEAGE_LIST_MAX);
    tako__pump_take(t);
    rc = tako__keeper_purge(t, limit, err);
    tako__pump_release(t);
    return rc;
}
