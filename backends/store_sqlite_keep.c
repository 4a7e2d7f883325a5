/* store_sqlite_keep.c - what the SQLite store keeps for jobs and beyond them: content under its
 * hash, counted by who refers to it; dead letters; versions of job types; and how ended jobs are
 * removed for good. Statements by name (store_sqlite_schema.c), run through store_sqlite.c.
 *
 * A count is exact after every commit: insert and finish add to it, purge takes away, content that
 * comes to nothing goes at once, and what a transaction stored without a use goes with its commit.
 * No step walks through a table: a purge costs as much as what it removes.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <string.h>

#define SQLITE_KEEP_TEXT_MAX 1024 /* names, addresses, tags */

/* ---- content ----------------------------------------------------------------------------- */

static bool sqlite_keep_hash(const char *hex, unsigned char out[32])
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

static int sqlite_uses_write(struct tako__sqlite *s, struct tako__sqlite_uses *u, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_USE_ADD];

    if (u->more == 0)
        return TAKO_OK;
    tako__sqlite_bind_int(st, 1, u->seq);
    tako__sqlite_bind_int(st, 2, u->more);
    u->more = 0;
    return tako__sqlite_run(s, TAKO__SQL_USE_ADD, err, "counting content");
}

static int sqlite_uses_write_all(struct tako__sqlite *s, tako_error *err)
{
    int rc = TAKO_OK;
    size_t i;

    for (i = 0; i < TAKO__SQLITE_USES_CACHED && rc == TAKO_OK; i++)
        rc = sqlite_uses_write(s, &s->uses[i], err);
    return rc;
}

static struct tako__sqlite_uses *sqlite_uses_slot(struct tako__sqlite *s,
                                                  const unsigned char hash[32])
{
    return &s->uses[hash[0] % TAKO__SQLITE_USES_CACHED];
}

/* Remembers where content lies; what had its place is written. */
static int sqlite_uses_know(struct tako__sqlite *s, const unsigned char hash[32], int64_t seq,
                            tako_error *err)
{
    struct tako__sqlite_uses *u = sqlite_uses_slot(s, hash);
    int rc = sqlite_uses_write(s, u, err);

    memcpy(u->hash, hash, sizeof(u->hash));
    u->seq = seq;
    return rc;
}

/* *found = false when there is no such content; then nothing is counted. */
static int sqlite_uses_count(struct tako__sqlite *s, const char *ref, int by, bool *found,
                             tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_CONTENT_SEQ];
    unsigned char hash[32];
    struct tako__sqlite_uses *u;
    int64_t seq = 0;
    int rc;

    *found = false;
    if (!sqlite_keep_hash(ref, hash))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a job refers to content by 64 lower hexadecimal digits",
                          s->path);
    u = sqlite_uses_slot(s, hash);
    if (u->seq == 0 || memcmp(u->hash, hash, sizeof(hash)) != 0) {
        rc = tako__sqlite_bind_blob(s, st, 1, hash, sizeof(hash), err);
        if (rc != TAKO_OK)
            return rc;
        rc = tako__sqlite_next(s, &s->writer, st, err, "looking up content");
        if (rc == 1)
            seq = tako__sqlite_int(st, 0);
        tako__sqlite_give(&s->writer, TAKO__SQL_CONTENT_SEQ, st);
        if (rc == 1)
            rc = sqlite_uses_know(s, hash, seq, err);
        if (rc != TAKO_OK || seq == 0)
            return rc;
    }
    u->more += by;
    *found = true;
    return TAKO_OK;
}

int tako__sqlite_use(struct tako__sqlite *s, const char *const *refs, size_t count, bool *missing,
                     tako_error *err)
{
    bool found = true;
    int rc = TAKO_OK;
    size_t i;

    *missing = false;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        rc = sqlite_uses_count(s, refs[i], 1, &found, err);
        if (rc == TAKO_OK && !found)
            break;
    }
    if (rc != TAKO_OK || i == count)
        return rc;
    *missing = true;
    while (i-- > 0 && rc == TAKO_OK)
        rc = sqlite_uses_count(s, refs[i], -1, &found, err);
    return rc;
}

int tako__sqlite_put_blobs(void *self, const tako_blob *blobs, size_t count, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_CONTENT_PUT];
    int rc = tako__sqlite_tx_check(s, err);
    unsigned char hash[32];
    int64_t seq;
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        const tako_blob *b = &blobs[i];

        if (!sqlite_keep_hash(b->sha256, hash) || (b->data == NULL && b->len > 0)) {
            rc = tako__fail(err, TAKO_EINVAL, "sqlite:%s: blobs[%zu] has no SHA-256 or no data",
                            s->path, i);
            break;
        }
        rc = tako__sqlite_bind_blob(s, st, 1, hash, sizeof(hash), err);
        if (rc == TAKO_OK)
            rc = tako__sqlite_bind_blob(s, st, 2, b->data, b->len, err);
        if (rc == TAKO_OK)
            rc = tako__sqlite_run(s, TAKO__SQL_CONTENT_PUT, err, "storing content");
        if (rc != TAKO_OK || tako__sqlite_changes(s) == 0)
            continue;
        seq = tako__sqlite_last_seq(s);
        if (s->fresh_seq == 0 || seq < s->fresh_seq)
            s->fresh_seq = seq;
        rc = sqlite_uses_know(s, hash, seq, err);
    }
    return tako__sqlite_tx_done(s, rc);
}

int tako__sqlite_settle(struct tako__sqlite *s, tako_error *err)
{
    int rc = sqlite_uses_write_all(s, err);

    if (rc != TAKO_OK || s->fresh_seq == 0)
        return rc;
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_CONTENT_SWEEP], 1, s->fresh_seq);
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_USE_SWEEP], 1, s->fresh_seq);
    rc = tako__sqlite_run(s, TAKO__SQL_CONTENT_SWEEP, err, "removing content without a use");
    if (rc == TAKO_OK) /* what was counted and uncounted again */
        rc = tako__sqlite_run(s, TAKO__SQL_USE_SWEEP, err, "removing content without a use");
    return rc;
}

/* One use less; with the last one the content goes. */
static int sqlite_keep_release(struct tako__sqlite *s, const char *ref, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_CONTENT_FIND];
    int64_t seq = 0, uses = 0;
    unsigned char hash[32];
    int rc;

    if (!sqlite_keep_hash(ref, hash))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a job refers to content by 64 lower hexadecimal digits",
                          s->path);
    rc = tako__sqlite_bind_blob(s, st, 1, hash, sizeof(hash), err);
    if (rc != TAKO_OK)
        return rc;
    rc = tako__sqlite_next(s, &s->writer, st, err, "releasing content");
    if (rc == 1) {
        seq = tako__sqlite_int(st, 0);
        uses = tako__sqlite_int(st, 2);
    }
    tako__sqlite_give(&s->writer, TAKO__SQL_CONTENT_FIND, st);
    if (rc < 0 || uses == 0) /* nobody's: stored in this transaction, or it is not there */
        return rc < 0 ? rc : TAKO_OK;
    if (uses > 1) {
        tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_USE_LESS], 1, seq);
        return tako__sqlite_run(s, TAKO__SQL_USE_LESS, err, "releasing content");
    }
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_USE_DROP], 1, seq);
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_CONTENT_DROP], 1, seq);
    rc = tako__sqlite_run(s, TAKO__SQL_USE_DROP, err, "releasing content");
    return rc == TAKO_OK ? tako__sqlite_run(s, TAKO__SQL_CONTENT_DROP, err, "removing content")
                         : rc;
}

/* All of it in one go, as most readers want it. */
static int sqlite_keep_lend_all(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                const unsigned char hash[32], const char *sha256,
                                tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_CONTENT_GET);
    const void *data;
    size_t len;
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    rc = tako__sqlite_bind_blob(s, st, 1, hash, 32, err);
    if (rc == TAKO_OK) {
        rc = tako__sqlite_next(s, c, st, err, "reading content");
        if (rc == 0)
            rc = tako__fail(err, TAKO_ENOTFOUND, "no content with the SHA-256 %s", sha256);
    }
    if (rc == 1) {
        data = tako__sqlite_blob(st, 0, &len);
        rc = data == NULL ? tako__nomem(err) : got(ctx, data, len);
    }
    tako__sqlite_give(c, TAKO__SQL_CONTENT_GET, st);
    return rc;
}

/* Inside a snapshot: two statements look at it. */
static int sqlite_keep_lend_part(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                 const unsigned char hash[32], const char *sha256, int64_t offset,
                                 int64_t limit, tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct sqlite3_stmt *st = tako__sqlite_take(c, TAKO__SQL_CONTENT_FIND);
    int64_t seq = 0, left = 0;
    void *part = NULL;
    int rc;

    if (st == NULL)
        return tako__nomem(err);
    rc = tako__sqlite_bind_blob(s, st, 1, hash, 32, err);
    if (rc == TAKO_OK) {
        rc = tako__sqlite_next(s, c, st, err, "reading content");
        if (rc == 0)
            rc = tako__fail(err, TAKO_ENOTFOUND, "no content with the SHA-256 %s", sha256);
    }
    if (rc == 1) {
        rc = TAKO_OK;
        seq = tako__sqlite_int(st, 0);
        left = tako__sqlite_int(st, 1) - offset;
    }
    tako__sqlite_give(c, TAKO__SQL_CONTENT_FIND, st);
    if (rc != TAKO_OK)
        return rc;
    if (left > limit)
        left = limit;
    if (left <= 0)
        return got(ctx, "", 0);
    part = tako__resize(&s->host, NULL, (size_t)left);
    if (part == NULL)
        return tako__nomem(err);
    rc = tako__sqlite_read_part(s, c, seq, offset, part, (size_t)left, err);
    if (rc == TAKO_OK)
        rc = got(ctx, part, (size_t)left);
    tako__free(&s->host, part);
    return rc;
}

int tako__sqlite_get_blob(void *self, const char *sha256, int64_t offset, int64_t limit,
                          tako_bytes_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite *s = self;
    bool all = offset == 0 && limit == INT64_MAX;
    struct tako__sqlite_read r;
    unsigned char hash[32];
    int rc;

    if (!sqlite_keep_hash(sha256, hash))
        return tako__fail(err, TAKO_EINVAL, "content is named by 64 lower hexadecimal digits");
    if (offset < 0 || limit < 0)
        return tako__fail(
            err, TAKO_EINVAL,
            "a part of content begins at 0 or later and has 0 bytes or more, not %lld "
            "and %lld",
            (long long)offset, (long long)limit);
    rc = tako__sqlite_read_enter(s, &r, !all, err);
    if (rc == TAKO_OK && all)
        rc = sqlite_keep_lend_all(s, r.conn, hash, sha256, got, ctx, err);
    else if (rc == TAKO_OK)
        rc = sqlite_keep_lend_part(s, r.conn, hash, sha256, offset, limit, got, ctx, err);
    tako__sqlite_read_leave(&r);
    return rc;
}

/* ---- retention --------------------------------------------------------------------------- */

static int sqlite_purge_row(struct tako__sqlite *s, const tako_removal *item, int *result,
                            tako_error *err)
{
    static const enum tako__sqlite_sql drops[] = {TAKO__SQL_JOB_DROP, TAKO__SQL_SPEC_DROP,
                                                  TAKO__SQL_RESULT_DROP, TAKO__SQL_NOTE_DROP};
    struct tako__sqlite_found job;
    int rc = tako__sqlite_find(s, item->id, "", &job, err);
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    *result = TAKO_OK;
    if (job.seq == 0)
        *result = TAKO_ENOTFOUND;
    else if (!tako_status_terminal(job.status) || job.dead)
        *result = TAKO_ESTATE;
    if (*result != TAKO_OK)
        return TAKO_OK;
    for (i = 0; i < TAKO__LEN(drops) && rc == TAKO_OK; i++) {
        tako__sqlite_bind_int(s->writer.stmts[drops[i]], 1, job.seq);
        rc = tako__sqlite_run(s, drops[i], err, "removing a job");
    }
    for (i = 0; i < item->n_refs && rc == TAKO_OK; i++)
        rc = sqlite_keep_release(s, item->refs[i], err);
    return rc;
}

int tako__sqlite_purge(void *self, const tako_removal *items, size_t count, int *results,
                       tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    size_t i;

    if (rc != TAKO_OK)
        return rc;
    rc = sqlite_uses_write_all(s, err);
    memset(s->uses, 0, sizeof(s->uses)); /* what is remembered may go now */
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        if (items[i].id == NULL)
            rc = tako__fail(err, TAKO_EINVAL, "sqlite:%s: items[%zu] has no id", s->path, i);
        else
            rc = sqlite_purge_row(s, &items[i], &results[i], err);
    }
    return tako__sqlite_tx_done(s, rc);
}

/* ---- dead letters ------------------------------------------------------------------------ */

static bool sqlite_keep_short(const char *text)
{
    return text == NULL || strnlen(text, SQLITE_KEEP_TEXT_MAX + 1) <= SQLITE_KEEP_TEXT_MAX;
}

int tako__sqlite_bury(struct tako__sqlite *s, int64_t seq, const tako_dead *dead, tako_error *err)
{
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_DEAD_ADD];
    int rc;

    if (!tako__sqlite_text_ok(dead->error_type, 64) || dead->error_message == NULL ||
        dead->summary == NULL || !sqlite_keep_short(dead->client_ip) ||
        !sqlite_keep_short(dead->correlation_id))
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a dead letter needs an error type of 1-64 bytes, a message "
                          "and a summary",
                          s->path);
    tako__sqlite_bind_int(st, 1, seq);
    tako__sqlite_bind_name(st, 2, dead->error_type);
    tako__sqlite_bind_name(st, 3, dead->error_message);
    tako__sqlite_bind_int(st, 4, dead->retry_count);
    tako__sqlite_bind_int(st, 5, dead->created_us);
    tako__sqlite_bind_name(st, 6, dead->client_ip);
    tako__sqlite_bind_name(st, 7, dead->correlation_id);
    rc = tako__sqlite_bind_text(s, st, 8, dead->summary, strlen(dead->summary), err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_run(s, TAKO__SQL_DEAD_ADD, err, "adding a dead letter");
    if (rc != TAKO_OK)
        return rc;
    tako__sqlite_bind_name(s->writer.stmts[TAKO__SQL_DEAD_MORE], 1, dead->error_type);
    rc = tako__sqlite_run(s, TAKO__SQL_DEAD_MORE, err, "counting a dead letter");
    if (rc != TAKO_OK)
        return rc;
    tako__sqlite_bind_int(s->writer.stmts[TAKO__SQL_DEAD_HOLD], 1, seq);
    return tako__sqlite_run(s, TAKO__SQL_DEAD_HOLD, err, "adding a dead letter");
}

static int sqlite_dead_lend(struct sqlite3_stmt *st, tako_dead_fn *got, void *ctx, tako_error *err)
{
    tako_dead dead;

    memset(&dead, 0, sizeof(dead));
    dead.size = sizeof(dead);
    dead.id = tako__sqlite_int(st, 0);
    dead.job_id = tako__sqlite_text(st, 1, NULL);
    dead.type = tako__sqlite_text(st, 2, NULL);
    dead.error_type = tako__sqlite_text(st, 3, NULL);
    dead.error_message = tako__sqlite_text(st, 4, NULL);
    dead.retry_count = (int)tako__sqlite_int(st, 5);
    dead.created_us = tako__sqlite_int(st, 6);
    dead.client_ip = tako__sqlite_text(st, 7, NULL);
    dead.correlation_id = tako__sqlite_text(st, 8, NULL);
    dead.summary = tako__sqlite_text(st, 9, NULL);
    if (dead.job_id == NULL || dead.type == NULL || dead.error_type == NULL ||
        dead.error_message == NULL || dead.summary == NULL ||
        (dead.client_ip == NULL && !tako__sqlite_is_null(st, 7)) ||
        (dead.correlation_id == NULL && !tako__sqlite_is_null(st, 8)))
        return tako__nomem(err);
    return got(ctx, &dead);
}

/* Lends what a statement gives for up to three parameters. *n counts; `type` NULL = none. */
static int sqlite_dead_read(struct tako__sqlite *s, enum tako__sqlite_sql which, int64_t bound,
                            int64_t limit, const char *type, tako_dead_fn *got, void *ctx,
                            size_t *n, tako_error *err)
{
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    *n = 0;
    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, which)) == NULL)
        rc = tako__nomem(err);
    if (rc == TAKO_OK) {
        tako__sqlite_bind_int(st, 1, bound);
        if (limit > 0)
            tako__sqlite_bind_int(st, 2, limit);
        if (type != NULL)
            tako__sqlite_bind_name(st, 3, type);
    }
    while (rc == TAKO_OK &&
           (rc = tako__sqlite_next(s, r.conn, st, err, "reading dead letters")) == 1) {
        ++*n;
        rc = sqlite_dead_lend(st, got, ctx, err);
        if (rc != TAKO_OK)
            break;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, which, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_list_dead(void *self, const tako_dead_filter *filter, int64_t before_us,
                           tako_dead_fn *got, void *ctx, tako_error *err)
{
    int64_t limit = filter->limit == 0 ? 100 : filter->limit;
    int64_t before = filter->before == 0 ? INT64_MAX : filter->before;
    size_t n;

    if (limit < 0 || limit > TAKO__SQLITE_LIST_MAX)
        return tako__fail(err, TAKO_EINVAL, "limit is %lld, not 1-%d", (long long)limit,
                          TAKO__SQLITE_LIST_MAX);
    if (before_us != 0)
        return sqlite_dead_read(self, TAKO__SQL_DEAD_LIST_OLD, before_us, limit, NULL, got, ctx, &n,
                                err);
    return sqlite_dead_read(
        self, filter->error_type != NULL ? TAKO__SQL_DEAD_LIST_TYPE : TAKO__SQL_DEAD_LIST, before,
        limit, filter->error_type, got, ctx, &n, err);
}

int tako__sqlite_get_dead(void *self, int64_t id, tako_dead_fn *got, void *ctx, tako_error *err)
{
    size_t n;
    int rc = sqlite_dead_read(self, TAKO__SQL_DEAD_GET, id, 0, NULL, got, ctx, &n, err);

    if (rc == TAKO_OK && n == 0)
        rc = tako__fail(err, TAKO_ENOTFOUND, "no dead letter has the number %lld", (long long)id);
    return rc;
}

int tako__sqlite_count_dead(void *self, tako_dead_count_fn *got, void *ctx, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    const char *type;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, TAKO__SQL_DEAD_COUNT)) == NULL)
        rc = tako__nomem(err);
    while (rc == TAKO_OK &&
           (rc = tako__sqlite_next(s, r.conn, st, err, "counting dead letters")) == 1) {
        type = tako__sqlite_text(st, 0, NULL);
        rc = type == NULL ? tako__nomem(err) : got(ctx, type, tako__sqlite_int(st, 1));
        if (rc != TAKO_OK)
            break;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, TAKO__SQL_DEAD_COUNT, st);
    tako__sqlite_read_leave(&r);
    return rc;
}

int tako__sqlite_drop_dead(void *self, const int64_t *ids, size_t count, int *results,
                           tako_error *err)
{
    static const enum tako__sqlite_sql drops[] = {TAKO__SQL_DEAD_FREE, TAKO__SQL_DEAD_LESS,
                                                  TAKO__SQL_DEAD_DROP};
    struct tako__sqlite *s = self;
    int rc = tako__sqlite_tx_check(s, err);
    size_t i, k;

    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < count && rc == TAKO_OK; i++) {
        for (k = 0; k < TAKO__LEN(drops) && rc == TAKO_OK; k++) {
            tako__sqlite_bind_int(s->writer.stmts[drops[k]], 1, ids[i]);
            rc = tako__sqlite_run(s, drops[k], err, "removing a dead letter");
        }
        results[i] = rc == TAKO_OK && tako__sqlite_changes(s) == 1 ? TAKO_OK : TAKO_ENOTFOUND;
    }
    return tako__sqlite_tx_done(s, rc);
}

/* ---- versions of job types --------------------------------------------------------------- */

int tako__sqlite_put_version(void *self, const tako_version_info *v, tako_error *err)
{
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_VERSION_PUT];
    int rc = tako__sqlite_tx_check(s, err);

    if (rc != TAKO_OK)
        return rc;
    if (!tako__sqlite_text_ok(v->type, 64) || v->digest == NULL || !tako__hex64_ok(v->digest) ||
        v->tag == NULL || v->built_by == NULL || v->requirements_hash == NULL ||
        v->definition == NULL || !sqlite_keep_short(v->tag) || !sqlite_keep_short(v->built_by) ||
        !sqlite_keep_short(v->requirements_hash))
        return tako__sqlite_tx_done(
            s, tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a version needs a type of 1-64 bytes, a digest of 64 lower "
                          "hexadecimal digits, a tag, who built it, a hash of its requirements and "
                          "a definition",
                          s->path));
    tako__sqlite_bind_name(st, 1, v->type);
    tako__sqlite_bind_name(st, 2, v->digest);
    tako__sqlite_bind_name(st, 3, v->tag);
    tako__sqlite_bind_int(st, 4, v->built_us);
    tako__sqlite_bind_name(st, 5, v->built_by);
    tako__sqlite_bind_name(st, 6, v->requirements_hash);
    rc = tako__sqlite_bind_text(s, st, 7, v->definition, v->definition_len, err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_run(s, TAKO__SQL_VERSION_PUT, err, "recording a version");
    return tako__sqlite_tx_done(s, rc);
}

static int sqlite_version_lend(struct sqlite3_stmt *st, tako_version_fn *got, void *ctx,
                               tako_error *err)
{
    tako_version_info v;

    memset(&v, 0, sizeof(v));
    v.size = sizeof(v);
    v.type = tako__sqlite_text(st, 0, NULL);
    v.tag = tako__sqlite_text(st, 1, NULL);
    v.digest = tako__sqlite_text(st, 2, NULL);
    v.built_us = tako__sqlite_int(st, 3);
    v.built_by = tako__sqlite_text(st, 4, NULL);
    v.requirements_hash = tako__sqlite_text(st, 5, NULL);
    v.definition = tako__sqlite_text(st, 6, &v.definition_len);
    if (v.type == NULL || v.tag == NULL || v.digest == NULL || v.built_by == NULL ||
        v.requirements_hash == NULL || v.definition == NULL)
        return tako__nomem(err);
    return got(ctx, &v);
}

int tako__sqlite_versions(void *self, const char *type, tako_version_fn *got, void *ctx,
                          tako_error *err)
{
    enum tako__sqlite_sql which = type != NULL ? TAKO__SQL_VERSIONS_OF : TAKO__SQL_VERSIONS;
    struct tako__sqlite *s = self;
    struct sqlite3_stmt *st = NULL;
    struct tako__sqlite_read r;
    int rc = tako__sqlite_read_enter(s, &r, false, err);

    if (rc == TAKO_OK && (st = tako__sqlite_take(r.conn, which)) == NULL)
        rc = tako__nomem(err);
    if (rc == TAKO_OK && type != NULL)
        tako__sqlite_bind_name(st, 1, type);
    while (rc == TAKO_OK && (rc = tako__sqlite_next(s, r.conn, st, err, "reading versions")) == 1) {
        rc = sqlite_version_lend(st, got, ctx, err);
        if (rc != TAKO_OK)
            break;
    }
    if (st != NULL)
        tako__sqlite_give(r.conn, which, st);
    tako__sqlite_read_leave(&r);
    return rc;
}
