/* check_idle.c - an engine that has nothing to do does nothing, also on a store that cannot tell when
 * somebody else wrote. SPDX-License-Identifier: MIT */
#include "../../tako.h"

#include <check.h>
#include <stdio.h>
#include <time.h>

Suite *suite_idle(void);

static void idle_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static int64_t idle_cpu_ms(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static int64_t idle_wakeups(tako *t)
{
    tako_stats stats = TAKO_STATS_INIT;

    ck_assert_int_eq(tako_get_stats(t, &stats, NULL), TAKO_OK);
    return stats.wakeups;
}

static int nap(void *ctx, tako_call *call)
{
    (void)call;
    idle_sleep_ms(*(const long *)ctx);
    return 0;
}

static tako *idle_start(const tako_options *opts, long *nap_ms)
{
    tako_error err;
    tako *t = NULL;

    ck_assert_msg(tako_open(&t, opts, &err) == TAKO_OK, "%s", err.message);
    ck_assert_msg(tako_register_handler(t, "nap", nap, nap_ms, NULL, &err) == TAKO_OK, "%s",
                  err.message);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    return t;
}

static void idle_run(tako *t)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;

    job.type = "nap";
    ck_assert_msg(tako_run(t, &job, &rec, &err) == TAKO_OK, "%s", err.message);
    tako_record_free(rec);
}

START_TEST(an_engine_in_memory_never_wakes_without_cause)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    long nap_ms = 1;
    tako *t = idle_start(&opts, &nap_ms);
    int64_t before;

    idle_run(t);
    idle_sleep_ms(100);
    before = idle_wakeups(t);
    idle_sleep_ms(1300); /* longer than any look-around */
    ck_assert_int_eq(idle_wakeups(t), before);
    tako_close(t);
}
END_TEST

/* SQLite's own functions but for the one that tells of other writers; a host's stores come first. */
START_TEST(a_store_without_a_watch_is_looked_at_once_a_second_not_all_the_time)
{
    tako_store_ops blind = *tako_store_sqlite();
    const tako_store_ops *stores[] = {&blind, NULL};
    tako_options opts = TAKO_OPTIONS_INIT;
    long nap_ms = 20;
    int64_t cpu, before;
    tako *t;
    int i;

    blind.watch_fd = NULL;
    blind.watched = NULL;
    opts.stores = stores;
    t = idle_start(&opts, &nap_ms);
    for (i = 0; i < 60; i++) /* more than a second in which there is always something to do */
        idle_run(t);
    idle_sleep_ms(50);
    cpu = idle_cpu_ms();
    before = idle_wakeups(t);
    idle_sleep_ms(600);
    ck_assert_msg(idle_cpu_ms() - cpu < 200, "%lld ms of processor time in 600 ms of idling",
                  (long long)(idle_cpu_ms() - cpu));
    ck_assert_int_le(idle_wakeups(t) - before, 3);
    tako_close(t);
}
END_TEST

Suite *suite_idle(void)
{
    Suite *s = suite_create("idle");
    TCase *c = tcase_create("idle");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, an_engine_in_memory_never_wakes_without_cause);
    tcase_add_test(c, a_store_without_a_watch_is_looked_at_once_a_second_not_all_the_time);
    suite_add_tcase(s, c);
    return s;
}
