/* check_submit.c - accepted jobs: what is kept of them, all or none, group commit, the limit of
 * the queue, and a store that fails.
 * SPDX-License-Identifier: MIT */
#include "../support/require.h"
#include "api_util.h"

Suite *suite_submit(void);

START_TEST(what_was_asked_is_on_the_record)
{
    tako_file files[2] = {{"a.txt", "alpha", 5}, {"empty", NULL, 0}};
    tako *t = api_open(NULL, 0);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_id id;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    job.type = "echo";
    job.input = "{ \"k\" : 1e2 }";
    job.files = files;
    job.n_files = 2;
    job.priority = 7;
    job.correlation_id = "req-1";
    job.client_ip = "::1";
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_uint_eq(strlen(id.text), 36);
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_str_eq(tako_record_id(rec), id.text);
    ck_assert_str_eq(tako_record_type(rec), "echo");
    ck_assert_int_eq(tako_record_status(rec), TAKO_QUEUED);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_NONE);
    ck_assert_int_eq(tako_record_priority(rec), 7);
    ck_assert_int_eq(tako_record_attempt(rec), 0);
    ck_assert_str_eq(tako_record_correlation_id(rec), "req-1");
    ck_assert_str_eq(tako_record_client_ip(rec), "::1");
    ck_assert_ptr_null(tako_record_code_hash(rec));
    ck_assert_ptr_nonnull(tako_record_input_hash(rec));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_INPUT_FILES), 2);
    ck_assert_str_eq(tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->name, "a.txt");
    ck_assert_int_eq(tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->bytes, 5);
    ck_assert_int_eq(tako_record_exit_code(rec), -1);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

struct submit_bytes {
    char text[4096];
    int calls, answer;
};

static int submit_got(void *ctx, const void *data, size_t len)
{
    struct submit_bytes *b = ctx;

    ck_assert_uint_lt(len, sizeof b->text);
    memcpy(b->text, data, len);
    b->text[len] = '\0';
    b->calls++;
    return b->answer;
}

/* A JSON object of more than the 1 KiB up to which an input is kept with the job itself. */
static const char *submit_big_input(void)
{
    static char text[2048]; /* of a test's own process */

    memset(text, ' ', sizeof text - 1);
    text[0] = '{';
    text[sizeof text - 2] = '}';
    return text;
}

static tako_id submit_big(tako *t)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.type = "echo";
    job.input = submit_big_input();
    OK(tako_submit(t, &job, &id, &err));
    return id;
}

START_TEST(content_is_lent_by_its_hash)
{
    tako_file file = {"a.txt", "alpha", 5};
    tako *t = api_open(NULL, 0);
    tako_job job = TAKO_JOB_INIT;
    struct submit_bytes got = {"", 0, 0};
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_id id;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    job.type = "echo";
    job.input = submit_big_input();
    job.files = &file;
    job.n_files = 1;
    OK(tako_submit(t, &job, &id, &err));
    OK(tako_get(t, id.text, &rec, &err));
    OK(tako_read_file(t, id.text, TAKO_INPUT_FILES, "_input.json", 0, -1, submit_got, &got, &err));
    ck_assert_str_eq(got.text, submit_big_input());
    OK(tako_content(t, tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->sha256, submit_got, &got,
                    &err));
    ck_assert_str_eq(got.text, "alpha");
    got.answer = 42;
    ck_assert_int_eq(tako_content(t, tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->sha256,
                                  submit_got, &got, &err),
                     42);
    ck_assert_int_eq(got.calls, 3);
    FAILS(tako_content(t, "abc", submit_got, &got, &err), TAKO_EINVAL, "abc");
    FAILS(tako_content(t, "0000000000000000000000000000000000000000000000000000000000000000",
                       submit_got, &got, &err),
          TAKO_ENOTFOUND, "0000");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(an_acknowledged_submit_is_there_after_reopening)
{
    struct api_dir dir;
    tako *t;
    tako_id id;
    tako_error err = {0, 0, ""};

    api_dir_make(&dir);
    t = api_open(dir.uri, 0);
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    id = api_submit(t, "echo");
    tako_close(t);
    t = api_open(dir.uri, 0);
    ck_assert_int_eq(api_status(t, id.text), TAKO_QUEUED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(many_are_one_commit)
{
    enum { MANY = 500 };
    static tako_job jobs[MANY];
    static tako_id ids[MANY];
    static const tako_job init = TAKO_JOB_INIT;
    tako *t = api_open(NULL, 0);
    tako_error err = {0, 0, ""};
    int64_t before;
    int i;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "echo";
    }
    before = api_stats(t).commits;
    OK(tako_submit_many(t, jobs, MANY, ids, &err));
    ck_assert_int_eq(api_stats(t).commits, before + 1);
    ck_assert_int_eq(api_stats(t).submitted, MANY);
    ck_assert_int_eq(api_stats(t).queued, MANY);
    ck_assert_int_eq(api_status(t, ids[0].text), TAKO_QUEUED);
    ck_assert_int_eq(api_status(t, ids[MANY - 1].text), TAKO_QUEUED);
    tako_close(t);
}
END_TEST

enum { SUBMIT_THREADS = 64, SUBMIT_EACH = 20 };

static void *submit_thread(void *ctx)
{
    int i;

    for (i = 0; i < SUBMIT_EACH; i++)
        (void)api_submit(ctx, "count");
    return NULL;
}

/* Also with _i = 0, where no engine thread exists and callers commit for each other. */
START_TEST(submits_of_many_threads_share_commits)
{
    pthread_t threads[SUBMIT_THREADS];
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_stats stats;
    int ran = 0, i;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 2);
    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    if (_i)
        OK(tako_start(t, &err));
    for (i = 0; i < SUBMIT_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_thread, t), 0);
    for (i = 0; i < SUBMIT_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    stats = api_stats(t);
    ck_assert_int_eq(stats.submitted, SUBMIT_THREADS * SUBMIT_EACH);
    ck_assert_msg(stats.commits * (*test_sanitizer() ? 2 : 4) < stats.submitted,
                  "%lld commits for %lld submits", (long long)stats.commits,
                  (long long)stats.submitted);
    if (!_i)
        ck_assert_int_eq(stats.queued, stats.submitted);
    tako_close(t);
    if (_i)
        ck_assert_int_gt(ran, 0);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_full_queue_refuses_and_recovers)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job jobs[3], job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id, ids[3];
    tako *t = NULL;
    int i;

    opts.workers = 0;
    opts.max_queued = 3;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    job.type = "echo";
    for (i = 0; i < 3; i++)
        jobs[i] = job;
    id = api_submit(t, "echo");
    FAILS(tako_submit_many(t, jobs, 3, ids, &err), TAKO_EFULL, "max_queued 3");
    OK(tako_submit_many(t, jobs, 2, ids, &err));
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EFULL, "max_queued 3");
    ck_assert_int_eq(tako_step(t, &err), 1);
    OK(tako_submit(t, &job, &id, &err));
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EFULL, "max_queued 3");
    OK(tako_cancel(t, id.text, &err));
    OK(tako_submit(t, &job, &id, &err));
    tako_close(t);
}
END_TEST

/* ---- a store that fails when told --------------------------------------------------------- */

static int submit_fail_commits, submit_fail_finishes;

static int submit_bad_commit(void *self, tako_error *err)
{
    if (submit_fail_commits > 0) {
        submit_fail_commits--;
        tako_store_sqlite()->rollback(self);
        if (err) {
            err->code = TAKO_ESTORE;
            (void)snprintf(err->message, sizeof err->message, "disk on fire");
        }
        return TAKO_ESTORE;
    }
    return tako_store_sqlite()->commit(self, err);
}

static int submit_bad_finish(void *self, const tako_finish *items, size_t count, int *results,
                             tako_error *err)
{
    if (submit_fail_finishes > 0) {
        submit_fail_finishes--;
        if (err) {
            err->code = TAKO_ESTORE;
            (void)snprintf(err->message, sizeof err->message, "disk on fire");
        }
        return TAKO_ESTORE;
    }
    return tako_store_sqlite()->finish(self, items, count, results, err);
}

static int submit_blob_fails, submit_blob_code;

static int submit_bad_get_blob(void *self, const char *sha256, int64_t offset, int64_t limit,
                               tako_bytes_fn *got, void *ctx, tako_error *err)
{
    if (submit_blob_fails > 0) {
        submit_blob_fails--;
        if (err) {
            err->code = submit_blob_code;
            (void)snprintf(err->message, sizeof err->message, "disk on fire");
        }
        return submit_blob_code;
    }
    return tako_store_sqlite()->get_blob(self, sha256, offset, limit, got, ctx, err);
}

static int submit_bad_open(void **self, const char *uri, const tako_host *host, tako_error *err)
{
    (void)uri;
    return tako_store_sqlite()->open(self, "sqlite::memory:", host, err);
}

static tako *submit_bad_engine(int workers, tako_store_ops *ops, const tako_store_ops **list)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    *ops = *tako_store_sqlite();
    ops->scheme = "bad";
    ops->open = submit_bad_open;
    ops->commit = submit_bad_commit;
    ops->finish = submit_bad_finish;
    ops->get_blob = submit_bad_get_blob;
    list[0] = ops;
    list[1] = NULL;
    opts.store = "bad:";
    opts.stores = list;
    opts.workers = workers;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    return t;
}

START_TEST(a_failing_commit_is_told_and_nothing_is_written)
{
    const tako_store_ops *list[2];
    tako_store_ops ops;
    tako *t = submit_bad_engine(0, &ops, list);
    tako_job job = TAKO_JOB_INIT;
    tako_error err;
    tako_id id;

    job.type = "echo";
    submit_fail_commits = 1;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_ESTORE, "nothing was written: disk on fire");
    ck_assert_int_eq(api_stats(t).queued, 0);
    ck_assert_int_eq(api_stats(t).submitted, 0);
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_int_eq(api_stats(t).queued, 1);
    tako_close(t);
}
END_TEST

START_TEST(an_end_that_cannot_be_written_is_kept_and_tried_again)
{
    const tako_store_ops *list[2];
    tako_store_ops ops;
    tako *t = submit_bad_engine(2, &ops, list);
    tako_error err = {0, 0, ""};
    tako_id id, other;

    submit_fail_finishes = 4;
    OK(tako_start(t, &err));
    id = api_submit(t, "echo");
    other = api_submit(t, "echo"); /* submits go on meanwhile */
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_wait_end(t, other.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(submit_fail_finishes, 0);
    ck_assert_int_eq(api_stats(t).finished, 2);
    tako_close(t);
}
END_TEST

START_TEST(step_tells_of_an_end_that_cannot_be_written)
{
    const tako_store_ops *list[2];
    tako_store_ops ops;
    tako *t = submit_bad_engine(0, &ops, list);
    tako_error err = {0, 0, ""};
    tako_id id = api_submit(t, "echo");

    OK(tako_start(t, &err));
    submit_fail_finishes = 1;
    FAILS(tako_step(t, &err), TAKO_ESTORE, "disk on fire");
    ck_assert_int_eq(api_status(t, id.text), TAKO_RUNNING);
    ck_assert_int_eq(tako_step(t, &err), 0);
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    submit_fail_finishes = 1000;
    id = api_submit(t, "echo");
    FAILS(tako_step(t, &err), TAKO_ESTORE, "disk on fire");
    FAILS(tako_stop(t, 0, &err), TAKO_ESTORE, "1 jobs could not be written");
    tako_close(t);
}
END_TEST

START_TEST(a_job_whose_content_is_missing_fails_and_says_so)
{
    const tako_store_ops *list[2];
    tako_store_ops ops;
    tako *t = submit_bad_engine(0, &ops, list);
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id id = submit_big(t);

    OK(tako_start(t, &err));
    submit_blob_fails = 1;
    submit_blob_code = TAKO_ENOTFOUND;
    ck_assert_int_eq(tako_step(t, &err), 1);
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_type(rec), "internal_error");
    ck_assert_ptr_nonnull(strstr(tako_record_error_message(rec), "the store is damaged: input"));
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(content_that_cannot_be_read_in_passing_is_tried_again)
{
    const tako_store_ops *list[2];
    tako_store_ops ops;
    tako *t = submit_bad_engine(1, &ops, list);
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id id = submit_big(t);

    submit_blob_fails = 1;
    submit_blob_code = TAKO_ESTORE;
    OK(tako_start(t, &err));
    OK(tako_wait(t, id.text, 20000, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_record_attempt(rec), 2);
    ck_assert_int_eq(tako_record_deaths(rec), 0);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

Suite *suite_submit(void)
{
    Suite *s = suite_create("api_submit");
    TCase *c = tcase_create("submit");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_was_asked_is_on_the_record);
    tcase_add_test(c, content_is_lent_by_its_hash);
    tcase_add_test(c, an_acknowledged_submit_is_there_after_reopening);
    tcase_add_test(c, many_are_one_commit);
    tcase_add_loop_test(c, submits_of_many_threads_share_commits, 0, 2);
    tcase_add_test(c, a_full_queue_refuses_and_recovers);
    tcase_add_test(c, a_failing_commit_is_told_and_nothing_is_written);
    tcase_add_test(c, an_end_that_cannot_be_written_is_kept_and_tried_again);
    tcase_add_test(c, a_job_whose_content_is_missing_fails_and_says_so);
    tcase_add_test(c, content_that_cannot_be_read_in_passing_is_tried_again);
    tcase_add_test(c, step_tells_of_an_end_that_cannot_be_written);
    suite_add_tcase(s, c);
    return s;
}
