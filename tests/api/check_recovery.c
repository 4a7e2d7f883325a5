/* check_recovery.c - nodes that die: every acknowledged job ends exactly once, jobs that kill
 * their node are given up, a lease that runs out is honoured, and engines share one file.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

#include <signal.h>
#include <sys/wait.h>

Suite *suite_recovery(void);

enum { RECOVERY_JOBS = 40, RECOVERY_WORKERS = 4 };

/* A process that submits RECOVERY_JOBS jobs, has some of them running, says so, and hangs. */
static pid_t recovery_host(const char *uri)
{
    int fd[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(fd), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct api_gate gate = {0, 0, 1};
        tako_options opts = TAKO_OPTIONS_INIT;
        tako_error err;
        tako *t = NULL;
        int i;

        opts.store = uri;
        opts.workers = RECOVERY_WORKERS;
        if (tako_open(&t, &opts, &err) ||
            tako_register_handler(t, "it", api_block, &gate, NULL, &err) || tako_start(t, &err))
            _exit(1);
        for (i = 0; i < RECOVERY_JOBS; i++) {
            tako_job job = TAKO_JOB_INIT;
            tako_id id;

            job.type = "it";
            if (tako_submit(t, &job, &id, &err))
                _exit(2);
        }
        while (__atomic_load_n(&gate.entered, __ATOMIC_SEQ_CST) < RECOVERY_WORKERS)
            api_pause_ms(1);
        if (write(fd[1], "x", 1) != 1)
            _exit(3);
        for (;;)
            (void)pause();
    }
    (void)close(fd[1]);
    ck_assert_int_eq(read(fd[0], &byte, 1), 1);
    (void)close(fd[0]);
    return pid;
}

static void recovery_kill(pid_t pid)
{
    int status;

    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

struct recovery_counts {
    int jobs, ended, recovered;
};

static int recovery_each(void *ctx, const tako_record *rec)
{
    struct recovery_counts *c = ctx;

    c->jobs++;
    c->ended += tako_record_status(rec) == TAKO_SUCCEEDED;
    if (tako_record_deaths(rec)) {
        ck_assert_int_eq(tako_record_deaths(rec), 1);
        ck_assert_int_eq(tako_record_attempt(rec), 2);
        c->recovered++;
    }
    return 0;
}

START_TEST(a_killed_host_loses_nothing)
{
    struct recovery_counts c = {0, 0, 0};
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_stats stats;
    int64_t until;
    int ran = 0;
    tako *t;

    api_dir_make(&dir);
    recovery_kill(recovery_host(dir.uri));
    t = api_open(dir.uri, 2); /* takes back what ran */
    ck_assert_int_eq(api_stats(t).running, 0);
    ck_assert_int_eq(api_stats(t).queued, RECOVERY_JOBS);
    OK(tako_register_handler(t, "it", api_count, &ran, NULL, &err));
    OK(tako_start(t, &err));
    until = api_mono_ms() + 20000;
    do {
        stats = api_stats(t);
        api_pause_ms(2);
    } while ((stats.queued || stats.running) && api_mono_ms() < until);
    OK(tako_stop(t, -1, &err));
    ck_assert_int_eq(ran, RECOVERY_JOBS);
    OK(tako_list(t, NULL, recovery_each, &c, &err));
    ck_assert_int_eq(c.jobs, RECOVERY_JOBS);
    ck_assert_int_eq(c.ended, RECOVERY_JOBS);
    ck_assert_int_eq(c.recovered, RECOVERY_WORKERS);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

static int recovery_find(void *ctx, const tako_record *rec)
{
    (void)snprintf(ctx, 40, "%s", tako_record_id(rec));
    return 0;
}

START_TEST(a_job_that_was_there_at_every_death_is_given_up)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_filter f = TAKO_FILTER_INIT;
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    char id[40] = "";
    tako *t = NULL;

    api_dir_make(&dir);
    recovery_kill(recovery_host(dir.uri));
    opts.store = dir.uri;
    opts.max_deaths = 1;
    OK(tako_open(&t, &opts, &err));
    ck_assert_int_eq(api_stats(t).queued, RECOVERY_JOBS - RECOVERY_WORKERS);
    f.statuses = TAKO_STATUS_BIT(TAKO_FAILED);
    OK(tako_list(t, &f, recovery_find, id, &err));
    ck_assert_str_ne(id, "");
    OK(tako_get(t, id, &rec, &err));
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_LOST);
    ck_assert_str_eq(tako_record_error_type(rec), "interrupted");
    ck_assert_str_eq(tako_record_error_message(rec), "job was running at 1 node deaths");
    ck_assert_int_eq(tako_record_deaths(rec), 1);
    ck_assert_int_ne(tako_record_ended_us(rec), 0);
    tako_record_free(rec);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_cancelled_job_of_a_dead_node_is_cancelled)
{
    tako_filter f = TAKO_FILTER_INIT;
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    char id[40] = "";
    pid_t host;
    tako *t;

    api_dir_make(&dir);
    host = recovery_host(dir.uri);
    ck_assert_int_eq(kill(host, SIGSTOP), 0); /* it cannot answer */
    t = api_open(dir.uri, 1);
    f.statuses = TAKO_STATUS_BIT(TAKO_RUNNING);
    OK(tako_list(t, &f, recovery_find, id, &err));
    OK(tako_cancel(t, id, &err));
    ck_assert_int_eq(api_status(t, id), TAKO_RUNNING);
    recovery_kill(host);
    tako_close(t);
    t = api_open(dir.uri, 1);
    ck_assert_int_eq(api_status(t, id), TAKO_CANCELLED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

/* Two engines, one clock: the second takes the job when the first one's lease is over, and what
 * the first one says afterwards is refused. */
static tako *recovery_other;
static struct api_clock recovery_clock = {INT64_C(1700000000000000)};

static int recovery_overtaken(void *ctx, tako_call *call)
{
    tako_error err = {0, 0, ""};

    (void)ctx;
    ck_assert_int_eq(tako_step(recovery_other, &err), 0); /* it is running here */
    api_clock_move(&recovery_clock, INT64_C(100000000));
    ck_assert_int_eq(tako_step(recovery_other, &err), 1); /* there it succeeds */
    ck_assert_int_eq(api_status(recovery_other, tako_call_id(call)), TAKO_SUCCEEDED);
    return 1;
}

START_TEST(a_lease_that_ran_out_moves_the_job_and_fences_the_late_end)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    int ran = 0;
    tako *late = NULL;
    tako_id id;

    api_dir_make(&dir);
    opts.store = dir.uri;
    opts.workers = 0;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &recovery_clock;
    OK(tako_open(&late, &opts, &err));
    OK(tako_register_handler(late, "it", recovery_overtaken, NULL, NULL, &err));
    OK(tako_start(late, &err));
    id = api_submit(late, "it");
    OK(tako_open(&recovery_other, &opts, &err));
    OK(tako_register_handler(recovery_other, "it", api_count, &ran, NULL, &err));
    OK(tako_start(recovery_other, &err));
    ck_assert_int_eq(tako_step(late, &err), 1);
    ck_assert_int_eq(ran, 1);
    OK(tako_get(late, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_record_attempt(rec), 2);
    ck_assert_int_eq(tako_record_deaths(rec), 1);
    tako_record_free(rec);
    tako_close(recovery_other);
    tako_close(late);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(engines_on_one_file_share_the_work)
{
    enum { MANY = 60 };
    static const tako_job init = TAKO_JOB_INIT;
    struct api_gate gate = {0, 0, 0};
    tako_job jobs[MANY];
    tako_id ids[MANY];
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako *a, *b;
    int i;

    api_dir_make(&dir);
    a = api_open(dir.uri, 2);
    b = api_open(dir.uri, 2);
    OK(tako_register_handler(a, "it", api_block, &gate, NULL, &err));
    OK(tako_register_handler(b, "it", api_block, &gate, NULL, &err));
    OK(tako_start(a, &err));
    OK(tako_start(b, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "it";
    }
    OK(tako_submit_many(a, jobs, MANY, ids, &err));
    api_gate_wait(&gate, 4); /* both have taken some, without being told by the submitter */
    api_gate_open(&gate);
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(i % 2 ? a : b, ids[i].text), TAKO_SUCCEEDED);
    OK(tako_stop(a, -1, &err));
    OK(tako_stop(b, -1, &err));
    ck_assert_int_eq(gate.entered, MANY);
    ck_assert_int_gt(api_stats(a).finished, 0);
    ck_assert_int_gt(api_stats(b).finished, 0);
    ck_assert_int_eq(api_stats(a).finished + api_stats(b).finished, MANY);
    tako_close(a);
    tako_close(b);
    api_dir_remove(&dir);
}
END_TEST

/* Short when its input is {}, else as long as the gate is shut. */
static int recovery_sometimes_long(void *ctx, tako_call *call)
{
    size_t len;

    (void)tako_call_input(call, &len);
    return len > 2 ? api_block(ctx, call) : 0;
}

START_TEST(jobs_claimed_in_advance_do_not_hang_behind_a_long_one)
{
    enum { MANY = 40 };
    static const tako_job init = TAKO_JOB_INIT;
    struct api_gate gate = {0, 0, 0};
    tako_job jobs[MANY];
    tako_id ids[MANY];
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    tako *a, *b;
    int i;

    api_dir_make(&dir);
    a = api_open(dir.uri, 1);
    b = api_open(dir.uri, 1);
    OK(tako_register_handler(a, "it", recovery_sometimes_long, &gate, NULL, &err));
    OK(tako_register_handler(b, "it", recovery_sometimes_long, &gate, NULL, &err));
    OK(tako_start(a, &err));
    for (i = 0; i < MANY; i++) {
        jobs[i] = init;
        jobs[i].type = "it";
    }
    OK(tako_submit_many(a, jobs, MANY, ids, &err)); /* a learns that they are short */
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(a, ids[i].text), TAKO_SUCCEEDED);
    jobs[0].input = "{\"long\": true}";
    jobs[0].priority = 1;
    OK(tako_submit_many(a, jobs, MANY, ids, &err));
    api_gate_wait(&gate, 1);
    OK(tako_start(b, &err));
    for (i = 1; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(b, ids[i].text), TAKO_SUCCEEDED);
    ck_assert_int_eq(api_status(b, ids[0].text), TAKO_RUNNING);
    api_gate_open(&gate);
    ck_assert_int_eq(api_wait_end(a, ids[0].text), TAKO_SUCCEEDED);
    tako_close(a);
    tako_close(b);
    api_dir_remove(&dir);
}
END_TEST

Suite *suite_recovery(void)
{
    Suite *s = suite_create("api_recovery");
    TCase *c = tcase_create("recovery");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_killed_host_loses_nothing);
    tcase_add_test(c, a_job_that_was_there_at_every_death_is_given_up);
    tcase_add_test(c, a_cancelled_job_of_a_dead_node_is_cancelled);
    tcase_add_test(c, a_lease_that_ran_out_moves_the_job_and_fences_the_late_end);
    tcase_add_test(c, engines_on_one_file_share_the_work);
    tcase_add_test(c, jobs_claimed_in_advance_do_not_hang_behind_a_long_one);
    suite_add_tcase(s, c);
    return s;
}
