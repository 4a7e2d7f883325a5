/* check_retention.c - what grows old is removed, with content that nobody else refers to, and nothing
 * else is: not what waits or runs, not what a dead letter needs, not what another job shares.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_retention(void);

#define START_US INT64_C(1800000000000000)
#define DAY_US INT64_C(86400000000)

static int retention_fail(void *ctx, tako_call *call)
{
    (void)ctx;
    (void)call;
    return 1;
}

static tako *retention_engine(struct api_clock *clock, const char *uri, int workers, int64_t ttl_ms,
                              int64_t dead_ttl_ms)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    opts.workers = workers;
    opts.store = uri;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = clock;
    opts.record_ttl_ms = ttl_ms;
    opts.dead_ttl_ms = dead_ttl_ms;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_register_handler(t, "fail", retention_fail, NULL, NULL, &err));
    return t;
}

static tako_id retention_submit(tako *t, const char *type, const char *key, int max_attempts,
                                int64_t run_at_ms)
{
    static const tako_file shared = {"shared.txt", "the same in every job", 21};
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.type = type;
    job.idempotency_key = key;
    job.max_attempts = max_attempts;
    job.retry_on = "runtime_error";
    job.run_at_ms = run_at_ms;
    job.files = &shared;
    job.n_files = 1;
    OK(tako_submit(t, &job, &id, &err));
    return id;
}

static int retention_lent(void *ctx, const void *data, size_t len)
{
    (void)data;
    *(size_t *)ctx += len;
    return 0;
}

static int retention_count(void *ctx, const tako_record *rec)
{
    (void)rec;
    ++*(int *)ctx;
    return 0;
}

static int retention_rows(tako *t)
{
    tako_error err = {0, 0, ""};
    int n = 0;

    OK(tako_list(t, NULL, retention_count, &n, &err));
    return n;
}

START_TEST(old_ended_jobs_go_and_their_content_with_the_last_of_them)
{
    struct api_clock clock = {START_US};
    tako *t = retention_engine(&clock, NULL, 0, DAY_US / 1000, 0);
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    char shared[65];
    size_t lent = 0;
    tako_id old, young, waits;

    old = retention_submit(t, "echo", "key-of-the-old", 0, 0);
    OK(tako_start(t, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    waits = retention_submit(t, "echo", NULL, 0, (START_US + 30 * DAY_US) / 1000);
    ck_assert_int_eq(tako_purge(t, 100, &err), 0); /* nothing is old yet */
    api_clock_move(&clock, DAY_US / 2);
    young = retention_submit(t, "echo", NULL, 0, 0);
    ck_assert_int_eq(tako_step(t, &err), 1);
    OK(tako_get(t, old.text, &rec, &err));
    (void)snprintf(shared, sizeof shared, "%s",
                   tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->sha256);
    tako_record_free(rec);

    api_clock_move(&clock, DAY_US / 2 + 1000000);
    ck_assert_int_eq(tako_purge(t, 100, &err), 1);
    FAILS(tako_get(t, old.text, &rec, &err), TAKO_ENOTFOUND, "no job");
    ck_assert_int_eq(api_status(t, young.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_status(t, waits.text), TAKO_QUEUED); /* however long it waits */
    OK(tako_content(t, shared, retention_lent, &lent, &err));
    ck_assert_uint_eq(lent, 21);
    /* its key is free again */
    ck_assert_str_ne(retention_submit(t, "fail", "key-of-the-old", 0, 0).text, old.text);
    ck_assert_int_eq(tako_step(t, &err), 1);

    api_clock_move(&clock, 2 * DAY_US);
    ck_assert_int_eq(tako_purge(t, 100, &err), 2);
    OK(tako_content(t, shared, retention_lent, &lent, &err)); /* the one that waits has it */
    OK(tako_cancel(t, waits.text, &err));
    ck_assert_int_eq(tako_purge(t, 100, &err), 1);
    FAILS(tako_content(t, shared, retention_lent, &lent, &err), TAKO_ENOTFOUND,
          "nothing is stored");
    ck_assert_int_eq(retention_rows(t), 0);
    tako_close(t);
}
END_TEST

START_TEST(a_step_is_bounded_and_takes_the_oldest_first)
{
    struct api_clock clock = {START_US};
    tako *t = retention_engine(&clock, NULL, 0, 60000, 0);
    tako_error err = {0, 0, ""};
    tako_id ids[7];
    int i;

    OK(tako_start(t, &err));
    for (i = 0; i < 7; i++) {
        ids[i] = retention_submit(t, "echo", NULL, 0, 0);
        ck_assert_int_eq(tako_step(t, &err), 1);
        api_clock_move(&clock, 1000);
    }
    api_clock_move(&clock, 61000000);
    ck_assert_int_eq(tako_purge(t, 3, &err), 3);
    for (i = 0; i < 7; i++) {
        tako_record *rec = NULL;

        ck_assert_int_eq(tako_get(t, ids[i].text, &rec, &err), i < 3 ? TAKO_ENOTFOUND : TAKO_OK);
        tako_record_free(rec);
    }
    ck_assert_int_eq(tako_purge(t, 3, &err), 3);
    ck_assert_int_eq(tako_purge(t, 3, &err), 1);
    ck_assert_int_eq(tako_purge(t, 3, &err), 0);
    FAILS(tako_purge(t, 0, &err), TAKO_EINVAL, "limit 0, not in 1-1000");
    FAILS(tako_purge(t, 1001, &err), TAKO_EINVAL, "limit 1001");
    tako_close(t);
}
END_TEST

START_TEST(a_dead_letter_keeps_its_job_and_has_a_time_of_its_own)
{
    struct api_clock clock = {START_US};
    tako *t = retention_engine(&clock, NULL, 0, DAY_US / 1000, 3 * DAY_US / 1000);
    tako_error err = {0, 0, ""};
    tako_id id;

    OK(tako_start(t, &err));
    id = retention_submit(t, "fail", NULL, 2, 0);
    ck_assert_int_eq(tako_step(t, &err), 1);
    api_clock_move(&clock, 5000000);
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(api_status(t, id.text), TAKO_FAILED);
    api_clock_move(&clock, 2 * DAY_US);
    ck_assert_int_eq(tako_purge(t, 100, &err), 0);
    ck_assert_int_eq(api_status(t, id.text), TAKO_FAILED);
    api_clock_move(&clock, 2 * DAY_US);
    ck_assert_int_ge(tako_purge(t, 100, &err), 1); /* the letter */
    (void)tako_purge(t, 100, &err);
    ck_assert_int_eq(retention_rows(t), 0);
    tako_close(t);
}
END_TEST

START_TEST(the_engine_does_it_by_itself_in_steps)
{
    struct api_dir dir;
    struct api_clock clock = {START_US};
    tako_error err = {0, 0, ""};
    int64_t until = api_mono_ms() + 20000;
    tako *t;
    int i;

    api_dir_make(&dir);
    t = retention_engine(&clock, dir.uri, 0, 60000, 0);
    OK(tako_start(t, &err));
    for (i = 0; i < 230; i++)
        (void)retention_submit(t, "echo", NULL, 0, 0);
    while (tako_step(t, &err) == 1)
        ;
    tako_close(t);
    api_clock_move(&clock, 61000000);
    t = retention_engine(&clock, dir.uri, 2, 60000, 0);
    OK(tako_start(t, &err));
    while (retention_rows(t) > 0) {
        ck_assert_int_lt(api_mono_ms(), until);
        api_pause_ms(20);
    }
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(nothing_goes_when_it_is_kept_for_ever_and_odd_times_are_refused)
{
    struct api_clock clock = {START_US};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako *t = retention_engine(&clock, NULL, 0, 0, 0), *no = NULL;
    tako_error err = {0, 0, ""};

    OK(tako_start(t, &err));
    (void)retention_submit(t, "echo", NULL, 0, 0);
    ck_assert_int_eq(tako_step(t, &err), 1);
    api_clock_move(&clock, 10000 * DAY_US);
    ck_assert_int_eq(tako_purge(t, 100, &err), 0);
    ck_assert_int_eq(retention_rows(t), 1);
    tako_close(t);
    opts.record_ttl_ms = 59999;
    FAILS(tako_open(&no, &opts, &err), TAKO_EINVAL, "record_ttl_ms: 59999, not in 60000-");
    opts.record_ttl_ms = 0;
    opts.dead_ttl_ms = -1;
    FAILS(tako_open(&no, &opts, &err), TAKO_EINVAL, "dead_ttl_ms: -1");
    opts.dead_ttl_ms = 0;
    opts.environment_ttl_ms = INT64_MAX;
    FAILS(tako_open(&no, &opts, &err), TAKO_EINVAL, "environment_ttl_ms");
}
END_TEST

/* Threads submit and run jobs that share content while old ones are removed all the time: whatever a
 * record refers to can be read as long as the record is there. */
struct retention_load {
    tako *t;
    int stop, made; /* atomic */
};

static void *retention_feed(void *arg)
{
    struct retention_load *load = arg;
    tako_job job = TAKO_JOB_INIT;
    char text[5][2000], input[2100];
    int i, k = 0;

    for (i = 0; i < 5; i++) {
        memset(text[i], 'a' + i, sizeof text[i]);
        text[i][sizeof text[i] - 1] = '\0';
    }
    while (!__atomic_load_n(&load->stop, __ATOMIC_SEQ_CST)) {
        tako_id id;

        (void)snprintf(input, sizeof input, "{\"t\":\"%s\"}", text[k++ % 5]);
        job.type = "echo";
        job.input = input;
        if (tako_submit(load->t, &job, &id, NULL) == TAKO_OK)
            (void)__atomic_add_fetch(&load->made, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static int retention_read_back(void *ctx, const tako_record *rec)
{
    tako *t = ctx;
    tako_record *full = NULL;
    size_t lent = 0;
    tako_error err = {0, 0, ""};
    int rc;

    rc = tako_read_file(t, tako_record_id(rec), TAKO_INPUT_FILES, "_input.json", 0, -1,
                        retention_lent, &lent, &err);
    ck_assert_msg(rc == TAKO_ENOTFOUND || (rc == TAKO_OK && lent == 2007), "%d: %s", rc,
                  err.message);
    rc = tako_get(t, tako_record_id(rec), &full, &err); /* its output is content too */
    ck_assert_msg(rc == TAKO_ENOTFOUND || rc == TAKO_OK, "%d: %s", rc, err.message);
    tako_record_free(full);
    return 0;
}

START_TEST(under_load_nothing_that_is_referred_to_is_ever_removed)
{
    struct api_dir dir;
    struct api_clock clock = {START_US};
    struct retention_load load = {NULL, 0, 0};
    tako_filter filter = TAKO_FILTER_INIT;
    tako_error err = {0, 0, ""};
    int64_t until = api_mono_ms() + 2000;
    pthread_t feeders[3];
    int i, gone = 0, rc;

    api_dir_make(&dir);
    load.t = retention_engine(&clock, dir.uri, 2, 60000, 0);
    OK(tako_start(load.t, &err));
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&feeders[i], NULL, retention_feed, &load), 0);
    filter.limit = 30;
    while (api_mono_ms() < until) {
        api_clock_move(&clock, 30000000);
        rc = tako_purge(load.t, 20, &err);
        ck_assert_msg(rc >= 0, "%s", err.message);
        gone += rc;
        OK(tako_list(load.t, &filter, retention_read_back, load.t, &err));
    }
    __atomic_store_n(&load.stop, 1, __ATOMIC_SEQ_CST);
    for (i = 0; i < 3; i++)
        (void)pthread_join(feeders[i], NULL);
    ck_assert_int_gt(gone, 0);
    filter.limit = 1000;
    OK(tako_list(load.t, &filter, retention_read_back, load.t, &err));
    tako_close(load.t);
    api_dir_remove(&dir);
}
END_TEST

Suite *suite_retention(void)
{
    Suite *s = suite_create("retention");
    TCase *c = tcase_create("retention");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, old_ended_jobs_go_and_their_content_with_the_last_of_them);
    tcase_add_test(c, a_step_is_bounded_and_takes_the_oldest_first);
    tcase_add_test(c, a_dead_letter_keeps_its_job_and_has_a_time_of_its_own);
    tcase_add_test(c, the_engine_does_it_by_itself_in_steps);
    tcase_add_test(c, nothing_goes_when_it_is_kept_for_ever_and_odd_times_are_refused);
    tcase_add_test(c, under_load_nothing_that_is_referred_to_is_ever_removed);
    suite_add_tcase(s, c);
    return s;
}
