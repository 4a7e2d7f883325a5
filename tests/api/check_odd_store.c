/* check_odd_store.c - moments that only an odd store brings about: a claim that always fails, a job
 * type that is registered while the store is looked through, content that cannot be read, memory
 * that ends within a commit. The store is SQLite's in memory, with a function put before it.
 * SPDX-License-Identifier: MIT */
#include "../support/fault_alloc.h"
#include "../support/sandbox.h"
#include "api_util.h"

Suite *suite_odd_store(void);

/* One at a time: tests run in processes of their own. */
static struct {
    tako_store_ops ops;
    tako *t;
    int calls, once; /* atomic */
} odd;

static int odd_open(void **self, const char *uri, const tako_host *host, tako_error *err)
{
    char real[400];

    (void)snprintf(real, sizeof real, "sqlite%s", strchr(uri, ':'));
    return tako_store_sqlite()->open(self, real, host, err);
}

/* Opens an engine on "odd:REST", which is "sqlite:REST" with the functions set in odd.ops. */
static tako *odd_engine(const char *uri, tako_options *opts)
{
    static const tako_store_ops *const stores[] = {&odd.ops, NULL};
    tako_error err = {0, 0, ""};

    opts->store = uri;
    opts->stores = stores;
    OK(tako_open(&odd.t, opts, &err));
    return odd.t;
}

static void odd_setup(void)
{
    odd.ops = *tako_store_sqlite();
    odd.ops.scheme = "odd";
    odd.ops.open = odd_open;
}

/* ---- a claim that always fails ---- */

static int odd_claim_fails(void *self, const tako_claim *what, tako_row_fn *got, void *ctx,
                           tako_error *err)
{
    (void)self, (void)what, (void)got, (void)ctx;
    (void)__atomic_add_fetch(&odd.calls, 1, __ATOMIC_SEQ_CST);
    memset(err, 0, sizeof *err);
    (void)snprintf(err->message, sizeof err->message, "no claims today");
    return err->code = TAKO_ESTORE;
}

START_TEST(a_claim_that_fails_is_tried_less_and_less_often)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    int ran = 0;
    tako_id id;
    tako *t;

    odd.ops.claim = odd_claim_fails;
    t = odd_engine("odd::memory:", &opts);
    OK(tako_register_handler(t, "count", api_count, &ran, NULL, &err));
    OK(tako_start(t, &err));
    id = api_submit(t, "count"); /* is accepted all the same */
    api_pause_ms(700);
    ck_assert_int_ge(__atomic_load_n(&odd.calls, __ATOMIC_SEQ_CST), 2);
    ck_assert_int_le(__atomic_load_n(&odd.calls, __ATOMIC_SEQ_CST), 12);
    ck_assert_int_eq(api_status(t, id.text), TAKO_QUEUED);
    tako_close(t);
}
END_TEST

/* ---- a job type that comes while the store is asked ---- */

static int odd_next_due_registers(void *self, const char *const *types, int64_t *due_us,
                                  tako_error *err)
{
    int rc = tako_store_sqlite()->next_due(self, types, due_us, err);
    tako_error why = {0, 0, ""};

    if (odd.t && !__atomic_exchange_n(&odd.once, 1, __ATOMIC_SEQ_CST))
        ck_assert_msg(tako_register_handler(odd.t, "late", api_echo, NULL, NULL, &why) == TAKO_OK,
                      "%s", why.message);
    return rc;
}

START_TEST(a_job_type_registered_during_a_claim_is_not_overlooked)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct api_dir dir;
    tako_error err = {0, 0, ""};
    char uri[320];
    tako_id id;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 1);
    OK(tako_register_handler(t, "late", api_echo, NULL, NULL, &err));
    id = api_submit(t, "late");
    tako_close(t);
    (void)snprintf(uri, sizeof uri, "odd%s", strchr(dir.uri, ':'));
    odd.ops.next_due = odd_next_due_registers;
    t = odd_engine(uri, &opts);
    OK(tako_start(t, &err));
    ck_assert_int_eq(api_wait_end(t, id.text), TAKO_SUCCEEDED);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

/* ---- a job that goes back to the queue and is cancelled in the same commit ---- */

struct odd_log {
    tako_id id;
    int n, asked, refused;
    tako_status status[8];
};

static struct odd_log odd_log;

static int odd_get_blob_fails(void *self, const char *sha256, int64_t offset, int64_t limit,
                              tako_bytes_fn *got, void *ctx, tako_error *err)
{
    if (__atomic_exchange_n(&odd_log.refused, 1, __ATOMIC_SEQ_CST))
        return tako_store_sqlite()->get_blob(self, sha256, offset, limit, got, ctx, err);
    memset(err, 0, sizeof *err);
    (void)snprintf(err->message, sizeof err->message, "cannot be read just now");
    return err->code = TAKO_ESTORE;
}

static void *odd_cancel(void *t)
{
    tako_error err = {0, 0, ""};

    while (!__atomic_load_n(&odd_log.refused, __ATOMIC_SEQ_CST))
        api_pause_ms(1);
    __atomic_store_n(&odd_log.asked, 1, __ATOMIC_SEQ_CST);
    OK(tako_cancel(t, odd_log.id.text, &err));
    return NULL;
}

/* Keeps the engine's thread until both have come that are to be in one commit. */
static void odd_event(void *ctx, const tako_event *e)
{
    (void)ctx;
    if (odd_log.n < 8)
        odd_log.status[odd_log.n++] = e->status;
    if (e->status != TAKO_RUNNING)
        return;
    while (!__atomic_load_n(&odd_log.asked, __ATOMIC_SEQ_CST))
        api_pause_ms(1);
    api_pause_ms(100);
}

START_TEST(events_of_one_commit_are_in_the_order_of_what_happened)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako_file file = {"f", "x", 1};
    tako_job job = TAKO_JOB_INIT;
    pthread_t thread;
    tako *t;

    odd.ops.get_blob = odd_get_blob_fails;
    opts.workers = 1;
    opts.on_event = odd_event;
    t = odd_engine("odd::memory:", &opts);
    OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
    job.type = "echo";
    job.files = &file; /* content that must be read */
    job.n_files = 1;
    OK(tako_submit(t, &job, &odd_log.id, &err));
    ck_assert_int_eq(pthread_create(&thread, NULL, odd_cancel, t), 0);
    OK(tako_start(t, &err));
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(api_wait_end(t, odd_log.id.text), TAKO_CANCELLED);
    OK(tako_stop(t, 0, &err));
    ck_assert_int_eq(odd_log.n, 4);
    ck_assert_int_eq(odd_log.status[0], TAKO_QUEUED);
    ck_assert_int_eq(odd_log.status[1], TAKO_RUNNING);
    ck_assert_int_eq(odd_log.status[2], TAKO_QUEUED);
    ck_assert_int_eq(odd_log.status[3], TAKO_CANCELLED);
    tako_close(t);
}
END_TEST

/* ---- memory that ends where a submit and a renewed lease share a commit ---- */

static struct api_clock odd_clock;
static struct fault_alloc odd_memory;
static tako *odd_submits_to;

static int odd_submits(void *ctx, tako_call *call)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;
    int rc;

    (void)call;
    job.type = "echo";
    api_clock_move(&odd_clock, INT64_C(60000000)); /* time to renew */
    odd_memory.fail_at = odd_memory.calls + *(long *)ctx;
    rc = tako_submit(odd_submits_to, &job, &id, &err);
    odd_memory.fail_at = -1;
    ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "%s", err.message);
    return 0;
}

static void odd_no_event(void *ctx, const tako_event *e)
{
    (void)e;
    ++*(int *)ctx;
}

START_TEST(an_engine_with_events_survives_the_end_of_memory)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    int events = 0;
    long n;
    tako *t;

    fault_alloc_init(&odd_memory);
    opts.workers = 0;
    opts.alloc = fault_alloc_use(&odd_memory);
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &odd_clock;
    opts.on_event = odd_no_event;
    opts.event_ctx = &events;
    for (n = 0; n < 60; n++) {
        odd_clock.now_us = INT64_C(1700000000000000);
        OK(tako_open(&t, &opts, &err));
        odd_submits_to = t;
        OK(tako_register_handler(t, "echo", api_echo, NULL, NULL, &err));
        OK(tako_register_handler(t, "submits", odd_submits, &n, NULL, &err));
        OK(tako_start(t, &err));
        (void)api_submit(t, "submits");
        ck_assert_int_eq(tako_step(t, &err), 1);
        tako_close(t);
        ck_assert_int_eq(odd_memory.live_blocks, 0);
    }
    ck_assert_int_gt(events, 0);
}
END_TEST

/* ---- versions of job types ---- */

static int odd_commit_fails(void *self, tako_error *err)
{
    if (odd.calls-- <= 0)
        return tako_store_sqlite()->commit(self, err);
    tako_store_sqlite()->rollback(self);
    memset(err, 0, sizeof *err);
    (void)snprintf(err->message, sizeof err->message, "the disk is full");
    return err->code = TAKO_ESTORE;
}

static int odd_version(void *ctx, const tako_version_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return 0;
}

START_TEST(a_version_is_stored_although_the_first_commit_with_it_failed)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job jobs[2] = {TAKO_JOB_INIT, TAKO_JOB_INIT};
    tako_error err = {0, 0, ""};
    tako_id ids[2];
    int n = 0;
    tako *t;

    odd.ops.commit = odd_commit_fails;
    odd.calls = 0;
    opts.workers = 0;
    t = odd_engine("odd::memory:", &opts);
    jobs[0].code = jobs[1].code = "print(1)";
    odd.calls = 1;
    FAILS(tako_submit_many(t, jobs, 2, ids, &err), TAKO_ESTORE, "the disk is full");
    OK(tako_versions(t, "default", odd_version, &n, &err));
    ck_assert_int_eq(n, 0);
    OK(tako_submit(t, jobs, ids, &err));
    OK(tako_versions(t, "default", odd_version, &n, &err));
    ck_assert_int_eq(n, 1);
    tako_close(t);
}
END_TEST

static char odd_spec[2000];

static int odd_insert(void *self, const tako_row *rows, size_t count, int *results, tako_error *err)
{
    (void)snprintf(odd_spec, sizeof odd_spec, "%.*s", (int)rows->spec_len, rows->spec);
    return tako_store_sqlite()->insert(self, rows, count, results, err);
}

START_TEST(a_rerun_has_the_network_and_cpu_share_of_its_parent_unless_it_names_a_type)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_job job = TAKO_JOB_INIT, changes = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id, again;
    tako *t;

    odd.ops.insert = odd_insert;
    opts.workers = 0;
    t = odd_engine("odd::memory:", &opts);
    type.name = "default";
    type.cpu_percent = 50;
    OK(tako_define_type(t, &type, &err));
    job.code = "print(1)";
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_ptr_nonnull(strstr(odd_spec, "\"cpu_percent\":50"));
    OK(tako_cancel(t, id.text, &err));
    type.cpu_percent = 150;
    type.network = 1;
    OK(tako_define_type(t, &type, &err));
    OK(tako_rerun(t, id.text, NULL, &again, &err));
    ck_assert_ptr_nonnull(strstr(odd_spec, "\"cpu_percent\":50"));
    ck_assert_ptr_null(strstr(odd_spec, "\"network\""));
    changes.type = "default";
    OK(tako_rerun(t, id.text, &changes, &again, &err));
    ck_assert_ptr_nonnull(strstr(odd_spec, "\"cpu_percent\":150"));
    ck_assert_ptr_nonnull(strstr(odd_spec, "\"network\":true"));
    tako_close(t);
}
END_TEST

/* ---- how long and how often ---- */

static int64_t odd_expires_us;

static int odd_put_node(void *self, const tako_node *node, tako_error *err)
{
    odd_expires_us = node->expires_us;
    return tako_store_sqlite()->put_node(self, node, err);
}

START_TEST(the_lease_of_a_step_lasts_as_long_as_an_environment_and_a_run_may)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;
    tako *t;

    odd.ops.put_node = odd_put_node;
    odd_clock.now_us = INT64_C(1700000000000000);
    opts.workers = 0;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &odd_clock;
    t = odd_engine("odd::memory:", &opts);
    if (tako_isolation(t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(t);
        return;
    }
    OK(tako_start(t, &err));
    job.code = "print(1)";
    job.timeout_ms = 20000;
    job.startup_timeout_ms = 60000;
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_ge(odd_expires_us, odd_clock.now_us + 80000000);
    tako_close(t);
}
END_TEST

/* Its third call is the first that succeeds. */
static int odd_third(void *ctx, tako_call *call)
{
    (void)call;
    return ++*(int *)ctx < 3;
}

START_TEST(attempts_that_failed_by_themselves_are_no_tries_to_begin)
{
    static const char file[] = "content of its own";
    tako_file given = {"a", file, sizeof file};
    tako_limits limits = TAKO_LIMITS_INIT;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;
    int calls = 0, i;
    tako *t;

    odd.ops.get_blob = odd_get_blob_fails;
    odd_log.refused = 1;
    odd_clock.now_us = INT64_C(1700000000000000);
    limits.setup_attempts = 2;
    opts.limits = &limits;
    opts.workers = 0;
    opts.clock.now_us = api_clock_now;
    opts.clock.ctx = &odd_clock;
    t = odd_engine("odd::memory:", &opts);
    OK(tako_register_handler(t, "third", odd_third, &calls, NULL, &err));
    OK(tako_start(t, &err));
    job.type = "third";
    job.max_attempts = 3;
    job.files = &given;
    job.n_files = 1;
    OK(tako_submit(t, &job, &id, &err));
    for (i = 0; i < 4; i++) {
        if (i == 2)
            odd_log.refused = 0; /* the next one cannot be read */
        ck_assert_int_eq(tako_step(t, &err), 1);
        api_clock_move(&odd_clock, INT64_C(10000000));
    }
    ck_assert_int_eq(api_status(t, id.text), TAKO_SUCCEEDED);
    ck_assert_int_eq(calls, 3);
    tako_close(t);
}
END_TEST

Suite *suite_odd_store(void)
{
    Suite *s = suite_create("api_odd_store");
    TCase *c = tcase_create("odd_store");

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, odd_setup, NULL);
    tcase_add_test(c, a_claim_that_fails_is_tried_less_and_less_often);
    tcase_add_test(c, a_job_type_registered_during_a_claim_is_not_overlooked);
    tcase_add_test(c, events_of_one_commit_are_in_the_order_of_what_happened);
    tcase_add_test(c, an_engine_with_events_survives_the_end_of_memory);
    tcase_add_test(c, a_version_is_stored_although_the_first_commit_with_it_failed);
    tcase_add_test(c, a_rerun_has_the_network_and_cpu_share_of_its_parent_unless_it_names_a_type);
    tcase_add_test(c, the_lease_of_a_step_lasts_as_long_as_an_environment_and_a_run_may);
    tcase_add_test(c, attempts_that_failed_by_themselves_are_no_tries_to_begin);
    suite_add_tcase(s, c);
    return s;
}
