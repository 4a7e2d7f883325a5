/* check_stop.c - stopping: grace, handlers that are asked to leave, what goes back to the queue,
 * and what may still be done afterwards.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_stop(void);

static tako *stop_engine(struct api_gate *gate, const char *uri, int workers)
{
    tako *t = api_open(uri, workers);
    tako_error err = {0, 0, ""};

    OK(tako_register_handler(t, "block", api_block, gate, NULL, &err));
    OK(tako_start(t, &err));
    return t;
}

static void *stop_open_soon(void *ctx)
{
    api_pause_ms(30);
    api_gate_open(ctx);
    return NULL;
}

START_TEST(running_jobs_may_end_within_the_grace)
{
    struct api_gate gate = {0, 0, 1};
    tako *t = stop_engine(&gate, NULL, 1);
    tako_error err = {0, 0, ""};
    pthread_t thread;
    tako_id id = api_submit(t, "block"), waits;

    api_gate_wait(&gate, 1);
    waits = api_submit(t, "block");
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_open_soon, &gate), 0);
    OK(tako_stop(t, _i ? -1 : 20000, &err));
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_status(t, waits.text), TAKO_QUEUED);
    OK(tako_stop(t, 0, &err)); /* twice is no error */
    tako_close(t);
}
END_TEST

START_TEST(a_handler_that_gives_up_goes_back_to_the_queue)
{
    struct api_gate gate = {0, 0, 1};
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id id;
    tako *t;

    api_dir_make(&dir);
    t = stop_engine(&gate, dir.uri, 2);
    id = api_submit(t, "block");
    api_gate_wait(&gate, 1);
    OK(tako_stop(t, 0, &err));
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_QUEUED);
    ck_assert_int_eq(tako_record_attempt(rec), 1);
    ck_assert_int_eq(tako_record_deaths(rec), 0);
    ck_assert_int_eq(tako_record_started_us(rec), 0);
    tako_record_free(rec);
    ck_assert_int_eq(api_stats(t).running, 0);
    tako_close(t);
    api_gate_open(&gate);
    t = stop_engine(&gate, dir.uri, 1); /* and is run again by the next engine */
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_handler_that_finishes_in_time_counts)
{
    struct api_gate gate = {0, 0, 0};
    tako *t = stop_engine(&gate, NULL, 1);
    tako_error err = {0, 0, ""};
    tako_id id = api_submit(t, "block");

    api_gate_wait(&gate, 1);
    OK(tako_stop(t, 10, &err));
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
}
END_TEST

START_TEST(a_stopped_engine_reads_but_does_not_write)
{
    struct api_gate gate = {0, 1, 0};
    tako *t = stop_engine(&gate, NULL, 1);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_id id = api_submit(t, "block"), ids[1];

    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    OK(tako_stop(t, -1, &err));
    job.type = "block";
    FAILS(tako_submit(t, &job, &ids[0], &err), TAKO_ESTATE, "tako_submit: the engine was stopped");
    FAILS(tako_submit_many(t, &job, 1, ids, &err), TAKO_ESTATE, "stopped");
    FAILS(tako_run(t, &job, &rec, &err), TAKO_ESTATE, "stopped");
    FAILS(tako_cancel(t, id.text, &err), TAKO_ESTATE, "stopped");
    FAILS(tako_start(t, &err), TAKO_ESTATE, "stopped");
    FAILS(tako_stop(t, -2, &err), TAKO_EINVAL, "grace_ms");
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED); /* it has ended: no waiting */
    ck_assert_int_eq(api_stats(t).finished, 1);
    tako_close(t);
}
END_TEST

START_TEST(an_engine_that_was_never_started_can_be_stopped)
{
    tako *t = api_open(NULL, 2);
    tako_error err = {0, 0, ""};

    OK(tako_stop(t, 0, &err));
    FAILS(tako_start(t, &err), TAKO_ESTATE, "stopped");
    tako_close(t);
}
END_TEST

static void *stop_thread(void *t)
{
    tako_error err = {0, 0, ""};

    OK(tako_stop(t, 20000, &err));
    return NULL;
}

START_TEST(two_stops_at_once_both_return_when_it_is_stopped)
{
    struct api_gate gate = {0, 0, 0};
    tako *t = stop_engine(&gate, NULL, 2);
    pthread_t threads[2];
    tako_id id = api_submit(t, "block");
    int i;

    api_gate_wait(&gate, 1);
    for (i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, stop_thread, t), 0);
    api_pause_ms(20);
    api_gate_open(&gate);
    for (i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
}
END_TEST

START_TEST(close_gives_prefetched_jobs_back)
{
    enum { MANY = 3000 };
    static tako_job jobs[MANY];
    static tako_id ids[MANY];
    static const tako_job init = TAKO_JOB_INIT;
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_stats stats;
    int ran = 0, i;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 2);
    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "count";
    }
    OK(tako_start(t, &err));
    OK(tako_submit_many(t, jobs, MANY, ids, &err));
    while (api_stats(t).finished < 50)
        api_pause_ms(1);
    tako_close(t);
    t = api_open(dir.uri, 2);
    stats = api_stats(t);
    ck_assert_int_eq(stats.running, 0);
    ck_assert_int_eq(stats.queued, MANY - ran);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

/* Short when its input is {}, else blocks. */
static int stop_sometimes_long(void *ctx, tako_call *call)
{
    size_t len;

    (void)tako_call_input(call, &len);
    return len > 2 ? api_block(ctx, call) : 0;
}

START_TEST(what_was_cancelled_does_not_go_back_to_the_queue)
{
    enum { MANY = 40 };
    static const tako_job init = TAKO_JOB_INIT;
    struct api_gate gate = {0, 0, 1};
    tako_job jobs[MANY];
    tako_id ids[MANY];
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako *t;
    int i;

    api_dir_make(&dir);
    t = api_open(dir.uri, 1);
    OK(tako_register_handler(t, "it", stop_sometimes_long, &gate, NULL, &err));
    OK(tako_start(t, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "it";
    }
    OK(tako_submit_many(t, jobs, MANY, ids, &err)); /* it learns that they are short */
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(t, ids[i].text), TAKO_SUCCEEDED);
    jobs[0].input = "{\"long\": true}";
    jobs[0].priority = 1;
    OK(tako_submit_many(t, jobs, MANY, ids, &err));
    api_gate_wait(&gate, 1);
    for (i = 1; i < MANY; i++)
        OK(tako_cancel(t, ids[i].text, &err)); /* some wait, some were claimed in advance */
    OK(tako_stop(t, 0, &err));
    ck_assert_int_eq(api_status(t, ids[0].text), TAKO_QUEUED);
    for (i = 1; i < MANY; i++)
        ck_assert_int_eq(api_status(t, ids[i].text), TAKO_CANCELLED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

Suite *suite_stop(void)
{
    Suite *s = suite_create("api_stop");
    TCase *c = tcase_create("stop");

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, running_jobs_may_end_within_the_grace, 0, 2);
    tcase_add_test(c, a_handler_that_gives_up_goes_back_to_the_queue);
    tcase_add_test(c, a_handler_that_finishes_in_time_counts);
    tcase_add_test(c, a_stopped_engine_reads_but_does_not_write);
    tcase_add_test(c, an_engine_that_was_never_started_can_be_stopped);
    tcase_add_test(c, two_stops_at_once_both_return_when_it_is_stopped);
    tcase_add_test(c, close_gives_prefetched_jobs_back);
    tcase_add_test(c, what_was_cancelled_does_not_go_back_to_the_queue);
    suite_add_tcase(s, c);
    return s;
}
