/* check_record.c - the state table, the documents of a row, the snapshot and its JSON.
 * SPDX-License-Identifier: MIT */
#include "../../src/json.h"
#include "../../src/record.h"
#include "../support/fault_alloc.h"

#include <check.h>

Suite *suite_record(void);

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HASH_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define ID "0b6f2f1e-0000-4000-8000-000000000001"

static tako_host record_host(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;

    fault_alloc_init(f);
    opts.alloc = fault_alloc_use(f);
    tako__host_init(&host, &opts);
    return host;
}

static tako_row record_row(const char *spec, const char *result)
{
    tako_row row;

    memset(&row, 0, sizeof row);
    row.size = sizeof row;
    row.id = ID;
    row.type = "default";
    row.status = TAKO_QUEUED;
    row.node = "";
    row.created_us = INT64_C(1773748800123456);
    row.run_at_us = INT64_C(1773748800123456);
    row.spec = spec;
    row.spec_len = spec ? strlen(spec) : 0;
    row.result = result;
    row.result_len = result ? strlen(result) : 0;
    return row;
}

/* ---- states ------------------------------------------------------------------------------ */

START_TEST(names_of_states_and_verdicts)
{
    static const char *const states[] = {"unknown", "queued", "running",   "succeeded", "failed",
                                         "timeout", "oom",    "cancelled", "unknown"};
    static const char *const verdicts[] = {
        "none", "exit",        "signal",   "wall_timeout", "oom",       "cancelled", "setup_error",
        "lost", "cpu_timeout", "host_oom", "output_limit", "violation", "unknown"};
    int i;

    for (i = 0; i < (int)TAKO__LEN(states); i++) {
        ck_assert_str_eq(tako_status_name((tako_status)i), states[i]);
        ck_assert_int_eq(tako_status_terminal((tako_status)i), i >= 3 && i <= 7);
    }
    for (i = 0; i < (int)TAKO__LEN(verdicts); i++)
        ck_assert_str_eq(tako_verdict_name((tako_verdict)i), verdicts[i]);
}
END_TEST

START_TEST(only_the_moves_of_the_table_are_allowed)
{
    /* rows: from queued..cancelled; columns: to */
    static const char *const table[] = {".r....c", "q.sftoc", ".......", ".......",
                                        ".......", ".......", "......."};
    int from, to;

    for (from = 0; from < 7; from++)
        for (to = 0; to < 7; to++)
            ck_assert_int_eq(tako__status_move_ok((tako_status)(from + 1), (tako_status)(to + 1)),
                             table[from][to] != '.');
    ck_assert(!tako__status_move_ok((tako_status)0, TAKO_RUNNING));
    ck_assert(!tako__status_move_ok(TAKO_RUNNING, (tako_status)0));
    ck_assert(!tako__status_move_ok(TAKO_RUNNING, (tako_status)8));
}
END_TEST

/* ---- documents --------------------------------------------------------------------------- */

static void record_print_full(struct tako__buf *spec_text, struct tako__buf *result_text)
{
    static const tako_artifact files[] = {{"in put.csv", 12, HASH_C, NULL, NULL}};
    static const tako_artifact artifacts[] = {{"result.json", 7, HASH_C, NULL, NULL},
                                              {"pl\xC3\xB6t.png", 0, HASH_A, NULL, NULL}};
    static const tako_artifact rejected[] = {{"a\nb\xFF", 5, NULL, "the name is odd", NULL}};
    static const char *const requirements[] = {"numpy>=1.20", "pandas"};
    struct tako__spec spec = {
        .code_hash = HASH_A,
        .input_hash = HASH_B,
        .input = "{\"a\": \"\\u00e4\"}",
        .input_len = 15,
        .files = files,
        .n_files = 1,
        .timeout_ms = 1500,
        .memory_bytes = 536870912,
        .correlation_id = "cid-1",
        .client_ip = "127.0.0.1",
        .cpu_timeout_ms = 900,
        .output_kill_bytes = 70000,
        .input_canon = HASH_C,
        .code_bytes = 8,
        .input_bytes = 15,
        .digest = HASH_A,
        .fingerprint = HASH_B,
        .max_attempts = 3,
        .retry_on = "killed,oom",
        .retry_delay_ms = 2000,
        .startup_timeout_ms = 60000,
        .cpu_percent = 200,
        .network = true,
        .requirements = requirements,
        .n_requirements = 2,
        .relationship = "fork",
        .retries = 1,
    };
    struct tako__result result = TAKO__RESULT_INIT;

    result.verdict = TAKO_VERDICT_EXIT;
    result.exit_code = 1;
    result.stdout_hash = HASH_A;
    result.stderr_hash = HASH_B;
    result.output_hash = HASH_C;
    result.output_note = "a note";
    result.stdout_bytes = INT64_C(9007199254740991);
    result.stderr_bytes = 20;
    result.stdout_truncated = true;
    result.error_type = "division_error";
    result.error_message = "Division by \"zero\"";
    result.error_phase = "execution";
    result.started_us = INT64_C(1773748800203000);
    result.setup_us = 3456;
    result.wall_us = 41999;
    result.cpu_us = 39123;
    result.peak_bytes = 9961472; /* 9.5 MiB */
    result.oom_kills = 2;
    result.pids_peak = 7;
    result.pids_hits = 1;
    result.throttled_us = 4000;
    result.survivors = 3;
    result.install_us = 2500;
    result.runtime = "native";
    result.isolation = "{\"seccomp\":\"on\"}";
    result.artifacts = artifacts;
    result.n_artifacts = 2;
    result.rejected = rejected;
    result.n_rejected = 1;
    tako__spec_print(spec_text, &spec);
    tako__result_print(result_text, &result);
}

/* What must be named when the row is removed: as often as it is mentioned. */
static void record_expect_refs(const tako_host *host, const tako_record *rec)
{
    static const char *const expect[] = {HASH_A, HASH_C, HASH_A, HASH_B, HASH_C, HASH_C, HASH_A};
    const char **refs = NULL;
    tako_error err;
    size_t i, n = 0;

    ck_assert_int_eq(tako__record_refs(rec, &refs, &n, &err), TAKO_OK);
    ck_assert_uint_eq(n, TAKO__LEN(expect));
    for (i = 0; i < n; i++)
        ck_assert_str_eq(refs[i], expect[i]);
    tako__free(host, refs);
}

START_TEST(everything_printed_is_read_back)
{
    const struct tako__spec *asked;
    struct fault_alloc f;
    tako_host host = record_host(&f);
    struct tako__buf spec, result;
    const tako_artifact *a;
    tako_record *rec;
    tako_row row;
    tako_error err;
    size_t len;

    tako__buf_init(&spec, &host);
    tako__buf_init(&result, &host);
    record_print_full(&spec, &result);
    row = record_row(spec.data, result.data);
    row.status = TAKO_FAILED;
    row.priority = -5;
    row.attempt = 2;
    row.deaths = 1;
    row.node = "node-1";
    row.failures = 2;
    row.key = "key-12345";
    row.parent = "parent-1";
    row.started_us = INT64_C(1773748800200000);
    row.ended_us = INT64_C(1773748800900999);
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, &err), TAKO_OK);
    /* the snapshot does not lean on what it was made from */
    memset(spec.data, 'x', spec.len);
    memset(result.data, 'x', result.len);
    tako__buf_free(&spec);
    tako__buf_free(&result);

    ck_assert_str_eq(tako_record_id(rec), ID);
    ck_assert_str_eq(tako_record_type(rec), "default");
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_EXIT);
    ck_assert_int_eq(tako_record_priority(rec), -5);
    ck_assert_int_eq(tako_record_attempt(rec), 2);
    ck_assert_int_eq(tako_record_deaths(rec), 1);
    ck_assert_str_eq(tako_record_node(rec), "node-1");
    ck_assert_int_eq(tako_record_created_us(rec), INT64_C(1773748800123456));
    ck_assert_int_eq(tako_record_run_at_us(rec), INT64_C(1773748800123456));
    ck_assert_int_eq(tako_record_started_us(rec), INT64_C(1773748800200000));
    ck_assert_int_eq(tako_record_ended_us(rec), INT64_C(1773748800900999));
    ck_assert_int_eq(tako_record_duration_ms(rec), 700);
    ck_assert_int_eq(tako_record_exit_code(rec), 1);
    ck_assert_int_eq(tako_record_signal(rec), 0);
    ck_assert_int_eq(tako_record_stdout_truncated(rec), 1);
    ck_assert_int_eq(tako_record_stderr_truncated(rec), 0);
    ck_assert_int_eq(tako_record_stdout_bytes(rec), INT64_C(9007199254740991));
    ck_assert_int_eq(tako_record_stderr_bytes(rec), 20);
    ck_assert_str_eq(tako_record_output_note(rec), "a note");
    ck_assert_str_eq(tako_record_error_type(rec), "division_error");
    ck_assert_str_eq(tako_record_error_message(rec), "Division by \"zero\"");
    ck_assert_str_eq(tako_record_error_phase(rec), "execution");
    ck_assert_int_eq(tako_record_wall_us(rec), 41999);
    ck_assert_int_eq(tako_record_cpu_us(rec), 39123);
    ck_assert_int_eq(tako_record_peak_bytes(rec), 9961472);
    ck_assert_str_eq(tako_record_runtime(rec), "native");
    ck_assert_str_eq(tako_record_isolation(rec), "{\"seccomp\":\"on\"}");
    ck_assert_str_eq(tako_record_correlation_id(rec), "cid-1");
    ck_assert_str_eq(tako_record_client_ip(rec), "127.0.0.1");
    ck_assert_str_eq(tako_record_code_hash(rec), HASH_A);
    ck_assert_str_eq(tako_record_input_hash(rec), HASH_C);
    ck_assert_str_eq(tako_record_version(rec), "default@sha256:aaaaaaaaaaaa");
    ck_assert_str_eq(tako_record_idempotency_key(rec), "key-12345");
    ck_assert_str_eq(tako_record_parent(rec), "parent-1");
    ck_assert_str_eq(tako_record_relationship(rec), "fork");
    ck_assert_int_eq(tako_record_failures(rec), 2);
    ck_assert_int_eq(tako_record_max_attempts(rec), 3);
    ck_assert_int_eq(tako_record_install_us(rec), 2500);
    asked = tako__record_spec(rec);
    ck_assert_str_eq(asked->input_hash, HASH_B);
    ck_assert_str_eq(asked->input, "{\"a\": \"\\u00e4\"}"); /* byte for byte */
    ck_assert_uint_eq(asked->input_len, 15);
    ck_assert_int_eq(asked->code_bytes, 8);
    ck_assert_int_eq(asked->input_bytes, 15);
    ck_assert_str_eq(asked->fingerprint, HASH_B);
    ck_assert_str_eq(asked->retry_on, "killed,oom");
    ck_assert_int_eq(asked->retry_delay_ms, 2000);
    ck_assert_int_eq(asked->startup_timeout_ms, 60000);
    ck_assert_int_eq(asked->cpu_percent, 200);
    ck_assert(asked->network);
    ck_assert_uint_eq(asked->n_requirements, 2);
    ck_assert_str_eq(asked->requirements[0], "numpy>=1.20");
    ck_assert_str_eq(asked->requirements[1], "pandas");
    ck_assert_int_eq(asked->retries, 1);
    record_expect_refs(&host, rec);
    ck_assert_str_eq(tako__record_stdout_hash(rec), HASH_A);
    ck_assert_str_eq(tako__record_stderr_hash(rec), HASH_B);
    ck_assert_str_eq(tako__record_output_hash(rec), HASH_C);
    ck_assert_int_eq(tako_record_timeout_ms(rec), 1500);
    ck_assert_int_eq(tako_record_memory_bytes(rec), 536870912);
    ck_assert_int_eq(tako__record_setup_us(rec), 3456);
    ck_assert_int_eq(tako_record_oom_kills(rec), 2);
    ck_assert_int_eq(tako_record_pids_peak(rec), 7);
    ck_assert_int_eq(tako_record_pids_hits(rec), 1);
    ck_assert_int_eq(tako_record_throttled_us(rec), 4000);
    ck_assert_int_eq(tako_record_survivors(rec), 3);
    ck_assert_int_eq(asked->cpu_timeout_ms, 900);
    ck_assert_int_eq(asked->output_kill_bytes, 70000);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 2);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_INPUT_FILES), 1);
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_REJECTED), 1);
    ck_assert_uint_eq(tako_record_artifact_count(rec, 3), 0);
    ck_assert_uint_eq(tako_record_artifact_count(rec, -1), 0);
    ck_assert_ptr_null(tako_record_artifact(rec, TAKO_ARTIFACTS, 2));
    a = tako_record_artifact(rec, TAKO_ARTIFACTS, 1);
    ck_assert_str_eq(a->name, "pl\xC3\xB6t.png");
    ck_assert_str_eq(a->sha256, HASH_A);
    ck_assert_str_eq(a->content_type, "image/png");
    ck_assert_ptr_null(a->reason);
    a = tako_record_artifact(rec, TAKO_REJECTED, 0);
    ck_assert_str_eq(a->name, "a\nb\xEF\xBF\xBD");
    ck_assert_ptr_null(a->sha256);
    ck_assert_str_eq(a->reason, "the name is odd");
    /* content is absent until attached */
    ck_assert_str_eq(tako_record_stdout(rec, &len), "");
    ck_assert_uint_eq(len, 0);
    ck_assert_ptr_null(tako_record_output(rec, &len));
    ck_assert_uint_eq(len, 0);
    tako_record_free(rec);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(what_is_not_there_is_not_written)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    struct tako__spec spec = {.input_hash = HASH_B,
                              .timeout_ms = 30000,
                              .max_attempts = 1,
                              .retry_delay_ms = 1000,
                              .startup_timeout_ms = 120000,
                              .cpu_percent = 100};
    struct tako__result result = TAKO__RESULT_INIT;
    struct tako__buf b;

    tako__buf_init(&b, &host);
    tako__spec_print(&b, &spec);
    ck_assert_str_eq(b.data, "{\"input\":\"" HASH_B "\",\"timeout_ms\":30000,\"memory_bytes\":0}");
    tako__buf_free(&b);
    tako__result_print(&b, &result);
    ck_assert_str_eq(b.data, "{\"verdict\":\"none\"}");
    tako__buf_free(&b);
}
END_TEST

START_TEST(unknown_keys_of_a_newer_version_are_ignored)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_record *rec;
    tako_row row = record_row(
        "{\"timeout_ms\":1,\"memory_bytes\":0,\"new\":{\"a\":[1]},\"Code\":5}",
        "{\"verdict\":\"exit\",\"exit_code\":0,\"new\":[],"
        "\"artifacts\":[{\"name\":\"a\",\"bytes\":1,"
        "\"sha256\":\"" HASH_A "\",\"content_type\":\"text/plain\"}]}");

    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_OK);
    ck_assert_int_eq(tako_record_exit_code(rec), 0);
    ck_assert_ptr_null(tako_record_code_hash(rec));
    ck_assert_uint_eq(tako_record_artifact_count(rec, TAKO_ARTIFACTS), 1);
    tako_record_free(rec);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

#define GOOD_SPEC "{\"timeout_ms\":1,\"memory_bytes\":0}"

static const struct {
    const char *spec, *result, *says;
} record_damaged[] = {
    {NULL, NULL, "no specification"},
    {"", NULL, "it is empty"},
    {"{\"timeout_ms\":1", NULL, "it ends too early"},
    {"{} trailing", NULL, "something follows"},
    {"{}", NULL, "limits"},
    {"{\"timeout_ms\":1,\"memory_bytes\":0,\"code\":\"abc\"}", NULL, "hash"},
    {"{\"timeout_ms\":1,\"memory_bytes\":0,\"input\":5}", NULL, "hash"},
    {"{\"timeout_ms\":1,\"memory_bytes\":0,\"files\":[{\"bytes\":1}]}", NULL, "file"},
    {"{\"timeout_ms\":1,\"memory_bytes\":0,\"files\":[{\"name\":\"a\"}]}", NULL, "file"},
    {GOOD_SPEC, "", "it is empty"},
    {GOOD_SPEC, "{\"verdict\":\"exit\"", "it ends too early"},
    {GOOD_SPEC, "{}", "verdict"},
    {GOOD_SPEC, "{\"verdict\":\"later\"}", "verdict"},
    {GOOD_SPEC, "{\"verdict\":\"exit\",\"stdout\":\"x\"}", "hash"},
    {GOOD_SPEC, "{\"verdict\":\"exit\",\"isolation\":\"{\"}", "isolation"},
    {GOOD_SPEC, "{\"verdict\":\"exit\",\"rejected\":[{\"name\":\"a\"}]}", "file"},
};

START_TEST(damaged_rows_are_a_store_error_that_names_the_job)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(record_damaged[_i].spec, record_damaged[_i].result);
    tako_record *rec = (tako_record *)&row;
    tako_error err;

    ck_assert_int_eq(tako__record_make(&rec, &host, &row, &err), TAKO_ESTORE);
    ck_assert_ptr_null(rec);
    ck_assert_ptr_nonnull(strstr(err.message, ID));
    ck_assert_msg(strstr(err.message, record_damaged[_i].says) != NULL, "%s", err.message);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(rows_without_identity_or_state_are_refused)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(GOOD_SPEC, NULL);
    tako_record *rec;

    row.id = NULL;
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_ESTORE);
    row.id = ID;
    row.type = "a\"b";
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_ESTORE);
    row.type = "default";
    row.status = (tako_status)9;
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_ESTORE);
    row.status = TAKO_QUEUED;
    row.node = NULL;
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_OK);
    ck_assert_str_eq(tako_record_node(rec), "");
    tako_record_free(rec);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_failing_allocation_is_enomem_and_leaks_nothing)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    struct tako__buf spec, result, json;
    tako_record *rec;
    tako_error err;
    tako_row row;
    long n, done = -1, before;
    int rc, after;

    tako__buf_init(&spec, &host);
    tako__buf_init(&result, &host);
    record_print_full(&spec, &result);
    row = record_row(spec.data, result.data);
    before = f.live_blocks;
    for (after = 0; after < 2; after++) {
        done = -1;
        for (n = 0; done < 0; n++) {
            f.calls = 0;
            f.fail_at = n;
            f.fail_after = after;
            rc = tako__record_make(&rec, &host, &row, &err);
            if (rc == TAKO_OK)
                rc = tako__record_attach(rec, 1, "out", 3, &err);
            if (rc == TAKO_OK)
                rc = tako__record_attach(rec, 3, "{}", 2, &err);
            tako__buf_init(&json, &host);
            if (rc == TAKO_OK) {
                tako__record_print(&json, rec, true);
                if (json.failed)
                    rc = tako__nomem(&err);
            }
            tako__buf_free(&json);
            tako_record_free(rec);
            ck_assert_int_eq(f.live_blocks, before);
            if (rc == TAKO_OK)
                done = n;
            else
                ck_assert_int_eq(err.code, TAKO_ENOMEM);
        }
        ck_assert_int_gt(done, 8);
    }
    f.fail_at = -1;
    tako__buf_free(&spec);
    tako__buf_free(&result);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(content_is_copied_and_may_hold_nul)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(GOOD_SPEC, NULL);
    char data[] = "a\0b";
    tako_record *rec;
    const char *text;
    size_t len;

    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_OK);
    ck_assert_int_eq(tako__record_attach(rec, 1, data, 3, NULL), TAKO_OK);
    ck_assert_int_eq(tako__record_attach(rec, 2, "first", 5, NULL), TAKO_OK);
    ck_assert_int_eq(tako__record_attach(rec, 2, NULL, 0, NULL), TAKO_OK);
    ck_assert_int_eq(tako__record_attach(rec, 3, "{ }", 3, NULL), TAKO_OK);
    ck_assert_int_eq(tako__record_attach(rec, 0, "", 0, NULL), TAKO_EINTERNAL);
    ck_assert_int_eq(tako__record_attach(rec, 4, "", 0, NULL), TAKO_EINTERNAL);
    data[0] = 'z';
    text = tako_record_stdout(rec, &len);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(text, "a\0b", 4);
    ck_assert_str_eq(tako_record_stderr(rec, &len), "");
    ck_assert_uint_eq(len, 0);
    ck_assert_str_eq(tako_record_output(rec, NULL), "{ }");
    tako_record_free(rec);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_null_record_has_nothing)
{
    size_t len = 5;

    tako_record_free(NULL);
    ck_assert_str_eq(tako_record_id(NULL), "");
    ck_assert_str_eq(tako_record_stdout(NULL, &len), "");
    ck_assert_uint_eq(len, 0);
    ck_assert_ptr_null(tako_record_output(NULL, NULL));
    ck_assert_int_eq(tako_record_exit_code(NULL), -1);
    ck_assert_int_eq(tako_record_duration_ms(NULL), -1);
    ck_assert_ptr_null(tako_record_artifact(NULL, 0, 0));
}
END_TEST

START_TEST(duration_is_known_once_it_started_and_ended)
{
    static const struct {
        int64_t started, ended, ms;
    } cases[] = {{0, 0, -1},      {5000, 0, -1},   {0, 5000, -1},
                 {1000, 5999, 4}, {5000, 5000, 0}, {6000, 5000, -1}};
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(GOOD_SPEC, NULL);
    tako_record *rec;
    size_t i;

    for (i = 0; i < TAKO__LEN(cases); i++) {
        row.started_us = cases[i].started;
        row.ended_us = cases[i].ended;
        ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_OK);
        ck_assert_int_eq(tako_record_duration_ms(rec), cases[i].ms);
        tako_record_free(rec);
    }
}
END_TEST

/* ---- on the wire ------------------------------------------------------------------------- */

static void record_expect(const tako_host *host, const tako_row *row, bool content, bool full,
                          const char *want)
{
    struct tako__buf b;
    tako_record *rec;

    ck_assert_int_eq(tako__record_make(&rec, host, row, NULL), TAKO_OK);
    if (content) {
        tako__record_attach(rec, 1, "a\0\xFF\n", 4, NULL);
        tako__record_attach(rec, 2, "err", 3, NULL);
        tako__record_attach(rec, 3, "{ \"x\":\n 1.0 }", 13, NULL);
    }
    tako__buf_init(&b, host);
    tako__record_print(&b, rec, full);
    ck_assert_str_eq(b.data, want);
    /* what is printed is JSON, but for the depth that the output adds */
    ck_assert_ptr_null(content ? NULL : tako__json_object_fault(host, b.data, b.len, 5, NULL));
    tako__buf_free(&b);
    tako_record_free(rec);
}

#define SLIM_QUEUED                                                                           \
    "{\"execution_id\":\"" ID "\",\"status\":\"queued\",\"job_type\":\"default\","            \
    "\"job_version\":\"default@latest\",\"created_at\":\"2026-03-17T12:00:00.123456+00:00\"," \
    "\"started_at\":null,\"ended_at\":null,\"duration_ms\":null,\"exit_code\":null,"          \
    "\"stdout\":\"\",\"stderr\":\"\",\"output\":null,\"error\":null,\"timing\":null,"         \
    "\"runtime\":null"

START_TEST(a_queued_job_prints_all_keys_with_null)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(GOOD_SPEC, NULL);

    record_expect(&host, &row, false, false, SLIM_QUEUED "}");
    record_expect(&host, &row, false, true,
                  SLIM_QUEUED
                  ",\"job_ref\":\"default@latest\",\"artifacts\":[],\"input_artifacts\":[],"
                  "\"resource_usage\":null,\"code_hash\":null,\"input_hash\":null,"
                  "\"parent_execution_id\":null,\"relationship\":null,\"stdout_truncated\":false,"
                  "\"stderr_truncated\":false,\"idempotency_key\":null,\"correlation_id\":null,"
                  "\"verdict\":\"none\",\"signal\":null,\"attempt\":0,\"max_attempts\":1,"
                  "\"failures\":0,\"deaths\":0,\"node\":null,"
                  "\"priority\":0,\"run_at\":\"2026-03-17T12:00:00.123456+00:00\","
                  "\"isolation\":null,\"oom_kills\":0,\"pids_peak\":null,\"pids_hits\":null,"
                  "\"throttled_us\":null,\"survivors\":null,\"stdout_bytes\":0,\"stderr_bytes\":0,"
                  "\"output_note\":null,\"artifacts_rejected\":[]}");
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_failed_job_prints_everything)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    struct tako__buf spec, result;
    tako_row row;

    tako__buf_init(&spec, &host);
    tako__buf_init(&result, &host);
    record_print_full(&spec, &result);
    row = record_row(spec.data, result.data);
    row.status = TAKO_FAILED;
    row.attempt = 1;
    row.node = "n1";
    row.key = "key-12345";
    row.parent = "p1";
    row.started_us = INT64_C(1773748800200000);
    row.ended_us = INT64_C(1773748801000000);
    record_expect(
        &host, &row, true, true,
        "{\"execution_id\":\"" ID "\",\"status\":\"failed\",\"job_type\":\"default\","
        "\"job_version\":\"default@sha256:aaaaaaaaaaaa\",\"created_at\":\"2026-03-17T12:00:00."
        "123456+00:00\","
        "\"started_at\":\"2026-03-17T12:00:00.200000+00:00\","
        "\"ended_at\":\"2026-03-17T12:00:01+00:00\",\"duration_ms\":800,\"exit_code\":1,"
        "\"stdout\":\"a\\u0000\xEF\xBF\xBD\\n\",\"stderr\":\"err\","
        "\"output\":{ \"x\":\n 1.0 },"
        "\"error\":{\"type\":\"division_error\",\"message\":\"Division by \\\"zero\\\"\","
        "\"phase\":\"execution\"},"
        "\"timing\":{\"startup_ms\":5,\"dep_install_ms\":2,\"execution_ms\":41,\"total_ms\":46,"
        "\"phase_at_exit\":\"execution\"},\"runtime\":\"native\","
        "\"job_ref\":\"default@sha256:aaaaaaaaaaaa\","
        "\"artifacts\":[{\"name\":\"result.json\",\"size_bytes\":7,\"sha256\":\"" HASH_C
        "\",\"content_type\":\"application/json\"},"
        "{\"name\":\"pl\xC3\xB6t.png\",\"size_bytes\":0,\"sha256\":\"" HASH_A
        "\",\"content_type\":\"image/png\"}],"
        "\"input_artifacts\":[{\"name\":\"_code.py\",\"size_bytes\":8,\"sha256\":\"" HASH_A
        "\",\"content_type\":\"text/x-python\"},"
        "{\"name\":\"_input.json\",\"size_bytes\":15,\"sha256\":\"" HASH_B
        "\",\"content_type\":\"application/json\"},"
        "{\"name\":\"in put.csv\",\"size_bytes\":12,\"sha256\":\"" HASH_C
        "\",\"content_type\":\"text/csv\"}],"
        "\"resource_usage\":{\"max_rss_mb\":9.5,\"cpu_time_ms\":39,\"wall_time_ms\":41},"
        "\"code_hash\":\"" HASH_A "\",\"input_hash\":\"" HASH_C "\","
        "\"parent_execution_id\":\"p1\",\"relationship\":\"fork\",\"stdout_truncated\":true,"
        "\"stderr_truncated\":false,\"idempotency_key\":\"key-12345\",\"correlation_id\":\"cid-1\","
        "\"verdict\":\"exit\",\"signal\":null,\"attempt\":1,\"max_attempts\":3,\"failures\":0,"
        "\"deaths\":0,\"node\":\"n1\","
        "\"priority\":0,\"run_at\":\"2026-03-17T12:00:00.123456+00:00\","
        "\"isolation\":{\"seccomp\":\"on\"},\"oom_kills\":2,\"pids_peak\":7,\"pids_hits\":1,"
        "\"throttled_us\":4000,\"survivors\":3,\"stdout_bytes\":9007199254740991,"
        "\"stderr_bytes\":20,\"output_note\":\"a note\","
        "\"artifacts_rejected\":[{\"name\":\"a\\nb\xEF\xBF\xBD\",\"size_bytes\":5,"
        "\"reason\":\"the name is odd\"}]}");
    tako__buf_free(&spec);
    tako__buf_free(&result);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

static const struct {
    tako_status status;
    const char *result, *expect;
} record_parts[] = {
    {TAKO_SUCCEEDED, "{\"verdict\":\"exit\",\"exit_code\":0,\"setup_us\":1999,\"wall_us\":2000}",
     "\"timing\":{\"startup_ms\":1,\"dep_install_ms\":0,\"execution_ms\":2,\"total_ms\":3,"
     "\"phase_at_exit\":\"completed\"}"},
    {TAKO_FAILED, "{\"verdict\":\"setup_error\",\"setup_us\":5000}",
     "\"timing\":{\"startup_ms\":5,\"dep_install_ms\":0,\"execution_ms\":null,\"total_ms\":5,"
     "\"phase_at_exit\":\"startup\"}"},
    {TAKO_TIMEOUT, "{\"verdict\":\"wall_timeout\",\"wall_us\":1000000}",
     "\"timing\":{\"startup_ms\":null,\"dep_install_ms\":0,\"execution_ms\":1000,"
     "\"total_ms\":1000,\"phase_at_exit\":\"execution\"}"},
    {TAKO_CANCELLED, "{\"verdict\":\"cancelled\"}", "\"timing\":null"},
    {TAKO_FAILED, "{\"verdict\":\"signal\",\"signal\":9}", "\"signal\":9,"},
    {TAKO_FAILED, "{\"verdict\":\"signal\",\"signal\":9}", "\"exit_code\":null,"},
    {TAKO_OOM, "{\"verdict\":\"oom\",\"peak_bytes\":536870912}",
     "{\"max_rss_mb\":512.0,\"cpu_time_ms\":null,\"wall_time_ms\":null}"},
    {TAKO_OOM, "{\"verdict\":\"oom\",\"peak_bytes\":1058013}", "{\"max_rss_mb\":1.01,"},
    {TAKO_OOM, "{\"verdict\":\"oom\",\"peak_bytes\":1048575}", "{\"max_rss_mb\":1.0,"},
    {TAKO_OOM, "{\"verdict\":\"oom\",\"peak_bytes\":0,\"cpu_us\":0,\"wall_us\":999}",
     "{\"max_rss_mb\":0.0,\"cpu_time_ms\":0,\"wall_time_ms\":0}"},
};

START_TEST(parts_of_the_wire_form)
{
    struct fault_alloc f;
    tako_host host = record_host(&f);
    tako_row row = record_row(GOOD_SPEC, record_parts[_i].result);
    struct tako__buf b;
    tako_record *rec;

    row.status = record_parts[_i].status;
    ck_assert_int_eq(tako__record_make(&rec, &host, &row, NULL), TAKO_OK);
    tako__buf_init(&b, &host);
    tako__record_print(&b, rec, true);
    ck_assert_msg(strstr(b.data, record_parts[_i].expect) != NULL, "%s", b.data);
    ck_assert_ptr_null(tako__json_object_fault(&host, b.data, b.len, 5, NULL));
    tako__buf_free(&b);
    tako_record_free(rec);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

Suite *suite_record(void)
{
    Suite *s = suite_create("record");
    TCase *tc = tcase_create("states");

    tcase_add_test(tc, names_of_states_and_verdicts);
    tcase_add_test(tc, only_the_moves_of_the_table_are_allowed);
    suite_add_tcase(s, tc);
    tc = tcase_create("documents");
    tcase_add_test(tc, everything_printed_is_read_back);
    tcase_add_test(tc, what_is_not_there_is_not_written);
    tcase_add_test(tc, unknown_keys_of_a_newer_version_are_ignored);
    tcase_add_loop_test(tc, damaged_rows_are_a_store_error_that_names_the_job, 0,
                        (int)TAKO__LEN(record_damaged));
    tcase_add_test(tc, rows_without_identity_or_state_are_refused);
    tcase_add_test(tc, a_failing_allocation_is_enomem_and_leaks_nothing);
    tcase_add_test(tc, content_is_copied_and_may_hold_nul);
    tcase_add_test(tc, a_null_record_has_nothing);
    tcase_add_test(tc, duration_is_known_once_it_started_and_ended);
    suite_add_tcase(s, tc);
    tc = tcase_create("wire");
    tcase_add_test(tc, a_queued_job_prints_all_keys_with_null);
    tcase_add_test(tc, a_failed_job_prints_everything);
    tcase_add_loop_test(tc, parts_of_the_wire_form, 0, (int)TAKO__LEN(record_parts));
    suite_add_tcase(s, tc);
    return s;
}
