/* check_wait.c - waiting: limits, many waiters, jobs of other engines on the same file, and an
 * engine that does nothing when there is nothing to do.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_wait(void);

START_TEST(wait_returns_at_its_limit_and_changes_nothing)
{
    struct api_gate gate = {0, 0, 0};
    tako *t = api_open(NULL, 1);
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    int64_t began;
    tako_id id;

    OK(tako_register_handler(t, "block", api_block, &gate, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "block");
    FAILS(tako_wait(t, id.text, 0, &rec, &err), TAKO_ETIMEDOUT, id.text);
    began = api_mono_ms();
    FAILS(tako_wait(t, id.text, 40, &rec, &err), TAKO_ETIMEDOUT, id.text);
    ck_assert_int_ge(api_mono_ms() - began, 39);
    ck_assert_ptr_null(rec);
    api_gate_wait(&gate, 1);
    ck_assert_int_eq(api_status(t, id.text), TAKO_RUNNING);
    api_gate_open(&gate);
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED); /* again: it is over */
    tako_close(t);
}
END_TEST

struct wait_one {
    tako *t;
    const char *id;
    int rc;
    tako_status status;
    tako_error err;
};

static void *wait_thread(void *ctx)
{
    struct wait_one *w = ctx;
    tako_record *rec = NULL;

    w->rc = tako_wait(w->t, w->id, 20000, &rec, &w->err);
    w->status = rec ? tako_record_status(rec) : TAKO_QUEUED;
    tako_record_free(rec);
    return NULL;
}

START_TEST(all_who_wait_for_a_job_are_woken)
{
    enum { WAITERS = 20 };
    struct api_gate gate = {0, 0, 0};
    struct wait_one w[WAITERS];
    pthread_t threads[WAITERS];
    tako *t = api_open(NULL, 1);
    tako_error err = {0, 0, ""};
    tako_id id;
    int i;

    OK(tako_register_handler(t, "block", api_block, &gate, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "block");
    for (i = 0; i < WAITERS; i++) {
        w[i].t = t;
        w[i].id = id.text;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_thread, &w[i]), 0);
    }
    api_gate_wait(&gate, 1);
    api_gate_open(&gate);
    for (i = 0; i < WAITERS; i++) {
        (void)pthread_join(threads[i], NULL);
        ck_assert_int_eq(w[i].rc, TAKO_OK);
        ck_assert_int_eq(w[i].status, TAKO_SUCCEEDED);
    }
    tako_close(t);
}
END_TEST

/* _i = 0: the waiting engine was only opened; 1: it is started, but has no such handler free. */
START_TEST(wait_sees_jobs_that_end_on_another_engine)
{
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    struct wait_one w[2];
    pthread_t threads[2];
    tako *asks, *works;
    int64_t began;
    tako_id id;
    int i;

    api_dir_make(&dir);
    asks = api_open(dir.uri, 1);
    works = api_open(dir.uri, 1);
    OK(tako_register_handler(works, "echo", api_echo, NULL, NULL, &err));
    if (_i)
        OK(tako_start(asks, &err));
    id = api_submit(works, "echo");
    for (i = 0; i < 2; i++) {
        w[i].t = asks;
        w[i].id = id.text;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_thread, &w[i]), 0);
    }
    api_pause_ms(50);
    began = api_mono_ms();
    OK(tako_start(works, &err));
    for (i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        ck_assert_int_eq(w[i].rc, TAKO_OK);
        ck_assert_int_eq(w[i].status, TAKO_SUCCEEDED);
    }
    ck_assert_int_lt(api_mono_ms() - began, 3000);
    tako_close(works);
    tako_close(asks);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(stop_ends_the_waiting)
{
    tako *t = api_open(NULL, 1);
    tako_error err = {0, 0, ""};
    struct wait_one w;
    pthread_t thread;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_id id;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    if (_i)
        OK(tako_start(t, &err));
    job.type = "echo";
    job.run_at_ms = INT64_C(32503680000000); /* the year 3000 */
    OK(tako_submit(t, &job, &id, &err));
    w.t = t;
    w.id = id.text;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_thread, &w), 0);
    api_pause_ms(20);
    OK(tako_stop(t, 0, &err));
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(w.rc, TAKO_ESTATE);
    ck_assert_ptr_nonnull(strstr(w.err.message, "stopped"));
    FAILS(tako_wait(t, id.text, -1, &rec, &err), TAKO_ESTATE, "stopped");
    tako_close(t);
}
END_TEST

START_TEST(an_idle_engine_does_not_wake_up)
{
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    int64_t before;
    int ran = 0, i;
    tako_id id;
    tako *t;

    api_dir_make(&dir);
    t = api_open(_i ? dir.uri : NULL, 2);
    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    OK(tako_start(t, &err));
    api_pause_ms(50);
    before = api_stats(t).wakeups;
    api_pause_ms(300);
    ck_assert_int_eq(api_stats(t).wakeups, before);
    for (i = 0; i < 5; i++) {
        id = api_submit(t, "count");
        ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    }
    api_pause_ms(50);
    before = api_stats(t).wakeups;
    api_pause_ms(300);
    ck_assert_int_eq(api_stats(t).wakeups, before);
    ck_assert_int_eq(ran, 5);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(waiting_does_not_wake_the_engine)
{
    tako *t = api_open(NULL, 1);
    tako_error err = {0, 0, ""};
    int64_t before;
    int ran = 0, i;
    tako_id id;

    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "count");
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    api_pause_ms(100);
    before = api_stats(t).wakeups;
    for (i = 0; i < 10; i++) {
        ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
        api_pause_ms(2);
    }
    ck_assert_int_eq(api_stats(t).wakeups, before);
    tako_close(t);
}
END_TEST

START_TEST(a_delayed_job_is_run_when_it_is_due)
{
    tako *t = api_open(NULL, 1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    struct timespec ts;
    int64_t due;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    due = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + 80;
    job.type = "echo";
    job.run_at_ms = due;
    OK(tako_run(t, &job, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_ge(tako_record_started_us(rec), due * 1000);
    ck_assert_int_lt(tako_record_started_us(rec), (due + 2000) * 1000);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

/* The clock is moved by hand while the engine's thread sleeps. */
START_TEST(a_moved_clock_is_noticed_within_a_second)
{
    struct api_clock clock = {INT64_C(1700000000000000)};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;
    tako_id id;

    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &clock;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    job.type = "echo";
    job.run_at_ms = clock.now_us / 1000 + 3600000;
    OK(tako_submit(t, &job, &id, &err));
    api_pause_ms(20);
    ck_assert_int_eq(api_status(t, id.text), TAKO_QUEUED);
    api_clock_move(&clock, INT64_C(3600000000));
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
}
END_TEST

Suite *suite_wait(void)
{
    Suite *s = suite_create("api_wait");
    TCase *c = tcase_create("wait");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, wait_returns_at_its_limit_and_changes_nothing);
    tcase_add_test(c, all_who_wait_for_a_job_are_woken);
    tcase_add_loop_test(c, wait_sees_jobs_that_end_on_another_engine, 0, 2);
    tcase_add_loop_test(c, stop_ends_the_waiting, 0, 2);
    tcase_add_loop_test(c, an_idle_engine_does_not_wake_up, 0, 2);
    tcase_add_test(c, waiting_does_not_wake_the_engine);
    tcase_add_test(c, a_delayed_job_is_run_when_it_is_due);
    tcase_add_test(c, a_moved_clock_is_noticed_within_a_second);
    suite_add_tcase(s, c);
    return s;
}
