/* check_events.c - state changes are reported once, after their commit, in order.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

Suite *suite_events(void);

enum { EVENTS_MAX = 512 };

struct events_log {
    pthread_mutex_t lock;
    tako *t;
    int n;
    struct {
        char id[40];
        tako_status status;
        int attempt;
        tako_status stored; /* what tako_get said inside the callback */
    } at[EVENTS_MAX];
};

static void events_take(void *ctx, const tako_event *e)
{
    struct events_log *log = ctx;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;

    ck_assert_uint_eq(e->size, sizeof *e);
    ck_assert_int_gt(e->at_us, 0);
    OK(tako_get(log->t, e->id, &rec, &err));
    job.type = "count";
    FAILS(tako_submit(log->t, &job, &id, &err), TAKO_ESTATE, "event");
    FAILS(tako_cancel(log->t, e->id, &err), TAKO_ESTATE, "event");
    FAILS(tako_stop(log->t, 0, &err), TAKO_ESTATE, "event");
    pthread_mutex_lock(&log->lock);
    if (log->n < EVENTS_MAX) {
        (void)snprintf(log->at[log->n].id, sizeof log->at[0].id, "%s", e->id);
        log->at[log->n].status = e->status;
        log->at[log->n].attempt = e->attempt;
        log->at[log->n].stored = tako_record_status(rec);
        log->n++;
    }
    pthread_mutex_unlock(&log->lock);
    tako_record_free(rec);
}

static tako *events_engine(struct events_log *log, int workers, int *ran)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};

    memset(log, 0, sizeof *log);
    (void)pthread_mutex_init(&log->lock, NULL);
    opts.workers = workers;
    opts.on_event = events_take;
    opts.event_ctx = log;
    OK(tako_open(&log->t, &opts, &err));
    OK(tako_register_handler(log->t, "count", api_count, ran, NULL, &err));
    OK(tako_start(log->t, &err));
    return log->t;
}

START_TEST(a_life_is_queued_running_succeeded)
{
    struct events_log log;
    int ran = 0, i;
    tako *t = events_engine(&log, 0, &ran);
    tako_error err = {0, 0, ""};
    tako_id id = api_submit(t, "count"), other;

    ck_assert_int_eq(log.n, 1);
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(log.n, 3);
    ck_assert_int_eq(log.at[0].status, TAKO_QUEUED);
    ck_assert_int_eq(log.at[0].attempt, 0);
    ck_assert_int_eq(log.at[1].status, TAKO_RUNNING);
    ck_assert_int_eq(log.at[1].attempt, 1);
    ck_assert_int_eq(log.at[2].status, TAKO_SUCCEEDED);
    for (i = 0; i < 3; i++) {
        ck_assert_str_eq(log.at[i].id, id.text);
        ck_assert_int_eq(log.at[i].stored, log.at[i].status); /* it was committed by then */
    }
    other = api_submit(t, "count");
    OK(tako_cancel(t, other.text, &err));
    ck_assert_int_eq(log.n, 5);
    ck_assert_int_eq(log.at[4].status, TAKO_CANCELLED);
    ck_assert_str_eq(log.at[4].id, other.text);
    tako_close(t);
}
END_TEST

START_TEST(each_job_of_many_has_its_three_events_in_order)
{
    enum { MANY = 100 };
    struct events_log log;
    tako_id ids[MANY];
    int ran = 0, i, k, next;
    tako *t = events_engine(&log, 3, &ran);
    tako_error err = {0, 0, ""};
    static const tako_status order[] = {TAKO_QUEUED, TAKO_RUNNING, TAKO_SUCCEEDED};

    for (i = 0; i < MANY; i++)
        ids[i] = api_submit(t, "count");
    for (i = 0; i < MANY; i++)
        ck_assert_int_eq(api_wait_end(t, ids[i].text), TAKO_SUCCEEDED);
    OK(tako_stop(t, -1, &err)); /* the last events are delivered by now */
    ck_assert_int_eq(log.n, MANY * 3);
    for (i = 0; i < MANY; i++) {
        next = 0;
        for (k = 0; k < log.n; k++)
            if (strcmp(log.at[k].id, ids[i].text) == 0)
                ck_assert_int_eq(log.at[k].status, order[next++]);
        ck_assert_int_eq(next, 3);
    }
    tako_close(t);
}
END_TEST

Suite *suite_events(void)
{
    Suite *s = suite_create("api_events");
    TCase *c = tcase_create("events");

    tcase_set_timeout(c, 30);
    tcase_add_test(c, a_life_is_queued_running_succeeded);
    tcase_add_test(c, each_job_of_many_has_its_three_events_in_order);
    suite_add_tcase(s, c);
    return s;
}
