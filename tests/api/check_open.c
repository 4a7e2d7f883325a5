/* check_open.c - opening, starting and closing: options out of range, stores that cannot be
 * opened, calls in the wrong state, and what a fork may do.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

#include <fcntl.h>
#include <sys/wait.h>

Suite *suite_open(void);

START_TEST(no_options_mean_a_store_in_memory)
{
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako *t = NULL;
    tako_id id;

    OK(tako_open(&t, NULL, &err));
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    id = api_submit(t, "echo");
    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_QUEUED);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

START_TEST(options_out_of_range_are_named)
{
    static const tako_options init = TAKO_OPTIONS_INIT;
    tako_options o;
    tako_error err;
    tako *t = (tako *)&err;

    FAILS(tako_open(NULL, NULL, &err), TAKO_EINVAL, "out");
#define BAD(member, value, words)                       \
    o = init;                                           \
    o.member = value;                                   \
    FAILS(tako_open(&t, &o, &err), TAKO_EINVAL, words); \
    ck_assert_ptr_null(t)
    BAD(workers, -1, "workers: -1");
    BAD(workers, 1025, "1025");
    BAD(max_queued, -1, "max_queued");
    BAD(security, (tako_security)7, "security: 7");
    BAD(interpreter, "python3", "interpreter");
    BAD(rootfs, "", "rootfs");
    BAD(lease_ms, 999, "lease_ms: 999");
    BAD(lease_ms, 3600001, "lease_ms");
    BAD(max_deaths, 0, "max_deaths: 0");
    BAD(max_deaths, 101, "max_deaths");
    BAD(store, "jobs.db", "sqlite:PATH");
    BAD(size, 0, "size: 0");
    BAD(size, sizeof o - 8, "_INIT");
#undef BAD
    o = init;
    o.store = "postgres:host=x";
    FAILS(tako_open(&t, &o, &err), TAKO_EUNSUPPORTED, "postgres");
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(a_newer_struct_is_refused_only_when_its_new_members_are_used)
{
    struct {
        tako_options o;
        char more[16];
    } newer = {TAKO_OPTIONS_INIT, ""};
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    newer.o.size = sizeof newer;
    OK(tako_open(&t, &newer.o, &err));
    tako_close(t);
    newer.more[3] = 1;
    FAILS(tako_open(&t, &newer.o, &err), TAKO_EINVAL, "size");
}
END_TEST

START_TEST(databases_that_cannot_be_used_say_why)
{
    struct api_dir dir;
    tako_options o = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t = NULL;
    char path[400];
    int fd;

    api_dir_make(&dir);
    o.store = dir.uri;
    (void)snprintf(path, sizeof path, "%s/jobs.db", dir.path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "this is no database, it is a text, and a long one at that\n", 58),
                     58);
    (void)close(fd);
    FAILS(tako_open(&t, &o, &err), TAKO_ESTORE, "jobs.db");
    ck_assert_ptr_null(t);
    o.store = "sqlite:/nonexistent-directory/jobs.db";
    FAILS(tako_open(&t, &o, &err), TAKO_ESTORE, "/nonexistent-directory");
    o.store = "sqlite:";
    memset(&err, 0, sizeof err);
    ck_assert_int_lt(tako_open(&t, &o, &err), 0);
    ck_assert_str_ne(err.message, "");
    ck_assert_ptr_null(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_store_table_with_a_hole_is_refused)
{
    tako_store_ops ops = *tako_store_sqlite();
    const tako_store_ops *list[2] = {&ops, NULL};
    tako_options o = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t = NULL;

    ops.scheme = "holey";
    ops.claim = NULL;
    o.store = "holey:x";
    o.stores = list;
    FAILS(tako_open(&t, &o, &err), TAKO_EINVAL, "holey");
    ops.claim = tako_store_sqlite()->claim;
    ops.size = 8;
    FAILS(tako_open(&t, &o, &err), TAKO_EINVAL, "size 8");
}
END_TEST

START_TEST(calls_before_start_say_what_to_do)
{
    tako *t = api_open(NULL, 2);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;

    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    job.type = "echo";
    FAILS(tako_run(t, &job, &rec, &err), TAKO_ESTATE, "tako_start");
    FAILS(tako_step(t, &err), TAKO_ESTATE, "tako_start");
    id = api_submit(t, "echo");
    FAILS(tako_wait(t, id.text, 0, &rec, &err), TAKO_ETIMEDOUT, id.text);
    OK(tako_start(t, &err));
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    FAILS(tako_start(t, &err), TAKO_ESTATE, "tako_start");
    tako_close(t);
}
END_TEST

START_TEST(a_forked_child_is_refused_and_harms_nothing)
{
    struct api_dir dir;
    tako_error err;
    tako *t;
    tako_id id;
    pid_t child;
    int status = 0, fd[2];

    api_dir_make(&dir);
    t = api_open(dir.uri, 2);
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "echo");
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(pipe(fd), 0);
    child = fork();
    if (child == 0) {
        tako_job job = TAKO_JOB_INIT;
        tako_stats stats = TAKO_STATS_INIT;
        tako_record *rec;
        int bad = 0;

        job.type = "echo";
        bad += tako_submit(t, &job, &id, &err) != TAKO_ESTATE || !strstr(err.message, "fork");
        bad += tako_get(t, id.text, &rec, &err) != TAKO_ESTATE;
        bad += tako_wait(t, id.text, -1, &rec, &err) != TAKO_ESTATE;
        bad += tako_cancel(t, id.text, &err) != TAKO_ESTATE;
        bad += tako_stop(t, 0, &err) != TAKO_ESTATE;
        bad += tako_get_stats(t, &stats, &err) != TAKO_ESTATE;
        tako_close(t);
        _exit(bad);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    id = api_submit(t, "echo");
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(null_everywhere_is_an_error_not_a_crash)
{
    tako *t = api_open(NULL, 0);
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako_error err;
    tako_id id;
    char *json;

    tako_close(NULL);
    tako_record_free(NULL);
    tako_free(NULL, NULL);
    tako_free(t, NULL);
    FAILS(tako_start(NULL, &err), TAKO_EINVAL, "t is NULL");
    FAILS(tako_stop(NULL, 0, &err), TAKO_EINVAL, "t is NULL");
    FAILS(tako_submit(NULL, &job, &id, &err), TAKO_EINVAL, "t is NULL");
    FAILS(tako_submit(t, NULL, &id, &err), TAKO_EINVAL, "job is NULL");
    FAILS(tako_submit(t, &job, NULL, &err), TAKO_EINVAL, "id is NULL");
    FAILS(tako_submit_many(t, NULL, 1, &id, &err), TAKO_EINVAL, "jobs is NULL");
    FAILS(tako_submit_many(t, &job, 1, NULL, &err), TAKO_EINVAL, "ids is NULL");
    FAILS(tako_submit_many(t, &job, 0, &id, &err), TAKO_EINVAL, "count 0");
    FAILS(tako_get(t, NULL, &rec, &err), TAKO_EINVAL, "id is NULL");
    FAILS(tako_get(t, "x", NULL, &err), TAKO_EINVAL, "out is NULL");
    FAILS(tako_wait(t, NULL, 0, &rec, &err), TAKO_EINVAL, "id is NULL");
    FAILS(tako_wait(t, "x", 0, NULL, &err), TAKO_EINVAL, "out is NULL");
    FAILS(tako_wait(t, "x", -2, &rec, &err), TAKO_EINVAL, "timeout_ms");
    FAILS(tako_cancel(t, NULL, &err), TAKO_EINVAL, "id is NULL");
    FAILS(tako_list(t, NULL, NULL, NULL, &err), TAKO_EINVAL, "each is NULL");
    FAILS(tako_record_json(t, NULL, 0, &json, &err), TAKO_EINVAL, "rec is NULL");
    FAILS(tako_content(t, NULL, NULL, NULL, &err), TAKO_EINVAL, "sha256 is NULL");
    FAILS(tako_get_stats(t, NULL, &err), TAKO_EINVAL, "out is NULL");
    FAILS(tako_isolation(t, NULL, NULL, &err), TAKO_EINVAL, "each is NULL");
    FAILS(tako_register_handler(t, NULL, api_echo, NULL, NULL, &err), TAKO_EINVAL, "type is NULL");
    FAILS(tako_register_handler(t, "x", NULL, NULL, NULL, &err), TAKO_EINVAL, "fn is NULL");
    ck_assert_int_eq(tako_get(t, "nothing", &rec, NULL), TAKO_ENOTFOUND); /* err may be NULL */
    ck_assert_int_eq(tako_has(NULL), 0);
    ck_assert_int_eq(tako_has("sqlite"), 1);
    ck_assert_int_eq(tako_has("teleport"), 0);
    tako_close(t);
}
END_TEST

Suite *suite_open(void)
{
    Suite *s = suite_create("api_open");
    TCase *c = tcase_create("open");

    tcase_set_timeout(c, 30);
    tcase_add_test(c, no_options_mean_a_store_in_memory);
    tcase_add_test(c, options_out_of_range_are_named);
    tcase_add_test(c, a_newer_struct_is_refused_only_when_its_new_members_are_used);
    tcase_add_test(c, databases_that_cannot_be_used_say_why);
    tcase_add_test(c, a_store_table_with_a_hole_is_refused);
    tcase_add_test(c, calls_before_start_say_what_to_do);
    tcase_add_test(c, a_forked_child_is_refused_and_harms_nothing);
    tcase_add_test(c, null_everywhere_is_an_error_not_a_crash);
    suite_add_tcase(s, c);
    return s;
}
