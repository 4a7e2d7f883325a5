/* check_store.c - what every store promises (tako.h, "stores"), run against each: SQLite in
 * memory, SQLite in a file, and a store that a host wrote with tako.h alone.
 * SPDX-License-Identifier: MIT */
#include "store_kinds.h"

#include <stdatomic.h>

START_TEST(a_new_row_comes_back_as_it_was_given)
{
    tako_row row = a_row("a", "python", -7, INT64_C(9007199254740993),
                         INT64_C(9223372036854775806));
    struct seen_row got;
    struct box b;

    box_open(&b, _i);
    row.deaths = 2;
    row.failures = 3;
    row.key = "a key of its own";
    row.parent = "gone long ago";
    row.spec = "{\"text\":\"\xc3\xa9\xf0\x9f\x90\x99\"}";
    row.spec_len = strlen(row.spec);
    add_row(&b, &row);
    got = get_job(&b, "a");
    ck_assert_str_eq(got.id, "a");
    ck_assert_str_eq(got.type, "python");
    ck_assert_int_eq(got.status, TAKO_QUEUED);
    ck_assert_int_eq(got.priority, -7);
    ck_assert_int_eq(got.attempt, 0);
    ck_assert_int_eq(got.deaths, 2);
    ck_assert_int_eq(got.failures, 3);
    ck_assert_str_eq(got.key, "a key of its own");
    ck_assert_str_eq(got.parent, "gone long ago");
    ck_assert_int_eq(got.cancel, 0);
    ck_assert_str_eq(got.node, "");
    ck_assert_int_eq(got.created_us, INT64_C(9007199254740993)); /* 2^53 + 1 */
    ck_assert_int_eq(got.run_at_us, INT64_C(9223372036854775806));
    ck_assert_int_eq(got.started_us, 0);
    ck_assert_int_eq(got.ended_us, 0);
    ck_assert_str_eq(got.spec, row.spec);
    ck_assert_int_eq(got.has_result, 0);
    ck_assert_str_eq(get_job(&b, "unknown").id, "");
    box_close(&b);
}
END_TEST

START_TEST(get_leaves_unknown_ids_out_and_stops_when_told)
{
    const char *ids[] = {"a", "nobody", "b", "c"};
    struct seen seen = {NULL, 0, 0};
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 0);
    add_job(&b, "b", "t", 0);
    add_job(&b, "c", "t", 0);
    MUST(b.ops->get(b.self, ids, 4, seen_add, &seen, err));
    ck_assert_uint_eq(seen.n, 3);
    seen_clear(&seen);
    seen.stop_at = 2;
    ck_assert_int_eq(b.ops->get(b.self, ids, 4, seen_add, &seen, NULL), 7);
    ck_assert_uint_eq(seen.n, 2);
    seen_clear(&seen);
    MUST(b.ops->get(b.self, ids, 4, seen_add, &seen, err)); /* nothing is left half open */
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_conflict_spoils_only_its_own_item)
{
    struct seen seen = {NULL, 0, 0};
    tako_row rows[4];
    int results[4];
    struct box b;

    box_open(&b, _i);
    add_job(&b, "old", "t", 3);
    rows[0] = a_row("new", "t", 0, 1000, 1000);
    rows[1] = a_row("old", "other", 9, 1000, 1000);
    rows[2] = a_row("new", "t", 9, 1000, 1000); /* twice in one batch */
    rows[3] = a_row("last", "t", 0, 1000, 1000);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->insert(b.self, rows, 4, results, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(results[0], TAKO_OK);
    ck_assert_int_eq(results[1], TAKO_ECONFLICT);
    ck_assert_int_eq(results[2], TAKO_ECONFLICT);
    ck_assert_int_eq(results[3], TAKO_OK);
    ck_assert_int_eq(get_job(&b, "old").priority, 3);
    ck_assert_str_eq(get_job(&b, "old").type, "t");
    ck_assert_int_eq(get_job(&b, "new").priority, 0);
    expect_count(&b, 3, 0);
    claim_jobs(&b, "n", one_type("t"), 10, 2000, &seen);
    expect_ids(&seen, "old new last");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(claims_go_by_priority_then_by_insertion_also_across_types)
{
    const char *types[] = {"x", "unheard-of", "y", NULL};
    struct seen seen = {NULL, 0, 0};
    struct box b;

    box_open(&b, _i);
    add_job(&b, "z1", "x", 0);
    add_job(&b, "a2", "y", 0);
    add_job(&b, "m3", "x", 100);
    add_job(&b, "b4", "y", -100);
    add_job(&b, "q5", "x", 0);
    add_job(&b, "c6", "y", 100);
    add_job(&b, "o7", "other", 100);
    claim_jobs(&b, "n", types, 4, 2000, &seen);
    expect_ids(&seen, "m3 c6 z1 a2");
    claim_jobs(&b, "n", types, 4, 2000, &seen);
    expect_ids(&seen, "q5 b4");
    claim_jobs(&b, "n", types, 4, 2000, &seen);
    ck_assert_uint_eq(seen.n, 0);
    expect_count(&b, 1, 6);
    ck_assert_int_eq(get_job(&b, "o7").status, TAKO_QUEUED);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_claim_lends_the_row_as_it_is_from_now_on)
{
    struct seen seen = {NULL, 0, 0};
    struct seen_row got;
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 1);
    claim_jobs(&b, "node-1", one_type("t"), 1, 2345, &seen);
    ck_assert_uint_eq(seen.n, 1);
    got = get_job(&b, "a");
    ck_assert_int_eq(memcmp(&got, &seen.rows[0], sizeof got), 0);
    ck_assert_int_eq(got.status, TAKO_RUNNING);
    ck_assert_int_eq(got.attempt, 1);
    ck_assert_str_eq(got.node, "node-1");
    ck_assert_int_eq(got.started_us, 2345);
    ck_assert_str_eq(got.spec, "{\"k\":1}");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_claim_of_nothing_claims_nothing)
{
    struct seen seen = {NULL, 0, 0};
    const char *none[] = {NULL};
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 1);
    claim_jobs(&b, "n", one_type("t"), 0, 2000, &seen);
    ck_assert_uint_eq(seen.n, 0);
    claim_jobs(&b, "n", none, 5, 2000, &seen);
    ck_assert_uint_eq(seen.n, 0);
    expect_count(&b, 1, 0);
    box_close(&b);
}
END_TEST

START_TEST(delayed_jobs_wait_for_their_time_then_take_their_place)
{
    struct seen seen = {NULL, 0, 0};
    tako_row row;
    struct box b;
    int64_t due;

    box_open(&b, _i);
    row = a_row("later", "t", 9, 1000, 5000);
    add_row(&b, &row);
    row = a_row("sooner", "t", 1, 1000, 3000);
    add_row(&b, &row);
    MUST(b.ops->next_due(b.self, one_type("t"), &due, err));
    ck_assert_int_eq(due, 3000);
    claim_jobs(&b, "n", one_type("t"), 10, 2999, &seen);
    ck_assert_uint_eq(seen.n, 0);
    claim_jobs(&b, "n", one_type("t"), 10, 3000, &seen);
    expect_ids(&seen, "sooner");
    row = a_row("now", "t", 5, 4000, 4000);
    add_row(&b, &row);
    MUST(b.ops->next_due(b.self, one_type("t"), &due, err));
    ck_assert_int_eq(due, 4000);
    claim_jobs(&b, "n", one_type("t"), 1, 6000, &seen); /* due now, and of higher priority */
    expect_ids(&seen, "later");
    claim_jobs(&b, "n", one_type("t"), 1, 6000, &seen);
    expect_ids(&seen, "now");
    MUST(b.ops->next_due(b.self, one_type("t"), &due, err));
    ck_assert_int_eq(due, INT64_MAX);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_clock_that_goes_back_makes_nothing_due)
{
    struct seen seen = {NULL, 0, 0};
    tako_row row = a_row("future", "t", 9, 9000, 9000);
    struct box b;
    int64_t due;

    box_open(&b, _i);
    add_row(&b, &row);
    add_job(&b, "past", "t", 0);
    claim_jobs(&b, "n", one_type("t"), 1, 5000, &seen);
    expect_ids(&seen, "past");
    claim_jobs(&b, "n", one_type("t"), 1, 5000, &seen);
    ck_assert_uint_eq(seen.n, 0);
    MUST(b.ops->next_due(b.self, one_type("t"), &due, err));
    ck_assert_int_eq(due, 9000);
    expect_count(&b, 1, 1);
    claim_jobs(&b, "n", one_type("t"), 1, 9000, &seen);
    expect_ids(&seen, "future");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(next_due_looks_at_its_types_only)
{
    const char *both[] = {"a", "b", NULL};
    tako_row row = a_row("1", "a", 0, 1000, 7000);
    struct box b;
    int64_t due;

    box_open(&b, _i);
    add_row(&b, &row);
    row = a_row("2", "b", 0, 1000, 6000);
    add_row(&b, &row);
    MUST(b.ops->next_due(b.self, one_type("a"), &due, err));
    ck_assert_int_eq(due, 7000);
    MUST(b.ops->next_due(b.self, both, &due, err));
    ck_assert_int_eq(due, 6000);
    MUST(b.ops->next_due(b.self, one_type("c"), &due, err));
    ck_assert_int_eq(due, INT64_MAX);
    box_close(&b);
}
END_TEST

START_TEST(a_finish_is_accepted_once_from_the_holder_only)
{
    struct seen seen = {NULL, 0, 0};
    struct seen_row got;
    tako_finish f;
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 0);
    f = an_end("a", 1, "n", TAKO_SUCCEEDED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE); /* not claimed yet */
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    f.node = "other";
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE);
    f.node = "n";
    f.attempt = 2;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE);
    f.attempt = 1;
    f.id = "unknown";
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE);
    ck_assert_int_eq(get_job(&b, "a").status, TAKO_RUNNING);
    f.id = "a";
    f.deaths = 1;
    f.started_us = 2100;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    got = get_job(&b, "a");
    ck_assert_int_eq(got.status, TAKO_SUCCEEDED);
    ck_assert_int_eq(got.deaths, 1);
    ck_assert_int_eq(got.started_us, 2100);
    ck_assert_int_eq(got.ended_us, 3000);
    ck_assert_int_eq(got.run_at_us, 1000);
    ck_assert_str_eq(got.result, "{\"r\":1}");
    f.status = TAKO_FAILED;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE); /* twice */
    ck_assert_int_eq(get_job(&b, "a").status, TAKO_SUCCEEDED);
    expect_count(&b, 0, 0);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(a_job_given_back_is_claimed_again_and_fences_the_old_attempt)
{
    struct seen seen = {NULL, 0, 0};
    struct seen_row got;
    tako_finish f;
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 0);
    add_job(&b, "b", "t", 0);
    claim_jobs(&b, "n1", one_type("t"), 1, 2000, &seen);
    f = an_end("a", 1, "n1", TAKO_QUEUED);
    f.deaths = 1;
    f.run_at_us = 2500;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    got = get_job(&b, "a");
    ck_assert_int_eq(got.status, TAKO_QUEUED);
    ck_assert_int_eq(got.attempt, 1);
    ck_assert_int_eq(got.deaths, 1);
    ck_assert_int_eq(got.run_at_us, 2500);
    ck_assert_int_eq(got.started_us, 0);
    ck_assert_int_eq(got.ended_us, 0);
    ck_assert_int_eq(got.has_result, 0);
    expect_count(&b, 2, 0);
    claim_jobs(&b, "n2", one_type("t"), 1, 3000, &seen); /* in its old place, before b */
    expect_ids(&seen, "a");
    ck_assert_int_eq(seen.rows[0].attempt, 2);
    f = an_end("a", 1, "n1", TAKO_SUCCEEDED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_ESTATE);
    f = an_end("a", 2, "n2", TAKO_FAILED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    ck_assert_int_eq(get_job(&b, "a").status, TAKO_FAILED);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(cancel_ends_what_waits_and_asks_what_runs)
{
    struct seen seen = {NULL, 0, 0};
    struct seen_row got;
    tako_row late = a_row("late", "t", 0, 1000, 99000);
    tako_status was;
    tako_finish f;
    struct box b;

    box_open(&b, _i);
    add_job(&b, "runs", "t", 9);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    add_job(&b, "waits", "t", 0);
    add_row(&b, &late);
    ck_assert_int_eq(cancel_job(&b, "waits", &was), TAKO_OK);
    ck_assert_int_eq(was, TAKO_QUEUED);
    got = get_job(&b, "waits");
    ck_assert_int_eq(got.status, TAKO_CANCELLED);
    ck_assert_int_eq(got.ended_us, 5000);
    ck_assert_str_eq(got.result, "{\"c\":1}");
    ck_assert_int_eq(cancel_job(&b, "late", &was), TAKO_OK);
    claim_jobs(&b, "n", one_type("t"), 9, 999999, &seen);
    ck_assert_uint_eq(seen.n, 0); /* neither is claimable any more */
    ck_assert_int_eq(cancel_job(&b, "runs", &was), TAKO_OK);
    ck_assert_int_eq(was, TAKO_RUNNING);
    ck_assert_int_eq(cancel_job(&b, "runs", &was), TAKO_OK); /* asking again is allowed */
    got = get_job(&b, "runs");
    ck_assert_int_eq(got.status, TAKO_RUNNING);
    ck_assert_int_eq(got.cancel, 1);
    ck_assert_int_eq(got.has_result, 0);
    ck_assert_int_eq(cancel_job(&b, "waits", &was), TAKO_ESTATE);
    ck_assert_int_eq(was, TAKO_CANCELLED);
    ck_assert_int_eq(cancel_job(&b, "unknown", &was), TAKO_ENOTFOUND);
    expect_count(&b, 0, 1);
    f = an_end("runs", 1, "n", TAKO_CANCELLED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    expect_count(&b, 0, 0);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(held_and_cancel_requests_are_of_one_node)
{
    struct seen seen = {NULL, 0, 0};
    tako_status was;
    tako_finish f;
    struct box b;

    box_open(&b, _i);
    add_job(&b, "a", "t", 3);
    add_job(&b, "b", "t", 2);
    add_job(&b, "c", "t", 1);
    claim_jobs(&b, "n1", one_type("t"), 2, 2000, &seen);
    claim_jobs(&b, "n2", one_type("t"), 1, 2000, &seen);
    cancel_job(&b, "b", &was);
    cancel_job(&b, "c", &was);
    seen_clear(&seen);
    MUST(b.ops->held(b.self, "n1", seen_add, &seen, err));
    ck_assert_uint_eq(seen.n, 2);
    seen_clear(&seen);
    MUST(b.ops->cancel_requests(b.self, "n1", seen_add, &seen, err));
    expect_ids(&seen, "b");
    f = an_end("b", 1, "n1", TAKO_CANCELLED);
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    seen_clear(&seen);
    MUST(b.ops->cancel_requests(b.self, "n1", seen_add, &seen, err));
    ck_assert_uint_eq(seen.n, 0);
    MUST(b.ops->held(b.self, "n1", seen_add, &seen, err));
    expect_ids(&seen, "a");
    seen_clear(&seen);
    MUST(b.ops->held(b.self, "n3", seen_add, &seen, err));
    ck_assert_uint_eq(seen.n, 0);
    box_close(&b);
}
END_TEST

static int add_node(void *ctx, const tako_node *n)
{
    char *text = ctx;

    snprintf(text + strlen(text), 256 - strlen(text), "%s=%s/%lld ", n->id, n->identity,
             (long long)n->expires_us);
    return 0;
}

START_TEST(nodes_are_put_renewed_and_removed)
{
    tako_node n1 = {sizeof n1, "n1", "boot:1", 100}, n2 = {sizeof n2, "n2", "boot:2", 200};
    char text[256] = "";
    struct box b;

    box_open(&b, _i);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_node(b.self, &n1, err));
    MUST(b.ops->put_node(b.self, &n2, err));
    n1.expires_us = INT64_C(9007199254740993);
    MUST(b.ops->put_node(b.self, &n1, err));
    MUST(b.ops->commit(b.self, err));
    MUST(b.ops->nodes(b.self, add_node, text, err));
    ck_assert_ptr_nonnull(strstr(text, "n1=boot:1/9007199254740993 "));
    ck_assert_ptr_nonnull(strstr(text, "n2=boot:2/200 "));
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->remove_node(b.self, "n1", err));
    MUST(b.ops->remove_node(b.self, "unknown", err));
    MUST(b.ops->commit(b.self, err));
    text[0] = '\0';
    MUST(b.ops->nodes(b.self, add_node, text, err));
    ck_assert_str_eq(text, "n2=boot:2/200 ");
    box_close(&b);
}
END_TEST

static void list_jobs(struct box *b, const tako_filter *f, struct seen *seen)
{
    seen_clear(seen);
    MUST(b->ops->list(b->self, f, seen_add, seen, err));
}

START_TEST(lists_are_newest_first_and_obey_every_filter)
{
    struct seen seen = {NULL, 0, 0};
    tako_filter f = TAKO_FILTER_INIT;
    const char *const ids[] = {"d", "a", "c", "b", "e"};
    const int64_t created[] = {100, 200, 200, 300, 300};
    struct box b;
    tako_row row;
    size_t i;

    box_open(&b, _i);
    list_jobs(&b, &f, &seen);
    ck_assert_uint_eq(seen.n, 0);
    for (i = 0; i < 5; i++) {
        row = a_row(ids[i], i % 2 == 0 ? "even" : "odd", 0, created[i], created[i]);
        add_row(&b, &row);
    }
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "e b c a d");
    f.limit = 2;
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "e b");
    f.limit = 0;
    f.type = "odd";
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "b a");
    f.type = "unheard-of";
    list_jobs(&b, &f, &seen);
    ck_assert_uint_eq(seen.n, 0);
    f.type = NULL;
    claim_jobs(&b, "n", one_type("odd"), 1, 1000, &seen);
    expect_ids(&seen, "a");
    f.statuses = TAKO_STATUS_BIT(TAKO_RUNNING);
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "a");
    f.statuses |= TAKO_STATUS_BIT(TAKO_QUEUED);
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "e b c a d");
    f.statuses = TAKO_STATUS_BIT(TAKO_QUEUED);
    f.type = "odd";
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "b");
    f.statuses = 0;
    f.type = NULL;
    f.since_us = 200;
    f.before_us = 300;
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "c a");
    f.after = "e"; /* newer than all that is asked for */
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "c a");
    f.after = "c";
    list_jobs(&b, &f, &seen);
    expect_ids(&seen, "a");
    f.after = "unknown";
    REFUSED(b.ops->list(b.self, &f, seen_add, &seen, err), TAKO_ENOTFOUND, "does not exist");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

static void list_children(struct box *b, const tako_filter *f, const char *ids)
{
    struct seen seen = {NULL, 0, 0};

    MUST(b->ops->list(b->self, f, seen_add, &seen, err));
    expect_ids(&seen, ids);
    seen_clear(&seen);
}

START_TEST(children_are_listed_with_every_other_filter)
{
    const char *const ids[] = {"c1", "c2", "c3", "c4", "x1"};
    const char *const parents[] = {"root", "root", "root", "c1", NULL};
    const char *const types[] = {"t", "u", "t", "t", "t"};
    tako_dead dead = a_dead_letter("runtime_error", 1);
    tako_filter f = TAKO_FILTER_INIT;
    struct seen seen = {NULL, 0, 0};
    tako_finish end;
    struct box b;
    tako_row row;
    int i;

    box_open(&b, _i);
    add_job(&b, "root", "t", -1);
    for (i = 0; i < 5; i++) {
        row = a_row(ids[i], types[i], 0, 2000 + i, 2000 + i);
        row.parent = parents[i];
        add_row(&b, &row);
    }
    f.parent = "root";
    list_children(&b, &f, "c3 c2 c1");
    f.parent = "c1";
    list_children(&b, &f, "c4");
    f.parent = "c4";
    list_children(&b, &f, "");
    f.parent = "gone";
    list_children(&b, &f, "");
    f.parent = "root";
    f.type = "t";
    list_children(&b, &f, "c3 c1");
    claim_jobs(&b, "n", one_type("t"), 1, 5000, &seen);
    expect_ids(&seen, "c1");
    seen_clear(&seen);
    f.statuses = TAKO_STATUS_BIT(TAKO_QUEUED);
    list_children(&b, &f, "c3");
    f.statuses = TAKO_STATUS_BIT(TAKO_RUNNING);
    list_children(&b, &f, "c1");
    end = an_end("c1", 1, "n", TAKO_FAILED);
    end.dead = &dead;
    ck_assert_int_eq(finish_job(&b, &end), TAKO_OK);
    f.statuses = TAKO_STATUS_BIT(TAKO_FAILED); /* the dead one is among them */
    list_children(&b, &f, "c1");
    f.parent = NULL;
    list_children(&b, &f, "c1");
    f.parent = "root";
    f.statuses = 0;
    f.type = NULL;
    f.since_us = 2001;
    list_children(&b, &f, "c3 c2");
    f.before_us = 2002;
    list_children(&b, &f, "c2");
    f.since_us = f.before_us = 0;
    f.limit = 1;
    list_children(&b, &f, "c3");
    f.after = "c3";
    list_children(&b, &f, "c2");
    f.after = "c2";
    list_children(&b, &f, "c1");
    f.after = "c1";
    list_children(&b, &f, "");
    ck_assert_str_eq(get_job(&b, "c4").parent, "c1");
    ck_assert_str_eq(get_job(&b, "x1").parent, "-");
    box_close(&b);
}
END_TEST

START_TEST(pages_are_stable_while_jobs_come_and_change)
{
    struct seen page = {NULL, 0, 0}, other = {NULL, 0, 0};
    tako_filter f = TAKO_FILTER_INIT;
    char id[16], last[65] = "", all[400][65];
    tako_status was;
    tako_row row;
    struct box b;
    int i, n = 0;

    box_open(&b, _i);
    for (i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "j%03d", (i * 37) % 100);
        row = a_row(id, i % 3 == 0 ? "x" : "y", 0, 1000 + i / 10, 1000 + i / 10);
        add_row(&b, &row);
    }
    f.limit = 7;
    for (;;) {
        list_jobs(&b, &f, &page);
        for (i = 0; i < (int)page.n; i++)
            strcpy(all[n++], page.rows[i].id);
        if (page.n < 7)
            break;
        strcpy(last, page.rows[page.n - 1].id);
        f.after = last;
        snprintf(id, sizeof id, "new%d", n); /* newer ones do not shift the pages */
        row = a_row(id, "x", 0, 5000 + n, 5000 + n);
        add_row(&b, &row);
        cancel_job(&b, last, &was); /* nor does a change of state, even of the cursor */
        claim_jobs(&b, "n", one_type("y"), 2, 9000, &other);
    }
    ck_assert_int_eq(n, 100);
    for (i = 1; i < n; i++) {
        struct seen_row a = get_job(&b, all[i - 1]), z = get_job(&b, all[i]);

        ck_assert(a.created_us > z.created_us ||
                  (a.created_us == z.created_us && strcmp(a.id, z.id) > 0));
    }
    seen_clear(&page);
    seen_clear(&other);
    box_close(&b);
}
END_TEST

#define HASH_A "00ff00000000000000000000000000000000000000000000000000000000abcd"
#define HASH_B "ffff00000000000000000000000000000000000000000000000000000000abce"
#define HASH_C "0000000000000000000000000000000000000000000000000000000000000000"
#define HASH_D "1111111111111111111111111111111111111111111111111111111111111111" /* of nothing */

START_TEST(content_is_kept_to_the_byte_and_only_once)
{
    size_t big = 10485760, i;
    unsigned char *data = malloc(big);
    const char *refs[] = {HASH_A, HASH_B, HASH_C};
    tako_row row = a_row("a", "t", 0, 1000, 1000);
    struct bytes got = {NULL, 0};
    tako_blob blobs[3];
    struct box b;
    int result = 1;

    box_open(&b, _i);
    ck_assert_ptr_nonnull(data);
    for (i = 0; i < big; i++)
        data[i] = (unsigned char)(i * 31 + i / 251);
    blobs[0] = (tako_blob){HASH_A, "a\0b\0\xff\n", 6};
    blobs[1] = (tako_blob){HASH_B, data, big};
    blobs[2] = (tako_blob){HASH_C, NULL, 0};
    row.refs = refs;
    row.n_refs = 3;
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, blobs, 3, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(result, TAKO_OK);
    blobs[0].data = "zzzzzz"; /* the name is there: left alone */
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, blobs, 1, err));
    MUST(b.ops->commit(b.self, err));
    MUST(b.ops->get_blob(b.self, HASH_A, 0, INT64_MAX, take_bytes, &got, err));
    ck_assert_uint_eq(got.len, 6);
    ck_assert_mem_eq(got.data, "a\0b\0\xff\n", 6);
    MUST(b.ops->get_blob(b.self, HASH_B, 0, INT64_MAX, take_bytes, &got, err));
    ck_assert_uint_eq(got.len, big);
    ck_assert_int_eq(memcmp(got.data, data, big), 0);
    MUST(b.ops->get_blob(b.self, HASH_C, 0, INT64_MAX, take_bytes, &got, err));
    ck_assert_uint_eq(got.len, 0);
    REFUSED(b.ops->get_blob(b.self, HASH_D, 0, INT64_MAX, take_bytes, &got, err), TAKO_ENOTFOUND,
            "content");
    free(got.data);
    free(data);
    box_close(&b);
}
END_TEST

START_TEST(rollback_undoes_everything)
{
    struct seen seen = {NULL, 0, 0};
    tako_claim what = {sizeof what, "n2", one_type("t"), 5, 3000};
    tako_blob blob = {HASH_A, "x", 1};
    tako_cancel_item item = {sizeof item, "waits", 5000, "{}", 2, (tako_status)0};
    tako_node n2 = {sizeof n2, "n2", "boot:2", 9};
    tako_row row = a_row("new", "newtype", 0, 1000, 1000);
    char text[256] = "";
    struct seen_row before[3], after[3];
    tako_finish f;
    struct box b;
    int result;

    box_open(&b, _i);
    add_job(&b, "runs", "t", 9);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    add_job(&b, "waits", "t", 1);
    add_job(&b, "waits2", "t", 0);
    before[0] = get_job(&b, "runs");
    before[1] = get_job(&b, "waits");
    before[2] = get_job(&b, "waits2");
    seen_clear(&seen);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, &blob, 1, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    MUST(b.ops->cancel(b.self, &item, 1, &result, err));
    MUST(b.ops->claim(b.self, &what, seen_add, &seen, err));
    f = an_end("runs", 1, "n", TAKO_SUCCEEDED);
    MUST(b.ops->finish(b.self, &f, 1, &result, err));
    ck_assert_int_eq(result, TAKO_OK);
    MUST(b.ops->put_node(b.self, &n2, err));
    b.ops->rollback(b.self);
    after[0] = get_job(&b, "runs");
    after[1] = get_job(&b, "waits");
    after[2] = get_job(&b, "waits2");
    ck_assert_int_eq(memcmp(before, after, sizeof before), 0);
    ck_assert_str_eq(get_job(&b, "new").id, "");
    ck_assert_int_eq(b.ops->get_blob(b.self, HASH_A, 0, INT64_MAX, take_bytes, NULL, NULL),
                     TAKO_ENOTFOUND);
    MUST(b.ops->nodes(b.self, add_node, text, err));
    ck_assert_str_eq(text, "");
    expect_count(&b, 2, 1);
    add_row(&b, &row); /* also its type, which was new, is learnt again */
    claim_jobs(&b, "n", one_type("newtype"), 1, 2000, &seen);
    expect_ids(&seen, "new");
    claim_jobs(&b, "n", one_type("t"), 5, 2000, &seen);
    expect_ids(&seen, "waits waits2");
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(what_one_claim_batch_cannot_take_stays)
{
    enum { MANY = 2000 };
    struct seen seen = {NULL, 0, 0};
    char id[16], expected[16];
    int i, taken = 0;
    tako_row row;
    struct box b;

    box_open(&b, _i);
    MUST(b.ops->begin(b.self, err));
    for (i = 0; i < MANY; i++) {
        int result;

        snprintf(id, sizeof id, "%05d", i);
        row = a_row(id, "t", 0, 1000 + i, i % 2 == 0 ? 1000 + i : 100000);
        MUST(b.ops->insert(b.self, &row, 1, &result, err));
    }
    MUST(b.ops->commit(b.self, err));
    expect_count(&b, MANY, 0);
    do {
        claim_jobs(&b, "n", one_type("t"), 64, 200000, &seen);
        for (i = 0; i < (int)seen.n; i++) {
            snprintf(expected, sizeof expected, "%05d", taken++);
            ck_assert_str_eq(seen.rows[i].id, expected);
        }
    } while (seen.n == 64);
    ck_assert_int_eq(taken, MANY);
    expect_count(&b, 0, MANY);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

struct racer {
    struct box *b;
    atomic_int stop, bad, reads;
};

/* Rows are written in pairs: a reader that sees one and not the other saw half a commit. */
static void *racer_read(void *ctx)
{
    const char *ids[2] = {"pair-1", "pair-2"};
    struct racer *r = ctx;
    tako_filter f = TAKO_FILTER_INIT;

    while (!r->stop) {
        struct seen seen = {NULL, 0, 0};
        int64_t queued = -1, running = -1;

        if (r->b->ops->get(r->b->self, ids, 2, seen_add, &seen, NULL) != TAKO_OK || seen.n == 1)
            r->bad++;
        seen_clear(&seen);
        if (r->b->ops->count(r->b->self, &queued, &running, NULL) != TAKO_OK ||
            (queued + running) % 2 != 0)
            r->bad++;
        if (r->b->ops->list(r->b->self, &f, seen_add, &seen, NULL) != TAKO_OK || seen.n % 2 != 0)
            r->bad++;
        seen_clear(&seen);
        r->reads++;
    }
    return NULL;
}

START_TEST(readers_see_whole_commits_while_a_transaction_is_open)
{
    struct timespec pause = {0, 2000000};
    struct racer r;
    pthread_t threads[2];
    struct box b;
    int i;

    box_open(&b, _i);
    r.b = &b;
    atomic_init(&r.stop, 0);
    atomic_init(&r.bad, 0);
    atomic_init(&r.reads, 0);
    for (i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, racer_read, &r), 0);
    for (i = 1; i < 40; i += 2) {
        char one[16], two[16];
        tako_row rows[2];
        int results[2];

        snprintf(one, sizeof one, "pair-%d", i);
        snprintf(two, sizeof two, "pair-%d", i + 1);
        rows[0] = a_row(one, "t", 0, 1000, 1000);
        rows[1] = a_row(two, "t", 0, 1000, 1000);
        MUST(b.ops->begin(b.self, err));
        MUST(b.ops->insert(b.self, &rows[0], 1, &results[0], err));
        nanosleep(&pause, NULL);
        MUST(b.ops->insert(b.self, &rows[1], 1, &results[1], err));
        if (i % 4 == 1)
            MUST(b.ops->commit(b.self, err));
        else
            b.ops->rollback(b.self);
        sched_yield();
    }
    r.stop = 1;
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(r.bad, 0);
    expect_count(&b, 20, 0);
    box_close(&b);
}
END_TEST

struct nested {
    struct box *b;
    int depth;
};

static int read_again(void *ctx, const tako_row *row)
{
    struct nested *n = ctx;
    struct seen seen = {NULL, 0, 0};
    tako_filter f = TAKO_FILTER_INIT;
    int rc = 0;

    ck_assert_str_eq(get_job(n->b, row->id).id, row->id);
    if (n->depth++ == 0)
        rc = n->b->ops->list(n->b->self, &f, read_again, n, NULL);
    seen_clear(&seen);
    return rc;
}

START_TEST(a_callback_may_read_the_store)
{
    tako_filter f = TAKO_FILTER_INIT;
    struct nested n;
    struct box b;

    box_open(&b, _i);
    n.b = &b;
    n.depth = 0;
    add_job(&b, "a", "t", 0);
    add_job(&b, "b", "t", 0);
    MUST(b.ops->list(b.self, &f, read_again, &n, err));
    ck_assert_int_eq(n.depth, 4);
    box_close(&b);
}
END_TEST

Suite *suite_store(void);
Suite *suite_store(void)
{
    Suite *s = suite_create("store");
    TCase *c = tcase_create("contract");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, a_new_row_comes_back_as_it_was_given, 0, STORES);
    tcase_add_loop_test(c, get_leaves_unknown_ids_out_and_stops_when_told, 0, STORES);
    tcase_add_loop_test(c, a_conflict_spoils_only_its_own_item, 0, STORES);
    tcase_add_loop_test(c, claims_go_by_priority_then_by_insertion_also_across_types, 0, STORES);
    tcase_add_loop_test(c, a_claim_lends_the_row_as_it_is_from_now_on, 0, STORES);
    tcase_add_loop_test(c, a_claim_of_nothing_claims_nothing, 0, STORES);
    tcase_add_loop_test(c, delayed_jobs_wait_for_their_time_then_take_their_place, 0, STORES);
    tcase_add_loop_test(c, a_clock_that_goes_back_makes_nothing_due, 0, STORES);
    tcase_add_loop_test(c, next_due_looks_at_its_types_only, 0, STORES);
    tcase_add_loop_test(c, a_finish_is_accepted_once_from_the_holder_only, 0, STORES);
    tcase_add_loop_test(c, a_job_given_back_is_claimed_again_and_fences_the_old_attempt, 0, STORES);
    tcase_add_loop_test(c, cancel_ends_what_waits_and_asks_what_runs, 0, STORES);
    tcase_add_loop_test(c, held_and_cancel_requests_are_of_one_node, 0, STORES);
    tcase_add_loop_test(c, nodes_are_put_renewed_and_removed, 0, STORES);
    tcase_add_loop_test(c, lists_are_newest_first_and_obey_every_filter, 0, STORES);
    tcase_add_loop_test(c, children_are_listed_with_every_other_filter, 0, STORES);
    tcase_add_loop_test(c, pages_are_stable_while_jobs_come_and_change, 0, STORES);
    tcase_add_loop_test(c, content_is_kept_to_the_byte_and_only_once, 0, STORES);
    tcase_add_loop_test(c, rollback_undoes_everything, 0, STORES);
    tcase_add_loop_test(c, what_one_claim_batch_cannot_take_stays, 0, STORES);
    tcase_add_loop_test(c, readers_see_whole_commits_while_a_transaction_is_open, 0, STORES);
    tcase_add_loop_test(c, a_callback_may_read_the_store, 0, STORES);
    suite_add_tcase(s, c);
    return s;
}
