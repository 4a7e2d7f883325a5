/* check_badinput.c - jobs that break a rule: each is refused with a message of its own, nothing
 * is stored, and the engine goes on working.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_badinput(void);

static tako *bad_engine;
static tako_job bad_init = TAKO_JOB_INIT;

static void bad_setup(void)
{
    tako_error err = {0, 0, ""};

    bad_engine = api_open(NULL, 0);
    OK(tako_register_handler(bad_engine, "echo", api_echo, NULL, NULL, &err));
}

/* Nothing came in, and a good job still does. */
static void bad_teardown(void)
{
    ck_assert_int_eq(api_stats(bad_engine).submitted, 0);
    (void)api_submit(bad_engine, "echo");
    ck_assert_int_eq(api_stats(bad_engine).queued, 1);
    tako_close(bad_engine);
}

static void bad_refused(const tako_job *job, int code, const char *words)
{
    tako_error err;
    tako_id id;

    id.text[0] = '#';
    FAILS(tako_submit(bad_engine, job, &id, &err), code, words);
    ck_assert_int_eq(id.text[0], '#');
}

START_TEST(bad_code)
{
    tako_job job = bad_init;
    char *big = malloc(TAKO_CODE_MAX + 2);
    tako_id id;
    tako_error err;

    ck_assert_ptr_nonnull(big);
    bad_refused(&job, TAKO_EINVAL, "code: NULL");
    job.code = "";
    bad_refused(&job, TAKO_EINVAL, "code: empty");
    job.code = " \t\r\n ";
    bad_refused(&job, TAKO_EINVAL, "code: blank");
    job.code = "print('\xff')";
    bad_refused(&job, TAKO_EINVAL, "code: not valid UTF-8 at byte 7");
    job.code = "pass\0pass";
    job.code_len = 9;
    bad_refused(&job, TAKO_EINVAL, "code: a NUL byte at byte 4 of 9");
    job.code_len = 0;
    memset(big, '#', TAKO_CODE_MAX + 1);
    big[TAKO_CODE_MAX + 1] = '\0';
    job.code = big;
    bad_refused(&job, TAKO_EINVAL, "102401 bytes, more than the 102400");
    job.code = NULL;
    job.code_len = 3;
    bad_refused(&job, TAKO_EINVAL, "code_len is 3");
    job.code = "x";
    job.code_len = 0;
    job.type = "echo";
    bad_refused(&job, TAKO_EINVAL, "must be NULL for job type 'echo'");
    job.type = NULL; /* as large as is allowed */
    job.code = big;
    job.code_len = TAKO_CODE_MAX;
    OK(tako_submit(bad_engine, &job, &id, &err));
    free(big);
    tako_close(bad_engine);
    bad_setup();
}
END_TEST

START_TEST(bad_input)
{
    tako_job job = bad_init;
    char *big = calloc(1, TAKO_INPUT_MAX + 2);
    char deep[1024];
    int i;

    ck_assert_ptr_nonnull(big);
    job.type = "echo";
    job.input = "[1]";
    bad_refused(&job, TAKO_EINVAL, "input: not acceptable as a JSON object at byte 0");
    job.input = "";
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input = "{\"a\": 1} x";
    bad_refused(&job, TAKO_EINVAL, "at byte 9");
    job.input = "{\"a\": \"\xc3\"}";
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input = "{\"a\": \"\\ud800\"}";
    bad_refused(&job, TAKO_EINVAL, "surrogate");
    job.input = "{\"a\": \"\\u0000\"}";
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input = "{\"a\": 1, \"a\": 2}";
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input = "{\"a\": NaN}";
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input = "{\"a\": \"\0\"}";
    job.input_len = 10;
    bad_refused(&job, TAKO_EINVAL, "input");
    job.input_len = 0;
    (void)strcpy(deep, "{\"a\":");
    for (i = 0; i < TAKO_INPUT_DEPTH_MAX; i++)
        (void)strcat(deep, "[");
    for (i = 0; i < TAKO_INPUT_DEPTH_MAX; i++)
        (void)strcat(deep, "]");
    (void)strcat(deep, "}");
    job.input = deep;
    bad_refused(&job, TAKO_EINVAL, "input");
    memset(big, ' ', TAKO_INPUT_MAX + 1);
    job.input = big;
    bad_refused(&job, TAKO_EINVAL, "1048577 bytes, more than the 1048576");
    job.input = NULL;
    job.input_len = 2;
    bad_refused(&job, TAKO_EINVAL, "input_len is 2");
    free(big);
}
END_TEST

START_TEST(bad_files)
{
    static const char *const names[] = {
        "", ".hidden", "a/b", "a\\b", "a\nb", "..", "data.json", "_requirements.txt", "\xff.txt"};
    tako_file files[TAKO_FILES_MAX + 1];
    tako_job job = bad_init;
    char name[300];
    size_t i;

    memset(files, 0, sizeof files);
    job.type = "echo";
    job.n_files = 1;
    bad_refused(&job, TAKO_EINVAL, "files: NULL");
    job.files = files;
    bad_refused(&job, TAKO_EINVAL, "files[0].name: NULL");
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        files[0].name = names[i];
        bad_refused(&job, TAKO_EINVAL, "files[0].name");
    }
    memset(name, 'n', 256);
    name[256] = '\0';
    files[0].name = name;
    bad_refused(&job, TAKO_EINVAL, "files[0].name");
    files[0].name = "a";
    files[1].name = "a";
    job.n_files = 2;
    bad_refused(&job, TAKO_EINVAL, "files[1].name: 'a' is also the name of files[0]");
    files[1].name = "b";
    files[1].size = 4;
    bad_refused(&job, TAKO_EINVAL, "files[1].data: NULL");
    files[0].data = name; /* not read: the sizes alone are too much */
    files[0].size = TAKO_FILE_BYTES_MAX;
    files[1].data = name;
    files[1].size = 1;
    bad_refused(&job, TAKO_EINVAL, "more than the 52428800 bytes");
    files[1].size = (size_t)-1;
    bad_refused(&job, TAKO_EINVAL, "more than the 52428800 bytes");
    job.n_files = TAKO_FILES_MAX + 1;
    bad_refused(&job, TAKO_EINVAL, "n_files: 65");
}
END_TEST

START_TEST(bad_numbers)
{
    tako_job job;

#define BAD(member, value, words) \
    job = bad_init;               \
    job.type = "echo";            \
    job.member = value;           \
    bad_refused(&job, TAKO_EINVAL, words)
    BAD(timeout_ms, -1, "timeout_ms: -1");
    BAD(timeout_ms, TAKO_TIMEOUT_MAX_MS + 1, "timeout_ms: 86400001");
    BAD(timeout_ms, INT64_MAX, "timeout_ms");
    BAD(memory_bytes, TAKO_MEMORY_MIN - 1, "memory_bytes: 67108863");
    BAD(memory_bytes, -1, "memory_bytes");
    BAD(memory_bytes, TAKO_MEMORY_MAX + 1, "memory_bytes");
    BAD(cpu_timeout_ms, -1, "cpu_timeout_ms: -1");
    BAD(cpu_timeout_ms, TAKO_TIMEOUT_MAX_MS + 1, "cpu_timeout_ms");
    BAD(output_kill_bytes, -1, "output_kill_bytes: -1");
    BAD(priority, -101, "priority: -101, not in -100..100");
    BAD(priority, 101, "priority: 101");
    BAD(run_at_ms, -1, "run_at_ms: -1");
    BAD(run_at_ms, INT64_MAX, "run_at_ms");
    BAD(correlation_id, "", "correlation_id");
    BAD(correlation_id, "a b", "correlation_id");
    BAD(correlation_id, "\xc3\xa4", "correlation_id");
    BAD(correlation_id, "12345678901234567890123456789012345678901234567890123456789012345",
        "correlation_id");
    BAD(client_ip, "1234567890123456789012345678901234567890123456", "client_ip");
    BAD(client_ip, "\xff", "client_ip");
    BAD(size, 0, "size: 0");
    BAD(size, 16, "size: 16");
    BAD(size, (size_t)-8, "cannot be the size");
    BAD(size, sizeof job + 4, "cannot be the size");
#undef BAD
}
END_TEST

START_TEST(bad_types)
{
    static const char *const names[] = {"", "a b", "a/b", "-", "a.b", "\xc3\xa4"};
    tako_job job = bad_init;
    tako_error err;
    char name[80];
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        job.type = names[i];
        bad_refused(&job, TAKO_EINVAL, "type: '");
        FAILS(tako_register_handler(bad_engine, names[i], api_echo, NULL, NULL, &err), TAKO_EINVAL,
              "type '");
    }
    memset(name, 'x', 65);
    name[65] = '\0';
    job.type = name;
    bad_refused(&job, TAKO_EINVAL, "type: '");
    job.type = "unknown-type";
    bad_refused(&job, TAKO_ENOTFOUND, "unknown-type");
}
END_TEST

START_TEST(one_bad_job_of_many_refuses_all)
{
    tako_job jobs[3];
    tako_id ids[3];
    tako_error err;
    int i;

    for (i = 0; i < 3; i++) {
        jobs[i] = bad_init;
        jobs[i].type = "echo";
    }
    jobs[1].priority = 1000;
    FAILS(tako_submit_many(bad_engine, jobs, 3, ids, &err), TAKO_EINVAL, "jobs[1]: priority");
    ck_assert_int_eq(strncmp(err.message, "jobs[1]: ", 9), 0);
    FAILS(tako_submit_many(bad_engine, jobs, TAKO_SUBMIT_MANY_MAX + 1, ids, &err), TAKO_EINVAL,
          "10001");
    jobs[1] = jobs[0];
    jobs[2].size = sizeof(tako_job) + 8;
    FAILS(tako_submit_many(bad_engine, jobs, 3, ids, &err), TAKO_EINVAL, "jobs[2]: size");
}
END_TEST

START_TEST(ids_and_hashes_that_cannot_be)
{
    static const char *const ids[] = {"", ".x", "a/b", "a b", "..", "\xc3\xa4"};
    tako_record *rec = (tako_record *)&bad_engine;
    tako_error err;
    size_t i;

    for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        FAILS(tako_get(bad_engine, ids[i], &rec, &err), TAKO_EINVAL, "id '");
        ck_assert_ptr_null(rec);
        FAILS(tako_wait(bad_engine, ids[i], 0, &rec, &err), TAKO_EINVAL, "id '");
        FAILS(tako_cancel(bad_engine, ids[i], &err), TAKO_EINVAL, "id '");
    }
    FAILS(tako_get(bad_engine, "no-such-job", &rec, &err), TAKO_ENOTFOUND, "no-such-job");
    FAILS(tako_wait(bad_engine, "no-such-job", -1, &rec, &err), TAKO_ENOTFOUND, "no-such-job");
    FAILS(tako_cancel(bad_engine, "no-such-job", &err), TAKO_ENOTFOUND, "no-such-job");
}
END_TEST

Suite *suite_badinput(void)
{
    Suite *s = suite_create("api_badinput");
    TCase *c = tcase_create("badinput");

    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, bad_setup, bad_teardown);
    tcase_add_test(c, bad_code);
    tcase_add_test(c, bad_input);
    tcase_add_test(c, bad_files);
    tcase_add_test(c, bad_numbers);
    tcase_add_test(c, bad_types);
    tcase_add_test(c, one_bad_job_of_many_refuses_all);
    tcase_add_test(c, ids_and_hashes_that_cannot_be);
    suite_add_tcase(s, c);
    return s;
}
