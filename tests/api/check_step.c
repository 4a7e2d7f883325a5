/* check_step.c - an engine without threads: tako_step, the lent clock, delays, leases, memory.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"
#include "../support/fault_alloc.h"

Suite *suite_step(void);

static tako *step_engine(struct api_clock *clock, const char *uri)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    opts.workers = 0;
    opts.store = uri;
    if (clock) {
        opts.clock.now_us = api_clock_now;
        opts.clock.ctx = clock;
    }
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    return t;
}

START_TEST(step_runs_one_due_job_at_a_time)
{
    tako *t = step_engine(NULL, NULL);
    tako_error err = {0, 0, ""};
    tako_id a = api_submit(t, "echo"), b = api_submit(t, "echo");

    ck_assert_int_eq(api_status(t, a.text), TAKO_QUEUED);
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(api_status(t, a.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_status(t, b.text), TAKO_QUEUED);
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(api_status(t, b.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_step(t, &err), 0);
    tako_close(t);
}
END_TEST

START_TEST(step_takes_the_highest_priority_first)
{
    tako *t = step_engine(NULL, NULL);
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id low, high;

    job.type = "echo";
    job.priority = -5;
    OK(tako_submit(t, &job, &low, &err));
    job.priority = 5;
    OK(tako_submit(t, &job, &high, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(api_status(t, high.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_status(t, low.text), TAKO_QUEUED);
    tako_close(t);
}
END_TEST

START_TEST(a_delayed_job_waits_for_the_lent_clock)
{
    struct api_clock clock = {INT64_C(1700000000000000)};
    tako *t = step_engine(&clock, NULL);
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id id;

    job.type = "echo";
    job.run_at_ms = clock.now_us / 1000 + 3600000;
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_int_eq(tako_step(t, &err), 0);
    FAILS(tako_wait(t, id.text, -1, &rec, &err), TAKO_ETIMEDOUT, id.text);
    ck_assert_ptr_null(rec);
    api_clock_move(&clock, INT64_C(3600000000) - 1);
    ck_assert_int_eq(tako_step(t, &err), 0);
    api_clock_move(&clock, 1);
    ck_assert_int_eq(tako_step(t, &err), 1);
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_record_created_us(rec), INT64_C(1700000000000000));
    ck_assert_int_eq(tako_record_started_us(rec), clock.now_us);
    ck_assert_int_eq(tako_record_ended_us(rec), clock.now_us);
    ck_assert_int_eq(tako_record_run_at_us(rec), clock.now_us);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(run_and_wait_step_by_themselves)
{
    tako *t = step_engine(NULL, NULL);
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id first = api_submit(t, "echo");

    job.type = "echo";
    job.input = "{\"n\": 1.50}";
    OK(tako_run(t, &job, &rec, &err));
    ck_assert_str_eq(tako_record_output(rec, NULL), "{\"n\": 1.50}");
    tako_record_free(rec);
    ck_assert_int_eq(api_status(t, first.text), TAKO_SUCCEEDED);
    tako_close(t);
}
END_TEST

START_TEST(step_is_refused_where_it_cannot_work)
{
    tako *t = api_open(NULL, 0);
    tako_error err;

    FAILS(tako_step(t, &err), TAKO_ESTATE, "not started");
    OK(tako_start(t, &err));
    FAILS(tako_start(t, &err), TAKO_ESTATE, "tako_start");
    OK(tako_stop(t, 0, &err));
    FAILS(tako_step(t, &err), TAKO_ESTATE, "stopped");
    tako_close(t);
    t = api_open(NULL, 1);
    OK(tako_start(t, &err));
    FAILS(tako_step(t, &err), TAKO_ESTATE, "workers");
    tako_close(t);
    FAILS(tako_step(NULL, &err), TAKO_EINVAL, "NULL");
}
END_TEST

/* One whole life; every call may fail for want of memory, and only for that. */
static int step_life(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_file file = {"a.txt", "abc", 3};
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako *t = NULL;
    char *json = NULL;
    tako_id id;
    int rc, i;

    opts.workers = 0;
    opts.alloc = fault_alloc_use(f);
    job.type = "echo";
    job.files = &file;
    job.n_files = 1;
    rc = tako_open(&t, &opts, &err);
    if (rc == TAKO_OK)
        rc = tako_register_handler(t, "echo", api_echo, NULL, NULL, &err);
    if (rc == TAKO_OK)
        rc = tako_start(t, &err);
    if (rc == TAKO_OK)
        rc = tako_submit(t, &job, &id, &err);
    for (i = 0; rc == TAKO_OK && i < 3; i++) {
        rc = tako_step(t, &err);
        if (rc == 1)
            rc = TAKO_OK;
    }
    if (rc == TAKO_OK)
        rc = tako_get(t, id.text, &rec, &err);
    if (rc == TAKO_OK)
        rc = tako_record_json(t, rec, 1, &json, &err);
    if (rc != TAKO_OK)
        ck_assert_msg(err.message[0] != '\0', "no message for %d", rc);
    tako_free(t, json);
    tako_record_free(rec);
    tako_close(t);
    return rc;
}

START_TEST(every_failing_allocation_is_told_and_leaks_nothing)
{
    struct fault_alloc f;
    long n, seen = 0;
    int rc, fail_after;

    for (fail_after = 0; fail_after < 2; fail_after++) {
        for (n = 0;; n++) {
            fault_alloc_init(&f);
            f.fail_at = n;
            f.fail_after = fail_after;
            rc = step_life(&f);
            ck_assert_msg(f.live_bytes == 0 && f.live_blocks == 0,
                          "allocation %ld failed: %ld blocks are left", n, f.live_blocks);
            ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "allocation %ld failed: %d", n, rc);
            if (f.calls <= n)
                break;
            seen += rc == TAKO_ENOMEM;
        }
        ck_assert_int_eq(rc, TAKO_OK);
    }
    ck_assert_int_gt(seen, 20);
}
END_TEST

Suite *suite_step(void)
{
    Suite *s = suite_create("api_step");
    TCase *c = tcase_create("step");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, step_runs_one_due_job_at_a_time);
    tcase_add_test(c, step_takes_the_highest_priority_first);
    tcase_add_test(c, a_delayed_job_waits_for_the_lent_clock);
    tcase_add_test(c, run_and_wait_step_by_themselves);
    tcase_add_test(c, step_is_refused_where_it_cannot_work);
    tcase_add_test(c, every_failing_allocation_is_told_and_leaks_nothing);
    suite_add_tcase(s, c);
    return s;
}
