/* check_handlers.c - C functions as jobs: what they are given, what they give, how they end.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_handlers(void);

/* Registers `fn` as "it" in a stepped engine, runs one job, gives the record. */
static tako_record *handlers_run(tako_handler_fn *fn, void *ctx, tako_job *job)
{
    tako *t = api_open(NULL, 0);
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;

    OK(tako_register_handler(t, "it", fn, ctx, NULL, &err));
    OK(tako_start(t, &err));
    job->type = "it";
    OK(tako_run(t, job, &rec, &err));
    tako_close(t); /* a record outlives its engine: tako_record_free needs no handle */
    return rec;
}

static int handlers_look(void *ctx, tako_call *call)
{
    size_t len = 0;

    (void)ctx;
    ck_assert_uint_eq(strlen(tako_call_id(call)), 36);
    ck_assert_int_eq(tako_call_attempt(call), 1);
    ck_assert_str_eq(tako_call_input(call, &len), "{\"a\":1}");
    ck_assert_uint_eq(len, 7);
    ck_assert_uint_eq(tako_call_file_count(call), 1);
    ck_assert_str_eq(tako_call_file(call, 0)->name, "f");
    ck_assert_uint_eq(tako_call_file(call, 0)->size, 3);
    ck_assert_int_eq(memcmp(tako_call_file(call, 0)->data, "a\0b", 3), 0);
    ck_assert_ptr_null(tako_call_file(call, 1));
    ck_assert_int_eq(tako_call_cancelled(call), 0);
    ck_assert_int_ge(tako_call_cancel_fd(call), 0);
    ck_assert_int_eq(tako_call_write(call, 1, "out\n", 4), TAKO_OK);
    ck_assert_int_eq(tako_call_write(call, 2, "err\n", 4), TAKO_OK);
    ck_assert_int_eq(tako_call_write(call, 3, "x", 1), TAKO_EINVAL);
    ck_assert_int_eq(tako_call_write(call, 1, NULL, 1), TAKO_EINVAL);
    return 0;
}

START_TEST(a_handler_sees_its_job_and_writes_streams)
{
    tako_file file = {"f", "a\0b", 3};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    size_t len;

    job.input = "{\"a\":1}";
    job.files = &file;
    job.n_files = 1;
    rec = handlers_run(handlers_look, NULL, &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_EXIT);
    ck_assert_int_eq(tako_record_exit_code(rec), 0);
    ck_assert_int_eq(tako_record_attempt(rec), 1);
    ck_assert_str_eq(tako_record_stdout(rec, &len), "out\n");
    ck_assert_uint_eq(len, 4);
    ck_assert_str_eq(tako_record_stderr(rec, NULL), "err\n");
    ck_assert_str_eq(tako_record_runtime(rec), "handler");
    ck_assert_ptr_null(tako_record_error_type(rec));
    ck_assert_int_ge(tako_record_wall_us(rec), 0);
    ck_assert_int_ne(tako_record_started_us(rec), 0);
    tako_record_free(rec);
}
END_TEST

static int handlers_answer(void *ctx, tako_call *call)
{
    if (*(int *)ctx == 512)
        ck_assert_int_eq(tako_call_fail(call, "the reason"), TAKO_OK);
    return *(int *)ctx;
}

START_TEST(a_handler_that_fails_gives_code_and_message)
{
    tako_job job = TAKO_JOB_INIT;
    int answer = 3;
    tako_record *rec = handlers_run(handlers_answer, &answer, &job);

    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_int_eq(tako_record_exit_code(rec), 3);
    ck_assert_str_eq(tako_record_error_type(rec), "runtime_error");
    ck_assert_str_eq(tako_record_error_message(rec), "Handler returned 3");
    tako_record_free(rec);
    answer = 512;
    rec = handlers_run(handlers_answer, &answer, &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_int_ne(tako_record_exit_code(rec), 0);
    ck_assert_str_eq(tako_record_error_message(rec), "the reason");
    tako_record_free(rec);
}
END_TEST

static int handlers_output(void *ctx, tako_call *call)
{
    tako_error err;

    (void)ctx;
    FAILS(tako_call_output(call, "[1]", 3, &err), TAKO_EINVAL, "JSON object");
    FAILS(tako_call_output(call, NULL, 0, &err), TAKO_EINVAL, "NULL");
    OK(tako_call_output(call, "{\"n\":1}", 7, &err));
    OK(tako_call_output(call, "{\"n\":2}", 7, &err));
    return 1;
}

START_TEST(the_last_output_wins_also_when_the_job_fails)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = handlers_run(handlers_output, NULL, &job);

    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_output(rec, NULL), "{\"n\":2}");
    ck_assert_ptr_null(tako_record_output_note(rec));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 0);
    tako_record_free(rec);
}
END_TEST

static int handlers_artifacts(void *ctx, tako_call *call)
{
    char *big = calloc(1, TAKO_ARTIFACT_MAX + 1), name[32];
    tako_error err;
    int i;

    (void)ctx;
    ck_assert_ptr_nonnull(big);
    OK(tako_call_artifact(call, "a.bin", "a\0b", 3, &err));
    OK(tako_call_artifact(call, "empty", NULL, 0, &err));
    OK(tako_call_artifact(call, "result.json", "{\"x\":1}", 7, &err));
    FAILS(tako_call_artifact(call, "a.bin", "z", 1, &err), TAKO_EINVAL, "already");
    FAILS(tako_call_artifact(call, "../x", "z", 1, &err), TAKO_EINVAL, "../x");
    FAILS(tako_call_artifact(call, ".hidden", "z", 1, &err), TAKO_EINVAL, ".hidden");
    FAILS(tako_call_artifact(call, NULL, "z", 1, &err), TAKO_EINVAL, "NULL");
    FAILS(tako_call_artifact(call, "n", NULL, 1, &err), TAKO_EINVAL, "NULL");
    FAILS(tako_call_artifact(call, "big", big, TAKO_ARTIFACT_MAX + 1, &err), TAKO_EFULL, "big");
    for (i = 3; i < TAKO_ARTIFACT_COUNT_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        OK(tako_call_artifact(call, name, "z", 1, &err));
    }
    FAILS(tako_call_artifact(call, "more", "z", 1, &err), TAKO_EFULL, "more");
    free(big);
    return 0;
}

START_TEST(artifacts_have_names_sizes_and_limits)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = handlers_run(handlers_artifacts, NULL, &job);
    const tako_artifact *a;

    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), TAKO_ARTIFACT_COUNT_MAX);
    a = tako_record_artifact(rec, TAKO_ARTIFACTS, 0);
    ck_assert_str_eq(a->name, "a.bin");
    ck_assert_int_eq(a->bytes, 3);
    ck_assert_uint_eq(strlen(a->sha256), 64);
    ck_assert_str_eq(tako_record_output(rec, NULL), "{\"x\":1}");
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_REJECTED), 2);
    a = tako_record_artifact(rec, TAKO_REJECTED, 0);
    ck_assert_str_eq(a->name, "big");
    ck_assert_ptr_nonnull(a->reason);
    ck_assert_ptr_null(a->sha256);
    ck_assert_ptr_null(tako_record_artifact(rec, TAKO_REJECTED, 2));
    tako_record_free(rec);
}
END_TEST

static int handlers_bad_result(void *ctx, tako_call *call)
{
    (void)ctx;
    return tako_call_artifact(call, "result.json", "[1,2]", 5, NULL);
}

START_TEST(a_result_that_is_no_object_is_noted_not_fatal)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = handlers_run(handlers_bad_result, NULL, &job);

    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_ptr_null(tako_record_output(rec, NULL));
    ck_assert_ptr_nonnull(tako_record_output_note(rec));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 1);
    tako_record_free(rec);
}
END_TEST

static int handlers_flood(void *ctx, tako_call *call)
{
    char block[4096];
    int i;

    (void)ctx;
    memset(block, 'x', sizeof block);
    for (i = 0; i < 1000; i++)
        (void)tako_call_write(call, 1, block, sizeof block);
    return 0;
}

START_TEST(streams_are_cut_at_the_cap_and_counted)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = handlers_run(handlers_flood, NULL, &job);
    size_t len;

    (void)tako_record_stdout(rec, &len);
    ck_assert_uint_le(len, TAKO_OUTPUT_CAP + 200);
    ck_assert_int_eq(tako_record_stdout_truncated(rec), 1);
    ck_assert_int_eq(tako_record_stdout_bytes(rec), 4096000);
    ck_assert_int_eq(tako_record_stderr_truncated(rec), 0);
    tako_record_free(rec);
}
END_TEST

START_TEST(a_handler_is_asked_to_stop_at_its_deadline)
{
    struct api_gate gate = {0, 0, 0};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    int64_t began = api_mono_ms();

    job.timeout_ms = 30;
    rec = handlers_run(api_block, &gate, &job);
    ck_assert_int_ge(api_mono_ms() - began, 30);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_WALL);
    ck_assert_str_eq(tako_record_error_type(rec), "execution_timeout");
    tako_record_free(rec);
}
END_TEST

static tako *handlers_engine;
static int handlers_tried;

static int handlers_calls(void *ctx, tako_call *call)
{
    tako *t = handlers_engine;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;

    (void)ctx;
    job.type = "echo";
    FAILS(tako_run(t, &job, &rec, &err), TAKO_ESTATE, "tako_run: not from a handler");
    FAILS(tako_wait(t, tako_call_id(call), 0, &rec, &err), TAKO_ESTATE, "not from a handler");
    FAILS(tako_step(t, &err), TAKO_ESTATE, "not from a handler");
    FAILS(tako_stop(t, 0, &err), TAKO_ESTATE, "not from a handler");
    tako_close(t); /* does nothing */
    OK(tako_submit(t, &job, &id, &err));
    OK(tako_get(t, tako_call_id(call), &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_RUNNING);
    tako_record_free(rec);
    OK(tako_cancel(t, id.text, &err));
    handlers_tried++;
    return 0;
}

/* _i: the number of workers; with 0 the handler runs inside tako_step. */
START_TEST(a_handler_may_submit_get_and_cancel_but_not_wait)
{
    tako_error err = {0, 0, ""};
    tako_id id;

    handlers_engine = api_open(NULL, _i);
    OK(tako_register_handler(handlers_engine, "echo", api_echo, NULL, NULL, &err));
    OK(tako_register_handler(handlers_engine, "calls", handlers_calls, NULL, NULL, &err));
    OK(tako_start(handlers_engine, &err));
    id = api_submit(handlers_engine, "calls");
    ck_assert_int_eq(api_wait_end(handlers_engine, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(handlers_tried, 1);
    tako_close(handlers_engine);
}
END_TEST

static void handlers_destroy(void *ctx)
{
    ++*(int *)ctx;
}

START_TEST(what_a_handler_owns_is_destroyed_exactly_once)
{
    tako *t = api_open(NULL, 1);
    int a = 0, b = 0, c = 0;
    tako_error err;

    OK(tako_register_handler(t, "a", api_count, &a, handlers_destroy, &err));
    FAILS(tako_register_handler(t, "a", api_count, &b, handlers_destroy, &err), TAKO_ECONFLICT,
          "'a'");
    ck_assert_int_eq(b, 1);
    FAILS(tako_register_handler(t, "default", api_count, &c, handlers_destroy, &err),
          TAKO_ECONFLICT, "'default'");
    ck_assert_int_eq(c, 1);
    ck_assert_int_eq(a, 0);
    OK(tako_start(t, &err));
    OK(tako_stop(t, 0, &err));
    FAILS(tako_register_handler(t, "late", api_count, &c, handlers_destroy, &err), TAKO_ESTATE,
          "stopped");
    ck_assert_int_eq(c, 2);
    tako_close(t);
    ck_assert_int_eq(a, 1);
}
END_TEST

START_TEST(a_job_waits_for_its_handler_to_be_registered)
{
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_id id;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 1);
    OK(tako_register_handler(t, "late", api_echo, NULL, NULL, &err));
    id = api_submit(t, "late");
    tako_close(t);
    t = api_open(dir.uri, 1);
    OK(tako_start(t, &err));
    api_pause_ms(20);
    ck_assert_int_eq(api_status(t, id.text), TAKO_QUEUED);
    OK(tako_register_handler(t, "late", api_echo, NULL, NULL, &err));
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

static void handlers_seen(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    (void)data;
    ck_assert_uint_eq(strlen(id), 36);
    if (stream == 1)
        *(size_t *)ctx += len;
}

START_TEST(output_is_reported_as_it_comes_and_before_the_cap)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    size_t seen = 0;
    tako *t = NULL;

    opts.workers = 0;
    opts.on_output = handlers_seen;
    opts.output_ctx = &seen;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "flood", handlers_flood, NULL, NULL, &err));
    OK(tako_start(t, &err));
    (void)api_submit(t, "flood");
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_uint_eq(seen, 4096000);
    tako_close(t);
}
END_TEST

START_TEST(many_short_jobs_are_all_run_once)
{
    enum { MANY = 2000 };
    static tako_job jobs[MANY];
    static tako_id ids[MANY];
    static const tako_job init = TAKO_JOB_INIT;
    tako *t = api_open(NULL, 3);
    tako_error err = {0, 0, ""};
    int ran = 0, i;

    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "count";
    }
    OK(tako_submit_many(t, jobs, MANY, ids, &err));
    OK(tako_start(t, &err));
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(t, ids[i].text), TAKO_SUCCEEDED);
    ck_assert_int_eq(ran, MANY);
    ck_assert_int_eq(api_stats(t).finished, MANY);
    ck_assert_int_eq(api_stats(t).queued, 0);
    ck_assert_int_eq(api_stats(t).running, 0);
    ck_assert_int_lt(api_stats(t).commits, MANY); /* claims and ends share commits */
    tako_close(t);
}
END_TEST

Suite *suite_handlers(void)
{
    Suite *s = suite_create("api_handlers");
    TCase *c = tcase_create("handlers");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_handler_sees_its_job_and_writes_streams);
    tcase_add_test(c, a_handler_that_fails_gives_code_and_message);
    tcase_add_test(c, the_last_output_wins_also_when_the_job_fails);
    tcase_add_test(c, artifacts_have_names_sizes_and_limits);
    tcase_add_test(c, a_result_that_is_no_object_is_noted_not_fatal);
    tcase_add_test(c, streams_are_cut_at_the_cap_and_counted);
    tcase_add_test(c, a_handler_is_asked_to_stop_at_its_deadline);
    tcase_add_loop_test(c, a_handler_may_submit_get_and_cancel_but_not_wait, 0, 2);
    tcase_add_test(c, what_a_handler_owns_is_destroyed_exactly_once);
    tcase_add_test(c, a_job_waits_for_its_handler_to_be_registered);
    tcase_add_test(c, output_is_reported_as_it_comes_and_before_the_cap);
    tcase_add_test(c, many_short_jobs_are_all_run_once);
    suite_add_tcase(s, c);
    return s;
}
