/* record.c - the state table, the two documents of a row, and the snapshot behind tako_record.
 *
 * To add a fact: a member in struct tako__spec or tako__result (record.h), one line that prints
 * it and one that reads it here, a getter, and its key in record_json.c. Readers ignore keys they
 * do not know, so an older Tako can read what a newer one wrote.
 * A snapshot owns everything it shows: copies of the row's strings, and the parsed documents that
 * the other strings lie in.
 *
 * SPDX-License-Identifier: MIT */
#include "record.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

#define RECORD_ISOLATION_DEPTH 4
#define RECORD_RETRY_DELAY_MS 1000 /* what is meant when a specification says nothing */
#define RECORD_STARTUP_MS 120000

struct tako_record {
    tako_host host;
    char *id, *type, *node;
    char *key, *parent; /* or NULL */
    char version[96];   /* NAME@sha256:12 digits */
    tako_status status;
    int priority, attempt, deaths, failures;
    int64_t created_us, run_at_us, started_us, ended_us;
    struct tako__json *spec_doc, *result_doc; /* own the strings that spec and result borrow */
    struct tako__spec spec;
    const char **requirements; /* the array behind spec.requirements */
    struct tako__result result;
    tako_artifact *lists[3]; /* by kind */
    size_t counts[3];
    char *content[3]; /* stdout, stderr, output; NULL = not attached */
    size_t content_len[3];
};

/* ---- states and verdicts ---------------------------------------------------------------- */

const char *tako_status_name(tako_status status)
{
    switch (status) {
    case TAKO_QUEUED:
        return "queued";
    case TAKO_RUNNING:
        return "running";
    case TAKO_SUCCEEDED:
        return "succeeded";
    case TAKO_FAILED:
        return "failed";
    case TAKO_TIMEOUT:
        return "timeout";
    case TAKO_OOM:
        return "oom";
    case TAKO_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

int tako_status_terminal(tako_status status)
{
    return status >= TAKO_SUCCEEDED && status <= TAKO_CANCELLED;
}

bool tako__status_move_ok(tako_status from, tako_status to)
{
    switch (from) {
    case TAKO_QUEUED: /* claimed, or cancelled while it waited */
        return to == TAKO_RUNNING || to == TAKO_CANCELLED;
    case TAKO_RUNNING: /* ended, or given back by a node that died or stops */
        return to == TAKO_QUEUED || tako_status_terminal(to);
    case TAKO_SUCCEEDED:
    case TAKO_FAILED:
    case TAKO_TIMEOUT:
    case TAKO_OOM:
    case TAKO_CANCELLED:
        break;
    }
    return false;
}

const char *tako_verdict_name(tako_verdict verdict)
{
    switch (verdict) {
    case TAKO_VERDICT_NONE:
        return "none";
    case TAKO_VERDICT_EXIT:
        return "exit";
    case TAKO_VERDICT_SIGNAL:
        return "signal";
    case TAKO_VERDICT_WALL:
        return "wall_timeout";
    case TAKO_VERDICT_OOM:
        return "oom";
    case TAKO_VERDICT_CANCELLED:
        return "cancelled";
    case TAKO_VERDICT_SETUP:
        return "setup_error";
    case TAKO_VERDICT_LOST:
        return "lost";
    case TAKO_VERDICT_CPU:
        return "cpu_timeout";
    case TAKO_VERDICT_HOST_OOM:
        return "host_oom";
    case TAKO_VERDICT_OUTPUT:
        return "output_limit";
    case TAKO_VERDICT_VIOLATION:
        return "violation";
    }
    return "unknown";
}

static bool record_verdict(const char *name, tako_verdict *out)
{
    int v;

    for (v = TAKO_VERDICT_NONE; v <= TAKO_VERDICT_VIOLATION; v++) {
        if (strcmp(name, tako_verdict_name((tako_verdict)v)) == 0) {
            *out = (tako_verdict)v;
            return true;
        }
    }
    return false;
}

/* ---- printing the documents: what has its default value is left out ---------------------- */

static void record_put_str(struct tako__buf *out, const char *key, const char *value)
{
    if (value)
        tako__json_put_str(out, key, value);
}

static void record_put_int(struct tako__buf *out, const char *key, int64_t value, int64_t standard)
{
    if (value != standard)
        tako__json_put_int(out, key, value);
}

void tako__files_print(struct tako__buf *out, const char *key, const tako_artifact *list,
                       size_t count)
{
    size_t i;

    if (count == 0)
        return;
    tako__json_put_key(out, key);
    for (i = 0; i < count; i++) {
        tako__buf_puts(out, i ? ",{" : "[{");
        tako__json_put_str(out, "name", list[i].name);
        tako__json_put_int(out, "bytes", list[i].bytes);
        record_put_str(out, "sha256", list[i].sha256);
        record_put_str(out, "reason", list[i].reason);
        tako__buf_puts(out, "}");
    }
    tako__buf_puts(out, "]");
}

static void record_put_texts(struct tako__buf *out, const char *key, const char *const *texts,
                             size_t count)
{
    size_t i;

    if (count == 0)
        return;
    tako__json_put_key(out, key);
    for (i = 0; i < count; i++) {
        tako__buf_puts(out, i ? "," : "[");
        tako__buf_json(out, texts[i], strlen(texts[i]));
    }
    tako__buf_puts(out, "]");
}

void tako__spec_print(struct tako__buf *out, const struct tako__spec *spec)
{
    tako__buf_puts(out, "{");
    record_put_str(out, "code", spec->code_hash);
    record_put_str(out, "input", spec->input_hash);
    if (spec->input) {
        tako__json_put_key(out, "input_text");
        tako__buf_json(out, spec->input, spec->input_len);
    }
    tako__files_print(out, "files", spec->files, spec->n_files);
    tako__json_put_int(out, "timeout_ms", spec->timeout_ms);
    tako__json_put_int(out, "memory_bytes", spec->memory_bytes);
    record_put_str(out, "correlation_id", spec->correlation_id);
    record_put_str(out, "client_ip", spec->client_ip);
    record_put_int(out, "cpu_timeout_ms", spec->cpu_timeout_ms, 0);
    record_put_int(out, "output_kill_bytes", spec->output_kill_bytes, 0);
    record_put_str(out, "input_hash", spec->input_canon);
    record_put_int(out, "code_bytes", spec->code_bytes, 0);
    record_put_int(out, "input_bytes", spec->input_bytes, 0);
    record_put_str(out, "digest", spec->digest);
    record_put_str(out, "fingerprint", spec->fingerprint);
    record_put_int(out, "max_attempts", spec->max_attempts, 1);
    record_put_str(out, "retry_on", spec->retry_on);
    record_put_int(out, "retry_delay_ms", spec->retry_delay_ms, RECORD_RETRY_DELAY_MS);
    record_put_int(out, "startup_timeout_ms", spec->startup_timeout_ms, RECORD_STARTUP_MS);
    record_put_int(out, "cpu_percent", spec->cpu_percent, 100);
    if (spec->network)
        tako__json_put_bool(out, "network", true);
    record_put_texts(out, "requirements", spec->requirements, spec->n_requirements);
    record_put_str(out, "relationship", spec->relationship);
    record_put_int(out, "retries", spec->retries, 0);
    tako__buf_puts(out, "}");
}

void tako__note_print(struct tako__buf *out, const struct tako__note *note)
{
    tako__buf_puts(out, "{");
    tako__json_put_int(out, "attempt", note->attempt);
    tako__json_put_str(out, "node", note->node);
    tako__json_put_int(out, "started_us", note->started_us);
    tako__json_put_int(out, "at_us", note->at_us);
    tako__json_put_str(out, "cause", note->cause);
    tako__buf_puts(out, "}");
}

void tako__result_print(struct tako__buf *out, const struct tako__result *result)
{
    tako__buf_puts(out, "{");
    tako__json_put_str(out, "verdict", tako_verdict_name(result->verdict));
    record_put_int(out, "exit_code", result->exit_code, -1);
    record_put_int(out, "signal", result->signal, 0);
    record_put_str(out, "stdout", result->stdout_hash);
    record_put_str(out, "stderr", result->stderr_hash);
    record_put_str(out, "output", result->output_hash);
    record_put_str(out, "output_note", result->output_note);
    record_put_int(out, "stdout_bytes", result->stdout_bytes, 0);
    record_put_int(out, "stderr_bytes", result->stderr_bytes, 0);
    if (result->stdout_truncated)
        tako__json_put_bool(out, "stdout_truncated", true);
    if (result->stderr_truncated)
        tako__json_put_bool(out, "stderr_truncated", true);
    record_put_str(out, "error_type", result->error_type);
    record_put_str(out, "error_message", result->error_message);
    record_put_str(out, "error_phase", result->error_phase);
    record_put_int(out, "started_us", result->started_us, 0);
    record_put_int(out, "setup_us", result->setup_us, -1);
    record_put_int(out, "wall_us", result->wall_us, -1);
    record_put_int(out, "cpu_us", result->cpu_us, -1);
    record_put_int(out, "peak_bytes", result->peak_bytes, -1);
    record_put_int(out, "oom_kills", result->oom_kills, 0);
    record_put_int(out, "pids_peak", result->pids_peak, -1);
    record_put_int(out, "pids_hits", result->pids_hits, -1);
    record_put_int(out, "throttled_us", result->throttled_us, -1);
    record_put_int(out, "survivors", result->survivors, -1);
    record_put_int(out, "install_us", result->install_us, -1);
    record_put_str(out, "runtime", result->runtime);
    record_put_str(out, "isolation", result->isolation); /* as text, so that it stays verbatim */
    tako__files_print(out, "artifacts", result->artifacts, result->n_artifacts);
    tako__files_print(out, "rejected", result->rejected, result->n_rejected);
    tako__buf_puts(out, "}");
}

/* ---- reading them back ------------------------------------------------------------------ */

static int record_corrupt(tako_error *err, const tako_record *rec, const char *what)
{
    return tako__fail(err, TAKO_ESTORE, "record %s in the store is damaged: %s", rec->id, what);
}

static int record_parse(const tako_record *rec, struct tako__json **doc, const char *text,
                        size_t len, tako_error *err)
{
    tako_error why = {TAKO_OK, 0, ""};

    *doc = tako__json_parse(&rec->host, text, len, &why);
    if (*doc)
        return TAKO_OK;
    return why.code == TAKO_ENOMEM ? tako__nomem(err) : record_corrupt(err, rec, why.message);
}

static bool record_read_hash(const struct tako__json *doc, const char *key, const char **out)
{
    *out = tako__json_str(doc, key, NULL);
    return *out ? tako__hex64_ok(*out) : tako__json_get(doc, key) == NULL;
}

static int record_read_int(const struct tako__json *doc, const char *key, int fallback)
{
    int64_t value = tako__json_int(doc, key, fallback);

    return value < INT32_MIN || value > INT32_MAX ? fallback : (int)value;
}

/* By the end of a file's name; NULL when it tells nothing. */
static const char *record_content_type(const char *name)
{
    static const char *const types[][2] = {
        {"bin", "application/octet-stream"},
        {"bmp", "image/bmp"},
        {"c", "text/x-c"},
        {"css", "text/css"},
        {"csv", "text/csv"},
        {"gif", "image/gif"},
        {"gz", "application/gzip"},
        {"htm", "text/html"},
        {"html", "text/html"},
        {"ico", "image/vnd.microsoft.icon"},
        {"jpeg", "image/jpeg"},
        {"jpg", "image/jpeg"},
        {"js", "text/javascript"},
        {"json", "application/json"},
        {"md", "text/markdown"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"parquet", "application/vnd.apache.parquet"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"py", "text/x-python"},
        {"svg", "image/svg+xml"},
        {"tar", "application/x-tar"},
        {"tsv", "text/tab-separated-values"},
        {"txt", "text/plain"},
        {"wasm", "application/wasm"},
        {"wav", "audio/wav"},
        {"webp", "image/webp"},
        {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {"xml", "application/xml"},
        {"yaml", "application/yaml"},
        {"yml", "application/yaml"},
        {"zip", "application/zip"},
    };
    const char *dot = name ? strrchr(name, '.') : NULL;
    char end[8];
    size_t i, len;

    len = dot ? strlen(dot + 1) : 0;
    if (len == 0 || len >= sizeof end)
        return NULL;
    for (i = 0; i <= len; i++)
        end[i] = (char)(dot[1 + i] >= 'A' && dot[1 + i] <= 'Z' ? dot[1 + i] + 32 : dot[1 + i]);
    for (i = 0; i < TAKO__LEN(types); i++)
        if (strcmp(types[i][0], end) == 0)
            return types[i][1];
    return NULL;
}

static int record_read_list(tako_record *rec, int kind, const struct tako__json *list,
                            tako_error *err)
{
    size_t i, count = tako__json_count(list);
    const struct tako__json *item;
    tako_artifact *to;

    if (count == 0)
        return TAKO_OK;
    rec->lists[kind] = tako__array(&rec->host, count, sizeof *rec->lists[kind]);
    if (!rec->lists[kind])
        return tako__nomem(err);
    for (i = 0; i < count; i++) {
        item = tako__json_at(list, i);
        to = &rec->lists[kind][i];
        to->name = tako__json_str(item, "name", NULL);
        to->bytes = tako__json_int(item, "bytes", 0);
        to->reason = tako__json_str(item, "reason", NULL);
        to->content_type = kind == TAKO_REJECTED ? NULL : record_content_type(to->name);
        if (!to->name || !record_read_hash(item, "sha256", &to->sha256) ||
            (kind == TAKO_REJECTED ? !to->reason : !to->sha256))
            return record_corrupt(err, rec, "a file without name or hash");
    }
    rec->counts[kind] = count;
    return TAKO_OK;
}

static int record_read_texts(tako_record *rec, const struct tako__json *list, tako_error *err)
{
    size_t i, count = tako__json_count(list);

    if (count == 0)
        return TAKO_OK;
    rec->requirements = tako__array(&rec->host, count, sizeof *rec->requirements);
    if (!rec->requirements)
        return tako__nomem(err);
    for (i = 0; i < count; i++) {
        rec->requirements[i] = tako__json_text(tako__json_at(list, i));
        if (!rec->requirements[i])
            return record_corrupt(err, rec, "a requirement that is no text");
    }
    rec->spec.requirements = rec->requirements;
    rec->spec.n_requirements = count;
    return TAKO_OK;
}

static int record_read_spec(tako_record *rec, tako_error *err)
{
    const struct tako__json *doc = rec->spec_doc;
    struct tako__spec *spec = &rec->spec;
    int rc;

    if (!record_read_hash(doc, "code", &spec->code_hash) ||
        !record_read_hash(doc, "input", &spec->input_hash))
        return record_corrupt(err, rec, "a hash in its specification");
    spec->input = tako__json_str(doc, "input_text", NULL);
    spec->input_len = spec->input ? strlen(spec->input) : 0;
    spec->timeout_ms = tako__json_int(doc, "timeout_ms", 0);
    spec->memory_bytes = tako__json_int(doc, "memory_bytes", 0);
    if (spec->timeout_ms <= 0 || spec->memory_bytes < 0)
        return record_corrupt(err, rec, "its limits");
    spec->correlation_id = tako__json_str(doc, "correlation_id", NULL);
    spec->client_ip = tako__json_str(doc, "client_ip", NULL);
    spec->cpu_timeout_ms = tako__json_int(doc, "cpu_timeout_ms", 0);
    spec->output_kill_bytes = tako__json_int(doc, "output_kill_bytes", 0);
    if (spec->cpu_timeout_ms < 0 || spec->output_kill_bytes < 0)
        return record_corrupt(err, rec, "its limits");
    if (!record_read_hash(doc, "input_hash", &spec->input_canon) ||
        !record_read_hash(doc, "digest", &spec->digest) ||
        !record_read_hash(doc, "fingerprint", &spec->fingerprint))
        return record_corrupt(err, rec, "a hash in its specification");
    spec->code_bytes = tako__json_int(doc, "code_bytes", 0);
    spec->input_bytes = tako__json_int(doc, "input_bytes", 0);
    spec->max_attempts = record_read_int(doc, "max_attempts", 1);
    spec->retry_on = tako__json_str(doc, "retry_on", NULL);
    spec->retry_delay_ms = tako__json_int(doc, "retry_delay_ms", RECORD_RETRY_DELAY_MS);
    spec->startup_timeout_ms = tako__json_int(doc, "startup_timeout_ms", RECORD_STARTUP_MS);
    spec->cpu_percent = record_read_int(doc, "cpu_percent", 100);
    spec->network = tako__json_bool(doc, "network", false);
    spec->relationship = tako__json_str(doc, "relationship", NULL);
    spec->retries = record_read_int(doc, "retries", 0);
    if (spec->max_attempts < 1 || spec->retry_delay_ms < 0 || spec->startup_timeout_ms <= 0 ||
        spec->cpu_percent <= 0)
        return record_corrupt(err, rec, "its limits");
    rc = record_read_texts(rec, tako__json_get(doc, "requirements"), err);
    if (rc != TAKO_OK)
        return rc;
    return record_read_list(rec, TAKO_INPUT_FILES, tako__json_get(doc, "files"), err);
}

static int record_read_result(tako_record *rec, tako_error *err)
{
    const struct tako__json *doc = rec->result_doc;
    struct tako__result *result = &rec->result;
    const char *fault = NULL;
    int rc;

    if (!record_verdict(tako__json_str(doc, "verdict", ""), &result->verdict))
        return record_corrupt(err, rec, "its verdict");
    if (!record_read_hash(doc, "stdout", &result->stdout_hash) ||
        !record_read_hash(doc, "stderr", &result->stderr_hash) ||
        !record_read_hash(doc, "output", &result->output_hash))
        return record_corrupt(err, rec, "a hash in its result");
    result->isolation = tako__json_str(doc, "isolation", NULL);
    if (result->isolation)
        fault = tako__json_object_fault(&rec->host, result->isolation, strlen(result->isolation),
                                        RECORD_ISOLATION_DEPTH, NULL);
    if (tako__json_fault_is_memory(fault))
        return tako__nomem(err);
    if (fault)
        return record_corrupt(err, rec, "its isolation");
    result->exit_code = record_read_int(doc, "exit_code", -1);
    result->signal = record_read_int(doc, "signal", 0);
    result->output_note = tako__json_str(doc, "output_note", NULL);
    result->stdout_bytes = tako__json_int(doc, "stdout_bytes", 0);
    result->stderr_bytes = tako__json_int(doc, "stderr_bytes", 0);
    result->stdout_truncated = tako__json_bool(doc, "stdout_truncated", false);
    result->stderr_truncated = tako__json_bool(doc, "stderr_truncated", false);
    result->error_type = tako__json_str(doc, "error_type", NULL);
    result->error_message = tako__json_str(doc, "error_message", NULL);
    result->error_phase = tako__json_str(doc, "error_phase", NULL);
    result->started_us = tako__json_int(doc, "started_us", 0);
    result->setup_us = tako__json_int(doc, "setup_us", -1);
    result->wall_us = tako__json_int(doc, "wall_us", -1);
    result->cpu_us = tako__json_int(doc, "cpu_us", -1);
    result->peak_bytes = tako__json_int(doc, "peak_bytes", -1);
    result->oom_kills = tako__json_int(doc, "oom_kills", 0);
    result->pids_peak = tako__json_int(doc, "pids_peak", -1);
    result->pids_hits = tako__json_int(doc, "pids_hits", -1);
    result->throttled_us = tako__json_int(doc, "throttled_us", -1);
    result->survivors = tako__json_int(doc, "survivors", -1);
    result->install_us = tako__json_int(doc, "install_us", -1);
    result->runtime = tako__json_str(doc, "runtime", NULL);
    rc = record_read_list(rec, TAKO_ARTIFACTS, tako__json_get(doc, "artifacts"), err);
    if (rc != TAKO_OK)
        return rc;
    return record_read_list(rec, TAKO_REJECTED, tako__json_get(doc, "rejected"), err);
}

static int record_fill(tako_record *rec, const tako_row *row, tako_error *err)
{
    static const struct tako__result nothing = TAKO__RESULT_INIT;
    int rc;

    rec->id = tako__strdup(&rec->host, row->id);
    rec->type = tako__strdup(&rec->host, row->type);
    rec->node = tako__strdup(&rec->host, row->node ? row->node : "");
    rec->key = tako__strdup(&rec->host, row->key);
    rec->parent = tako__strdup(&rec->host, row->parent);
    if (!rec->id || !rec->type || !rec->node || (row->key && !rec->key) ||
        (row->parent && !rec->parent))
        return tako__nomem(err);
    rec->failures = row->failures;
    rec->status = row->status;
    rec->priority = row->priority;
    rec->attempt = row->attempt;
    rec->deaths = row->deaths;
    rec->created_us = row->created_us;
    rec->run_at_us = row->run_at_us;
    rec->started_us = row->started_us;
    rec->ended_us = row->ended_us;
    rec->result = nothing;
    if (strcmp(tako_status_name(row->status), "unknown") == 0)
        return record_corrupt(err, rec, "its status");
    if (!row->spec)
        return record_corrupt(err, rec, "it has no specification");
    rc = record_parse(rec, &rec->spec_doc, row->spec, row->spec_len, err);
    if (rc == TAKO_OK)
        rc = record_read_spec(rec, err);
    if (rc == TAKO_OK && row->result)
        rc = record_parse(rec, &rec->result_doc, row->result, row->result_len, err);
    if (rc == TAKO_OK && row->result)
        rc = record_read_result(rec, err);
    if (rc == TAKO_OK && rec->spec.digest)
        (void)snprintf(rec->version, sizeof rec->version, "%s@sha256:%.12s", rec->type,
                       rec->spec.digest);
    else
        (void)snprintf(rec->version, sizeof rec->version, "%s@latest", rec->type);
    return rc;
}

int tako__record_make(tako_record **out, const tako_host *host, const tako_row *row,
                      tako_error *err)
{
    tako_record *rec;
    int rc;

    *out = NULL;
    if (!tako__id_ok(row->id) || !tako__type_name_ok(row->type))
        return tako__fail(err, TAKO_ESTORE, "the store gave a row without a proper id or type");
    rec = tako__alloc(host, sizeof *rec);
    if (!rec)
        return tako__nomem(err);
    rec->host = *host;
    rc = record_fill(rec, row, err);
    if (rc != TAKO_OK) {
        tako_record_free(rec);
        return rc;
    }
    *out = rec;
    return TAKO_OK;
}

int tako__record_attach(tako_record *rec, int which, const void *data, size_t len, tako_error *err)
{
    char *copy;
    int i = which - 1;

    if (i < 0 || i > 2)
        return tako__fail(err, TAKO_EINTERNAL, "a record has no content number %d", which);
    copy = tako__strndup(&rec->host, len ? data : "", len);
    if (!copy)
        return tako__nomem(err);
    tako__free(&rec->host, rec->content[i]);
    rec->content[i] = copy;
    rec->content_len[i] = len;
    return TAKO_OK;
}

void tako_record_free(tako_record *rec)
{
    tako_host host;
    size_t i;

    if (!rec)
        return;
    host = rec->host;
    for (i = 0; i < 3; i++) {
        tako__free(&host, rec->content[i]);
        tako__free(&host, rec->lists[i]);
    }
    tako__json_free(&host, rec->result_doc);
    tako__json_free(&host, rec->spec_doc);
    tako__free(&host, rec->requirements);
    tako__free(&host, rec->parent);
    tako__free(&host, rec->key);
    tako__free(&host, rec->node);
    tako__free(&host, rec->type);
    tako__free(&host, rec->id);
    tako__free(&host, rec);
}

/* ---- getters: a NULL record has nothing -------------------------------------------------- */

#define RECORD_GET(type, name, expression, nothing) \
    type name(const tako_record *rec)               \
    {                                               \
        return rec ? (expression) : (nothing);      \
    }

RECORD_GET(const char *, tako_record_id, rec->id, "")
RECORD_GET(const char *, tako_record_type, rec->type, "")
RECORD_GET(tako_status, tako_record_status, rec->status, (tako_status)0)
RECORD_GET(tako_verdict, tako_record_verdict, rec->result.verdict, TAKO_VERDICT_NONE)
RECORD_GET(int, tako_record_priority, rec->priority, 0)
RECORD_GET(int, tako_record_attempt, rec->attempt, 0)
RECORD_GET(int, tako_record_deaths, rec->deaths, 0)
RECORD_GET(const char *, tako_record_node, rec->node, "")
RECORD_GET(int64_t, tako_record_created_us, rec->created_us, 0)
RECORD_GET(int64_t, tako_record_run_at_us, rec->run_at_us, 0)
RECORD_GET(int64_t, tako_record_started_us, rec->started_us, 0)
RECORD_GET(int64_t, tako_record_ended_us, rec->ended_us, 0)
RECORD_GET(int, tako_record_exit_code, rec->result.exit_code, -1)
RECORD_GET(int, tako_record_signal, rec->result.signal, 0)
RECORD_GET(int, tako_record_stdout_truncated, rec->result.stdout_truncated, 0)
RECORD_GET(int, tako_record_stderr_truncated, rec->result.stderr_truncated, 0)
RECORD_GET(int64_t, tako_record_stdout_bytes, rec->result.stdout_bytes, 0)
RECORD_GET(int64_t, tako_record_stderr_bytes, rec->result.stderr_bytes, 0)
RECORD_GET(const char *, tako_record_output_note, rec->result.output_note, NULL)
RECORD_GET(const char *, tako_record_error_type, rec->result.error_type, NULL)
RECORD_GET(const char *, tako_record_error_message, rec->result.error_message, NULL)
RECORD_GET(const char *, tako_record_error_phase, rec->result.error_phase, NULL)
RECORD_GET(int64_t, tako_record_wall_us, rec->result.wall_us, -1)
RECORD_GET(int64_t, tako_record_cpu_us, rec->result.cpu_us, -1)
RECORD_GET(int64_t, tako_record_peak_bytes, rec->result.peak_bytes, -1)
RECORD_GET(int64_t, tako_record_oom_kills, rec->result.oom_kills, 0)
RECORD_GET(int64_t, tako_record_pids_peak, rec->result.pids_peak, -1)
RECORD_GET(int64_t, tako_record_pids_hits, rec->result.pids_hits, -1)
RECORD_GET(int64_t, tako_record_throttled_us, rec->result.throttled_us, -1)
RECORD_GET(int64_t, tako_record_survivors, rec->result.survivors, -1)
RECORD_GET(const char *, tako_record_runtime, rec->result.runtime, NULL)
RECORD_GET(const char *, tako_record_isolation, rec->result.isolation, NULL)
RECORD_GET(const char *, tako_record_correlation_id, rec->spec.correlation_id, NULL)
RECORD_GET(const char *, tako_record_client_ip, rec->spec.client_ip, NULL)
RECORD_GET(const char *, tako_record_code_hash, rec->spec.code_hash, NULL)
RECORD_GET(const char *, tako_record_input_hash, rec->spec.input_canon, NULL)
RECORD_GET(const char *, tako_record_version, rec->version, "")
RECORD_GET(const char *, tako_record_idempotency_key, rec->key, NULL)
RECORD_GET(const char *, tako_record_parent, rec->parent, NULL)
RECORD_GET(const char *, tako_record_relationship, rec->spec.relationship, NULL)
RECORD_GET(int, tako_record_failures, rec->failures, 0)
RECORD_GET(int, tako_record_max_attempts, rec->spec.max_attempts, 0)
RECORD_GET(int64_t, tako_record_timeout_ms, rec->spec.timeout_ms, 0)
RECORD_GET(int64_t, tako_record_memory_bytes, rec->spec.memory_bytes, 0)
RECORD_GET(int64_t, tako_record_install_us, rec->result.install_us, -1)
RECORD_GET(const char *, tako__record_stdout_hash, rec->result.stdout_hash, NULL)
RECORD_GET(const char *, tako__record_stderr_hash, rec->result.stderr_hash, NULL)
RECORD_GET(const char *, tako__record_output_hash, rec->result.output_hash, NULL)
RECORD_GET(int64_t, tako__record_setup_us, rec->result.setup_us, -1)

#undef RECORD_GET

void tako__letter_write(struct tako__letter *l, const tako_host *host, const tako_row *row,
                        const char *error_type, const char *message, int64_t at_us)
{
    tako__letter_drop(l);
    (void)snprintf(l->message, sizeof l->message, "%s", message);
    l->dead.size = sizeof l->dead;
    l->dead.error_type = error_type;
    l->dead.error_message = l->message;
    l->dead.created_us = at_us;
    l->dead.summary = "{}";
    tako__buf_init(&l->summary, host);
    if (tako__record_make(&l->rec, host, row, NULL) != TAKO_OK)
        return;
    l->dead.retry_count = l->rec->spec.retries;
    l->dead.client_ip = l->rec->spec.client_ip;
    l->dead.correlation_id = l->rec->spec.correlation_id;
    tako__record_summary(&l->summary, l->rec);
    if (!l->summary.failed)
        l->dead.summary = l->summary.data;
}

void tako__letter_drop(struct tako__letter *l)
{
    if (l->summary.host)
        tako__buf_free(&l->summary);
    tako_record_free(l->rec);
    memset(&l->dead, 0, sizeof l->dead);
    l->rec = NULL;
}

const struct tako__spec *tako__record_spec(const tako_record *rec)
{
    return &rec->spec;
}

int tako__record_refs(const tako_record *rec, const char ***refs, size_t *count, tako_error *err)
{
    const struct tako__spec *spec = &rec->spec;
    const struct tako__result *result = &rec->result;
    const char **list;
    size_t i, n = 0;

    list = tako__array(&rec->host, 5 + rec->counts[TAKO_INPUT_FILES] + rec->counts[TAKO_ARTIFACTS],
                       sizeof *list);
    if (!list)
        return tako__nomem(err);
    if (spec->code_hash)
        list[n++] = spec->code_hash;
    if (spec->input_hash && !spec->input)
        list[n++] = spec->input_hash;
    for (i = 0; i < rec->counts[TAKO_INPUT_FILES]; i++)
        list[n++] = rec->lists[TAKO_INPUT_FILES][i].sha256;
    if (result->stdout_hash)
        list[n++] = result->stdout_hash;
    if (result->stderr_hash)
        list[n++] = result->stderr_hash;
    if (result->output_hash)
        list[n++] = result->output_hash;
    for (i = 0; i < rec->counts[TAKO_ARTIFACTS]; i++)
        list[n++] = rec->lists[TAKO_ARTIFACTS][i].sha256;
    *refs = list;
    *count = n;
    return TAKO_OK;
}

int64_t tako_record_duration_ms(const tako_record *rec)
{
    if (!rec || rec->ended_us <= 0 || rec->started_us <= 0 || rec->ended_us < rec->started_us)
        return -1;
    return (rec->ended_us - rec->started_us) / 1000;
}

static const char *record_content(const tako_record *rec, int i, const char *nothing, size_t *len)
{
    bool there = rec && rec->content[i];

    if (len)
        *len = there ? rec->content_len[i] : 0;
    return there ? rec->content[i] : nothing;
}

const char *tako_record_stdout(const tako_record *rec, size_t *len)
{
    return record_content(rec, 0, "", len);
}

const char *tako_record_stderr(const tako_record *rec, size_t *len)
{
    return record_content(rec, 1, "", len);
}

const char *tako_record_output(const tako_record *rec, size_t *len)
{
    return record_content(rec, 2, NULL, len);
}

size_t tako_record_artifact_count(const tako_record *rec, int kind)
{
    return rec && kind >= TAKO_ARTIFACTS && kind <= TAKO_REJECTED ? rec->counts[kind] : 0;
}

const tako_artifact *tako_record_artifact(const tako_record *rec, int kind, size_t index)
{
    return index < tako_record_artifact_count(rec, kind) ? &rec->lists[kind][index] : NULL;
}
