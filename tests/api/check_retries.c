/* check_retries.c - jobs that fail and are run again, how long that waits, the history they leave, and
 * the dead letters of those that were given up.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"
#include "api_util.h"

Suite *suite_retries(void);

#define START_US INT64_C(1800000000000000)

/* Fails so often, then succeeds. */
struct retries_plan {
    int failures, calls;
    const char *message;
};

static int retries_fail(void *ctx, tako_call *call)
{
    struct retries_plan *p = ctx;

    if (++p->calls > p->failures)
        return 0;
    if (p->message)
        (void)tako_call_fail(call, p->message);
    (void)tako_call_write(call, 2, "not kept", 8);
    return 3;
}

static tako *retries_engine(struct api_clock *clock, struct retries_plan *plan, const char *uri)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako *t = NULL;

    clock->now_us = START_US;
    opts.workers = 0;
    opts.store = uri;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = clock;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "flaky", retries_fail, plan, NULL, &err));
    OK(tako_start(t, &err));
    return t;
}

static tako_id retries_submit(tako *t, int max_attempts, const char *retry_on)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.type = "flaky";
    job.max_attempts = max_attempts;
    job.retry_on = retry_on;
    job.correlation_id = "corr-1";
    job.client_ip = "192.0.2.7";
    OK(tako_submit(t, &job, &id, &err));
    return id;
}

/* Steps until the job ends, moving the clock on whenever nothing is due. Gives its record. */
static tako_record *retries_to_end(tako *t, struct api_clock *clock, const char *id)
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    int i, rc;

    for (i = 0; i < 200; i++) {
        rc = tako_step(t, &err);
        ck_assert_msg(rc >= 0, "%s", err.message);
        OK(tako_get(t, id, &rec, &err));
        if (tako_status_terminal(tako_record_status(rec)))
            return rec;
        tako_record_free(rec);
        if (rc == 0)
            api_clock_move(clock, 1000000);
    }
    ck_abort_msg("job %s does not end", id);
    return NULL;
}

static int retries_dead_counter(void *ctx, const tako_dead *dead)
{
    (void)dead;
    ++*(int *)ctx;
    return 0;
}

static int retries_dead_count(tako *t)
{
    tako_error err = {0, 0, ""};
    int n = 0;

    OK(tako_dead_list(t, NULL, retries_dead_counter, &n, &err));
    return n;
}

START_TEST(a_job_that_fails_is_run_again_until_it_succeeds)
{
    struct retries_plan plan = {2, 0, "no luck"};
    struct api_clock clock;
    tako *t = retries_engine(&clock, &plan, NULL);
    tako_id id = retries_submit(t, 5, NULL);
    tako_record *rec = retries_to_end(t, &clock, id.text);

    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    ck_assert_int_eq(tako_record_failures(rec), 2);
    ck_assert_int_eq(tako_record_attempt(rec), 3);
    ck_assert_int_eq(tako_record_max_attempts(rec), 5);
    ck_assert_str_eq(tako_record_stderr(rec, NULL), "");
    ck_assert_int_eq(plan.calls, 3);
    ck_assert_int_eq(retries_dead_count(t), 0);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

struct retries_moves {
    int n;
    tako_status status[16];
    int attempt[16];
    int64_t at_us[16];
    char cause[16][200], node[16][40];
};

static int retries_move(void *ctx, const tako_transition *move)
{
    struct retries_moves *m = ctx;

    ck_assert_int_lt(m->n, 16);
    m->status[m->n] = move->status;
    m->attempt[m->n] = move->attempt;
    m->at_us[m->n] = move->at_us;
    (void)snprintf(m->cause[m->n], sizeof m->cause[0], "%s", move->cause);
    (void)snprintf(m->node[m->n], sizeof m->node[0], "%s", move->node);
    m->n++;
    return 0;
}

START_TEST(the_history_has_every_move_with_its_time_attempt_node_and_cause)
{
    static const tako_status expect[] = {TAKO_QUEUED, TAKO_RUNNING, TAKO_QUEUED, TAKO_RUNNING,
                                         TAKO_QUEUED, TAKO_RUNNING, TAKO_FAILED};
    static const int attempts[] = {0, 1, 1, 2, 2, 3, 3};
    struct retries_plan plan = {9, 0, "no luck at /home/alice/x"};
    struct api_clock clock;
    tako *t = retries_engine(&clock, &plan, NULL);
    tako_id id = retries_submit(t, 3, NULL);
    struct retries_moves moves;
    tako_error err = {0, 0, ""};
    int i;

    tako_record_free(retries_to_end(t, &clock, id.text));
    memset(&moves, 0, sizeof moves);
    OK(tako_history(t, id.text, retries_move, &moves, &err));
    ck_assert_int_eq(moves.n, 7);
    for (i = 0; i < 7; i++) {
        ck_assert_int_eq(moves.status[i], expect[i]);
        ck_assert_int_eq(moves.attempt[i], attempts[i]);
        ck_assert_int_eq(moves.node[i][0] != '\0', i > 0);
        ck_assert(moves.at_us[i] >= START_US && (i == 0 || moves.at_us[i] >= moves.at_us[i - 1]));
    }
    ck_assert_str_eq(moves.cause[2], "runtime_error: no luck at /home/***/x");
    ck_assert_str_eq(moves.cause[6], "no luck at /home/***/x");
    ck_assert_str_eq(moves.cause[1], "");
    /* the waits: one second, then two, give or take 10 % and a step of the clock */
    ck_assert_int_ge(moves.at_us[3] - moves.at_us[2], 900000);
    ck_assert_int_le(moves.at_us[3] - moves.at_us[2], 2100000);
    ck_assert_int_ge(moves.at_us[5] - moves.at_us[4], 1800000);
    ck_assert_int_le(moves.at_us[5] - moves.at_us[4], 3200000);
    FAILS(tako_history(t, "none-such", retries_move, &moves, &err), TAKO_ENOTFOUND, "no job");
    FAILS(tako_history(t, id.text, NULL, NULL, &err), TAKO_EINVAL, "each is NULL");
    tako_close(t);
}
END_TEST

START_TEST(only_listed_error_types_are_tried_again)
{
    struct retries_plan plan = {9, 0, "x"};
    struct api_clock clock;
    tako *t = retries_engine(&clock, &plan, NULL);
    tako_id id = retries_submit(t, 3, "killed,network_error");
    tako_record *rec = retries_to_end(t, &clock, id.text);

    ck_assert_int_eq(tako_record_attempt(rec), 1);
    tako_record_free(rec);
    ck_assert_int_eq(retries_dead_count(t), 0); /* it was not given up: nothing was promised */
    id = retries_submit(t, 3, "network_error,runtime_error");
    rec = retries_to_end(t, &clock, id.text);
    ck_assert_int_eq(tako_record_attempt(rec), 3);
    tako_record_free(rec);
    ck_assert_int_eq(retries_dead_count(t), 1);
    tako_close(t);
}
END_TEST

START_TEST(what_is_asked_for_in_vain_is_refused)
{
    struct retries_plan plan = {0, 0, NULL};
    struct api_clock clock;
    tako *t = retries_engine(&clock, &plan, NULL);
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.type = "flaky";
    job.max_attempts = 101;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "max_attempts: 101, not in 1-100");
    job.max_attempts = -1;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "max_attempts: -1");
    job.max_attempts = 2;
    job.retry_delay_ms = 99;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "retry_delay_ms: 99, not in 100-60000");
    job.retry_delay_ms = 60001;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "retry_delay_ms: 60001");
    job.retry_delay_ms = 60000;
    job.retry_on = "oom,out_of_luck";
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "retry_on: 'oom,out_of_luck'");
    job.retry_on = "oom";
    OK(tako_submit(t, &job, &id, &err));
    tako_close(t);
}
END_TEST

struct retries_letter {
    int n;
    int64_t id[8];
    char job_id[8][40], error_type[8][40], message[8][100], summary[8][600];
    int retry_count[8];
};

static int retries_take_dead(void *ctx, const tako_dead *dead)
{
    struct retries_letter *l = ctx;

    ck_assert_int_lt(l->n, 8);
    l->id[l->n] = dead->id;
    l->retry_count[l->n] = dead->retry_count;
    (void)snprintf(l->job_id[l->n], 40, "%s", dead->job_id);
    (void)snprintf(l->error_type[l->n], 40, "%s", dead->error_type);
    (void)snprintf(l->message[l->n], 100, "%s", dead->error_message);
    (void)snprintf(l->summary[l->n], 600, "%s", dead->summary);
    if (strcmp(dead->type, "flaky") != 0)
        return 0;
    ck_assert_int_gt(dead->created_us, 0);
    if (dead->retry_count == 0) {
        ck_assert_str_eq(dead->client_ip, "192.0.2.7");
        ck_assert_str_eq(dead->correlation_id, "corr-1");
    }
    l->n++;
    return 0;
}

static int retries_take_count(void *ctx, const char *error_type, int64_t count)
{
    (void)snprintf((char *)ctx + strlen(ctx), 100, "%s=%d ", error_type, (int)count);
    return 0;
}

START_TEST(a_job_given_up_leaves_a_dead_letter_that_can_be_retried_or_removed)
{
    struct api_dir dir;
    struct retries_plan plan = {1000, 0, "no luck"};
    struct api_clock clock;
    struct retries_letter l;
    tako_dead_filter filter = TAKO_DEAD_FILTER_INIT;
    tako_error err = {0, 0, ""};
    char stats[200] = "";
    tako *t;
    tako_id id, again, other;
    tako_record *rec;

    api_dir_make(&dir);
    t = retries_engine(&clock, &plan, dir.uri);
    id = retries_submit(t, 2, NULL);
    tako_record_free(retries_to_end(t, &clock, id.text));
    other = retries_submit(t, 2, NULL);
    tako_record_free(retries_to_end(t, &clock, other.text));
    tako_close(t); /* they last */
    t = retries_engine(&clock, &plan, dir.uri);
    memset(&l, 0, sizeof l);
    OK(tako_dead_list(t, NULL, retries_take_dead, &l, &err));
    ck_assert_int_eq(l.n, 2);
    ck_assert_str_eq(l.job_id[0], other.text); /* the newest first */
    ck_assert_str_eq(l.job_id[1], id.text);
    ck_assert_str_eq(l.error_type[0], "runtime_error");
    ck_assert_str_eq(l.message[0], "no luck");
    ck_assert_ptr_nonnull(strstr(l.summary[0], "\"job_type\":\"flaky\""));
    ck_assert_ptr_nonnull(strstr(l.summary[0], "\"has_idempotency_key\":false"));
    OK(tako_dead_stats(t, retries_take_count, stats, &err));
    ck_assert_str_eq(stats, "runtime_error=2 ");
    filter.before = l.id[0];
    l.n = 0;
    OK(tako_dead_list(t, &filter, retries_take_dead, &l, &err));
    ck_assert_int_eq(l.n, 1);
    filter.error_type = "oom";
    OK(tako_dead_list(t, &filter, retries_take_dead, &l, &err));
    ck_assert_int_eq(l.n, 1);
    filter.limit = 1001;
    FAILS(tako_dead_list(t, &filter, retries_take_dead, &l, &err), TAKO_EINVAL, "limit 1001");

    /* retried: a new job, and the letter is gone; when that dies too, the count goes up */
    OK(tako_dead_retry(t, l.id[0], &again, &err));
    FAILS(tako_dead_retry(t, l.id[0], &other, &err), TAKO_ENOTFOUND, "no dead letter");
    ck_assert_int_eq(retries_dead_count(t), 1);
    rec = retries_to_end(t, &clock, again.text);
    ck_assert_str_eq(tako_record_parent(rec), id.text);
    ck_assert_str_eq(tako_record_relationship(rec), "rerun");
    ck_assert_int_eq(tako_record_max_attempts(rec), 2);
    tako_record_free(rec);
    memset(&l, 0, sizeof l);
    OK(tako_dead_list(t, NULL, retries_take_dead, &l, &err));
    ck_assert_int_eq(l.n, 2);
    ck_assert_str_eq(l.job_id[0], again.text);
    ck_assert_int_eq(l.retry_count[0], 1);
    OK(tako_dead_remove(t, l.id[0], &err));
    FAILS(tako_dead_remove(t, l.id[0], &err), TAKO_ENOTFOUND, "no dead letter");
    ck_assert_int_eq(api_status(t, again.text), TAKO_FAILED); /* the record stays */
    ck_assert_int_eq(retries_dead_count(t), 1);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_handler_that_fails_once_leaves_none)
{
    struct retries_plan plan = {9, 0, "x"};
    struct api_clock clock;
    tako *t = retries_engine(&clock, &plan, NULL);
    tako_id id = retries_submit(t, 0, NULL);

    tako_record_free(retries_to_end(t, &clock, id.text));
    ck_assert_int_eq(plan.calls, 1);
    ck_assert_int_eq(retries_dead_count(t), 0);
    tako_close(t);
}
END_TEST

START_TEST(sandboxed_code_is_tried_again_by_its_error_type)
{
    tako *t = sandbox_open(2);
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id ids[3];

    if (!t)
        return;
    job.max_attempts = 2;
    job.retry_delay_ms = 100;
    job.timeout_ms = 300;
    job.retry_on = "value_error,execution_timeout";
    job.code = "raise ValueError('x')";
    OK(tako_submit(t, &job, &ids[0], &err));
    job.code = "raise TypeError('x')";
    OK(tako_submit(t, &job, &ids[1], &err));
    job.code = "while True: pass";
    OK(tako_submit(t, &job, &ids[2], &err));
    OK(tako_wait(t, ids[0].text, 20000, &rec, &err));
    ck_assert_int_eq(tako_record_attempt(rec), 2);
    ck_assert_str_eq(tako_record_error_type(rec), "value_error");
    tako_record_free(rec);
    OK(tako_wait(t, ids[1].text, 20000, &rec, &err));
    ck_assert_int_eq(tako_record_attempt(rec), 1);
    tako_record_free(rec);
    OK(tako_wait(t, ids[2].text, 20000, &rec, &err));
    ck_assert_int_eq(tako_record_attempt(rec), 2);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    tako_record_free(rec);
    ck_assert_int_eq(retries_dead_count(t), 2);
    tako_close(t);
}
END_TEST

Suite *suite_retries(void)
{
    Suite *s = suite_create("retries");
    TCase *c = tcase_create("retries");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_job_that_fails_is_run_again_until_it_succeeds);
    tcase_add_test(c, the_history_has_every_move_with_its_time_attempt_node_and_cause);
    tcase_add_test(c, only_listed_error_types_are_tried_again);
    tcase_add_test(c, what_is_asked_for_in_vain_is_refused);
    tcase_add_test(c, a_job_given_up_leaves_a_dead_letter_that_can_be_retried_or_removed);
    tcase_add_test(c, a_handler_that_fails_once_leaves_none);
    tcase_add_test(c, sandboxed_code_is_tried_again_by_its_error_type);
    suite_add_tcase(s, c);
    return s;
}
