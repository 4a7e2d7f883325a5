/* store_cases.h - what the tests of stores share: opening one of them in a place of its own,
 * making rows, keeping what a store lends.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TESTS_STORE_CASES_H
#define TAKO_TESTS_STORE_CASES_H

#include "../../tako.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CASES_UNUSED __attribute__((unused))

/* The call succeeds, or the test fails with the store's own words. */
#define MUST(call)                                                                      \
    do {                                                                                \
        tako_error must_err_;                                                           \
        tako_error *err = &must_err_;                                                   \
        int must_rc_;                                                                   \
        memset(err, 0, sizeof *err);                                                    \
        must_rc_ = (call);                                                              \
        ck_assert_msg(must_rc_ == TAKO_OK, "%s: %d %s", #call, must_rc_, err->message); \
    } while (0)

/* The call fails with this code and a message that contains this text. */
#define REFUSED(call, code, text)                                                                  \
    do {                                                                                           \
        tako_error ref_err_;                                                                       \
        tako_error *err = &ref_err_;                                                               \
        int ref_rc_;                                                                               \
        memset(err, 0, sizeof *err);                                                               \
        ref_rc_ = (call);                                                                          \
        ck_assert_msg(ref_rc_ == (code) && strstr(err->message, text) != NULL, "%s: %d %s", #call, \
                      ref_rc_, err->message);                                                      \
    } while (0)

struct box { /* an open store */
    const tako_store_ops *ops;
    void *self;
    char dir[256]; /* "" when it needs none */
    char uri[320];
};

struct seen_row {
    char id[65], type[65], node[65], spec[64], result[64];
    char key[256], parent[65]; /* "-" when NULL */
    tako_status status;
    int priority, attempt, deaths, cancel, has_result, failures;
    int64_t created_us, run_at_us, started_us, ended_us;
};

struct seen { /* what a store lent, in that order */
    struct seen_row *rows;
    size_t n, stop_at; /* stop_at: answer 7 to that many; 0 = never */
};

CASES_UNUSED static void *cases_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

CASES_UNUSED static int64_t cases_now(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

CASES_UNUSED static const tako_host *cases_host(void)
{
    static const tako_host host = {
        sizeof(tako_host), {cases_realloc, NULL}, {cases_now, NULL}, NULL, NULL};

    return &host;
}

CASES_UNUSED static void cases_make_dir(char dir[256])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, 256, "%s/tako-store-XXXXXX", tmp != NULL && strlen(tmp) < 200 ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

CASES_UNUSED static void cases_remove_dir(const char *dir)
{
    char path[600];
    struct dirent *entry;
    DIR *d = opendir(dir);

    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (unlink(path) != 0)
            rmdir(path);
    }
    if (d != NULL)
        closedir(d);
    ck_assert_int_eq(rmdir(dir), 0);
}

CASES_UNUSED static void box_open_file(struct box *b)
{
    memset(b, 0, sizeof *b);
    b->ops = tako_store_sqlite();
    cases_make_dir(b->dir);
    snprintf(b->uri, sizeof b->uri, "sqlite:%s/jobs.db", b->dir);
    MUST(b->ops->open(&b->self, b->uri, cases_host(), err));
}

CASES_UNUSED static void box_close(struct box *b)
{
    b->ops->close(b->self);
    if (b->dir[0] != '\0')
        cases_remove_dir(b->dir);
}

CASES_UNUSED static tako_row a_row(const char *id, const char *type, int priority,
                                   int64_t created_us, int64_t run_at_us)
{
    tako_row row;

    memset(&row, 0, sizeof row);
    row.size = sizeof row;
    row.id = id;
    row.type = type;
    row.status = TAKO_QUEUED;
    row.priority = priority;
    row.node = "";
    row.created_us = created_us;
    row.run_at_us = run_at_us;
    row.spec = "{\"k\":1}";
    row.spec_len = strlen(row.spec);
    return row;
}

CASES_UNUSED static int seen_add(void *ctx, const tako_row *row)
{
    struct seen *seen = ctx;
    struct seen_row *r;

    seen->rows = realloc(seen->rows, (seen->n + 1) * sizeof *seen->rows);
    ck_assert_ptr_nonnull(seen->rows);
    ck_assert_uint_eq(strlen(row->spec), row->spec_len);
    r = &seen->rows[seen->n++];
    memset(r, 0, sizeof *r);
    snprintf(r->id, sizeof r->id, "%s", row->id);
    snprintf(r->type, sizeof r->type, "%s", row->type);
    snprintf(r->node, sizeof r->node, "%s", row->node);
    snprintf(r->spec, sizeof r->spec, "%s", row->spec);
    r->has_result = row->result != NULL;
    snprintf(r->result, sizeof r->result, "%s", row->result != NULL ? row->result : "");
    ck_assert_uint_eq(row->result != NULL ? strlen(row->result) : 0, row->result_len);
    snprintf(r->key, sizeof r->key, "%s", row->key != NULL ? row->key : "-");
    snprintf(r->parent, sizeof r->parent, "%s", row->parent != NULL ? row->parent : "-");
    r->failures = row->failures;
    r->status = row->status;
    r->priority = row->priority;
    r->attempt = row->attempt;
    r->deaths = row->deaths;
    r->cancel = row->cancel_requested;
    r->created_us = row->created_us;
    r->run_at_us = row->run_at_us;
    r->started_us = row->started_us;
    r->ended_us = row->ended_us;
    return seen->n == seen->stop_at ? 7 : 0;
}

CASES_UNUSED static void seen_clear(struct seen *seen)
{
    free(seen->rows);
    memset(seen, 0, sizeof *seen);
}

CASES_UNUSED static void expect_ids(const struct seen *seen, const char *ids)
{
    char got[512] = "";
    size_t i;

    for (i = 0; i < seen->n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
                 seen->rows[i].id);
    ck_assert_str_eq(got, ids);
}

/* What get_blob lent: start from {NULL, 0}, free data. */
struct bytes {
    char *data;
    size_t len;
};

CASES_UNUSED static int take_bytes(void *ctx, const void *data, size_t len)
{
    struct bytes *b = ctx;

    b->data = realloc(b->data, len + 1);
    memcpy(b->data, data, len);
    b->len = len;
    return 0;
}

/* One row in a transaction of its own. */
CASES_UNUSED static void add_row(struct box *b, const tako_row *row)
{
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->insert(b->self, row, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    ck_assert_int_eq(result, TAKO_OK);
}

CASES_UNUSED static void add_job(struct box *b, const char *id, const char *type, int priority)
{
    tako_row row = a_row(id, type, priority, 1000, 1000);

    add_row(b, &row);
}

CASES_UNUSED static const char *const *one_type(const char *type)
{
    static const char *types[2];

    types[0] = type;
    types[1] = NULL;
    return types;
}

/* Claims in a transaction of its own; `seen` is filled anew. */
CASES_UNUSED static void claim_jobs(struct box *b, const char *node, const char *const *types,
                                    size_t limit, int64_t now_us, struct seen *seen)
{
    tako_claim what = {sizeof what, node, types, limit, now_us};

    seen_clear(seen);
    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->claim(b->self, &what, seen_add, seen, err));
    MUST(b->ops->commit(b->self, err));
}

CASES_UNUSED static tako_finish an_end(const char *id, int attempt, const char *node,
                                       tako_status status)
{
    tako_finish f;

    memset(&f, 0, sizeof f);
    f.size = sizeof f;
    f.id = id;
    f.attempt = attempt;
    f.node = node;
    f.status = status;
    if (status != TAKO_QUEUED) {
        f.started_us = 2000;
        f.ended_us = 3000;
        f.result = "{\"r\":1}";
        f.result_len = strlen(f.result);
    }
    return f;
}

CASES_UNUSED static tako_dead a_dead_letter(const char *error_type, int64_t created_us)
{
    tako_dead dead;

    memset(&dead, 0, sizeof dead);
    dead.size = sizeof dead;
    dead.error_type = error_type;
    dead.error_message = "it \"failed\"";
    dead.summary = "{\"s\":1}";
    dead.created_us = created_us;
    return dead;
}

CASES_UNUSED static int finish_job(struct box *b, const tako_finish *f)
{
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->finish(b->self, f, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    return result;
}

CASES_UNUSED static int cancel_job(struct box *b, const char *id, tako_status *was)
{
    tako_cancel_item item = {sizeof item, id, 5000, "{\"c\":1}", 7, (tako_status)0};
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->cancel(b->self, &item, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    *was = item.was;
    return result;
}

/* Gives an all-zero row when there is none. */
CASES_UNUSED static struct seen_row get_job(struct box *b, const char *id)
{
    struct seen seen = {NULL, 0, 0};
    struct seen_row row;

    memset(&row, 0, sizeof row);
    MUST(b->ops->get(b->self, &id, 1, seen_add, &seen, err));
    ck_assert_uint_le(seen.n, 1);
    if (seen.n == 1)
        row = seen.rows[0];
    seen_clear(&seen);
    return row;
}

CASES_UNUSED static void expect_count(struct box *b, int64_t queued, int64_t running)
{
    int64_t q = -1, r = -1;

    MUST(b->ops->count(b->self, &q, &r, err));
    ck_assert_int_eq(q, queued);
    ck_assert_int_eq(r, running);
}

#endif
