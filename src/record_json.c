/* record_json.c - the one JSON form of a record that every surface prints.
 *
 * Slim keys first, in a fixed order, then those of the full form. Every key is always there, with
 * null when there is nothing to say. The job's output is inserted as the bytes the job wrote: it
 * was validated when it was collected.
 *
 * SPDX-License-Identifier: MIT */
#include "record.h"

#include "json.h"

#include <string.h>

static void wire_null(struct tako__buf *out, const char *key)
{
    tako__json_put_str(out, key, NULL);
}

static void wire_count(struct tako__buf *out, const char *key, int64_t value, bool known)
{
    if (known)
        tako__json_put_int(out, key, value);
    else
        wire_null(out, key);
}

/* A count of which -1 means that it was not measured. */
static void wire_known(struct tako__buf *out, const char *key, int64_t value)
{
    wire_count(out, key, value, value >= 0);
}

static void wire_instant(struct tako__buf *out, const char *key, int64_t us)
{
    char text[40];

    if (us)
        tako__time_text(us, text);
    tako__json_put_str(out, key, us ? text : NULL);
}

/* Bytes that are no string of ours: stdout and stderr may hold anything. */
static void wire_bytes(struct tako__buf *out, const char *key, const char *data, size_t len)
{
    tako__json_put_key(out, key);
    tako__buf_json(out, data, len);
}

static void wire_object(struct tako__buf *out, const char *key, const char *json, size_t len)
{
    tako__json_put_key(out, key);
    if (json)
        tako__buf_add(out, json, len);
    else
        tako__buf_puts(out, "null");
}

static void wire_error(struct tako__buf *out, const tako_record *rec)
{
    if (!tako_record_error_type(rec)) {
        wire_null(out, "error");
        return;
    }
    tako__json_put_key(out, "error");
    tako__buf_puts(out, "{");
    tako__json_put_str(out, "type", tako_record_error_type(rec));
    tako__json_put_str(out, "message", tako_record_error_message(rec));
    tako__json_put_str(out, "phase", tako_record_error_phase(rec));
    tako__buf_puts(out, "}");
}

static const char *wire_phase(const tako_record *rec)
{
    if (tako_record_status(rec) == TAKO_SUCCEEDED)
        return "completed";
    return tako_record_verdict(rec) == TAKO_VERDICT_SETUP ? "startup" : "execution";
}

static void wire_timing(struct tako__buf *out, const tako_record *rec)
{
    int64_t setup = tako__record_setup_us(rec), wall = tako_record_wall_us(rec);
    int64_t install = tako_record_install_us(rec);
    int64_t startup_ms = ((setup < 0 ? 0 : setup) + (install < 0 ? 0 : install)) / 1000;
    int64_t execution_ms = wall < 0 ? 0 : wall / 1000;

    if (setup < 0 && wall < 0 && install < 0) {
        wire_null(out, "timing");
        return;
    }
    tako__json_put_key(out, "timing");
    tako__buf_puts(out, "{");
    wire_count(out, "startup_ms", startup_ms, setup >= 0 || install >= 0);
    tako__json_put_int(out, "dep_install_ms", install < 0 ? 0 : install / 1000);
    wire_count(out, "execution_ms", execution_ms, wall >= 0);
    /* the sum of what is shown, so that a reader's own addition agrees */
    tako__json_put_int(out, "total_ms", startup_ms + execution_ms);
    tako__json_put_str(out, "phase_at_exit", wire_phase(rec));
    tako__buf_puts(out, "}");
}

static void wire_usage(struct tako__buf *out, const tako_record *rec)
{
    int64_t peak = tako_record_peak_bytes(rec), cpu = tako_record_cpu_us(rec);
    int64_t wall = tako_record_wall_us(rec), cents;

    if (peak < 0 && cpu < 0 && wall < 0) {
        wire_null(out, "resource_usage");
        return;
    }
    tako__json_put_key(out, "resource_usage");
    tako__buf_puts(out, "{");
    tako__json_put_key(out, "max_rss_mb");
    if (peak >= 0) {
        /* MiB with one or two decimals, without the locale's decimal point */
        cents = peak / 1048576 * 100 + (peak % 1048576 * 100 + 524288) / 1048576;
        tako__buf_printf(out, "%lld.%d", (long long)(cents / 100), (int)(cents % 100 / 10));
        if (cents % 10)
            tako__buf_printf(out, "%d", (int)(cents % 10));
    } else {
        tako__buf_puts(out, "null");
    }
    wire_count(out, "cpu_time_ms", cpu / 1000, cpu >= 0);
    wire_count(out, "wall_time_ms", wall / 1000, wall >= 0);
    tako__buf_puts(out, "}");
}

/* The code and the input are listed as files, so that all that a replay needs can be fetched. */
static size_t wire_replay(struct tako__buf *out, const tako_record *rec)
{
    const struct tako__spec *spec = tako__record_spec(rec);

    if (spec->code_hash) {
        tako__buf_puts(out, "{\"name\":\"_code.py\"");
        tako__json_put_int(out, "size_bytes", spec->code_bytes);
        tako__json_put_str(out, "sha256", spec->code_hash);
        tako__buf_puts(out, ",\"content_type\":\"text/x-python\"}");
    }
    if (!spec->input_hash)
        return spec->code_hash != NULL;
    tako__buf_puts(out, spec->code_hash ? ",{" : "{");
    tako__buf_puts(out, "\"name\":\"_input.json\"");
    tako__json_put_int(out, "size_bytes", spec->input_bytes);
    tako__json_put_str(out, "sha256", spec->input_hash);
    tako__buf_puts(out, ",\"content_type\":\"application/json\"}");
    return 1;
}

static void wire_files(struct tako__buf *out, const char *key, const tako_record *rec, int kind)
{
    size_t i, count = tako_record_artifact_count(rec, kind), before = 0;
    const tako_artifact *file;

    tako__json_put_key(out, key);
    tako__buf_puts(out, "[");
    if (kind == TAKO_INPUT_FILES)
        before = wire_replay(out, rec);
    for (i = 0; i < count; i++) {
        file = tako_record_artifact(rec, kind, i);
        tako__buf_puts(out, i + before ? ",{" : "{");
        tako__json_put_str(out, "name", file->name);
        wire_count(out, "size_bytes", file->bytes, file->bytes >= 0);
        if (kind == TAKO_REJECTED) {
            tako__json_put_str(out, "reason", file->reason);
        } else {
            tako__json_put_str(out, "sha256", file->sha256);
            tako__json_put_str(out, "content_type", file->content_type);
        }
        tako__buf_puts(out, "}");
    }
    tako__buf_puts(out, "]");
}

static void wire_full(struct tako__buf *out, const tako_record *rec)
{
    const char *isolation = tako_record_isolation(rec), *node = tako_record_node(rec);

    tako__json_put_str(out, "job_ref", tako_record_version(rec));
    wire_files(out, "artifacts", rec, TAKO_ARTIFACTS);
    wire_files(out, "input_artifacts", rec, TAKO_INPUT_FILES);
    wire_usage(out, rec);
    tako__json_put_str(out, "code_hash", tako_record_code_hash(rec));
    tako__json_put_str(out, "input_hash", tako_record_input_hash(rec));
    tako__json_put_str(out, "parent_execution_id", tako_record_parent(rec));
    tako__json_put_str(out, "relationship", tako_record_relationship(rec));
    tako__json_put_bool(out, "stdout_truncated", tako_record_stdout_truncated(rec) != 0);
    tako__json_put_bool(out, "stderr_truncated", tako_record_stderr_truncated(rec) != 0);
    tako__json_put_str(out, "idempotency_key", tako_record_idempotency_key(rec));
    tako__json_put_str(out, "correlation_id", tako_record_correlation_id(rec));
    /* additions of ours */
    tako__json_put_str(out, "verdict", tako_verdict_name(tako_record_verdict(rec)));
    wire_count(out, "signal", tako_record_signal(rec), tako_record_signal(rec) != 0);
    tako__json_put_int(out, "attempt", tako_record_attempt(rec));
    tako__json_put_int(out, "max_attempts", tako_record_max_attempts(rec));
    tako__json_put_int(out, "failures", tako_record_failures(rec));
    tako__json_put_int(out, "deaths", tako_record_deaths(rec));
    tako__json_put_str(out, "node", node[0] ? node : NULL);
    tako__json_put_int(out, "priority", tako_record_priority(rec));
    wire_instant(out, "run_at", tako_record_run_at_us(rec));
    wire_object(out, "isolation", isolation, isolation ? strlen(isolation) : 0);
    tako__json_put_int(out, "oom_kills", tako_record_oom_kills(rec));
    wire_known(out, "pids_peak", tako_record_pids_peak(rec));
    wire_known(out, "pids_hits", tako_record_pids_hits(rec));
    wire_known(out, "throttled_us", tako_record_throttled_us(rec));
    wire_known(out, "survivors", tako_record_survivors(rec));
    tako__json_put_int(out, "stdout_bytes", tako_record_stdout_bytes(rec));
    tako__json_put_int(out, "stderr_bytes", tako_record_stderr_bytes(rec));
    tako__json_put_str(out, "output_note", tako_record_output_note(rec));
    wire_files(out, "artifacts_rejected", rec, TAKO_REJECTED);
}

void tako__record_print(struct tako__buf *out, const tako_record *rec, bool full)
{
    const char *data;
    size_t len;
    int exit_code = tako_record_exit_code(rec);
    int64_t duration = tako_record_duration_ms(rec);

    tako__buf_puts(out, "{");
    tako__json_put_str(out, "execution_id", tako_record_id(rec));
    tako__json_put_str(out, "status", tako_status_name(tako_record_status(rec)));
    tako__json_put_str(out, "job_type", tako_record_type(rec));
    tako__json_put_str(out, "job_version", tako_record_version(rec));
    wire_instant(out, "created_at", tako_record_created_us(rec));
    wire_instant(out, "started_at", tako_record_started_us(rec));
    wire_instant(out, "ended_at", tako_record_ended_us(rec));
    wire_count(out, "duration_ms", duration, duration >= 0);
    wire_count(out, "exit_code", exit_code, exit_code >= 0);
    data = tako_record_stdout(rec, &len);
    wire_bytes(out, "stdout", data, len);
    data = tako_record_stderr(rec, &len);
    wire_bytes(out, "stderr", data, len);
    data = tako_record_output(rec, &len);
    wire_object(out, "output", data, len);
    wire_error(out, rec);
    wire_timing(out, rec);
    tako__json_put_str(out, "runtime", tako_record_runtime(rec));
    if (full)
        wire_full(out, rec);
    tako__buf_puts(out, "}");
}

void tako__record_summary(struct tako__buf *out, const tako_record *rec)
{
    const struct tako__spec *spec = tako__record_spec(rec);
    size_t i;

    tako__buf_puts(out, "{");
    tako__json_put_str(out, "job_type", tako_record_type(rec));
    tako__json_put_str(out, "code_hash", spec->code_hash);
    tako__json_put_str(out, "input_hash", spec->input_canon);
    tako__json_put_int(out, "code_size_bytes", spec->code_bytes);
    tako__json_put_int(out, "input_size_bytes", spec->input_bytes);
    tako__json_put_bool(out, "has_idempotency_key", tako_record_idempotency_key(rec) != NULL);
    tako__json_put_int(out, "timeout_ms", spec->timeout_ms);
    tako__json_put_int(out, "startup_timeout_ms", spec->startup_timeout_ms);
    if (spec->n_requirements) {
        tako__json_put_key(out, "requirements");
        for (i = 0; i < spec->n_requirements; i++) {
            tako__buf_puts(out, i ? "," : "[");
            tako__buf_json(out, spec->requirements[i], strlen(spec->requirements[i]));
        }
        tako__buf_puts(out, "]");
    }
    if (spec->correlation_id)
        tako__json_put_str(out, "correlation_id", spec->correlation_id);
    if (tako_record_parent(rec))
        tako__json_put_str(out, "parent_execution_id", tako_record_parent(rec));
    tako__buf_puts(out, "}");
}
