/* check_store_keep.c - what every store promises to keep and to forget (tako.h, "stores"), run
 * against each: keys, content counted by who refers to it, notes, retention, dead letters and
 * versions.
 * SPDX-License-Identifier: MIT */
#include "store_kinds.h"

#define HASH_A "aaaa0000000000000000000000000000000000000000000000000000000000aa"
#define HASH_B "bbbb0000000000000000000000000000000000000000000000000000000000bb"
#define HASH_C "cccc0000000000000000000000000000000000000000000000000000000000cc"

static const tako_blob keep_a = {HASH_A, "content a", 9};
static const tako_blob keep_b = {HASH_B, "content b", 9};

static const char *const keep_refs_a[] = {HASH_A};
static const char *const keep_refs_ab[] = {HASH_A, HASH_B};
static const char *const keep_refs_aab[] = {HASH_A, HASH_A, HASH_B};
static const char *const keep_refs_abc[] = {HASH_A, HASH_B, HASH_C};

/* One row in a transaction of its own, with content; returns what became of it. */
static int keep_add(struct box *b, const tako_row *row, const tako_blob *blobs, size_t n)
{
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    if (n > 0)
        MUST(b->ops->put_blobs(b->self, blobs, n, err));
    MUST(b->ops->insert(b->self, row, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    return result;
}

static int keep_add_refs(struct box *b, const char *id, const char *const *refs, size_t n)
{
    const tako_blob blobs[2] = {keep_a, keep_b};
    tako_row row = a_row(id, "t", 0, 1000, 1000);

    row.refs = refs;
    row.n_refs = n;
    return keep_add(b, &row, blobs, 2);
}

static int keep_add_key(struct box *b, const char *id, const char *key)
{
    tako_row row = a_row(id, "t", 0, 1000, 1000);

    row.key = key;
    return keep_add(b, &row, NULL, 0);
}

static int keep_has(struct box *b, const char *hash)
{
    struct bytes got = {NULL, 0};
    int rc = b->ops->get_blob(b->self, hash, 0, INT64_MAX, take_bytes, &got, NULL);

    ck_assert(rc == TAKO_OK || rc == TAKO_ENOTFOUND);
    free(got.data);
    return rc == TAKO_OK;
}

static int keep_purge(struct box *b, const char *id, const char *const *refs, size_t n)
{
    tako_removal item = {sizeof item, id, refs, n};
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->purge(b->self, &item, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    return result;
}

static void keep_cancel(struct box *b, const char *id)
{
    tako_status was = (tako_status)0;

    ck_assert_int_eq(cancel_job(b, id, &was), TAKO_OK);
    ck_assert_int_eq(was, TAKO_QUEUED);
}

static struct seen keep_key(struct box *b, const char *key)
{
    struct seen seen = {NULL, 0, 0};

    MUST(b->ops->find_key(b->self, key, seen_add, &seen, err));
    return seen;
}

/* ---- keys --------------------------------------------------------------------------------- */

START_TEST(a_key_belongs_to_one_row_until_that_is_purged)
{
    struct seen seen;
    struct box b;

    box_open(&b, _i);
    ck_assert_int_eq(keep_add_key(&b, "one", "the-key-1"), TAKO_OK);
    ck_assert_int_eq(keep_add_key(&b, "two", "the-key-1"), TAKO_ECONFLICT);
    ck_assert_int_eq(keep_add_key(&b, "one", "the-key-2"), TAKO_ECONFLICT);
    ck_assert_int_eq(keep_add_key(&b, "two", "the-key-2"), TAKO_OK); /* no refusal burns a key */
    ck_assert_int_eq(keep_add_key(&b, "three", NULL), TAKO_OK);
    ck_assert_int_eq(keep_add_key(&b, "four", NULL), TAKO_OK); /* none is not a key */
    seen = keep_key(&b, "the-key-1");
    expect_ids(&seen, "one");
    ck_assert_str_eq(seen.rows[0].key, "the-key-1");
    ck_assert_str_eq(seen.rows[0].spec, "{\"k\":1}");
    seen_clear(&seen);
    seen = keep_key(&b, "the-key-");
    ck_assert_uint_eq(seen.n, 0);
    expect_count(&b, 4, 0);
    keep_cancel(&b, "one");
    ck_assert_int_eq(keep_add_key(&b, "five", "the-key-1"), TAKO_ECONFLICT);
    ck_assert_int_eq(keep_purge(&b, "one", NULL, 0), TAKO_OK);
    seen = keep_key(&b, "the-key-1");
    ck_assert_uint_eq(seen.n, 0);
    ck_assert_int_eq(keep_add_key(&b, "five", "the-key-1"), TAKO_OK);
    seen = keep_key(&b, "the-key-1");
    expect_ids(&seen, "five");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_key_twice_in_one_batch_is_refused_and_seen_inside_the_transaction)
{
    struct seen seen;
    tako_row rows[3];
    int results[3];
    struct box b;

    box_open(&b, _i);
    rows[0] = a_row("a", "t", 0, 1000, 1000);
    rows[1] = a_row("b", "t", 0, 1000, 1000);
    rows[2] = a_row("c", "t", 0, 1000, 1000);
    rows[0].key = rows[1].key = "same-key";
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->insert(b.self, rows, 3, results, err));
    seen = keep_key(&b, "same-key");
    expect_ids(&seen, "a");
    seen_clear(&seen);
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    ck_assert_int_eq(results[1], TAKO_ECONFLICT);
    ck_assert_int_eq(results[2], TAKO_OK);
    ck_assert_str_eq(get_job(&b, "b").id, "");
    expect_count(&b, 2, 0);
    box_close(&b);
}
END_TEST

/* ---- content ------------------------------------------------------------------------------ */

START_TEST(content_lives_as_long_as_a_row_refers_to_it)
{
    struct seen seen = {NULL, 0, 0};
    tako_finish f;
    struct box b;
    int result;

    box_open(&b, _i);
    ck_assert_int_eq(keep_add_refs(&b, "one", keep_refs_a, 1), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 1);
    ck_assert_int_eq(keep_has(&b, HASH_B), 0); /* stored without a use */
    ck_assert_int_eq(keep_add_refs(&b, "two", keep_refs_aab, 3), TAKO_OK);
    add_job(&b, "three", "other", 0);
    claim_jobs(&b, "n", one_type("other"), 1, 2000, &seen);
    seen_clear(&seen);
    f = an_end("three", 1, "n", TAKO_SUCCEEDED);
    f.refs = keep_refs_ab;
    f.n_refs = 2;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    keep_cancel(&b, "one");
    keep_cancel(&b, "two");
    ck_assert_int_eq(keep_purge(&b, "one", keep_refs_a, 1), TAKO_OK);
    ck_assert_int_eq(keep_purge(&b, "three", keep_refs_ab, 2), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 1);
    ck_assert_int_eq(keep_has(&b, HASH_B), 1);
    ck_assert_int_eq(keep_purge(&b, "two", keep_refs_aab, 3), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    ck_assert_int_eq(keep_has(&b, HASH_B), 0);
    /* stored again, also in the transaction in which it went */
    ck_assert_int_eq(keep_add_refs(&b, "four", keep_refs_a, 1), TAKO_OK);
    keep_cancel(&b, "four");
    {
        tako_removal item = {sizeof item, "four", keep_refs_a, 1};
        tako_row row = a_row("five", "t", 0, 1000, 1000);

        row.refs = keep_refs_a;
        row.n_refs = 1;
        MUST(b.ops->begin(b.self, err));
        MUST(b.ops->purge(b.self, &item, 1, &result, err));
        MUST(b.ops->put_blobs(b.self, &keep_a, 1, err));
        MUST(b.ops->insert(b.self, &row, 1, &result, err));
        MUST(b.ops->commit(b.self, err));
        ck_assert_int_eq(result, TAKO_OK);
    }
    ck_assert_int_eq(keep_has(&b, HASH_A), 1);
    keep_cancel(&b, "five");
    ck_assert_int_eq(keep_purge(&b, "five", keep_refs_a, 1), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    box_close(&b);
}
END_TEST

START_TEST(a_row_whose_content_is_missing_is_not_inserted)
{
    const tako_blob blobs[2] = {keep_a, keep_b};
    struct seen seen;
    tako_row rows[3];
    int results[3];
    struct box b;

    box_open(&b, _i);
    ck_assert_int_eq(keep_add_refs(&b, "owner", keep_refs_a, 1), TAKO_OK);
    rows[0] = a_row("lacks", "t", 0, 1000, 1000);
    rows[0].refs = keep_refs_abc;
    rows[0].n_refs = 3;
    rows[0].key = "not burnt";
    rows[1] = a_row("has", "t", 0, 1000, 1000);
    rows[1].refs = keep_refs_ab; /* B was counted and uncounted before */
    rows[1].n_refs = 2;
    rows[2] = a_row("again", "t", 0, 1000, 1000);
    rows[2].key = "not burnt";
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, blobs, 2, err));
    MUST(b.ops->insert(b.self, rows, 3, results, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(results[0], TAKO_ENOTFOUND);
    ck_assert_int_eq(results[1], TAKO_OK);
    ck_assert_int_eq(results[2], TAKO_OK);
    ck_assert_str_eq(get_job(&b, "lacks").id, "");
    seen = keep_key(&b, "not burnt");
    expect_ids(&seen, "again");
    seen_clear(&seen);
    expect_count(&b, 3, 0);
    claim_jobs(&b, "n", one_type("t"), 9, 2000, &seen);
    expect_ids(&seen, "owner has again");
    seen_clear(&seen);
    ck_assert_int_eq(keep_has(&b, HASH_B), 1);
    /* a refusal alone leaves nothing, and takes nothing from others */
    rows[0].key = NULL;
    rows[0].refs = keep_refs_abc + 1;
    rows[0].n_refs = 2;
    ck_assert_int_eq(keep_add(&b, &rows[0], NULL, 0), TAKO_ENOTFOUND);
    ck_assert_int_eq(keep_has(&b, HASH_B), 1);
    rows[0].refs = keep_refs_abc;
    ck_assert_int_eq(keep_add(&b, &rows[0], NULL, 0), TAKO_OK); /* A and B */
    box_close(&b);
}
END_TEST

START_TEST(content_of_a_refused_row_is_not_kept)
{
    struct box b;

    box_open(&b, _i);
    add_job(&b, "there", "t", 0);
    ck_assert_int_eq(keep_add_refs(&b, "there", keep_refs_ab, 2), TAKO_ECONFLICT);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    ck_assert_int_eq(keep_add_refs(&b, "lacks", keep_refs_abc, 3), TAKO_ENOTFOUND);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    ck_assert_int_eq(keep_has(&b, HASH_B), 0);
    box_close(&b);
}
END_TEST

START_TEST(a_result_with_missing_content_fails_the_transaction)
{
    struct seen seen = {NULL, 0, 0};
    tako_finish f;
    struct box b;
    int result;

    box_open(&b, _i);
    ck_assert_int_eq(keep_add_refs(&b, "a", keep_refs_a, 1), TAKO_OK);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    seen_clear(&seen);
    f = an_end("a", 1, "n", TAKO_SUCCEEDED);
    f.refs = keep_refs_ab;
    f.n_refs = 2;
    MUST(b.ops->begin(b.self, err));
    REFUSED(b.ops->finish(b.self, &f, 1, &result, err), TAKO_ENOTFOUND, "refers to content");
    b.ops->rollback(b.self);
    ck_assert_int_eq(get_job(&b, "a").status, TAKO_RUNNING);
    f.n_refs = 1;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    ck_assert_int_eq(keep_purge(&b, "a", keep_refs_aab, 2), TAKO_OK); /* one of insert, one more */
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    box_close(&b);
}
END_TEST

START_TEST(a_late_finish_counts_nothing)
{
    struct seen seen = {NULL, 0, 0};
    tako_finish f;
    struct box b;
    int result;

    box_open(&b, _i);
    ck_assert_int_eq(keep_add_refs(&b, "a", keep_refs_a, 1), TAKO_OK);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    seen_clear(&seen);
    f = an_end("a", 7, "n", TAKO_SUCCEEDED);
    f.refs = keep_refs_ab;
    f.n_refs = 2;
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, &keep_b, 1, err));
    MUST(b.ops->finish(b.self, &f, 1, &result, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(result, TAKO_ESTATE);
    ck_assert_int_eq(keep_has(&b, HASH_B), 0);
    f = an_end("a", 1, "n", TAKO_SUCCEEDED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    ck_assert_int_eq(keep_purge(&b, "a", keep_refs_a, 1), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    box_close(&b);
}
END_TEST

static void keep_expect_part(struct box *b, const char *hash, const unsigned char *all, size_t size,
                             int64_t offset, int64_t limit)
{
    struct bytes got = {NULL, 99};
    size_t from = offset < (int64_t)size ? (size_t)offset : size, len = size - from;

    if (limit < (int64_t)len)
        len = (size_t)limit;
    MUST(b->ops->get_blob(b->self, hash, offset, limit, take_bytes, &got, err));
    ck_assert_msg(got.len == len, "%zu bytes at %lld+%lld of %zu", got.len, (long long)offset,
                  (long long)limit, size);
    ck_assert_int_eq(memcmp(got.data, all + from, len), 0);
    free(got.data);
}

START_TEST(content_is_lent_in_parts_to_the_byte)
{
    enum { BIG = 3 * 4096 + 77 };
    const int64_t at[] = {0,    1,       100,     2047,    4095,          4096,
                          8192, BIG - 1, BIG + 0, BIG + 1, INT64_MAX - 1, INT64_MAX};
    const char *refs[] = {HASH_A, HASH_B, HASH_C};
    unsigned char big[BIG + 1];
    tako_row row = a_row("a", "t", 0, 1000, 1000);
    tako_blob blobs[3] = {{HASH_A, big, BIG}, {HASH_B, "x", 1}, {HASH_C, NULL, 0}};
    struct bytes got = {NULL, 0};
    struct box b;
    size_t i, j;

    box_open(&b, _i);
    for (i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 7 + i / 256);
    row.refs = refs;
    row.n_refs = 3;
    ck_assert_int_eq(keep_add(&b, &row, blobs, 3), TAKO_OK);
    for (i = 0; i < sizeof at / sizeof at[0]; i++)
        for (j = 0; j < sizeof at / sizeof at[0]; j++) {
            keep_expect_part(&b, HASH_A, big, BIG, at[i], at[j]);
            keep_expect_part(&b, HASH_B, (const unsigned char *)"x", 1, at[i], at[j]);
            keep_expect_part(&b, HASH_C, big, 0, at[i], at[j]);
        }
    REFUSED(b.ops->get_blob(b.self, HASH_A, -1, 5, take_bytes, &got, err), TAKO_EINVAL, "part");
    REFUSED(b.ops->get_blob(b.self, HASH_A, 0, -1, take_bytes, &got, err), TAKO_EINVAL, "part");
    REFUSED(b.ops->get_blob(b.self, "dddd" HASH_A, 1, 1, take_bytes, &got, err),
            _i == CUSTOM ? TAKO_ENOTFOUND : TAKO_EINVAL, "content");
    ck_assert_ptr_null(got.data);
    REFUSED(b.ops->get_blob(b.self,
                            "1111111111111111111111111111111111111111111111111111111111111111", 1,
                            1, take_bytes, &got, err),
            TAKO_ENOTFOUND, "content");
    MUST(b.ops->begin(b.self, err)); /* the writing thread, inside its transaction */
    keep_expect_part(&b, HASH_A, big, BIG, 5000, 100);
    b.ops->rollback(b.self);
    box_close(&b);
}
END_TEST

/* ---- notes -------------------------------------------------------------------------------- */

static int keep_note(void *ctx, const void *data, size_t len)
{
    char *text = ctx;

    snprintf(text + strlen(text), 256 - strlen(text), "%.*s;", (int)len, (const char *)data);
    return strstr(text, "stop") != NULL ? 7 : 0;
}

static void keep_give_back(struct box *b, const char *id, int attempt, const char *text)
{
    struct seen seen = {NULL, 0, 0};
    tako_finish f = an_end(id, attempt, "n", TAKO_QUEUED);

    claim_jobs(b, "n", one_type("t"), 9, 2000, &seen);
    seen_clear(&seen);
    f.result = text;
    f.result_len = text != NULL ? strlen(text) : 0;
    f.failures = attempt;
    ck_assert_int_eq(finish_job(b, &f), TAKO_OK);
}

START_TEST(notes_are_kept_in_the_order_of_attempts)
{
    char text[256] = "";
    struct seen_row row;
    tako_finish f;
    struct seen seen = {NULL, 0, 0};
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 0);
    keep_give_back(&b, "a", 1, "{\"first\":1}");
    keep_give_back(&b, "a", 2, NULL);
    keep_give_back(&b, "a", 3, "{\"third\":\"\xc3\xa9\"}");
    row = get_job(&b, "a");
    ck_assert_int_eq(row.has_result, 0); /* a note is no result */
    ck_assert_int_eq(row.failures, 3);
    ck_assert_int_eq(row.attempt, 3);
    MUST(b.ops->history(b.self, "a", keep_note, text, err));
    ck_assert_str_eq(text, "{\"first\":1};{\"third\":\"\xc3\xa9\"};");
    claim_jobs(&b, "n", one_type("t"), 9, 2000, &seen);
    seen_clear(&seen);
    f = an_end("a", 4, "n", TAKO_FAILED);
    f.failures = 4;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    row = get_job(&b, "a");
    ck_assert_str_eq(row.result, "{\"r\":1}");
    ck_assert_int_eq(row.failures, 4);
    text[0] = '\0';
    MUST(b.ops->history(b.self, "a", keep_note, text, err));
    ck_assert_str_eq(text, "{\"first\":1};{\"third\":\"\xc3\xa9\"};");
    text[0] = '\0';
    MUST(b.ops->history(b.self, "unknown", keep_note, text, err));
    ck_assert_str_eq(text, "");
    snprintf(text, sizeof text, "stop");
    ck_assert_int_eq(b.ops->history(b.self, "a", keep_note, text, NULL), 7);
    ck_assert_str_eq(text, "stop{\"first\":1};");
    ck_assert_int_eq(keep_purge(&b, "a", NULL, 0), TAKO_OK);
    add_job(&b, "a", "t", 0); /* a namesake inherits nothing */
    text[0] = '\0';
    MUST(b.ops->history(b.self, "a", keep_note, text, err));
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(get_job(&b, "a").has_result, 0);
    box_close(&b);
}
END_TEST

START_TEST(a_cancel_leaves_the_count_of_failures)
{
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 0);
    keep_give_back(&b, "a", 1, NULL);
    keep_give_back(&b, "a", 2, NULL);
    keep_cancel(&b, "a");
    ck_assert_int_eq(get_job(&b, "a").failures, 2);
    box_close(&b);
}
END_TEST

/* ---- retention ---------------------------------------------------------------------------- */

/* A job that ended, submitted at this instant. */
static void keep_ended(struct box *b, const char *id, const char *type, int64_t created_us,
                       tako_status status, const tako_dead *dead)
{
    tako_row row = a_row(id, type, 100, created_us, created_us);
    struct seen seen = {NULL, 0, 0};
    tako_finish f = an_end(id, 1, "n", status);

    add_row(b, &row);
    claim_jobs(b, "n", one_type(type), 1, INT64_MAX - 1, &seen);
    expect_ids(&seen, id);
    seen_clear(&seen);
    f.dead = dead;
    ck_assert_int_eq(finish_job(b, &f), TAKO_OK);
}

static void keep_expired(struct box *b, int64_t before_us, size_t limit, const char *ids)
{
    struct seen seen = {NULL, 0, 0};

    MUST(b->ops->expired(b->self, before_us, limit, seen_add, &seen, err));
    expect_ids(&seen, ids);
    seen_clear(&seen);
}

START_TEST(only_ended_jobs_without_a_dead_letter_expire_the_oldest_first)
{
    tako_dead dead = a_dead_letter("runtime_error", 1);
    struct seen seen = {NULL, 0, 0};
    struct box b;

    box_open(&b, _i);
    keep_expired(&b, INT64_MAX, 10, "");
    keep_ended(&b, "e500", "t", 500, TAKO_SUCCEEDED, NULL);
    keep_ended(&b, "e100", "u", 100, TAKO_TIMEOUT, NULL);
    keep_ended(&b, "e300", "t", 300, TAKO_FAILED, NULL);
    keep_ended(&b, "dead", "t", 50, TAKO_FAILED, &dead);
    keep_ended(&b, "e200", "t", 200, TAKO_OOM, NULL);
    keep_ended(&b, "e400", "v", 400, TAKO_CANCELLED, NULL);
    add_job(&b, "runs", "w", 5);
    claim_jobs(&b, "n", one_type("w"), 1, 5000, &seen);
    seen_clear(&seen);
    add_job(&b, "waits", "w", 5);
    keep_expired(&b, INT64_MAX, 10, "e100 e200 e300 e400 e500");
    keep_expired(&b, 400, 10, "e100 e200 e300"); /* before, not at */
    keep_expired(&b, 401, 10, "e100 e200 e300 e400");
    keep_expired(&b, INT64_MAX, 2, "e100 e200");
    keep_expired(&b, INT64_MAX, 0, "");
    keep_expired(&b, 100, 10, "");
    seen.stop_at = 2;
    ck_assert_int_eq(b.ops->expired(b.self, INT64_MAX, 10, seen_add, &seen, NULL), 7);
    expect_ids(&seen, "e100 e200");
    ck_assert_str_eq(seen.rows[0].result, "{\"r\":1}");
    seen_clear(&seen);
    ck_assert_int_eq(keep_purge(&b, "e200", NULL, 0), TAKO_OK);
    keep_expired(&b, INT64_MAX, 2, "e100 e300");
    box_close(&b);
}
END_TEST

START_TEST(purge_removes_ended_rows_only_and_wholly)
{
    const char *ids[] = {"ended", "unknown", "runs", "waits", "dead", "ended2", "ended"};
    tako_dead dead = a_dead_letter("runtime_error", 1);
    struct seen seen = {NULL, 0, 0};
    tako_filter f = TAKO_FILTER_INIT;
    tako_removal items[7];
    int results[7], i;
    struct box b;

    box_open(&b, _i);
    keep_ended(&b, "ended", "t", 500, TAKO_SUCCEEDED, NULL);
    keep_ended(&b, "ended2", "t", 501, TAKO_FAILED, NULL);
    keep_ended(&b, "dead", "t", 50, TAKO_FAILED, &dead);
    add_job(&b, "runs", "w", 5);
    claim_jobs(&b, "n", one_type("w"), 1, 5000, &seen);
    add_job(&b, "waits", "w", 5);
    memset(items, 0, sizeof items);
    for (i = 0; i < 7; i++) {
        items[i].size = sizeof items[i];
        items[i].id = ids[i];
    }
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->purge(b.self, items, 7, results, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    ck_assert_int_eq(results[1], TAKO_ENOTFOUND);
    ck_assert_int_eq(results[2], TAKO_ESTATE);
    ck_assert_int_eq(results[3], TAKO_ESTATE);
    ck_assert_int_eq(results[4], TAKO_ESTATE);
    ck_assert_int_eq(results[5], TAKO_OK);
    ck_assert_int_eq(results[6], TAKO_ENOTFOUND);
    ck_assert_str_eq(get_job(&b, "ended").id, "");
    seen_clear(&seen);
    MUST(b.ops->list(b.self, &f, seen_add, &seen, err));
    expect_ids(&seen, "waits runs dead");
    seen_clear(&seen);
    expect_count(&b, 1, 1);
    add_job(&b, "ended", "t", 0); /* the id is free */
    ck_assert_int_eq(get_job(&b, "ended").has_result, 0);
    box_close(&b);
}
END_TEST

/* ---- dead letters ------------------------------------------------------------------------- */

struct keep_letters {
    int64_t ids[16];
    char jobs[256]; /* "job/type " of each */
    tako_dead last; /* its texts are gone */
    char texts[256];
    size_t n, stop_at;
};

static int keep_letter(void *ctx, const tako_dead *d)
{
    struct keep_letters *all = ctx;

    ck_assert_uint_lt(all->n, 16);
    all->ids[all->n++] = d->id;
    snprintf(all->jobs + strlen(all->jobs), sizeof all->jobs - strlen(all->jobs), "%s/%s ",
             d->job_id, d->type);
    snprintf(all->texts, sizeof all->texts, "%s|%s|%s|%s|%s", d->error_type, d->error_message,
             d->client_ip != NULL ? d->client_ip : "-",
             d->correlation_id != NULL ? d->correlation_id : "-", d->summary);
    all->last = *d;
    return all->n == all->stop_at ? 7 : 0;
}

static struct keep_letters keep_list_dead(struct box *b, const tako_dead_filter *f, int64_t before)
{
    struct keep_letters all;

    memset(&all, 0, sizeof all);
    MUST(b->ops->list_dead(b->self, f, before, keep_letter, &all, err));
    return all;
}

static int keep_drop_dead(struct box *b, int64_t id)
{
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->drop_dead(b->self, &id, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    return result;
}

START_TEST(a_dead_letter_comes_back_as_it_was_given)
{
    tako_dead_filter f = TAKO_DEAD_FILTER_INIT;
    tako_dead dead = a_dead_letter("runtime_error", INT64_C(9007199254740993));
    struct keep_letters all;
    struct box b;

    box_open(&b, _i);
    keep_ended(&b, "poor", "t", 10, TAKO_FAILED, &dead);
    all = keep_list_dead(&b, &f, 0);
    ck_assert_str_eq(all.jobs, "poor/t ");
    ck_assert_str_eq(all.texts, "runtime_error|it \"failed\"|-|-|{\"s\":1}");
    ck_assert_int_gt(all.ids[0], 0);
    ck_assert_int_eq(all.last.created_us, INT64_C(9007199254740993));
    ck_assert_int_eq(all.last.retry_count, 0);
    ck_assert_uint_eq(all.last.size, sizeof(tako_dead));
    dead.client_ip = "::1";
    dead.correlation_id = "c-1";
    dead.retry_count = 3;
    dead.id = 77; /* is the store's to give */
    dead.job_id = "somebody else";
    dead.type = "something else";
    keep_ended(&b, "poor2", "u", 10, TAKO_TIMEOUT, &dead);
    all = keep_list_dead(&b, &f, 0);
    ck_assert_str_eq(all.jobs, "poor2/u poor/t ");
    ck_assert_int_gt(all.ids[0], all.ids[1]);
    memset(&all.jobs, 0, sizeof all.jobs);
    all.n = 0;
    MUST(b.ops->get_dead(b.self, all.ids[0], keep_letter, &all, err));
    ck_assert_str_eq(all.jobs, "poor2/u ");
    ck_assert_str_eq(all.texts, "runtime_error|it \"failed\"|::1|c-1|{\"s\":1}");
    ck_assert_int_eq(all.last.retry_count, 3);
    REFUSED(b.ops->get_dead(b.self, 4711, keep_letter, &all, err), TAKO_ENOTFOUND, "dead letter");
    ck_assert_int_eq(get_job(&b, "poor2").status, TAKO_TIMEOUT);
    box_close(&b);
}
END_TEST

START_TEST(dead_letters_are_listed_newest_first_and_obey_every_filter)
{
    const char *const types[] = {"a", "b", "a", "a", "b"};
    const int64_t created[] = {500, 100, 300, 100, 400};
    tako_dead_filter f = TAKO_DEAD_FILTER_INIT;
    struct keep_letters all;
    int64_t ids[5];
    tako_dead dead;
    char id[8];
    struct box b;
    int i;

    box_open(&b, _i);
    ck_assert_uint_eq(keep_list_dead(&b, &f, 0).n, 0);
    for (i = 0; i < 5; i++) {
        dead = a_dead_letter(types[i], created[i]);
        snprintf(id, sizeof id, "j%d", i);
        keep_ended(&b, id, "t", 10, TAKO_FAILED, &dead);
    }
    all = keep_list_dead(&b, &f, 0);
    ck_assert_str_eq(all.jobs, "j4/t j3/t j2/t j1/t j0/t ");
    memcpy(ids, all.ids, sizeof ids);
    f.limit = 2;
    ck_assert_str_eq(keep_list_dead(&b, &f, 0).jobs, "j4/t j3/t ");
    f.before = ids[1];
    ck_assert_str_eq(keep_list_dead(&b, &f, 0).jobs, "j2/t j1/t ");
    f.before = ids[3];
    ck_assert_str_eq(keep_list_dead(&b, &f, 0).jobs, "j0/t ");
    f.before = ids[4];
    ck_assert_uint_eq(keep_list_dead(&b, &f, 0).n, 0);
    f.before = 0;
    f.error_type = "a";
    ck_assert_str_eq(keep_list_dead(&b, &f, 0).jobs, "j3/t j2/t ");
    f.limit = 0;
    f.before = ids[1];
    ck_assert_str_eq(keep_list_dead(&b, &f, 0).jobs, "j2/t j0/t ");
    f.error_type = "nothing like it";
    ck_assert_uint_eq(keep_list_dead(&b, &f, 0).n, 0);
    /* what retention asks for: by age */
    f.error_type = NULL;
    f.before = 0;
    ck_assert_str_eq(keep_list_dead(&b, &f, 400).jobs, "j1/t j3/t j2/t ");
    f.limit = 1;
    ck_assert_str_eq(keep_list_dead(&b, &f, 400).jobs, "j1/t ");
    ck_assert_uint_eq(keep_list_dead(&b, &f, 100).n, 0);
    f.limit = 0;
    memset(&all, 0, sizeof all);
    all.stop_at = 2;
    ck_assert_int_eq(b.ops->list_dead(b.self, &f, 0, keep_letter, &all, NULL), 7);
    ck_assert_str_eq(all.jobs, "j4/t j3/t ");
    box_close(&b);
}
END_TEST

static int keep_stat(void *ctx, const char *error_type, int64_t count)
{
    char *text = ctx;

    snprintf(text + strlen(text), 256 - strlen(text), "%s=%lld ", error_type, (long long)count);
    return count == 1 && text[0] == '!' ? 7 : 0;
}

static void keep_expect_stats(struct box *b, const char *expected)
{
    char text[256] = "";

    MUST(b->ops->count_dead(b->self, keep_stat, text, err));
    ck_assert_str_eq(text, expected);
}

START_TEST(dead_letters_are_counted_and_dropped)
{
    const char *const types[] = {"b", "c", "a", "c", "d", "c", "b", "a"};
    tako_dead_filter f = TAKO_DEAD_FILTER_INIT;
    struct keep_letters all;
    char id[8], text[256] = "!";
    int64_t ids[2], newest;
    tako_dead dead;
    int results[2], i;
    struct box b;

    box_open(&b, _i);
    keep_expect_stats(&b, "");
    for (i = 0; i < 8; i++) {
        dead = a_dead_letter(types[i], 100 + i);
        snprintf(id, sizeof id, "j%d", i);
        keep_ended(&b, id, "t", 10 + i, TAKO_FAILED, &dead);
    }
    keep_expect_stats(&b, "c=3 a=2 b=2 d=1 ");
    ck_assert_int_eq(b.ops->count_dead(b.self, keep_stat, text, NULL), 7);
    all = keep_list_dead(&b, &f, 0);
    newest = all.ids[0];
    keep_expired(&b, INT64_MAX, 10, "");
    ids[0] = newest;
    ids[1] = newest; /* twice */
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->drop_dead(b.self, ids, 2, results, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    ck_assert_int_eq(results[1], TAKO_ENOTFOUND);
    keep_expect_stats(&b, "c=3 b=2 a=1 d=1 ");
    ck_assert_int_eq(keep_drop_dead(&b, all.ids[3]), TAKO_OK); /* j4, the only d */
    ck_assert_int_eq(keep_drop_dead(&b, 0), TAKO_ENOTFOUND);
    keep_expect_stats(&b, "c=3 b=2 a=1 ");
    keep_expired(&b, INT64_MAX, 10, "j4 j7"); /* their records may go now */
    ck_assert_int_eq(get_job(&b, "j4").status, TAKO_FAILED);
    ck_assert_int_eq(keep_purge(&b, "j0", NULL, 0), TAKO_ESTATE);
    ck_assert_int_eq(keep_purge(&b, "j7", NULL, 0), TAKO_OK);
    dead = a_dead_letter("d", 200);
    keep_ended(&b, "later", "t", 900, TAKO_FAILED, &dead);
    all = keep_list_dead(&b, &f, 0);
    ck_assert_str_eq(all.jobs, "later/t j6/t j5/t j3/t j2/t j1/t j0/t ");
    ck_assert_int_gt(all.ids[0], newest); /* no id is given twice */
    box_close(&b);
}
END_TEST

/* ---- versions ----------------------------------------------------------------------------- */

static int keep_version(void *ctx, const tako_version_info *v)
{
    char *text = ctx;

    ck_assert_uint_eq(strlen(v->definition), v->definition_len);
    snprintf(text + strlen(text), 512 - strlen(text), "%s:%c:%s:%lld:%s:%.2s:%s ", v->type,
             v->digest[0], v->tag, (long long)v->built_us, v->built_by, v->requirements_hash,
             v->definition);
    return strchr(text, '!') != NULL ? 7 : 0;
}

static void keep_put_version(struct box *b, const char *type, const char *digest, const char *tag,
                             int64_t built_us, const char *definition)
{
    tako_version_info v = {
        sizeof v, type, tag, digest, built_us, "config", HASH_C, definition, strlen(definition)};

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->put_version(b->self, &v, err));
    MUST(b->ops->commit(b->self, err));
}

static void keep_expect_versions(struct box *b, const char *type, const char *expected)
{
    char text[512] = "";

    MUST(b->ops->versions(b->self, type, keep_version, text, err));
    ck_assert_str_eq(text, expected);
}

START_TEST(versions_are_replaced_by_digest_and_listed_newest_first)
{
    char text[512] = "!";
    struct box b;

    box_open(&b, _i);
    keep_expect_versions(&b, NULL, "");
    keep_put_version(&b, "t", HASH_A, "", 100, "{}");
    keep_put_version(&b, "t", HASH_B, "v2", 300, "{\"n\":2}");
    keep_put_version(&b, "t", HASH_C, "v3", 300, "{\"n\":3}");
    keep_put_version(&b, "u", HASH_B, "v1", 300, "{\"u\":1}");
    keep_put_version(&b, "u", HASH_A, "", 200, "{}");
    keep_expect_versions(&b, "t",
                         "t:b:v2:300:config:cc:{\"n\":2} t:c:v3:300:config:cc:{\"n\":3} "
                         "t:a::100:config:cc:{} ");
    keep_expect_versions(&b, "u", "u:b:v1:300:config:cc:{\"u\":1} u:a::200:config:cc:{} ");
    keep_expect_versions(&b, "none", "");
    keep_put_version(&b, "t", HASH_A, "again", 400, "{\"n\":1}");
    keep_expect_versions(&b, NULL,
                         "t:a:again:400:config:cc:{\"n\":1} t:b:v2:300:config:cc:{\"n\":2} "
                         "u:b:v1:300:config:cc:{\"u\":1} t:c:v3:300:config:cc:{\"n\":3} "
                         "u:a::200:config:cc:{} ");
    ck_assert_int_eq(b.ops->versions(b.self, "t", keep_version, text, NULL), 7);
    box_close(&b);
}
END_TEST

/* ---- rollback ----------------------------------------------------------------------------- */

START_TEST(rollback_undoes_all_of_it)
{
    tako_dead dead = a_dead_letter("runtime_error", 9), dead2 = a_dead_letter("other", 8);
    tako_version_info v = {sizeof v, "t", "", HASH_A, 5, "config", HASH_B, "{}", 2};
    tako_removal removal = {sizeof removal, "old", keep_refs_a, 1};
    tako_dead_filter df = TAKO_DEAD_FILTER_INIT;
    const tako_blob blobs[2] = {keep_a, keep_b};
    struct seen seen = {NULL, 0, 0};
    struct keep_letters all;
    char text[256] = "";
    tako_finish f[2];
    tako_row row;
    struct box b;
    int results[2];

    box_open(&b, _i);
    keep_put_version(&b, "t", HASH_A, "before", 1, "{\"old\":1}");
    ck_assert_int_eq(keep_add_refs(&b, "old", keep_refs_a, 1), TAKO_OK);
    keep_cancel(&b, "old");
    keep_ended(&b, "buried", "x", 10, TAKO_FAILED, &dead);
    all = keep_list_dead(&b, &df, 0);
    add_job(&b, "one", "t", 0);
    add_job(&b, "two", "t", 0);
    claim_jobs(&b, "n", one_type("t"), 2, 2000, &seen);
    seen_clear(&seen);
    f[0] = an_end("one", 1, "n", TAKO_QUEUED);
    f[0].result = "{\"note\":1}";
    f[0].result_len = 10;
    f[0].failures = 1;
    f[1] = an_end("two", 1, "n", TAKO_FAILED);
    f[1].dead = &dead2;
    f[1].refs = keep_refs_ab;
    f[1].n_refs = 2;
    row = a_row("new", "t", 0, 1000, 1000);
    row.key = "new-key";
    row.refs = keep_refs_ab;
    row.n_refs = 2;
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, blobs, 2, err));
    MUST(b.ops->insert(b.self, &row, 1, results, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    MUST(b.ops->finish(b.self, f, 2, results, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    ck_assert_int_eq(results[1], TAKO_OK);
    MUST(b.ops->purge(b.self, &removal, 1, results, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    MUST(b.ops->drop_dead(b.self, all.ids, 1, results, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    MUST(b.ops->put_version(b.self, &v, err));
    b.ops->rollback(b.self);
    ck_assert_int_eq(keep_has(&b, HASH_A), 1);
    ck_assert_int_eq(keep_has(&b, HASH_B), 0);
    seen = keep_key(&b, "new-key");
    ck_assert_uint_eq(seen.n, 0);
    ck_assert_int_eq(get_job(&b, "one").failures, 0);
    ck_assert_int_eq(get_job(&b, "two").status, TAKO_RUNNING);
    ck_assert_int_eq(get_job(&b, "two").has_result, 0);
    ck_assert_str_eq(get_job(&b, "old").result, "{\"c\":1}");
    MUST(b.ops->history(b.self, "one", keep_note, text, err));
    ck_assert_str_eq(text, "");
    ck_assert_str_eq(keep_list_dead(&b, &df, 0).jobs, "buried/x ");
    keep_expect_stats(&b, "runtime_error=1 ");
    keep_expired(&b, INT64_MAX, 10, "old");
    keep_expect_versions(&b, NULL, "t:a:before:1:config:cc:{\"old\":1} ");
    /* the counts are as they were: one use of A */
    ck_assert_int_eq(keep_purge(&b, "old", keep_refs_a, 1), TAKO_OK);
    ck_assert_int_eq(keep_has(&b, HASH_A), 0);
    box_close(&b);
}
END_TEST

Suite *suite_store_keep(void);
Suite *suite_store_keep(void)
{
    Suite *s = suite_create("store_keep");
    TCase *c = tcase_create("contract");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, a_key_belongs_to_one_row_until_that_is_purged, 0, STORES);
    tcase_add_loop_test(c, a_key_twice_in_one_batch_is_refused_and_seen_inside_the_transaction, 0,
                        STORES);
    tcase_add_loop_test(c, content_lives_as_long_as_a_row_refers_to_it, 0, STORES);
    tcase_add_loop_test(c, a_row_whose_content_is_missing_is_not_inserted, 0, STORES);
    tcase_add_loop_test(c, content_of_a_refused_row_is_not_kept, 0, STORES);
    tcase_add_loop_test(c, a_result_with_missing_content_fails_the_transaction, 0, STORES);
    tcase_add_loop_test(c, a_late_finish_counts_nothing, 0, STORES);
    tcase_add_loop_test(c, content_is_lent_in_parts_to_the_byte, 0, STORES);
    tcase_add_loop_test(c, notes_are_kept_in_the_order_of_attempts, 0, STORES);
    tcase_add_loop_test(c, a_cancel_leaves_the_count_of_failures, 0, STORES);
    tcase_add_loop_test(c, only_ended_jobs_without_a_dead_letter_expire_the_oldest_first, 0,
                        STORES);
    tcase_add_loop_test(c, purge_removes_ended_rows_only_and_wholly, 0, STORES);
    tcase_add_loop_test(c, a_dead_letter_comes_back_as_it_was_given, 0, STORES);
    tcase_add_loop_test(c, dead_letters_are_listed_newest_first_and_obey_every_filter, 0, STORES);
    tcase_add_loop_test(c, dead_letters_are_counted_and_dropped, 0, STORES);
    tcase_add_loop_test(c, versions_are_replaced_by_digest_and_listed_newest_first, 0, STORES);
    tcase_add_loop_test(c, rollback_undoes_all_of_it, 0, STORES);
    suite_add_tcase(s, c);
    return s;
}
