/* check_cancel.c - cancelling jobs that wait, that run here, that run on another engine, and that
 * are over.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_cancel(void);

START_TEST(a_waiting_job_ends_at_once)
{
    tako *t = api_open(NULL, 0);
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_id id;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "echo");
    OK(tako_cancel(t, id.text, &err));
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_CANCELLED);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_CANCELLED);
    ck_assert_str_eq(tako_record_error_type(rec), "cancelled");
    ck_assert_int_ne(tako_record_ended_us(rec), 0);
    ck_assert_int_eq(tako_record_attempt(rec), 0);
    tako_record_free(rec);
    ck_assert_int_eq(tako_step(t, &err), 0);
    FAILS(tako_cancel(t, id.text, &err), TAKO_ESTATE, "cancelled already");
    tako_close(t);
}
END_TEST

START_TEST(a_running_handler_is_told_and_ends_cancelled)
{
    struct api_gate gate = {0, 0, _i}; /* whatever it returns */
    tako *t = api_open(NULL, 1);
    tako_error err = {0, 0, ""};
    tako_id id;

    OK(tako_register_handler(t, "block", api_block, &gate, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "block");
    api_gate_wait(&gate, 1);
    OK(tako_cancel(t, id.text, &err));
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_CANCELLED);
    FAILS(tako_cancel(t, id.text, &err), TAKO_ESTATE, "cancelled already");
    id = api_submit(t, "block"); /* the worker's descriptor is quiet again */
    api_gate_wait(&gate, 2);
    api_gate_open(&gate);
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    FAILS(tako_cancel(t, id.text, &err), TAKO_ESTATE, "succeeded already");
    tako_close(t);
}
END_TEST

START_TEST(a_job_that_runs_on_another_engine_is_cancelled_there)
{
    struct api_gate gate = {0, 0, 1};
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako *asks, *works;
    int64_t began;
    tako_id id;

    api_dir_make(&dir);
    works = api_open(dir.uri, 1);
    asks = api_open(dir.uri, 1);
    OK(tako_register_handler(works, "block", api_block, &gate, NULL, &err));
    OK(tako_start(works, &err));
    id = api_submit(works, "block");
    api_gate_wait(&gate, 1);
    began = api_mono_ms();
    OK(tako_cancel(asks, id.text, &err));
    ck_assert_int_eq(api_wait_end(asks, id.text), TAKO_CANCELLED);
    ck_assert_int_lt(api_mono_ms() - began, 3000);
    tako_close(asks);
    tako_close(works);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(cancel_among_many_prefetched_jobs_never_runs_them)
{
    enum { MANY = 300 };
    static tako_job jobs[MANY];
    static tako_id ids[MANY];
    static const tako_job init = TAKO_JOB_INIT;
    tako *t = api_open(NULL, 1);
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    int ran = 0, unrun = 0, i;

    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "count";
    }
    OK(tako_start(t, &err));
    OK(tako_submit_many(t, jobs, MANY, ids, &err));
    for (i = MANY - 1; i > MANY / 2; i--)
        (void)tako_cancel(t, ids[i].text, NULL);
    for (i = 0; i < MANY; i++) {
        OK(tako_wait(t, ids[i].text, 20000, &rec, &err));
        unrun += !tako_record_runtime(rec); /* a handler that was told too late did run */
        ck_assert_int_eq(tako_record_status(rec) == TAKO_CANCELLED,
                         !tako_record_runtime(rec) || tako_record_error_type(rec));
        tako_record_free(rec);
    }
    ck_assert_int_eq(ran + unrun, MANY);
    tako_close(t);
}
END_TEST

Suite *suite_cancel(void)
{
    Suite *s = suite_create("api_cancel");
    TCase *c = tcase_create("cancel");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_waiting_job_ends_at_once);
    tcase_add_loop_test(c, a_running_handler_is_told_and_ends_cancelled, 0, 2);
    tcase_add_test(c, a_job_that_runs_on_another_engine_is_cancelled_there);
    tcase_add_test(c, cancel_among_many_prefetched_jobs_never_runs_them);
    suite_add_tcase(s, c);
    return s;
}
