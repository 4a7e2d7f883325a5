/* check_list.c - listings: order, filters, pages, and what a listed record carries.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_list(void);

enum { LIST_JOBS = 7 };

static struct api_clock list_clock = {INT64_C(1700000000000000)};
static tako *list_engine;
static tako_id list_ids[LIST_JOBS];

struct list_seen {
    tako *t;
    int n, stop_at;
    char ids[LIST_JOBS][40];
};

static int list_each(void *ctx, const tako_record *rec)
{
    struct list_seen *seen = ctx;
    tako_record *again = NULL;
    tako_error err = {0, 0, ""};

    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    ck_assert_ptr_null(tako_record_output(rec, NULL));
    OK(tako_get(seen->t, tako_record_id(rec), &again, &err)); /* no lock is held here */
    tako_record_free(again);
    (void)snprintf(seen->ids[seen->n], sizeof seen->ids[0], "%s", tako_record_id(rec));
    return ++seen->n == seen->stop_at ? 77 : 0;
}

/* Jobs 0..6, a second apart, even ones of type "echo", odd ones "count"; 0 and 1 have run. */
static void list_setup(void)
{
    static int ran;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    int i;

    opts.workers = 0;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &list_clock;
    OK(tako_open(&list_engine, &opts, &err));
    OK(tako_register_handler(list_engine, "echo", api_echo, NULL, NULL, &err));
    OK(tako_register_handler(list_engine, "count", api_count, &ran, NULL, &err));
    OK(tako_start(list_engine, &err));
    for (i = 0; i < LIST_JOBS; i++) {
        api_clock_move(&list_clock, 1000000);
        list_ids[i] = api_submit(list_engine, i % 2 ? "count" : "echo");
    }
    ck_assert_int_eq(tako_step(list_engine, &err), 1);
    ck_assert_int_eq(tako_step(list_engine, &err), 1);
}

static void list_teardown(void)
{
    tako_close(list_engine);
}

static struct list_seen list_all(const tako_filter *f)
{
    struct list_seen seen;
    tako_error err = {0, 0, ""};

    memset(&seen, 0, sizeof seen);
    seen.t = list_engine;
    OK(tako_list(list_engine, f, list_each, &seen, &err));
    return seen;
}

START_TEST(newest_come_first)
{
    struct list_seen seen = list_all(NULL);
    int i;

    ck_assert_int_eq(seen.n, LIST_JOBS);
    for (i = 0; i < LIST_JOBS; i++)
        ck_assert_str_eq(seen.ids[i], list_ids[LIST_JOBS - 1 - i].text);
}
END_TEST

START_TEST(filters_by_status_type_and_time)
{
    tako_filter f = TAKO_FILTER_INIT;
    struct list_seen seen;

    f.statuses = TAKO_STATUS_BIT(TAKO_SUCCEEDED);
    seen = list_all(&f);
    ck_assert_int_eq(seen.n, 2);
    ck_assert_str_eq(seen.ids[0], list_ids[1].text);
    f.statuses |= TAKO_STATUS_BIT(TAKO_QUEUED);
    ck_assert_int_eq(list_all(&f).n, LIST_JOBS);
    f.type = "count";
    ck_assert_int_eq(list_all(&f).n, 3);
    f.statuses = 0;
    f.type = NULL;
    f.since_us = INT64_C(1700000000000000) + 3000000;
    ck_assert_int_eq(list_all(&f).n, 5);
    f.before_us = INT64_C(1700000000000000) + 5000000;
    ck_assert_int_eq(list_all(&f).n, 2);
    f.type = "nobody";
    ck_assert_int_eq(list_all(&f).n, 0);
}
END_TEST

START_TEST(pages_follow_the_cursor)
{
    tako_filter f = TAKO_FILTER_INIT;
    struct list_seen seen;
    char last[40];
    int total = 0, pages = 0;

    f.limit = 3;
    for (;;) {
        seen = list_all(&f);
        if (seen.n == 0)
            break;
        ck_assert_str_eq(seen.ids[0], list_ids[LIST_JOBS - 1 - total].text);
        total += seen.n;
        pages++;
        (void)snprintf(last, sizeof last, "%s", seen.ids[seen.n - 1]);
        f.after = last;
    }
    ck_assert_int_eq(total, LIST_JOBS);
    ck_assert_int_eq(pages, 3);
}
END_TEST

START_TEST(each_may_stop_the_listing)
{
    struct list_seen seen;
    tako_error err;

    memset(&seen, 0, sizeof seen);
    seen.t = list_engine;
    seen.stop_at = 2;
    ck_assert_int_eq(tako_list(list_engine, NULL, list_each, &seen, &err), 77);
    ck_assert_int_eq(seen.n, 2);
}
END_TEST

START_TEST(filters_out_of_range_are_named)
{
    static const tako_filter init = TAKO_FILTER_INIT;
    struct list_seen seen;
    tako_filter f;
    tako_error err;

    memset(&seen, 0, sizeof seen);
#define BAD(member, value, code, words)                                     \
    f = init;                                                               \
    f.member = value;                                                       \
    FAILS(tako_list(list_engine, &f, list_each, &seen, &err), code, words); \
    ck_assert_int_eq(seen.n, 0)
    BAD(limit, -1, TAKO_EINVAL, "limit -1");
    BAD(limit, 1001, TAKO_EINVAL, "limit 1001");
    BAD(statuses, 1u << 20, TAKO_EINVAL, "statuses");
    BAD(type, "a b", TAKO_EINVAL, "a b");
    BAD(since_us, -1, TAKO_EINVAL, "since_us");
    BAD(before_us, -1, TAKO_EINVAL, "before_us");
    BAD(after, "../x", TAKO_EINVAL, "../x");
    BAD(after, "no-such-job", TAKO_ENOTFOUND, "no-such-job");
    BAD(size, 0, TAKO_EINVAL, "size: 0");
#undef BAD
}
END_TEST

START_TEST(a_record_prints_as_json)
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    char *slim = NULL, *full = NULL;

    OK(tako_get(list_engine, list_ids[0].text, &rec, &err));
    ck_assert_str_eq(tako_record_output(rec, NULL), "{}");
    OK(tako_record_json(list_engine, rec, 0, &slim, &err));
    OK(tako_record_json(list_engine, rec, 1, &full, &err));
    ck_assert_int_eq(slim[0], '{');
    ck_assert_ptr_nonnull(strstr(slim, list_ids[0].text));
    ck_assert_ptr_nonnull(strstr(slim, "\"succeeded\""));
    ck_assert_uint_gt(strlen(full), strlen(slim));
    tako_free(list_engine, slim);
    tako_free(list_engine, full);
    tako_record_free(rec);
}
END_TEST

Suite *suite_list(void)
{
    Suite *s = suite_create("api_list");
    TCase *c = tcase_create("list");

    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, list_setup, list_teardown);
    tcase_add_test(c, newest_come_first);
    tcase_add_test(c, filters_by_status_type_and_time);
    tcase_add_test(c, pages_follow_the_cursor);
    tcase_add_test(c, each_may_stop_the_listing);
    tcase_add_test(c, filters_out_of_range_are_named);
    tcase_add_test(c, a_record_prints_as_json);
    suite_add_tcase(s, c);
    return s;
}
