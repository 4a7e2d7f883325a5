/* check_keys.c - idempotency keys: one key, one job, whoever asks and how often; other content is
 * refused; what was refused leaves the key free. Across threads, processes and openings.
 * SPDX-License-Identifier: MIT */
#include "api_util.h"

#include <sys/wait.h>

Suite *suite_keys(void);

#define KEY "order-2024-0001"

static tako_job keys_job(const char *key, const char *input)
{
    tako_job job = TAKO_JOB_INIT;

    job.type = "count";
    job.idempotency_key = key;
    job.input = input;
    return job;
}

static tako *keys_engine(const char *uri, int workers, int *runs)
{
    tako *t = api_open(uri, workers);
    tako_error err = {0, 0, ""};

    OK(tako_register_handler(t, "count", api_count, runs, NULL, &err));
    return t;
}

static int keys_count_rows(tako *t)
{
    tako_stats stats = api_stats(t);

    return (int)(stats.queued + stats.running);
}

START_TEST(the_same_key_and_content_give_the_same_job_which_runs_once)
{
    int runs = 0;
    tako *t = keys_engine(NULL, 0, &runs);
    tako_job job = keys_job(KEY, "{\"a\": 1, \"b\": [2]}");
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};
    tako_id one, two, three;

    OK(tako_start(t, &err));
    OK(tako_submit(t, &job, &one, &err));
    OK(tako_submit(t, &job, &two, &err));
    ck_assert_str_eq(one.text, two.text);
    job.input = "{ \"b\":[2],\"a\":1 }"; /* the same document in other words */
    OK(tako_submit(t, &job, &two, &err));
    ck_assert_str_eq(one.text, two.text);
    ck_assert_int_eq(tako_step(t, &err), 1);
    ck_assert_int_eq(tako_step(t, &err), 0);
    OK(tako_submit(t, &job, &three, &err)); /* also when it has ended */
    ck_assert_str_eq(one.text, three.text);
    OK(tako_run(t, &job, &rec, &err)); /* run and submit alike */
    ck_assert_str_eq(tako_record_id(rec), one.text);
    ck_assert_str_eq(tako_record_idempotency_key(rec), KEY);
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    tako_record_free(rec);
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(api_stats(t).submitted, 1);
    tako_close(t);
}
END_TEST

static const struct {
    const char *name;
    tako_job job;
} keys_other[] = {
    {"input", {.input = "{\"a\":2}"}},
    {"type", {.type = "other"}},
    {"timeout", {.timeout_ms = 5000}},
    {"startup timeout", {.startup_timeout_ms = 20000}},
    {"memory", {.memory_bytes = TAKO_MEMORY_MIN}},
    {"CPU time", {.cpu_timeout_ms = 1000}},
    {"output", {.output_kill_bytes = 1000}},
};

START_TEST(the_same_key_with_other_content_is_refused)
{
    int runs = 0;
    tako *t = keys_engine(NULL, 0, &runs);
    tako_file file = {"a.txt", "x", 1};
    tako_job job = keys_job(KEY, "{\"a\":1}"), other;
    tako_error err = {0, 0, ""};
    tako_id id, no = {"untouched"};
    size_t i;

    OK(tako_register_handler(t, "other", api_echo, NULL, NULL, &err));
    OK(tako_submit(t, &job, &id, &err));
    for (i = 0; i < sizeof keys_other / sizeof *keys_other; i++) {
        other = job;
        other.input = keys_other[i].job.input ? keys_other[i].job.input : job.input;
        other.type = keys_other[i].job.type ? keys_other[i].job.type : job.type;
        other.timeout_ms = keys_other[i].job.timeout_ms;
        other.startup_timeout_ms = keys_other[i].job.startup_timeout_ms;
        other.memory_bytes = keys_other[i].job.memory_bytes;
        other.cpu_timeout_ms = keys_other[i].job.cpu_timeout_ms;
        other.output_kill_bytes = keys_other[i].job.output_kill_bytes;
        ck_assert_msg(tako_submit(t, &other, &no, &err) == TAKO_ECONFLICT, "other %s was taken",
                      keys_other[i].name);
        ck_assert_ptr_nonnull(strstr(err.message, KEY));
        ck_assert_ptr_nonnull(strstr(err.message, id.text));
    }
    other = job;
    other.files = &file;
    other.n_files = 1;
    FAILS(tako_submit(t, &other, &no, &err), TAKO_ECONFLICT, "with other content");
    ck_assert_str_eq(no.text, "untouched");
    ck_assert_int_eq(keys_count_rows(t), 1);
    other = job; /* what says nothing of what the job does is no other content */
    other.priority = 7;
    other.correlation_id = "elsewhere";
    OK(tako_submit(t, &other, &no, &err));
    ck_assert_str_eq(no.text, id.text);
    tako_close(t);
}
END_TEST

START_TEST(a_key_has_8_to_255_characters_of_its_alphabet)
{
    int runs = 0;
    tako *t = keys_engine(NULL, 0, &runs);
    tako_error err = {0, 0, ""};
    char key[300];
    tako_job job = keys_job(key, NULL);
    tako_id id;
    int c;

    memset(key, 'k', sizeof key);
    key[7] = '\0';
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "idempotency_key: too short, not 8-255");
    key[0] = '\0';
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "idempotency_key: too short");
    memset(key, 'k', sizeof key);
    key[256] = '\0';
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "idempotency_key: too long");
    key[255] = '\0';
    OK(tako_submit(t, &job, &id, &err));
    key[8] = '\0';
    OK(tako_submit(t, &job, &id, &err));
    for (c = 1; c < 256; c++) {
        key[3] = (char)c;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '_' || c == '-')
            OK(tako_submit(t, &job, &id, &err));
        else
            FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "idempotency_key: byte 0x");
    }
    tako_close(t);
}
END_TEST

START_TEST(what_was_refused_leaves_the_key_free)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    tako_job job = keys_job(KEY, NULL), plain = keys_job(NULL, NULL), wrong;
    int runs = 0;
    tako *t = NULL;
    tako_id first, id;

    opts.workers = 0;
    opts.max_queued = 1;
    OK(tako_open(&t, &opts, &err));
    OK(tako_register_handler(t, "count", api_count, &runs, NULL, &err));
    wrong = job;
    wrong.priority = 101;
    FAILS(tako_submit(t, &wrong, &id, &err), TAKO_EINVAL, "priority");
    OK(tako_submit(t, &plain, &first, &err)); /* now the queue is full */
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EFULL, "the queue is full");
    OK(tako_start(t, &err));
    ck_assert_int_eq(tako_step(t, &err), 1);
    job.input = "{\"x\":1}"; /* other content: the key is nobody's */
    OK(tako_submit(t, &job, &first, &err));
    /* full again: who holds the key is told all the same */
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_str_eq(id.text, first.text);
    job.input = NULL;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_ECONFLICT, "other content");
    FAILS(tako_submit(t, &plain, &id, &err), TAKO_EFULL, "the queue is full");
    tako_close(t);
}
END_TEST

START_TEST(many_with_keys_are_taken_together_or_not_at_all)
{
    int runs = 0;
    tako *t = keys_engine(NULL, 0, &runs);
    tako_job jobs[3] = {keys_job("key-aaaa", "{}"), keys_job(NULL, "{}"),
                        keys_job("key-aaaa", "{}")};
    tako_error err = {0, 0, ""};
    tako_id ids[3];

    OK(tako_submit_many(t, jobs, 3, ids, &err));
    ck_assert_str_eq(ids[0].text, ids[2].text);
    ck_assert_str_ne(ids[0].text, ids[1].text);
    ck_assert_int_eq(keys_count_rows(t), 2);
    jobs[0].idempotency_key = "key-bbbb";
    jobs[2].input = "{\"a\":1}";
    FAILS(tako_submit_many(t, jobs, 3, ids, &err), TAKO_ECONFLICT, "key-aaaa");
    ck_assert_int_eq(keys_count_rows(t), 2);
    jobs[0].input = "{\"free\":true}";
    OK(tako_submit(t, &jobs[0], ids, &err)); /* key-bbbb was not burnt */
    ck_assert_int_eq(keys_count_rows(t), 3);
    tako_close(t);
}
END_TEST

START_TEST(a_key_outlives_failure_cancel_and_reopening)
{
    struct api_dir dir;
    int runs = 0;
    tako *t;
    tako_job job = keys_job(KEY, NULL);
    tako_error err = {0, 0, ""};
    tako_id first, id;

    api_dir_make(&dir);
    t = keys_engine(dir.uri, 0, &runs);
    OK(tako_submit(t, &job, &first, &err));
    OK(tako_cancel(t, first.text, &err));
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_str_eq(first.text, id.text);
    ck_assert_int_eq(api_status(t, id.text), TAKO_CANCELLED);
    tako_close(t);
    t = keys_engine(dir.uri, 0, &runs);
    OK(tako_submit(t, &job, &id, &err));
    ck_assert_str_eq(first.text, id.text);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

/* ---- everybody at once ----------------------------------------------------------------------- */

#define KEYS_THREADS 64
#define KEYS_PROCESSES 4
#define KEYS_ROUNDS 5

struct keys_racer {
    tako *t;
    int other; /* asks with other content */
    int rc[KEYS_ROUNDS];
    tako_id id[KEYS_ROUNDS];
};

static void *keys_race(void *arg)
{
    struct keys_racer *r = arg;
    int i;

    for (i = 0; i < KEYS_ROUNDS; i++) {
        tako_job job = keys_job(NULL, r->other ? "{\"n\":2}" : "{\"n\":1}");
        char key[32];

        (void)snprintf(key, sizeof key, "race-key-%d", i);
        job.idempotency_key = key;
        r->rc[i] = tako_submit(r->t, &job, &r->id[i], NULL);
    }
    return NULL;
}

/* One process: every second thread asks for something else. Writes for each round how many were taken,
 * how many refused, and the ids it got for the content that won. */
static int keys_process(const char *uri, int out)
{
    struct keys_racer racers[KEYS_THREADS];
    pthread_t threads[KEYS_THREADS];
    int runs = 0, i, k;
    tako *t = NULL;
    tako_options opts = TAKO_OPTIONS_INIT;

    opts.store = uri;
    opts.workers = 0;
    if (tako_open(&t, &opts, NULL) ||
        tako_register_handler(t, "count", api_count, &runs, NULL, NULL))
        return 1;
    for (i = 0; i < KEYS_THREADS; i++) {
        racers[i].t = t;
        racers[i].other = i % 2;
        if (pthread_create(&threads[i], NULL, keys_race, &racers[i]))
            return 2;
    }
    for (i = 0; i < KEYS_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    for (k = 0; k < KEYS_ROUNDS; k++) {
        for (i = 0; i < KEYS_THREADS; i++) {
            struct {
                int other, rc;
                tako_id id;
            } said = {racers[i].other, racers[i].rc[k], racers[i].id[k]};

            if (said.rc != TAKO_OK)
                said.id.text[0] = '\0';
            if (write(out, &said, sizeof said) != (ssize_t)sizeof said)
                return 3;
        }
    }
    tako_close(t);
    return 0;
}

START_TEST(sixty_four_threads_in_four_processes_make_one_job)
{
    struct api_dir dir;
    struct {
        int other, rc;
        tako_id id;
    } said;
    tako_id won[KEYS_ROUNDS];
    int winner[KEYS_ROUNDS], fds[KEYS_PROCESSES], pair[2], i, k, n, status;
    pid_t pids[KEYS_PROCESSES];
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 0); /* makes the tables before they race */
    tako_close(t);
    for (i = 0; i < KEYS_PROCESSES; i++) {
        ck_assert_int_eq(pipe(pair), 0);
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            _exit(keys_process(dir.uri, pair[1]));
        (void)close(pair[1]);
        fds[i] = pair[0];
    }
    for (k = 0; k < KEYS_ROUNDS; k++)
        winner[k] = -1;
    for (i = 0; i < KEYS_PROCESSES; i++) {
        for (k = 0; k < KEYS_ROUNDS; k++) {
            for (n = 0; n < KEYS_THREADS; n++) {
                ck_assert_int_eq(read(fds[i], &said, sizeof said), (ssize_t)sizeof said);
                if (said.rc == TAKO_OK && winner[k] < 0) {
                    winner[k] = said.other;
                    won[k] = said.id;
                }
                if (said.rc == TAKO_OK)
                    ck_assert_str_eq(said.id.text, won[k].text);
                if (winner[k] >= 0)
                    ck_assert_int_eq(said.rc == TAKO_OK, said.other == winner[k]);
                if (said.rc != TAKO_OK)
                    ck_assert_int_eq(said.rc, TAKO_ECONFLICT);
            }
        }
        (void)close(fds[i]);
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    t = api_open(dir.uri, 0);
    ck_assert_int_eq(keys_count_rows(t), KEYS_ROUNDS);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

Suite *suite_keys(void)
{
    Suite *s = suite_create("keys");
    TCase *c = tcase_create("keys");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_same_key_and_content_give_the_same_job_which_runs_once);
    tcase_add_test(c, the_same_key_with_other_content_is_refused);
    tcase_add_test(c, a_key_has_8_to_255_characters_of_its_alphabet);
    tcase_add_test(c, what_was_refused_leaves_the_key_free);
    tcase_add_test(c, many_with_keys_are_taken_together_or_not_at_all);
    tcase_add_test(c, a_key_outlives_failure_cancel_and_reopening);
    tcase_add_test(c, sixty_four_threads_in_four_processes_make_one_job);
    suite_add_tcase(s, c);
    return s;
}
