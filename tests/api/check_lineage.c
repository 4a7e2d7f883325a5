/* check_lineage.c - reruns and forks: what a child takes over and what wins over it, who its parents
 * and children are, and reading code, input and files again, whole and by range.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"
#include "api_util.h"

Suite *suite_lineage(void);

struct lineage_text {
    char data[4096];
    size_t len;
    int calls;
};

static int lineage_take(void *ctx, const void *data, size_t len)
{
    struct lineage_text *t = ctx;

    ck_assert_uint_le(t->len + len, sizeof t->data - 1);
    memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
    t->calls++;
    return 0;
}

static tako_record *lineage_get(tako *t, const char *id)
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};

    OK(tako_get(t, id, &rec, &err));
    return rec;
}

struct lineage_ids {
    int n;
    char id[8][40];
};

static int lineage_each(void *ctx, const tako_record *rec)
{
    struct lineage_ids *ids = ctx;

    (void)snprintf(ids->id[ids->n++ % 8], 40, "%s", tako_record_id(rec));
    return 0;
}

START_TEST(a_rerun_takes_everything_over_and_what_is_set_wins)
{
    tako *t = api_open(NULL, 0);
    tako_file file = {"a.csv", "1,2\n", 4};
    tako_job job = TAKO_JOB_INIT, changes = TAKO_JOB_INIT;
    struct lineage_ids ids = {0, {""}};
    tako_filter filter = TAKO_FILTER_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;
    tako_id first, second, third;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    job.type = "echo";
    job.input = "{\"n\": 1}";
    job.files = &file;
    job.n_files = 1;
    job.timeout_ms = 12345;
    job.memory_bytes = 134217728;
    job.cpu_timeout_ms = 777;
    job.output_kill_bytes = 99999;
    job.max_attempts = 4;
    job.retry_on = "killed";
    job.retry_delay_ms = 250;
    job.idempotency_key = "only-for-the-first";
    job.correlation_id = "c1";
    OK(tako_submit(t, &job, &first, &err));
    FAILS(tako_rerun(t, first.text, NULL, &second, &err), TAKO_ESTATE, "is queued");
    OK(tako_start(t, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    OK(tako_rerun(t, first.text, NULL, &second, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    rec = lineage_get(t, second.text);
    ck_assert_str_eq(tako_record_parent(rec), first.text);
    ck_assert_str_eq(tako_record_relationship(rec), "rerun");
    ck_assert_str_eq(tako_record_output(rec, NULL), "{\"n\": 1}");
    ck_assert_int_eq(tako_record_timeout_ms(rec), 12345);
    ck_assert_int_eq(tako_record_memory_bytes(rec), 134217728);
    ck_assert_int_eq(tako_record_max_attempts(rec), 4);
    ck_assert_ptr_null(tako_record_idempotency_key(rec));
    ck_assert_ptr_null(tako_record_correlation_id(rec));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_INPUT_FILES), 1);
    ck_assert_str_eq(tako_record_artifact(rec, TAKO_INPUT_FILES, 0)->name, "a.csv");
    tako_record_free(rec);

    changes.timeout_ms = 500;
    changes.memory_bytes = 268435456;
    changes.max_attempts = 1;
    changes.idempotency_key = "a-key-of-its-own";
    OK(tako_rerun(t, second.text, &changes, &third, &err));
    rec = lineage_get(t, third.text);
    ck_assert_str_eq(tako_record_parent(rec), second.text);
    ck_assert_int_eq(tako_record_timeout_ms(rec), 500);
    ck_assert_int_eq(tako_record_memory_bytes(rec), 268435456);
    ck_assert_int_eq(tako_record_max_attempts(rec), 1);
    ck_assert_str_eq(tako_record_idempotency_key(rec), "a-key-of-its-own");
    tako_record_free(rec);

    filter.parent = first.text;
    OK(tako_list(t, &filter, lineage_each, &ids, &err));
    ck_assert_int_eq(ids.n, 1);
    ck_assert_str_eq(ids.id[0], second.text);
    filter.parent = third.text;
    OK(tako_list(t, &filter, lineage_each, &ids, &err));
    ck_assert_int_eq(ids.n, 1);
    filter.parent = "..";
    FAILS(tako_list(t, &filter, lineage_each, &ids, &err), TAKO_EINVAL, "tako_list: parent");
    tako_close(t);
}
END_TEST

START_TEST(a_child_has_the_code_and_input_of_its_kind)
{
    tako *t = api_open(NULL, 0);
    tako_file file = {"a.csv", "1,2\n", 4};
    tako_job job = TAKO_JOB_INIT, changes = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;
    tako_id first, id;

    job.code = "print(1)";
    job.input = "{\"n\":1}";
    OK(tako_submit(t, &job, &first, &err));
    OK(tako_cancel(t, first.text, &err));
    changes.input = "{}";
    FAILS(tako_rerun(t, first.text, &changes, &id, &err), TAKO_EINVAL, "input: a rerun has");
    FAILS(tako_fork(t, first.text, &changes, &id, &err), TAKO_EINVAL, "input: a fork has");
    changes.input = NULL;
    changes.files = &file;
    changes.n_files = 1;
    FAILS(tako_rerun(t, first.text, &changes, &id, &err), TAKO_EINVAL, "files: a rerun has");
    changes.files = NULL;
    changes.n_files = 0;
    FAILS(tako_fork(t, first.text, &changes, &id, &err), TAKO_EINVAL, "code: NULL; a fork");
    FAILS(tako_fork(t, first.text, NULL, &id, &err), TAKO_EINVAL, "code: NULL; a fork");
    changes.code = "print(2)";
    FAILS(tako_rerun(t, first.text, &changes, &id, &err), TAKO_EINVAL, "code: a rerun has");
    changes.code = "  ";
    FAILS(tako_fork(t, first.text, &changes, &id, &err), TAKO_EINVAL, "code: blank");
    changes.code = "print(2)";
    changes.type = "nothing";
    FAILS(tako_fork(t, first.text, &changes, &id, &err), TAKO_ENOTFOUND, "no job type 'nothing'");
    changes.type = NULL;
    changes.timeout_ms = TAKO_TIMEOUT_MAX_MS + 1;
    FAILS(tako_fork(t, first.text, &changes, &id, &err), TAKO_EINVAL, "timeout_ms");
    changes.timeout_ms = 0;
    OK(tako_fork(t, first.text, &changes, &id, &err));
    rec = lineage_get(t, id.text);
    ck_assert_str_eq(tako_record_relationship(rec), "fork");
    tako_record_free(rec);
    /* a fork of a job that waits */
    OK(tako_fork(t, id.text, &changes, &first, &err));
    FAILS(tako_rerun(t, "0190-none", NULL, &id, &err), TAKO_ENOTFOUND, "there is no job");
    FAILS(tako_rerun(t, NULL, NULL, &id, &err), TAKO_EINVAL, "tako_rerun: id is NULL");
    FAILS(tako_rerun(t, first.text, NULL, NULL, &err), TAKO_EINVAL, "tako_rerun: out is NULL");
    tako_close(t);
}
END_TEST

/* Larger than what is kept with the job itself, so that it is content of its own. */
static const char *lineage_big_input(void)
{
    static const char text[] =
        "{\"text\":\""
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "\"}";

    return text;
}

static void lineage_expect(tako *t, const char *id, int kind, const char *name, int64_t offset,
                           int64_t len, const char *want, size_t want_len)
{
    struct lineage_text got = {"", 0, 0};
    tako_error err = {0, 0, ""};

    OK(tako_read_file(t, id, kind, name, offset, len, lineage_take, &got, &err));
    ck_assert_uint_eq(got.len, want_len);
    ck_assert_mem_eq(got.data, want, want_len);
    ck_assert_int_eq(got.calls, want_len > 0);
}

START_TEST(code_input_and_files_are_read_again_by_range)
{
    tako *t = api_open(NULL, 0);
    const char *big = lineage_big_input();
    tako_file file = {"a.csv", "0123456789", 10};
    tako_job job = TAKO_JOB_INIT;
    struct lineage_text got = {"", 0, 0};
    tako_error err = {0, 0, ""};
    tako_id id, small;
    size_t n = strlen(big);

    job.code = "print('h\xC3\xA9')";
    job.input = big;
    job.files = &file;
    job.n_files = 1;
    OK(tako_submit(t, &job, &id, &err));
    job.input = " {\"a\": 1} ";
    OK(tako_submit(t, &job, &small, &err));
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "_code.py", 0, -1, job.code, strlen(job.code));
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "_input.json", 0, -1, big, n);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "_input.json", 5, 100, big + 5, 100);
    lineage_expect(t, small.text, TAKO_INPUT_FILES, "_input.json", 0, -1, " {\"a\": 1} ", 10);
    lineage_expect(t, small.text, TAKO_INPUT_FILES, "_input.json", 3, 2, "a\"", 2);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "a.csv", 0, -1, "0123456789", 10);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "a.csv", 9, -1, "9", 1);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "a.csv", 9, 100, "9", 1);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "a.csv", 10, -1, "", 0);
    lineage_expect(t, id.text, TAKO_INPUT_FILES, "a.csv", 3, 0, "", 0);
    FAILS(tako_read_file(t, id.text, TAKO_INPUT_FILES, "a.csv", 11, -1, lineage_take, &got, &err),
          TAKO_EINVAL, "offset 11");
    FAILS(tako_read_file(t, id.text, TAKO_INPUT_FILES, "a.csv", -1, -1, lineage_take, &got, &err),
          TAKO_EINVAL, "offset -1");
    FAILS(tako_read_file(t, id.text, TAKO_INPUT_FILES, "a.csv", 0, -2, lineage_take, &got, &err),
          TAKO_EINVAL, "length -2");
    FAILS(tako_read_file(t, id.text, TAKO_INPUT_FILES, "b.csv", 0, -1, lineage_take, &got, &err),
          TAKO_ENOTFOUND, "no input file 'b.csv'");
    FAILS(tako_read_file(t, id.text, TAKO_ARTIFACTS, "_code.py", 0, -1, lineage_take, &got, &err),
          TAKO_ENOTFOUND, "no artifact '_code.py'");
    FAILS(tako_read_file(t, id.text, TAKO_REJECTED, "x", 0, -1, lineage_take, &got, &err),
          TAKO_EINVAL, "kind 2");
    ck_assert_int_eq(got.calls, 0);
    tako_close(t);
}
END_TEST

START_TEST(code_runs_again_in_the_sandbox_and_a_fork_runs_other_code_on_the_same_input)
{
    tako *t = sandbox_open(1);
    tako_job job = TAKO_JOB_INIT, changes = TAKO_JOB_INIT;
    tako_file file = {"a.txt", "alpha", 5};
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id first, again, fork;
    struct lineage_text got = {"", 0, 0};

    if (!t)
        return;
    job.code = "import json\nd = json.load(open('/input/data.json'))\n"
               "open('/output/out.txt', 'w').write(open('/input/a.txt').read() * 20000)\n"
               "print(len(d['text']))";
    job.input = lineage_big_input();
    job.files = &file;
    job.n_files = 1;
    OK(tako_submit(t, &job, &first, &err));
    ck_assert_int_eq(api_wait_end(t, first.text), TAKO_SUCCEEDED);
    OK(tako_rerun(t, first.text, NULL, &again, &err));
    changes.code = "print(open('/input/data.json').read()[:9], open('/input/a.txt').read())";
    OK(tako_fork(t, first.text, &changes, &fork, &err));
    OK(tako_wait(t, again.text, -1, &rec, &err));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "1056\n");
    tako_record_free(rec);
    OK(tako_wait(t, fork.text, -1, &rec, &err));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "{\"text\":\" alpha\n");
    tako_record_free(rec);
    /* an artifact of 100,000 bytes from the middle */
    OK(tako_read_file(t, again.text, TAKO_ARTIFACTS, "out.txt", 70001, 6, lineage_take, &got,
                      &err));
    ck_assert_str_eq(got.data, "lphaal");
    tako_close(t);
}
END_TEST

Suite *suite_lineage(void)
{
    Suite *s = suite_create("lineage");
    TCase *c = tcase_create("lineage");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_rerun_takes_everything_over_and_what_is_set_wins);
    tcase_add_test(c, a_child_has_the_code_and_input_of_its_kind);
    tcase_add_test(c, code_input_and_files_are_read_again_by_range);
    tcase_add_test(c, code_runs_again_in_the_sandbox_and_a_fork_runs_other_code_on_the_same_input);
    suite_add_tcase(s, c);
    return s;
}
