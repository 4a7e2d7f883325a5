/* unit_test.c - how to test code that runs as jobs: an engine in memory, without threads, driven
 * by tako_step() and by a clock that the test moves. Nothing sleeps, nothing is left behind, and
 * each run goes the same way.
 *
 * The code under test is a handler that sends reminders: the first at once, each next one a day
 * later, three in all.
 *
 *     cc unit_test.c tako.o -lcheck -lsqlite3 -lcjson -lseccomp -lyaml -lpthread -lm -lrt -lsubunit
 *
 * SPDX-License-Identifier: MIT */
#include "tako.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

/* ---- the code under test --------------------------------------------------------------------- */

struct reminders {
    tako *engine;
    int64_t (*now_ms)(void);
    int sent;
    int fail_next; /* the mail server is down */
};

static int remind(void *ctx, tako_call *call)
{
    struct reminders *r = ctx;
    tako_job next = TAKO_JOB_INIT;
    tako_error err;
    tako_id id;
    char input[32];
    int number = 0;

    (void)sscanf(tako_call_input(call, NULL), "{\"number\": %d}", &number);
    if (r->fail_next) {
        r->fail_next = 0;
        (void)tako_call_fail(call, "no mail server");
        return 1;
    }
    r->sent++;
    if (number >= 3)
        return 0;
    (void)snprintf(input, sizeof input, "{\"number\": %d}", number + 1);
    next.type = "remind";
    next.input = input;
    next.run_at_ms = r->now_ms() + DAY_MS;
    return tako_submit(r->engine, &next, &id, &err) == TAKO_OK ? 0 : 1;
}

/* ---- the stage ------------------------------------------------------------------------------- */

static int64_t test_now_us;

static int64_t test_clock(void *ctx)
{
    (void)ctx;
    return test_now_us;
}

static int64_t test_now_ms(void)
{
    return test_now_us / 1000;
}

static struct reminders stage;

static void set_up(void)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;

    test_now_us = INT64_C(1700000000000000);
    memset(&stage, 0, sizeof stage);
    stage.now_ms = test_now_ms;
    opts.workers = 0; /* tako_step() runs the jobs, in this thread */
    opts.clock.now_us = test_clock;
    ck_assert_int_eq(tako_open(&stage.engine, &opts, &err), TAKO_OK);
    ck_assert_int_eq(tako_register_handler(stage.engine, "remind", remind, &stage, NULL, &err),
                     TAKO_OK);
    ck_assert_int_eq(tako_start(stage.engine, &err), TAKO_OK);
}

static void tear_down(void)
{
    tako_close(stage.engine);
}

static tako_id first_reminder(void)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err;
    tako_id id;

    job.type = "remind";
    job.input = "{\"number\": 1}";
    ck_assert_int_eq(tako_submit(stage.engine, &job, &id, &err), TAKO_OK);
    return id;
}

/* ---- the tests ------------------------------------------------------------------------------- */

START_TEST(three_reminders_are_sent_a_day_apart)
{
    tako_error err;

    (void)first_reminder();
    ck_assert_int_eq(tako_step(stage.engine, &err), 1);
    ck_assert_int_eq(tako_step(stage.engine, &err), 0); /* the next one is not due */
    ck_assert_int_eq(stage.sent, 1);

    test_now_us += DAY_MS * 1000;
    ck_assert_int_eq(tako_step(stage.engine, &err), 1);
    test_now_us += DAY_MS * 1000;
    ck_assert_int_eq(tako_step(stage.engine, &err), 1);
    ck_assert_int_eq(stage.sent, 3);

    test_now_us += 365 * DAY_MS * 1000;
    ck_assert_int_eq(tako_step(stage.engine, &err), 0); /* that was all */
}
END_TEST

START_TEST(a_failed_reminder_is_on_record_and_ends_the_chain)
{
    tako_id id = first_reminder();
    tako_record *rec = NULL;
    tako_error err;

    stage.fail_next = 1;
    ck_assert_int_eq(tako_step(stage.engine, &err), 1);
    ck_assert_int_eq(tako_get(stage.engine, id.text, &rec, &err), TAKO_OK);
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_message(rec), "no mail server");
    ck_assert_int_eq(tako_record_ended_us(rec), test_now_us);
    tako_record_free(rec);
    test_now_us += DAY_MS * 1000;
    ck_assert_int_eq(tako_step(stage.engine, &err), 0);
    ck_assert_int_eq(stage.sent, 0);
}
END_TEST

START_TEST(a_cancelled_reminder_is_not_sent)
{
    tako_id id = first_reminder();
    tako_error err;

    ck_assert_int_eq(tako_cancel(stage.engine, id.text, &err), TAKO_OK);
    ck_assert_int_eq(tako_step(stage.engine, &err), 0);
    ck_assert_int_eq(stage.sent, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reminders");
    TCase *tests = tcase_create("reminders");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, three_reminders_are_sent_a_day_apart);
    tcase_add_test(tests, a_failed_reminder_is_on_record_and_ends_the_chain);
    tcase_add_test(tests, a_cancelled_reminder_is_not_sent);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
